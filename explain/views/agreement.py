"""Whether a network's features know more of a picture than its pixels: measured over an index, in two ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..errors import NotSupported
from ..figure import RIGHT, WRONG, Figure, bars
from ..index import SPACES, Index
from ..index.agreement import agreement, labelled, mirror_ranks
from ..index.search import METRICS
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX
from .parts.result import Result
from .view import drawn, view

__all__ = ["Agreement", "compute", "render"]


@dataclass(frozen=True, eq=False)
class Agreement(Result):
    """By space: `shares` of the nearest pictures that have the query's label, over `asked` queries, None where no two
    pictures have labels; `ranks`, the median over `mirrored` pictures of where their mirrored copies would stand."""

    shares: dict[str, float | None]
    ranks: dict[str, float]
    asked: int
    mirrored: int
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a space."""
        return {
            "space": list(SPACES),
            "same_label": list(self.shares.values()),
            "mirror_rank": list(self.ranks.values()),
        }

    @property
    def said(self) -> str:
        """What was measured, in words."""
        facts = self.facts
        told = f"{facts['metric'].capitalize()} distance, among {facts['images']:,} pictures of {facts['data']}; "
        told += f"labels over {self.asked:,} of them" if self.asked else "they have no labels"
        return f"{told}, the mirrored copies of {self.mirrored:,}."

    @property
    def summary(self) -> str:
        lines = [f"{space}: the mirrored copy at rank {rank:g} (median)" for space, rank in self.ranks.items()]
        for space, share in self.shares.items():
            if share is not None:
                lines.append(f"{space}: {share:.1%} of the {self.facts['k']} nearest have the same label")
        return "\n".join([*lines, self.said])


@view
def compute(
    index: Annotated[Index, INDEX],
    *,
    k: Annotated[int, Range(1, 50, help="how many neighbours")] = 5,
    metric: Annotated[str, Choices(*METRICS)] = "euclidean",
    count: Annotated[int, Range(1, 10**9, help="pictures whose neighbours' labels are compared, at most")] = 10_000,
    mirrored: Annotated[int, Range(1, 1000, help="pictures whose mirrored copies are looked for")] = 100,
    seed: Annotated[int, Range(0, 2**31 - 1, help="by which these are drawn")] = 0,
    progress: Progress | None = None,
) -> Agreement:
    """How often the k nearest pictures have a picture's label, and how near its mirrored copy would be to it, which
    shows the same with other pixels in other places: in features and in pixels."""
    heard, looked = progress or unheard, 0
    shares: dict[str, float | None] = {}
    ranks: dict[str, float] = {}
    for done, space in enumerate(SPACES):
        heard(2 * done, 4, f"labels in {space}")
        try:
            shares[space] = agreement(index, k, space, metric, count, seed)
        except NotSupported:
            shares[space] = None
        heard(2 * done + 1, 4, f"mirrored copies in {space}")
        found = mirror_ranks(index, mirrored, space, metric, seed)
        ranks[space], looked = float(np.median(found)), len(found)
    asked = 0 if None in shares.values() else min(count, len(labelled(index)))
    return Agreement(shares, ranks, asked, looked, facts={})


@drawn
def render(result: Agreement) -> Figure:
    """Bars: the share with the same label where labels are known, and the rank of the mirrored copy."""
    k = result.facts["k"]
    shares = {space: 100 * share for space, share in result.shares.items() if share is not None}
    charts = [
        bars(f"Same label among the {k} nearest", shares, "%", colour=RIGHT, unit="%"),
        bars("Median rank of the mirrored copy", result.ranks, "rank among all others", colour=WRONG),
    ]
    return Figure(
        title=f"Features and pixels of {result.facts['data']}, {result.facts['model']}",
        panels=tuple(charts if shares else charts[1:]),
        columns=2 if shares else 1,
        facts=result.facts,
        note=f"{result.said} A mirrored picture shows the same with other pixels in other places: 1 is the nearest.",
        table=result.table,
        alt="How often neighbours share the label, and how near a mirrored copy is, in features and in pixels",
    )
