"""From measurements to a verdict: does the map mark what the answer rests on?

The measures and limits were chosen on the suites of benchmarks/truth.py that are marked so, where it is known which
pixels decide, and tried on the others; docs/trust.md has the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .consistency import GAP

if TYPE_CHECKING:
    from .check import Trust
    from .weights import Stage

__all__ = ["LEVELS", "MEANINGS", "WEIGHTS", "Verdict", "judge"]

LEVELS = ("passes", "doubtful", "fails", "cannot tell")
MEANINGS = {
    "passes": "The map shows what the answer rests on, as far as hiding and showing pixels can tell.",
    "doubtful": "Take the map as a hint of where to look, not as the reason for the answer.",
    "fails": "Do not read the map as the reason for the answer.",
    "cannot tell": "Nothing was found for this map or against it.",
}
"""What each level means for whoever looks at the map."""

FINDS, MISSES = 0.75, 0.5
"""Scores from which a map passes, and below which it fails."""
GROUND = 0.1
"""By how much the best map known has to gain more than chance for there to be something to find, as a share of the
probability, or of a channel's range."""
WEIGHTS = 0.95
"""Rank correlation with the maps of networks that are untrained, or were trained on shuffled labels, above which a map
is the same whatever was learned."""
STEADY = 0.5
"""Share of the highest pixels that the maps of two seeds have in common, below which most are chance."""


@dataclass(frozen=True)
class Verdict:
    """One of LEVELS; and why, in words that need no table; the numbers are `Trust.numbers`."""

    level: str
    words: str


def judge(trust: Trust) -> Verdict:
    """By the limits above."""
    if np.ptp(trust.heat) == 0:
        value = float(trust.heat.flat[0])
        what = "No positive evidence: the" if value <= 0 else "The"
        return Verdict("fails", f"{what} map is {value:.3g} everywhere, so it marks nothing.")
    level, words = _found(trust)
    said = [words, _on_weights(trust)]
    amiss = [] if level == "fails" else list(_amiss(trust))
    if level == "passes" and amiss:
        level = "doubtful"
    if trust.left[1] > WEIGHTS:
        level, said = "fails", said[::-1]
    if trust.relabelled:
        level = "fails" if trust.relabelled.signed > WEIGHTS else level
        said.append(_on_labels(trust.relabelled))
    if level == "passes" and trust.gain("edges") >= trust.gain("map"):
        said.append("Here the picture's edges would do as well, so that passing says little.")
    if amiss:
        text = ", and ".join(amiss)
        said.append(f"{text[0].upper()}{text[1:]}.")
    return Verdict(level, " ".join(said).replace(" -", " −"))


def _found(trust: Trust) -> tuple[str, str]:
    if trust.room < GROUND * trust.scale:
        return (
            "cannot tell",
            "This check found no ground to judge: hiding and showing the picture's pixels in the order of this map, or "
            "of those it is compared with, does hardly more than in the order of chance. Another method may find what "
            "they do not.",
        )
    what = "speaks against the target" if trust.against else "the target rests on"
    order = f"its order finds {max(trust.found, 0):.0%} of what the best map known here does"
    values = f"its values agree with what hiding them does by {trust.estimate:.2f} of 1"
    said = f"{what}: {order}, {values} (score {trust.score:.2f}; from {FINDS} on it passes)."
    if trust.score >= FINDS:
        return "passes", f"It finds what {said}"
    if trust.score >= MISSES:
        return "doubtful", f"It finds part of what {said}"
    return "fails", f"It does not find what {said}"


def _on_weights(trust: Trust) -> str:
    alike = f"(rank correlation {trust.left[1]:.2f}, limit {WEIGHTS})"
    if trust.left[1] > WEIGHTS:
        return f"It ignores the weights: networks that have learned nothing give the same map {alike}."
    return f"It depends on the weights: networks that have learned nothing give another map {alike}."


def _on_labels(found: Stage) -> str:
    alike = f"(rank correlation {found.signed:.2f}, limit {WEIGHTS})"
    if found.signed > WEIGHTS:
        return f"It ignores the labels: the control, trained on shuffled ones, gives the same map {alike}."
    return f"It depends on the labels: the control, trained on shuffled ones, gives another map {alike}."


def _amiss(trust: Trust) -> Iterator[str]:
    """What is wrong with the map beside that."""
    complete, spread = trust.completeness, trust.spread
    if complete and complete.gap > GAP:
        closes = f" (with {complete.closes_at} steps it would not be)" if complete.closes_at else ""
        sums = f"{complete.total:.3g} instead of {complete.expected_sum:.3g}"
        yield f"it adds up to {sums}, {complete.gap:.0%} off{closes}"
    if spread and spread.over == "seed" and spread.in_common < STEADY:
        yield f"another seed gives another map ({spread.in_common:.0%} of the highest pixels are the same)"
