"""What each channel gives to one unit on one picture, so that the parts add up to what the unit gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..network.graph import INPUT
from ..network.trace import call_of, calls, reached
from .expanded import started

__all__ = ["Contributions", "contributions"]


@dataclass(frozen=True, eq=False)
class Contributions:
    """`response` of a unit at `position` is the sum of `parts`, by source a number a channel (C,), and of `rest`.

    `silent` is its response with all sources at zero: equal to `rest`, the biases between, where nothing between bends;
    else the part of `rest` beyond it is of what bends.
    """

    response: float
    position: tuple[int, ...]
    parts: dict[str, NDArray[np.float64]]
    silent: float

    @property
    def rest(self) -> float:
        return self.response - sum(float(one.sum()) for one in self.parts.values())


def contributions(
    net: nn.Module,
    batch: Tensor,
    sources: Sequence[str],
    layer: str,
    channel: int,
    position: Sequence[int] | None = None,
) -> Contributions:
    """Of the unit that answers most to the batch (1, C, H, W) of a picture, or of the one at `position`: slope times
    value, summed over a channel's places, on the linear piece where the network is."""
    with torch.inference_mode(False), torch.enable_grad(), started(net, batch, sources) as (leaves, own):
        output = reached(net, own, layer)
    maps = output[0, channel]
    if position is None:
        position = tuple(int(k) for k in np.unravel_index(int(maps.argmax()), tuple(maps.shape)))
    position = tuple(position)
    held = {name: leaves[name] for name in sources if name in leaves}
    slopes = torch.autograd.grad(maps[position], list(held.values()), allow_unused=True)
    parts = {}
    for (name, value), slope in zip(held.items(), slopes, strict=True):
        given = torch.zeros_like(value) if slope is None else slope * value.detach()
        parts[name] = given[0].detach().cpu().double().reshape(value.shape[1], -1).sum(1).numpy()
    silent = _silent(net, batch, sources, layer, channel, position)
    return Contributions(float(maps[position].detach()), position, parts, silent)


def _silent(
    net: nn.Module, batch: Tensor, sources: Sequence[str], layer: str, channel: int, position: tuple[int, ...]
) -> float:
    wanted = {call_of(net, name) for name in sources if name != INPUT}

    def on_output(module: str, call: int, output: Tensor) -> Tensor | None:
        met = (module, call) in wanted or (module, None) in wanted
        return torch.zeros_like(output) if met else None

    given = torch.zeros_like(batch) if INPUT in sources else batch
    with torch.inference_mode(False), torch.no_grad(), calls(net, [module for module, _ in wanted], on_output):
        return float(reached(net, given, layer)[(0, channel, *position)])
