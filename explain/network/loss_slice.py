"""The loss around a network's weights, on a plane of two random directions (Li et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from ..progress import Progress
from .model import Model

__all__ = ["concave", "directions", "finite", "loss_slice", "path_directions", "roughness", "weights_of"]

Weights = dict[str, Tensor]
AT_ONCE = 64  # pictures a pass


def directions(net: nn.Module, seed: int) -> tuple[Weights, Weights]:
    """Two for all parameters, normally drawn by the seed. Each filter, or row of a matrix, is as long as the weights of
    that filter are; biases and the scales of normalisations stay where they are."""
    chance = torch.Generator().manual_seed(seed)
    return _direction(net, chance), _direction(net, chance)


def _direction(net: nn.Module, chance: torch.Generator) -> Weights:
    found = {}
    for name, weight in net.named_parameters():
        if weight.dim() < 2 or not weight.is_floating_point():
            found[name] = torch.zeros_like(weight)
            continue
        drawn = torch.randn(weight.shape, generator=chance)
        lengths = weight.detach().float().cpu().flatten(1).norm(dim=1) / drawn.flatten(1).norm(dim=1)
        drawn *= lengths.reshape(-1, *[1] * (weight.dim() - 1))
        found[name] = drawn.to(weight)
    return found


def weights_of(model: Model) -> Weights:
    """Copies of all parameters, on the CPU."""
    with model.exclusive() as net:
        return {name: weight.detach().float().cpu().clone() for name, weight in net.named_parameters()}


def path_directions(
    own: Weights, others: Sequence[Weights], seed: int
) -> tuple[tuple[Weights, Weights], NDArray[np.float64], float]:
    """The plane through a network's weights in which others of it lie best: two directions, the others' places (T, 2)
    on them, and the share of their squared distances that lies in the plane.

    The farthest place is at 0.8. Where the others lie on one line, the second direction is drawn by the seed.
    """
    away = torch.stack([torch.cat([(one[name] - own[name]).flatten() for name in own]) for one in others]).double()
    values, vectors = torch.linalg.eigh(away @ away.T)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    chance = torch.Generator().manual_seed(seed)
    units: list[Tensor] = []
    places = torch.zeros(len(others), 2, dtype=torch.double)
    for k in range(2):
        if k < len(values) and values[k] > 1e-12 * values[0]:
            unit = away.T @ vectors[:, k] / values[k].sqrt()
            places[:, k] = away @ unit
            unit *= (sign := 1.0 if places[places[:, k].abs().argmax(), k] > 0 else -1.0)
            places[:, k] *= sign
        else:
            unit = torch.randn(away.shape[1], generator=chance, dtype=torch.double)
            unit -= sum((unit @ other * other for other in units), torch.zeros_like(unit))
            unit /= unit.norm()
        units.append(unit)
    length = float(places.abs().max()) / 0.8 or 1.0
    first, second = (_as_weights(unit * length, own) for unit in units)
    share = float(values[:2].sum() / values.sum()) if values.sum() > 0 else 1.0
    return (first, second), (places / length).numpy(), share


def _as_weights(flat: Tensor, like: Weights) -> Weights:
    parts = torch.split(flat, [weight.numel() for weight in like.values()])
    return {name: part.reshape(weight.shape) for (name, weight), part in zip(like.items(), parts, strict=True)}


def loss_slice(
    model: Model,
    batch: Tensor,
    target: Tensor,
    along: Sequence[float],
    pair: tuple[Weights, Weights],
    progress: Progress,
) -> NDArray[np.float64]:
    """Mean losses (L, L) of a batch (N, C, H, W) on the CPU with the right classes (N,).

    At [i, j] the weights are moved by along[j] of the pair's first direction and along[i] of its second.

    Weights are never written: each pass is given others, and what it raises leaves them as they are.
    """
    losses = np.empty((len(along), len(along)))
    step = 1 if model.behaviour.alone else AT_ONCE
    with model.exclusive() as net, torch.inference_mode(False), torch.no_grad():
        own = dict(net.named_parameters())
        first, second = ({name: one[name].to(weight) for name, weight in own.items()} for one in pair)
        for k in range(losses.size):
            progress(k, losses.size, "losses")
            i, j = divmod(k, len(along))
            moved = {name: weight + along[j] * first[name] + along[i] * second[name] for name, weight in own.items()}
            total = 0.0
            for start in range(0, len(batch), step):
                scores = functional_call(net, moved, (batch[start : start + step].to(model.device),))
                total += float(model.head.loss(scores.float().cpu(), target[start : start + step]).double().sum())
            losses[i, j] = total / len(batch)
    progress(losses.size, losses.size, "done")
    return losses


def roughness(losses: NDArray[np.float64]) -> float:
    """The share of the variance of losses (L, L) that no quadratic explains: 0 for a bowl, 1 where nothing is like one.

    What is not finite counts as the largest that is.
    """
    heights = finite(losses).ravel()
    y, x = np.indices(losses.shape).reshape(2, -1) - np.array([[side // 2] for side in losses.shape])
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1).astype(float)
    fitted, *_ = np.linalg.lstsq(terms, heights, rcond=None)
    spread = float(((heights - heights.mean()) ** 2).sum())
    return float(((heights - terms @ fitted) ** 2).sum()) / spread if spread > 0 else 0.0


def concave(losses: NDArray[np.float64]) -> float:
    """The share of inner places of losses (L, L) from which the surface bends down in some direction."""
    heights = finite(losses)
    middle = heights[1:-1, 1:-1]
    across = heights[1:-1, 2:] - 2 * middle + heights[1:-1, :-2]
    up = heights[2:, 1:-1] - 2 * middle + heights[:-2, 1:-1]
    mixed = (heights[2:, 2:] - heights[2:, :-2] - heights[:-2, 2:] + heights[:-2, :-2]) / 4
    lowest = (across + up) / 2 - np.sqrt(((across - up) / 2) ** 2 + mixed**2)
    return float((lowest < -1e-9 * max(float(np.ptp(heights)), 1e-12)).mean())


def finite(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is not finite as the largest that is."""
    known = np.isfinite(losses)
    return np.where(known, losses, losses[known].max(initial=0.0))
