"""Multiply-accumulates of one operation of torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

__all__ = ["macs_of"]


def _attention(query: Any, key: Any, value: Any, *_: Any) -> int:
    """(N, heads, places, values)."""
    return int(math.prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def _recurrence(given: Any, *weights: Any) -> int:
    """(steps, N, values)."""
    return int(math.prod(given.shape[:2]) * (weights[0].numel() + weights[1].numel()))


# What torch's own table has not.
_MORE: dict[Any, Callable[..., int]] = {
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
    return 0 if more is None else more(*args)
