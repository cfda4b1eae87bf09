"""Networks by the lectures' grammar, and the small ones that the lectures show."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import nn

from ..errors import BadValue
from ..options import Choices, Range
from .layers import ACTIVATION, ACTIVATIONS, CHANNELS, CLASSES, POOLINGS, SIZE, activated, shrunk
from .registry import NETS

__all__ = ["convnetjs", "layered", "practical"]


@NETS.register(label="Input, [[conv, ReLU] × N, pool] × M, [FC, ReLU] × Q, FC")
def layered(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 10,
    size: SIZE = 32,
    convs: Annotated[int, Range(0, 5, help="N: convolutions between two poolings")] = 2,
    blocks: Annotated[int, Range(0, 8, help="M: times that these are repeated")] = 2,
    hidden: Annotated[int, Range(0, 2, help="Q: hidden fully connected layers")] = 1,
    pool: Annotated[bool, Choices(True, False, help="whether each repetition ends in a pooling by 2 x 2")] = True,
    window: Annotated[int, Range(1, 15, help="side of the filters; the size is kept, so it is odd")] = 3,
    filters: Annotated[int, Range(1, 1024, help="of the first repetition; each later one has twice as many")] = 16,
    units: Annotated[int, Range(1, 10_000, help="of each hidden layer")] = 128,
    activation: ACTIVATION = "relu",
    pooling: Annotated[str, Choices(*POOLINGS)] = "max",
) -> nn.Module:
    """A network by numbers, for pictures that its poolings can halve without a rest."""
    if window % 2 == 0:
        raise BadValue(f"Option window={window} is even: with zeros on both sides it cannot keep the size.")
    if pool and size % 2**blocks:
        raise BadValue(f"A picture of size={size} does not fit: {blocks} poolings need a multiple of {2**blocks}.")
    net: OrderedDict[str, nn.Module] = OrderedDict()
    before, side = channels, size
    for block in range(1, blocks + 1):
        for k in range(1, convs + 1):
            wide = min(filters * 2 ** (block - 1), 1024)
            net[f"conv{block}_{k}"] = nn.Conv2d(before, wide, window, padding=window // 2)
            net[f"act{block}_{k}"] = ACTIVATIONS[activation]()
            before = wide
        if pool:
            net[f"pool{block}"] = POOLINGS[pooling](2)
            side //= 2
    net["flatten"] = nn.Flatten()
    fan_in = before * side**2
    for k in range(1, hidden + 1):
        net[f"fc{k}"], net[f"act_fc{k}"] = nn.Linear(fan_in, units), ACTIVATIONS[activation]()
        fan_in = units
    net[f"fc{hidden + 1}"] = nn.Linear(fan_in, classes)
    return nn.Sequential(net)


@NETS.register(label="One convolution, for MNIST")
def practical(
    *,
    channels: CHANNELS = 1,
    classes: CLASSES = 10,
    size: SIZE = 28,
    filters: Annotated[int, Range(1, 1024)] = 20,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """5 x 5 filters, a pooling and class scores: 28 to 24 to 12, as in the lecture's figure."""
    conv = nn.Conv2d(channels, filters, 5)
    parts = OrderedDict[str, nn.Module](
        conv=conv, act=ACTIVATIONS[activation](), pool=nn.MaxPool2d(2), flatten=nn.Flatten()
    )
    return nn.Sequential(parts | {"fc": nn.Linear(filters * shrunk(size, (5, 1, 0), (2, 2, 0)) ** 2, classes)})


@NETS.register(label="ConvNetJS demo")
def convnetjs(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 10,
    size: SIZE = 32,
    window: Annotated[int, Range(1, 15, help="7 on the slides; the demo itself has 5")] = 7,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """Three convolutions with 16, 20 and 20 filters, whose weights the lecture shows as pictures."""
    if window % 2 == 0:
        raise BadValue(f"Option window={window} is even: with zeros on both sides it cannot keep the size.")
    net, before = OrderedDict[str, nn.Module](), channels
    for k, filters in enumerate((16, 20, 20), 1):
        net[f"conv{k}"] = nn.Conv2d(before, filters, window, padding=window // 2)
        net[f"relu{k}"], net[f"pool{k}"] = nn.ReLU(), nn.MaxPool2d(2)
        before = filters
    net["flatten"], net["fc"] = nn.Flatten(), nn.Linear(before * shrunk(size, *[(2, 2, 0)] * 3) ** 2, classes)
    return activated(nn.Sequential(net), activation)
