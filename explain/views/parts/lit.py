"""Crops of pictures as tiles, lit where a map is high."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...figure import Grid
from ...images import contact_sheet, enlarge, outline, overlay, resize, to_bytes
from ...network.model import Box, Layer
from .maps import upsample

__all__ = ["crop_tile", "lit", "mask_on", "row_of", "tile"]

SIDE, GAP = 112, 2  # pixels of a tile, at most, and between two
EDGE, EDGE_COLOUR = 0.5, (240, 90, 0)


def crop_tile(shown: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """A crop as the network saw it: enlarged to the input's size."""
    y0, x0, y1, x1 = box
    return tile(_resized(shown[y0:y1, x0:x1], (shown.shape[0], shown.shape[1])))


def tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of at most SIDE pixels a side."""
    return _resized(pixels, _size((pixels.shape[0], pixels.shape[1])))


def _size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(to_bytes(resize(pixels.transpose(2, 0, 1) / 255, size).transpose(1, 2, 0)))


def mask_on(values: NDArray[np.float32], layer: Layer, size: tuple[int, int]) -> NDArray[np.float32]:
    """A map (h, w) at its place on a tile, within 0 to 1."""
    placed = upsample(np.clip(values, 0, 1).astype(np.float32), layer, size, smooth=True)[0]
    return np.asarray(resize(placed, _size(size)), np.float32)


def lit(tile: NDArray[np.uint8], mask: NDArray[np.float32], opacity: float, factor: int) -> NDArray[np.uint8]:
    """A tile, enlarged, that fades where the mask is low, with an edge around where it is half of its most or more."""
    factor *= max(1, SIDE // max(tile.shape[:2]))
    tile = enlarge(tile, factor)
    smooth = np.clip(resize(mask, (tile.shape[0], tile.shape[1])), 0, 1)
    faded = overlay(tile, np.full_like(tile, 255), opacity * (1 - smooth))
    return outline(faded, smooth >= EDGE, EDGE_COLOUR, max(1, len(tile) // SIDE * 2)) if opacity else tile


def row_of(tiles: Sequence[NDArray[np.uint8]], columns: int) -> tuple[NDArray[np.uint8], Grid]:
    """Tiles in rows on white, and where they lie."""
    every = np.array(tiles)
    grid = Grid(columns, every.shape[1], every.shape[2], GAP)
    return contact_sheet(every, columns, GAP), grid
