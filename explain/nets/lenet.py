"""LeNet-5 (LeCun et al. 1998) in the form of the lectures' first exercise: sigmoid, average pooling, padding 2."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import nn

from ..registry import Choices, Range
from .registry import NETS

__all__ = ["lenet"]

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}
POOLINGS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


@NETS.register
def lenet(
    *,
    channels: Annotated[int, Range(1, 64, help="input channels")] = 1,
    classes: Annotated[int, Range(1, 10_000)] = 10,
    conv1: Annotated[int, Range(1, 512, help="filters of the first convolution")] = 6,
    conv2: Annotated[int, Range(1, 512, help="filters of the second convolution")] = 16,
    fc1: Annotated[int, Range(1, 10_000)] = 120,
    fc2: Annotated[int, Range(1, 10_000)] = 84,
    activation: Annotated[str, Choices(*ACTIVATIONS)] = "sigmoid",
    pooling: Annotated[str, Choices(*POOLINGS)] = "average",
) -> nn.Module:
    """LeNet-5 for (N, channels, 28, 28) pictures; 61,706 parameters as it stands."""
    act, pool = ACTIVATIONS[activation], POOLINGS[pooling]
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, conv1, 5, padding=2),
            act1=act(),
            pool1=pool(2),
            conv2=nn.Conv2d(conv1, conv2, 5),
            act2=act(),
            pool2=pool(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(conv2 * 25, fc1),
            act3=act(),
            fc2=nn.Linear(fc1, fc2),
            act4=act(),
            fc3=nn.Linear(fc2, classes),
        )
    )
