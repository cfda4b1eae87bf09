"""What excites one unit: each method of UNIT_METHODS runs from it back to the pixels, by its own rule for rectifiers.

A method is called with the net in eval mode, a layer's name, a batch (1, C, H, W), a channel and a position: (i, j), or
() where the layer gives a vector. It returns raw values (C, H, W). Each run starts with 1 at the unit; Zeiler and
Fergus start with the unit's value, which only scales what comes out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupported
from ..network.trace import asking, record
from ..registry import Registry

__all__ = ["RULES", "UNIT_METHODS", "rectifying", "refuse_other_activations"]

UNIT_METHODS = Registry("unit method")

Position = tuple[int, ...]
Rule = Callable[[Tensor, Tensor], Tensor]
"""What goes on below a rectifier, from what arrives above it and where its input was between its bounds."""

RULES: dict[str, Rule] = {
    "deconvnet": lambda signal, _: signal.relu(),
    "guided": lambda signal, passed: signal.relu() * passed,
}


@UNIT_METHODS.register
def deconvnet(net: nn.Module, layer: str, batch: Tensor, channel: int, position: Position) -> Tensor:
    """Back through the filters, keeping at each ReLU what is positive of the signal (Zeiler and Fergus 2014)."""
    return _run_back(net, layer, batch, channel, position, RULES["deconvnet"])


@UNIT_METHODS.register
def guided(net: nn.Module, layer: str, batch: Tensor, channel: int, position: Position) -> Tensor:
    """The gradient, keeping at each ReLU only what is positive of it (guided backprop, Springenberg et al. 2015)."""
    return _run_back(net, layer, batch, channel, position, RULES["guided"])


@UNIT_METHODS.register
def gradient(net: nn.Module, layer: str, batch: Tensor, channel: int, position: Position) -> Tensor:
    """How much the unit changes with each pixel: its gradient (Simonyan et al. 2014)."""
    return _run_back(net, layer, batch, channel, position, None)


def _run_back(net: nn.Module, layer: str, batch: Tensor, channel: int, position: Position, rule: Rule | None) -> Tensor:
    """From a unit to the pixels, by the chain rule or with another rule for rectifiers."""
    batch = asking(batch)
    if rule is None:
        _, held = record(net, batch, [layer], gradients=True)
    else:
        with rectifying(rule):
            _, held = record(net, batch, [layer], gradients=True)
    with torch.inference_mode(False), torch.enable_grad():
        unit = held[layer][(0, channel, *position)]
        if not unit.requires_grad:  # it does not depend on the picture
            return torch.zeros_like(batch[0])
        if rule is not None:
            refuse_other_activations(unit, f"layer {layer!r} is")
        return torch.autograd.grad(unit, batch)[0][0]


def _words(kind: str) -> str:
    """Without the number that autograd gives a kind: 'MeanBackward1' is cut to 'Mean' before."""
    return kind.rstrip("0123456789") or "an operation"


class rectifying(TorchFunctionMode):  # used as a context manager, as torch names its own
    """While open, rectifiers that this thread calls run back by a rule; modules and other threads know nothing of it.

    It sees nn.ReLU as well as F.relu(x), x.relu_() and x.clamp(min=0), which hooks on modules miss without a word.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        bounds = _BOUNDS.get(name.removesuffix("_"))
        if bounds is not None and "out" not in kwargs:
            batch, low, high, inplace = bounds(*args, **kwargs)
            numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
            if numbers and low == 0 and batch.requires_grad:  # indices are clamped as well
                return _Rectified.apply(batch, high, inplace or name.endswith("_"), self.rule)
        return func(*args, **kwargs)


# Functions that can be rectifiers: their arguments as input, lower bound, upper bound, whether in place.
_BOUNDS: dict[str, Callable[..., tuple[Tensor, Any, Any, bool]]] = {
    "relu": lambda input, inplace=False: (input, 0, math.inf, inplace),
    "relu6": lambda input, inplace=False: (input, 0, 6, inplace),
    "hardtanh": lambda input, min_val=-1.0, max_val=1.0, inplace=False: (input, min_val, max_val, inplace),
    "clamp": lambda input, min=None, max=None: (input, min, math.inf if max is None else max, False),
    "clamp_min": lambda input, min: (input, min, math.inf, False),
}


class _Rectified(torch.autograd.Function):
    """A rectifier forwards, a rule backwards."""

    @staticmethod
    def forward(ctx: Any, batch: Tensor, high: float, inplace: bool, rule: Rule) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward((batch > 0) & (batch < high))
        if not inplace:
            return batch.clamp(0, high)
        ctx.mark_dirty(batch)
        return batch.clamp_(0, high)

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> Any:
        return ctx.rule(signal, *ctx.saved_tensors), None, None, None


# Names of the graph's nodes. Beside ReLUs, the second kind is a gate that the rules need not know (squeeze-and-excite).
_LIKE_RELU = {
    "Relu": "a ReLU in compiled code",
    "Silu": "SiLU",
    "Gelu": "GELU",
    "Hardswish": "Hardswish",
    "Elu": "ELU",
    "Celu": "CELU",
    "LeakyRelu": "LeakyReLU",
    "RreluWithNoise": "RReLU",
    "PreluKernel": "PReLU",
    "Mish": "Mish",
    "Softplus": "Softplus",
    "Threshold": "Threshold",
}
_SATURATING = {"Sigmoid": "Sigmoid", "Tanh": "Tanh", "Hardsigmoid": "Hardsigmoid", "Hardtanh": "Hardtanh"}


# What neither rectifies nor gates; a product or a quotient may be with a constant.
_LINEAR = re.compile(
    "Convolution|Addmm|B?mm|T|Transpose|Permute|(Unsafe)?View|Reshape(Alias)?|Add|Sub|Mul|Div|Neg|Mean|Sum|Einsum|Clone|"
    "(Un)?[Ss]queeze|Slice|Select|Index|Cat|Stack|Split|Unbind|Expand|Repeat|Roll|Flip|Copy|CopySlices|ToCopy|AsStrided|"
    "(ConstantPadNd|ReflectionPad.d|Pad)|AccumulateGrad|(Native|Cudnn)BatchNorm|MkldnnLinear|PixelShuffle|Upsample.*|"
    "(Mkldnn)?(Adaptive)?AvgPool.d|(Mkldnn)?AdaptiveAvgPool.D|MaxPool.DWithIndices"
)


def refuse_other_activations(unit: Tensor, what: str, whole: bool = False) -> None:
    """Raises NotSupported where a rule would change nothing, or only part of the way; `what` is who is reached, by the
    `whole` network or only some of its layers."""
    nodes, ahead = set(), [unit.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            ahead += [before for before, _ in node.next_functions]
    kinds = {node.name().rpartition("::")[2].partition("Backward")[0] for node in nodes}
    known = _Rectified.__name__ in kinds
    if not known and not (_LIKE_RELU.keys() | _SATURATING.keys()) & kinds:
        others = sorted(kind for kind in {_words(kind) for kind in kinds} if not _LINEAR.fullmatch(kind))
        if others or (whole and "Convolution" in kinds):
            way = f" through {', '.join(others)}" if others else ""
            raise NotSupported(
                f"Deconvnet and guided backprop have a rule for ReLU, and {what} reached{way} without one that is "
                "known; the map would be the plain gradient, so ask for 'gradient'."
            )
    foreign = _LIKE_RELU if known else _LIKE_RELU | _SATURATING
    met = sorted(name for kind, name in foreign.items() if kind in kinds)
    if met:
        raise NotSupported(
            f"Deconvnet and guided backprop have a rule for ReLU only, and {what} reached through "
            f"{', '.join(met)}; choose 'gradient'."
        )
