"""Which feature vectors are the same but for rounding: equal pictures, which a network may meet in other batches."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from ..extras import extra

__all__ = ["SAME", "first_alike"]

njit = extra("numba").njit

# The share of each feature's usual size by which equal pictures may differ, as a root mean square over the features.
# Batches of other sizes change it by up to 5.5e-7 (LeNet, a ResNet, EfficientNet), other pictures by far more.
SAME = 3e-6
_SOME = 1000  # vectors by which sizes are told
_ROWS = 4096


def first_alike(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each of the finite vectors (N, D) the number of the first one that is the same."""
    count, size = vectors.shape
    weights = 1 / _sizes(vectors[:: 1 + count // _SOME])
    # Vectors that are alike lie as near each other along any line, and along one they can be sorted.
    line = np.random.default_rng(0).normal(size=(size,))
    line *= weights / np.linalg.norm(line)
    along = np.concatenate([vectors[at : at + _ROWS].astype(np.float64) @ line for at in range(0, count, _ROWS)])
    leaders: NDArray[np.int64] = _leaders(vectors, weights, along, np.argsort(along, kind="stable"), SAME * size**0.5)
    lowest: NDArray[np.int64] = np.full(count, count)
    np.minimum.at(lowest, leaders, np.arange(count))
    return lowest[leaders]


def _sizes(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each feature (D,): the median of its numbers other than zero, or that of all features where it is less.

    A sum that is nearly zero has the rounding of its larger terms; a few huge numbers say nothing of the others.
    """
    found = np.abs(vectors.astype(np.float64))
    found[found == 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some features are always zero
        medians = np.nanmedian(found, 0)
        least = np.nanmedian(medians)
    return np.fmax(medians, least) if np.isfinite(least) else np.ones(len(medians))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _leaders(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    along: NDArray[np.float64],
    order: NDArray[np.int64],
    reach: float,
) -> NDArray[np.int64]:
    """Each vector's leader: the first in this order that is within reach, and follows none itself."""
    leaders = np.full(len(vectors), -1)
    for at in range(len(order)):
        leader = order[at]
        if leaders[leader] >= 0:
            continue
        leaders[leader] = leader
        for other in order[at + 1 :]:
            if along[other] - along[leader] > reach:
                break
            if leaders[other] < 0:
                left = reach * reach
                for k in range(vectors.shape[1]):
                    left -= (weights[k] * (np.float64(vectors[other, k]) - np.float64(vectors[leader, k]))) ** 2
                    if left < 0:
                        break
                if left >= 0:
                    leaders[other] = leader
    return leaders
