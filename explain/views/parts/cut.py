"""Patches: what units see, cut out of what the net saw, all tiles of a layer equally large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...columns import extended
from ...errors import BadFile, BadValue
from ...figure import Grid, Panel
from ...images import contact_sheet, draw_box
from ...index import Index, Row
from ...index.references import file_name
from ...network.geometry import Axis, Status
from ...network.model import Box, Layer
from .picture import PreparedPicture, prepare
from .result import BOX_COLOUR, EFFECTIVE_COLOUR

__all__ = ["GAP", "GROUND", "Cuts", "blank", "cut", "extent", "pictured", "printed", "row_panel", "sight"]

GAP = 2
PRINTED_SIDE = 48
GROUND = (206, 210, 216)  # between tiles: a white patch ends somewhere
FILL = (104, 152)  # greys of the chequered filling, which no picture has


@dataclass(frozen=True, eq=False)
class Cuts:
    """Tiles (N, h, w, 3) with what is known of each in `table`; `pictures` (M, H, W, 3) show what the net saw,
    `crops`, once each, and `which` (N,) says whose tile it is, -1 where the file could not be read any more."""

    tiles: NDArray[np.uint8]
    pictures: NDArray[np.uint8]
    crops: tuple[NDArray[Any], ...]
    which: NDArray[np.int64]
    table: dict[str, list[Any]]
    missing: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tiles)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the net sees."""
        return self.pictures.shape[1], self.pictures.shape[2]

    def where(self, **wanted: Any) -> list[int]:
        """Numbers of the tiles whose entries in the table are these."""
        return [k for k in range(len(self)) if all(self.table[name][k] == value for name, value in wanted.items())]

    def pairs(self, **wanted: Any) -> list[tuple[str | None, str | None]]:
        """True and predicted class of each of these tiles."""
        return [(self.table["label"][k], self.table["prediction"][k]) for k in self.where(**wanted)]

    def drawn(self, numbers: Sequence[int], whole: bool = False) -> NDArray[np.uint8]:
        """Tiles, or the whole pictures with the box of each; always these where units have an effective box."""
        if not whole and "effective_box" not in self.table:
            return self.tiles[list(numbers)]
        height, width = self.pictures.shape[1:3]
        shown = [blank(height, width) if self.which[k] < 0 else self._boxed(k) for k in numbers]
        return np.stack(shown) if shown else np.zeros((0, height, width, 3), np.uint8)

    def _boxed(self, k: int) -> NDArray[np.uint8]:
        picture: NDArray[np.uint8] = self.pictures[self.which[k]]
        if box := self.table["box"][k]:
            picture = draw_box(picture, box, BOX_COLOUR, max(1, picture.shape[0] // 75))
        if effective := self.table["effective_box"][k] if "effective_box" in self.table else None:
            y0, x0, y1, x1 = effective
            width = max(1, picture.shape[0] // 56)  # the app shows these at a third of their size
            inner = width if min(y1 - y0, x1 - x0) > 4 * width else 0  # within, so that all of the frame is seen
            effective = y0 + inner, x0 + inner, y1 - inner, x1 - inner
            picture = draw_box(picture, effective, EFFECTIVE_COLOUR, width)
        return picture

    def columns(self) -> dict[str, list[Any]]:
        """The table with one number a cell, for CSV."""
        flat: dict[str, list[Any]] = {}
        for name, values in self.table.items():
            for n, part in enumerate(_PARTS.get(name, ())):
                flat[part] = [None if value is None else value[n] for value in values]
            if name not in _PARTS:
                flat[name] = values
        return flat


_EDGES = ("y0", "x0", "y1", "x1")
_PARTS: dict[str, tuple[str, ...]] = {
    "position": ("row", "column"),
    "box": _EDGES,
    "source_box": tuple(f"source_{edge}" for edge in _EDGES),
    "effective_box": tuple(f"effective_{edge}" for edge in _EDGES),
}
_COLUMNS = ("channel", "ranking", "rank", "score", "image", "file", "position", "box", "source_box")


def cut(index: Index, layer: Layer, rows: Iterable[tuple[int, str, int, Row]]) -> Cuts:
    """The patches of rows given as (channel, ranking, rank, row); each picture is read once."""
    preprocess, files = index.model.preprocess, index.images.files
    height, width = extent(layer, preprocess.size)
    tiles, which = [], []
    table: dict[str, list[Any]] = {name: [] for name in (*_COLUMNS, "label", "prediction")}
    numbers: dict[int, int] = {}  # of an image among the pictures
    crops: list[NDArray[Any]] = []
    pictures: list[NDArray[np.uint8]] = []
    sources: dict[int, Any] = {}
    for channel, ranking, rank, row in rows:
        if row.image not in numbers:
            try:
                sources[row.image] = index.images[row.image]
                numbers[row.image] = len(pictures)
                crops.append(preprocess.crop(sources[row.image]))
                pictures.append(preprocess.shown(crops[-1]))
            except BadFile:  # gone since; what the index knows of it is still true
                numbers[row.image] = -1
        number = numbers[row.image]
        box = row.box or (0, 0, *preprocess.size)
        tile = blank(height, width)
        if number >= 0 and box[0] < box[2]:
            y, x = _offsets(layer, row.position, box, (height, width))
            tile[y : y + box[2] - box[0], x : x + box[3] - box[1]] = pictures[number][box[0] : box[2], box[1] : box[3]]
        tiles.append(tile)
        which.append(number)
        source = None if number < 0 else preprocess.source_box(box, sources[row.image])
        file = file_name(index, files[row.image])
        entries = (channel, ranking, rank, row.score, row.image, file, row.position, box, source)
        for name, value in zip(table, (*entries, row.label, row.prediction), strict=True):
            table[name].append(value)
    table = extended(table, index.columns, table["image"])
    return Cuts(
        np.stack(tiles) if tiles else np.zeros((0, height, width, 3), np.uint8),
        np.stack(pictures) if pictures else np.zeros((0, *preprocess.size, 3), np.uint8),
        tuple(crops),
        np.array(which, np.int64),
        table,
        tuple(file_name(index, files[image]) for image, number in numbers.items() if number < 0),
    )


def pictured(index: Index, image: Any) -> PreparedPicture:
    """Any picture, or by its number one of the index. Raises BadValue, BadFile."""
    if not isinstance(image, int | np.integer) or isinstance(image, bool):
        return prepare(index.model, image)
    if not 0 <= image < len(index):
        raise BadValue(f"Image {image} is not in this index; it has 0 to {len(index) - 1}.")
    found = prepare(index.model, index.images[int(image)])
    name = file_name(index, index.images.files[image])
    return found._replace(facts={**found.facts, "image": name, "number": int(image)})


def extent(layer: Layer, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a layer's tiles: its largest box in an input of this size."""
    if layer.field is None or not layer.spatial:
        return size
    most = [int((axis.high - axis.low).max()) for axis in (layer.field.rows, layer.field.columns)]
    return max(1, most[0]), max(1, most[1])


def blank(height: int, width: int) -> NDArray[np.uint8]:
    """Filling, marked so that nobody takes it for a part of the picture."""
    rows, columns = np.indices((height, width)) // max(1, max(height, width) // 28)
    return np.where((rows + columns) % 2, *FILL).astype(np.uint8)[..., None].repeat(3, -1)


def printed(cuts: Cuts, factor: int = 1) -> int:
    """The enlargement of tiles in print, where gaps would be as wide as small tiles."""
    return factor * max(1, PRINTED_SIDE // int(max(cuts.tiles.shape[1:3])))


def sight(layer: Layer, input_size: tuple[int, int]) -> str:
    """What the tiles show of a picture, in words."""
    if layer.field is None or not layer.spatial or layer.field.status == Status.WHOLE_INPUT:
        return "Each unit sees the whole input, so whole pictures are shown."
    size = "{:g} × {:g}".format(*layer.field.size)
    doubt = " at most" if layer.field.status == Status.UPPER_BOUND else ""
    if extent(layer, input_size) == input_size:
        whole = "{} × {}".format(*input_size)
        return f"A unit sees{doubt} {size} pixels, up to the whole picture of {whole}; chequered grey is out of sight."
    return f"A unit sees{doubt} {size} pixels of the input; chequered grey is outside the picture."


def row_panel(
    cuts: Cuts, numbers: Sequence[int], columns: int, title: str = "", whole: bool = False, factor: int = 1
) -> Panel:
    """Tiles in reading order, named by their values; a short row keeps its tiles' size."""
    tiles = cuts.drawn(numbers, whole)
    if not len(tiles):
        tiles = blank(*cuts.tiles.shape[1:3])[None] if not whole else blank(*cuts.pictures.shape[1:3])[None]
    grid = Grid(columns, tiles.shape[1] * factor, tiles.shape[2] * factor, GAP)
    names = tuple(f"{cuts.table['score'][k]:.3g}" for k in numbers) or ("",)
    sheet = contact_sheet(tiles, columns, GAP, factor, GROUND)
    return Panel(sheet, title, names=names, grid=grid)


def _offsets(layer: Layer, position: tuple[int, int], box: Box, tile: tuple[int, int]) -> tuple[int, int]:
    """Where in its tile a box goes: at its true place in the field, so that what is cut off is missing on its side."""
    if layer.field is None or not layer.spatial:
        return 0, 0
    axes: tuple[Axis, Axis] = (layer.field.rows, layer.field.columns)
    places = []
    for axis, at, first, last, room in zip(axes, position, box[:2], box[2:], tile, strict=True):
        places.append(int(np.clip(round(first - (axis.start + axis.stride * at)), 0, room - (last - first))))
    return places[0], places[1]
