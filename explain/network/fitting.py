"""Weights onto a network: which of a file's tensors are its own, and what is refused, with the reason.

A prefix that training programs put before names is found by the network's own names; a head of another size, and a
first layer for other pictures, are made as the tensors say. What was done is returned, a sentence each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .. import memory
from ..errors import BadFile, enumerate_some

__all__ = ["Fitted", "apply_weights", "fit"]

_LEFTOVERS = ("total_ops", "total_params")  # of profilers
_AVERAGED = re.compile(r"(^|[._])(ema|swa|averaged)([._]|$)")
_WRAPPERS = {
    "_orig_mod.": "torch.compile",
    "_checkpoint_wrapped_module.": "checkpointing",
    "_fsdp_wrapped_module.": "FSDP",
}
MOST_OUTPUTS = 1 << 17


@dataclass
class Fitted:
    """What became of a network: how many classes and input channels it has now, where that changed; what to say."""

    classes: int | None = None
    channels: int | None = None
    notes: list[str] = field(default_factory=list)


def fit(net: nn.Module, weights: Mapping[str, Tensor], source: str) -> Fitted:
    """Make the net's head, first layer and auxiliary heads those of the weights, and copy the weights into it.

    Raises BadFile; where it does, the net is what it was.
    """
    done = Fitted(notes=list(getattr(weights, "notes", [])))
    tensors = _own(net, weights, done.notes)
    for key, tensor in tensors.items():  # before anything is made as large as they are
        _check_held(key, tensor, source)
    before = {name: dict(module._modules) for name, module in net.named_modules()}
    try:
        _reshape(net, tensors, done)
        _without_auxiliaries(net, tensors, done.notes)
        apply_weights(net, tensors, source)
    except BadFile:
        for name, parts in before.items():
            net.get_submodule(name)._modules.update(parts)
        raise
    return done


def apply_weights(net: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a net whose every name, shape and kind of number they match. Raises BadFile, net untouched."""
    own = _tensors(net)
    missing, surplus = sorted(_needed(own) - weights.keys()), sorted(weights.keys() - own.keys())
    if missing or surplus:
        parts = [f"{len(missing)} missing ({enumerate_some(missing, 3)})"] * bool(missing)
        parts += [f"{len(surplus)} not the network's ({enumerate_some(surplus, 3)})"] * bool(surplus)
        first = {key.partition(".")[0] for key in weights}
        if len(first) == 1 and len(weights) > 1:
            parts.append(f"all {len(weights)} names begin with '{first.pop()}.'")
        raise BadFile(f"Weights {source!r} are for another architecture: {'; '.join(parts)}.")
    for key, tensor in weights.items():
        wanted = own[key]
        if tensor.shape != wanted.shape:
            raise BadFile(
                f"Weights {source!r}: {key!r} has shape {tuple(tensor.shape)}, the network's is {tuple(wanted.shape)}."
            )
        _check_held(key, tensor, source)
        counter = key.endswith("num_batches_tracked")  # which is a float where all of a state dict was averaged
        if (tensor.is_floating_point() != wanted.is_floating_point() and not counter) or tensor.is_complex():
            raise BadFile(f"Weights {source!r}: {key!r} is {tensor.dtype}, the network's is {wanted.dtype}.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BadFile(f"Weights {source!r}: {key!r} has values that are not finite (NaN or infinity).")
    net.load_state_dict({**net.state_dict(), **weights})


def _check_held(key: str, tensor: Tensor, source: str) -> None:
    """Raises BadFile for a tensor whose numbers are not all there, as one with a stride of 0."""
    if (
        tensor.is_meta
        or tensor.layout != torch.strided
        or tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size()
    ):
        raise BadFile(f"Weights {source!r}: {key!r} claims more numbers than the file holds.")


def _tensors(net: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in net.state_dict().items() if isinstance(value, Tensor)}


def _needed(own: Mapping[str, Tensor]) -> set[str]:
    return {key for key in own if not key.endswith("num_batches_tracked")}


def _own(net: nn.Module, weights: Mapping[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """The tensors under the net's own names."""
    own = _tensors(net)
    tensors = {key: value for key, value in weights.items() if key.rpartition(".")[2] not in _LEFTOVERS}
    if len(tensors) < len(weights):
        notes.append(f"{len(weights) - len(tensors)} counts of a profiler are left out.")
    for within, maker in _WRAPPERS.items():
        if not any(within in key for key in own) and any(within in key for key in tensors):
            notes.append(f"{within!r}, which {maker} puts into names, was taken out of them.")
            tensors = {key.replace(within, ""): value for key, value in tensors.items()}
    prefix, others = _prefix(_needed(own), tensors)
    if not prefix:
        return tensors
    inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    outside = [key for key in tensors if not key.startswith(prefix)]
    kind = ", an average over the training (EMA)" if _AVERAGED.search(prefix) else ""
    notes.append(f"The prefix {prefix!r}{kind} was taken off the names.")
    if outside:
        notes.append(f"{len(outside)} tensors beside it are left out ({enumerate_some(sorted(outside), 3)}).")
    if others:
        notes.append(f"Those under {enumerate_some(sorted(map(repr, others)), 3)} would fit as well.")
    return inside


def _prefix(needed: set[str], tensors: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """What stands before the net's names in the file, and what else would do."""
    covered: dict[str, int] = {}
    for anchor in sorted(needed)[:: max(1, len(needed) // 8)]:
        for key in tensors:
            if key == anchor or key.endswith(f".{anchor}"):
                covered.setdefault(key.removesuffix(anchor), 0)
    for prefix in covered:
        covered[prefix] = sum(f"{prefix}{key}" in tensors for key in needed)
    best = max(covered.values(), default=0)
    full = [prefix for prefix, count in covered.items() if count == best]
    if not full:
        return "", []
    chosen = min(full, key=lambda prefix: (bool(_AVERAGED.search(prefix)), len(prefix)))
    return chosen, [prefix for prefix in full if prefix != chosen]


def _reshape(net: nn.Module, tensors: dict[str, Tensor], done: Fitted) -> None:
    """Other numbers of classes and of input channels than the architecture's."""
    layers = [name for name, one in net.named_modules() if isinstance(one, (nn.Linear, nn.Conv2d))]
    if not layers:
        return
    convolutions = [name for name in layers if isinstance(net.get_submodule(name), nn.Conv2d)]
    heads, made = _heads(net, layers), 0
    for name in dict.fromkeys([*convolutions[:1], *heads]):
        layer: Any = net.get_submodule(name)
        found = tensors.get(f"{name}.weight")
        if found is None or found.dim() != layer.weight.dim() or found.shape[2:] != layer.weight.shape[2:]:
            continue
        (outs, ins), (own_outs, own_ins) = found.shape[:2], layer.weight.shape[:2]
        if max(outs, ins) > MOST_OUTPUTS or (outs, ins) == (own_outs, own_ins):
            continue
        if outs == own_outs and name in convolutions[:1] and layer.groups == 1:
            done.channels = ins
            done.notes.append(f"The file's network takes {ins} channels, not {own_ins}.")
        elif ins == own_ins and name in heads:
            done.classes = outs
            done.notes.append(f"The file's head has {outs} outputs, not {own_outs}.")
        else:
            continue
        made += 4 * found.numel()
        if made > memory.room():  # several may have their numbers at one place of the file
            raise BadFile(f"Weights ask for layers of {memory.bytes_text(made)}, for which there is no memory.")
        linear = isinstance(layer, nn.Linear)
        _replace(net, name, nn.Linear(ins, outs, layer.bias is not None) if linear else _convolution(layer, ins, outs))
    for name in heads:
        _sequential_head(net, name, tensors, done)


def _heads(net: nn.Module, layers: list[str]) -> list[str]:
    """The last fully connected layer and others of as many outputs, as auxiliary heads are; else the last conv."""
    linear = {name: one for name in layers if isinstance(one := net.get_submodule(name), nn.Linear)}
    if not linear:
        return layers[-1:]
    outputs = list(linear.values())[-1].out_features
    return [name for name, one in linear.items() if one.out_features == outputs]


def _sequential_head(net: nn.Module, name: str, tensors: dict[str, Tensor], done: Fitted) -> None:
    """A head that was wrapped, as in Sequential(Dropout, Linear): what has no tensors is taken for dropout."""
    layer = net.get_submodule(name)
    if not isinstance(layer, nn.Linear) or f"{name}.weight" in tensors:
        return
    within = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
    numbers = {key.partition(".")[0] for key in within}
    if len(numbers) != 1 or not (number := numbers.pop()).isdecimal() or int(number) > 8:
        return
    weight = within.get(f"{number}.weight")
    if weight is None or weight.dim() != 2 or weight.shape[1] != layer.in_features or len(weight) > MOST_OUTPUTS:
        return
    linear = nn.Linear(layer.in_features, len(weight), f"{number}.bias" in within)
    _replace(net, name, nn.Sequential(*(nn.Identity() for _ in range(int(number))), linear))
    done.classes = len(weight)
    done.notes.append(
        f"The file's head {name!r} is a sequence whose only layer with weights is number {number}; what stands before "
        "it is taken for dropout."
    )


def _convolution(layer: nn.Module, ins: int, outs: int) -> nn.Conv2d:
    assert isinstance(layer, nn.Conv2d)
    made: Any = type(layer)
    shape = layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups
    new: nn.Conv2d = made(ins, outs, *shape, layer.bias is not None)
    return new


def _replace(net: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(net.get_submodule(parent), last, layer.train(net.training))


def _without_auxiliaries(net: nn.Module, tensors: dict[str, Tensor], notes: list[str]) -> None:
    """Auxiliary heads, which only training asks, where the file has none or the network has none."""
    own = _tensors(net)

    def auxiliary(key: str) -> bool:
        return key.lower().startswith("aux")

    missing = _needed(own) - tensors.keys()
    if missing and all(map(auxiliary, missing)):
        for name in {key.partition(".")[0] for key in missing}:
            setattr(net, name, None)
        if hasattr(net, "aux_logits"):
            net.aux_logits = False  # type: ignore[assignment]
        notes.append("The file has no auxiliary heads; the network is without them.")
    surplus = [key for key in tensors if key not in own and auxiliary(key)]
    for key in surplus:
        del tensors[key]
    if surplus:
        notes.append(f"{len(surplus)} tensors of auxiliary heads, which only training asks, are left out.")
