"""Densely connected networks (Huang et al. 2017): each layer sees the maps of all layers before it in its block."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from ..options import Choices, Range
from .layers import ACTIVATION, CHANNELS, CLASSES, MEANT, activated
from .registry import NETS

__all__ = ["DenseBlock", "DenseNet", "densenet", "transition"]

DEPTHS = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}


class DenseBlock(nn.Module):
    """(N, k0, H, W) to (N, k0 + layers * growth, H, W): every layer adds `growth` maps to what it was given."""

    def __init__(self, layers: int, in_channels: int, growth: int, bottleneck: int = 4) -> None:
        super().__init__()
        for k in range(layers):
            given = in_channels + k * growth
            self.add_module(f"layer{k + 1}", _layer(given, growth, bottleneck))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x


def _layer(in_channels: int, growth: int, bottleneck: int) -> nn.Sequential:
    """Batch norm, ReLU and convolution, 1 x 1 to bottleneck * growth channels and 3 x 3; only the latter without."""
    wide, parts = in_channels, nn.Sequential()
    if bottleneck:
        wide = bottleneck * growth
        parts.extend([nn.BatchNorm2d(in_channels), nn.ReLU(), nn.Conv2d(in_channels, wide, 1, bias=False)])
    return parts.extend([nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, growth, 3, padding=1, bias=False)])


def transition(in_channels: int) -> nn.Sequential:
    """Half the channels, half the size."""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(),
        nn.Conv2d(in_channels, in_channels // 2, 1, bias=False),
        nn.AvgPool2d(2, 2),
    )


class DenseNet(nn.Sequential):
    """A stem, dense blocks with transitions between them, an average, and class scores."""

    def __init__(self, channels: int, classes: int, blocks: tuple[int, ...], growth: int, bottleneck: int) -> None:
        before = 2 * growth
        super().__init__()
        stem = nn.Conv2d(channels, before, 7, 2, 3, bias=False), nn.BatchNorm2d(before), nn.ReLU()
        self.add_module("stem", nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1)))
        for k, layers in enumerate(blocks, 1):
            self.add_module(f"block{k}", DenseBlock(layers, before, growth, bottleneck))
            before += layers * growth
            if k < len(blocks):
                self.add_module(f"transition{k}", transition(before))
                before //= 2
        self.add_module("end", nn.Sequential(nn.BatchNorm2d(before), nn.ReLU()))
        self.add_module("pool", nn.AdaptiveAvgPool2d(1))
        self.add_module("flatten", nn.Flatten())
        self.add_module("fc", nn.Linear(before, classes))


@NETS.register(label="DenseNet")
def densenet(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    size: MEANT = 224,
    depth: Annotated[int, Choices(*DEPTHS, help="as the paper names them")] = 121,
    growth: Annotated[int, Range(1, 256, help="maps that each layer adds; the paper's 161 has 48")] = 32,
    bottleneck: Annotated[int, Range(0, 16, help="1 x 1 convolutions to so many times the growth; 0 for none")] = 4,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """Four dense blocks; 7,978,856 parameters as it stands."""
    return activated(DenseNet(channels, classes, DEPTHS[depth], growth, bottleneck), activation)
