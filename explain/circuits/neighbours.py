"""The convolutions nearest to a layer, before it and after it, as the pass runs: past all that has no weights across
channels."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from ..errors import NotSupported
from ..network.graph import INPUT, Graph
from ..network.model import Model
from ..network.trace import call_of

__all__ = ["consumers", "sources", "weighted"]


def sources(model: Model, layer: str) -> list[str]:
    """The layers that feed it with nothing between that mixes channels: the last of each one's node (after its norm and
    its activation), in the order of the pass; `INPUT` where the picture itself does.

    Sums, concatenations, poolings and depthwise convolutions are passed. Together they cut every way to the layer.
    Raises NotSupported for a layer that no graph has.
    """
    graph, start = _node(model, layer)
    mixes = _mixing(model, graph)
    found, waiting, met = set(), list(graph.nodes[start].before), set()
    while waiting:
        k = waiting.pop()
        if k in met:
            continue
        met.add(k)
        if mixes[k] or k == 0:
            found.add(k)
        else:
            waiting += graph.nodes[k].before
    if not found:
        raise NotSupported(f"Nothing feeds {layer!r}: it is the picture itself.")
    return [_last(graph, k) for k in sorted(found)]


def consumers(model: Model, layer: str) -> list[str]:
    """The layers that it feeds in the same way: the first of each one's node, a convolution or a fully connected one.
    Raises NotSupported for a layer that no graph has."""
    graph, start = _node(model, layer)
    mixes = _mixing(model, graph)
    after: dict[int, list[int]] = {}
    for k, b in ((k, b) for b, k in graph.edges):
        after.setdefault(b, []).append(k)
    found, waiting, met = set(), list(after.get(start, [])), set()
    while waiting:
        k = waiting.pop()
        if k in met:
            continue
        met.add(k)
        if mixes[k]:
            found.add(k)
        else:
            waiting += after.get(k, [])
    return [graph.nodes[k].layers[0].name for k in sorted(found)]


def weighted(model: Model, layer: str, known: Iterable[str]) -> str | None:
    """Of the layers that are `known`, one of the same node, which has the same channels: itself first, then the
    earliest. None where there is none."""
    known = set(known)
    if layer in known:
        return layer
    return next((name for name in model.graph.folded_with(layer) if name in known), None)


def _node(model: Model, layer: str) -> tuple[Graph, int]:
    name = model.layer(layer).name
    k = model.graph.node_of(name)
    if k is None:
        raise NotSupported(f"What feeds {name!r} can't be told: it is a block, or part of a scripted network.")
    return model.graph, k


def _mixing(model: Model, graph: Graph) -> list[bool]:
    """Of each node, whether its weights mix channels."""
    with model.exclusive() as net:
        return [
            bool(node.layers and node.layers[0].macs) and not _depthwise(net, node.layers[0].name)
            for node in graph.nodes
        ]


def _depthwise(net: nn.Module, layer: str) -> bool:
    module = net.get_submodule(call_of(net, layer)[0])
    groups = getattr(module, "groups", 1)
    return isinstance(groups, int) and 1 < groups == getattr(module, "in_channels", 0)


def _last(graph: Graph, k: int) -> str:
    return graph.nodes[k].layers[-1].name if graph.nodes[k].layers else INPUT
