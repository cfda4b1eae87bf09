"""SCHEDULES: the learning rate as a function of where the training is and of how it went, so that nothing of it needs
to be kept; and the rules of thumb around it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import cos, pi
from typing import Annotated, Any, Literal

import torch
from torch import nn

from ..errors import BadValue
from ..options import Choices, Range
from ..registry import Registry

__all__ = ["SCHEDULES", "scaled_rate"]

SCHEDULES = Registry("schedule")

Rows = Sequence[Mapping[str, Any]]
FACTOR = Annotated[float, Range(1e-6, 1, help="what the rate is multiplied by")]


@SCHEDULES.register
def constant(_at: float, _epochs: int, _history: Rows) -> float:
    """The same all the time."""
    return 1.0


@SCHEDULES.register
def step(
    at: float,
    _epochs: int,
    _history: Rows,
    *,
    every: Annotated[int, Range(1, 10_000, help="epochs from one fall to the next")] = 30,
    factor: FACTOR = 0.1,
) -> float:
    """Falls by a factor every so many epochs."""
    return factor ** (int(at) // every)


@SCHEDULES.register
def multi_step(
    at: float,
    _epochs: int,
    _history: Rows,
    *,
    milestones: str = "50,60",
    factor: FACTOR = 0.1,
) -> float:
    """Falls by a factor at each of some epochs, which stand with commas between."""
    try:
        epochs = sorted(int(part) for part in milestones.split(","))
    except ValueError:
        raise BadValue(f"Option milestones={milestones!r} is not a list of epochs such as 50,60.") from None
    return factor ** bisect_right(epochs, int(at))


@SCHEDULES.register
def exponential(at: float, _epochs: int, _history: Rows, *, factor: FACTOR = 0.95) -> float:
    """Falls by a factor each epoch."""
    return factor ** int(at)


@SCHEDULES.register
def cosine(
    at: float, epochs: int, _history: Rows, *, end: Annotated[float, Range(0, 1, help="what is left at last")] = 0.0
) -> float:
    """Half a cosine, from step to step, down to the end of the training (Loshchilov and Hutter 2017)."""
    return end + (1 - end) * (1 + cos(pi * min(at / epochs, 1))) / 2


@SCHEDULES.register(label="On a plateau")
def plateau(
    _at: float,
    _epochs: int,
    history: Rows,
    *,
    factor: FACTOR = 0.1,
    patience: Annotated[int, Range(0, 1000, help="epochs without progress that are waited for")] = 10,
    watch: Annotated[str, Choices("loss", "accuracy", help="of which no progress is made")] = "loss",
) -> float:
    """Falls by a factor when the loss or the accuracy gets no better: the validation's, or else the training's."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    mode: Literal["min", "max"] = "min" if watch == "loss" else "max"
    judge = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, mode, factor=factor, patience=patience, eps=0.0)
    own = {"loss": "loss", "accuracy": "train_accuracy"}[watch]
    for row in history:
        judge.step(row.get(f"validation_{watch}", row[own]))
    return float(optimiser.param_groups[0]["lr"])


def scaled_rate(rate: float, batch_size: int, wanted: int) -> float:
    """The learning rate for another batch size by the linear scaling rule (Goyal et al. 2017): twice the pictures a
    step, twice the rate. It holds with a warm-up, and up to some thousands of pictures."""
    return rate * wanted / batch_size
