"""Intervals of shares, and of the difference of two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["difference", "wilson"]

Floats = NDArray[np.float64]
Z = 1.959963984540054


def wilson(hits: ArrayLike, counts: ArrayLike, z: float = Z) -> tuple[Any, Any]:
    """The interval of shares hits / counts, by default of 95 %; NaN where there are none (Wilson 1927)."""
    hits, counts = np.asarray(hits, np.float64), np.asarray(counts, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits / counts
        middle = (share + z**2 / (2 * counts)) / (1 + z**2 / counts)
        half = z / (1 + z**2 / counts) * np.sqrt(share * (1 - share) / counts + z**2 / (4 * counts**2))
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def difference(hits: int, count: int, other_hits: int, other_count: int, z: float = Z) -> tuple[float, float]:
    """The interval of hits / count - other_hits / other_count, by default of 95 % (Newcombe 1998, method 10); -1 to 1
    where one of them is of nothing."""
    if not count or not other_count:
        return -1.0, 1.0
    first, second = hits / count, other_hits / other_count
    (low, high), (other_low, other_high) = wilson(hits, count, z), wilson(other_hits, other_count, z)
    down = np.sqrt((first - low) ** 2 + (other_high - second) ** 2)
    up = np.sqrt((high - first) ** 2 + (second - other_low) ** 2)
    return float(first - second - down), float(first - second + up)
