"""Layers that several families share, and those of the lectures that torch has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadValue
from ..options import Choices, Range

__all__ = [
    "ACTIVATION",
    "ACTIVATIONS",
    "CHANNELS",
    "CLASSES",
    "DROPOUT",
    "MEANT",
    "POOLINGS",
    "SIZE",
    "IntraChannelNorm",
    "L2Pool2d",
    "LocallyConnected2d",
    "activated",
    "lrn",
    "shrunk",
    "unit",
]

CHANNELS = Annotated[int, Range(1, 64, help="input channels")]
CLASSES = Annotated[int, Range(1, 30_000)]
SIZE = Annotated[int, Range(1, 1024, help="side of the square picture")]
MEANT = Annotated[int, Range(1, 1024, help="side of the pictures it is meant for; others work as well")]
DROPOUT = Annotated[float, Range(0, 0.95, help="behind each hidden layer; 0 for none")]


class L2Pool2d(nn.Module):
    """The root of the sum of squares of each window; torch's LPPool2d is the same, but has no gradient at zero."""

    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride or kernel_size

    def forward(self, x: Tensor) -> Tensor:
        total = F.avg_pool2d(x * x, self.kernel_size, self.stride) * self.kernel_size**2
        return total.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


class IntraChannelNorm(nn.Module):
    """Local response normalisation within a channel: a / (k + alpha * sum of squares in a window around it) ** beta."""

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        total = F.avg_pool2d(x * x, self.size, 1, self.size // 2) * self.size**2
        return x / (self.k + self.alpha * total) ** self.beta


class LocallyConnected2d(nn.Module):
    """A convolution whose weights are not shared: each output place has its own filters (K, OH, OW, C * F * F)."""

    def __init__(self, in_channels: int, out_channels: int, size: tuple[int, int], kernel_size: int) -> None:
        super().__init__()
        self.kernel_size, self.places = kernel_size, tuple(side - kernel_size + 1 for side in size)
        fan_in = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.empty(out_channels, *self.places, fan_in).uniform_(-1, 1) / fan_in**0.5)

    def forward(self, x: Tensor) -> Tensor:
        windows = F.unfold(x, self.kernel_size)
        windows = windows.view(*windows.shape[:2], *self.places)
        return torch.einsum("nfhw,khwf->nkhw", windows, self.weight)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}
ACTIVATION = Annotated[str, Choices(*ACTIVATIONS, help="after each convolution and hidden layer")]
POOLINGS: dict[str, Callable[[int], nn.Module]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d, "l2": L2Pool2d}


def activated(net: nn.Module, activation: str) -> nn.Module:
    """With another activation for each ReLU; layers of a Sequential that are called relu have its name then."""
    for module in list(net.modules()) if activation != "relu" else ():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                module._modules[name] = ACTIVATIONS[activation]()
        if isinstance(module, nn.Sequential):
            module._modules = {name.replace("relu", activation): one for name, one in module._modules.items()}
    return net


def lrn(size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> nn.LocalResponseNorm:
    """Normalisation across channels with the constants of Krizhevsky et al. 2012; torch divides alpha by the size."""
    return nn.LocalResponseNorm(size, size * alpha, beta, k)


def shrunk(size: int, *steps: tuple[int, int, int]) -> int:
    """The side of the maps behind windows, strides and paddings, one after the other. Raises BadValue below 1."""
    side = size
    for window, stride, padding in steps:
        side = (side + 2 * padding - window) // stride + 1
        if side < 1:
            raise BadValue(f"Pictures of size={size} are too small for this network.")
    return side


def unit(in_channels: int, out_channels: int, kernel: int | tuple[int, int], norm: bool = False) -> nn.Sequential:
    """A convolution that keeps the size, then a batch norm if asked, then a ReLU."""
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    parts = nn.Sequential()
    parts.append(
        nn.Conv2d(in_channels, out_channels, (rows, columns), padding=(rows // 2, columns // 2), bias=not norm)
    )
    if norm:
        parts.append(nn.BatchNorm2d(out_channels))
    return parts.append(nn.ReLU())
