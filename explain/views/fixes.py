"""What should I fix? One ranked list of wrong labels, copies, leaks, weak slices and miscalibration, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..figure import RIGHT, WRONG, Figure, bars
from ..figure.palette import CLASSES
from ..index import Index
from ..mistakes import calibration
from ..mistakes.duplicates import groups, same_pictures
from ..mistakes.evidence import evidence, has_seen
from ..mistakes.labels import confident_learning
from ..mistakes.ranked import KINDS, Fix, copies, leaks, overconfidence, ranked, weak_slices, wrong_labels
from ..mistakes.slices import name_of, said_of, shared_by
from ..mistakes.slices import weak_slices as find_slices
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX
from .parts.result import Result
from .parts.tiles import pictures_table, sheet, tiles_of
from .view import drawn, view

__all__ = ["PARTS", "Fixes", "compute", "render"]

PARTS = {"list": "The list", "pictures": "Pictures of the first"}
SHOWN, MOST = 6, 20  # pictures of an entry; entries that are drawn
LEAST = 0.5  # pictures, in expectation: what gains less stands in the table alone
HUES = dict(zip(KINDS, (WRONG, CLASSES[3], CLASSES[1], RIGHT, CLASSES[5]), strict=True))


@dataclass(frozen=True, eq=False)
class Fixes(Result):
    """`found`: what to fix, the largest gain first. `rows`: one row for each picture of each entry, with its rank,
    kind and reason. `tiles` show the first pictures of the first entries, `of` whose they are."""

    found: tuple[Fix, ...]
    rows: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    of: tuple[int, ...]
    judged: int
    accuracy: float
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a picture of an entry, entries in their order."""
        return self.rows

    @property
    def entries(self) -> dict[str, list[Any]]:
        """One row an entry."""
        return {
            "rank": list(range(1, len(self.found) + 1)),
            "kind": [one.kind for one in self.found],
            "what": [one.what for one in self.found],
            "why": [one.why for one in self.found],
            "gain": [one.gain for one in self.found],
            "pictures": [len(one.images) for one in self.found],
        }

    def sentence(self) -> str:
        """What the numbers are, and what they are not."""
        entries = "1 entry" if len(self.found) == 1 else f"{len(self.found):,} entries"
        said = f"Right on {self.accuracy:.1%} of {self.judged:,} labelled pictures of {self.facts['data']}. {entries}: "
        said += "the number of each is how many pictures it is about in expectation: wrong labels, copies that count "
        said += "twice, mistakes beyond those elsewhere. A picture may be in several entries."
        if self.facts.get("trained_on"):
            said += " The network was trained on these pictures: it has learned wrong labels, and is right by memory."
        return said

    @property
    def measures(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy, "entries": self.entries, "pictures": self.rows}

    @property
    def summary(self) -> str:
        lines = [f"{rank}. {one.what}: {one.why} ({one.gain:.1f} pictures)" for rank, one in enumerate(self.found, 1)]
        return "\n".join([*lines, self.sentence()])


@view
def compute(
    index: Annotated[Index, INDEX],
    train: Annotated[Index | None, INDEX] = None,
    *,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of halves, clusters and intervals")] = 0,
    progress: Progress | None = None,
) -> Fixes:
    """What `label_errors`, `duplicates`, `slices` and `calibration` find with their defaults, as one list; with train,
    an index of the same model over the pictures it was trained on, leaks too.

    Raises BadValue where no picture has a label of the model's, NotSupported for outputs that are no probabilities of
    classes of which one is right.
    """
    heard = progress or unheard
    known = evidence(index, "", "A list of what to fix")
    heard(0, 5, "labels")
    suspected = confident_learning(known.labels, known.top, known.probabilities, known.own, len(known.classes))
    heard(1, 5, "copies")
    same = same_pictures(index).pairs
    belongs = groups(same.first, same.second, len(index))
    members = [np.flatnonzero(belongs == one).tolist() for one in range(int(belongs.max(initial=-1)) + 1)]
    heard(2, 5, "leaks")
    leaked: list[int] = []
    if train is not None:
        leaked = sorted(set(same_pictures(index, train).pairs.first.tolist()))
    heard(3, 5, "slices")
    weak = find_slices(known, seed=seed)
    said = said_of(known) if weak else {}
    shared = [shared_by(part.members, said) for part in weak]
    words = [(name_of(each), ", ".join(one.name for one in each)) for each in shared]
    heard(4, 5, "calibration")
    some = calibration.sampled(known, seed)
    scores, labels, counts = calibration.known_scores(some)
    best, scaled = calibration.cross_fitted(scores, labels, counts, seed)
    _, chances = calibration.noise_of(known)
    before = calibration.error_with_interval(some.confidence, some.right, seed=seed)
    after = calibration.calibration_error(scaled, some.right)
    found = ranked(
        wrong_labels(known, suspected, chances),
        copies([index.label(image) for image in range(len(index))], members),
        leaks(leaked, "" if train is None else train.manifest.data),
        weak_slices(known, weak, words),
        overconfidence(some, best, before.value, before.by_chance_most, after),
    )
    images = [image for one in found for image in one.images]
    ranks = [rank for rank, one in enumerate(found, 1) for _ in one.images]
    shown = [(rank, image) for rank, one in enumerate(found[:MOST], 1) for image in one.images[:SHOWN]]
    rows = pictures_table(index, images)
    first = {
        "rank": ranks,
        **{name: [getattr(found[rank - 1], name) for rank in ranks] for name in ("kind", "what", "why", "gain")},
    }
    return Fixes(
        found=tuple(found),
        rows={**first, **{f"{name} (table)" if name in first else name: values for name, values in rows.items()}},
        tiles=tiles_of(index, [image for _, image in shown]),
        of=tuple(rank for rank, _ in shown),
        judged=len(known),
        accuracy=float(known.right.mean()),
        facts={"trained_on": True} if has_seen(index) else {},
    )


@drawn
def render(result: Fixes, *, part: Annotated[str, Choices(*PARTS, help="what is drawn")] = "list") -> Figure:
    """The entries as bars, each with what to do and how many pictures it is about; or the first pictures of each."""
    title = f"What to fix in {result.facts['data']} and {result.facts['model']}"
    panels: list[Any] = []
    if part == "list" and result.found:
        first = [one for one in result.found[:MOST] if one.gain >= LEAST] or result.found[:MOST]
        values = {f"{rank}. {one.short}": one.gain for rank, one in enumerate(first, 1)}
        hues = np.array([HUES[one.kind] for one in first], np.uint8)
        left_out = len(result.found) - len(first)
        caption = (
            f"Of the other {left_out:,} each is about fewer pictures than these; the CSV has all." if left_out else ""
        )
        panels = [bars("What to fix", values, "pictures, in expectation", colour=hues, caption=caption)]
    elif part == "pictures":
        for rank in sorted(set(result.of)):
            here = [k for k, of in enumerate(result.of) if of == rank]
            places = [k for k, of in enumerate(result.rows["rank"]) if of == rank][: len(here)]
            names = [f"{result.rows['label'][k]} as {result.rows['prediction'][k]}" for k in places]
            one = result.found[rank - 1]
            panels += sheet(result.tiles[here], names, f"{rank}. {one.what}", columns=SHOWN, caption=f"{one.why}.")
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"tiles": result.tiles} if part == "pictures" and len(result.tiles) else {},
        table=result.table,
        alt=f"{title}. {result.sentence()}",
    )
