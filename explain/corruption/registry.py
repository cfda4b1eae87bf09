"""The registry of corruptions, and how strong each one is at a severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..registry import Registry

__all__ = ["CORRUPTIONS", "SIDES", "Generator", "Pixels", "Severity", "scale_of"]

CORRUPTIONS = Registry("corruption")
"""Functions of pixels (H, W, C) in 0..1, where C is 1 or 3, a Severity and a generator of chance; they give new pixels
of that shape, which may lie outside 0..1."""

SIDES = {"CIFAR-C": 32, "Tiny ImageNet-C": 64, "ImageNet-C": 224}
"""The sets that numbers are published for, with the side of their pictures."""

Pixels = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Severity:
    """A level from 1 to 5, and which of the published sets the numbers are of: its place in SIDES."""

    level: int
    scale: int

    def of(self, cifar: Sequence[T], tiny: Sequence[T], imagenet: Sequence[T]) -> T:
        """The number among those of the three sets, each by level."""
        return (cifar, tiny, imagenet)[self.scale][self.level - 1]


def scale_of(side: int) -> int:
    """The set whose pictures are nearest in size to those of this shorter side, by ratio: CIFAR-C up to 45 pixels, Tiny
    ImageNet-C up to 119."""
    distances = [abs(log(side / published)) for published in SIDES.values()]
    return distances.index(min(distances))
