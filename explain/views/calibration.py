"""Whether a network's probabilities mean what they say: reliability bins, calibration error, temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..figure import RIGHT, UNKNOWN, WRONG, Chart, Figure, Line
from ..index import Index
from ..mistakes import calibration
from ..mistakes.calibration import Bins, Error
from ..mistakes.evidence import Evidence, evidence, has_seen
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX, WHERE
from .parts.result import Result, only
from .parts.tiles import pictures_table, sheet, tiles_of
from .view import drawn, view

__all__ = ["PARTS", "Calibration", "compute", "render"]

PARTS = {"reliability": "Reliability diagram", "pictures": "Surest mistakes of each bin"}
FEW = 50  # pictures a bin, below which its accuracy says little
SHOWN = 6  # pictures of a bin


@dataclass(frozen=True, eq=False)
class Calibration(Result):
    """`bins` of the pictures `images` (n,), of which `right` says which answers are; `error` as it is, and `after`
    dividing the scores by `temperature`, found on the other half of the pictures each time.

    exact: whether all scores were there; else the classes that are not among the five likeliest share what is left.
    `tiles` are the surest mistakes of the bins, whose numbers are `shown`.
    """

    bins: Bins
    scaled: Bins
    error: Error
    after: Error
    temperature: float
    exact: bool
    used: int
    images: NDArray[np.int64]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    shown: tuple[int, ...]
    tiles: NDArray[np.uint8]
    pictures: dict[str, list[Any]]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a bin."""
        own, edges = self.bins, self.bins.edges
        return {
            "from": edges[:-1].tolist(),
            "to": edges[1:].tolist(),
            "pictures": own.counts.tolist(),
            "confidence": _numbers(own.confidence),
            "accuracy": _numbers(own.accuracy),
            "low": _numbers(own.low),
            "high": _numbers(own.high),
            "pictures after": self.scaled.counts.tolist(),
            "confidence after": _numbers(self.scaled.confidence),
            "accuracy after": _numbers(self.scaled.accuracy),
        }

    def images_at(self, at: tuple[float, float]) -> tuple[str, NDArray[np.int64]]:
        """What the bin at this place (x, y) of a chart is, and its pictures, the surest first."""
        edges = self.bins.edges
        number = int(np.clip(np.searchsorted(edges, at[0], side="right") - 1, 0, len(edges) - 2))
        return f"confidence {edges[number]:.2f} to {edges[number + 1]:.2f}", self.images_of(number)

    def images_of(self, number: int) -> NDArray[np.int64]:
        """The pictures of a bin by their numbers in the index, the surest first."""
        places = np.flatnonzero(self.bins.members == number)
        return self.images[places[np.argsort(-self.confidence[places], kind="stable")]]

    @property
    def measures(self) -> dict[str, Any]:
        return {
            "error": self.error._asdict(),
            "after": self.after._asdict(),
            "temperature": self.temperature,
            "bins": self.table,
        }

    def sentence(self) -> str:
        """The error before and after, and how sure the network is for how right it is."""
        error, off = self.error, float(self.confidence.mean() - self.right.mean())
        said = f"Expected calibration error {error.value:.2%} ({error.low:.2%} to {error.high:.2%}, 95 %) over "
        said += f"{len(self.images):,} pictures; probabilities that mean what they say would show {error.by_chance:.2%}"
        said += f" by chance, seldom above {error.by_chance_most:.2%}. "
        word = "surer than it is right" if off > 0 else "less sure than it is right"
        said += f"On average it is {abs(off):.1%} {word}. A temperature of {self.temperature:.2f} leaves "
        said += f"{self.after.value:.2%} ({self.after.low:.2%} to {self.after.high:.2%})."
        if not self.exact:
            said += (
                " The index has the five likeliest classes alone: for the temperature the others share equally what is "
                "left of one."
            )
        if self.used < len(self.images):
            said += f" The temperature is of {self.used:,} pictures drawn."
        return f"{said}{_seen(self.facts)}"

    @property
    def summary(self) -> str:
        rows = zip(*(self.table[name] for name in ("from", "to", "pictures", "confidence", "accuracy")), strict=True)
        lines = [
            f"{low:.2f} to {high:.2f}  {count:7,d}  confidence {sure:.3f}  accuracy {right:.3f}"
            for low, high, count, sure, right in rows
            if count
        ]
        return "\n".join([self.sentence(), *lines])


def _seen(facts: dict[str, Any]) -> str:
    if facts.get("trained_on"):
        return " The network was trained on these pictures; on others it is less right, and as sure."
    return ""


@view
def compute(
    index: Annotated[Index, INDEX],
    *,
    where: Annotated[str, WHERE] = "",
    bins: Annotated[int, Range(2, 100, help="of equal width, from 0 to 1")] = 15,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the intervals and of the halves")] = 0,
    progress: Progress | None = None,
) -> Calibration:
    """How right the network is for how sure it is (Guo et al. 2017), over the labelled pictures of an index.

    The temperature is what the scores are divided by for the least loss; its effect is measured on pictures that it was
    not found on. Raises BadValue where no picture has a label of the model's, NotSupported for outputs that are no
    probabilities of classes of which one is right.
    """
    heard = progress or unheard
    known = evidence(index, where, "Calibration")
    heard(0, 4, "intervals")
    found = calibration.reliability(known.confidence, known.right, bins)
    error = calibration.error_with_interval(known.confidence, known.right, bins, seed)
    heard(1, 4, "temperature")
    some = calibration.sampled(known, seed)
    scores, labels, counts = calibration.known_scores(some)
    best, scaled = calibration.cross_fitted(scores, labels, counts, seed)
    heard(3, 4, "intervals")
    after = calibration.error_with_interval(scaled, some.right, bins, seed)
    shown = _surest(known, found)
    images = known.images[list(shown)].tolist()
    return Calibration(
        bins=found,
        scaled=calibration.reliability(scaled, some.right, bins),
        error=error,
        after=after,
        temperature=best,
        exact=counts is None,
        used=len(some),
        images=known.images,
        confidence=known.confidence,
        right=known.right,
        shown=shown,
        tiles=tiles_of(index, images),
        pictures=pictures_table(index, images, bin=found.members[list(shown)].tolist()),
        facts={"trained_on": True} if has_seen(index) else {},
    )


def _surest(known: Evidence, bins: Bins) -> tuple[int, ...]:
    """Positions of the surest mistakes of each bin, the surest bin first."""
    found: list[int] = []
    for number in range(len(bins.counts) - 1, -1, -1):
        wrong = np.flatnonzero((bins.members == number) & ~known.right)
        found += wrong[np.argsort(-known.confidence[wrong], kind="stable")][:SHOWN].tolist()
    return tuple(found)


@drawn
def render(
    result: Calibration, *, part: Annotated[str, Choices(*PARTS, help="what is drawn")] = "reliability"
) -> Figure:
    """Accuracy over confidence, where the diagonal is what probabilities promise, beside how many pictures are how
    sure; or the surest mistakes of each bin."""
    model, data = result.facts["model"], f"{result.facts['data']}{only(result.facts)}"
    if part == "pictures":
        title = f"Surest mistakes of {model} by confidence, on {data}"
        names = [
            f"{label} as {taken}, {sure:.0%}"
            for label, taken, sure in zip(
                *(result.pictures[name] for name in ("label", "prediction", "confidence")), strict=True
            )
        ]
        panels: tuple[Any, ...] = sheet(result.tiles, names)
        table = result.pictures
    else:
        title = f"How right {model} is for how sure it is, on {data}"
        panels, table = (_reliability(result), _counts(result)), result.table
    return Figure(
        title=title,
        panels=panels,
        columns=2 if len(panels) > 1 else 1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"tiles": result.tiles} if part == "pictures" else {},
        table=table,
        alt=f"{title}. {result.sentence()}",
    )


def _reliability(result: Calibration) -> Chart:
    own = result.bins
    diagonal = Line("confidence that is kept", np.array([[0.0, 0.0], [1.0, 1.0]]), UNKNOWN, dashed=True)
    lines = [diagonal]
    for name, bins, hue in (("as it is", own, RIGHT), (f"temperature {result.temperature:.2f}", result.scaled, WRONG)):
        met = bins.counts > 0
        points = np.column_stack([bins.confidence, bins.accuracy])[met]
        band = np.column_stack([bins.low, bins.high])[met] if bins is own else None
        lines.append(Line(name, points, hue, dots=True, band=band))
    few = int(((own.counts > 0) & (own.counts < FEW)).sum())
    caption = "Accuracy of each bin with its 95 % interval; below the dashed line the network is surer than right."
    caption += f" Bins of fewer than {FEW} pictures: {few}." if few else ""
    return Chart(
        tuple(lines), (0, 1), (0, 1), ("confidence", "share right"), title="Reliability", caption=caption, height=1.0
    )


def _counts(result: Calibration) -> Chart:
    edges, counts = result.bins.edges, result.bins.counts
    wrong = np.bincount(result.bins.members, ~result.right, minlength=len(counts))
    shares = 100 * counts / counts.sum(), 100 * wrong / counts.sum()
    lines = []
    for name, values, hue in (("right", shares[0], RIGHT), ("wrong", shares[1], WRONG)):
        for low, high, value in zip(edges[:-1].tolist(), edges[1:].tolist(), values.tolist(), strict=True):
            if value:
                corners = np.array([(low, 0.0), (high, 0.0), (high, value), (low, value)])
                lines.append(Line(name, corners, hue, filled=True))
    top = 1.05 * float(shares[0].max())
    return Chart(
        tuple(lines), (0, 1), (0, top), ("confidence", "% of the pictures"), title="Pictures by confidence", height=1.0
    )


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
