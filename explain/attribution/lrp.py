"""Layer-wise relevance propagation: each sum hands the score back by the shares of its summands."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from ..options import Range
from .propagation import MOVING, SUMS, Call, Rules, kind_of, multipliers, scaled, shared
from .registry import METHODS, InputRange

__all__ = ["lrp"]

_GATES = {"sigmoid", "expit", "hardsigmoid"}


@METHODS.register(label="LRP")
def lrp(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    _input_range: InputRange,
    *,
    epsilon: Annotated[float, Range(0, 1, help="damps weak sums, as a share of a layer's strength")] = 0.01,
) -> Tensor:
    """The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015, epsilon rule).

    It adds up to the score only without biases and epsilon, which keep their shares. Without epsilon and with ReLUs
    alone it is input × gradient, as noisy in deep networks; behind sigmoids, which turn nothing into a half, it grows
    without bounds. Pixels of the mean colour get nothing.
    """
    return (multipliers(net, batch, target, _Relevance(epsilon)) * batch).sum(1)


class _Relevance(Rules):
    """LRP: a nonlinear function hands on all it gets, a sum what it gets less a share if it is weak itself."""

    method = "LRP"
    # The winner takes all.
    plain = frozenset(
        {"MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D", "Amax"}
    )

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def elementwise(self, name: str, call: Call, batch: Tensor) -> Any:
        return scaled(name, call, batch, None)

    def product(self, name: str, call: Call, one: Tensor, other: Tensor) -> Any:
        """A gate (squeeze-and-excite) gets nothing; two maps get half each."""
        first, second = (_size(one), _is_gate(other)), (_size(other), _is_gate(one))
        share = 0.5 if first == second else float(first > second)
        values = one.detach().clone(), other.detach().clone()
        return shared(name, call, (one, other), values, (share, 1 - share))

    def other(self, name: str, output: Any) -> Any:
        if self.epsilon and name in SUMS and isinstance(output, Tensor) and output.requires_grad:
            strength = output.detach().abs()
            mean = strength.square().mean(tuple(range(output.dim() > 1, output.dim())), keepdim=True).sqrt()
            kept = strength / (strength + self.epsilon * mean).clamp(min=torch.finfo(output.dtype).tiny)
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
