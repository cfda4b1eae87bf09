"""A part of a network's input: what the score of a class is summed over, where the network gives maps of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Region"]


@dataclass(frozen=True)
class Region:
    """Pixels of an input of `size` (height, width), as the lengths of runs row by row, the first of them outside."""

    size: tuple[int, int]
    runs: tuple[int, ...]

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_]) -> Region:
        """The pixels where a mask (H, W) is true."""
        flat = np.concatenate([[False], mask.ravel()])
        ends = np.flatnonzero(np.diff(flat)).tolist()
        height, width = mask.shape
        return cls((height, width), tuple(np.diff([0, *ends, mask.size]).tolist()))

    @classmethod
    def of_box(cls, box: Sequence[int], size: tuple[int, int]) -> Region:
        """The pixels of a box y0, x0, y1, x1, half open."""
        mask = np.zeros(size, np.bool_)
        mask[box[0] : box[2], box[1] : box[3]] = True
        return cls.of_mask(mask)

    def painted(self, points: Sequence[tuple[float, float]], radius: float, inside: bool = True) -> Region:
        """With, or without, the pixels whose middle is within a radius of the line through points (y, x)."""
        mask = self.mask.copy()
        for start, end in zip([points[0], *points], points, strict=False):
            (y0, x0), (y1, x1) = np.minimum(start, end) - radius, np.maximum(start, end) + radius
            rows, columns = slice(max(int(y0), 0), max(int(y1) + 1, 0)), slice(max(int(x0), 0), max(int(x1) + 1, 0))
            part = mask[rows, columns]  # the pixels that may be near
            middles = np.moveaxis(np.indices(part.shape), 0, -1) + np.array([rows.start + 0.5, columns.start + 0.5])
            part[_near(middles, np.array(start), np.array(end), radius)] = inside
        return Region.of_mask(mask)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W)."""
        inside = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(inside, self.runs).reshape(self.size)

    def shares(self, size: Sequence[int]) -> Tensor:
        """How much of each cell of a map (h, w), stretched over the input, lies within: by area, so that a region
        smaller than a cell does not vanish."""
        whole = torch.from_numpy(self.mask).float()[None, None]
        return F.interpolate(whole, tuple(size), mode="area")[0, 0]


def _near(middles: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64], radius: float) -> Any:
    """Which points (..., 2) are within a radius of a piece of a line."""
    along = end - start
    share = np.clip((middles - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    return np.square(middles - start - share[..., None] * along).sum(-1) <= radius**2
