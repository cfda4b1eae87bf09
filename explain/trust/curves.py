"""What becomes of the score while pixels are replaced: in the order of a map, or a group of them alone.

Deletion and insertion are after Petsiuk et al. (2018). Which pixels come first matters less to a network than how
finely they are scattered: a tenth of the pixels taken out by chance ruins any photograph. So a map is compared with
itself moved elsewhere, which is exactly as fine and as smooth, and with an edge map that is as smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..attribution.gradients import baseline_of
from ..attribution.passes import outputs_of
from ..network.exact import exact
from .question import Floats, Heat, Question, edges

__all__ = ["GROUPS", "Curve", "answers", "curves", "edges_like", "faithfulness_estimate", "moved", "shares"]

GROUPS = 28
"""Of pixels that are hidden alone."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The target's value (S+1,) while pixels are replaced in the order of a map, at `shares(S)`."""

    values: Floats

    @property
    def area(self) -> float:
        """The mean of the value over the way, whose steps grow: what counts is often a small part of a picture."""
        return float(np.trapezoid(self.values, dx=1 / (len(self.values) - 1)))


def shares(steps: int) -> Floats:
    """The share of the pixels (S+1,) that is replaced after each step; it grows by the square."""
    return (np.arange(steps + 1) / steps) ** 2


def curves(
    net: nn.Module, question: Question, orders: Sequence[Heat], steps: int = 12
) -> tuple[list[Curve], list[Curve]]:
    """For each map (H, W) what deletion and what insertion make of the target's value, its highest pixels first.

    Both are means of two: with the picture's own mean colour in place of what is hidden, and with the blurred picture.
    The value is the probability of a class, or a channel's own.
    """
    batch, hidden = question.batch, _hidden(question)
    count, inner = batch.shape[-2] * batch.shape[-1], steps - 1
    ranks = torch.from_numpy(np.stack([_ranks(order) for order in orders])).to(batch.device).view(-1, *batch.shape[-2:])
    cuts = np.round(shares(steps) * count).astype(int).tolist()
    # The ends are those of all orders, so they are asked for once; then each order's steps, deleting from one and
    # inserting into it, deleting from the other and inserting into that.
    total = 3 + 4 * len(orders) * inner

    def make(start: int, stop: int) -> Tensor:
        return torch.cat([one(k) for k in range(start, stop)]).contiguous(memory_format=torch.channels_last)

    def one(k: int) -> Tensor:
        if k < 3:
            return (batch, *hidden)[k].contiguous()
        which, rest = divmod(k - 3, 2 * len(orders) * inner)
        inserting, rest = divmod(rest, len(orders) * inner)
        order, step = divmod(rest, inner)
        first = ranks[order] < cuts[step + 1]
        return torch.where(first, batch, hidden[which]) if inserting else torch.where(first, hidden[which], batch)

    values = answers(net, question, total, make)[:, question.target]
    whole, nothing = values[0], values[1:3].mean()
    deleting, inserting = values[3:].reshape(2, 2, len(orders), inner).mean(0)
    return (
        [Curve(np.concatenate([[whole], between, [nothing]])) for between in deleting],
        [Curve(np.concatenate([[nothing], between, [whole]])) for between in inserting],
    )


def faithfulness_estimate(net: nn.Module, question: Question, heat: Heat) -> float:
    """Whether a map's values (H, W) are as the effects: the correlation of what it gives to each of GROUPS groups of
    pixels, its highest in the first, with how far the target's value falls when that group alone is hidden.

    After Alvarez-Melis and Jaakkola (2018). The mean over both ways of hiding; 0 where nothing differs.
    """
    batch, hidden = question.batch, _hidden(question)
    ranks = _ranks(heat)
    cuts = np.round(np.arange(GROUPS + 1) / GROUPS * heat.size).astype(int)
    number = np.searchsorted(cuts[1:], ranks, side="right")
    groups = torch.from_numpy(number).to(batch.device).view(batch.shape[-2:])
    given = np.bincount(number, heat.ravel(), GROUPS).astype(np.float64)

    def make(start: int, stop: int) -> Tensor:
        some = [torch.where(groups == k % GROUPS, hidden[k // GROUPS], batch) for k in range(start, stop)]
        return torch.cat(some).contiguous(memory_format=torch.channels_last)

    values = answers(net, question, 2 * GROUPS, make)[:, question.target].reshape(2, GROUPS)
    return float(np.mean([_correlation(given, -each) for each in values]))


def _correlation(one: Floats, other: Floats) -> float:
    """Pearson's, 0 of what does not vary."""
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum() / norm) if norm else 0.0


def _hidden(question: Question) -> tuple[Tensor, Tensor]:
    """What is put in place of pixels: the picture's mean colour, and the blurred picture."""
    batch = question.batch
    return batch.mean((2, 3), keepdim=True).expand_as(batch), baseline_of("blur", batch, question.model.input_range)


def answers(net: nn.Module, question: Question, count: int, make: Callable[[int, int], Tensor]) -> Floats:
    """The probabilities (count, K) of pictures that make(start, stop) gives, or the values of a unit's channels."""
    with exact(question.batch.device):
        outputs = outputs_of(question.target_module(net), count, make)
    chances = outputs if question.unit else question.model.chances(outputs)
    return np.asarray(chances.cpu().double().numpy())


def _ranks(heat: Heat) -> NDArray[np.int64]:
    """Each pixel's place when the highest comes first; equal ones in reading order."""
    ranks = np.empty(heat.size, np.int64)
    ranks[np.argsort(-heat.ravel(), kind="stable")] = np.arange(heat.size)
    return ranks


def edges_like(question: Question, heat: Heat) -> Heat:
    """The picture's edges, blurred until they are as smooth as a map (H, W) of its size."""
    from scipy.ndimage import gaussian_filter

    found = edges(nn.Identity(), "", question.batch, torch.zeros(1), ())[0].numpy()
    wanted = _smoothness(heat)
    sigmas = [0.0, *(0.5 * 2 ** (k / 2) for k in range(16))]
    blurred = [gaussian_filter(found, sigma) for sigma in sigmas if sigma <= min(heat.shape) / 4]
    return np.asarray(min(blurred, key=lambda one: abs(_smoothness(one) - wanted)), np.float32)


def _smoothness(heat: Heat) -> float:
    """How like a map's ranks are to those of a map one pixel further: 0 of noise, near 1 of a smooth map."""
    ranks = _ranks(heat).reshape(heat.shape).astype(np.float64)
    ranks -= ranks.mean()
    whole = float((ranks**2).mean())
    return float(np.mean([(ranks * np.roll(ranks, 1, axis)).mean() / whole for axis in (0, 1)])) if whole else 1.0


def moved(heat: Heat, chance: np.random.Generator) -> Heat:
    """The map elsewhere: what leaves it on one side comes in on the other. By at least a quarter of a side."""
    while True:
        by = [int(chance.integers(side)) for side in heat.shape]
        if any(min(step, side - step) >= side // 4 for step, side in zip(by, heat.shape, strict=True)):
            return np.roll(heat, by, (0, 1))
