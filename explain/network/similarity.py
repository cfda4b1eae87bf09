"""How alike layers are that need not have one size: by which pictures are alike in them, and channel by channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Matched", "Similarity", "gram", "hsic", "matched"]

Floats = NDArray[np.float64]
LEAST = 4
"""Pictures of a batch: the unbiased measure needs so many."""


def gram(values: NDArray[np.floating]) -> Floats:
    """Products of each two of the pictures (n, ...), (n, n); zero of each with itself, as the unbiased measure has
    it."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    products: Floats = flat @ flat.T
    np.fill_diagonal(products, 0)
    return products


def hsic(one: Floats, other: Floats) -> Floats:
    """Unbiased Hilbert-Schmidt independence criterion (Song et al. 2012) of each of the Gram matrices (A, n, n) with
    each of (B, n, n), their diagonals zero: (A, B)."""
    n = one.shape[1]
    rows, others = one.sum(2), other.sum(2)
    traces = one.reshape(len(one), -1) @ other.reshape(len(other), -1).T
    sums = np.outer(rows.sum(1), others.sum(1)) / ((n - 1) * (n - 2))
    return np.asarray((traces + sums - 2 / (n - 2) * (rows @ others.T)) / (n * (n - 3)))


class Similarity:
    """Linear CKA (Kornblith et al. 2019) between the layers of two networks, in its minibatch form (Nguyen et al.
    2021): each part is the unbiased measure, added up over batches of the same pictures. 1 for what is the same up to a
    turn, a permutation of its channels and a factor; about 0 where nothing is shared."""

    def __init__(self) -> None:
        self._parts: tuple[Floats, Floats, Floats] | None = None

    def add(self, one: Floats, other: Floats) -> None:
        """Gram matrices (A, n, n) and (B, n, n) of a batch of at least LEAST pictures."""
        own = [np.array([hsic(each[None], each[None])[0, 0] for each in grams]) for grams in (one, other)]
        parts = hsic(one, other), own[0], own[1]
        before = self._parts
        self._parts = parts if before is None else (parts[0] + before[0], parts[1] + before[1], parts[2] + before[2])

    def cka(self) -> Floats:
        """(A, B); NaN for layers in which all pictures are alike."""
        assert self._parts is not None
        both, first, second = self._parts
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(both / np.sqrt(np.outer(first.clip(0), second.clip(0))))


Matched = tuple[NDArray[np.int64], NDArray[np.int64], Floats]
"""Channels of one layer, their partners in the other, and the correlation of each two; the closest first."""


def matched(one: Floats, other: Floats) -> Matched:
    """Each channel of the layer with fewer with one of the other, (N, A) and (N, B), so that the sum of correlations
    over the pictures is the largest (Li et al. 2016). A channel that is the same on all pictures correlates with
    none."""
    from scipy.optimize import linear_sum_assignment

    correlation = _unit(one).T @ _unit(other)
    rows, columns = linear_sum_assignment(correlation, maximize=True)
    values = correlation[rows, columns]
    order = np.argsort(-values, kind="stable")
    return rows[order], columns[order], values[order]


def _unit(values: Floats) -> Floats:
    centred = values - values.mean(0)
    size = np.linalg.norm(centred, axis=0)
    flat = size <= 1e-6 * np.abs(values).max(0, initial=0) * len(values) ** 0.5  # what float32 leaves of a constant
    return np.asarray(centred / np.where(flat, np.inf, np.where(size > 0, size, 1)))
