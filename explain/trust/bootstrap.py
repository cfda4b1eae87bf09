"""Means over pictures, with the interval in which they may lie."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mean", "bootstrap", "drawn_anew", "wilson"]

RESAMPLES = 2000


class Mean(NamedTuple):
    """A mean over pictures with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(values: NDArray[np.float64], seed: int) -> Mean:
    """The mean of values (N,), and where it lies when as many are drawn anew, with replacement."""
    picks = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[picks].mean(1), [2.5, 97.5]).tolist()
    return Mean(float(values.mean()), low, high)


def drawn_anew(count: int, seed: int) -> NDArray[np.float64]:
    """How often each of so many is drawn when as many are drawn anew, with replacement (count, RESAMPLES)."""
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return drawn.T.astype(np.float64)


def wilson(hits: int, of: int) -> Mean:
    """A share with Wilson's interval (1927), which is right for few and for rare ones too."""
    from scipy.stats import binomtest

    interval = binomtest(hits, of).proportion_ci(method="wilson")
    return Mean(hits / of, float(interval.low), float(interval.high))
