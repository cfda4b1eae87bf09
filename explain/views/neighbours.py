"""The pictures of an index nearest to one, to the network and by their pixels: the lecture's contrast in two rows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data import list_images
from ..errors import BadFile, BadValue, shorten
from ..figure import Figure, Grid, Panel, Pixels
from ..images import contact_sheet, enlarge
from ..index import SPACES, Index
from ..registry import Choices, Range, options_of
from ..search import METRICS
from ..store import sha256
from .result import Result, as_rgb, asked, file_name, seen

__all__ = ["Neighbours", "Ranking", "compute", "place", "reference", "render", "written"]

TILE, GAP, COLUMNS = 112, 4, 11  # pixels of a tile's longer side, about; pixels between tiles; most in a row
# Blue and orange of Okabe and Ito: apart for every kind of colour vision, and in brightness.
SAME, OTHER, UNKNOWN, QUERY = (0, 114, 178), (230, 159, 0), (127, 127, 127), (0, 0, 0)
CAVEAT = "Distances of the two rows are in units of their own. Near in features is alike to this network."


@dataclass(frozen=True, eq=False)
class Ranking:
    """The nearest pictures in one space, nearest first: numbers in the index (n,), distances (n,), tiles (n, h, w, 3).

    `same` says whether each has the query's class; None where its own is not known.
    """

    images: NDArray[np.int64]
    distances: NDArray[np.float64]
    files: tuple[str, ...]
    labels: tuple[str | None, ...]
    predictions: tuple[str | None, ...]
    same: tuple[bool | None, ...]
    tiles: Pixels

    @property
    def agreement(self) -> int:
        return sum(one is True for one in self.same)


@dataclass(frozen=True, eq=False)
class Neighbours(Result):
    """Two rankings around a query; `number` is its place in the index, None for another picture.

    `by` is what classes are compared by: "label" where the query has one, else "prediction".
    """

    number: int | None
    label: str | None
    prediction: str | None
    tile: Pixels
    features: Ranking
    pixels: Ranking
    facts: dict[str, Any]

    @property
    def by(self) -> str:
        return "prediction" if self.label is None else "label"

    @property
    def name(self) -> str:
        """The query's class."""
        return f"{self.prediction}?" if self.label is None else self.label

    @cached_property
    def table(self) -> dict[str, list[Any]]:
        """One row a neighbour."""
        rows = [
            (space, rank, *row)
            for space in SPACES
            for one in [self.ranking(space)]
            for rank, row in enumerate(
                zip(
                    one.images.tolist(),
                    one.files,
                    one.distances.tolist(),
                    one.labels,
                    one.predictions,
                    one.same,
                    strict=True,
                ),
                1,
            )
        ]
        names = ("space", "rank", "image", "file", "distance", "label", "prediction", "same")
        return {name: [row[k] for row in rows] for k, name in enumerate(names)}

    def ranking(self, space: str) -> Ranking:
        return self.features if space == "features" else self.pixels

    def classes(self, space: str) -> list[str]:
        """The neighbours' classes as they were compared; predicted ones with a question mark."""
        one = self.ranking(space)
        if self.by == "label":
            return [name or "unlabelled" for name in one.labels]
        return [f"{name}?" for name in one.predictions]

    def agrees(self, space: str) -> str:
        """How many neighbours have the query's class, in words."""
        one = self.ranking(space)
        what = f"the query's label, {self.label}" if self.by == "label" else f"its predicted class, {self.prediction}"
        return f"{one.agreement} of {len(one.images)} have {what}"

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)


def compute(
    index: Index,
    image: Any,
    *,
    k: Annotated[int, Range(1, 50, help="how many neighbours")] = 8,
    metric: Annotated[str, Choices(*METRICS)] = "euclidean",
) -> Neighbours:
    """The k nearest pictures of the index to one of its own (by number or reference; left out itself) or to another.

    Pictures that could not be read are nobody's neighbours. Raises BadValue, Unknown, BadFile.
    """
    options = options_of(compute)
    k, metric = options["k"].check(k), options["metric"].check(metric)
    number = place(index, image)
    label: str | None
    prediction: str | None
    if number is None:
        picture = seen(index.model, image)
        label, prediction = None, index.model.predict(image, 1)[0][0][0]
        tile, facts = _tile(picture.crop), picture.facts
    else:
        image, file = number, index.images.files[number]
        label, prediction = index.label(number), index.prediction(number)
        if prediction is None:
            raise BadValue(f"Image {number} has no neighbours: {index.skipped.get(file, 'it could not be read')}")
        tile, facts = _own_tile(index, number), {"image": file_name(index, file), "number": number}
    by, known = ("prediction", prediction) if label is None else ("label", label)

    def ranked(space: str) -> Ranking:
        found = index.neighbours(image, k, space, metric)
        numbers = [row.image for row in found]
        labels, predictions = tuple(map(index.label, numbers)), tuple(map(index.prediction, numbers))
        compared = labels if by == "label" else predictions
        return Ranking(
            images=np.array(numbers, np.int64),
            distances=np.array([row.distance for row in found], np.float64),
            files=tuple(file_name(index, index.images.files[n]) for n in numbers),
            labels=labels,
            predictions=predictions,
            same=tuple(None if name is None else name == known for name in compared),
            tiles=np.stack([tile, *(_own_tile(index, n) for n in numbers)])[1:],
        )

    features, pixels = map(ranked, SPACES)
    return Neighbours(
        number=number,
        label=label,
        prediction=prediction,
        tile=tile,
        features=features,
        pixels=pixels,
        facts={
            **asked(index),
            "view": "neighbours",
            **facts,
            "k": k,
            "metric": metric,
            "by": by,
            "class": known,
            "agreement": {"features": features.agreement, "pixels": pixels.agreement},
        },
    )


def render(
    result: Neighbours,
    *,
    frame: Annotated[int, Range(0, 16, help="width of the classes' colours around the pictures")] = 5,
    names: Annotated[bool, Choices(True, False, help="the class after the distance")] = True,
) -> Figure:
    """Two rows that begin with the query: its neighbours in features above, in pixels below."""
    options = options_of(render)
    style = {"frame": options["frame"].check(frame), "names": options["names"].check(names)}
    of = f"{result.facts['images']:,} images of {result.facts['data']}"
    what = {"features": "In feature space", "pixels": "In pixel space"}
    compared = "label" if result.by == "label" else "predicted class (with a ?)"
    return Figure(
        title=f"Nearest to {result.facts['image'] or 'the picture'} ({result.name}) among {of}",
        panels=tuple(_row(result, space, f"{what[space]}: {result.agrees(space)}", style) for space in SPACES),
        columns=1,
        facts={**result.facts, "style": style},
        note=f"Under each picture its {result.facts['metric']} distance. Blue frame: the query's {compared}; orange: "
        f"another; grey: not known. {CAVEAT}",
        arrays={
            f"{space}_{name}": getattr(result.ranking(space), name)
            for space in SPACES
            for name in ("images", "distances")
        },
        table=result.table,
        alt=f"The query and its neighbours. In features, {result.agrees('features')}; in pixels, "
        f"{result.agrees('pixels')}.",
    )


def place(index: Index, image: Any) -> int | None:
    """An image's number in the index, given the number itself, as text too, or a reference or opened picture that names
    one of its files, or an upload that is one; None for any other picture.

    Raises BadValue for a number that the index has not.
    """
    name = image.info.get("name", "") if isinstance(image, Image.Image) else image
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        name = str(int(name))
    if not isinstance(name, str | Path) or not str(name):
        return None
    name = str(name)
    if name.removeprefix("-").isdecimal():
        if len(name) > 18 or not 0 <= int(name) < len(index):
            raise BadValue(f"Image {shorten(name)[1:-1]} is not in this index; it has 0 to {len(index) - 1}.")
        return int(name)
    files = index.images.files
    family, _, key = name.partition("/")
    if not _shipped(index):
        if family == "upload":
            return _with_content(index, image, key)
        paths = [os.path.abspath(file) for file in files]
        path = os.path.abspath(name)
        return paths.index(path) if path in paths else None
    if family != index.images.name:
        return None
    if key.isdecimal():
        return int(key) if len(key) < 10 and int(key) < len(files) else None
    keys = [Path(file).name for file in files]
    keys = keys if key in keys else [Path(file).stem for file in files]
    return keys.index(key) if key in keys else None


def _with_content(index: Index, image: Any, digest: str) -> int | None:
    """The number of the file that holds an upload, which is named by the sha256 of its content."""
    size = image.info.get("bytes") if isinstance(image, Image.Image) else None
    for number, file in enumerate(index.images.files if size else ()):
        try:
            if os.path.getsize(file) == size and sha256(Path(file).read_bytes()) == digest:
                return number
        except OSError:  # removed since
            continue
    return None


def reference(index: Index, number: int) -> str | None:
    """By what name `open_picture` opens an image of the index; None where the index is of no set that we ship."""
    if not _shipped(index):
        return None
    images = index.images
    return f"{images.name}/{number if images.array is not None else Path(images.files[number]).name}"


def written(distance: float) -> str:
    return f"{distance:#.3g}".rstrip(".")


def _shipped(index: Index) -> bool:
    return index.images.root is None and index.images.name in list_images()


def _own_tile(index: Index, number: int) -> Pixels:
    try:
        return _tile(as_rgb(index.model.preprocess.crop(index.images[number])))
    except BadFile:  # it has vanished or changed since; what the index knows of it still holds
        height, width = index.model.preprocess.size
        return _tile(np.full((height, width, 3), 127, np.uint8))


def _tile(crop: Pixels) -> Pixels:
    """Large pictures averaged down, small ones enlarged, by whole factors."""
    side = max(crop.shape[:2])
    if side <= TILE:
        return enlarge(crop, TILE // side)
    return np.asarray(Image.fromarray(crop).reduce(-(-side // TILE)))


def _row(result: Neighbours, space: str, title: str, style: dict[str, Any]) -> Panel:
    ranking = result.ranking(space)
    tiles = np.concatenate([result.tile[None], ranking.tiles])
    colours = [QUERY, *({True: SAME, False: OTHER, None: UNKNOWN}[one] for one in ranking.same)]
    width = style["frame"]
    framed = np.empty((len(tiles), tiles.shape[1] + 2 * width, tiles.shape[2] + 2 * width, 3), np.uint8)
    framed[...] = np.array(colours, np.uint8)[:, None, None]
    framed[:, width : width + tiles.shape[1], width : width + tiles.shape[2]] = tiles
    columns = min(len(tiles), COLUMNS)
    captions = [written(distance) for distance in ranking.distances]
    if style["names"]:
        captions = [" ".join(pair) for pair in zip(captions, result.classes(space), strict=True)]
    grid = Grid(columns, framed.shape[1], framed.shape[2], GAP)
    return Panel(contact_sheet(framed, columns, GAP), title, names=("query", *captions), grid=grid)
