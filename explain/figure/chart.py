"""Charts: lines over two axes with numbers, drawn as marks rather than pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .panel import Pixels
from .plot import Key
from .text import number

Floats = NDArray[np.floating]
BAR = 0.3  # half of a bar, in rows
Ticks = tuple[tuple[float, str], ...]


@dataclass(frozen=True, eq=False)
class Line:
    """Points (N, 2) joined by a line, with a dot on each where `dots` says so.

    band: (N, 2), from where to where they may well lie, shaded. Lines of one name have one key in the legend; one
    without a name has none. size: diameter of the dots in typographic points, by default that of a legend's.
    filled: the area within the points instead of the line through them.
    """

    name: str
    points: Floats
    colour: tuple[int, int, int]
    dashed: bool = False
    dots: bool = False
    band: Floats | None = None
    width: float = 1.4
    size: float | None = None
    filled: bool = False

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.shape != (n, 2) or (self.band is not None and self.band.shape != (n, 2)):
            raise ValueError(f"a line needs points and a band (N, 2), not {self.points.shape}")
        if not (np.isfinite(self.points).all() and (self.band is None or np.isfinite(self.band).all())):
            raise ValueError("the points of a line must be finite")


@dataclass(frozen=True, eq=False)
class Chart:
    """Lines, the first at the bottom, over axes from low to high.

    axes: what x and y are. ticks: numbers or names along each; made of the range where there are none.
    height: of the field, as a share of its width.
    labels: names written beside (x, y); one that finds no room is left out.
    cells: numbers written over (x, y), each in its colour; a grid of marks has room for them or goes without.
    """

    lines: tuple[Line, ...]
    x: tuple[float, float]
    y: tuple[float, float]
    axes: tuple[str, str] = ("", "")
    x_ticks: Ticks = ()
    y_ticks: Ticks = ()
    title: str = ""
    caption: str = ""
    height: float = 0.62
    labels: tuple[tuple[float, float, str], ...] = ()
    cells: tuple[tuple[float, float, str, str], ...] = ()

    names: ClassVar[tuple[str, ...]] = ()
    scale: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not (self.x[0] < self.x[1] and self.y[0] < self.y[1]):
            raise ValueError(f"the axes {self.x} and {self.y} must go from low to high")

    @property
    def legend(self) -> tuple[Key, ...]:
        """One key for each name."""
        named = {line.name: Key(line.name, line.colour) for line in self.lines if line.name}
        return tuple(named.values())

    @property
    def ticks(self) -> tuple[Ticks, Ticks]:
        """Those given, or about five round numbers."""
        return self.x_ticks or _round(*self.x), self.y_ticks or _round(*self.y)


def bars(
    title: str,
    values: Mapping[str, float],
    across: str,
    *,
    colour: tuple[int, int, int] | Pixels,
    unit: str = "",
    caption: str = "",
) -> Chart:
    """Horizontal bars from zero, the first on top, each with its name and its number; of one colour or each its own."""
    count, top = len(values), max([*values.values(), 1e-9])
    lines, ticks = [], []
    colours = np.broadcast_to(np.asarray(colour), (count, 3)).tolist()
    for y, (name, value), own in zip(range(count, 0, -1), values.items(), colours, strict=True):
        corners = [(0.0, y - BAR), (value, y - BAR), (value, y + BAR), (0.0, y + BAR)]
        lines.append(Line("", np.array(corners), (own[0], own[1], own[2]), filled=True))
        ticks.append((float(y), f"{name} · {number(value)}{unit}"))
    return Chart(
        tuple(lines),
        (0.0, top * 1.02),
        (0.4, count + 0.6),
        (across, ""),
        y_ticks=tuple(ticks),
        title=title,
        caption=caption,
        height=0.06 + 0.085 * count,
    )


def _round(low: float, high: float) -> Ticks:
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 2.5, 5, 10) if k * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple((k * step, number(k * step)) for k in range(first, last + 1))
