"""Few numbers as coloured cells in rows and columns, each to be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...figure import Chart, Line
from ...images import colour, unit_scale

__all__ = ["number_cells"]

INK, PAPER = "#222222", "#ffffff"
MARK = (214, 40, 40)


def number_cells(
    values: NDArray[np.float64],
    title: str,
    *,
    marked: NDArray[np.bool_] | None = None,
    caption: str = "",
    axes: tuple[str, str] = ("column", ""),
    named: bool = True,
) -> Chart:
    """Of values (H, W), the first row on top, light where they are large; `marked` (H, W) cells have a red frame.

    Colours are symmetric around zero where there are negative values. named: rows have their numbers as well.
    """
    rows, columns = values.shape
    low, high = float(values.min()), float(values.max())
    limit = max(abs(low), abs(high)) or 1.0
    map_, low, high = ("red-blue", -limit, limit) if low < 0 else ("viridis", 0.0, limit)
    pixels = colour(unit_scale(values.astype(np.float32), low, high), map_)
    lines, frames, cells = [], [], []
    for i in range(rows):
        for j in range(columns):
            y, hue = rows - i, pixels[i, j].tolist()
            corners = [(j, y - 1), (j + 1, y - 1), (j + 1, y), (j, y), (j, y - 1)]
            lines.append(Line("", np.array(corners, float), (hue[0], hue[1], hue[2]), filled=True))
            if marked is not None and marked[i, j]:
                frames.append(Line("", np.array(corners, float), MARK, width=1.8))
            dark = 0.3 * hue[0] + 0.59 * hue[1] + 0.11 * hue[2] < 140
            cells.append((j + 0.5, y - 0.5, _short(float(values[i, j])), PAPER if dark else INK))
    return Chart(
        (*lines, *frames),
        (0.0, float(columns)),
        (0.0, float(rows)),
        axes,
        tuple((j + 0.5, str(j)) for j in range(columns)),
        tuple((rows - i - 0.5, str(i) if named else " ") for i in range(rows)),
        title=title,
        caption=caption,
        height=max(0.1, 0.9 * rows / columns),
        cells=tuple(cells),
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
