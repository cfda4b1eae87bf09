"""The pictures of an index nearest to one, to the network and by their pixels: the lecture's contrast in two rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..columns import condition_said, extended
from ..errors import BadFile, BadValue
from ..figure import RIGHT, UNKNOWN, WRONG, Figure, Grid, Panel, Pixels
from ..images import contact_sheet, enlarge
from ..index import SPACES, Index
from ..index.index import Space
from ..index.references import file_name
from ..index.search import METRICS, MetricName
from ..options import Choices, Range
from .inputs import INDEX, QUERY, WHERE
from .parts.cut import pictured
from .parts.result import Result, only
from .view import drawn, view

__all__ = ["Neighbours", "Ranking", "compute", "render", "written"]

TILE, GAP, COLUMNS = 112, 4, 11  # pixels of a tile's longer side, about; pixels between tiles; most in a row
ASKED = (0, 0, 0)
USUAL = 8  # neighbours, or as many as there are
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
    among: int
    columns: Mapping[str, Sequence[Any]]
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
        table = {name: [row[k] for row in rows] for k, name in enumerate(names)}
        return extended(table, self.columns, table["image"])

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

    @property
    def summary(self) -> str:
        rows = zip(*(self.table[name] for name in ("space", "distance", "image", "file")), strict=True)
        lines = [f"{space:8}  {distance:10.4g}  {number:6d}  {file}" for space, distance, number, file in rows]
        agreed = (f"{space}: {self.agrees(space)}" for space in SPACES)
        return "\n".join([*lines, *agreed, *filter(None, [_gone(self).strip()])])


@view
def compute(
    index: Annotated[Index, INDEX],
    image: Annotated[Any, QUERY],
    *,
    k: Annotated[int, Range(1, 50, help="how many neighbours")] = USUAL,
    metric: Annotated[str, Choices(*METRICS)] = "euclidean",
    where: Annotated[str, WHERE] = "",
) -> Neighbours:
    """The k nearest pictures of the index to one of its own (by number or reference; left out itself) or to another.

    Pictures that could not be read are nobody's neighbours; by default there may be fewer. Raises BadValue or BadFile
    for the picture, BadValue for a k beyond the pictures that there are.
    """
    number = image if type(image) is int else None  # true is none
    label = None if number is None else index.label(number)
    prediction = index.model.predict(image, 1)[0][0][0] if number is None else index.prediction(number)
    if prediction is None:
        why = index.skipped.get(index.images.files[image], "it could not be read")
        raise BadValue(f"Image {number} has no neighbours: {why}")
    picture = pictured(index, image)
    tile = _tile(picture.crop)
    among = index.rows_where(where) if where else None
    others = len(index) - (number is not None) if among is None else sum(one != number for one in among)
    if k > max(USUAL, others):
        which = f"with {condition_said(where)}" if where else "of this index"
        raise BadValue(f"k={k} is more than the {others:,} other pictures {which}.")
    by, known = ("prediction", prediction) if label is None else ("label", label)

    def ranked(space: Space) -> Ranking:
        found = index.neighbours(image, k, space, cast(MetricName, metric), among)
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
    gone = {"gone": len(index.gone)} if index.gone else {}
    return Neighbours(
        number=number,
        label=label,
        prediction=prediction,
        tile=tile,
        features=features,
        pixels=pixels,
        columns=index.columns,
        among=len(index if among is None else among),
        facts={
            "image": picture,
            "by": by,
            "class": known,
            "agreement": {"features": features.agreement, "pixels": pixels.agreement},
            **gone,
        },
    )


@drawn
def render(
    result: Neighbours,
    *,
    frame: Annotated[int, Range(0, 16, help="width of the classes' colours around the pictures")] = 5,
    names: Annotated[bool, Choices(True, False, help="the class after the distance")] = True,
) -> Figure:
    """Two rows that begin with the query: its neighbours in features above, in pixels below."""
    of = f"{result.facts['images']:,} images of {result.facts['data']}{only(result.facts)}"
    of += f" ({result.among:,})" if result.facts.get("where") else ""
    what = {"features": "In feature space", "pixels": "In pixel space"}
    compared = "label" if result.by == "label" else "predicted class (with a ?)"
    return Figure(
        title=f"Nearest to {result.facts['image'] or 'the picture'} ({result.name}) among {of}",
        panels=tuple(_row(result, space, f"{what[space]}: {result.agrees(space)}", frame, names) for space in SPACES),
        columns=1,
        facts=result.facts,
        note=f"Under each picture its {result.facts['metric']} distance. Blue frame: the query's {compared}; orange: "
        f"another; grey: not known. {CAVEAT}{_gone(result)}",
        arrays={
            f"{space}_{name}": getattr(result.ranking(space), name)
            for space in SPACES
            for name in ("images", "distances")
        },
        table=result.table,
        alt=f"The query and its neighbours. In features, {result.agrees('features')}; in pixels, "
        f"{result.agrees('pixels')}.",
    )


def written(distance: float) -> str:
    return f"{distance:#.3g}".rstrip(".")


def _gone(result: Neighbours) -> str:
    """What to make of pictures that cannot be read any more."""
    count = result.facts.get("gone", 0)
    if not count:
        return ""
    said = (
        f"{count:,} {'picture' if count == 1 else 'pictures'} of the index cannot be read any more, removed or changed"
    )
    return f" {said} since: grey, and in pixel space nobody's neighbour. Make the index again to take up what is new."


def _own_tile(index: Index, number: int) -> Pixels:
    try:
        return _tile(index.model.preprocess.shown(index.model.preprocess.crop(index.images[number])))
    except BadFile:  # it has vanished or changed since; what the index knows of it still holds
        height, width = index.model.preprocess.size
        return _tile(np.full((height, width, 3), 127, np.uint8))


def _tile(crop: Pixels) -> Pixels:
    """Large pictures averaged down, small ones enlarged, by whole factors."""
    side = max(crop.shape[:2])
    if side <= TILE:
        return enlarge(crop, TILE // side)
    return np.asarray(Image.fromarray(crop).reduce(-(-side // TILE)))


def _row(result: Neighbours, space: str, title: str, frame: int, names: bool) -> Panel:
    ranking = result.ranking(space)
    tiles = np.concatenate([result.tile[None], ranking.tiles])
    colours = [ASKED, *({True: RIGHT, False: WRONG, None: UNKNOWN}[one] for one in ranking.same)]
    framed = np.empty((len(tiles), tiles.shape[1] + 2 * frame, tiles.shape[2] + 2 * frame, 3), np.uint8)
    framed[...] = np.array(colours, np.uint8)[:, None, None]
    framed[:, frame : frame + tiles.shape[1], frame : frame + tiles.shape[2]] = tiles
    columns = min(len(tiles), COLUMNS)
    captions = [written(distance) for distance in ranking.distances]
    if names:
        captions = [" ".join(pair) for pair in zip(captions, result.classes(space), strict=True)]
    grid = Grid(columns, framed.shape[1], framed.shape[2], GAP)
    return Panel(contact_sheet(framed, columns, GAP), title, names=("query", *captions), grid=grid)
