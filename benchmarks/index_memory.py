"""Claim: what building an index needs beyond the bare pass does not grow with the number of images, and stays under
100 MB for resnet18.

Each figure is the greatest resident memory of a fresh process (ru_maxrss), of the bare pass over the same pictures and
of the index. The growth is shown with 64 x 64 inputs, to have 10,000 images in minutes; the bound at 224 x 224.
"""

import subprocess
import sys
import tempfile

from machine import ROOT, machine

RUNS = ((224, 256), (64, 1_000), (64, 10_000))
TARGET = 100

CODE = """
import resource, sys, tempfile, time
sys.path.insert(0, {root!r})
import torch
from explain import build_index, load_images, load_model
from explain.index.build import _Loader
from explain.network.model import Model, Preprocess
kind, side, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with load_model("torchvision:resnet18?weights=random").exclusive() as net:
    model = Model("resnet18", net, Preprocess((side, side), side, (0.5,), (0.5,)), [str(k) for k in range(1000)])
model.digest, model.layers
images = load_images("fashion-mnist", count)
if kind == "index":
    build_index(model, images, out=sys.argv[4], batch=16)
else:
    with model.exclusive() as net, torch.inference_mode():
        batch = []
        for at, tensor in _Loader(images, model, 2, 16)(range(count)):
            batch.append(tensor)
            if len(batch) == 16:
                net(torch.stack(batch))
                batch = []
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def main() -> None:
    for side, count in RUNS:
        bare, index = (peak(kind, side, count) for kind in ("bare", "index"))
        print(
            f"index of resnet18 over {count:,} images at {side} x {side}: {(index - bare) / 1e6:.0f} MB beyond "
            f"the bare pass's {bare / 1e6:.0f} MB (target {TARGET} MB at 224 x 224); {machine()}",
            flush=True,
        )


def peak(kind: str, side: int, count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CODE.format(root=str(ROOT)), kind, str(side), str(count), folder]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


if __name__ == "__main__":
    main()
