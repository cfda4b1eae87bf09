"""Pictures made of a background and stamps, of which it is known what each stamp says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bool", "Pixels", "Scene", "Stamp", "disc", "patterns", "placed"]

Pixels = NDArray[np.uint8]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stamp:
    """Pixels (h, w, C) put where `shape` (h, w) is, with their upper left corner `at`. `says` are the targets that it
    is evidence for, or of a veto against; none of what decides nothing."""

    pixels: Pixels
    shape: Bool
    at: tuple[int, int]
    says: frozenset[int] = frozenset()

    @property
    def window(self) -> tuple[slice, slice]:
        (row, column), (height, width) = self.at, self.shape.shape
        return slice(row, row + height), slice(column, column + width)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture, what a network is to answer (`labels`, a class or 0/1 each), and what it is asked about: `target`, for
    (+1) or against (-1) which the stamps that say it are evidence."""

    background: Pixels
    stamps: tuple[Stamp, ...]
    labels: int | tuple[int, ...]
    target: int
    sign: int = 1

    def drawn(self, keep: Callable[[Stamp], bool] = lambda _: True, on: Pixels | None = None) -> Pixels:
        picture = (self.background if on is None else on).copy()
        for stamp in filter(keep, self.stamps):
            picture[stamp.window][stamp.shape] = stamp.pixels[stamp.shape]
        return picture

    @property
    def mask(self) -> Bool:
        """Where the evidence is (H, W)."""
        found = np.zeros(self.background.shape[:2], bool)
        for stamp in self.stamps:
            if self.target in stamp.says:
                found[stamp.window] |= stamp.shape
        return found

    def without(self) -> Pixels:
        """The picture without its evidence."""
        return self.drawn(lambda stamp: self.target not in stamp.says)

    def alone(self, on: Pixels) -> Pixels:
        """The evidence before another background."""
        return self.drawn(lambda stamp: self.target in stamp.says, on)


def patterns(count: int, side: int, seed: int) -> list[Bool]:
    """So many random patterns of black and white, half of each, that differ from each other in a third of the pixels
    at least."""
    chance, found = np.random.default_rng(seed), list[Bool]()
    while len(found) < count:
        new = chance.permutation(np.arange(side * side) % 2 == 0).reshape(side, side)
        if all((new != old).mean() >= 1 / 3 for old in found):
            found.append(new)
    return found


def disc(side: int) -> Bool:
    at = np.arange(side) - (side - 1) / 2
    return at[:, None] ** 2 + at**2 <= (side / 2) ** 2


def placed(
    chance: np.random.Generator, sides: Sequence[int], size: int, taken: Sequence[tuple[int, int, int]] = ()
) -> list[tuple[int, int]]:
    """Places for squares of these sides in a picture that do not touch each other."""
    while True:
        found = [tuple(map(int, chance.integers(0, size - side + 1, 2))) for side in sides]
        boxes = [*taken, *((row, column, side) for (row, column), side in zip(found, sides, strict=True))]
        if all(
            max(a[0], b[0]) > min(a[0] + a[2], b[0] + b[2]) or max(a[1], b[1]) > min(a[1] + a[2], b[1] + b[2])
            for k, a in enumerate(boxes)
            for b in boxes[:k]
        ):
            return found  # type: ignore[return-value]
