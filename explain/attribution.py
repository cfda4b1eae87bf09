"""What a prediction rests on: each method of METHODS gives one map a picture.

A method is called with the net in eval mode, a layer's name, a batch (N, C, H, W) and target classes (N,); it returns
raw values (N, h, w), at the input's size or at the layer's. Scaling and enlarging happen later, once.
No method calls `.backward()`: weights are shared between sessions.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from .errors import NotSupported
from .registry import Choices, Registry
from .trace import record

__all__ = ["METHODS"]

METHODS = Registry("saliency method")


@METHODS.register
def gradient(
    net: nn.Module,
    layer: str,
    batch: Tensor,
    target: Tensor,
    *,
    reduce: Annotated[str, Choices("max", "sum", "signed", help="how the colour channels become one map")] = "max",
) -> Tensor:
    """How much the class score changes with each pixel: the input gradient (Simonyan et al. 2014).

    max and sum are of absolute values over the channels; signed keeps the sign of the strongest channel.
    """
    batch = batch.detach().clone().requires_grad_()
    output, _ = record(net, batch, (), gradients=True)
    (slope,) = torch.autograd.grad(_score(output, target), batch)
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
    # The pixels ask for a gradient so that the graph reaches the layer although all weights are frozen.
    output, held = record(net, batch.detach().clone().requires_grad_(), [layer], gradients=True)
    maps = held[layer]
    if maps.dim() != 4:
        shape = tuple(maps.shape[1:])
        raise NotSupported(f"Grad-CAM needs a layer with maps (C, H, W); {layer!r} gives {shape}.")
    (slope,) = torch.autograd.grad(_score(output, target), maps)
    cam = (slope.mean((2, 3), keepdim=True) * maps).sum(1).detach()
    return cam.relu() if positive else cam


def _score(output: Tensor, target: Tensor) -> Tensor:
    """The scores, not the softmax, of each picture's own target, summed: pictures do not touch each other."""
    return output.gather(1, target.to(output.device)[:, None]).sum()
