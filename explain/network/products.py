"""Multiply-accumulates of what a pass executes, by the module that is running: also of products outside any layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .macs import macs_of
from .trace import asking, hookable

__all__ = ["products"]


def products(net: nn.Module, batch: Tensor) -> dict[str, list[int]]:
    """Of a net in eval mode and a batch (1, C, H, W): by module, one number a call, what is executed while no module
    within it runs. The net itself is ""."""
    open_calls: list[int] = [0]
    found: dict[str, list[int]] = {}

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
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
