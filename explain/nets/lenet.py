"""LeNet-5 (LeCun et al. 1998) in the form of the lectures' first exercise: sigmoid, average pooling, padding 2."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import Annotated

from torch import nn

from ..options import Choices, Range
from .layers import ACTIVATION, ACTIVATIONS, CHANNELS, CLASSES, DROPOUT, POOLINGS, SIZE, shrunk
from .registry import NETS

__all__ = ["lenet"]


@NETS.register(label="LeNet-5")
def lenet(
    *,
    channels: CHANNELS = 1,
    classes: CLASSES = 10,
    size: SIZE = 28,
    conv1: Annotated[int, Range(1, 512, help="filters of the first convolution")] = 6,
    conv2: Annotated[int, Range(1, 512, help="filters of the second convolution")] = 16,
    conv3: Annotated[int, Range(0, 512, help="filters of a third convolution, 3 x 3, without pooling; 0 for none")] = 0,
    window: Annotated[int, Range(1, 15, help="side of the first two convolutions' filters")] = 5,
    padding: Annotated[int, Range(0, 7, help="of the first convolution")] = 2,
    fc1: Annotated[int, Range(0, 10_000, help="units of the first hidden layer; 0 for none")] = 120,
    fc2: Annotated[int, Range(0, 10_000, help="units of the second hidden layer; 0 for none")] = 84,
    activation: ACTIVATION = "sigmoid",
    pooling: Annotated[str, Choices(*POOLINGS)] = "average",
    norm: Annotated[str, Choices("none", "batch", help="between each convolution and its activation")] = "none",
    dropout: DROPOUT = 0.0,
) -> nn.Module:
    """LeNet-5; 61,706 parameters as it stands, and Caffe's form with conv1=20, conv2=50, padding=0, fc1=500, fc2=0."""
    act, pool = ACTIVATIONS[activation], POOLINGS[pooling]
    side = shrunk(size, (window, 1, padding), (2, 2, 0), (window, 1, 0), (2, 2, 0))
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=nn.Conv2d(channels, conv1, window, padding=padding))
    if norm == "batch":
        layers["norm1"] = nn.BatchNorm2d(conv1)
    layers |= {"act1": act(), "pool1": pool(2), "conv2": nn.Conv2d(conv1, conv2, window)}
    if norm == "batch":
        layers["norm2"] = nn.BatchNorm2d(conv2)
    layers |= {"act2": act(), "pool2": pool(2)}
    if conv3:
        layers["conv3"] = nn.Conv2d(conv2, conv3, 3, padding=1)
        layers["conv3_act"] = act()
    layers["flatten"] = nn.Flatten()
    sizes = [(conv3 or conv2) * side**2, *(units for units in (fc1, fc2) if units)]
    for k, (fan_in, fan_out) in enumerate(pairwise(sizes), 1):
        layers[f"fc{k}"], layers[f"act{k + 2}"] = nn.Linear(fan_in, fan_out), act()
        if dropout:
            layers[f"drop{k}"] = nn.Dropout(dropout)
    layers[f"fc{len(sizes)}"] = nn.Linear(sizes[-1], classes)
    return nn.Sequential(layers)
