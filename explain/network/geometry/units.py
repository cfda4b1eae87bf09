"""What the elements of one tensor see: eight maps, and how they are joined and widened."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Units:
    """What every element of one tensor sees. All maps hold distances that only grow: -top, bottom, -left, right.

    A map has the tensor's dimensions, with size 1 along those where it does not vary. The first four end at the input's
    border and are -inf for a unit that sees nothing; the last four run on beyond it.
    """

    shape: tuple[int, ...]
    maps: tuple[Tensor, ...]
    stride: tuple[float, float]
    mixed: bool = False  # some operation joined all positions
    bound: bool = False  # some operation was unknown

    def each(self, change: Callable[[Tensor], Tensor], shape: Sequence[int]) -> Units:
        return replace(self, shape=tuple(shape), maps=tuple(change(m) for m in self.maps))

    def varies(self) -> bool:
        return any(m.numel() > 1 for m in self.maps[4:])

    def joined(self, dims: Sequence[int] = (), keepdim: bool = True, shape: Sequence[int] | None = None) -> Units:
        """Union over some dimensions (none: over all)."""
        dims = list(dims) or list(range(len(self.shape)))
        out = self.each(lambda m: m.amax(dims, keepdim), self.shape if shape is None else shape)
        return replace(out, mixed=self.mixed or (self.varies() and not out.varies()))

    def grouped(self, groups: int, channels: int) -> Units:
        """Union over the channels of each group, given to the channels made from it."""

        def change(m: Tensor) -> Tensor:
            m = m if m.shape[1] == 1 else m.reshape(m.shape[0], groups, -1, *m.shape[2:]).amax(2)
            return m if m.shape[1] == 1 else small(m.repeat_interleave(channels // groups, 1))

        return self.each(change, (self.shape[0], channels, *self.shape[2:]))

    def windowed(self, dim: int, taps: Tensor, valid: Tensor | None = None, step: float = 1.0) -> Units:
        """Union over the taps (positions, taps) of each new position along dim; taps outside see nothing."""
        size, axis = self.shape[dim], dim - len(self.shape) + 2  # axis 0: rows, 1: columns, else neither
        nearest = taps.clamp(0, size - 1)
        shape = [1] * len(self.shape)
        shape[dim : dim + 1] = taps.shape
        exists = torch.ones_like(taps, dtype=torch.bool) if valid is None else valid
        inside = (exists & (taps == nearest)).reshape(shape)
        beyond = ((taps - nearest) * (self.stride[axis] if axis in (0, 1) else 0.0)).reshape(shape)

        def change(m: Tensor, number: int) -> Tensor:
            slope = (-1, 1)[number % 2] if number >= 4 and axis == (number - 4) // 2 else 0
            if m.shape[dim] == 1 and not slope and (number >= 4 or bool(inside.any(dim + 1).all())):
                return m
            m = m.expand(*m.shape[:dim], size, *m.shape[dim + 1 :])
            m = m.index_select(dim, nearest.flatten()).reshape(*m.shape[:dim], *taps.shape, *m.shape[dim + 1 :])
            alive = inside if number < 4 else exists.reshape(shape)
            return torch.where(alive, m + slope * beyond, -torch.inf).amax(dim + 1)

        rows, columns = self.stride
        stride = (rows * step if axis == 0 else rows, columns * step if axis == 1 else columns)
        maps = tuple(change(m, number) for number, m in enumerate(self.maps))
        wide = (*self.shape[:dim], taps.shape[0], *self.shape[dim + 1 :])
        collapsed = self.varies() and not any(m.numel() > 1 for m in maps[4:])
        return replace(self, shape=wide, maps=maps, stride=stride, mixed=self.mixed or collapsed)

    def settled(self) -> Units:
        """A unit that sees no row sees no column either, and the other way round."""
        blind = torch.isneginf(self.maps[0]) | torch.isneginf(self.maps[2])
        if not blind.any():
            return self
        seen = tuple(small(m.masked_fill(blind, -torch.inf)) for m in self.maps[:4])
        return replace(self, maps=seen + self.maps[4:])


def union(shape: tuple[int, ...], units: Sequence[Units]) -> Units:
    """Union of what broadcast operands see."""
    if all(u is units[0] for u in units) and units[0].shape == shape:
        return units[0]
    maps = [functools.reduce(torch.maximum, column) for column in zip(*(u.maps for u in units), strict=True)]
    maps = [m.reshape((1,) * (len(shape) - m.ndim) + m.shape) for m in maps]
    return replace(flags(max(units, key=lambda u: math.prod(u.shape)), units), shape=shape, maps=tuple(maps))


def flags(units: Units, parents: Sequence[Units]) -> Units:
    return replace(units, mixed=any(p.mixed for p in parents), bound=any(p.bound for p in parents))


def everything(shape: tuple[int, ...], extent: tuple[int, int]) -> Units:
    ones, (height, width) = (1,) * len(shape), extent
    edges = tuple(torch.full(ones, e, dtype=torch.float64, device="cpu") for e in (0, height, 0, width))
    return Units(shape, edges * 2, (1.0, 1.0), bound=True)


def small(m: Tensor) -> Tensor:
    """The map with size 1 along every dimension where it does not vary."""
    for dim, size in enumerate(m.shape):
        first = m.narrow(dim, 0, 1) if size > 1 else m
        if size > 1 and (m.stride(dim) == 0 or torch.equal(m, first.expand_as(m))):
            m = first
    return m
