"""Where a unit looks within what it could see: its effective receptive field (Luo et al. 2016) on each picture.

A pixel's energy is the unit's squared gradient there, summed over the colours: its share of how much the unit varies
when all pixels vary a little, each on its own. The box leaves at most 1.25 % of that beyond each of its four sides, so
it holds at least 95 %.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .model import Box, Layer, Model
from .trace import asking, record

__all__ = ["AT_ONCE", "box_of", "energy_of"]

BEYOND = 0.0125
AT_ONCE = 8  # pictures a pass: the graph holds all activations of each


def energy_of(
    model: Model, layer: Layer, batch: torch.Tensor, units: list[tuple[int, int, tuple[int, int]]]
) -> NDArray[np.float32]:
    """(N, H, W): of one unit in each picture. Pictures of a batch do not meet, so one pass back serves all."""
    batch = asking(batch)
    with model.exclusive() as net, torch.inference_mode(False), torch.enable_grad():
        _, held = record(net, batch, [layer.name], gradients=True)
        chosen = torch.stack(
            [held[layer.name][(n, c, *(place if layer.spatial else ()))] for n, (_, c, place) in enumerate(units)]
        )
        if not chosen.requires_grad:  # it does not depend on the picture
            return np.zeros((len(batch), *batch.shape[2:]), np.float32)
        gradient = torch.autograd.grad(chosen.sum(), batch)[0]
    energy: NDArray[np.float32] = gradient.float().square().sum(1).cpu().numpy()
    return energy


def box_of(energy: NDArray[np.float32]) -> tuple[Box, float] | None:
    """The box of an energy (H, W), half open, and the share it holds; None without any, or where it is not finite."""
    total = float(energy.sum(dtype=np.float64))
    if not np.isfinite(total) or total <= 0:
        return None
    (y0, y1), (x0, x1) = (_span(energy.sum(axis, dtype=np.float64)) for axis in (1, 0))
    return (y0, x0, y1, x1), float(energy[y0:y1, x0:x1].sum(dtype=np.float64) / total)


def _span(line: NDArray[np.float64]) -> tuple[int, int]:
    """The shortest interval that leaves no more than BEYOND of the sum before it and after it."""
    allowed = BEYOND * line.sum()
    before, after = np.cumsum(line), np.cumsum(line[::-1])
    return int((before <= allowed).sum()), len(line) - int((after <= allowed).sum())
