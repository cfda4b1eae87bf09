"""Where the parts of a chart are in its picture, and what each says: for who looks at it with a pointer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .chart import Chart, Line, Ticks
from .figure import Figure
from .layout import lay_out
from .text import number

__all__ = ["Box", "Spot", "spots"]

MOST = 3000  # of a chart: a pointer does not tell more of them apart
REACH = 6.0  # pixels around a point

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Spot:
    """A part of a chart: its box in the picture's pixels, the middle of it (x, y) on the axes, and what it says."""

    box: Box
    at: tuple[float, float]
    text: str


def spots(figure: Figure, width: int, dpi: int) -> list[Spot]:
    """Of the bars, cells and points of lines of a figure's only chart, in its PNG of this width in pixels."""
    (chart,) = figure.panels
    if not isinstance(chart, Chart):
        return []
    page, _ = lay_out(figure, width, dpi)
    left, top, right, bottom = page.frames[0]
    low = np.array([chart.x[0], chart.y[0]])
    scale = np.array([right - left, top - bottom]) / (np.array([chart.x[1], chart.y[1]]) - low)
    written = {(x, y): text for x, y, text, _ in chart.cells}
    found: list[Spot] = []
    for line in chart.lines:
        places = (line.points - low) * scale + (left, bottom)
        if line.filled and len(line.points) == 4:
            box = (*places.min(0).tolist(), *places.max(0).tolist())
            middle = tuple(((line.points.min(0) + line.points.max(0)) / 2).tolist())
            found.append(Spot(box, middle, _said_of_box(chart, line, middle, written)))
        elif not line.filled and not line.dashed:
            for point, (x, y) in zip(line.points.tolist(), places.tolist(), strict=True):
                box = (x - REACH, y - REACH, x + REACH, y + REACH)
                found.append(Spot(box, (point[0], point[1]), _said_of_point(chart, line, point)))
    return found if len(found) <= MOST else []


def _said_of_box(chart: Chart, line: Line, middle: tuple[float, ...], written: dict[tuple[float, float], str]) -> str:
    across, up = _named(chart.x_ticks, middle[0]), _named(chart.y_ticks, middle[1])
    if up:  # a cell, or a bar whose number stands with its name
        value = written.get((middle[0], middle[1]), "")
        return " · ".join(part for part in (up, across, value) if part)
    (x0, _), (x1, y1) = line.points.min(0).tolist(), line.points.max(0).tolist()
    name = f"{line.name}: " if line.name else ""
    return f"{name}{number(x0)} to {number(x1)}: {number(y1)}"


def _said_of_point(chart: Chart, line: Line, point: list[float]) -> str:
    x, y = point
    across, up = (
        _named(chart.x_ticks, x) or _with(chart.axes[0], x),
        _named(chart.y_ticks, y) or _with(chart.axes[1], y),
    )
    name = f"{line.name}: " if line.name else ""
    return f"{name}{across}, {up}"


def _with(axis: str, value: float) -> str:
    return f"{axis} {number(value)}".lstrip()


def _named(ticks: Ticks, value: float) -> str:
    """The name at a value, of ticks that are names."""
    return next((text for at, text in ticks if abs(at - value) < 1e-9 and not _is_number(text)), "")


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").replace("−", "-"))
    except ValueError:
        return False
    return True
