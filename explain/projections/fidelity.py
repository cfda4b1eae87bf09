"""How far a map can be trusted: for each point, whether its neighbours on the map are its neighbours in truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue, Unknown, shorten
from ..extras import extra
from ..index.search import directions
from ..progress import Progress, unheard

__all__ = ["Fidelity", "fidelity"]

njit = extra("numba").njit

_BYTES = 64_000_000  # of the distances held at once
METRICS = ("euclidean", "cosine")


class Fidelity(NamedTuple):
    """For each of the rows (M,), between 0 and 1, by its k nearest points on the map.

    trust   1 less the sum of how many places they come too late among the true neighbours, over the most that can be;
            the mean over all rows is trustworthiness (Venna and Kaski 2001)
    kept    the share of them that are among the k true nearest
    """

    k: int
    rows: NDArray[np.int64]
    trust: NDArray[np.float64]
    kept: NDArray[np.float64]

    @property
    def trustworthiness(self) -> float:
        return float(self.trust.mean())

    @property
    def share_kept(self) -> float:
        return float(self.kept.mean())


def fidelity(
    vectors: NDArray[np.floating],
    points: NDArray[np.floating],
    k: int = 5,
    metric: str = "euclidean",
    *,
    rows: NDArray[np.int64] | None = None,
    progress: Progress = unheard,
) -> Fidelity:
    """Of a map's points (N, 2) or (N, 3) against the vectors (N, D), for all rows or those given.

    Equally near vectors share the smallest of their ranks. Raises BadValue for a k that is not below half of N, and for
    points or vectors that are not finite.
    """
    count = len(vectors)
    if metric not in METRICS:
        raise Unknown("metric", metric, METRICS)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k < count / 2:
        raise BadValue(f"k={shorten(k)} neighbours are not from 1 to less than half of the {count} pictures.")
    exact, flat = (np.asarray(each, np.float64).reshape(count, -1) for each in (vectors, points))
    for each, what in ((flat, "points of the map"), (exact, "feature vectors")):
        if wrong := int((~np.isfinite(each).all(1)).sum()):
            raise BadValue(f"How far a map can be trusted cannot be measured: {wrong:,} {what} are not finite.")
    # About the median of some, since one far from all others must not shift these to where their distances are rounded.
    exact = exact - np.median(exact[:: 1 + count // 1000], 0) if metric == "euclidean" else directions(exact)
    rounding = 8 * np.finfo(np.float64).eps * np.square(exact).sum(1)
    rows = np.arange(count) if rows is None else np.asarray(rows)
    late, kept = np.zeros(len(rows)), np.zeros(len(rows))
    step = max(1, _BYTES // (8 * count))
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        own = np.arange(len(some)), some
        near = _squares(flat, some)
        near[own] = np.inf
        found = np.argpartition(near, k - 1, 1)[:, :k]
        true = _squares(exact, some)
        true[own] = np.inf
        ranks = _ranks(true, found, rounding[some, None] + rounding[found])
        late[first : first + step] = np.maximum(ranks - k, 0).sum(1)
        kept[first : first + step] = (ranks <= k).sum(1)
        progress(first + len(some), len(rows), "points measured")
    return Fidelity(k, rows, 1 - 2 * late / (k * (2 * count - 3 * k - 1)), kept / k)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _ranks(true: NDArray[np.float64], found: NDArray[np.int64], rounding: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of a row's distances (M, N) are below those of its found ones (M, k) by more than their rounding (M, k),
    and one: in one look at each."""
    ranks = np.ones(found.shape, np.int64)
    for row in range(len(true)):
        for at in range(found.shape[1]):
            mine, below = true[row, found[row, at]] - rounding[row, at], 0
            for other in true[row]:
                below += other < mine
            ranks[row, at] += below
    return ranks


def _squares(vectors: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    norms = np.square(vectors).sum(1)
    squares: NDArray[np.float64] = norms[rows, None] + norms - 2 * (vectors[rows] @ vectors.T)
    return np.maximum(squares, 0, out=squares)
