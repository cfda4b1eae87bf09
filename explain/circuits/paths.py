"""The strongest paths that lead to an answer on one picture: from it back through its sources, and theirs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..index.channels import replaced
from ..network.graph import INPUT
from ..network.model import Model
from ..network.trace import reached
from ..progress import Progress, unheard
from .expanded import started
from .neighbours import sources

__all__ = ["Node", "Paths", "strongest_paths"]


@dataclass(frozen=True)
class Node:
    """A channel on paths: `part` is what it gives to the start through the nodes that were kept after it, `effect` the
    change of the start when the whole channel is set to zero. Level 0 is the start, level 1 feeds it, and so on."""

    level: int
    layer: str
    channel: int
    part: float
    effect: float | None = None


@dataclass(frozen=True)
class Paths:
    """`edges`: from a node to one of the level before, with its part on that way. `kept`: by level, from 1, the sum of
    the parts of the nodes that were kept, and that of all that feed the level before."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int, float], ...]
    kept: tuple[tuple[float, float], ...]


def strongest_paths(
    model: Model,
    net: nn.Module,
    batch: Tensor,
    target: int,
    unit: str | None = None,
    *,
    levels: int = 3,
    width: int = 4,
    progress: Progress = unheard,
) -> Paths:
    """From the score of a class, or the mean of a unit's channel, on the batch (1, C, H, W) of one picture. At each
    level the `width` channels are kept whose parts, slope times value, are largest by size. Raises NotSupported for a
    layer that no graph has."""
    first = unit or model.layers[-1].name
    start, slopes, values = _start(net, batch, sources(model, first), target, unit)
    nodes = [Node(0, unit or "", target, start)]
    edges: list[tuple[int, int, float]] = []
    kept: list[tuple[float, float]] = []
    pending: dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]] = {0: (slopes, values)}
    for level in range(1, levels + 1):
        progress(level - 1, levels + 1)
        fed: dict[tuple[str, int], dict[int, float]] = {}
        weights: dict[tuple[str, int], Tensor] = {}
        for k, (slopes, values) in pending.items():
            for name, slope in slopes.items():
                given = (slope * values[name]).cpu().double().reshape(slope.shape[0], -1).sum(1).tolist()
                for c, part in enumerate(given):
                    if part:
                        fed.setdefault((name, c), {})[k] = part
                        weights[name, c] = weights.get((name, c), 0) + slope[c]
        if not fed:
            break
        totals = {one: sum(parts.values()) for one, parts in fed.items()}
        chosen = sorted(totals, key=lambda one: -abs(totals[one]))[:width]
        kept.append((sum(totals[one] for one in chosen), sum(totals.values())))
        pending = {}
        for name, c in chosen:
            nodes.append(Node(level, name, c, totals[name, c]))
            edges += [(len(nodes) - 1, k, part) for k, part in fed[name, c].items()]
            if level < levels and name != INPUT:
                pending[len(nodes) - 1] = _before(net, batch, sources(model, name), name, c, weights[name, c])
    progress(levels, levels + 1)
    nodes[1:] = [replace(node, effect=_without(net, batch, node, target, unit) - start) for node in nodes[1:]]
    return Paths(tuple(nodes), tuple(edges), tuple(kept))


def _score(net: nn.Module, batch: Tensor, target: int, unit: str | None) -> Tensor:
    if unit is None:
        score: Tensor = net(batch)[0, target]
        return score
    return reached(net, batch, unit)[0, target].mean()


def _start(
    net: nn.Module, batch: Tensor, names: list[str], target: int, unit: str | None
) -> tuple[float, dict[str, Tensor], dict[str, Tensor]]:
    with torch.inference_mode(False), torch.enable_grad(), started(net, batch, names) as (leaves, own):
        score = _score(net, own, target, unit)
    return float(score.detach()), *_slopes(score, leaves)


def _before(
    net: nn.Module, batch: Tensor, names: list[str], layer: str, channel: int, weight: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Of the channel's map, weighed by how much each of its places counts."""
    with torch.inference_mode(False), torch.enable_grad(), started(net, batch, names) as (leaves, own):
        output = reached(net, own, layer)
        score = (output[0, channel] * weight).sum()
    return _slopes(score, leaves)


def _slopes(score: Tensor, leaves: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """By source, without the batch: slopes and values."""
    found = torch.autograd.grad(score, list(leaves.values()), allow_unused=True)
    slopes = {name: one[0] for name, one in zip(leaves, found, strict=True) if one is not None}
    return slopes, {name: leaves[name][0].detach() for name in slopes}


def _without(net: nn.Module, batch: Tensor, node: Node, target: int, unit: str | None) -> float:
    if node.layer == INPUT:
        batch = batch.clone()
        batch[:, node.channel] = 0
    taken = nullcontext() if node.layer == INPUT else replaced(net, node.layer, {node.channel: 0.0})
    with torch.inference_mode(False), torch.no_grad(), taken:
        return float(np.float64(_score(net, batch, target, unit).item()))
