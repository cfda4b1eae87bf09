"""Where a unit looks within what it could see: its effective receptive field (Luo et al. 2016) on each picture.

A pixel's energy is the unit's squared gradient there, summed over the colours: its share of how much the unit varies
when all pixels vary a little, each on its own. The box leaves at most 1.25 % of that beyond each of its four sides, so
it holds at least 95 %.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry import Status
from ..model import Box, Layer, Model
from ..trace import asking, record
from .cut import Cuts, extent, sight

__all__ = ["box_of", "describe", "locate"]

BEYOND = 0.0125
AT_ONCE = 8  # pictures a pass: the graph holds all activations of each


def locate(model: Model, layer: Layer, cuts: Cuts) -> Cuts:
    """The cuts with `effective_box` and `effective_share` (of the energy, in the box) in their table, None where no
    pixel moves the unit; as they are for a layer whose units see a part of the picture, which the tiles show."""
    size = model.preprocess.size
    if extent(layer, size) != size:
        return cuts
    keys = list(zip(cuts.which.tolist(), cuts.table["channel"], cuts.table["position"], strict=True))
    units = [key for key in dict.fromkeys(keys) if key[0] >= 0]  # best and random may be the same
    found: dict[tuple[int, int, tuple[int, int]], tuple[Box, float] | None] = {}
    for first in range(0, len(units), AT_ONCE):
        some = units[first : first + AT_ONCE]
        pictures = torch.stack([model.preprocess.scaled(cuts.pictures[number]) for number, _, _ in some])
        found |= zip(some, map(box_of, _energy(model, layer, pictures.to(model.device), some)), strict=True)
    boxes = [found.get(key) for key in keys]
    columns: dict[str, list[Any]] = {
        "effective_box": [one and one[0] for one in boxes],
        "effective_share": [one and one[1] for one in boxes],
    }
    return replace(cuts, table=cuts.table | columns)


def _energy(
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


def describe(layer: Layer, cuts: Cuts) -> str:
    """What the boxes on whole pictures are, and how much of the picture they cover."""
    known = layer.field is not None and layer.spatial and layer.field.status != Status.WHOLE_INPUT
    size = cuts.size
    reach = sight(layer, size) + (" A red box is what a unit near the border sees." if known else "")
    boxes = [box for box in cuts.table["effective_box"] if box is not None]
    if not boxes:
        return f"{reach} No pixel moves these units."
    areas = [(y1 - y0) * (x1 - x0) / (size[0] * size[1]) for y0, x0, y1, x1 in boxes]
    return (
        f"{reach} Blue box: where it looks, its effective field (Luo et al. 2016), with at least 95 % of its squared "
        f"gradient; it covers {np.median(areas):.0%} of the picture (median)."
    )
