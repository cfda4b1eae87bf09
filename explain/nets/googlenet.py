"""GoogLeNet (Szegedy et al. 2015) of Inception blocks, and the changes that its authors made to them later."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from ..options import Choices, Range
from .layers import ACTIVATION, CHANNELS, CLASSES, MEANT, activated, lrn, unit
from .registry import NETS

__all__ = ["GoogLeNet", "Inception", "NaiveInception", "googlenet"]

# Of each block: 1 x 1; 1 x 1 before 3 x 3; 1 x 1 before 5 x 5; 1 x 1 behind pooling. "" is a pooling that halves.
BLOCKS: dict[str, tuple[int, tuple[int, int], tuple[int, int], int] | None] = {
    "inception3a": (64, (96, 128), (16, 32), 32),
    "inception3b": (128, (128, 192), (32, 96), 64),
    "pool3": None,
    "inception4a": (192, (96, 208), (16, 48), 64),
    "inception4b": (160, (112, 224), (24, 64), 64),
    "inception4c": (128, (128, 256), (24, 64), 64),
    "inception4d": (112, (144, 288), (32, 64), 64),
    "inception4e": (256, (160, 320), (32, 128), 128),
    "pool4": None,
    "inception5a": (256, (160, 320), (32, 128), 128),
    "inception5b": (384, (192, 384), (48, 128), 128),
}
AUXILIARY = {"inception4a": "aux1", "inception4d": "aux2"}


class Inception(nn.Module):
    """Four branches side by side, whose maps are put together: (N, C, H, W) to (N, c1 + c3[1] + c5[1] + pool, H, W).

    factorised: 5 x 5 as two of 3 x 3, and 3 x 3 as 1 x 3 and 3 x 1 (Szegedy et al. 2016).
    residual: the block's input is added to its output (Szegedy et al. 2017), through a 1 x 1 convolution where the
    channels differ.
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        c3: tuple[int, int],
        c5: tuple[int, int],
        pool: int,
        *,
        norm: bool = False,
        factorised: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        three: list[nn.Module] = [unit(c3[0], c3[1], 3, norm)]
        five: list[nn.Module] = [unit(c5[0], c5[1], 5, norm)]
        if factorised:
            three = [unit(c3[0], c3[1], (1, 3), norm), unit(c3[1], c3[1], (3, 1), norm)]
            five = [unit(c5[0], c5[1], 3, norm), unit(c5[1], c5[1], 3, norm)]
        self.branch1 = unit(in_channels, c1, 1, norm)
        self.branch3 = nn.Sequential(unit(in_channels, c3[0], 1, norm), *three)
        self.branch5 = nn.Sequential(unit(in_channels, c5[0], 1, norm), *five)
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(in_channels, pool, 1, norm))
        self.channels = c1 + c3[1] + c5[1] + pool
        self.shortcut: nn.Module | None = None
        if residual:
            same = in_channels == self.channels
            self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, self.channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)
        return joined if self.shortcut is None else joined + self.shortcut(x)


class NaiveInception(nn.Module):
    """Branches without 1 x 1 convolutions before them: pooling keeps every channel, so that they can only grow."""

    def __init__(self, in_channels: int, c1: int, c3: int, c5: int) -> None:
        super().__init__()
        self.branch1, self.branch3 = unit(in_channels, c1, 1), unit(in_channels, c3, 3)
        self.branch5, self.branch_pool = unit(in_channels, c5, 5), nn.MaxPool2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], 1)


class GoogLeNet(nn.Module):
    """Class scores (N, K); in training with auxiliary heads a tuple of three scores, the main one first."""

    def __init__(
        self,
        channels: int,
        classes: int,
        norm: str,
        auxiliary: bool,
        dropout: float,
        factorised: bool,
        residual: bool,
    ) -> None:
        super().__init__()
        batch = norm == "batch"
        self.stem = nn.Sequential()
        first = nn.Conv2d(channels, 64, 7, 2, 3, bias=not batch)
        self.stem.add_module("conv1", nn.Sequential(first, *([nn.BatchNorm2d(64)] if batch else []), nn.ReLU()))
        self.stem.add_module("pool1", nn.MaxPool2d(3, 2, 1))
        if norm == "response":
            self.stem.add_module("norm1", lrn())
        self.stem.add_module("conv2", unit(64, 64, 1, batch))
        self.stem.add_module("conv3", unit(64, 192, 3, batch))
        if norm == "response":
            self.stem.add_module("norm2", lrn())
        self.stem.add_module("pool2", nn.MaxPool2d(3, 2, 1))
        self.blocks, before = nn.ModuleDict(), 192
        self.heads = nn.ModuleDict()
        for name, widths in BLOCKS.items():
            if widths is None:
                self.blocks[name] = nn.MaxPool2d(3, 2, 1)
                continue
            block = Inception(before, *widths, norm=batch, factorised=factorised, residual=residual)
            self.blocks[name], before = block, block.channels
            if auxiliary and name in AUXILIARY:
                self.heads[AUXILIARY[name]] = _head(before, classes)
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.drop, self.fc = nn.Dropout(dropout), nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        x, aside = self.stem(x), []
        for name, block in self.blocks.items():
            x = block(x)
            if self.training and AUXILIARY.get(name, "") in self.heads:
                aside.append(self.heads[AUXILIARY[name]](x))
        scores: Tensor = self.fc(self.drop(self.flatten(self.pool(x))))
        return (scores, *aside) if aside else scores


def _head(in_channels: int, classes: int) -> nn.Sequential:
    """Class scores of an early block, which bring gradients there in training."""
    reduced = nn.AdaptiveAvgPool2d(4), unit(in_channels, 128, 1), nn.Flatten()
    return nn.Sequential(*reduced, nn.Linear(2048, 1024), nn.ReLU(), nn.Dropout(0.7), nn.Linear(1024, classes))


@NETS.register(label="GoogLeNet")
def googlenet(
    *,
    channels: CHANNELS = 3,
    classes: CLASSES = 1000,
    size: MEANT = 224,
    norm: Annotated[
        str, Choices("response", "batch", "none", help="version 1; BN-Inception, version 2; the exercise")
    ] = "response",
    auxiliary: Annotated[bool, Choices(True, False, help="two more heads, used in training only")] = False,
    dropout: Annotated[float, Range(0, 0.95, help="before the classifier")] = 0.4,
    factorised: Annotated[bool, Choices(True, False, help="large filters as several small ones")] = False,
    residual: Annotated[bool, Choices(True, False, help="each block adds its input, as in Inception-ResNet")] = False,
    activation: ACTIVATION = "relu",
) -> nn.Module:
    """Nine Inception blocks, with the paper's 5 x 5 branch; 6,998,552 parameters as it stands."""
    return activated(GoogLeNet(channels, classes, norm, auxiliary, dropout, factorised, residual), activation)
