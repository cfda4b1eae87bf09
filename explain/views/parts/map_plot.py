"""A map of pictures drawn: dots in colours, or thumbnails where there is room."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...columns import Column
from ...errors import BadValue, Unknown
from ...explorer import Thumbs
from ...figure import Grid, Key, Panel, Pixels, Plot, Scale
from ...figure.palette import OTHER, PALETTES, RIGHT, UNKNOWN, WRONG, class_colours
from ...images import colour as ramp
from ...images import contact_sheet
from ...index.thumbnails import thumbnails
from ...projections.picture_map import PictureMap

__all__ = ["COLOURS", "Look", "classes_of", "coloured_by", "counts_of", "fidelity_of", "picture_map", "plot", "sheet"]

COLOURS = ("class", "label", "prediction", "right", "confidence", "trust", "kept")
SHARES = ("confidence", "trust", "kept")
NAMED, CROWD = 24, 6  # classes whose names stand in the map; points among which a name may stand
CANVAS, LARGEST = 1600, 160  # pixels of a map of thumbnails, and of a thumbnail in it
UNLABELLED = "unlabelled"
NOT_JUDGED = "cannot be judged"  # a label that is no class of the network, or none


class Look(NamedTuple):
    """How a map is drawn; `turn` and `tilt` in degrees, of one in three dimensions."""

    colour: str
    names: bool
    legend: bool
    size: float
    turn: float
    tilt: float
    palette: str = PALETTES[0]


def coloured_by(result: PictureMap, colour: str) -> str:
    """What the colours mean."""
    if colour != "class":
        return colour
    return "label" if any(name is not None for name in result.labels) else "prediction"


def classes_of(result: PictureMap) -> list[str]:
    """All classes met: those of the labels in their order, then predicted ones, the commonest first."""
    labels = set(filter(None, result.labels))
    named = [name for name in result.index.classes if name in labels]
    others = [name for name, _ in Counter(filter(None, result.predictions)).most_common() if name not in labels]
    return [*named, *others]


def counts_of(result: PictureMap, classes: Sequence[str]) -> list[int]:
    """How many pictures have each class as what "class" means; the most frequent ones have colours of their own."""
    counts = Counter(result.labels if coloured_by(result, "class") == "label" else result.predictions)
    return [counts[name] for name in classes]


def plot(result: PictureMap, look: Look) -> Plot:
    """The map as a plot. Raises BadValue for colours by what is not known."""
    by = coloured_by(result, look.colour)
    _check(result, by)
    points = flat(result.points, look.turn, look.tilt)
    marks = tuple((*flat(one.place[None], look.turn, look.tilt)[0].tolist(), one.name) for one in result.placed)
    shared: dict[str, Any] = {"marks": marks, "axes": _axes(result), "size": look.size or None}
    if by in SHARES:
        values = _values(result, by)
        order = np.argsort(-values, kind="stable")  # those to doubt are drawn last
        label = {"confidence": "probability of the prediction", "kept": "share of nearest neighbours kept"}.get(by, by)
        return Plot(points[order], ramp(values[order], "viridis"), scale=Scale("viridis", 0.0, 1.0, label), **shared)
    if (column := result.columns.get(by)) and not column.groups:
        order = np.random.default_rng(0).permutation(len(points))
        scale = Scale("viridis", *column.span, by)
        return Plot(points[order], _ramp(column)[order], scale=scale, **shared)
    keys, groups = _groups(result, by, look.palette)
    colours = np.array([key.colour for key in keys], np.uint8)[groups]
    shapes = np.array([key.shape for key in keys], np.uint8)[groups]
    order = np.random.default_rng(0).permutation(len(points))  # no class lies over all others
    order = order[np.argsort((colours[order] != OTHER).any(1), kind="stable")]  # but for those without a colour
    names: tuple[tuple[Any, ...], ...] = ()
    if look.names and by != "right" and len(keys) <= NAMED:
        above = 0.03 * float(np.ptp(points, 0).max())
        names = tuple((*_middle(points[groups == k], above), key.name) for k, key in enumerate(keys))
    legend = _legend(keys) if look.legend else ()
    return Plot(points[order], colours[order], shapes[order], legend=legend, labels=names, **shared)


def flat(points: NDArray[np.float32], turn: float, tilt: float) -> NDArray[np.float32]:
    """Points (N, 2) as they are, (N, 3) as seen after a turn about the third axis and a tilt, in degrees."""
    if points.shape[1] == 2:
        return points
    a, b = math.radians(turn), math.radians(tilt)
    x = points[:, 0] * math.cos(a) - points[:, 1] * math.sin(a)
    depth = points[:, 0] * math.sin(a) + points[:, 1] * math.cos(a)
    return np.stack([x, points[:, 2] * math.cos(b) + depth * math.sin(b)], 1).astype(np.float32)


def picture_map(result: PictureMap, look: Look, thumbs: Thumbs | None) -> Panel:
    """Thumbnails at their points, none over another; more of the map's rim than of its crowded middle is seen so.

    Raises BadValue for colours by what is not known.
    """
    points = flat(result.points, look.turn, look.tilt).astype(np.float64)
    low, reach = points.min(0), np.ptp(points, 0).max() or 1.0
    wanted = int(CANVAS / (4 * math.sqrt(len(points))))
    if thumbs is None or thumbs.tile < min(wanted, LARGEST):
        thumbs = thumbnails(
            result.index.images,
            result.images.tolist(),
            min(wanted, LARGEST) if wanted > 48 else None,
            bands=result.index.model.preprocess.bands,
        )
    tile, edge = thumbs.tile, 3
    room = CANVAS - tile - 2 * edge
    tall = round(np.ptp(points[:, 1]) / reach * room) + tile + 2 * edge
    places = np.stack(
        [(points[:, 0] - low[0]) / reach * room, tall - tile - 2 * edge - (points[:, 1] - low[1]) / reach * room], 1
    )
    canvas = np.full((tall, CANVAS, 3), 255, np.uint8)
    taken = np.zeros((tall, CANVAS), bool)
    by, keys = coloured_by(result, look.colour), list[Key]()
    _check(result, by)
    if by in SHARES:
        colours = ramp(_values(result, by), "viridis")
    elif (column := result.columns.get(by)) and not column.groups:
        colours = _ramp(column)
    else:
        keys, groups = _groups(result, by, look.palette)
        colours = np.array([key.colour for key in keys], np.uint8)[groups]
    sheets: dict[int, Pixels] = {}
    side = tile + 2 * edge
    for k in np.random.default_rng(0).permutation(len(points)).tolist():
        x, y = np.rint(places[k]).astype(int)
        if taken[y : y + side, x : x + side].any():
            continue
        taken[y : y + side, x : x + side] = True
        canvas[y : y + side, x : x + side] = colours[k]
        canvas[y + edge : y + edge + tile, x + edge : x + edge + tile] = _thumbnail(thumbs, k, sheets)
    caption = f"Frames are coloured by {by}."
    if others := sum(key.colour == OTHER for key in keys):
        caption += f" Light grey: {others} other classes."
    return Panel(canvas, caption=caption)


def fidelity_of(results: Sequence[PictureMap]) -> str:
    """How far the maps can be trusted, in words."""
    told = [
        f"trustworthiness {one.facts['trustworthiness']:.3f}, {one.facts['neighbours_kept']:.0%} of "
        f"{one.facts['k']} nearest neighbours kept"
        for one in results
        if one.trust is not None
    ]
    if len(told) < len(results):
        return " How far the map can be trusted was not measured."
    return f" {'; '.join(told).capitalize()}."


def sheet(thumbs: Thumbs, places: NDArray[np.int64], names: Sequence[str]) -> Panel:
    """Some of the thumbnails as a contact sheet with names."""
    opened: dict[int, Pixels] = {}
    tiles = np.stack([_thumbnail(thumbs, k, opened) for k in places.tolist()])
    columns = min(len(tiles), 24)
    grid = Grid(columns, thumbs.tile, thumbs.tile, 2)
    return Panel(contact_sheet(tiles, columns, 2), names=tuple(names[: len(tiles)]), grid=grid)


def _thumbnail(thumbs: Thumbs, k: int, opened: dict[int, Pixels]) -> Pixels:
    """Thumbnail k (tile, tile, 3); sheets are decoded once."""
    number, at = divmod(k, thumbs.each)
    if number not in opened:
        opened[number] = np.asarray(Image.open(io.BytesIO(thumbs.sheets[number])).convert("RGB"))
    row, column = divmod(at, thumbs.columns)
    side = thumbs.tile
    return opened[number][row * side : (row + 1) * side, column * side : (column + 1) * side]


def _check(result: PictureMap, by: str) -> None:
    if by not in COLOURS and by not in result.columns:
        raise Unknown("colour of points", by, [*COLOURS, *result.columns])


def _ramp(column: Column) -> Pixels:
    """Colours of numbers between their lowest and highest; grey where there is none."""
    low, high = column.span
    known = np.isfinite(column.values)
    unit = (np.where(known, column.values, low) - low) / ((high - low) or 1.0)
    return np.where(known[:, None], ramp(unit.astype(np.float32), "viridis"), np.array(UNKNOWN, np.uint8))


def _values(result: PictureMap, by: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] | None = getattr(result, by)
    if values is None:
        raise BadValue(f"Points cannot be coloured by {by}: it was not measured.")
    return values


def _legend(keys: list[Key]) -> tuple[Key, ...]:
    """Those of no colour of their own as one."""
    own, others = [key for key in keys if key.colour != OTHER], [key for key in keys if key.colour == OTHER]
    if len(others) > 1:
        others = [Key(f"{len(others)} other classes", OTHER, 0, sum(key.count or 0 for key in others))]
    return (*own, *others)


def _groups(result: PictureMap, by: str, palette: str) -> tuple[list[Key], NDArray[np.int64]]:
    """What the colours stand for, with counts, and which of them each point has (N,)."""
    if by == "right":
        words = {True: "right", False: "wrong", None: NOT_JUDGED}
        colours = {"right": RIGHT, "wrong": WRONG, NOT_JUDGED: UNKNOWN}
        names = [words[one] for one in result.right]
        order = [name for name in colours if name in names]
        shapes = dict.fromkeys(order, 0) | {"wrong": 2}
    else:
        if column := result.columns.get(by):
            names = [column.groups[int(k)] if k >= 0 else UNLABELLED for k in column.values]
        else:
            names = [name or UNLABELLED for name in (result.labels if by == "label" else result.predictions)]
        met = set(names)
        classes = list(column.groups) if column else classes_of(result)
        hues, kinds = class_colours(column.counts if column else counts_of(result, classes), palette)
        colours = {name: (int(hue[0]), int(hue[1]), int(hue[2])) for name, hue in zip(classes, hues, strict=True)}
        shapes = {name: int(kind) for name, kind in zip(classes, kinds, strict=True)}
        order = [name for name in classes if name in met]
        if UNLABELLED in met and UNLABELLED not in order:
            order.append(UNLABELLED)
            colours[UNLABELLED], shapes[UNLABELLED] = UNKNOWN, 0
    counts, numbers = Counter(names), {name: k for k, name in enumerate(order)}
    keys = [Key(name, colours[name], shapes[name], counts[name]) for name in order]
    return keys, np.array([numbers[name] for name in names])


def _middle(points: NDArray[np.float32], above: float) -> tuple[float, float]:
    """Where a group's name stands: in the middle of many, above the highest of a few, which it would hide."""
    if len(points) < CROWD:
        x, y = points[points[:, 1].argmax()].tolist()
        return x, y + above
    x, y = np.median(points, 0).tolist()
    return x, y


def _axes(result: PictureMap) -> tuple[str, str]:
    shares = result.facts.get("explained_variance", ())
    if len(shares) != 2:
        return "", ""
    return f"PC 1 ({shares[0]:.1%} of variance)", f"PC 2 ({shares[1]:.1%} of variance)"
