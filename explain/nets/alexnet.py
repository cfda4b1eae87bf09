"""AlexNet (Krizhevsky et al. 2012) in its forms, and the nets of its time that changed a few of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from torch import nn

from ..options import Choices
from .layers import ACTIVATION, CHANNELS, CLASSES, DROPOUT, SIZE, activated, lrn, shrunk
from .registry import NETS

__all__ = ["alexnet", "alexnet_small", "overfeat", "zfnet"]


class _Form(NamedTuple):
    filters: tuple[int, ...]
    padding: int
    groups: int
    normalised: bool


class _Conv(NamedTuple):
    filters: int
    window: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


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
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """Five convolutions and three fully connected layers; torchvision's and the exercise's are for 224."""
    kind = FORMS[form]
    side = shrunk(size, (11, 4, kind.padding), OVERLAPPING, OVERLAPPING, OVERLAPPING)
    # Window, stride, padding, and groups: three of them the two halves compute apart.
    apart = kind.groups
    shapes = ((11, 4, kind.padding, 1), (5, 1, 2, apart), (3, 1, 1, 1), (3, 1, 1, apart), (3, 1, 1, apart))
    convs = [_Conv(filters, *shape) for filters, shape in zip(kind.filters, shapes, strict=True)]
    after = {
        k: {"norm": lrn(), "pool": nn.MaxPool2d(3, 2)} if k < 3 and kind.normalised else {"pool": nn.MaxPool2d(3, 2)}
        for k in (1, 2, 5)
    }
    features = _features(channels, convs, after)
    net = _classified(features, kind.filters[-1] * side**2, (4096, 4096), classes, dropout)
    return activated(net, activation)


@NETS.register(label="AlexNet for 28 x 28")
def alexnet_small(
    *,
    channels: CHANNELS = 1,
    classes: CLASSES = 10,
    size: SIZE = 28,
    dropout: DROPOUT = 0.5,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """AlexNet's layers with filters and widths that fit pictures of 28 x 28, to be trained without enlarging them."""
    shapes = ((64, 5), (128, 5), (192, 3), (192, 3), (128, 3))
    convs = [_Conv(filters, window, padding=window // 2) for filters, window in shapes]
    side = shrunk(size, OVERLAPPING, OVERLAPPING, OVERLAPPING)
    features = _features(channels, convs, {k: {"pool": nn.MaxPool2d(3, 2)} for k in (1, 2, 5)})
    return activated(_classified(features, 128 * side**2, (512, 512), classes, dropout), activation)


@NETS.register(label="ZFNet")
def zfnet(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    size: SIZE = 224,
    dropout: DROPOUT = 0.5,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """AlexNet with finer first filters, 7 x 7 with stride 2 (Zeiler and Fergus 2014)."""
    convs = [
        _Conv(96, 7, 2, 1), _Conv(256, 5, 2, 0), _Conv(384, 3, padding=1), _Conv(384, 3, padding=1),
        _Conv(256, 3, padding=1),
    ]  # fmt: skip
    after = {k: {"pool": nn.MaxPool2d(3, 2, padding=1), "norm": lrn()} for k in (1, 2)}
    features = _features(channels, convs, {**after, 5: {"pool": nn.MaxPool2d(3, 2)}})
    side = shrunk(size, (7, 2, 1), (3, 2, 1), (5, 2, 0), (3, 2, 1), OVERLAPPING)
    return activated(_classified(features, 256 * side**2, (4096, 4096), classes, dropout), activation)


@NETS.register(label="OverFeat, fast")
def overfeat(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    size: SIZE = 231,
    dropout: DROPOUT = 0.5,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """AlexNet with pooling that does not overlap and wider late layers (Sermanet et al. 2014)."""
    convs = [
        _Conv(96, 11, 4), _Conv(256, 5), _Conv(512, 3, padding=1), _Conv(1024, 3, padding=1), _Conv(1024, 3, padding=1)
    ]  # fmt: skip
    features = _features(channels, convs, {k: {"pool": nn.MaxPool2d(2)} for k in (1, 2, 5)})
    side = shrunk(size, (11, 4, 0), (2, 2, 0), (5, 1, 0), (2, 2, 0), (2, 2, 0))
    return activated(_classified(features, 1024 * side**2, (3072, 4096), classes, dropout), activation)


def _features(channels: int, convs: Sequence[_Conv], after: Mapping[int, Mapping[str, nn.Module]]) -> nn.Sequential:
    """Numbered convolutions, each with its rectifier, and what stands behind some of them."""
    net = nn.Sequential()
    for k, conv in enumerate(convs, 1):
        made = nn.Conv2d(channels, conv.filters, conv.window, conv.stride, conv.padding, groups=conv.groups)
        for name, module in {"conv": made, "relu": nn.ReLU(), **after.get(k, {})}.items():
            net.add_module(f"{name}{k}", module)
        channels = conv.filters
    return net


def _classified(net: nn.Sequential, fan_in: int, units: tuple[int, ...], classes: int, dropout: float) -> nn.Module:
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
