"""What pictures are, as classes of a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data import ImageSet
from ...network.model import Model

__all__ = ["truth_of"]


def truth_of(model: Model, images: ImageSet) -> NDArray[np.int64]:
    """Classes of the model (N,); -1 where that is not known, or none of them."""
    if images.labels is None:
        return np.full(len(images), -1)
    number = {name: k for k, name in enumerate(model.classes)}
    own = np.array([*(number.get(name, -1) for name in images.classes), -1])
    return own[images.labels]
