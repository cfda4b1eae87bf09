"""Slopes as if nothing between two convolutions bent: what "expanded weights" are of (Voss et al. 2021, Circuits)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

__all__ = ["Straight"]

_ACTIVATIONS = {
    *("relu", "relu6", "hardtanh", "leaky_relu", "rrelu", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish"),
    *("hardswish", "softplus", "softsign", "threshold", "tanh", "tanhshrink", "logsigmoid", "clamp", "clip"),
    *("clamp_min", "clamp_max"),
}
_GATES = {"sigmoid", "hardsigmoid"}  # activations too, where nothing is multiplied with them
_POOLS = {f"max_pool{d}d": getattr(F, f"avg_pool{d}d") for d in (1, 2, 3)}
_ADAPTIVE = {f"adaptive_max_pool{d}d": getattr(F, f"adaptive_avg_pool{d}d") for d in (1, 2, 3)}
_PRODUCTS = {"mul", "multiply", "__mul__", "__rmul__", "__imul__"}


class Straight(TorchFunctionMode):
    """While open, values are the network's own, and slopes those of a straight copy: activations are the identity,
    maxima over windows their means, gates (squeeze-and-excitation) what they are on this picture.

    What depends on its input in other ways (norms without running statistics, attention) has its own slope.
    """

    def __init__(self) -> None:
        super().__init__()
        self._gates: list[Tensor] = []  # held, so that no other tensor gets its address

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        full = getattr(func, "__name__", "")
        name = full if full.startswith("__") else full.strip("_")
        signal = args[0] if args and isinstance(args[0], Tensor) else kwargs.get("input")
        if not isinstance(signal, Tensor) or not signal.requires_grad:
            return self._product(func, args, kwargs) if name in _PRODUCTS else func(*args, **kwargs)
        if name in _PRODUCTS:
            return self._product(func, args, kwargs)
        if name in _ACTIVATIONS or name in _GATES:
            with torch.no_grad():
                value = func(signal.clone(), *args[1:], **{k: one for k, one in kwargs.items() if k != "input"})
            through = signal + (value - signal.detach())
            if full.endswith("_") or kwargs.get("inplace") is True:
                through = signal.copy_(through)
            if name in _GATES:
                self._gates.append(through)
            return through
        if name == "softmax":
            self._gates.append(value := func(*args, **kwargs))
            return value
        if (mean := _mean(name, signal, args, kwargs)) is not None:
            value = func(*args, **kwargs)
            first = value[0] if isinstance(value, tuple) else value
            straight = mean + (first - mean).detach()
            return (straight, *value[1:]) if isinstance(value, tuple) else straight
        return func(*args, **kwargs)

    def _product(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A gate is a factor that a sigmoid gave, or one number for a whole map: it stays as it is."""
        factors = [one for one in args[:2] if isinstance(one, Tensor) and one.requires_grad]
        if len(factors) == 2:
            least = min(factors, key=Tensor.numel)
            smaller = factors[0].numel() != factors[1].numel()
            held = [any(one is gate for gate in self._gates) or (smaller and one is least) for one in args[:2]]
            if any(held) and not all(held):
                args = (*(one.detach() if gate else one for one, gate in zip(args, held, strict=False)), *args[2:])
        return func(*args, **kwargs)


def _mean(name: str, signal: Tensor, args: Any, kwargs: Any) -> Tensor | None:
    """The mean over the same windows; None for what is no maximum over windows, or over windows with holes."""
    name = name.removesuffix("_with_indices")
    if name in _ADAPTIVE:
        sides = args[1] if len(args) > 1 else kwargs["output_size"]
        return _tensor(_ADAPTIVE[name](signal, sides))
    if name not in _POOLS:
        return None
    given = dict(zip(("kernel_size", "stride", "padding", "dilation", "ceil_mode"), args[1:], strict=False)) | kwargs
    dilation = given.get("dilation", 1)
    if any(one != 1 for one in (dilation if isinstance(dilation, tuple | list) else (dilation,))):
        return None
    return _tensor(
        _POOLS[name](
            signal,
            given["kernel_size"],
            given.get("stride") or None,
            given.get("padding", 0),
            given.get("ceil_mode", False),
            False,
        )
    )


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value
