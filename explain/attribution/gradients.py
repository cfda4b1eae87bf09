"""Methods that ask for the slope of the score, at the picture or along a path to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms.v2.functional import gaussian_blur

from ..options import Choices, Range
from ..progress import notify
from .passes import generator, room, score, slopes
from .registry import METHODS, InputRange, complete
from .shortcuts import optimised_copy

__all__ = ["BASELINE", "REDUCE", "SEED", "baseline_of", "reduced", "to_baseline"]

REDUCE = Annotated[str, Choices("max", "sum", "signed", help="how the colour channels become one map")]
BASELINE = Annotated[
    str, Choices("black", "white", "mean", "blur", help="the picture of nothing; mean is the data's mean colour")
]
SEED = Annotated[int, Range(0, 2**31 - 1)]
FEW = 8
"""Passes that are over before an optimised copy of the net is made."""


def reduced(values: Tensor, reduce: str) -> Tensor:
    """Values (N, C, H, W) as maps (N, H, W): max and sum of absolute values; signed keeps the strongest's sign."""
    if reduce == "sum":
        return values.abs().sum(1)
    if reduce == "max":
        return values.abs().amax(1)
    return values.gather(1, values.abs().argmax(1, keepdim=True)).squeeze(1)


def baseline_of(name: str, batch: Tensor, input_range: InputRange) -> Tensor:
    """The pictures (N, C, H, W) that stand for the absence of what is explained."""
    if name == "blur":
        size = [side // 4 * 2 + 1 for side in batch.shape[-2:]]
        # The library reflects at the border, which needs a kernel of less than twice the side.
        return gaussian_blur(batch, [max(side, 3) for side in reversed(size)]) if min(batch.shape[-2:]) > 3 else batch
    level = {"black": input_range[0], "white": input_range[1], "mean": torch.zeros_like(input_range[0])}[name]
    return level.to(batch).expand_as(batch)


@METHODS.register
def gradient(
    net: nn.Module, _layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, reduce: REDUCE = "max"
) -> Tensor:
    """How much the class score changes with each pixel: the input gradient (Simonyan et al. 2014).

    It is about infinitely small changes, so it is noisy, and near zero where a sigmoid saturates.
    """
    return reduced(slopes(net, batch, target), reduce)


@METHODS.register(label="Input × gradient")
def input_x_gradient(net: nn.Module, _layer: str, batch: Tensor, target: Tensor, _input_range: InputRange) -> Tensor:
    """What each pixel would add if the network were linear: pixel times gradient (Shrikumar et al. 2016).

    Pixels of the mean colour get nothing however much they matter.
    """
    return (batch * slopes(net, batch, target)).sum(1)


@METHODS.register(label="SmoothGrad", slow=True)
def smooth_grad(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    _input_range: InputRange,
    *,
    samples: Annotated[int, Range(1, 500)] = 25,
    noise: Annotated[float, Range(0, 1, help="standard deviation, as a share of the picture's range")] = 0.15,
    reduce: REDUCE = "max",
    seed: SEED = 0,
) -> Tensor:
    """The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).

    Clearer than one gradient, not truer: the noise decides how fine the map is.
    """

    def copies(k: int) -> Iterator[tuple[Tensor, float]]:
        chance, spread = generator(seed), noise * float(batch[k].max() - batch[k].min())
        for _ in range(samples):
            yield batch[k] + spread * torch.randn(batch[k].shape, generator=chance).to(batch), 1 / samples

    return reduced(_summed(net, batch, target, copies, samples), reduce)


def to_baseline(
    net: nn.Module, batch: Tensor, target: Tensor, input_range: InputRange, *, baseline: str, **_: Any
) -> Tensor:
    """The score less that of the baseline."""
    with torch.inference_mode(False), torch.no_grad():
        origin = baseline_of(baseline, batch, input_range).contiguous()
        return score(net(batch.clone()), target) - score(net(origin), target)


@METHODS.register(slow=True)
@complete(to_baseline)
def integrated_gradients(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    steps: Annotated[int, Range(1, 1000)] = 50,
    baseline: BASELINE = "black",
) -> Tensor:
    """What each pixel adds on the way from a baseline to the picture (Sundararajan et al. 2017).

    It adds up to the difference of the two scores. Pixels that look like the baseline get nothing.
    """
    places, weights = np.polynomial.legendre.leggauss(steps)  # the nodes that captum takes as well
    start = baseline_of(baseline, batch, input_range)

    def along(k: int) -> Iterator[tuple[Tensor, float]]:
        for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
            yield start[k] + (1 + place) / 2 * (batch[k] - start[k]), weight / 2

    return (_summed(net, batch, target, along, steps) * (batch - start)).sum(1)


@METHODS.register(label="GradientSHAP", slow=True)
def gradient_shap(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    samples: Annotated[int, Range(1, 1000)] = 50,
    noise: Annotated[float, Range(0, 1, help="standard deviation, as a share of the picture's range")] = 0.0,
    seed: SEED = 0,
) -> Tensor:
    """Integrated gradients from many baselines, here plain colours drawn by chance (Lundberg and Lee 2017).

    It adds up to the difference of the scores only in the mean: the fewer the samples, the rougher.
    """
    black, white = (end[0].to(batch) for end in input_range)

    def mixed(k: int) -> Iterator[tuple[Tensor, Tensor]]:
        chance, spread = generator(seed), noise * float(batch[k].max() - batch[k].min())
        for _ in range(samples):
            colour = torch.rand(black.shape, generator=chance).to(batch)
            share = float(torch.rand((), generator=chance))
            way = batch[k] - (black + colour * (white - black))
            if spread:
                way = way + spread * torch.randn(batch[k].shape, generator=chance).to(batch)
            yield batch[k] - share * way, way / samples

    return _summed(net, batch, target, mixed, samples).sum(1)


def _summed(
    net: nn.Module,
    batch: Tensor,
    target: Tensor,
    inputs: Callable[[int], Iterator[tuple[Tensor, Tensor | float]]],
    count: int,
) -> Tensor:
    """For each picture k the sum (C, H, W) of the slopes at inputs(k), which come with the factors of their slopes."""
    if count >= FEW:
        net = optimised_copy(net, batch[:1])
    size, sums = room(net, batch[:1], gradients=True), []
    for k, one in enumerate(target):
        total, given, done = torch.zeros_like(batch[k]), inputs(k), 0
        while some := list(islice(given, size)):
            found = slopes(net, torch.stack([picture for picture, _ in some]), one.expand(len(some)))
            for slope, (_, factor) in zip(found, some, strict=True):
                total += slope * factor
            done += len(some)
            notify((k + done / count) / len(batch), 1.0)
        sums.append(total)
    return torch.stack(sums)
