"""The registry that each family of methods adds to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..registry import Registry

__all__ = ["COMPLETE", "METHODS", "Ends", "complete"]

Ends = tuple[Tensor, Tensor]
"""Black and white in the net's input, each (1, C, 1, 1)."""

METHODS = Registry("saliency method")

Promise = Callable[..., Tensor]
COMPLETE: dict[str, Promise] = {}
"""Methods whose map adds up to something: promise(net, batch, target, ends, **options) is that sum (N,)."""


def complete(promise: Promise) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Says what the map of a method adds up to."""

    def note(method: Callable[..., Any]) -> Callable[..., Any]:
        COMPLETE[method.__name__] = promise
        return method

    return note
