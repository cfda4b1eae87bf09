"""How much of the score each concept is worth: total Sobol indices of masks, and what the score loses without one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..trust.bootstrap import Mean, bootstrap, drawn_anew

__all__ = ["Terms", "designs", "effects", "jansen", "total_indices"]

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """Half the mean squared change of a score when one concept's mask alone is drawn anew (..., k), and the variance of
    the score (...)."""

    changes: Floats
    variance: Floats


def designs(count: int, points: int, seed: int) -> Floats:
    """Quasi-random masks (points * (count + 2), count) within 0 to 1: A, B, and for each concept A with its column of
    B. `points` is a power of two (Sobol 1967, scrambled)."""
    from scipy.stats import qmc

    drawn = qmc.Sobol(2 * count, scramble=True, rng=seed).random(points)
    first, second = drawn[:, :count], drawn[:, count:]
    mixed = np.repeat(first[None], count, 0)
    for k in range(count):
        mixed[k, :, k] = second[:, k]
    return np.concatenate([first, second, mixed.reshape(-1, count)])


def jansen(values: Floats, count: int) -> Terms:
    """Of values (..., points * (count + 2)) at `designs`: their ratio is the total index (Jansen 1999)."""
    blocks = values.reshape(*values.shape[:-1], count + 2, -1)
    first, mixed = blocks[..., 0, :], blocks[..., 2:, :]
    changes = np.square(first[..., None, :] - mixed).mean(-1) / 2
    return Terms(changes, blocks[..., :2, :].reshape(*values.shape[:-1], -1).var(-1))


def total_indices(terms: Terms, seed: int) -> list[Mean]:
    """The total index of each concept over pictures (n, k), with its interval where as many pictures are drawn anew.

    The sum of the changes by the sum of the variances (Gamboa et al. 2014): a picture whose score hardly moves tells
    little of what moves it, and counts as little. 0 where no score moves.
    """
    weights = np.concatenate([np.ones((len(terms.variance), 1)), drawn_anew(len(terms.variance), seed)], 1)
    whole = terms.variance @ weights
    drawn = np.divide(
        terms.changes.T @ weights, whole, out=np.zeros((terms.changes.shape[1], len(whole))), where=whole > 0
    )
    low, high = np.percentile(drawn[:, 1:], [2.5, 97.5], axis=1)
    return [Mean(*each) for each in np.stack([drawn[:, 0], low, high], 1).tolist()]


def effects(losses: Floats, seed: int) -> list[Mean]:
    """Of what each picture's score loses without each concept (n, k): the means, each with its interval."""
    return [bootstrap(losses[:, k], seed) for k in range(losses.shape[1])]
