"""The effective fields of units whose patch is the whole picture: on their tiles, and in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...network.effective_field import AT_ONCE, box_of, energy_of
from ...network.geometry import Status
from ...network.model import Box, Layer, Model
from .cut import Cuts, extent, sight

__all__ = ["describe", "locate"]


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
        pictures = torch.stack([model.preprocess.scaled(cuts.crops[number]) for number, _, _ in some])
        found |= zip(some, map(box_of, energy_of(model, layer, pictures.to(model.device), some)), strict=True)
    boxes = [found.get(key) for key in keys]
    columns: dict[str, list[Any]] = {
        "effective_box": [one and one[0] for one in boxes],
        "effective_share": [one and one[1] for one in boxes],
    }
    return replace(cuts, table=cuts.table | columns)


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
