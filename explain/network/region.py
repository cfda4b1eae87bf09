"""A part of a network's input: what the score of a class is summed over, where the network gives maps of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
