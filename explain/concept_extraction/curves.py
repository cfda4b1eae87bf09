"""The score while concepts are taken away, or put in, one after the other: in one order, and in orders of chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ORDERS", "Curves", "Plan", "plan"]

ORDERS = 24
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """The mean score with 0 to k concepts taken away, or put in (k+1,), by importance; and the same in orders of chance
    (ORDERS, k+1)."""

    deletion: Floats
    insertion: Floats
    deletion_by_chance: Floats
    insertion_by_chance: Floats

    @property
    def areas(self) -> dict[str, Any]:
        """Of each curve its mean over the way; of those by chance the mean, and where 95 % of them lie."""
        found: dict[str, Any] = {}
        for name in ("deletion", "insertion"):
            found[name] = _area(getattr(self, name))
            by_chance = _area(getattr(self, f"{name}_by_chance"))
            low, high = np.percentile(by_chance, [2.5, 97.5]).tolist()
            found[f"{name}_by_chance"] = (float(by_chance.mean()), low, high)
        return found


@dataclass(frozen=True, eq=False)
class Plan:
    """`masks` (S, k) of zeros and ones whose scores are needed; where in these the curves find theirs."""

    masks: Floats
    deletion: NDArray[np.int64]
    insertion: NDArray[np.int64]
    by_chance: NDArray[np.int64]

    def curves(self, scores: Floats) -> Curves:
        """scores (S,): the mean over the pictures for each mask. What an order inserts is what its reverse has not
        deleted yet: both kinds of curves by chance are of the same masks."""
        chance = scores[self.by_chance]
        return Curves(scores[self.deletion], scores[self.insertion], chance, chance[:, ::-1])


def plan(order: NDArray[np.int64], seed: int) -> Plan:
    """For concepts in an order (k,), and in ORDERS orders of chance."""
    chance, count = np.random.default_rng(seed), len(order)
    orders = [order, order[::-1], *(chance.permutation(count) for _ in range(ORDERS))]
    rows = np.concatenate([_deleted(one) for one in orders])
    masks, places = np.unique(rows, axis=0, return_inverse=True)
    places = places.reshape(len(orders), count + 1)
    return Plan(masks, places[0], places[1][::-1], places[2:])


def _deleted(order: NDArray[np.int64]) -> Floats:
    """Masks (k+1, k) without the first 0 to k of an order."""
    masks = np.ones((len(order) + 1, len(order)))
    for done, concept in enumerate(order, 1):
        masks[done:, concept] = 0
    return masks


def _area(curve: Floats) -> Any:
    return np.trapezoid(curve, dx=1 / (curve.shape[-1] - 1), axis=-1)
