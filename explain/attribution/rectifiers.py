"""Methods that run back from the class with a rule of their own at each rectifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..network.trace import asking
from .gradients import REDUCE, reduced
from .passes import score, slope
from .registry import METHODS, InputRange
from .units import RULES, rectifying, refuse_other_activations

__all__ = ["run_back"]


@METHODS.register
def guided_backprop(
    net: nn.Module, _layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, reduce: REDUCE = "max"
) -> Tensor:
    """The gradient, keeping at each ReLU only what is positive of it (Springenberg et al. 2015).

    Sharp because it redraws the picture's edges: it hardly depends on the class or on later layers (Nie et al. 2018).
    """
    return reduced(run_back(net, batch, target, "guided"), reduce)


@METHODS.register
def deconvnet(
    net: nn.Module, _layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, reduce: REDUCE = "max"
) -> Tensor:
    """Back from the class through the filters, keeping at each ReLU what is positive (Zeiler and Fergus 2014).

    It ignores which ReLUs were open, and like guided backprop it hardly depends on the class (Nie et al. 2018).
    """
    return reduced(run_back(net, batch, target, "deconvnet"), reduce)


def run_back(net: nn.Module, batch: Tensor, target: Tensor, rule: str) -> Tensor:
    """What reaches the pixels (N, C, H, W) by a rule of RULES. Raises NotSupported for a net with other activations."""
    batch = asking(batch)
    with torch.inference_mode(False), torch.enable_grad(), rectifying(RULES[rule]):
        output = net(batch)
    with torch.inference_mode(False), torch.enable_grad():
        chosen = score(output, target)
        if chosen.requires_grad:
            refuse_other_activations(chosen, "the scores are", whole=True)
    return slope(output, target, batch)
