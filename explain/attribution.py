"""What a prediction rests on: each method of METHODS gives one map a picture.

A method is called with the net in eval mode, a layer's name, a batch (N, C, H, W) and target classes (N,); it returns
raw values (N, h, w), at the input's size or at the layer's. Scaling and enlarging happen later, once.
One that looks into no layer calls that parameter `_layer`.
No method calls `.backward()`: weights are shared between sessions.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from .backprop import asking
from .errors import NotSupported
from .registry import Choices, Registry
from .trace import record

__all__ = ["METHODS"]

METHODS = Registry("saliency method")


@METHODS.register
def gradient(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    *,
    reduce: Annotated[str, Choices("max", "sum", "signed", help="how the colour channels become one map")] = "max",
) -> Tensor:
    """How much the class score changes with each pixel: the input gradient (Simonyan et al. 2014).

    max and sum are of absolute values over the channels; signed keeps the sign of the strongest channel.
    """
    batch = asking(batch)
    output, _ = record(net, batch, (), gradients=True)
    slope = _slope(output, target, batch)
    if reduce == "sum":
        return slope.abs().sum(1)
    if reduce == "max":
        return slope.abs().amax(1)
    return slope.gather(1, slope.abs().argmax(1, keepdim=True)).squeeze(1)


@METHODS.register
def grad_cam(
    net: nn.Module,
    layer: str,
    batch: Tensor,
    target: Tensor,
    *,
    positive: Annotated[bool, Choices(True, False, help="keep only evidence for the class, as in the paper")] = True,
) -> Tensor:
    """Where a layer's maps speak for the class: maps weighted by their mean gradient (Selvaraju et al. 2017)."""
    output, held = record(net, asking(batch), [layer], gradients=True)
    maps = held[layer]
    if maps.dim() != 4:
        shape = tuple(maps.shape[1:])
        raise NotSupported(f"Grad-CAM needs a layer with maps (C, H, W); {layer!r} gives {shape}.")
    cam = (_slope(output, target, maps).mean((2, 3), keepdim=True) * maps.detach()).sum(1)
    return cam.relu() if positive else cam


def _slope(output: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """The gradient of each picture's score for its target (not of the softmax); pictures do not touch each other.

    Works inside somebody's no_grad or inference_mode as well.
    """
    with torch.inference_mode(False), torch.enable_grad():
        score = output.gather(1, target.to(output.device, copy=True)[:, None]).sum()
        return torch.autograd.grad(score, source)[0]
