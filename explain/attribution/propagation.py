"""A pass back through a net with a rule of its own for each function: what DeepLIFT and LRP have in common.

Both run a multiplier back: what a value counts for, once it is multiplied by the value (LRP) or by its difference from
a baseline (DeepLIFT). Through linear functions a multiplier runs like a gradient, so that rules are needed elsewhere
only (Ancona et al. 2018). The graph is searched afterwards for functions without a rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupported, Unknown
from ..network.trace import asking, call_counts, call_of, calls
from .passes import score

__all__ = [
    "MOVING",
    "SUMS",
    "Call",
    "Ruled",
    "Rules",
    "Run",
    "back",
    "kind_of",
    "multipliers",
    "run",
    "scaled",
    "shared",
]

Call = Callable[..., Any]
Back = Callable[[Tensor], list[Tensor]]
"""What goes on below a function to each of its inputs, from what arrives above it."""


class Run(NamedTuple):
    """A pass under rules: the pixels as the leaf of its graph, each picture's score (N,), the layer's output."""

    batch: Tensor
    scores: Tensor
    held: Tensor | None


def run(net: nn.Module, batch: Tensor, target: Tensor, rules: Rules, layer: str = "") -> Run:
    """Raises NotSupported where the rules do not reach, or for a layer that gives no maps (N, C, h, w) or vectors."""
    batch, (module, wanted) = asking(batch), call_of(net, layer)
    held: list[Tensor] = []

    def keep(_module: str, call: int, output: Any) -> Tensor | None:
        if wanted not in (None, call):
            return None
        if not isinstance(output, Tensor) or output.dim() not in (2, 4):
            given = tuple(output.shape[1:]) if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise NotSupported(f"Layer {layer!r} gives {given}; maps (C, H, W) or vectors (C,) only.")
        # A copy, as what damps the layer's own sums comes below what it has been given; and one to be overwritten.
        held[:] = [output.clone()]
        return held[0].clone()

    with torch.inference_mode(False), torch.enable_grad():
        with rules, calls(net, [module], keep) if layer else nullcontext():
            output = net(batch.clone())  # which may be overwritten
        scores = score(output, target)
        _refuse_other_functions(scores, batch, rules)
    if layer and not held:
        raise Unknown("layer", layer, call_counts(net, batch), "The pass does not reach it, or not so often.")
    return Run(batch, scores, held[0] if held else None)


def multipliers(net: nn.Module, batch: Tensor, target: Tensor, rules: Rules) -> Tensor:
    """What each pixel's value counts for (N, C, H, W). Raises NotSupported where the rules do not reach."""
    found = run(net, batch, target, rules)
    return back(found.scores, found.batch)


def back(value: Tensor, source: Tensor, signal: Tensor | None = None, again: bool = False) -> Tensor:
    """What arrives at a source from values, from a signal there or by default from one at each; zero where no way
    leads. again: the graph is kept for another pass."""
    with torch.inference_mode(False), torch.enable_grad():
        if not value.requires_grad:
            return torch.zeros_like(source)
        signal = torch.ones_like(value) if signal is None else signal
        found = torch.autograd.grad(value, source, signal, retain_graph=again, allow_unused=True)[0]
        return torch.zeros_like(source) if found is None else found


# Functions of each value for itself, by name without the underscore of in-place forms.
_ELEMENTWISE = {
    "relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "clip", "threshold", "leaky_relu", "rrelu",
    "prelu", "elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "logsigmoid", "sigmoid", "expit", "tanh",
    "hardsigmoid", "hardswish", "softsign", "tanhshrink", "hardshrink", "softshrink",
}  # fmt: skip
SUMS = {
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "matmul",
    "add", "iadd", "radd", "sub", "isub", "rsub", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "mean", "sum", "batch_norm", "interpolate",
}  # fmt: skip
_LARGEST = {f"{kind}max_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3)} | {"amax"}
_CONVOLUTIONS = {f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)}
_PRODUCTS = {"mul", "multiply", "imul", "rmul"}


class Rules(TorchFunctionMode):
    """While open, functions of the tables that this thread calls are handed to the methods below if they are asked for
    gradients; modules, however they are written, and other threads know nothing of it."""

    method = ""
    plain: frozenset[str] = frozenset()  # nodes of the graph whose gradient is the rule

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()  # functions without a rule that overwrite a part of something: no node names them

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", "").strip("_"), dict(kwargs or {})
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        # What depends on the picture is no leaf: weights are, and ask for gradients in nets that are not frozen.
        tensors = [v for v in args[:2] if isinstance(v, Tensor) and v.requires_grad and not v.is_leaf]
        if tensors and tensors[0] is args[0] and "out" not in kwargs:

            def call(*inputs: Tensor) -> Any:
                return func(*inputs, *args[len(inputs) :], **kwargs)

            if name in _ELEMENTWISE:
                return self.elementwise(name, call, args[0])
            if name in _LARGEST and not kwargs.get("return_indices"):
                return self.largest(name, call, args[0])
            if name in _CONVOLUTIONS and len(tensors) == 1:
                return self.convolution(name, func, *args, **kwargs)
            if name in _PRODUCTS and len(tensors) == 2:
                return self.product(name, call, *tensors)
            if args[0]._is_view() and name not in SUMS | {"copy", "fill", "zero", "setitem"}:
                before = args[0]._version
                output = func(*args, **kwargs)
                if args[0]._version != before:
                    self.hidden.add(name)
                return self.other(name, output)
        return self.other(name, func(*args, **kwargs))

    def elementwise(self, name: str, call: Call, batch: Tensor) -> Any:
        return call(batch)

    def largest(self, name: str, call: Call, batch: Tensor) -> Any:
        return call(batch)

    def product(self, name: str, call: Call, one: Tensor, other: Tensor) -> Any:
        return call(one, other)

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
        return self.other(name, func(batch, weight, bias, *args, **kwargs))

    def other(self, name: str, output: Any) -> Any:
        return output


class Ruled(torch.autograd.Function):
    """A value forwards, a rule backwards."""

    @staticmethod
    def forward(ctx: Any, name: str, make: Callable[[], Tensor], back: Back, inplace: bool, *inputs: Tensor) -> Tensor:
        # The value is made by a function: overwriting a part, torch 2.15 fails if another tensor comes before it.
        ctx.kind, ctx.back = name, back
        if not inplace:
            return make()
        ctx.mark_dirty(inputs[0])
        return inputs[0].copy_(make())

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> Any:
        return None, None, None, None, *ctx.back(signal)


def scaled(name: str, call: Call, batch: Tensor, origin: Tensor | None) -> Any:
    """A function of each value for itself; back, the slope of the line from the origin to the value.

    Without an origin, from (0, 0). Where the two are so close that rounding would show, the slope at the value.
    """
    with torch.enable_grad():
        leaf = batch.detach().requires_grad_()
        given = leaf.clone()
        value = call(given)
        (tangent,) = torch.autograd.grad(value.sum(), leaf)
    inplace, value, change = value is given, value.detach(), leaf.detach()
    close, rise = change == 0, value
    if origin is not None:
        with torch.no_grad():
            before = call(origin.clone())
        change, rise = change - origin, value - before
        close = change.abs() <= 1e3 * torch.finfo(value.dtype).eps * torch.maximum(value.abs(), before.abs())
    factor = torch.where(close, tangent, rise / change)
    return Ruled.apply(name, lambda: value, lambda signal: [signal * factor], inplace, batch)


def shared(name: str, call: Call, inputs: Sequence[Tensor], places: Sequence[Tensor], shares: Sequence[float]) -> Any:
    """A product; back, shares of its gradients at some place."""
    given = inputs[0].detach().clone()
    with torch.no_grad():
        value = call(given, inputs[1].detach())

    def back(signal: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            leaves = [place.requires_grad_() for place in places]
            slopes = torch.autograd.grad(call(leaves[0].clone(), leaves[1]), leaves, signal)
        return [slope * share for slope, share in zip(slopes, shares, strict=True)]

    return Ruled.apply(name, lambda: value, back, value is given, *inputs)


# Names of the graph's nodes through which multipliers run like gradients: values are moved, summed, or weighted.
MOVING = {
    "View", "UnsafeView", "ReshapeAlias", "Permute", "Transpose", "T", "Squeeze", "Unsqueeze", "Slice", "Select",
    "Index", "IndexSelect", "Gather", "Split", "SplitWithSizes", "Unbind", "Cat", "Stack", "Expand", "Repeat",
    "Clone", "Alias", "ToCopy", "AsStrided", "CopySlices", "Roll", "Flip", "Unfold", "ConstantPadNd",
    "ReflectionPad1D", "ReflectionPad2D", "ReplicationPad1D", "ReplicationPad2D", "PixelShuffle", "PixelUnshuffle",
    "UpsampleNearest1D", "UpsampleNearest2D",
}  # fmt: skip
_SUMMING = {
    "Add", "Sub", "Rsub", "Neg", "Sum", "Mean", "AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D",
    "UpsampleLinear1D", "UpsampleBilinear2D", "UpsampleBicubic2D", "NativeBatchNorm", "CudnnBatchNorm",
    "MiopenBatchNorm",
}  # fmt: skip
_WEIGHTING = {"Mul", "Div", "Mm", "Addmm", "Mv", "Bmm", "Baddbmm", "Convolution"}


def _refuse_other_functions(chosen: Tensor, batch: Tensor, rules: Rules) -> None:
    """Raises NotSupported where the way from the pixels to the score leads through a function without a rule."""
    above: dict[Any, list[Any]] = {}
    ahead = [chosen.grad_fn]
    while ahead:
        node = ahead.pop()
        for below, _ in getattr(node, "next_functions", ()):
            if below is not None:
                if below not in above:
                    ahead.append(below)
                above.setdefault(below, []).append(node)
    ahead, way = [node for node in above if getattr(node, "variable", None) is batch], set()
    while ahead:
        node = ahead.pop()
        if node not in way:
            way.add(node)
            ahead += above.get(node, [])
    met = {_words(kind_of(node)) for node in way if not _is_ruled(node, way, rules)}
    if any(kind_of(node) == "CopySlices" for node in way):
        met |= rules.hidden
    if met:
        raise NotSupported(
            f"{rules.method} has no rule for {', '.join(sorted(met))}, through which the scores are reached; "
            "choose 'integrated_gradients', which needs none."
        )


def _is_ruled(node: Any, way: set[Any], rules: Rules) -> bool:
    kind, given = kind_of(node), [below in way for below, _ in node.next_functions]
    if kind in _WEIGHTING:  # by weights that do not depend on the picture
        return sum(given) == 1 and not (kind == "Div" and given[1:] == [True])
    if getattr(node, "_saved_training", False):  # normalised by the batch's or the picture's own statistics
        return False
    return kind in MOVING | _SUMMING | rules.plain | {Ruled.__name__, "AccumulateGrad"}


def kind_of(node: Any) -> str:
    """'AddBackward0' -> 'Add', 'torch::autograd::CopySlices' -> 'CopySlices'."""
    return str(node.name().partition("Backward")[0].rpartition(":")[2])


def _words(kind: str) -> str:
    """'LogSoftmax' -> 'log_softmax', as functions are called."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.strip("_")).lower()
