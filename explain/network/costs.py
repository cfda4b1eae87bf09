"""Where a network's parameters, computation and memory are: sums over its layers, and what they mean in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .layers import Layer, outside, scan

__all__ = ["FAMILIES", "QUANTITIES", "Counts", "Share", "activations", "count", "family", "held", "neurons", "shares"]

FAMILIES = ("convolutions", "fully connected layers", "normalisations", "poolings", "activations", "other layers")
OUTSIDE = "code outside layers"  # such as attention between its projections
QUANTITIES = {
    "parameters": "parameters",
    "macs": "multiply-accumulates",
    "activations": "activation memory",
    "moved": "memory traffic",
}
LARGEST = 5
_ACTIVATIONS = frozenset(nn.modules.activation.__all__) - {"MultiheadAttention"}
_HELD = frozenset(FAMILIES[:4])


def family(kind: str) -> str:
    """One of FAMILIES, for the class name of a module, also of another library's."""
    if "Conv" in kind:
        return FAMILIES[0]
    if "Linear" in kind:
        return FAMILIES[1]
    if "Norm" in kind:
        return FAMILIES[2]
    if "Pool" in kind:
        return FAMILIES[3]
    return FAMILIES[4] if kind in _ACTIVATIONS else FAMILIES[5]


def held(layer: Layer) -> int:
    """Values that stay in memory for this layer's sake: its output, if it is counted at all.

    Counted are convolutions, fully connected layers, poolings and normalisations, as in the lectures' list for VGG-16
    (S3:242-267); a ReLU can write over its input, and dropout and flatten pass it on.
    """
    return layer.units if family(layer.kind) in _HELD and not layer.passes else 0


def activations(layers: Sequence[Layer], entering: int) -> int:
    """Values held for one picture, the picture's own `entering` among them."""
    return entering + sum(map(held, layers))


def neurons(layers: Sequence[Layer]) -> int:
    """Units of convolutions and fully connected layers, as Krizhevsky et al. 2012 count them."""
    return sum(layer.units for layer in layers if family(layer.kind) in FAMILIES[:2])


@dataclass(frozen=True)
class Share:
    """One quantity: its sum, the share of each family that has any, and of the largest single layers."""

    quantity: str
    total: int
    families: dict[str, float]
    largest: dict[str, float]

    @property
    def words(self) -> str:
        """For instance: 96.0% of the parameters are in fully connected layers; fc6 alone has 61.8%."""
        if not self.total:
            return f"There are no {QUANTITIES[self.quantity]}."
        name, share = next(iter(self.families.items()))
        layer, most = next(iter(self.largest.items()))
        said = QUANTITIES[self.quantity]
        verb = "is" if self.quantity in ("activations", "moved") else "are"
        where = {"activations": "the outputs of ", "moved": ""}.get(self.quantity, "")
        return f"{share:.1%} of the {said} {verb} in {where}{name}; {layer} alone has {most:.1%}."


def shares(layers: Sequence[Layer], rest: Sequence[Layer] = ()) -> tuple[Share, ...]:
    """Of each of QUANTITIES, the largest families and layers first, what is `outside` the layers among them.

    Parameters are those that a pass in eval mode reaches; `activations` are values by `held`, without the picture;
    `moved` are bytes.
    """
    each: dict[str, Callable[[Layer], int]] = {
        "parameters": lambda layer: layer.parameters,
        "macs": lambda layer: layer.macs,
        "activations": held,
        "moved": lambda layer: layer.moved,
    }
    found = []
    for quantity, count in each.items():
        amounts = [(layer, count(layer)) for layer in (*layers, *rest)]
        total = sum(amount for _, amount in amounts)
        kinds = dict.fromkeys((*FAMILIES, OUTSIDE), 0)
        for layer, amount in amounts:
            kinds[OUTSIDE if layer in rest else family(layer.kind)] += amount
        singles = sorted(amounts, key=lambda pair: -pair[1])[:LARGEST]
        found.append(
            Share(
                quantity,
                total,
                {name: n / total for name, n in sorted(kinds.items(), key=lambda pair: -pair[1]) if n},
                {layer.name: n / total for layer, n in singles if n},
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Counts:
    """A network counted on an empty picture; `weights` are those of convolutions and fully connected layers alone."""

    layers: tuple[Layer, ...]
    parameters: int
    stored: int
    conv_weights: int
    linear_weights: int
    conv_macs: int
    macs: int
    convs: int
    depth: tuple[int, int]
    windows: tuple[int, ...]
    filters: tuple[int, ...]

    @property
    def weights(self) -> int:
        return self.conv_weights + self.linear_weights


def count(net: nn.Module, batch: Tensor) -> Counts:
    """Of a net in eval mode and its input (1, C, H, W), which may both be on the device "meta".

    stored: values in its file, running statistics among them. depth: the longest path, in convolutions and in those and
    fully connected layers.
    """
    layers = tuple(layer for layer in scan(net, batch, fields=False) if not layer.block)
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    linears = [module for module in net.modules() if isinstance(module, nn.Linear)]
    conv_macs = sum(layer.macs for layer in layers if layer.kind == "Conv2d")
    with torch.enable_grad():
        end = net(batch).grad_fn
    return Counts(
        layers,
        sum(p.numel() for p in net.parameters()),
        sum(value.numel() for value in net.state_dict().values()),
        sum(module.weight.numel() for module in convs),
        sum(module.weight.numel() for module in linears),
        conv_macs,
        sum(layer.macs for layer in (*layers, *outside(net, batch, layers))),
        sum(layer.kind == "Conv2d" for layer in layers),
        (_longest(end, ("Convolution",)), _longest(end, ("Convolution", "Addmm", "Mm"))),
        tuple(sorted({side for module in convs for side in module.kernel_size})),
        tuple(dict.fromkeys(module.out_channels for module in convs)),
    )


def _longest(end: Any, names: tuple[str, ...]) -> int:
    """The most operations of these names on one way from the output back to the input, by torch's own record."""
    lengths: dict[Any, int] = {}
    waiting = [end]
    while waiting:
        node = waiting[-1]
        before = [other for other, _ in node.next_functions if other is not None]
        missing = [other for other in before if other not in lengths]
        if missing:
            waiting += missing
            continue
        own = any(node.name() == f"{name}Backward0" for name in names)
        lengths[node] = own + max((lengths[other] for other in before), default=0)
        waiting.pop()
    return lengths[end]
