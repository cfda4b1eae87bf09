"""Which layer feeds which, in the pass that is executed: layers, and the places where ways join, as nodes with edges.

Rows of a convolution, its norm and its activation are one node: a layer that gives as many values as it takes, without
products and without pooling, is folded into the node before it, where that feeds nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .layers import Layer
from .trace import address, call_counts, calls

__all__ = ["INPUT", "JOINS", "Graph", "Node", "trace_graph"]

INPUT = "input"
JOINS = {"add": "sum", "cat": "concatenation", "mul": "product", "stack": "stack"}
"""Torch's operations that join ways, and what they are called here; others keep torch's name."""


@dataclass(frozen=True)
class Node:
    """Layers that follow each other without a fork; a join and the input have none. `before` has the numbers of the
    nodes that feed it, all less than its own."""

    name: str
    kind: str
    layers: tuple[Layer, ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of execution, the input first."""

    nodes: tuple[Node, ...]

    @property
    def edges(self) -> list[tuple[int, int]]:
        return [(a, b) for b, node in enumerate(self.nodes) for a in node.before]

    def node_of(self, layer: str) -> int | None:
        """The number of the node that a layer is part of."""
        return next((k for k, node in enumerate(self.nodes) if any(one.name == layer for one in node.layers)), None)

    def folded_with(self, layer: str) -> list[str]:
        """The layers of one node with it, itself among them, in their order."""
        k = self.node_of(layer)
        return [] if k is None else [one.name for one in self.nodes[k].layers]


def trace_graph(net: nn.Module, batch: Tensor, layers: Sequence[Layer]) -> Graph:
    """Of one pass of a batch (1, C, H, W) in eval mode; `layers` are those of `scan` that are no blocks."""
    known = {layer.name: layer for layer in layers}
    counts = call_counts(net, batch)
    ways = _Ways(batch)

    def on_output(name: str, call: int, output: Any) -> Any:
        layer = known.get(address(name, call, counts[name]))
        return None if layer is None else ways.arrive(layer, output)

    modules = dict.fromkeys(name for name in counts if name)
    with torch.inference_mode(False), torch.no_grad(), calls(net, modules, on_output, plain=True), ways:
        output = net(batch)
    return Graph(tuple(_numbered(_folded(_leading_on(ways.nodes, ways.ends(output))))))


class _Ways(TorchDispatchMode):
    """Follows from which node the values of each piece of memory come; one that takes from several is a join.

    Each layer's output is copied as it leaves, so that memory a layer hands on or overwrites is not two nodes.
    """

    def __init__(self, batch: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes = [Node(INPUT, INPUT, (), ())]
        self._memory: dict[int, tuple[Any, int]] = {}
        self._mark(batch, 0)

    def arrive(self, layer: Layer, output: Tensor) -> Tensor:
        """A layer has given its output: the copy with which the pass goes on."""
        source, copy = self._source(output), output.clone()
        self.nodes.append(Node(layer.name, layer.kind, (layer,), () if source is None else (source,)))
        self._mark(copy, len(self.nodes) - 1)
        return copy

    def ends(self, output: Any) -> set[int]:
        """The nodes that the net's output comes from."""
        found = (self._source(one) for one in tree_leaves(output) if isinstance(one, Tensor))
        return {one for one in found if one is not None}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [one for one in tree_leaves((args, kwargs or {})) if isinstance(one, Tensor)]
        sources = dict.fromkeys(source for source in map(self._source, given) if source is not None)
        result = func(*args, **(kwargs or {}))
        outs = [one for one in tree_leaves(result) if isinstance(one, Tensor)]
        if sources and outs:
            source = next(iter(sources)) if len(sources) == 1 else self._join(func, tuple(sorted(sources)))
            for out in outs:
                self._mark(out, source)
        return result

    def _join(self, func: Any, before: tuple[int, ...]) -> int:
        kind = func.overloadpacket.__name__.strip("_")
        self.nodes.append(Node("", JOINS.get(kind, kind), (), before))
        return len(self.nodes) - 1

    def _source(self, tensor: Tensor) -> int | None:
        entry = self._memory.get(tensor.untyped_storage()._cdata) if tensor.layout is torch.strided else None
        return entry[1] if entry else None

    def _mark(self, tensor: Tensor, node: int) -> None:
        if tensor.layout is torch.strided:  # held weakly, so that its address cannot come back as another's
            storage = tensor.untyped_storage()
            self._memory[storage._cdata] = StorageWeakRef(storage), node  # type: ignore[no-untyped-call]


def _leading_on(nodes: list[Node], ends: set[int]) -> list[Node | None]:
    """Without joins that lead nowhere, as of shapes that nobody asks for."""
    kept: list[Node | None] = list(nodes)
    wanted = set(ends)
    for k in reversed(range(len(nodes))):
        if nodes[k].layers or k in wanted or k == 0:
            wanted |= set(nodes[k].before)
        else:
            kept[k] = None
    return kept


def _folded(nodes: list[Node | None]) -> list[Node | None]:
    fed = [0] * len(nodes)
    for node in nodes:
        for k in node.before if node else ():
            fed[k] += 1
    kept, place = list(nodes), list(range(len(nodes)))
    for k, node in enumerate(nodes):
        if node is None:
            continue
        before = tuple(dict.fromkeys(place[b] for b in node.before))
        kept[k] = node = replace(node, before=before)
        if not node.layers or len(before) != 1 or fed[before[0]] != 1 or not _keeps(node.layers[0]):
            continue
        first = kept[before[0]]
        if first is not None and first.layers and first.layers[-1].shape == node.layers[0].shape:
            kept[before[0]] = replace(first, layers=first.layers + node.layers)
            kept[k], place[k], fed[before[0]] = None, before[0], fed[k]
    return kept


def _keeps(layer: Layer) -> bool:
    return not layer.macs and "Pool" not in layer.kind


def _numbered(nodes: list[Node | None]) -> list[Node]:
    kept = [k for k, node in enumerate(nodes) if node is not None]
    number = {k: i for i, k in enumerate(kept)}
    return [replace(node, before=tuple(number[b] for b in node.before)) for node in nodes if node is not None]
