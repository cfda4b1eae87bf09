"""Non-negative rows as sums of a few non-negative directions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue, NotSupported
from ..extras import Extra, extra

__all__ = ["Factorisation", "coefficients", "factorise", "unexplained"]

Floats = NDArray[np.floating[Any]]
NEEDED = Extra("scikit-learn", "train", "non-negative factorisation")
STEPS, ENOUGH = 1000, 1e-7  # of the coefficients' descent


@dataclass(frozen=True, eq=False)
class Factorisation:
    """Rows (M, C) are about coefficients (M, k) times directions (k, C), nothing below zero; each direction has
    length 1."""

    coefficients: NDArray[np.float64]
    directions: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.directions)

    def only(self, order: NDArray[np.int64]) -> Factorisation:
        """Some of the directions, in this order."""
        return Factorisation(self.coefficients[:, order], self.directions[order])


def factorise(
    rows: NDArray[np.float64], count: int, seed: int, init: Literal["nndsvda", "random"] = "nndsvda", steps: int = 400
) -> Factorisation:
    """Rows (M, C) by scikit-learn's NMF (Lee and Seung 1999; coordinate descent). Directions that nothing needs are
    left out. Raises BadValue for fewer rows than directions, NotSupported where all rows are zero."""
    if count > min(rows.shape):
        raise BadValue(f"count={count} is more than {min(rows.shape)}, the lesser of crops and channels; ask for less.")
    scale = float(rows.mean())
    if not scale > 0:
        raise NotSupported("The layer is silent on all crops of these pictures: there is nothing to factorise.")
    model = extra("sklearn.decomposition", NEEDED).NMF(count, init=init, random_state=seed, max_iter=steps, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not come to an end yet: how much is explained is told
        found = model.fit_transform(rows / scale) * scale
    lengths = np.linalg.norm(model.components_, axis=1)
    used = np.flatnonzero((lengths > 0) & (found.sum(0) > 0))
    return Factorisation((found * lengths)[:, used], model.components_[used] / lengths[used, None])


def coefficients(rows: Floats, directions: Floats) -> NDArray[np.float64]:
    """The coefficients (M, k), none below zero, by which rows (M, C) come nearest to sums of directions (k, C).

    Coordinate descent on all rows at once, which for few directions is as exact as Lawson and Hanson's algorithm.
    """
    products = directions.astype(np.float64) @ directions.T.astype(np.float64)
    aims = rows.astype(np.float64) @ directions.T.astype(np.float64)
    found = np.zeros_like(aims)
    slack = ENOUGH * float(np.abs(aims).max(initial=0.0))
    for _ in range(STEPS):
        moved = 0.0
        for k in range(len(products)):
            before = found[:, k].copy()
            found[:, k] = np.maximum(0, before + (aims[:, k] - found @ products[k]) / products[k, k])
            moved = max(moved, float(np.abs(found[:, k] - before).max(initial=0.0)))
        if moved <= slack:
            break
    return found


def unexplained(rows: Floats, found: Floats, directions: Floats) -> float:
    """Of the sum of squares of rows (M, C), the share that coefficients (M, k) times directions (k, C) miss."""
    rest = rows - found @ directions
    return float(np.square(rest).sum() / max(float(np.square(rows).sum()), 1e-300))
