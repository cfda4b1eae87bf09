"""The crops with most of each concept, and where in them it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..network.model import Box, Model
from .crops import crops_of, maps_of
from .factorise import coefficients
from .find import Found

__all__ = ["Crop", "strongest"]


class Crop(NamedTuple):
    """A box of the picture `number` (of the index; `row` among those looked at) with so much of a concept on average;
    `map` (h, w) is where, by a pass of the crop alone."""

    number: int
    row: int
    box: Box
    coefficient: float
    map: NDArray[np.float32]


def strongest(model: Model, found: Found, count: int) -> list[list[Crop]]:
    """For each concept at most so many crops, each of another picture, most of it first."""
    directions = found.factors.directions
    every = []
    with model.exclusive() as net:
        for concept in range(len(found)):
            crops = []
            for k in found.best(concept, count):
                row, box = int(found.owners[k]), found.boxes[k % len(found.boxes)]
                cut = crops_of(found.pictures.inputs[row : row + 1], [box])
                maps = maps_of(net, found.layer.name, cut, model.device)[0].clamp(min=0).cpu().numpy()
                places = coefficients(maps.reshape(len(maps), -1).T, directions)[:, concept]
                own = places.reshape(maps.shape[1:]).astype(np.float32)
                value = float(found.factors.coefficients[k, concept])
                crops.append(Crop(found.pictures.numbers[row], row, box, value, own))
            every.append(crops)
    return every
