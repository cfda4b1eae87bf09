"""Pictures of an index as small tiles with names, and as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...columns import extended
from ...errors import BadFile
from ...figure import Grid, Panel
from ...images import contact_sheet, resize, to_bytes
from ...index import Index
from ...index.references import file_name

__all__ = ["pictures_table", "sheet", "tiles_of"]

SIDE, GAP, COLUMNS = 112, 2, 6
GROUND = (206, 210, 216)
GREY = 128


def tiles_of(index: Index, images: Sequence[int]) -> NDArray[np.uint8]:
    """What the net saw of these pictures (n, h, w, 3), at most 112 pixels a side; one that is gone since is grey."""
    tiles = [_tile(index, image) for image in images]
    height, width = index.model.preprocess.size
    return np.stack(tiles) if tiles else np.zeros((0, height, width, 3), np.uint8)


def _tile(index: Index, image: int) -> NDArray[np.uint8]:
    preprocess = index.model.preprocess
    try:
        tile: NDArray[np.uint8] = preprocess.shown(preprocess.crop(index.images[image]))
    except BadFile:
        tile = np.full((*preprocess.size, 3), GREY, np.uint8)
    if max(tile.shape[:2]) <= SIDE:
        return tile
    scale = SIDE / max(tile.shape[:2])
    size = round(tile.shape[0] * scale), round(tile.shape[1] * scale)
    return np.asarray(to_bytes(resize(tile.transpose(2, 0, 1) / 255, size).transpose(1, 2, 0)))


def sheet(
    tiles: NDArray[np.uint8], names: Sequence[str], title: str = "", columns: int = COLUMNS, caption: str = ""
) -> tuple[Panel, ...]:
    """A contact sheet of named tiles, row by row; none of no tiles."""
    if not len(tiles):
        return ()
    columns = min(columns, len(tiles))
    paper = contact_sheet(tiles, columns, GAP, background=GROUND)
    listed = "; ".join(f"{k}: {name}" for k, name in enumerate(names, 1))
    caption = caption or f"Row by row. {listed}."
    grid = Grid(columns, tiles.shape[1], tiles.shape[2], GAP)
    return (Panel(paper, title, caption, names=tuple(names), grid=grid),)


def pictures_table(index: Index, images: Sequence[int], **more: Sequence[Any]) -> dict[str, list[Any]]:
    """One row a picture: its number, file, label, prediction and confidence, what else is said here of each, and what a
    table of the pictures says."""
    files = index.images.files
    table: dict[str, list[Any]] = {
        "image": [int(image) for image in images],
        "file": [file_name(index, files[image]) for image in images],
        "label": [index.label(image) for image in images],
        "prediction": [index.prediction(image) for image in images],
        "confidence": [_number(index.probabilities[image, 0]) for image in images],
    }
    table |= {name: list(values) for name, values in more.items()}
    return extended(table, index.columns, table["image"])


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
