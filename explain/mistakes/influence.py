"""Training pictures behind a prediction, by the last layer: TracIn (Pruthi et al. 2020, "Estimating Training Data
Influence by Tracing Gradient Descent", NeurIPS) and influence functions (Koh and Liang 2017, ICML).

The loss's gradient by the last layer's weights is (p - y) x (f, 1), of probabilities p, the label y as a unit vector,
and features f; so the product of two pictures' gradients is a product of two products, and nothing runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from ..errors import BadValue
from ..progress import Progress, unheard

__all__ = ["influence_function", "residuals", "tracin"]

Floats = NDArray[np.float64]
STEPS = 200  # of conjugate gradients, at most
EXACT = 1e-6


def residuals(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    """The loss's gradient (n, C) by the scores: the probabilities less one at the label."""
    found = probabilities.astype(np.float64, copy=True)
    found[np.arange(len(labels)), labels] -= 1
    return found


def tracin(
    features: NDArray[np.floating], errors: Floats, own_features: Floats, own_error: Floats, bias: bool = True
) -> Floats:
    """How much a step of the learning rate one along each training picture (n,) lowers a picture's loss, to first
    order: the product of the gradients. Above 0 for proponents, below for opponents.

    features (n, D) and errors (n, C), see `residuals`, of the training pictures; own_features (D,) and own_error (C,)
    of the picture asked about. Sums over snapshots are the paper's TracInCP, times the learning rate of each.
    """
    same = features.astype(np.float64) @ own_features + bias
    found: Floats = same * (errors @ own_error)
    return found


def influence_function(
    features: NDArray[np.floating],
    probabilities: Floats,
    errors: Floats,
    own_features: Floats,
    own_error: Floats,
    damping: float,
    bias: bool = True,
    progress: Progress = unheard,
) -> Floats:
    """How much a picture's loss would rise, to first order, were each training picture (n,) left out and the last layer
    trained to its end again: above 0 for proponents. The gradients' product by the inverse of the mean loss's second
    derivative, divided by n.

    damping: added to its diagonal; it is the L2 penalty (damping / 2 |w|^2 beside the mean loss) of the training.
    Raises BadValue for a damping that is not above 0, without which there is no inverse.
    """
    if not damping > 0:
        raise BadValue(f"damping={damping:g} is not above 0.")
    n, shape = len(features), (features.shape[1] + bias, probabilities.shape[1])
    inputs = _with_one(features.astype(np.float64), bias)
    own = np.outer(_with_one(own_features[None], bias)[0], own_error)

    def curved(flat: Floats) -> Floats:
        change = inputs @ flat.reshape(shape)
        moved = probabilities * (change - (probabilities * change).sum(1, keepdims=True))
        found: Floats = (inputs.T @ moved / n).ravel() + damping * flat
        return found

    done = iter(range(1, STEPS + 1))
    size = int(np.prod(shape))
    solved, _ = cg(
        LinearOperator((size, size), matvec=curved, dtype=np.float64),
        own.ravel(),
        rtol=EXACT,
        maxiter=STEPS,
        callback=lambda _: progress(next(done, STEPS), STEPS, "second derivatives"),
    )
    influence: Floats = ((inputs @ solved.reshape(shape)) * errors).sum(1) / n
    return influence


def _with_one(features: Floats, bias: bool) -> Floats:
    return np.hstack([features, np.ones((len(features), 1))]) if bias else features
