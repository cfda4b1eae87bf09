"""Pictures unlike all others: how far their nearest ones are in features (Sun et al. 2022, "Out-of-Distribution
Detection with Deep Nearest Neighbors", ICML)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..index.search import nearest_all, squared_norms
from ..progress import Progress, unheard

__all__ = ["neighbour_distances"]

QUERIES = 1024


def neighbour_distances(
    vectors: NDArray[np.float32],
    reference: NDArray[np.float32] | None = None,
    k: int = 50,
    progress: Progress = unheard,
) -> NDArray[np.float64]:
    """The cosine distance (N,) of each of the vectors (N, D) from its k-th nearest among the reference (M, D), or among
    the other vectors; of fewer than k, from the farthest. NaN of rows that hold NaN, and where there are no others.

    Vectors of length one have the squared distance of the paper as twice the cosine distance, which ranks the same.
    """
    alone = reference is None
    against = vectors if reference is None else reference
    against = against[np.isfinite(against).all(1)]
    found = np.full(len(vectors), np.nan)
    sound = np.flatnonzero(np.isfinite(vectors).all(1))
    count = len(against) - alone
    if count < 1:
        return found
    norms, wanted = squared_norms(against), min(k, count)
    for start in range(0, len(sound), QUERIES):
        progress(start, len(sound), "pictures")
        rows = sound[start : start + QUERIES]
        # A row is its own nearest at distance 0, and so adds one before the k-th of the others, copies or not.
        _, distances = nearest_all(against, vectors[rows], wanted + alone, "cosine", norms=norms)
        found[rows] = distances[:, -1]
    return found
