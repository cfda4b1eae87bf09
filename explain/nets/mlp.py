"""Fully connected baseline: every pixel has its own weights, so where it stands plays no part."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import Annotated

from torch import nn

from ..options import Range
from .layers import ACTIVATION, ACTIVATIONS, CHANNELS, CLASSES, SIZE
from .registry import NETS

__all__ = ["mlp"]


@NETS.register(label="Multilayer perceptron")
def mlp(
    *,
    channels: CHANNELS = 1,
    classes: CLASSES = 10,
    size: SIZE = 28,
    fc1: Annotated[int, Range(0, 10_000, help="units of the first hidden layer, 0 for none")] = 128,
    fc2: Annotated[int, Range(0, 10_000, help="units of the second hidden layer, 0 for none")] = 0,
    more: Annotated[int, Range(0, 50, help="hidden layers behind these, as wide as the last")] = 0,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """Multilayer perceptron for (N, channels, size, size) pictures; 101,770 parameters as it stands."""
    hidden = [units for units in (fc1, fc2) if units]
    sizes = [channels * size * size, *hidden, *(hidden[-1:] * more), classes]
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for k, (fan_in, fan_out) in enumerate(pairwise(sizes), 1):
        if k > 1:
            layers[f"act{k - 1}"] = ACTIVATIONS[activation]()
        layers[f"fc{k}"] = nn.Linear(fan_in, fan_out)
    return nn.Sequential(layers)
