"""A channel of any layer in the place of a class: then every method tells what in the picture drives that channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import NotSupported
from ..network.trace import record

__all__ = ["of_channel"]


class _Channels(nn.Module):
    """A net whose scores are the channels of one of its layers, maps averaged over their positions."""

    def __init__(self, net: nn.Module, layer: str) -> None:
        super().__init__()
        self.net = net
        self.layer = layer

    def forward(self, batch: Tensor) -> Tensor:
        _, held = record(self.net, batch, [self.layer], gradients=torch.is_grad_enabled())
        values = held[self.layer]
        if values.dim() not in (2, 4):
            raise NotSupported(f"Layer {self.layer!r} gives shape {tuple(values.shape[1:])}; maps or vectors only.")
        return values.mean((2, 3)) if values.dim() == 4 else values


def of_channel(net: nn.Module, layer: str) -> nn.Module:
    """A net in eval mode whose class scores are the channels of a layer; its own layers begin with 'net.'."""
    return _Channels(net, layer).eval()
