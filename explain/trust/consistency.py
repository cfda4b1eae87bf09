"""A map against its own promise, against itself under another seed or baseline, and against other methods."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from torch import nn

from ..attribution import METHODS
from ..errors import ExplainError
from ..options import Choices
from ..progress import Progress
from .question import Heat, Question, phase, spearman

__all__ = ["Completeness", "Spread", "agreement", "completeness", "spread"]

OTHERS = ("gradient", "integrated_gradients", "grad_cam", "guided_backprop")
"""Methods that a map is compared with: each of another kind, each quick."""


@dataclass(frozen=True)
class Completeness:
    """What a map adds up to, and what its method says that it does."""

    total: float
    expected_sum: float

    @property
    def gap(self) -> float:
        """What is missing, as a share of the promise."""
        return abs(self.total - self.expected_sum) / max(abs(self.expected_sum), 1e-12)


def completeness(net: nn.Module, question: Question, heat: Heat) -> Completeness | None:
    """None where the method promises nothing. The map is the raw one."""
    expected_sum = question.expected_sum(net)
    return None if expected_sum is None else Completeness(float(heat.sum(dtype=np.float64)), expected_sum)


@dataclass(frozen=True)
class Spread:
    """How alike the maps of one method are over so many of its seeds or baselines: mean rank correlation of two."""

    over: str
    count: int
    correlation: float


def _variants(question: Question) -> tuple[str, list[Any]]:
    """The option whose choice should not matter, and its other values."""
    options = question.entry.options
    if "seed" in options:
        first = int(question.options["seed"])
        return "seed", [first + 1, first + 2] if first < 2**30 else [first - 1, first - 2]
    if "baseline" in options and isinstance(options["baseline"].bounds, Choices):
        return "baseline", [one for one in options["baseline"].bounds.values if one != question.options["baseline"]]
    return "", []


def spread(net: nn.Module, question: Question, heat: Heat, progress: Progress) -> Spread | None:
    over, values = _variants(question)
    if not values:
        return None
    maps = [heat]
    for k, value in enumerate(values):
        with phase(progress, k, k + 1, len(values), f"the same map with {over} {value}"):
            maps.append(question.answer(net, **{over: value}))
    return Spread(over, len(maps), float(np.mean([spearman(a, b) for a, b in combinations(maps, 2)])))


def agreement(
    net: nn.Module, question: Question, heat: Heat, progress: Progress
) -> tuple[dict[str, float], dict[str, str]]:
    """Rank correlation of absolute values with the maps of other methods; and those that refuse, with the reason."""
    agreed, refused = {}, {}
    names = [name for name in OTHERS if name in METHODS and name != question.entry.name]
    for k, name in enumerate(names):
        with phase(progress, k, k + 1, len(names), f"the map of {METHODS[name].label}"):
            try:
                other = question.large(question.answer(net, METHODS[name]))
            except ExplainError as error:
                refused[name] = str(error)
                continue
        agreed[name] = spearman(np.abs(question.large(heat)), np.abs(other))
    return agreed, refused
