"""What a network makes of every picture of an index, at any layer, as vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadFile, BadValue, Unknown
from ..index import Index
from ..network.trace import record
from ..progress import Progress, unheard

__all__ = ["POOLINGS", "readable", "represent"]

POOLINGS = ("mean", "flat")
MOST_BYTES = 2 << 30
BATCH = 16


def readable(index: Index) -> NDArray[np.int64]:
    """Numbers of the pictures that could be read."""
    return np.flatnonzero(index.predictions[:, 0] >= 0)


def represent(
    index: Index,
    layer: str | None = None,
    pooling: str = "mean",
    progress: Progress = unheard,
    images: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers (N,) of these images, by default of all readable ones, that can still be read; their vectors (N, D).

    Without a layer the features that the index keeps; else the pictures go through the network up to 16 at a time, and
    maps (C, H, W) are averaged ("mean", D = C) or laid out ("flat", D = C·H·W). Raises Unknown, and BadValue where the
    vectors would take more than 2 GiB.
    """
    if pooling not in POOLINGS:
        raise Unknown("pooling", pooling, POOLINGS)
    sound = readable(index) if images is None else images
    if layer is None:
        return sound, index.features if len(sound) == len(index) else index.features[sound]
    chosen = index.model.layer(layer)
    size = chosen.channels if pooling == "mean" else int(np.prod(chosen.shape))
    if 4 * size * len(sound) > MOST_BYTES:
        raise BadValue(
            f"{len(sound):,} pictures of {size:,} numbers each at {layer!r} are more than {MOST_BYTES >> 30} GiB; "
            "take pooling='mean', another layer or fewer pictures."
        )
    vectors, kept = np.empty((len(sound), size), np.float32), np.ones(len(sound), bool)
    for start in range(0, len(sound), BATCH):
        batch, places = [], []
        for place in range(start, min(start + BATCH, len(sound))):
            try:
                batch.append(index.model.preprocess.tensor(index.images[int(sound[place])]))
                places.append(place)
            except BadFile:  # it has vanished since
                kept[place] = False
        if batch:
            with index.model.exclusive() as net, torch.inference_mode():
                _, held = record(net, torch.stack(batch).to(index.model.device), [chosen.name])
            taken = held[chosen.name].float()
            pooled = taken.flatten(2).mean(2) if pooling == "mean" and taken.dim() > 2 else taken.flatten(1)
            vectors[places] = pooled.cpu().numpy()
        progress(min(start + BATCH, len(sound)), len(sound), "pictures")
    return sound[kept], vectors[kept]
