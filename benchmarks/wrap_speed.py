"""Loading and the first prediction of a wrapped resnet18, through plain torch's time: at most 1.3 (issue 13).

Both build the module, load a checkpoint, prepare one photograph and ask for its probabilities; alternating, in one run.
"""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from machine import machine  # first: it finds the package
from torchvision import models
from torchvision.transforms import v2

import explain
from explain.data import load_images

ROUNDS = 11
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def plain(file, image):
    net = models.resnet18(weights=None)
    net.load_state_dict(torch.load(file, weights_only=True))
    net.eval()
    prepare = v2.Compose(
        [v2.Resize(256), v2.CenterCrop(224), v2.PILToTensor(), v2.ToDtype(torch.float32, True), v2.Normalize(MEAN, STD)]
    )
    with torch.no_grad():
        return net(prepare(image)[None]).softmax(1)


def wrapped(file, image):
    net = models.resnet18(weights=None)
    net.load_state_dict(torch.load(file, weights_only=True))
    model = explain.wrap(net, preprocess=explain.Preprocess(224, 256, MEAN, STD))
    return model.predict(image)


def loaded(file, image):
    return explain.load_model(file, architecture="torchvision:resnet18").predict(image)


def main():
    torch.manual_seed(0)
    image = load_images("photos")[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "resnet18.pth"
        torch.save(models.resnet18(weights=None).state_dict(), file)
        took = {plain: [], wrapped: [], loaded: []}
        for _ in range(ROUNDS):
            for way, times in took.items():
                start = time.perf_counter()
                way(file, image)
                times.append(time.perf_counter() - start)
    base = statistics.median(took[plain])
    print(f"plain torch: {base:.3f} s (median of {ROUNDS}; {machine()})")
    for way in (wrapped, loaded):
        ratios = [mine / theirs for mine, theirs in zip(took[way], took[plain], strict=True)]
        print(f"{way.__name__}: {statistics.median(ratios):.2f} of plain torch's time (bound 1.3 for wrapped)")


if __name__ == "__main__":
    main()
