"""Which rule LRP follows at a convolution, by the names that zennit has for such composites.

At all other layers it is the epsilon rule. A rule is a list of shares, each of which hands out a part of the relevance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["COMPOSITES", "STABILISER", "Rule", "boxed", "handed_back", "stabilised"]

STABILISER = 1e-6  # of a layer's strength: only keeps what is next to nothing from being divided by
GAMMA = 0.25


class Share(NamedTuple):
    """Of the relevance of all outputs, or of those `where` it is so, `part` times: by what weights `positive` and a
    `bias` make of inputs above zero, and weights `negative` of those below."""

    part: float
    where: Tensor | None
    positive: Tensor
    bias: Tensor | None
    negative: Tensor


Rule = Callable[[Tensor, Tensor | None, Tensor], list[Share]]
"""By the weights, biases and outputs of a convolution."""


def _plus(weight: Tensor, bias: Tensor | None, _value: Tensor) -> list[Share]:
    return [Share(1.0, None, weight.clamp(min=0), _clamped(bias, low=0), weight.clamp(max=0))]


def _alpha2_beta1(weight: Tensor, bias: Tensor | None, _value: Tensor) -> list[Share]:
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    return [
        Share(2.0, None, up, _clamped(bias, low=0), down),
        Share(-1.0, None, down, _clamped(bias, high=0), up),
    ]


def _gamma(weight: Tensor, bias: Tensor | None, value: Tensor) -> list[Share]:
    up, down = (weight + GAMMA * part for part in (weight.clamp(min=0), weight.clamp(max=0)))
    raised, lowered = (
        None if bias is None or part is None else bias + GAMMA * part
        for part in (_clamped(bias, low=0), _clamped(bias, high=0))
    )
    return [Share(1.0, value > 0, up, raised, down), Share(1.0, value < 0, down, lowered, up)]


COMPOSITES: dict[str, Rule | None] = {
    "epsilon": None,
    "epsilon_plus": _plus,
    "epsilon_alpha2_beta1": _alpha2_beta1,
    "epsilon_gamma_box": _gamma,  # and z-box at the first
}

Convolve = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def handed_back(shares: list[Share], convolve: Convolve, given: Tensor, relevance: Tensor) -> Tensor:
    """What each input of a convolution counts for: the relevance that it gets, divided by its value."""
    above, below = given.clamp(min=0), given.clamp(max=0)
    counts = torch.zeros_like(given)
    for part, where, positive, bias, negative in shares:
        with torch.enable_grad():
            leaves = above.requires_grad_(), below.requires_grad_()
            ups, downs = convolve(leaves[0], positive, bias), convolve(leaves[1], negative, None)
            signal = relevance / stabilised((ups + downs).detach(), STABILISER)
            signal = signal if where is None else signal * where
            from_above, from_below = torch.autograd.grad((ups, downs), leaves, (signal, signal))
        counts += part * torch.where(given > 0, from_above, from_below)
    return counts


def boxed(
    weight: Tensor,
    bias: Tensor | None,
    convolve: Convolve,
    given: Tensor,
    ends: tuple[Tensor, Tensor],
    relevance: Tensor,
) -> Tensor:
    """The relevance that pixels between two ends get by the z-box rule (Montavon et al. 2017)."""
    low, high = (end.to(given).expand_as(given) for end in ends)
    parts = (
        (1.0, given, weight, bias),
        (-1.0, low, weight.clamp(min=0), _clamped(bias, low=0)),
        (-1.0, high, weight.clamp(max=0), _clamped(bias, high=0)),
    )
    with torch.enable_grad():
        leaves = [values.detach().clone().requires_grad_() for _, values, _, _ in parts]
        outputs = [convolve(leaf, kernel, own) for leaf, (_, _, kernel, own) in zip(leaves, parts, strict=True)]
        whole = sum(sign * output.detach() for output, (sign, *_) in zip(outputs, parts, strict=True))
        assert isinstance(whole, Tensor)
        signal = relevance / stabilised(whole, STABILISER)
        slopes = torch.autograd.grad(outputs, leaves, [signal] * len(parts))
    found = torch.zeros_like(given)
    for slope, (sign, values, _, _) in zip(slopes, parts, strict=True):
        found += sign * values * slope
    return found


def stabilised(values: Tensor, epsilon: float) -> Tensor:
    """Values (N, ...) moved away from zero, by a share of each picture's root mean square."""
    size = values.square().mean(tuple(range(values.dim() > 1, values.dim())), keepdim=True).sqrt()
    away = values + torch.where(values < 0, -1.0, 1.0).to(values) * epsilon * size
    return torch.where(away == 0, torch.finfo(values.dtype).tiny, away)


def _clamped(bias: Tensor | None, low: float | None = None, high: float | None = None) -> Tensor | None:
    return None if bias is None else bias.clamp(low, high)
