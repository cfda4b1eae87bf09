"""Whether the same concepts are found with other seeds and in half of the pictures, against what chance finds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, unheard
from .factorise import factorise

__all__ = ["Stability", "matched", "shuffled", "stability"]

SEEDS, HALVINGS = 3, 2
STEPS = 200
Floats = NDArray[np.float64]


class Stability(NamedTuple):
    """For each direction (k,) the mean cosine with that which it is matched with when it is looked for anew; `control`
    is the greatest such number where there is nothing to find: in the same rows with their channels shuffled."""

    values: Floats
    control: float

    @property
    def stable(self) -> NDArray[np.bool_]:
        return np.asarray(self.values > self.control)


def matched(directions: Floats, others: Floats) -> Floats:
    """The cosine of each direction (k, C) with that of the others (j, C) it is matched with, one to one so that their
    sum is greatest (Kuhn 1955); 0 for one that is left over."""
    from scipy.optimize import linear_sum_assignment

    lengths = np.linalg.norm(directions, axis=1)[:, None] * np.linalg.norm(others, axis=1)
    cosines = directions @ others.T / np.where(lengths > 0, lengths, 1)
    found = np.zeros(len(directions))
    mine, theirs = linear_sum_assignment(-cosines)
    found[mine] = cosines[mine, theirs]
    return found


def shuffled(rows: Floats, seed: int) -> Floats:
    """Rows (M, C) with each channel's values in another order: each channel is as it was, and nothing goes together."""
    return np.random.default_rng(seed).permuted(rows, axis=0)


def stability(
    rows: Floats, owners: NDArray[np.int64], directions: Floats, seed: int, progress: Progress = unheard
) -> Stability:
    """Of directions (k, C) of rows (M, C), which are crops of pictures `owners` (M,).

    They are looked for again from SEEDS random beginnings and in both halves of the pictures, HALVINGS times. What is
    found in noise is found again in it too, as the halves are of the same noise: so the control is not another
    factorisation but the same number of concepts of nothing.
    """
    again = _again(rows, owners, directions, seed, part(progress, 0, 0.5))
    nothing = shuffled(rows, seed)
    by_chance = factorise(nothing, len(directions), seed, steps=STEPS).directions
    return Stability(again, float(_again(nothing, owners, by_chance, seed, part(progress, 0.5, 1)).max()))


def _again(rows: Floats, owners: NDArray[np.int64], directions: Floats, seed: int, progress: Progress) -> Floats:
    chance = np.random.default_rng(seed)
    halves = [np.array_split(chance.permutation(np.unique(owners)), 2) for _ in range(HALVINGS)]
    asked = [rows] * SEEDS + [rows[np.isin(owners, half)] for pair in halves for half in pair]
    found = []
    for k, some in enumerate(asked):
        progress(k, len(asked), "stability")
        if some.any():  # else a half in which the layer is silent
            most = min(len(directions), *some.shape)
            found.append(matched(directions, factorise(some, most, seed + 1 + k, "random", STEPS).directions))
    return np.asarray(np.mean(found, 0))
