"""Deletion and insertion: what becomes of the score while pixels are replaced in the order of a map.

After Petsiuk et al. (2018). Which pixels come first matters less to a network than how finely they are scattered: a
tenth of the pixels taken out by chance ruins any photograph. So a map is compared with itself moved elsewhere, which
is exactly as fine, and with a plain edge map averaged to the map's own cells; pixels by chance are told as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..attribution.gradients import baseline_of
from ..attribution.passes import outputs_of
from ..network.exact import exact
from .question import Floats, Heat, Question, edges

__all__ = ["Curve", "curves", "edges_like", "moved"]


@dataclass(frozen=True, eq=False)
class Curve:
    """The target's value (S+1,) while pixels are replaced in the order of a map."""

    values: Floats

    @property
    def area(self) -> float:
        """The mean of the value over the way."""
        return float(np.trapezoid(self.values, dx=1 / (len(self.values) - 1)))


def curves(
    net: nn.Module, question: Question, orders: Sequence[Heat], steps: int = 32
) -> tuple[list[Curve], list[Curve]]:
    """For each map (H, W) what deletion and what insertion make of the target's value, its highest pixels first.

    Deletion replaces them by the data's mean colour; insertion puts them into the blurred picture. The value is the
    probability of a class, or a channel's own.
    """
    batch, input_range = question.batch, question.model.input_range
    count, inner = batch.shape[-2] * batch.shape[-1], steps - 1
    ranks = torch.from_numpy(np.stack([_ranks(order) for order in orders])).to(batch.device).view(-1, *batch.shape[-2:])
    grey, blurred = baseline_of("mean", batch, input_range), baseline_of("blur", batch, input_range)
    # The ends are those of all orders, so they are asked for once; then each order's steps, first deleting.
    total = 3 + 2 * len(orders) * inner

    def make(start: int, stop: int) -> Tensor:
        return torch.cat([one(k) for k in range(start, stop)]).contiguous(memory_format=torch.channels_last)

    def one(k: int) -> Tensor:
        if k < 3:
            return (batch, grey, blurred)[k].contiguous()
        inserting, rest = divmod(k - 3, len(orders) * inner)
        order, step = divmod(rest, inner)
        first = ranks[order] < round((step + 1) * count / steps)
        return torch.where(first, batch, blurred) if inserting else torch.where(first, grey, batch)

    with exact(batch.device):
        outputs = outputs_of(question.target_module(net), total, make)
    chances = outputs if question.unit else question.model.chances(outputs)
    values = chances[:, question.target].double().cpu().numpy()
    (whole, nothing, start), steps_of = values[:3], values[3:].reshape(2, len(orders), inner)
    return (
        [Curve(np.concatenate([[whole], between, [nothing]])) for between in steps_of[0]],
        [Curve(np.concatenate([[start], between, [whole]])) for between in steps_of[1]],
    )


def _ranks(heat: Heat) -> NDArray[np.int64]:
    """Each pixel's place when the highest comes first; equal ones in reading order."""
    ranks = np.empty(heat.size, np.int64)
    ranks[np.argsort(-heat.ravel(), kind="stable")] = np.arange(heat.size)
    return ranks


def edges_like(question: Question, shape: tuple[int, ...]) -> Heat:
    """The picture's edge map, as coarse as a map of this shape, at the picture's size."""
    found = edges(nn.Identity(), "", question.batch, torch.zeros(1), ())[:, None]
    if shape != tuple(found.shape[-2:]):
        found = nn.functional.adaptive_avg_pool2d(found, shape)  # type: ignore[arg-type]
    return question.large(found[0, 0].numpy())


def moved(heat: Heat, chance: np.random.Generator) -> Heat:
    """The map elsewhere: what leaves it on one side comes in on the other. By at least a quarter of a side."""
    while True:
        by = [int(chance.integers(side)) for side in heat.shape]
        if any(min(step, side - step) >= side // 4 for step, side in zip(by, heat.shape, strict=True)):
            return np.roll(heat, by, (0, 1))
