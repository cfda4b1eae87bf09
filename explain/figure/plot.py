"""Plots: maps of points, each with a colour and a shape, drawn as marks rather than pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .panel import Pixels, Scale

Points = NDArray[np.floating]
Outline = tuple[tuple[float, float], ...]


def _plus(length: float, width: float) -> Outline:
    a, b = length / 2, width / 2
    return ((-b, a), (b, a), (b, b), (a, b), (a, -b), (b, -b), (b, -a), (-b, -a), (-b, -b), (-a, -b), (-a, b), (-b, b))


# Corners with y upwards, of about the area of a circle of diameter 1; the circle itself has none.
SHAPES: dict[str, Outline] = {
    "circle": (),
    "square": ((-0.44, -0.44), (0.44, -0.44), (0.44, 0.44), (-0.44, 0.44)),
    "triangle": ((-0.66, -0.4), (0.66, -0.4), (0, 0.75)),
    "diamond": ((0, -0.64), (0.64, 0), (0, 0.64), (-0.64, 0)),
    "plus": _plus(1.2, 0.42),
}


@dataclass(frozen=True)
class Key:
    """One line of a legend: what a colour and a shape (index into SHAPES) mean, and how many points have them."""

    name: str
    colour: tuple[int, int, int]
    shape: int = 0
    count: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.shape < len(SHAPES):
            raise ValueError(f"the shape {self.shape} is none of the {len(SHAPES)} in SHAPES")


@dataclass(frozen=True, eq=False)
class Plot:
    """Points (N, 2) in units of their own, y upwards, at one scale both ways; later ones are drawn over earlier ones.

    labels: names written into the map, centred at (x, y); one that finds no room near there is left out.
    marks: ringed points with a name, above everything else; a dot under the ring must be among the points.
    axes: what x and y are; the map has no numbers.
    size: diameter of a dot in typographic points, by default fitting their number.
    """

    points: Points
    colours: Pixels
    shapes: NDArray[np.uint8] | None = None
    title: str = ""
    caption: str = ""
    scale: Scale | None = None
    legend: tuple[Key, ...] = ()
    labels: tuple[tuple[float, float, str], ...] = ()
    marks: tuple[tuple[float, float, str], ...] = ()
    axes: tuple[str, str] = ("", "")
    size: float | None = None

    names: ClassVar[tuple[str, ...]] = ()  # unlike a contact sheet it has no tiles to name

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.shape != (n, 2) or self.points.dtype.kind != "f":
            raise ValueError(f"a plot needs floats (N, 2), not {self.points.dtype} {self.points.shape}")
        if self.colours.shape != (n, 3) or self.colours.dtype != np.uint8:
            raise ValueError(f"a plot needs uint8 colours ({n}, 3), not {self.colours.dtype} {self.colours.shape}")
        if self.shapes is not None:
            if self.shapes.shape != (n,) or self.shapes.dtype != np.uint8:
                raise ValueError(f"a plot needs uint8 shapes ({n},), not {self.shapes.dtype} {self.shapes.shape}")
            if self.shapes.max(initial=0) >= len(SHAPES):
                raise ValueError(f"the shape {self.shapes.max()} is none of the {len(SHAPES)} in SHAPES")
        places = [(x, y) for x, y, _ in (*self.labels, *self.marks)]
        if not (np.isfinite(self.points).all() and np.isfinite(np.array(places)).all()):
            raise ValueError("the points, labels and marks of a plot must be finite")
        if self.size is not None and not 0 < self.size < 100:
            raise ValueError(f"a dot of {self.size} points cannot be drawn; valid: above 0, below 100")

    @property
    def extent(self) -> tuple[Points, Points]:
        """(x, y) of the middle of all points and marks, and how far they reach from there."""
        points = np.concatenate([self.points.astype(np.float64), _places(self.marks)])
        if not len(points):
            return np.zeros(2), np.zeros(2)
        low, high = points.min(axis=0), points.max(axis=0)
        return high / 2 + low / 2, high / 2 - low / 2  # halved first, so that nothing overflows

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """The shape of each point."""
        return np.zeros(len(self.points), np.uint8) if self.shapes is None else self.shapes

    def dot(self, width: float) -> float:
        """Diameter of a dot, where the map is so wide (both in typographic points)."""
        if self.size is not None:
            return self.size
        # 3.5 for 1,000 and 0.8 for 70,000 on a page; on a narrower map they shrink more slowly than it.
        size = min(5.0, 3.5 * (max(len(self.points), 1) / 1000) ** -0.345)
        return float(size * min(1.0, width / 480) ** 0.5)


def _places(named: tuple[tuple[float, float, str], ...]) -> Points:
    return np.array([(x, y) for x, y, _ in named], np.float64).reshape(-1, 2)
