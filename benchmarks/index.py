"""Claims about building an index, decoding excluded, batches of 16 ready in memory:

1. the whole index (every channel of every convolution, features, predictions) of resnet18 takes at most 0.90 of the
   time of a bare eager forward pass in the default memory layout over the same batches, of efficientnet-lite0 0.80;
2. and at most 1.10 of the bare pass in the layout the index uses itself (channels_last).

A shard of IMAGES pictures is one round; the three alternate, each goes first in turn; the figure is the median ratio.
"""

import copy
import statistics
import time
from collections.abc import Callable

import torch
from machine import machine

from explain import load_images, load_model
from explain.index.build import _Pass, default_layers

MODELS = {"torchvision:resnet18?weights=random": 0.90, "efficientnet-lite0": 0.80}
BATCH, IMAGES, WARM_UP, ROUNDS, OWN_LAYOUT = 16, 256, 1, 5, 1.10


def main() -> None:
    for name, target in MODELS.items():
        times = measured(name)
        index, bare, own = (times[key] for key in ("index", "bare", "own layout"))
        for label, peer, bound in (("default layout", bare, target), ("channels_last", own, OWN_LAYOUT)):
            low, middle, high = statistics.quantiles([a / b for a, b in zip(index, peer, strict=True)], n=4)
            print(
                f"index of {name}, {IMAGES} images: {middle:.3f} x the bare forward pass in the {label} "
                f"(quartiles {low:.3f} to {high:.3f}, {ROUNDS} rounds, target {bound:.2f}; bare "
                f"{statistics.median(peer) / IMAGES * 1e3:.1f} ms an image); {machine()}",
                flush=True,
            )


def measured(name: str) -> dict[str, list[float]]:
    model = load_model(name)
    photos = load_images("photos")
    pictures = [model.preprocess.tensor(photos[k]) for k in range(len(photos))]
    pictures = [pictures[k % len(pictures)].roll(k, 2) for k in range(IMAGES)]
    batches = [torch.stack(pictures[k : k + BATCH]) for k in range(0, IMAGES, BATCH)]
    with model.exclusive() as net:
        plain, own = copy.deepcopy(net), copy.deepcopy(net).to(memory_format=torch.channels_last)
    layers = {layer: model.layer(layer) for layer in default_layers(model)}
    images = load_images([photos.files[k % len(photos)] for k in range(IMAGES)])
    whole = _Pass(model, layers, images, 16, 0)

    def ready(positions: list[int]):
        yield from ((at, pictures[at]) for at in positions)

    def bare(net: torch.nn.Module, layout: torch.memory_format) -> None:
        with torch.no_grad():
            for batch in batches:
                net(batch.contiguous(memory_format=layout))

    runs: dict[str, Callable[[], object]] = {
        "index": lambda: whole.shard(ready, list(range(IMAGES)), BATCH, 0, lambda *_: None),
        "bare": lambda: bare(plain, torch.contiguous_format),
        "own layout": lambda: bare(own, torch.channels_last),
    }
    times: dict[str, list[float]] = {key: [] for key in runs}
    for number in range(-WARM_UP, ROUNDS):
        order = list(runs)
        for key in order[number % 3 :] + order[: number % 3]:
            start = time.perf_counter()
            runs[key]()
            if number >= 0:
                times[key].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
