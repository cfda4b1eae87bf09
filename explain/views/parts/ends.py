"""The ends of an edge between channels, as tiles of one size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...circuits import surest, weighted
from ...errors import BadFile
from ...images import enlarge, resize, to_bytes
from ...index import Index
from ...network.graph import INPUT
from .cut import GROUND, blank, cut, pictured

__all__ = ["NONE", "SIDE", "best_tiles", "fitted"]

SIDE = 72  # pixels
NONE = np.zeros((0, SIDE, SIDE, 3), np.uint8)


def best_tiles(index: Index, layer: str, channel: int, count: int) -> NDArray[np.uint8]:
    """The best patches of a channel (N, SIDE, SIDE, 3); of a class the pictures that are surest of it, of a colour
    itself. One that is blank where there are none."""
    model = index.model
    known = None if layer == INPUT else weighted(model, layer, index.layers)
    if layer == INPUT:
        ink = np.eye(3, dtype=np.uint8)[channel] * 200 if model.preprocess.channels == 3 else np.full(3, 160, np.uint8)
        tiles = [np.broadcast_to(ink, (SIDE, SIDE, 3))]
    elif known is not None:
        rows = enumerate(index.top(known, channel, "best", count), 1)
        tiles = list(cut(index, model.layer(known), ((channel, "best", rank, row) for rank, row in rows)).tiles)
    else:
        tiles = [_shown(index, image) for image in surest(index, layer, channel, count)]
    return np.stack([fitted(tile) for tile in tiles] or [blank(SIDE, SIDE)])


def _shown(index: Index, image: int) -> NDArray[np.uint8]:
    try:
        return pictured(index, image).crop
    except BadFile:
        return blank(SIDE, SIDE)


def fitted(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Within a square of SIDE pixels, whole pixels where it is small."""
    height, width = tile.shape[:2]
    if max(height, width) <= SIDE:
        tile = enlarge(tile, SIDE // max(height, width))
    else:
        size = max(1, round(height * SIDE / max(height, width))), max(1, round(width * SIDE / max(height, width)))
        tile = np.asarray(to_bytes(resize(tile.transpose(2, 0, 1) / 255, size).transpose(1, 2, 0)))
    paper = np.broadcast_to(np.array(GROUND, np.uint8), (SIDE, SIDE, 3)).copy()
    y, x = (SIDE - tile.shape[0]) // 2, (SIDE - tile.shape[1]) // 2
    paper[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return paper
