"""VGG (Simonyan and Zisserman 2015): blocks of 3 x 3 convolutions, each of which halves the picture."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import nn

from ..options import Choices, Range
from .layers import ACTIVATION, CHANNELS, CLASSES, DROPOUT, SIZE, activated, lrn, shrunk
from .registry import NETS

__all__ = ["vgg", "vgg_block"]

FILTERS = 64, 128, 256, 512, 512
# The sides of each block's filters. A-LRN is A with a response normalisation behind its first convolution.
CONFIGS = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3),) * 5,
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3,) * 4, (3,) * 4, (3,) * 4),
}


def vgg_block(num_convs: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """So many 3 x 3 convolutions that keep the size, each with a ReLU, and a pooling that halves it."""
    return _block((3,) * num_convs, in_channels, out_channels)


def _block(windows: tuple[int, ...], in_channels: int, out_channels: int, normalised: bool = False) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for k, window in enumerate(windows, 1):
        layers[f"conv{k}"] = nn.Conv2d(in_channels, out_channels, window, padding=window // 2)
        layers[f"relu{k}"] = nn.ReLU()
        in_channels = out_channels
    if normalised:
        layers["norm"] = lrn()
    layers["pool"] = nn.MaxPool2d(2, 2)
    return nn.Sequential(layers)


@NETS.register(label="VGG")
def vgg(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    config: Annotated[str, Choices(*CONFIGS, help="column of the paper's table 1; D has 16 layers")] = "D",
    size: SIZE = 224,
    ratio: Annotated[float, Range(0.25, 64, help="the convolutions have so many times fewer filters")] = 1.0,
    units: Annotated[int, Range(1, 10_000, help="of each hidden layer")] = 4096,
    dropout: DROPOUT = 0.5,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """Five blocks and three fully connected layers: 11 (A), 13 (B), 16 (C, D) or 19 (E) layers with weights."""
    net, before = nn.Sequential(), channels
    for k, (windows, filters) in enumerate(zip(CONFIGS[config], FILTERS, strict=True), 1):
        wide = max(1, round(filters / ratio))
        net.add_module(f"block{k}", _block(windows, before, wide, config == "A-LRN" and k == 1))
        before = wide
    net.add_module("flatten", nn.Flatten())
    fan_in = before * shrunk(size, *[(2, 2, 0)] * 5) ** 2
    for k in (1, 2):
        net.add_module(f"fc{k}", nn.Linear(fan_in, units))
        net.add_module(f"relu{k}", nn.ReLU())
        if dropout:
            net.add_module(f"drop{k}", nn.Dropout(dropout))
        fan_in = units
    net.add_module("fc3", nn.Linear(fan_in, classes))
    return activated(net, activation)
