"""Everything that is measured of a map, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..errors import NotSupported
from ..progress import Progress, part, unheard
from .consistency import Completeness, Spread, agreement, completeness
from .consistency import spread as spread_of
from .curves import Curve, curves, edges_like, moved
from .question import Floats, Heat, Question, phase, private
from .weights import Stage, randomisation, untrained

__all__ = ["ORDERS", "WEIGHTS", "Trust", "Verdict", "check"]

# Limits of the verdict.
WEIGHTS = 0.5
"""Rank correlation with the map of a net that has learned nothing, above which a map fails: more than half of it was
there before any training. The plain gradient stays below on trained nets (REQUIREMENTS V24), an edge map is at 1."""
GAP = 0.05
"""Share of the promised sum that a map may miss: what is missing is then less than the eye sees on the map."""
STEADY = 0.5
"""Rank correlation between maps of two seeds or baselines below which less than half of the map is the picture's."""
MOVED = 5
"""Places that a map is moved to by chance; one that beats itself at all of them does so by luck once in six times."""


@dataclass(frozen=True)
class Verdict:
    """passes, doubtful or fails; and why, with the numbers."""

    level: str
    words: str


@dataclass(frozen=True, eq=False)
class Trust:
    """What was measured of one map. `deletion` and `insertion` hold curves for the orders in ORDERS."""

    heat: Heat
    deletion: Mapping[str, tuple[Curve, ...]]
    insertion: Mapping[str, tuple[Curve, ...]]
    stages: tuple[Stage, ...]
    untrained: tuple[tuple[float, float], ...]
    completeness: Completeness | None
    spread: Spread | None
    agreement: Mapping[str, float]
    refused: Mapping[str, str]

    @property
    def left(self) -> tuple[float, float]:
        """What remains of the map, absolute and signed, when all weights are others: mean rank correlations."""
        absolute, signed = np.mean(self.untrained, 0).tolist()
        return absolute, signed

    def areas(self, order: str) -> tuple[float, float]:
        """Mean areas under deletion and insertion."""
        return tuple(float(np.mean([c.area for c in of[order]])) for of in (self.deletion, self.insertion))  # type: ignore[return-value]

    def gains(self, order: str) -> Floats:
        """Insertion less deletion, for each curve of an order: the higher, the sooner it finds what counts."""
        pairs = zip(self.insertion[order], self.deletion[order], strict=True)
        return np.array([into.area - out.area for into, out in pairs])

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Every number by its name."""
        found = {}
        for order, name in ORDERS.items():
            found[f"deletion area, {name}"], found[f"insertion area, {name}"] = self.areas(order)
            found[f"insertion less deletion, {name}"] = float(self.gains(order).mean())
            if len(self.gains(order)) > 1:
                found[f"insertion less deletion, {name}, standard deviation"] = float(self.gains(order).std(ddof=1))
        for k, stage in enumerate(self.stages, 1):
            found[f"rank correlation, stage {k}, absolute"] = stage.absolute
            found[f"rank correlation, stage {k}, signed"] = stage.signed
            if stage.ssim is not None:
                found[f"SSIM, stage {k}"] = stage.ssim
        found["rank correlation, untrained, absolute"], found["rank correlation, untrained, signed"] = self.left
        if self.completeness:
            found["sum of the map"], found["promised sum"] = self.completeness.total, self.completeness.expected_sum
            found["completeness gap"] = self.completeness.gap
        if self.spread:
            found[f"rank correlation over {self.spread.count} {self.spread.over}s"] = self.spread.correlation
        found |= {f"rank correlation with {name}": value for name, value in self.agreement.items()}
        return found

    @cached_property
    def verdict(self) -> Verdict:
        """By the limits above: fails if one of the two main checks does, doubtful if anything else is amiss."""
        if np.ptp(self.heat) == 0:
            value = float(self.heat.flat[0])
            what = "No positive evidence: the" if value <= 0 else "The"
            return Verdict("fails", f"{what} map is {value:.3g} everywhere, so it marks nothing.")
        levels, words = zip(self._on_weights(), self._on_curves(), *self._on_the_rest(), strict=True)
        level = next(level for level in ("fails", "doubtful", "passes") if level in levels)
        return Verdict(level, " ".join(words).replace(" -", " −"))

    def _on_weights(self) -> tuple[str, str]:
        absolute, signed = self.left
        number = f"a rank correlation of {signed:.2f} with the map of untrained networks (limit {WEIGHTS})"
        if signed == 1:
            return "fails", f"It ignores the weights: {number}."
        if signed > WEIGHTS:
            return "fails", f"It hardly depends on the weights: {number}."
        if absolute > WEIGHTS:
            places = f"without signs it has a rank correlation of {absolute:.2f} with the map of untrained networks"
            return (
                "doubtful",
                f"Only its signs depend on the weights: {places} (limit {WEIGHTS}), with them {signed:.2f}.",
            )
        return "passes", f"It depends on the weights: {number}."

    def _on_curves(self) -> tuple[str, str]:
        ours, moved, plain = float(self.gains("map")[0]), self.gains("moved"), float(self.gains("edges")[0])
        mean, most = float(moved.mean()), float(moved.max())
        numbers = f"insertion less deletion is {ours:.2f}, against {mean:.2f} (at most {most:.2f}) for the same map "
        numbers += f"moved by chance and {plain:.2f} for an edge map"
        if ours <= mean:
            return "fails", f"It does not find what the target rests on: {numbers}."
        if ours <= most:
            return "doubtful", f"It hardly finds more of what the target rests on than chance does: {numbers}."
        if ours <= plain:
            return "doubtful", f"It finds no more of what the target rests on than edges do: {numbers}."
        return "passes", f"It finds what the target rests on: {numbers}."

    def _on_the_rest(self) -> Iterator[tuple[str, str]]:
        """What is amiss beside that, in one sentence."""
        amiss = []
        if self.completeness and self.completeness.gap > GAP:
            both = f"{self.completeness.total:.3g} instead of {self.completeness.expected_sum:.3g}"
            amiss.append(f"it adds up to {both}, {self.completeness.gap:.0%} off")
        if self.spread and self.spread.correlation < STEADY:
            amiss.append(
                f"another {self.spread.over} gives another map (rank correlation {self.spread.correlation:.2f})"
            )
        if amiss:
            text = ", and ".join(amiss)
            yield "doubtful", f"{text[0].upper()}{text[1:]}."


ORDERS = {"map": "the map", "moved": "the map moved by chance", "edges": "edges", "random": "pixels by chance"}
"""The orders in which pixels are replaced."""


def check(
    question: Question, *, steps: int = 32, seed: int = 0, cascading: bool = True, progress: Progress = unheard
) -> Trust:
    """Everything of one map. `progress` hears how many percent are done, and of what; what it raises stops the check.

    Raises ExplainError where the method refuses this network.
    """

    def percent(done: float, total: float, message: str = "") -> None:
        progress(int(100 * done / total), 100, message)

    percent(0, 1, "copying the network")
    net = private(question.model)
    with phase(percent, 1, 3, 100, "the map"):
        heat = question.answer(net)
    if not np.isfinite(heat).all():
        raise NotSupported(
            f"Method {question.entry.name!r} gives values that are not finite for this network and picture."
        )
    net = net.to(memory_format=torch.channels_last)  # on a CPU half the time
    large, chance = question.large(heat), np.random.default_rng(seed)
    orders = {
        "map": [large],
        "moved": [moved(large, chance) for _ in range(MOVED)],
        "edges": [edges_like(question, heat.shape)],
        "random": [chance.random(large.shape, np.float32)],
    }
    with phase(percent, 3, 55, 100, "deletion and insertion"):
        found = curves(net, question, [one for some in orders.values() for one in some], steps)
    taken = [iter(each) for each in found]
    deletion, insertion = ({name: tuple(next(t) for _ in some) for name, some in orders.items()} for t in taken)
    complete = completeness(net, question, heat)
    spread = spread_of(net, question, heat, part(percent, 55, 62, 100))
    agreed, refused = agreement(net, question, heat, part(percent, 62, 75, 100))
    # Last, since they spoil the copy.
    stages = randomisation(net, question, heat, seed=seed, cascading=cascading, progress=part(percent, 75, 92, 100))
    others = untrained(net, question, heat, seed=seed, progress=part(percent, 92, 100, 100))
    percent(1, 1, "done")
    return Trust(large, deletion, insertion, stages, others, complete, spread, agreed, refused)
