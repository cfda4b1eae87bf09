"""Residual networks (He et al. 2016), and the same without shortcuts."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadValue
from ..options import Choices, Range
from .layers import ACTIVATION, CHANNELS, CLASSES, MEANT, activated
from .registry import NETS

__all__ = ["Bottleneck", "Padding", "ResNet", "Residual", "resnet", "resnet_cifar"]

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
SHORTCUT = Annotated[
    str,
    Choices(
        "projection",
        "padding",
        "none",
        help="where channels or stride change: 1 x 1 convolutions, or zeros for new channels; or no shortcuts at all",
    ),
]
ORDER = Annotated[
    str, Choices("after", "before", help="batch norm and ReLU after each convolution, or before it (He et al. 2016b)")
]


class Padding(nn.Module):
    """Every stride-th pixel, and zeros for the channels that are new: a shortcut without parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = out_channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class _Block(nn.Module):
    """Convolutions, each with its batch norm, and a way around them."""

    expansion = 1

    def __init__(self, in_channels: int, convs: list[nn.Conv2d], order: str, shortcut: str) -> None:
        super().__init__()
        self.order = order
        self.shortcut: nn.Module | None = None
        for k, conv in enumerate(convs, 1):
            self.add_module(f"conv{k}", conv)
            self.add_module(f"bn{k}", nn.BatchNorm2d(conv.in_channels if order == "before" else conv.out_channels))
        self.relu, self.count = nn.ReLU(), len(convs)
        self.channels = out_channels = convs[-1].out_channels
        stride = max(conv.stride[0] for conv in convs)
        if shortcut == "none":
            return
        if in_channels == out_channels and stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut == "padding":
            self.shortcut = Padding(in_channels, out_channels, stride)
        else:
            project = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            # Before the convolutions the batch norm is already part of what the projection is given.
            self.shortcut = project if order == "before" else nn.Sequential(project, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self._before(x) if self.order == "before" else self._after(x)

    def _after(self, x: Tensor) -> Tensor:
        y: Tensor = x
        for k in range(1, self.count + 1):
            y = self.get_submodule(f"bn{k}")(self.get_submodule(f"conv{k}")(y))
            if k < self.count:
                y = self.relu(y)
        joined: Tensor = self.relu(y if self.shortcut is None else y + self.shortcut(x))
        return joined

    def _before(self, x: Tensor) -> Tensor:
        y = x
        for k in range(1, self.count + 1):
            y = self.relu(self.get_submodule(f"bn{k}")(y))
            if k == 1 and isinstance(self.shortcut, nn.Conv2d):
                x = y  # a projection takes what the first convolution takes; otherwise the input goes on untouched
            y = self.get_submodule(f"conv{k}")(y)
        return y if self.shortcut is None else y + self.shortcut(x)


class Residual(_Block):
    """Two 3 x 3 convolutions and the shortcut around them."""

    def __init__(
        self, in_channels: int, width: int, stride: int = 1, order: str = "after", shortcut: str = "projection"
    ) -> None:
        super().__init__(in_channels, [_conv(in_channels, width, 3, stride), _conv(width, width, 3)], order, shortcut)


class Bottleneck(_Block):
    """1 x 1 to fewer channels, 3 x 3, 1 x 1 to four times as many, and the shortcut around them.

    early: the 1 x 1 has the stride, as in the paper; otherwise the 3 x 3, as in torchvision ("v1.5").
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        order: str = "after",
        shortcut: str = "projection",
        early: bool = False,
    ) -> None:
        first, second = (stride, 1) if early else (1, stride)
        convs = [_conv(in_channels, width, 1, first), _conv(width, width, 3, second), _conv(width, 4 * width, 1)]
        super().__init__(in_channels, convs, order, shortcut)


def _conv(in_channels: int, out_channels: int, window: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, window, stride, window // 2, bias=False)


class ResNet(nn.Module):
    """A stem, stages of blocks each of which halves the picture from the second on, an average, and class scores."""

    def __init__(self, stem: nn.Module, stages: list[list[_Block]], order: str, classes: int) -> None:
        super().__init__()
        self.stem = stem
        for k, blocks in enumerate(stages, 1):
            self.add_module(f"layer{k}", nn.Sequential(*blocks))
        self.count = len(stages)
        last = next(module for module in reversed(list(self.modules())) if isinstance(module, _Block))
        width = last.channels
        self.end = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU()) if order == "before" else nn.Identity()
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for k in range(1, self.count + 1):
            x = self.get_submodule(f"layer{k}")(x)
        scores: Tensor = self.fc(self.flatten(self.pool(self.end(x))))
        return scores


@NETS.register(label="ResNet")
def resnet(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    size: MEANT = 224,
    depth: Annotated[int, Choices(*DEPTHS, help="layers with weights; 50 and more have bottlenecks")] = 18,
    shortcut: SHORTCUT = "projection",
    order: ORDER = "after",
    early: Annotated[
        bool, Choices(True, False, help="a bottleneck's first 1 x 1 has the stride, as in the paper")
    ] = False,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """ResNet for pictures of about 224 x 224; 11,689,512 parameters as it stands."""
    before, stages = 64, []
    for k, count in enumerate(DEPTHS[depth]):
        blocks: list[_Block] = []
        for at in range(count):
            stride, width = 2 if k and not at else 1, 64 * 2**k
            if depth < 50:
                block: _Block = Residual(before, width, stride, order, shortcut)
            else:
                block = Bottleneck(before, width, stride, order, shortcut, early)
            blocks.append(block)
            before = width * block.expansion
        stages.append(blocks)
    stem = nn.Sequential(nn.Conv2d(channels, 64, 7, 2, 3, bias=False))
    if order == "after":
        stem.extend([nn.BatchNorm2d(64), nn.ReLU()])
    return activated(ResNet(stem.append(nn.MaxPool2d(3, 2, 1)), stages, order, classes), activation)


@NETS.register(label="ResNet for small pictures")
def resnet_cifar(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 10,
    size: MEANT = 32,
    depth: Annotated[int, Range(8, 1202, help="layers with weights: 6 n + 2")] = 20,
    width: Annotated[int, Range(1, 256, help="filters of the first stage; each later one has twice as many")] = 16,
    shortcut: SHORTCUT = "padding",
    order: ORDER = "after",
    full: Annotated[
        bool, Choices(True, False, help="a stage of blocks at the picture's full size; half of the time is spent in it")
    ] = True,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """The paper's form for CIFAR-10, 32 x 32: three stages of n blocks, no pooling at the beginning."""
    if (depth - 2) % 6:
        raise BadValue(f"Option depth={depth} is not of the form 6 n + 2, such as 20, 32, 44, 56, 110 or 1202.")
    before, stages = width, []
    for k in range(0 if full else 1, 3):
        blocks: list[_Block] = []
        for at in range((depth - 2) // 6):
            blocks.append(Residual(before, width * 2**k, 2 if k and not at else 1, order, shortcut))
            before = width * 2**k
        stages.append(blocks)
    stem = nn.Sequential(_conv(channels, width, 3))
    if order == "after":
        stem.extend([nn.BatchNorm2d(width), nn.ReLU()])
    return activated(ResNet(stem, stages, order, classes), activation)
