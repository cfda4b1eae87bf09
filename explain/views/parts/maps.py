"""Maps as pictures: their colours and scale, and their true place over the input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...figure import Scale
from ...images import colour, unit_scale
from ...network.geometry import Axis, Status
from ...network.model import Layer

__all__ = ["colours_of", "limits_of", "scale_of", "upsample"]


def upsample(
    values: NDArray[np.float32], layer: Layer, size: tuple[int, int], smooth: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A map (h, w) at its true place over the input (H, W), and 1 where units stand, 0 beyond the outermost ones.

    A unit stands at the centre of its receptive field and fills one stride: an unpadded layer leaves a margin.
    """
    weights, inside = [], []
    for axis, count, length in zip(_axes(layer), values.shape, size, strict=True):
        at = np.arange(length) + 0.5
        if axis is None or not axis.stride:
            unit = at * count / length - 0.5
        else:
            unit = (at - axis.start - axis.size / 2) / axis.stride
        inside.append((unit >= -0.5) & (unit < count - 0.5))
        unit = np.clip(unit if smooth else np.floor(unit + 0.5), 0, count - 1)
        below = np.floor(unit).astype(int)
        share = unit - below
        matrix = np.zeros((length, count))
        matrix[np.arange(length), below] += 1 - share
        matrix[np.arange(length), np.minimum(below + 1, count - 1)] += share
        weights.append(matrix)
    placed = weights[0] @ values.astype(np.float64) @ weights[1].T
    return placed.astype(np.float32), np.outer(*inside).astype(np.float32)


def _axes(layer: Layer) -> tuple[Axis | None, Axis | None]:
    known = layer.field is not None and layer.spatial and layer.field.status == Status.EXACT
    return (layer.field.rows, layer.field.columns) if known and layer.field else (None, None)


def limits_of(values: NDArray[np.float32]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def scale_of(limits: tuple[float, float], label: str) -> Scale | None:
    """From zero up where nothing is negative; else symmetric, so that zero is the neutral centre. None: all zero."""
    low, high = limits
    limit = max(abs(low), abs(high))
    if not np.isfinite(limit) or limit == 0:
        return None
    return Scale("viridis", 0.0, high, label) if low >= 0 else Scale("red-blue", -limit, limit, label)


def colours_of(values: NDArray[np.float32], scale: Scale | None) -> NDArray[np.uint8]:
    if scale is None:
        return colour(np.zeros(values.shape, np.float32), "viridis")
    return colour(unit_scale(values, scale.low, scale.high), scale.cmap)
