"""Field: the answer about one tensor, read off what its elements see."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from torch import Tensor

from ...errors import BadValue
from .units import Units

Box = tuple[int, int, int, int]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Status(StrEnum):
    """How far a field can be trusted as a patch."""

    EXACT = "exact"
    WHOLE_INPUT = "whole input"
    UPPER_BOUND = "upper bound"


@dataclass(frozen=True, eq=False)
class Axis:
    """Input interval [low, high) of each row or column, and the textbook numbers, which know no border."""

    low: Ints
    high: Ints
    size: float
    stride: float
    start: float


@dataclass(frozen=True, eq=False)
class Field:
    """What the units of one tensor see. `dims` are its dimensions of rows and columns, None where it has none."""

    rows: Axis
    columns: Axis
    status: Status
    dims: tuple[int, int] | None
    _shape: tuple[int, ...] = field(repr=False)  # channels, rows, columns
    _edges: tuple[Ints, ...] = field(repr=False)  # top, bottom, left, right: of that shape, or 1 where they do not vary

    @property
    def size(self) -> tuple[float, float]:
        return self.rows.size, self.columns.size

    @property
    def stride(self) -> tuple[float, float]:
        return self.rows.stride, self.columns.stride

    def box(self, i: int | None = None, j: int | None = None, channel: int | None = None) -> Box:
        """(y0, x0, y1, x1), half open, in the network's input; all zero for a unit that sees only padding.

        An index left out means the union over it. Where one dimension runs over all positions, j follows from i.
        """
        if self.dims is not None and self.dims[0] == self.dims[1]:
            j = None
        where = (channel, i, j)
        for name, index, size in zip(("Channel", "Row", "Column"), where, self._shape, strict=True):
            if index is not None and not 0 <= index < size:
                raise BadValue(f"{name} {index} is outside 0 to {size - 1}.")

        def cut(edge: Ints) -> Ints:
            spans = (
                slice(None) if k is None or n == 1 else slice(k, k + 1) for k, n in zip(where, edge.shape, strict=True)
            )
            return edge[tuple(spans)]

        top, bottom = np.broadcast_arrays(*map(cut, self._edges[:2]))
        left, right = np.broadcast_arrays(*map(cut, self._edges[2:]))
        down, across = bottom > top, right > left  # a unit that sees only padding has neither
        if not down.any():
            return 0, 0, 0, 0
        return int(top[down].min()), int(left[across].min()), int(bottom[down].max()), int(right[across].max())


@functools.lru_cache(64)  # a convolution, its normalisation and its activation share one
def field_of(units: Units, extent: tuple[int, int]) -> Field:
    ndim, dims = len(units.shape), _positions(units)
    flat = dims is not None and dims[0] == dims[1]
    others = [d for d in range(ndim) if d not in (dims or ())]
    kept = [d for d in others if d > 0 or (ndim == 3 and dims and not flat)][-1:]  # the channels
    order = [*kept, *dict.fromkeys(dims or ())]
    shape = [1] * (not kept) + [units.shape[d] for d in order]
    shape += [1] * (3 - len(shape))

    def arranged(map_: Tensor) -> Any:
        """As (channels, rows, columns), or (channels, positions, 1) where one dimension runs over all positions."""
        m = map_.numpy()  # in numpy, so that a hook's question does not go through the tracer
        m = m.max(tuple(d for d in others if d not in kept), keepdims=True) if others != kept else m
        sizes = [1] * (not kept) + [m.shape[d] for d in order]
        return m.transpose(*(d for d in others if d not in kept), *order).reshape(*sizes, *[1] * (3 - len(sizes)))

    maps = [arranged(m) for m in units.maps]
    edges = tuple((np.where(np.isneginf(m), 0, m) * (-1, 1)[n % 2]).astype(np.int64) for n, m in enumerate(maps[:4]))
    axes = []
    for axis, keep in enumerate((1, 1 if flat else 2)):
        first, last, before, after = (
            np.broadcast_to(maps[n + axis * 2].max(tuple({0, 1, 2} - {keep})), shape[keep]) for n in (0, 1, 4, 5)
        )
        low, high = (np.where(np.isneginf(last), 0, edge).astype(np.int64) for edge in (-first, last))
        start = -before[np.isfinite(before)][:1].sum()  # no tap at all, in the gaps of a transposed convolution: 0
        axes.append(Axis(low, high, max(0.0, float((before + after).max())), units.stride[axis], float(start)))
    whole = [float(m.min()) for m in maps[:4]] == [0, extent[0], 0, extent[1]]
    status = Status.WHOLE_INPUT if units.mixed and whole else Status.EXACT
    return Field(axes[0], axes[1], Status.UPPER_BOUND if units.bound else status, dims, tuple(shape), edges)


def _positions(units: Units) -> tuple[int, int] | None:
    """The dimensions of rows and columns, told by the dimensions along which the reach down and across varies.

    They are the last two of four or more, unless channels come last. Of three or fewer, one may run over all positions.
    """
    ndim = len(units.shape)
    down, across = ([d for d in range(ndim) if m.shape[d] > 1] for m in units.maps[4::2])
    if ndim == 3 and 1 in down and 2 in across and 2 not in down:
        return 1, 2  # one image without its batch
    if ndim < 4:
        return (d := max(down + across, key=lambda d: (down + across).count(d)), d) if down + across else None
    turned = 3 in down and 3 not in across  # height and width have traded places
    thin = units.shape[2] == 1 and 1 in down and 1 not in across and 3 not in across
    wide = 2 in across and 2 not in down and (1 in down or units.shape[1] == 1) and not turned
    channels_last = ndim == 4 and (thin or wide)
    return (1, 2) if channels_last else (ndim - 2, ndim - 1)
