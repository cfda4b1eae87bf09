"""Claim: building an index from image files reaches 90 % of the rate that decoding alone or the network alone reaches,
whichever is lower, on the same files.

Decoding alone is the builder's own loader, the network alone its own pass over pictures ready in memory. All three are
run in turn; the figure is the median of the ratios of the rounds. On two cores the network keeps both busy, so what
decoding costs cannot be hidden: the plain pass in the default layout is given as a second peer.
"""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from machine import machine

from explain import load_images, load_model
from explain.index.build import _Loader, _Pass, default_layers

MODELS = ("torchvision:resnet18?weights=random", "efficientnet-lite0")
IMAGES, SIDE, BATCH, WORKERS, WARM_UP, ROUNDS, TARGET = 128, (500, 375), 16, 2, 1, 5, 0.90


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        photos = load_images("photos")
        for k in range(IMAGES):
            picture = photos[k % len(photos)].convert("RGB").resize(SIDE).rotate(k // len(photos) * 5)
            picture.save(Path(folder) / f"{k:04}.jpg", quality=90)
        images = load_images(folder)
        for name in MODELS:
            rounds = [one_round(name, images) for _ in range(-WARM_UP, ROUNDS)][WARM_UP:]
            both, decoding, network, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratio = statistics.median(max(d, n) / b for b, d, n, _ in rounds)
            against = statistics.median(max(d, p) / b for b, d, _, p in rounds)
            print(
                f"index of {name} from {IMAGES} JPEG files of {SIDE[0]} x {SIDE[1]}: {IMAGES / both:.1f} a second, "
                f"{ratio:.2f} of the slower of decoding ({IMAGES / decoding:.0f}) and its own pass "
                f"({IMAGES / network:.1f}) alone (target {TARGET:.2f}); {against:.2f} of the plain pass "
                f"({IMAGES / plain:.1f}); {machine()}",
                flush=True,
            )


def one_round(name: str, images) -> tuple[float, float, float, float]:
    """Seconds of the build, of decoding, of the index's pass and of the plain pass."""
    model, positions = load_model(name), list(range(len(images)))
    with model.exclusive() as net:
        layers = {layer: model.layer(layer) for layer in default_layers(model)}
        index = _Pass(model, layers, images, 16, 0)
        loader = _Loader(images, model, WORKERS, BATCH)
        index.shard(loader, positions[:BATCH], BATCH, 0, lambda *_: None)
        start = time.perf_counter()
        index.shard(loader, positions, BATCH, 0, lambda *_: None)
        both, start = time.perf_counter() - start, time.perf_counter()
        ready = list(loader(positions))
        decoding, start = time.perf_counter() - start, time.perf_counter()
        index.shard(lambda _: (one for one in ready), positions, BATCH, 0, lambda *_: None)
        network = time.perf_counter() - start
        net.to(memory_format=torch.contiguous_format)
        batches = [torch.stack([tensor for _, tensor in ready[k : k + BATCH]]) for k in range(0, len(ready), BATCH)]
        start = time.perf_counter()
        with torch.no_grad():
            for batch in batches:
                net(batch)
        return both, decoding, network, time.perf_counter() - start


if __name__ == "__main__":
    main()
