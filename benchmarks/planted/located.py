"""How well a map lies on the evidence."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

__all__ = ["located"]


def located(heat: np.ndarray, mask: np.ndarray, sign: int) -> dict[str, float]:
    """Of a map (H, W) at the picture's size: the share of its highest pixels that lie in the evidence; the AUC of
    evidence against the rest; the share of its positive mass.

    The highest are half as many as the evidence has, as of a pattern of black and white a map with signs rightly marks
    no more. Evidence against the target is looked for among the lowest, if the map has signs. Of equal pixels each
    counts in part.
    """
    values = -heat if sign < 0 and heat.min() < 0 else heat
    values, inside = values.ravel().astype(np.float64), mask.ravel()
    count = int(inside.sum())
    most = max(1, count // 2)
    limit = np.partition(values, -most)[-most]
    above, at = values > limit, values == limit
    share = (above & inside).sum() + (most - above.sum()) * (at & inside).sum() / at.sum()
    ranks = rankdata(values)[inside]
    auc = (ranks.sum() - count * (count + 1) / 2) / (count * (len(values) - count))
    mass = np.maximum(values, 0)
    return {
        "share": float(share / most),
        "auc": float(auc),
        "mass": float(mass[inside].sum() / (mass.sum() or 1)),
    }
