"""Where a layer's channels respond most to one picture, also where a rectifier that is full makes many places equal."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .trace import call_of, calls

__all__ = ["Strongest", "strongest"]

# Functions that never fall, by name without the underscore of in-place forms: what gives more before gives no less.
_RISING = {
    "relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "clip", "threshold", "sigmoid", "expit", "tanh",
    "hardsigmoid", "elu", "celu", "selu", "softsign", "logsigmoid",
}  # fmt: skip


class Strongest(NamedTuple):
    """Row and column (C,) of each channel's strongest response, and how many places share that response (C,)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    ties: NDArray[np.int64]


def strongest(
    net: nn.Module, batch: Tensor, layer: str, maps: NDArray[np.float32], channel: int | None = None
) -> Strongest:
    """Of a picture (1, C, H, W), and the maps (C, h, w) that the layer gives for it, or that of one channel (1, h, w).

    Of several places with the same response that one which gave most before the rectifier that made them equal, if the
    layer ends in one; else the first.
    """
    flat = maps.reshape(len(maps), -1)
    most = flat == flat.max(1, keepdims=True)
    if (most.sum(1) > 1).any():
        before = _before(net, batch, layer)
        before = before if before is None or channel is None else before[channel : channel + 1]
        if before is not None and before.shape == flat.shape:
            flat = np.where(most, before, -np.inf)
    rows, columns = np.unravel_index(flat.argmax(1), maps.shape[1:])
    return Strongest(rows, columns, most.sum(1))


def _before(net: nn.Module, batch: Tensor, layer: str) -> NDArray[np.float32] | None:
    """What the rectifier at the end of the layer was given (C, places); None where there is none."""
    module, wanted = call_of(net, layer)
    found: list[Tensor] = []
    watching = _Watching()

    def on_output(_name: str, call: int, output: Any) -> None:
        if wanted in (None, call):
            found[:] = [watching.given] if output is watching.output and watching.given is not None else []

    with torch.inference_mode(False), torch.no_grad(), watching, calls(net, [module], on_output):
        net(batch.clone())
    return found[0][0].float().flatten(1).cpu().numpy() if found else None


class _Watching(TorchFunctionMode):
    """While open, keeps what the last rectifier was given and gave."""

    def __init__(self) -> None:
        super().__init__()
        self.given: Tensor | None = None
        self.output: Any = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = args[0] if args else kwargs.get("input")
        if getattr(func, "__name__", "").strip("_") not in _RISING or not isinstance(given, Tensor) or given.dim() < 2:
            return func(*args, **kwargs)
        self.given = given.detach().clone()  # which may be overwritten
        self.output = func(*args, **kwargs)
        return self.output
