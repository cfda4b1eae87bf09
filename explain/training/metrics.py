"""How often a network is right."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .network import outputs
from .pictures import Pictures

__all__ = ["evaluated", "hits", "wide"]

AT_ONCE = 1000


def hits(scores: Tensor, labels: Tensor, k: int = 1) -> Tensor:
    """Whether each label (N,) is among the k best of its scores (N, K); of equal scores the earlier class comes first,
    as argmax has it, and NaN comes last."""
    own = scores.gather(1, labels[:, None])
    earlier = (scores == own) & (scores.new_ones(scores.shape[1]).cumsum(0) <= labels[:, None])
    better = (scores > own) | earlier
    return (better.sum(1) < k) & ~own[:, 0].isnan()


def wide(place: torch.device) -> torch.dtype:
    """In what sums over many pictures are kept on a device: Apple's have no float64."""
    return torch.float32 if place.type == "mps" else torch.float64


@torch.no_grad()
def evaluated(net: nn.Module, own: Pictures) -> tuple[float, float]:
    """Mean loss and share of right predictions, in eval mode."""
    net.eval()
    sums = torch.zeros(2, dtype=wide(own.y.device), device=own.y.device)
    for chosen in torch.split(torch.arange(len(own), device=own.y.device), AT_ONCE):
        scores, y = outputs(net, own.ready(own.raw(chosen)))[0].float(), own.y[chosen]
        sums += torch.stack([F.cross_entropy(scores, y, reduction="sum"), hits(scores, y).sum()])
    loss, right = (sums / len(own)).tolist()
    return loss, right
