"""Methods that cover the picture's superpixels: what belongs together by colour and place counts as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from ..options import Range
from .gradients import BASELINE, SEED, baseline_of, to_baseline
from .passes import generator, scores_of
from .registry import METHODS, InputRange, complete
from .shortcuts import optimised_copy

__all__ = ["superpixels"]

SEGMENTS = Annotated[int, Range(4, 400, help="superpixels asked for; there can be a few more or less")]
SAMPLES = Annotated[int, Range(2, 8000, help="pictures with a random choice of superpixels")]


def superpixels(picture: Tensor, input_range: InputRange, count: int) -> Tensor:
    """The number of the superpixel that each pixel (H, W) of a picture (C, H, W) belongs to, from 0 (Achanta 2012)."""
    from skimage.segmentation import slic

    black, white = (end[0].to(picture) for end in input_range)
    unit = (picture - black) / (white - black)
    if unit.min() < -0.01 or unit.max() > 1.01:  # bands in units of their own
        low, high = unit.amin((1, 2), keepdim=True), unit.amax((1, 2), keepdim=True)
        unit = (unit - low) / (high - low).clamp(min=torch.finfo(unit.dtype).tiny)
    shown = unit.clamp(0, 1).permute(1, 2, 0).cpu().double().numpy()
    coloured = shown.shape[2] == 3
    if shown.shape[2] == 1:
        shown = shown[..., 0]
    # Where neighbours differ as noise does, few are large enough to be kept: then place counts for more than colour.
    for compactness in (10, 100, 1000):
        found = slic(
            shown,
            n_segments=count,
            compactness=compactness if coloured else compactness / 100,  # Lab goes to 100, grey to 1
            start_label=0,
            channel_axis=-1 if shown.ndim == 3 else None,
            convert2lab=coloured,
        )
        if found.max() + 1 >= count / 2:
            break
    return torch.from_numpy(np.unique(found, return_inverse=True)[1].reshape(found.shape)).to(picture.device)


@METHODS.register(slow=True)
def feature_ablation(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    segments: SEGMENTS = 50,
    baseline: BASELINE = "mean",
) -> Tensor:
    """How much the score falls when one superpixel is covered.

    What two superpixels show alike is missed, since each stands in for the other; large ones count for more.
    """

    def all_but_one(count: int) -> Tensor:
        return torch.cat([torch.ones(1, count), 1 - torch.eye(count)]).bool()

    tried = _tried(net, batch, target, input_range, segments, baseline, all_but_one)
    return torch.stack([(scores[0] - scores[1:])[labels] for labels, _, scores in tried]).to(batch)


@METHODS.register(label="KernelSHAP", slow=True)
@complete(to_baseline)
def kernel_shap(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    samples: SAMPLES = 300,
    segments: SEGMENTS = 50,
    baseline: BASELINE = "mean",
    seed: SEED = 0,
) -> Tensor:
    """What each superpixel adds on average, in whatever order they are uncovered (Lundberg and Lee 2017).

    It adds up to the difference of the two scores: a superpixel's share is spread evenly over its pixels. Most of the
    pictures it asks about look like none the network knows, and with few samples the shares are rough: the authors'
    program takes 2,048 and two for each superpixel.
    """

    def coalitions(count: int) -> Tensor:
        both = torch.arange(2)[:, None].bool().expand(2, count)
        return torch.cat([both, _coalitions(count, samples, seed)])

    heat = []
    for labels, kept, scores in _tried(net, batch, target, input_range, segments, baseline, coalitions):
        shares = _shapley(kept[2:], scores[2:] - scores[0], scores[1] - scores[0], samples)
        heat.append((shares / labels.flatten().bincount())[labels])
    return torch.stack(heat).to(batch)


def _coalitions(count: int, samples: int, seed: int) -> Tensor:
    """Which of so many are kept (n, count): every choice but all and none if `samples` suffice, otherwise drawn as the
    Shapley kernel weighs them, each together with its opposite."""
    if 2**count - 2 <= samples:
        return (torch.arange(1, 2**count - 1)[:, None] >> torch.arange(count)) % 2 == 1
    chance, sizes = generator(seed), torch.arange(1, count, dtype=torch.double)
    kept = torch.zeros(-(-samples // 2), 2, count, dtype=torch.bool)
    for pair in kept:
        size = 1 + int(torch.multinomial(1 / (sizes * (count - sizes)), 1, generator=chance))
        pair[0, torch.randperm(count, generator=chance)[:size]] = True
        pair[1] = ~pair[0]
    return kept.flatten(0, 1)[:samples]


def _shapley(kept: Tensor, gains: Tensor, whole: Tensor, samples: int) -> Tensor:
    """The values (count,) that add up to `whole` and come closest to the gains (n,) of what is kept (n, count)."""
    count = kept.shape[1]
    if not len(kept):
        return whole.expand(count) / count
    size = kept.sum(1).double()
    weight = torch.ones_like(size)
    if 2**count - 2 <= samples:  # every choice once: then the kernel is a weight
        log = torch.lgamma(size + 1) + torch.lgamma(count - size + 1) - math.lgamma(count + 1)
        weight = log.exp() / (size * (count - size))
    # What is added to an even share adds up to nothing, as do rows without their mean.
    rows = kept.double() - size[:, None] / count
    return whole / count + _least_squares(rows, gains - whole * size / count, weight)


@METHODS.register(label="LIME", slow=True)
def lime(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    samples: SAMPLES = 300,
    segments: SEGMENTS = 50,
    baseline: BASELINE = "mean",
    width: Annotated[float, Range(0.01, 10, help="how unlike the picture a sample may be and still count")] = 0.25,
    ridge: Annotated[float, Range(0, 1000, help="pull of the weights towards zero")] = 1.0,
    seed: SEED = 0,
) -> Tensor:
    """The weights of a linear model of the score near the picture, over its superpixels (Ribeiro et al. 2016).

    It tells no more than a linear model can, and changes with the samples, the width and the superpixels: the authors'
    program takes 1,000 samples, and quickshift's superpixels in place of SLIC's, which are about equally large.
    """

    def halves(count: int) -> Tensor:
        chance = generator(seed)
        drawn = [torch.rand(count, generator=chance) < 0.5 for _ in range(samples)]
        return torch.stack([torch.ones(count, dtype=torch.bool), *drawn])

    heat = []
    for labels, kept, scores in _tried(net, batch, target, input_range, segments, baseline, halves):
        likeness = kept.double().mean(1).sqrt()  # the cosine of what is kept and all
        weight = (-(((1 - likeness) / width) ** 2) / 2).exp()
        rows, offset = (x - (weight @ x) / weight.sum() for x in (kept.double(), scores))
        heat.append(_least_squares(rows, offset, weight, ridge)[labels])
    return torch.stack(heat).to(batch)


def _least_squares(rows: Tensor, goal: Tensor, weight: Tensor, ridge: float = 0.0) -> Tensor:
    """The smallest of the values (count,) for which rows @ values is closest to the goal."""
    pull = ridge**0.5 * torch.eye(rows.shape[1], dtype=rows.dtype)
    left = torch.cat([rows * weight.sqrt()[:, None], pull])
    right = torch.cat([goal * weight.sqrt(), goal.new_zeros(len(pull))])
    solution: Tensor = torch.linalg.lstsq(left, right[:, None], driver="gelsd").solution
    return solution[:, 0]


def _tried(
    net: nn.Module,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    segments: int,
    baseline: str,
    choose: Callable[[int], Tensor],
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For each picture its superpixels (H, W), which of them choose(count) keeps (n, count) and the scores (n,) with
    all others covered; on the CPU."""
    covers, quick = baseline_of(baseline, batch, input_range), optimised_copy(net, batch[:1])
    for k, picture in enumerate(batch):
        labels = superpixels(picture, input_range, segments)
        kept = choose(int(labels.max()) + 1)

        def shown(
            start: int, stop: int, k: int = k, picture: Tensor = picture, labels: Tensor = labels, kept: Tensor = kept
        ) -> Tensor:
            return torch.where(kept[start:stop].to(picture.device)[:, None, labels], picture, covers[k])

        scores = scores_of(quick, len(kept), shown, target[k], k / len(batch), 1 / len(batch))
        yield labels.cpu(), kept, scores.cpu().double()
