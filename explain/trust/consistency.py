"""A map against its own promise and against itself under another seed or baseline, and the maps of other methods."""

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
from .question import Heat, Question, highest_in_common, phase

__all__ = ["Completeness", "Spread", "completeness", "others_of", "spread"]

OTHERS = ("integrated_gradients", "grad_cam", "occlusion")
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
