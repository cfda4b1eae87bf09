"""Multiply-accumulates of what a pass executes, by the module that is running: also of products outside any layer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from .trace import asking, hookable

__all__ = ["macs_of", "products"]


def _attention(query: Any, key: Any, value: Any, *_: Any) -> int:
    """(N, heads, places, values)."""
    return math.prod(query.shape[:-1]) * int(key.shape[-2]) * int(query.shape[-1] + value.shape[-1])


def _recurrence(given: Any, *weights: Any) -> int:
    """(steps, N, values)."""
    return math.prod(given.shape[:2]) * int(weights[0].numel() + weights[1].numel())


# What torch's own table has not.
_MORE = {
    torch.ops.aten.mv: lambda matrix, *_: matrix.numel(),
    torch.ops.aten.addmv: lambda _, matrix, *__: matrix.numel(),
    torch.ops.aten.dot: lambda vector, *_: vector.numel(),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten.mkldnn_rnn_layer: _recurrence,
}


def macs_of(func: Any, args: Any, kwargs: Any, output: Any) -> int:
    """Of one operation: of a convolution, a matrix product or attention; others have none."""
    if (counted := flop_registry.get(func.overloadpacket)) is not None:
        return int(counted(*args, **(kwargs or {}), out_val=output)) // 2
    more = _MORE.get(func.overloadpacket)
    return 0 if more is None else int(more(*args))


def products(net: nn.Module, batch: Tensor) -> dict[str, list[int]]:
    """Of a net in eval mode and a batch (1, C, H, W): by module, one number a call, what is executed while no module
    within it runs. The net itself is ""."""
    open_calls: list[int] = [0]
    found: dict[str, list[int]] = {}

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            output = func(*args, **(kwargs or {}))
            open_calls[-1] += macs_of(func, args, kwargs, output)
            return output

    handles = []
    for name, module in hookable(net).items():
        begin = module.register_forward_pre_hook(lambda _module, _args: open_calls.append(0))
        end = module.register_forward_hook(
            lambda _module, _args, _output, name=name: found.setdefault(name, []).append(open_calls.pop())
        )
        handles += [begin, end]
    try:
        # Asked for a gradient, torch takes no short ways that are one operation for a whole layer, as for attention.
        with torch.inference_mode(False), torch.enable_grad(), Counting():  # type: ignore[no-untyped-call]
            net(asking(batch).clone())
    finally:
        for handle in handles:
            handle.remove()
    return found
