"""Lines of equal height under what is drawn on a surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...figure import Line

__all__ = ["contours"]

LOW, HIGH = 110, 220  # greys of the lowest and the highest line


def contours(x: NDArray[np.float64], y: NDArray[np.float64], heights: NDArray[np.float64], count: int) -> list[Line]:
    """Of heights (Y, X) over ascending x (X,) and y (Y,): lines at `count` levels, as many places between two of them
    as between any others, the lower the darker."""
    from skimage.measure import find_contours

    heights = np.where(np.isfinite(heights), heights, np.nanmax(heights[np.isfinite(heights)], initial=0.0))
    levels = np.unique(np.quantile(heights, (np.arange(count) + 0.5) / count))
    lines = []
    for k, level in enumerate(levels):
        grey = round(LOW + (HIGH - LOW) * k / max(len(levels) - 1, 1))
        for rows_and_columns in find_contours(heights, level):  # type: ignore[no-untyped-call]
            rows, columns = rows_and_columns.T
            points = np.stack([np.interp(columns, np.arange(len(x)), x), np.interp(rows, np.arange(len(y)), y)], 1)
            if len(points) > 1:
                lines.append(Line("", points, (grey, grey, grey), width=0.7))
    return lines
