"""Two networks over the same pictures: which pictures flipped, both ways, and which classes gained and lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile, BadValue
from ..figure import RIGHT, UNKNOWN, WRONG, Chart, Figure, Grid, Line, Panel, Pixels
from ..images import contact_sheet
from ..index import Index
from ..index.references import file_name
from ..options import Choices, Range
from ..trust.bootstrap import RESAMPLES
from .inputs import INDEX
from .parts.result import Result
from .view import drawn, view

__all__ = ["KINDS", "Flips", "compute", "render"]

KINDS = {
    "lost": "right before, wrong now",
    "won": "wrong before, right now",
    "other": "wrong both times, another answer",
}
PARTS = {"classes": "Classes that gained and lost", "pictures": "Pictures that flipped"}
SIDE, COLUMNS, GAP, GROUND = 112, 6, 2, (206, 210, 216)
MOST_ROWS = 40


@dataclass(frozen=True, eq=False)
class Flips(Result):
    """`kinds` (N,) is for each picture that both could judge its place in KINDS, or -1 where nothing changed; `numbers`
    (N,) are these pictures. `classes` is a table, one row a class, the whole last. `shown` are the pictures of each
    kind of which there are `tiles` (n, h, w, 3), those first of which the network that is wrong is the surest."""

    kinds: NDArray[np.int8]
    numbers: NDArray[np.int64]
    classes: dict[str, list[Any]]
    shown: dict[str, list[dict[str, Any]]]
    tiles: dict[str, Pixels]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        return self.classes

    @property
    def names(self) -> tuple[str, str]:
        return self.facts["model"], self.facts["second"]["model"]

    @property
    def pictures(self) -> dict[str, list[Any]]:
        """One row a picture that is shown."""
        rows = [{"kind": kind, **row} for kind, rows in self.shown.items() for row in rows]
        columns = ("kind", "image", "file", "label", "before", "confidence_before", "now", "confidence_now")
        return {name: [row[name] for row in rows] for name in columns}

    @property
    def measures(self) -> dict[str, Any]:
        return {"classes": self.classes, "pictures": self.pictures}

    def sentence(self) -> str:
        """Which is better, by how much, and whether that may be chance."""
        whole = {name: column[-1] for name, column in self.classes.items()}
        first, second = self.names
        said = f"{first} is right on {whole['before']:.1%} and {second} on {whole['now']:.1%} of {whole['pictures']:,} "
        by, low, high = (100 * whole[name] for name in ("difference", "low", "high"))
        said += f"pictures: {by:+.1f} points ({low:+.1f} to {high:+.1f}, "
        said += f"McNemar's exact p {whole['p']:.2g}). {whole['lost']:,} were lost, {whole['won']:,} won, and on "
        return f"{said}{whole['other']:,} both are wrong in different ways."

    @property
    def summary(self) -> str:
        rows = zip(*(self.classes[name] for name in ("class", "lost", "won", "difference", "p")), strict=True)
        lines = [f"{name:24} lost {lost:5d}  won {won:5d}  {by:+.1%}  p {p:.2g}" for name, lost, won, by, p in rows]
        return "\n".join([*lines, self.sentence()])


@view
def compute(
    index: Annotated[Index, INDEX],
    second: Annotated[Index, INDEX],
    *,
    count: Annotated[int, Range(0, 120, help="pictures shown of each kind, at most")] = 18,
) -> Flips:
    """From two indexes over the same pictures, as of two networks or two states of one: the first is before, the second
    now. Nothing runs through a network.

    Intervals by drawing pictures anew; p is McNemar's, exact: the chance of flips at least as one-sided if both ways
    were alike. Raises BadValue for other pictures, or none that both can be judged on.
    """
    known, other = index.manifest, second.manifest
    if known.data_digest != other.data_digest or len(index) != len(second):
        raise BadValue(
            f"The indexes are of other pictures: {known.data!r} ({len(index):,}) and {other.data!r} ({len(second):,}); "
            "build both over the same."
        )
    numbers = np.flatnonzero((index.right >= 0) & (second.right >= 0))
    if not len(numbers):
        raise BadValue(f"None of the pictures of {known.data!r} has a label that is a class of both networks.")
    was, now = index.right[numbers] == 1, second.right[numbers] == 1
    answers = [np.array(one.model.classes)[one.predictions[numbers, 0]] for one in (index, second)]
    kinds = np.full(len(numbers), -1, np.int8)
    kinds[was & ~now], kinds[~was & now], kinds[~was & ~now & (answers[0] != answers[1])] = 0, 1, 2
    labels = index.labels[numbers]
    groups = [(index.classes[k], labels == k) for k in np.unique(labels).tolist()]
    rows = [_counted(name, kinds[among], was[among], now[among]) for name, among in groups]
    rows.append(_counted("all", kinds, was, now))
    shown, tiles = {}, {}
    for place, kind in enumerate(KINDS):
        wrong = index if kind == "won" else second
        some = numbers[kinds == place]
        some = some[np.argsort(-wrong.probabilities[some, 0], kind="stable")][:count]
        shown[kind] = [_told(index, second, number) for number in some.tolist()]
        tiles[kind] = _tiles(index, some.tolist())
    return Flips(
        kinds=kinds,
        numbers=numbers,
        classes={name: [row[name] for row in rows] for name in rows[0]},
        shown=shown,
        tiles=tiles,
        facts={},
    )


def _counted(name: str, kinds: NDArray[np.int8], was: NDArray[np.bool_], now: NDArray[np.bool_]) -> dict[str, Any]:
    from scipy.stats import binomtest

    lost, won, other = (int((kinds == k).sum()) for k in range(3))
    n = len(kinds)
    # To draw pictures anew is to draw how many of them are lost and won.
    shares = np.array([lost, won, n - lost - won]) / n
    drawn_anew = np.random.default_rng(0).multinomial(n, shares, RESAMPLES)
    low, high = np.percentile((drawn_anew[:, 1] - drawn_anew[:, 0]) / n, [2.5, 97.5]).tolist()
    return {
        "class": name,
        "pictures": n,
        "before": float(was.mean()),
        "now": float(now.mean()),
        "lost": lost,
        "won": won,
        "other": other,
        "difference": (won - lost) / n,
        "low": low,
        "high": high,
        "p": float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0,
    }


def _told(index: Index, second: Index, number: int) -> dict[str, Any]:
    return {
        "image": number,
        "file": file_name(index, index.images.files[number]),
        "label": index.label(number),
        "before": index.prediction(number),
        "confidence_before": float(index.probabilities[number, 0]),
        "now": second.prediction(number),
        "confidence_now": float(second.probabilities[number, 0]),
    }


def _tiles(index: Index, numbers: Sequence[int]) -> Pixels:
    """What the first network saw of these, shrunk to what a sheet has room for; one that is gone since is grey."""
    from PIL import Image

    preprocess = index.model.preprocess
    height, width = preprocess.size
    scale = min(1.0, SIDE / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    tiles = []
    for number in numbers:
        try:
            tile = Image.fromarray(preprocess.shown(preprocess.crop(index.images[number])))
        except BadFile:
            tile = Image.new("RGB", size, (128, 128, 128))
        tiles.append(np.asarray(tile if tile.size == size else tile.resize(size, Image.Resampling.BOX)))
    return np.stack(tiles) if tiles else np.zeros((0, size[1], size[0], 3), np.uint8)


@drawn
def render(result: Flips, *, part: Annotated[str, Choices(*PARTS)] = "classes") -> Figure:
    """By how much each class gained or lost, or the pictures that flipped, a sheet for each kind."""
    first, second = result.names
    title = f"From {first} to {second}, on {result.facts['data']}"
    panels: Sequence[Chart | Panel] = [_gains(result)] if part == "classes" else _sheets(result)
    note = result.sentence()
    if part == "classes":
        note += " Of twenty classes in which nothing changed, one has a p below 0.05 by chance."
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=1,
        facts=result.facts,
        note=note,
        arrays={"kinds": result.kinds, "numbers": result.numbers},
        table=result.classes if part == "classes" else result.pictures,
        alt=f"{title}. {note}",
    )


def _gains(result: Flips) -> Chart:
    """A row a class, the greatest gain on top, all classes together above them."""
    rows = [dict(zip(result.classes, row, strict=True)) for row in zip(*result.classes.values(), strict=True)]
    ranked = sorted(rows[:-1], key=lambda row: -row["difference"])
    left = len(ranked) - MOST_ROWS
    kept = ranked if left <= 0 else [*ranked[: MOST_ROWS // 2], *ranked[-MOST_ROWS // 2 :]]
    shown = [rows[-1], *kept]
    lines, ticks, reach = [], [], 0.01
    for y, row in zip(range(len(shown), 0, -1), shown, strict=True):
        hue = UNKNOWN if row["low"] <= 0 <= row["high"] else RIGHT if row["difference"] > 0 else WRONG
        low, value, high = (100 * row[name] for name in ("low", "difference", "high"))
        lines.append(Line("", np.array([[low, y], [high, y]]), hue))
        lines.append(Line("", np.array([[value, y]]), hue, dots=True))
        ticks.append((float(y), f"{row['class']} · {row['won']} won, {row['lost']} lost"))
        reach = max(reach, abs(low), abs(high))
    top = len(shown) + 0.6
    lines.insert(0, Line("", np.array([[0.0, 0.4], [0.0, top]]), UNKNOWN, True))
    caption = "Blue gained and orange lost beyond their 95 % interval; grey did neither."
    caption += f" The {MOST_ROWS} of {len(ranked)} classes that changed most; the CSV has all." if left > 0 else ""
    return Chart(
        tuple(lines),
        (-1.05 * reach, 1.05 * reach),
        (0.4, top),
        ("percentage points gained", ""),
        (),
        tuple(ticks),
        "Accuracy gained, by class",
        caption,
        height=0.08 + 0.035 * len(shown),
    )


def _sheets(result: Flips) -> list[Panel]:
    panels = []
    for place, (kind, said) in enumerate(KINDS.items()):
        tiles, rows = result.tiles[kind], result.shown[kind]
        if len(tiles):
            columns = min(COLUMNS, len(tiles))
            names = tuple(f"{row['label']}: {row['before']}, then {row['now']}" for row in rows)
            sheet = contact_sheet(tiles, columns, GAP, background=GROUND)
            title = f"{said.capitalize()}: {int((result.kinds == place).sum()):,}"
            panels.append(Panel(sheet, title, names=names, grid=Grid(columns, tiles.shape[1], tiles.shape[2], GAP)))
    return panels
