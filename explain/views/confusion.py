"""Which classes a network takes for which, how often it is right, and where it is surest of a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..columns import extended
from ..errors import BadValue
from ..figure import RIGHT, WRONG, Chart, Figure, Line, Panel, bars
from ..index import Index
from ..index.references import file_name
from ..mistakes.evidence import rows_judged
from ..options import Choices, Range
from .inputs import INDEX, WHERE, Several
from .parts.result import Result, only
from .parts.tiles import sheet, tiles_of
from .view import drawn, view

__all__ = ["PARTS", "Confusion", "Mistake", "compute", "render"]

PARTS = {
    "matrix": "Confusion matrix",
    "confusions": "Largest confusions",
    "classes": "Class by class",
    "mistakes": "Worst mistakes",
}
ANOTHER = "another class"
OTHERS = "other classes"
MOST_NUMBERS = 24  # classes up to which cells have room for numbers
MOST_BARS = 20
INK, PAPER = "#222222", "#ffffff"


class Mistake(NamedTuple):
    """A picture of the index (its number), what it is, and what the network says with how much confidence."""

    image: int
    file: str
    label: str
    prediction: str
    confidence: float


@dataclass(frozen=True, eq=False)
class Confusion(Result):
    """`counts` (C, C or C + 1): pictures of each true class by predicted class; the last column, where there is one, is
    of predictions that are no class of the pictures. `tiles` (n, H, W, 3) are those of `mistakes`, the surest first,
    and `rows` what is known of each. `members` (n, 3): the pictures that are counted by their numbers in the index, the
    surest first, with the row and the column of `counts` they are in."""

    counts: NDArray[np.int64]
    classes: tuple[str, ...]
    top1: float
    top5: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    mistakes: tuple[Mistake, ...]
    tiles: NDArray[np.uint8]
    rows: dict[str, list[Any]]
    members: NDArray[np.int64]
    left_out: int
    facts: dict[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.classes if self.counts.shape[1] == len(self.classes) else (*self.classes, ANOTHER)

    @property
    def images(self) -> int:
        return int(self.counts.sum())

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of the pictures of each true class."""
        shares: NDArray[np.float64] = self.counts / np.maximum(self.counts.sum(1, keepdims=True), 1)
        return shares

    @cached_property
    def confusions(self) -> dict[str, list[Any]]:
        """One row for each class and another one that some of its pictures are taken for, the most pictures first."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        true, taken = wrong.nonzero()
        order = np.lexsort((-self.shares[true, taken], -wrong[true, taken]))
        true, taken = true[order], taken[order]
        return {
            "class": [self.classes[k] for k in true],
            "taken for": [self.columns[k] for k in taken],
            "pictures": wrong[true, taken].tolist(),
            "share": self.shares[true, taken].tolist(),
        }

    def shown(self, most: int) -> NDArray[np.int64]:
        """Numbers of the classes in a matrix of at most so many."""
        every = np.arange(len(self.classes))
        return every if len(every) <= most else self.most_confused(most)

    def images_at(self, at: tuple[float, float], most: int) -> tuple[str, NDArray[np.int64]]:
        """What the cell at this place (x, y) of the matrix says, and its pictures, the surest first."""
        shown = self.shown(most)
        column = min(max(int(at[0]), 0), len(shown))
        true = shown[min(max(len(shown) - 1 - int(at[1]), 0), len(shown) - 1)]
        images, rows, columns = self.members.T
        if column < len(shown):
            taken, chosen = self.columns[shown[column]], columns == shown[column]
        else:
            taken, chosen = (ANOTHER if len(shown) == len(self.classes) else OTHERS), ~np.isin(columns, shown)
        return f"{self.classes[true]} as {taken}", images[chosen & (rows == true)]

    def most_confused(self, most: int) -> NDArray[np.int64]:
        """Numbers of so many classes, in their order: those of the largest confusions, then those missed most often."""
        number = {name: k for k, name in enumerate(self.classes)}
        pairs = zip(self.confusions["class"], self.confusions["taken for"], strict=True)
        chosen: dict[int, None] = {}
        for pair in pairs:
            chosen |= dict.fromkeys(number[name] for name in pair if name in number)
            if len(chosen) >= most:
                break
        missed = self.counts.sum(1) - self.counts.diagonal()
        chosen |= dict.fromkeys(np.argsort(-missed, kind="stable").tolist())
        return np.sort(np.array(list(chosen)[:most]))

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a true class."""
        whole: dict[str, list[Any]] = {
            "class": list(self.classes),
            "pictures": self.counts.sum(1).tolist(),
            "recall": _numbers(self.recall),
            "precision": _numbers(self.precision),
        }
        return whole | {f"as {name}": self.counts[:, k].tolist() for k, name in enumerate(self.columns)}

    def sentence(self) -> str:
        """How often it is right, and what it confuses most."""
        said = f"Right on {self.top1:.1%} of {self.images:,} pictures"
        said += f", among the first five on {self.top5:.1%}" if len(self.classes) > 5 else ""
        if first := next(zip(*self.confusions.values(), strict=True), None):
            true, taken, pictures, share = first
            said += f". {true} is taken for {taken} most often ({pictures:,} pictures, {share:.0%} of its own)"
        return f"{said}." + (
            f" {self.left_out:,} cannot be judged: without a label that is a class of the network, or an answer."
            if self.left_out
            else ""
        )

    @property
    def measures(self) -> dict[str, Any]:
        mistakes = [dict(zip(self.rows, row, strict=True)) for row in zip(*self.rows.values(), strict=True)]
        return {"top1": self.top1, "top5": self.top5, "classes": self.table, "mistakes": mistakes}

    @property
    def summary(self) -> str:
        rows = zip(*(self.table[name] for name in ("class", "pictures", "recall", "precision")), strict=True)
        lines = [
            f"{name:20}  {pictures:6d}  recall {recall:.3f}  precision {0 if precision is None else precision:.3f}"
            for name, pictures, recall, precision in rows
            if recall is not None
        ]
        lines += [f"{one.file}: {one.label} as {one.prediction}, {one.confidence:.3f}" for one in self.mistakes]
        return "\n".join([self.sentence(), *lines])


@view
def compute(
    index: Annotated[Index, INDEX],
    pictures: Annotated[Sequence[int] | None, Several(Range(0, 10**9, help="by default all"), most=100_000)] = None,
    *,
    count: Annotated[int, Range(0, 120, help="of the worst mistakes, at most")] = 18,
    where: Annotated[str, WHERE] = "",
) -> Confusion:
    """From an index whose pictures have labels that are classes of its model; of all of them, or of these numbers, and
    of these only where a condition holds.

    Raises BadValue where there are none. What has no such label, or cannot be read, is left out.
    """
    own = {index.model.classes.index(name) for name in index.classes if name in index.model.classes}
    if not own:
        raise BadValue(
            f"The pictures of {index.manifest.data!r} have no labels that are classes of {index.model.name!r}; a "
            "confusion matrix compares labels with predictions."
        )
    chosen = np.arange(len(index)) if pictures is None else _chosen(pictures, len(index))
    if where:
        chosen = chosen[np.isin(chosen, rows_judged(index, where))]
    known = index.right[chosen] >= 0
    left_out, chosen = int((~known).sum()), chosen[known]
    truth = index.truth[chosen]
    if not len(chosen):
        raise BadValue(f"None of the pictures of {index.manifest.data!r} has a label and could be read.")
    guesses = index.predictions[chosen]
    classes = np.array(sorted(own))
    place = np.full(len(index.model.classes), len(classes))
    place[classes] = np.arange(len(classes))
    counts = np.zeros((len(classes), len(classes) + 1), np.int64)
    cells = np.stack([place[truth], place[guesses[:, 0]]], 1)
    np.add.at(counts, tuple(cells.T), 1)
    counts = counts if counts[:, -1].any() else counts[:, :-1]
    diagonal = counts.diagonal()
    with np.errstate(invalid="ignore"):  # NaN where there is nothing to take a share of
        recall, precision = (diagonal / counts.sum(axis)[: len(classes)] for axis in (1, 0))
    wrong = np.flatnonzero(index.right[chosen] == 0)
    sure = index.probabilities[chosen, 0]
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    order = np.argsort(-sure, kind="stable")
    images = chosen[worst].tolist()
    mistakes = _mistakes(index, images, truth[worst])
    rows = {name: [getattr(one, name) for one in mistakes] for name in Mistake._fields}
    return Confusion(
        counts=counts,
        classes=tuple(index.model.classes[k] for k in classes.tolist()),
        top1=float((guesses[:, 0] == truth).mean()),
        top5=float((guesses == truth[:, None]).any(1).mean()),
        recall=recall,
        precision=precision,
        mistakes=mistakes,
        tiles=tiles_of(index, images),
        rows=extended(rows, index.columns, rows["image"]),
        members=np.column_stack([chosen, cells])[order],
        left_out=left_out,
        facts={},
    )


def _chosen(pictures: Sequence[int], total: int) -> NDArray[np.int64]:
    numbers = np.array(list(pictures), np.int64)
    bad = numbers[(numbers < 0) | (numbers >= total)]
    if len(bad):
        raise BadValue(f"Picture {bad[0]} is not in this index; it has 0 to {total - 1}.")
    return numbers


def _mistakes(index: Index, images: list[int], truth: NDArray[np.int64]) -> tuple[Mistake, ...]:
    """What is known of these pictures."""
    classes, files = index.model.classes, index.images.files
    found = []
    for image, true in zip(images, truth.tolist(), strict=True):
        prediction, confidence = int(index.predictions[image, 0]), float(index.probabilities[image, 0])
        found.append(Mistake(image, file_name(index, files[image]), classes[true], classes[prediction], confidence))
    return tuple(found)


@drawn
def render(
    result: Confusion,
    *,
    part: Annotated[str, Choices(*PARTS)] = "matrix",
    numbers: Annotated[str, Choices("pictures", "shares", help="in the cells of the matrix")] = "pictures",
    most: Annotated[
        int, Range(2, 200, help="classes in the matrix, the most confused; numbers fit beside 23 others")
    ] = 40,
) -> Figure:
    """The matrix with true classes downwards, the pairs confused most often, recall and precision by class, or the
    worst mistakes as pictures."""
    model, data = result.facts["model"], f"{result.facts['data']}{only(result.facts)}"
    table = result.table
    arrays: dict[str, NDArray[Any]] = {"counts": result.counts}
    panels: tuple[Chart | Panel, ...]
    if part == "matrix":
        title, panels = f"What {model} takes for what, on {data}", (_matrix(result, numbers, most),)
    elif part == "confusions":
        title, panels = f"What {model} confuses most often, on {data}", _pairs(result)
        table = result.confusions
    elif part == "classes":
        title, panels = f"{model} class by class, on {data}", _bars(result)
    else:
        title, panels = f"Where {model} is surest of a mistake, on {data}", _sheet(result)
        table = result.rows
        arrays = {"tiles": result.tiles}
    return Figure(
        title=title,
        panels=panels,
        columns=2 if len(panels) > 1 else 1,
        facts=result.facts,
        note=result.sentence(),
        arrays=arrays,
        table=table,
        alt=f"{title}. {result.sentence()}",
    )


def _matrix(result: Confusion, numbers: str, most: int) -> Chart:
    """A square a cell, the darker the larger its share of the true class: blue where right, orange where wrong.

    Of more classes than `most` those that are confused most, and all else that they are taken for in a last column.
    """
    shown = result.shown(most)
    counts, classes, names = result.counts, result.classes, result.columns
    caption = f"{numbers.capitalize()} of each true class (row) by predicted class (column)."
    if len(shown) < len(classes):
        inside = counts[np.ix_(shown, shown)]
        wrong, held = result.images - int(counts.trace()), int(inside.sum() - inside.trace())
        counts = np.hstack([inside, counts[shown].sum(1, keepdims=True) - inside.sum(1, keepdims=True)])
        caption += (
            f" The {len(shown)} of {len(classes):,} classes that are confused most often; {held:,} of all {wrong:,} "
            "mistakes are between these. The last column is all other predictions; the CSV has all rows and columns."
        )
        classes = tuple(classes[k] for k in shown)
        names = (*classes, OTHERS)
    rows, columns = counts.shape
    lines, cells = [], []
    for true, taken in zip(*(part.tolist() for part in counts.nonzero()), strict=True):
        share, x, y = float(counts[true, taken] / counts[true].sum()), taken + 0.5, rows - true - 0.5
        # A few mistakes in a hundred are what one looks for: their colour grows by the root.
        depth = share if true == taken else min(1.0, 0.15 + 0.85 * share**0.5)
        hue = RIGHT if true == taken else WRONG
        red, green, blue = (round(255 - depth * (255 - value)) for value in hue)
        corners = [(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5)]
        lines.append(Line("", np.array(corners), (red, green, blue), filled=True))
        if columns <= MOST_NUMBERS:
            text = f"{counts[true, taken]:,}" if numbers == "pictures" else f"{share:.0%}"
            cells.append((x, y, text, PAPER if true == taken and depth > 0.55 else INK))
    return Chart(
        tuple(lines),
        (0.0, float(columns)),
        (0.0, float(rows)),
        ("predicted class", "true class"),
        tuple((k + 0.5, name) for k, name in enumerate(names)),
        tuple((rows - k - 0.5, name) for k, name in enumerate(classes)),
        caption=caption,
        height=min(1.0, max(0.25, rows / columns * (0.62 if columns <= MOST_NUMBERS else 0.9))),
        cells=tuple(cells),
    )


def _pairs(result: Confusion) -> tuple[Chart, ...]:
    """The largest confusions as bars."""
    rows = list(zip(*result.confusions.values(), strict=True))
    if not rows:
        return ()
    left_out = len(rows) - MOST_BARS
    return (
        bars(
            "Pictures of a class that are taken for another one",
            {f"{true} as {taken}, {share:.0%} of it": pictures for true, taken, pictures, share in rows[:MOST_BARS]},
            "pictures",
            colour=WRONG,
            caption=f"The largest {MOST_BARS} of {len(rows):,} confusions; the CSV has all." if left_out > 0 else "",
        ),
    )


def _bars(result: Confusion) -> tuple[Chart, ...]:
    """Recall and precision, the worst classes first."""
    charts = []
    for name, values, what, hue in (
        ("Recall", result.recall, "of the pictures of a class, those seen as it", RIGHT),
        ("Precision", result.precision, "of the pictures seen as a class, those of it", WRONG),
    ):
        finite = [k for k in np.argsort(values, kind="stable").tolist() if np.isfinite(values[k])][:MOST_BARS]
        left_out = len(result.classes) - len(finite)
        charts.append(
            bars(
                f"{name}: {what}",
                {result.classes[k]: 100 * float(values[k]) for k in finite},
                "%",
                colour=hue,
                unit="%",
                caption=f"The worst {len(finite)} of {len(result.classes)} classes." if left_out else "",
            )
        )
    return tuple(charts)


def _sheet(result: Confusion) -> tuple[Panel, ...]:
    """The pictures with what they are and what they are taken for."""
    names = [f"{one.label} as {one.prediction}, {one.confidence:.0%}" for one in result.mistakes]
    return sheet(result.tiles, names)


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
