"""Concept-conditional relevance: how much of a class's score LRP hands to each channel of a layer, and from where in
the picture the channel has it (Achtibat et al. 2023, "From attribution maps to human-understandable explanations")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .lrp import Relevance, ruled
from .propagation import Run, back, run
from .registry import InputRange

__all__ = ["COMPOSITE", "EPSILON", "AtLayer", "conditional", "relevance_at"]

COMPOSITE, EPSILON = "epsilon_plus", 0.01


class AtLayer(NamedTuple):
    """A layer's output and the relevance of each of its values, both (N, C, h, w) or (N, C), of each picture's score
    for the class (N,).

    With composite epsilon the output is the layer's own; the others fold a batch norm right behind a convolution into
    it, whose output is then the norm's.
    """

    output: Tensor
    relevance: Tensor
    scores: Tensor


def relevance_at(
    net: nn.Module,
    layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    composite: str = COMPOSITE,
    epsilon: float = EPSILON,
) -> AtLayer:
    """The score of a class (N,) for pictures (N, C, H, W), handed back by LRP as far as the layer's output.

    What goes past the layer by a shortcut is not in it. Raises NotSupported for a net or a layer that LRP has no rule
    for, Unknown for a layer that the pass does not reach.
    """
    held, signal, passed, _ = _handed(net, layer, batch, target, input_range, composite, epsilon, again=False)
    return AtLayer(held.detach(), (signal * held).detach(), passed.scores.detach())


def conditional(
    net: nn.Module,
    layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    channels: Sequence[int],
    *,
    composite: str = COMPOSITE,
    epsilon: float = EPSILON,
) -> Tensor:
    """The relevance of pixels that comes by each of these channels alone (N, K, H, W).

    That of a layer's output is set to zero in all other channels, and handed on by the same rules. Over all channels
    of a layer that no way goes past, the maps sum up to LRP's; elsewhere to what of it comes by the layer. Raises as
    `relevance_at`.
    """
    held, signal, passed, rules = _handed(net, layer, batch, target, input_range, composite, epsilon, again=True)
    maps = []
    for number, channel in enumerate(channels, 1):
        alone = torch.zeros_like(signal)
        alone[:, channel] = signal[:, channel]
        counts = back(held, passed.batch, alone, again=number < len(channels))
        maps.append((counts * batch + rules.at_pixels).sum(1).detach())
    return torch.stack(maps, 1) if maps else batch.new_zeros((len(batch), 0, *batch.shape[2:]))


def _handed(
    net: nn.Module,
    layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    composite: str,
    epsilon: float,
    again: bool,
) -> tuple[Tensor, Tensor, Run, Relevance]:
    """The layer's output as a part of the graph, what its values count for, the pass and its rules."""
    net, rules = ruled(net, batch, input_range, composite, epsilon)
    passed = run(net, batch, target, rules, layer)
    held = passed.held
    assert held is not None
    signal = back(passed.scores, held, again=again)
    return held, signal, passed, rules
