"""The registry that each family of methods adds to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..registry import Registry

__all__ = ["COMPLETENESS", "METHODS", "InputRange", "complete"]

InputRange = tuple[Tensor, Tensor]
"""Black and white in the net's input, each (1, C, 1, 1)."""

METHODS = Registry("saliency method")

ExpectedSum = Callable[..., Tensor]
COMPLETENESS: dict[str, ExpectedSum] = {}
"""Methods whose map adds up to something: expected_sum(net, batch, target, input_range, **options) is that sum (N,)."""


def complete(expected_sum: ExpectedSum) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Says what the map of a method adds up to."""

    def note(method: Callable[..., Any]) -> Callable[..., Any]:
        COMPLETENESS[method.__name__] = expected_sum
        return method

    return note
