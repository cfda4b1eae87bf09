"""How well channels retrieve groups of pictures, against permuted groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, unheard

__all__ = ["Fits", "average_precisions", "fits"]

Floats = NDArray[np.float64]


class Fits(NamedTuple):
    """`average_precision` (C, G) of each channel for each group, `chance` (G,) its mean over permutations. Of each
    channel (C,): `best`, the group that stands out most from chance, and `p`, how often the most outstanding group of
    permuted ones stands out as much; `q` is p adjusted for the number of channels (Benjamini and Hochberg 1995)."""

    average_precision: Floats
    chance: Floats
    best: NDArray[np.int64]
    p: Floats
    q: Floats


def fits(
    responses: NDArray[np.floating],
    groups: NDArray[np.bool_],
    permutations: int = 2000,
    seed: int = 0,
    progress: Progress = unheard,
) -> Fits:
    """responses (N, C), groups (N, G), each group with some pictures and not all. Ties are broken by chance, so that
    under no relation every order of the pictures is as likely, for all channels alike: one control serves them all."""
    from scipy.stats import false_discovery_control

    chance = np.random.default_rng(seed)
    null = np.empty((permutations, groups.shape[1]))
    for k in range(permutations):
        if k % 50 == 0:
            progress(k, permutations)
        null[k] = _of_order(groups[chance.permutation(len(groups))])
    middle, spread = null.mean(0), np.maximum(null.std(0), 1e-12)
    found = average_precisions(responses, groups, seed)
    out = (found - middle) / spread
    most = np.sort(((null - middle) / spread).max(1))
    at_least = permutations - np.searchsorted(most, out.max(1), side="left")
    p = (1 + at_least) / (1 + permutations)
    return Fits(found, middle, out.argmax(1), p, np.asarray(false_discovery_control(p)))


def average_precisions(responses: NDArray[np.floating], groups: NDArray[np.bool_], seed: int = 0) -> Floats:
    """(C, G): the mean, over the pictures of a group, of the share of its pictures among all that a channel answers to
    as strongly or more. Ties are broken by chance."""
    tie = np.random.default_rng(seed).permutation(len(responses))
    orders = (np.lexsort((tie, -column)) for column in np.asarray(responses, np.float64).T)
    return np.stack([_of_order(groups[order]) for order in orders])


def _of_order(groups: NDArray[np.bool_]) -> Floats:
    """(G,) of groups (N, G) in the order in which pictures are retrieved."""
    shares = np.cumsum(groups, 0) / np.arange(1, len(groups) + 1)[:, None]
    means: Floats = (shares * groups).sum(0) / groups.sum(0)
    return means
