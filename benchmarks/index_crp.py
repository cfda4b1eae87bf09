"""Claim: the whole index of a network is built sooner than zennit-crp finds its best images alone, without relevance.

Both go once over the same pictures, ready in memory, in batches of 16, with the same weights and every convolution:

ours    what `explain index` makes: best, lowest and random images, statistics, classes, features, predictions
theirs  FeatureVisualization.run with max_target="max", which also keeps the best images of each target (all are 0 here:
        the least work). It has no switch for relevance; what it offers is another CondAttribution, so one is given
        whose call is the forward pass without gradients: no backward pass, and nothing for its hooks to rank
barest  the same run, its `analyze_activation` kept to ActMax.analyze_layer, without the statistics of the targets

They alternate, each goes first in turn; figures are medians. Ties between images may fall either way, so the scores are
compared beside the images. Needs `pip install zennit-crp` (0.6.0 runs unchanged; it wants zennit 0.4.6).
"""

import contextlib
import copy
import os
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from machine import machine

from explain import load_images, load_model
from explain.index.build import _Pass, default_layers

MODEL, BATCH, IMAGES, K, ROUNDS = "torchvision:resnet18?weights=random", 16, 256, 16, 3


def main() -> None:
    try:
        from crp.attribution import CondAttribution
        from crp.concepts import ChannelConcept
        from crp.visualization import FeatureVisualization
    except ImportError as error:
        print(f"skipped: zennit-crp cannot be imported ({error}); pip install zennit-crp")
        return

    class Forward(CondAttribution):
        def __call__(self, data, *_, **__):
            with torch.no_grad():
                self.model(data)

    class Barest(FeatureVisualization):
        def analyze_activation(self, act, layer_name, concept, data_indices, targets):
            self.ActMax.analyze_layer(act, concept, layer_name, data_indices, targets)

    model, photos = load_model(MODEL), load_images("photos")
    pictures = [model.preprocess.tensor(photos[k]) for k in range(len(photos))]
    pictures = [pictures[k % len(pictures)].roll(k, 2) for k in range(IMAGES)]
    layers, everyone = {layer: model.layer(layer) for layer in default_layers(model)}, list(range(IMAGES))
    images = load_images([photos.files[k % len(photos)] for k in everyone])
    with model.exclusive() as net, tempfile.TemporaryDirectory() as folder:
        index = _Pass(model, layers, images, K, 0)

        def peer(name, kind, attribution):
            concepts = {layer: ChannelConcept() for layer in layers}
            dataset, net_of_its_own = [(picture, 0) for picture in pictures], copy.deepcopy(net)
            path = f"{folder}/{name}"
            found = kind(attribution(net_of_its_own), dataset, concepts, max_target="max", abs_norm=False, path=path)
            for part in (found.ActMax, found.ActStats):
                part.SAMPLE_SIZE = K  # 40 unless told
            return lambda count: found.run(None, 0, count, BATCH)

        def ready(positions):
            yield from ((at, pictures[at]) for at in positions)

        runs = {
            "ours": lambda count: index.shard(ready, everyone[:count], BATCH, 0, lambda *_: None),
            "theirs": peer("theirs", FeatureVisualization, Forward),
            "barest": peer("barest", Barest, Forward),
        }
        times = {name: [] for name in runs}
        for number in range(-1, ROUNDS):
            for name in [*list(runs)[number % len(runs) :], *list(runs)[: number % len(runs)]]:
                with open(os.devnull, "w") as off, contextlib.redirect_stdout(off), contextlib.redirect_stderr(off):
                    start = time.perf_counter()
                    result = runs[name](IMAGES if number >= 0 else BATCH)
                    taken = time.perf_counter() - start
                if number >= 0:
                    times[name].append(taken)
                if name == "ours":
                    summaries = result[1]
        same, total, off_by = agreement(summaries, Path(folder) / "theirs" / "ActMax_max_unnormed")
    ours = statistics.median(times["ours"])
    for name in ("theirs", "barest"):
        ratio = statistics.median(a / b for a, b in zip(times["ours"], times[name], strict=True))
        print(
            f"index of {MODEL}, {IMAGES} images, {len(layers)} layers: {ours:.2f} s, {ratio:.3f} x zennit-crp "
            f"{version('zennit-crp')} {name}, {statistics.median(times[name]):.2f} s ({ROUNDS} rounds); {machine()}"
        )
    print(f"the same image at {same / total:.4f} of {total} ranks; scores at one rank differ by {off_by:.1e} at most")


def agreement(summaries, folder: Path) -> tuple[int, int, float]:
    """Ranks with the same image in both, of how many, and the scores' greatest difference by the layer's greatest."""
    same = total = off_by = 0
    for name, summary in summaries.items():
        best = summary.ranked["best"]
        ids, scores = (np.load(folder / f"{name}_{kind}.npy").T for kind in ("data", "rel"))
        same, total = same + int((best.image == ids).sum()), total + ids.size
        off_by = max(off_by, float(np.abs(best.score - scores).max() / np.abs(scores).max()))
    return same, total, off_by


if __name__ == "__main__":
    main()
