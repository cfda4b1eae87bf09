"""Where a network's mistakes cluster: regions of features and probabilities with a higher error than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..figure import RIGHT, UNKNOWN, WRONG, Chart, Figure, Line
from ..index import Index
from ..mistakes.evidence import evidence, has_seen
from ..mistakes.slices import Shared, Slice, channels_of, name_of, said_of, shared_by, weak_slices
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX, WHERE
from .parts.result import Result, only
from .parts.tiles import pictures_table, sheet, tiles_of
from .view import drawn, view

__all__ = ["PARTS", "Channel", "Slices", "compute", "render"]

PARTS = {"errors": "Error against the rest", "pictures": "Pictures of each"}
SHOWN = 8  # pictures of a slice
Channel = tuple[str, int, int, int]
"""Layer, channel, how many of how many of its best pictures are of a slice."""


@dataclass(frozen=True, eq=False)
class Slices(Result):
    """`found`: the slices, those that add the most mistakes first, with what the pictures of each share and the
    channels that mark it. `rows`: one row a picture, with the number of its slice, mistakes first; `tiles` (n, 8 at
    most each) show the first of each slice, `of` whose they are."""

    found: tuple[Slice, ...]
    shared: tuple[tuple[Shared, ...], ...]
    channels: tuple[tuple[Channel, ...], ...]
    rows: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    of: tuple[int, ...]
    judged: int
    wrong: int
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a slice."""
        return {
            "slice": list(range(1, len(self.found) + 1)),
            "pictures": [len(one.members) for one in self.found],
            "judged on": [one.judged for one in self.found],
            **{
                name.replace("_", " "): [getattr(one, name) for one in self.found]
                for name in ("error", "error_low", "error_high", "rest", "low", "high", "excess")
            },
            "shared": [_words(one) for one in self.shared],
            "channels": [_channels(one) for one in self.channels],
        }

    def sentence(self) -> str:
        """How many there are, what they hold, and how that was measured."""
        if not self.found:
            return (
                f"No slice of the {self.judged:,} pictures has an error above that of the rest beyond chance; "
                f"{self.wrong:,} of them are mistakes."
            )
        inside = len({int(image) for one in self.found for image in one.members})
        said = f"{len(self.found)} slices hold {inside:,} of {self.judged:,} pictures. Each error is measured on the "
        said += "half of the pictures that had no part in finding the slice, and is above that of the half's others, "
        said += "also where so many slices are looked at."
        if self.facts.get("trained_on"):
            said += " The network was trained on these pictures: on others it makes more mistakes, perhaps elsewhere."
        return said

    @property
    def summary(self) -> str:
        lines = [self.sentence()]
        for number, (one, words) in enumerate(zip(self.found, map(_words, self.shared), strict=True), 1):
            lines.append(
                f"{number}: {len(one.members):,} pictures, error {one.error:.1%} ({one.error_low:.1%} to "
                f"{one.error_high:.1%}) against {one.rest:.1%}; {words or 'nothing that is said of them in common'}"
            )
        return "\n".join(lines)


@view
def compute(
    index: Annotated[Index, INDEX],
    *,
    count: Annotated[int, Range(1, 30, help="slices, at most")] = 8,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the halves and the clusters")] = 0,
    where: Annotated[str, WHERE] = "",
    progress: Progress | None = None,
) -> Slices:
    """Clusters of the mistakes of one half of the labelled pictures of an index, in features and probabilities, judged
    on the other half: which share what, and which channels are excited most by their pictures.

    Raises BadValue where no picture has a label of the model's, NotSupported for outputs that are no probabilities of
    classes of which one is right.
    """
    heard = progress or unheard
    known = evidence(index, where, "Finding slices")
    heard(0, 3, "clusters")
    found = weak_slices(known, count, seed)
    said = said_of(known) if found else {}
    heard(1, 3, "channels")
    order = [one.members[np.argsort(known.right[one.members], kind="stable")] for one in found]
    shown = [members[:SHOWN] for members in order]
    images = known.images[np.concatenate([np.zeros(0, np.int64), *order])].tolist()
    numbers = [k for k, members in enumerate(order, 1) for _ in members]
    channels = tuple(tuple(channels_of(known, one)) for one in found)
    heard(2, 3, "pictures")
    return Slices(
        found=tuple(found),
        shared=tuple(tuple(shared_by(one.members, said)) for one in found),
        channels=channels,
        rows=pictures_table(index, images, slice=numbers),
        tiles=tiles_of(index, known.images[np.concatenate([np.zeros(0, np.int64), *shown])].tolist()),
        of=tuple(k for k, members in enumerate(shown, 1) for _ in members),
        judged=len(known),
        wrong=int((~known.right).sum()),
        facts={"trained_on": True} if has_seen(index) else {},
    )


@drawn
def render(result: Slices, *, part: Annotated[str, Choices(*PARTS, help="what is drawn")] = "errors") -> Figure:
    """The error of each slice with its 95 % interval against that of the rest, or the pictures of each, mistakes
    first."""
    title = f"Where {result.facts['model']} is wrong more often, on {result.facts['data']}{only(result.facts)}"
    if part == "errors":
        panels: tuple[Any, ...] = (_errors(result),) if result.found else ()
        table = result.table
    else:
        panels, table = tuple(panel for k in range(len(result.found)) for panel in _pictures(result, k)), result.rows
    return Figure(
        title=title,
        panels=panels,
        columns=1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"tiles": result.tiles} if part == "pictures" and len(result.tiles) else {},
        table=table,
        alt=f"{title}. {result.sentence()}",
    )


def _errors(result: Slices) -> Chart:
    lines, ticks = [], []
    for y, (one, shared) in zip(range(len(result.found), 0, -1), zip(result.found, result.shared, strict=True),
                                strict=False):  # fmt: skip
        interval = np.array([[100 * one.error_low, y], [100 * one.error_high, y]])
        lines.append(Line("", interval, WRONG, width=2.0))
        lines.append(Line("error of the slice", np.array([[100 * one.error, y]]), WRONG, dots=True))
        lines.append(Line("error of all others", np.array([[100 * one.rest, y]]), RIGHT, dots=True))
        ticks.append((float(y), f"{len(one.members):,} pictures: {name_of(shared)}"))
    overall = 100 * result.wrong / result.judged
    whole = Line("error of all", np.array([[overall, 0.4], [overall, len(result.found) + 0.6]]), UNKNOWN, dashed=True)
    top = max(100 * one.error_high for one in result.found)
    return Chart(
        (whole, *lines),
        (0.0, min(100.0, 1.05 * top) if top > 0 else 1.0),
        (0.4, len(result.found) + 0.6),
        ("% of the pictures are mistakes", ""),
        y_ticks=tuple(ticks),
        height=0.12 + 0.085 * len(result.found),
    )


def _pictures(result: Slices, number: int) -> tuple[Any, ...]:
    here = [k for k, of in enumerate(result.of) if of == number + 1]
    places = [k for k, of in enumerate(result.rows["slice"]) if of == number + 1][: len(here)]
    names = [f"{result.rows['label'][k]} as {result.rows['prediction'][k]}" for k in places]
    one = result.found[number]
    title = f"{number + 1}: {len(one.members):,} pictures, error {one.error:.0%} against {one.rest:.0%}"
    words = list(filter(None, [_words(result.shared[number]), _channels(result.channels[number])]))
    return sheet(result.tiles[here], names, title, columns=SHOWN, caption="; ".join(words) or "Nothing in common.")


def _words(shared: Sequence[Shared]) -> str:
    """What pictures share, with how many of them and of all others."""
    return ", ".join(f"{one.name} ({one.share:.0%}, else {one.rest:.0%})" for one in shared)


def _channels(channels: Sequence[Channel]) -> str:
    return ", ".join(
        f"channel {channel} of {layer} ({hits} of its {best} best)" for layer, channel, hits, best in channels
    )
