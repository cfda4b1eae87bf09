"""Channels of an index that say nothing, or what another says already."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..network.model import Model
from ..network.trace import call_of, calls, inputs
from .channels import kernel, replaced
from .index import Index

__all__ = ["dead", "duplicates"]

TOLERANCE = 1e-6  # of the largest weight: what saving and loading in another order of bytes leaves equal
_RECTIFIERS = (nn.ReLU, nn.ReLU6)
_dead: WeakKeyDictionary[Index, dict[str, dict[int, str]]] = WeakKeyDictionary()  # by layer: asked at every page


def dead(index: Index, layer: str) -> dict[int, str]:
    """Channels that say nothing about any picture of the index, each with the reason.

    They are constant, or a ReLU behind the layer (perhaps after a batch norm) never lets them through.
    """
    kept = _dead.setdefault(index, {})
    if layer not in kept:
        kept[layer] = _find_dead(index, layer)
    return dict(kept[layer])


def _find_dead(index: Index, layer: str) -> dict[int, str]:
    known = index.statistics(layer)
    low, high = known["min"].astype(np.float64), known["max"].astype(np.float64)
    found = {int(c): f"constant at {low[c]:.4g}" for c in np.flatnonzero(low == high)}
    with index.model.exclusive() as net, torch.no_grad():
        noise = _noise(index.model)
        gate = _gate(net, noise, layer)
        if gate is None:
            return found
        at_relu = np.maximum(gate[0] * low + gate[1], gate[0] * high + gate[1])
        shut = [int(c) for c in np.flatnonzero((at_relu <= 0) & (low < high)) if c not in found]
        if not shut:
            return found
        # Something besides the ReLU may read the layer: then the channels' values matter, and they are not dead.
        outputs = []
        for values in (low, high):
            with replaced(net, layer, {c: values[c] for c in shut}):
                outputs.append(net(noise))
    if all(isinstance(output, Tensor) for output in outputs) and torch.equal(*outputs):
        found |= dict.fromkeys(shut, "never above 0 at the ReLU behind it")
    return dict(sorted(found.items()))


def duplicates(index: Index, layer: str) -> dict[int, int]:
    """Channels equal to an earlier one, which is named; dead ones are left out.

    Equal are weights and bias, or without such all that the index keeps: extremes, means, first scores.
    """
    gone = dead(index, layer)
    own = kernel(index.model, layer)
    if own is None:
        known, ranked = index.statistics(layer), index.summary(layer).ranked
        columns = [known[name][:, None] for name in ("mean", "std", "min", "max")]
        rows = np.concatenate([*columns, ranked["best"].score, ranked["lowest"].score], 1)
        groups = 1
    else:
        rows, groups = np.concatenate([own.weight.reshape(len(own.weight), -1), own.bias[:, None]], 1), own.groups
    found: dict[int, int] = {}
    size = len(rows) // groups  # filters of different groups look at different channels: equal weights say nothing
    for first in range(0, len(rows), size) if size > 1 else ():
        found |= _equal(rows, [c for c in range(first, first + size) if c not in gone])
    return found


def _equal(rows: NDArray[Any], numbers: list[int]) -> dict[int, int]:
    """Those of the numbered rows that equal an earlier one, and which."""
    chosen = np.nan_to_num(rows[numbers].astype(np.float64))
    norms = np.square(chosen).sum(1)
    near = norms[:, None] + norms - 2 * chosen @ chosen.T <= 1e-9 * np.maximum(norms[:, None], norms)
    found: dict[int, int] = {}
    for later, earlier in np.argwhere(np.tril(near, -1)).tolist():
        gap = np.abs(chosen[later] - chosen[earlier]).max()
        if numbers[later] not in found and gap <= TOLERANCE * np.abs(chosen[earlier]).max():
            found[numbers[later]] = numbers[earlier]
    return found


def _gate(net: nn.Module, batch: Tensor, layer: str) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Gain and shift of each channel on its way to a ReLU that takes the layer's very output; None without one."""
    module, wanted = call_of(net, layer)
    modules = dict(net.named_modules())
    norms = [name for name, one in modules.items() if isinstance(one, _BatchNorm)]
    left: dict[str, Tensor] = {}
    readers: dict[int, tuple[str, Any]] = {}  # by the tensor, which is held so that no other gets its id

    def read(name: str) -> Callable[[Any], object]:
        return lambda tensor: readers.setdefault(id(tensor), (name, tensor))

    def on_output(name: str, call: int, output: Any) -> None:
        if name != module or wanted in (None, call):
            left[name] = output

    with ExitStack() as stack:
        for name in [*norms, *(name for name, one in modules.items() if isinstance(one, _RECTIFIERS))]:
            stack.enter_context(inputs(net, name, read(name)))
        stack.enter_context(calls(net, [module, *norms], on_output))
        net(batch)
    output = left[module]
    gain, shift = np.ones(output.shape[1]), np.zeros(output.shape[1])
    reader = modules.get(readers.get(id(output), ("?", None))[0])
    if isinstance(reader, _BatchNorm):
        name = readers[id(output)][0]
        gain, shift = _affine(reader)
        if isinstance(getattr(reader, "act", None), _RECTIFIERS):  # timm's norm has its activation inside
            return gain, shift
        reader = modules.get(readers.get(id(left[name]), ("?", None))[0])
    return (gain, shift) if isinstance(reader, _RECTIFIERS) else None


def _affine(norm: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if norm.running_mean is None:  # it measures each batch: nothing is fixed
        return np.full(norm.num_features, np.nan), np.full(norm.num_features, np.nan)
    mean, variance = (t.cpu().double().numpy() for t in (norm.running_mean, norm.running_var))
    gain, shift = 1 / np.sqrt(variance + norm.eps), np.zeros(len(mean))
    if norm.weight is not None:
        gain, shift = gain * norm.weight.cpu().double().numpy(), norm.bias.cpu().double().numpy()
    return gain, shift - mean * gain


def _noise(model: Model) -> Tensor:
    shape = 1, model.preprocess.channels, *model.preprocess.size
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(model.device)
