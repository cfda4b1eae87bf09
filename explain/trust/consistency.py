"""A map against its own promise and against itself under another seed or baseline, and the maps of other methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from torch import nn

from ..attribution import METHODS
from ..errors import ExplainError
from ..options import Choices
from ..progress import Progress
from .question import Heat, Question, highest_in_common, phase

__all__ = ["GAP", "Completeness", "Spread", "closed", "completeness", "others_of", "spread"]

GAP = 0.05
"""Share of the promised sum that a map may miss: what is missing is then less than the eye sees on the map."""
MOST_STEPS = 1000  # that integrated gradients take
OTHERS = ("integrated_gradients", "grad_cam", "occlusion")
"""Methods that a map is compared with: each of another kind, each quick."""


@dataclass(frozen=True)
class Completeness:
    """What a map adds up to, and what its method says that it does; where that misses more than GAP, the number of
    steps with which it would not, if the method takes steps and so many are enough."""

    total: float
    expected_sum: float
    closes_at: int | None = None

    @property
    def gap(self) -> float:
        """What is missing, as a share of the promise."""
        return abs(self.total - self.expected_sum) / max(abs(self.expected_sum), 1e-12)


def completeness(net: nn.Module, question: Question, heat: Heat) -> Completeness | None:
    """None where the method promises nothing. The map is the raw one."""
    expected_sum = question.expected_sum(net)
    if expected_sum is None:
        return None
    return Completeness(float(heat.sum(dtype=np.float64)), expected_sum)


def closed(net: nn.Module, question: Question, found: Completeness) -> Completeness:
    """With the number of steps, up to 1,000, with which a map that misses its promise would keep it."""
    if found.gap <= GAP or "steps" not in question.options:
        return found
    steps = question.options["steps"]
    while steps < MOST_STEPS:
        steps = min(2 * steps, MOST_STEPS)
        again = question.answer(net, steps=steps)
        if replace(found, total=float(again.sum(dtype=np.float64))).gap <= GAP:
            return replace(found, closes_at=steps)
    return found


@dataclass(frozen=True)
class Spread:
    """How alike the maps of one method are over so many of its seeds or baselines: the share of their highest pixels
    that two have in common, on average. Another seed asks the same question again; another baseline asks another."""

    over: str
    count: int
    in_common: float


def _variants(question: Question) -> tuple[str, list[Any]]:
    """An option that the map may vary with, and its other values."""
    options = question.entry.options
    if "seed" in options:
        first = int(question.options["seed"])
        return "seed", [first + 1, first + 2] if first < 2**30 else [first - 1, first - 2]
    if "baseline" in options and isinstance(options["baseline"].bounds, Choices):
        return "baseline", [one for one in options["baseline"].bounds.values if one != question.options["baseline"]]
    return "", []


def spread(net: nn.Module, question: Question, heat: Heat, progress: Progress) -> Spread | None:
    """None where a method has neither."""
    over, values = _variants(question)
    if not values:
        return None
    maps = [question.large(heat)]
    for k, value in enumerate(values):
        with phase(progress, k, k + 1, len(values), f"the same map with {over} {value}"):
            maps.append(question.large(question.answer(net, **{over: value})))
    return Spread(over, len(maps), float(np.mean([highest_in_common(a, b) for a, b in combinations(maps, 2)])))


def others_of(net: nn.Module, question: Question, progress: Progress) -> tuple[dict[str, Heat], dict[str, str]]:
    """The maps of other methods at the picture's size; and those that refuse, with the reason."""
    found, refused = {}, {}
    names = [name for name in OTHERS if name in METHODS and name != question.entry.name]
    for k, name in enumerate(names):
        options = {"stride": max(1, min(question.batch.shape[-2:]) // 8)} if name == "occlusion" else {}
        with phase(progress, k, k + 1, len(names), f"the map of {METHODS[name].label}"):
            try:
                heat = question.large(question.answer(net, METHODS[name], **options))
            except ExplainError as error:
                refused[name] = str(error)
                continue
        if np.isfinite(heat).all():
            found[name] = heat
    return found, refused
