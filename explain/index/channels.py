"""A layer's channels beyond one picture: their weights, and the net without some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import NotSupported
from ..network.model import Model
from ..network.trace import call_of, calls

__all__ = ["Kernel", "kernel", "replaced"]

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class Kernel(NamedTuple):
    """A layer's weights (C, inputs of its group, ...) and biases (C,), zero where it has none."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    groups: int


def kernel(model: Model, layer: str) -> Kernel | None:
    """The weights of a convolution or fully connected layer; None for other layers."""
    with model.exclusive() as net:
        module = net.get_submodule(call_of(net, model.layer(layer).name)[0])
        if not isinstance(module, _WEIGHTED):
            return None
        weight = module.weight.detach().float().cpu().numpy().copy()
        bias = np.zeros(len(weight), np.float32)
        if module.bias is not None:
            bias[:] = module.bias.detach().float().cpu().numpy()
        return Kernel(weight, bias, getattr(module, "groups", 1))


@contextmanager
def replaced(net: nn.Module, layer: str, values: Mapping[int, float]) -> Iterator[None]:
    """While open, these channels of a layer call give a constant, whatever the picture."""
    module, wanted = call_of(net, layer)

    def on_output(_module: str, call: int, output: Any) -> Tensor | None:
        if wanted not in (None, call):
            return None
        if not isinstance(output, Tensor):
            raise NotSupported(f"Layer {layer!r} gives a {type(output).__name__}, not one tensor; choose another.")
        passed_on = output.clone()
        for channel, value in values.items():
            passed_on[:, channel] = value
        return passed_on

    with calls(net, [module], on_output):
        yield
