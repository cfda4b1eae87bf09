"""AlexNet (Krizhevsky et al. 2012) in its forms, and the nets of its time that changed a few of its layers."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from torch import nn

from ..registry import Choices
from .layers import CHANNELS, CLASSES, DROPOUT, SIZE, lrn, shrunk
from .registry import NETS

__all__ = ["alexnet", "alexnet_small", "overfeat", "zfnet"]


class _Form(NamedTuple):
    filters: tuple[int, ...]
    padding: int
    groups: int
    normalised: bool


OVERLAPPING = 3, 2, 0  # window, stride and padding of a pooling
FORMS = {
    "paper": _Form((96, 256, 384, 384, 256), 0, 2, True),
    "ungrouped": _Form((96, 256, 384, 384, 256), 0, 1, True),
    "torchvision": _Form((64, 192, 384, 256, 256), 2, 1, False),
    "fashion": _Form((96, 256, 384, 384, 256), 1, 1, False),
}


@NETS.register(label="AlexNet")
def alexnet(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    form: Annotated[
        str,
        Choices(*FORMS, help="in two halves; in one; with 64 first filters (Krizhevsky 2014); the exercise"),
    ] = "paper",
    size: SIZE = 227,
    dropout: DROPOUT = 0.5,
) -> nn.Module:
    """Five convolutions and three fully connected layers; torchvision's and the exercise's are for 224."""
    kind = FORMS[form]
    side = shrunk(size, (11, 4, kind.padding), OVERLAPPING, OVERLAPPING, OVERLAPPING)
    net, before = nn.Sequential(), channels
    # Filter, stride, padding, and whether it is one of the three that the two halves compute apart.
    shapes = ((11, 4, kind.padding, False), (5, 1, 2, True), (3, 1, 1, False), (3, 1, 1, True), (3, 1, 1, True))
    for k, ((window, stride, padding, split), filters) in enumerate(zip(shapes, kind.filters, strict=True), 1):
        groups = kind.groups if split else 1
        net.add_module(f"conv{k}", nn.Conv2d(before, filters, window, stride, padding, groups=groups))
        net.add_module(f"relu{k}", nn.ReLU())
        if k < 3 and kind.normalised:
            net.add_module(f"norm{k}", lrn())
        if k in (1, 2, 5):
            net.add_module(f"pool{k}", nn.MaxPool2d(3, 2))
        before = filters
    return _classifier(net, before * side**2, (4096, 4096), classes, dropout)


@NETS.register(label="AlexNet for 28 x 28")
def alexnet_small(
    *, channels: CHANNELS = 1, classes: CLASSES = 10, size: SIZE = 28, dropout: DROPOUT = 0.5
) -> nn.Module:
    """AlexNet's layers with filters and widths that fit pictures of 28 x 28, to be trained without enlarging them."""
    net, before = nn.Sequential(), channels
    for k, (filters, window) in enumerate(((64, 5), (128, 5), (192, 3), (192, 3), (128, 3)), 1):
        net.add_module(f"conv{k}", nn.Conv2d(before, filters, window, padding=window // 2))
        net.add_module(f"relu{k}", nn.ReLU())
        if k in (1, 2, 5):
            net.add_module(f"pool{k}", nn.MaxPool2d(3, 2))
        before = filters
    side = shrunk(size, OVERLAPPING, OVERLAPPING, OVERLAPPING)
    return _classifier(net, before * side**2, (512, 512), classes, dropout)


@NETS.register(label="ZFNet")
def zfnet(*, channels: CHANNELS = 3, classes: CLASSES = 1000, size: SIZE = 224, dropout: DROPOUT = 0.5) -> nn.Module:
    """AlexNet with finer first filters, 7 x 7 with stride 2 (Zeiler and Fergus 2014)."""
    net, before = nn.Sequential(), channels
    shapes = ((96, 7, 2, 1), (256, 5, 2, 0), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
    for k, (filters, window, stride, padding) in enumerate(shapes, 1):
        net.add_module(f"conv{k}", nn.Conv2d(before, filters, window, stride, padding))
        net.add_module(f"relu{k}", nn.ReLU())
        if k in (1, 2):
            net.add_module(f"pool{k}", nn.MaxPool2d(3, 2, padding=1))
            net.add_module(f"norm{k}", lrn())
        before = filters
    net.add_module("pool5", nn.MaxPool2d(3, 2))
    side = shrunk(size, (7, 2, 1), (3, 2, 1), (5, 2, 0), (3, 2, 1), OVERLAPPING)
    return _classifier(net, before * side**2, (4096, 4096), classes, dropout)


@NETS.register(label="OverFeat, fast")
def overfeat(*, channels: CHANNELS = 3, classes: CLASSES = 1000, size: SIZE = 231, dropout: DROPOUT = 0.5) -> nn.Module:
    """AlexNet with pooling that does not overlap and wider late layers (Sermanet et al. 2014)."""
    net, before = nn.Sequential(), channels
    shapes = ((96, 11, 4, 0), (256, 5, 1, 0), (512, 3, 1, 1), (1024, 3, 1, 1), (1024, 3, 1, 1))
    for k, (filters, window, stride, padding) in enumerate(shapes, 1):
        net.add_module(f"conv{k}", nn.Conv2d(before, filters, window, stride, padding))
        net.add_module(f"relu{k}", nn.ReLU())
        if k in (1, 2, 5):
            net.add_module(f"pool{k}", nn.MaxPool2d(2))
        before = filters
    side = shrunk(size, (11, 4, 0), (2, 2, 0), (5, 1, 0), (2, 2, 0), (2, 2, 0))
    return _classifier(net, before * side**2, (3072, 4096), classes, dropout)


def _classifier(net: nn.Sequential, fan_in: int, units: tuple[int, ...], classes: int, dropout: float) -> nn.Module:
    """Two hidden layers, each with its dropout, and the class scores; numbered on from five convolutions."""
    net.add_module("flatten", nn.Flatten())
    for k, fan_out in enumerate(units, 6):
        net.add_module(f"fc{k}", nn.Linear(fan_in, fan_out))
        net.add_module(f"relu{k}", nn.ReLU())
        if dropout:
            net.add_module(f"drop{k}", nn.Dropout(dropout))
        fan_in = fan_out
    net.add_module(f"fc{6 + len(units)}", nn.Linear(fan_in, classes))
    return net
