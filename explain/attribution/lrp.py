"""Layer-wise relevance propagation: each sum hands the score back by the shares of its summands."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from ..errors import NotSupported
from ..options import Choices, Range
from .composites import COMPOSITES, STABILISER, Rule, boxed, handed_back
from .propagation import MOVING, SUMS, Call, Ruled, Rules, kind_of, multipliers, scaled, shared
from .registry import METHODS, InputRange
from .shortcuts import folded

__all__ = ["Relevance", "lrp", "ruled"]

_GATES = {"sigmoid", "expit", "hardsigmoid"}


@METHODS.register(label="LRP")
def lrp(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    composite: Annotated[str, Choices(*COMPOSITES, help="the rule at convolutions, by zennit's names")] = "epsilon",
    epsilon: Annotated[float, Range(0, 1, help="damps weak sums, as a share of a layer's strength")] = 0.01,
) -> Tensor:
    """The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015, epsilon rule).

    It adds up to the score only without biases and epsilon, which keep their shares. Without epsilon and with ReLUs
    alone it is input × gradient, as noisy in deep networks; there papers take another rule at convolutions, a
    composite: epsilon_plus counts what speaks for, which is smooth and says less of the class; epsilon_alpha2_beta1
    takes off what speaks against; epsilon_gamma_box favours what speaks for, and gives pixels of the mean colour a
    share, to which the others give nothing. Behind sigmoids, which turn nothing into a half, it grows without bounds.
    """
    net, rules = ruled(net, batch, input_range, composite, epsilon)
    return (multipliers(net, batch, target, rules) * batch + rules.at_pixels).sum(1)


def ruled(
    net: nn.Module, batch: Tensor, input_range: InputRange, composite: str, epsilon: float
) -> tuple[nn.Module, Relevance]:
    """The net that LRP works on, with norms folded into convolutions where a composite is for them, and its rules, for
    one pass."""
    if composite != "epsilon":
        net = folded(net, batch[:1])
    return net, Relevance(epsilon, COMPOSITES[composite], (batch, input_range) if composite.endswith("box") else None)


class Relevance(Rules):
    """LRP: a nonlinear function hands on all it gets, a sum what it gets less a share if it is weak itself.

    box: the pixels and their ends, which the first convolution has z-box for; what they get by it is `at_pixels`.
    """

    method = "LRP"
    # The winner takes all.
    plain = frozenset(
        {"MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D", "Amax"}
    )

    def __init__(self, epsilon: float, rule: Rule | None = None, box: tuple[Tensor, InputRange] | None = None) -> None:
        super().__init__()
        self.epsilon, self.rule, self.box = epsilon, rule, box
        self.at_pixels: Tensor | float = 0.0

    def convolution(
        self,
        name: str,
        func: Call,
        batch: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self.rule is None:
            return super().convolution(name, func, batch, weight, bias, *args, **kwargs)
        rule, box, given, kernel = self.rule, self.box, batch.detach().clone(), weight.detach()
        own = None if bias is None else bias.detach()
        self.box = None

        def convolve(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            found: Tensor = func(values, weight, bias, *args, **kwargs)
            return found

        with torch.no_grad():
            value = convolve(given, kernel, own)
        if box is not None and not (given.shape == box[0].shape and bool((given == box[0]).all())):
            raise NotSupported(
                "The z-box rule is for a first convolution that sees the pixels, and this network changes them before; "
                "choose composite='epsilon_plus'."
            )

        def back(signal: Tensor) -> list[Tensor]:
            if box is None:
                return [handed_back(rule(kernel, own, value), convolve, given, signal * value)]
            self.at_pixels = boxed(kernel, own, convolve, given, box[1], signal * value)
            return [torch.zeros_like(given)]

        return Ruled.apply(name, value.clone, back, False, batch)

    def elementwise(self, name: str, call: Call, batch: Tensor) -> Any:
        return scaled(name, call, batch, None)

    def product(self, name: str, call: Call, one: Tensor, other: Tensor) -> Any:
        """A gate (squeeze-and-excite) gets nothing; two maps get half each."""
        first, second = (_size(one), _is_gate(other)), (_size(other), _is_gate(one))
        share = 0.5 if first == second else float(first > second)
        values = one.detach().clone(), other.detach().clone()
        return shared(name, call, (one, other), values, (share, 1 - share))

    def other(self, name: str, output: Any) -> Any:
        epsilon = self.epsilon if self.rule is None or name in ("linear", "matmul") else STABILISER
        if epsilon and name in SUMS and isinstance(output, Tensor) and output.requires_grad:
            strength = output.detach().abs()
            mean = strength.square().mean(tuple(range(output.dim() > 1, output.dim())), keepdim=True).sqrt()
            kept = strength / (strength + epsilon * mean).clamp(min=torch.finfo(output.dtype).tiny)
            output.register_hook(lambda signal: signal * kept)  # type: ignore[no-untyped-call]
        return output


def _size(factor: Tensor) -> int:
    """How many values there are, each counted once where they are only repeated."""
    return math.prod(size for size, step in zip(factor.shape, factor.stride(), strict=True) if step)


def _is_gate(factor: Tensor) -> bool:
    node = factor.grad_fn
    while node is not None and kind_of(node) in MOVING:
        node = node.next_functions[0][0]
    return getattr(node, "kind", "") in _GATES
