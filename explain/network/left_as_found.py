"""A network in use, and as it was found afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

__all__ = ["left_as_found", "same_attributes", "same_chance"]

SMALL = 1 << 20
"""Numbers of a buffer that is put back."""


@contextmanager
def left_as_found(net: nn.Module) -> Iterator[nn.Module]:
    """While open the net is in eval mode with its weights frozen; afterwards, also after an exception, its modes,
    gradients, hooks, requires_grad and buffers are what they were."""
    modules, parameters = list(net.modules()), list(net.parameters())
    training = [module.training for module in modules]
    hooks = [[(table, dict(table)) for table in _hook_tables(module)] for module in modules]
    wants = [(parameter.requires_grad, parameter.grad) for parameter in parameters]
    kept = [(one, one._version, one.detach().clone()) for one in net.buffers() if one.numel() < SMALL]
    try:
        with suppress(NotImplementedError):  # an exported program has no modes
            net.eval()
        for parameter in parameters:
            parameter.requires_grad_(False)
        yield net
    finally:
        for module, mode, tables in zip(modules, training, hooks, strict=True):
            module.training = mode
            for table, before in tables:
                if table != before:
                    table.clear()
                    table.update(before)
        for parameter, (requires_grad, grad) in zip(parameters, wants, strict=True):
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        for buffer, version, value in kept:
            if not buffer.is_inference() and buffer._version != version:
                with torch.no_grad():
                    buffer.copy_(value)


@contextmanager
def same_attributes(net: nn.Module) -> Iterator[None]:
    """What modules keep beside their weights, such as a grid made for the last picture's size, is put back."""

    def kept(module: nn.Module) -> dict[str, Any]:
        return {name: value for name, value in vars(module).items() if not name.startswith("_")}

    before = [(module, kept(module)) for module in net.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            for name in kept(module).keys() - attributes.keys():
                del vars(module)[name]
            vars(module).update(attributes)


@contextmanager
def same_chance() -> Iterator[None]:
    """What a net draws from the global generator is drawn again next time. Only for nets that draw: others may be built
    meanwhile, whose weights are drawn from it as well."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


def _hook_tables(module: nn.Module) -> list[dict[int, Any]]:
    return [table for name, table in vars(module).items() if name.endswith("_hooks") and isinstance(table, dict)]
