"""A plain nn.Module's outputs at named layer calls, in one pass; the only hooks we write.

A layer has its dotted name; a module called more than once has one address a call, `relu:0`, `relu:1`.
What `record` returns is the output as it left the layer, also where a later layer overwrites it in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import NotSupported, Unknown
from .layout import layouts_of

__all__ = ["address", "asking", "call_counts", "call_of", "calls", "hookable", "inputs", "reached", "record", "split"]

# Layer calls of a net whose output a later operation overwrites: learned in a pass, so that only those are copied.
_overwritten: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


def split(name: str) -> tuple[str, int | None]:
    """'relu:1' -> ('relu', 1); 'relu' -> ('relu', None)."""
    module, colon, call = name.rpartition(":")
    return (module, int(call)) if colon and call.isdecimal() else (name, None)


def call_of(net: nn.Module, layer: str) -> tuple[str, int | None]:
    """Module and call of a layer; a module's own name may have a colon."""
    try:
        net.get_submodule(layer)
    except AttributeError:
        return split(layer)
    return layer, None


def address(module: str, call: int, count: int) -> str:
    """The name of a module's call, given how often it is called."""
    return module if count == 1 else f"{module}:{call}"


@contextmanager
def calls(
    net: nn.Module, names: Iterable[str], on_output: Callable[[str, int, Any], Any], plain: bool = False
) -> Iterator[None]:
    """While open, each call of the named modules is passed to on_output(module, call, output); what it returns, if not
    None, takes the output's place. Outputs with places come as (N, C, H, W), however the net lays them out, unless they
    are to come plain. Hooks are gone afterwards, also after an exception."""
    handles = []
    layouts = None if plain else layouts_of(net)

    def watch(name: str, module: nn.Module) -> None:
        count = 0

        def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
            nonlocal count
            count += 1
            layout = layouts and (layouts.get(name) or layouts.get(f"{name}:{count - 1}"))
            if not layout or not isinstance(output, Tensor):
                return on_output(name, count - 1, output)
            changed = on_output(name, count - 1, layout.to_maps(output))
            return None if changed is None else layout.from_maps(changed, output)

        handles.append(module.register_forward_hook(hook))

    modules = hookable(net)
    try:
        for name in dict.fromkeys(names):
            if name not in modules:
                raise Unknown("layer", name, [key for key in modules if key])
            watch(name, modules[name])
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def inputs(net: nn.Module, name: str, on_output: Callable[[Any], Any]) -> Iterator[None]:
    """While open, the first argument of each call of a module is passed to on_output."""

    def hook(_module: nn.Module, args: tuple[Any, ...]) -> None:
        on_output(args[0])

    handle = net.get_submodule(name).register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def hookable(net: nn.Module) -> dict[str, nn.Module]:
    """The modules by name, without those of a scripted part, which take no hooks."""
    scripted = torch.jit.ScriptModule
    return {name: one for name, one in net.named_modules() if one is net or not isinstance(one, scripted)}


def call_counts(net: nn.Module, batch: Tensor) -> dict[str, int]:
    """How often each module is called in a pass."""
    counts: dict[str, int] = {}

    def on_output(name: str, call: int, _output: Any) -> None:
        counts[name] = call + 1

    with torch.inference_mode(False), torch.no_grad(), calls(net, hookable(net), on_output):
        net(batch)
    return counts


def asking(batch: Tensor) -> Tensor:
    """A copy of the pixels that asks for a gradient: the graph reaches every layer although all weights are frozen."""
    with torch.inference_mode(False):
        return batch.detach().clone().requires_grad_()


def record(
    net: nn.Module, batch: Tensor, layers: Iterable[str], *, gradients: bool = False, leaves: bool = False
) -> tuple[Any, dict[str, Tensor]]:
    """The net's output for a batch (N, C, H, W) and the outputs of the named layer calls.

    With gradients, the outputs are part of the graph, so that `torch.autograd.grad(score, outputs)` works; also inside
    somebody's `no_grad` or `inference_mode`. As leaves they are where the graph begins: what comes before costs no more
    than a plain pass, if the weights are frozen and the batch asks for no gradient.
    A bare name of a module called several times means its last call.
    Raises Unknown for a layer that the pass does not reach, NotSupported for one whose output is no tensor.
    """
    wanted = {name: split(name) for name in layers}
    with torch.inference_mode(False), torch.enable_grad() if gradients else torch.no_grad():
        # A tensor made in inference mode may not enter a graph or be written to; its copy may.
        batch = batch.clone() if batch.is_inference() else batch
        copied = set(wanted) if gradients else _overwritten.setdefault(net, set())
        output, held, versions = _pass(net, batch, wanted, copied, gradients, leaves)
        spoiled = {name for name, tensor in held.items() if tensor._version != versions[name]}
        if spoiled:  # seen once for a net: from now on these are copied in the first pass
            copied |= spoiled
            output, held, versions = _pass(net, batch, wanted, copied, gradients, leaves)
    for name in wanted:
        if name not in held:
            raise Unknown("layer", name, call_counts(net, batch), "The pass does not reach it, or not so often.")
    return output, {name: held[name] for name in wanted}


class _Reached(Exception):
    """The pass has come as far as it has to."""


def reached(net: nn.Module, batch: Tensor, layer: str) -> Tensor:
    """A layer call's output as a part of the graph; what comes after it is not computed. Raises Unknown for a layer
    that the pass does not reach, NotSupported for one whose output is no tensor."""
    module, wanted = call_of(net, layer)
    held: list[Tensor] = []

    def on_output(_module: str, call: int, output: Any) -> None:
        if wanted in (None, call):
            if not isinstance(output, Tensor):
                raise NotSupported(f"Layer {layer!r} gives a {type(output).__name__}, not one tensor; choose another.")
            held.append(output)
            raise _Reached

    with calls(net, [module], on_output), suppress(_Reached):
        net(batch)
    if not held:
        raise Unknown("layer", layer, call_counts(net, batch), "The pass does not reach it, or not so often.")
    return held[0]


def _pass(
    net: nn.Module,
    batch: Tensor,
    wanted: dict[str, tuple[str, int | None]],
    copied: set[str],
    gradients: bool,
    leaves: bool,
) -> tuple[Any, dict[str, Tensor], dict[str, int]]:
    held: dict[str, Tensor] = {}
    versions: dict[str, int] = {}
    by_module: dict[str, list[tuple[str, int | None]]] = {}
    modules = dict(net.named_modules())
    for name, (module, call) in wanted.items():
        module, call = (name, None) if name in modules else (module, call)
        by_module.setdefault(module, []).append((name, call))

    def on_output(module: str, call: int, output: Any) -> Tensor | None:
        passed_on = None
        for name, wanted_call in by_module[module]:
            if wanted_call not in (None, call):
                continue
            if not isinstance(output, Tensor):
                raise NotSupported(f"Layer {name!r} gives a {type(output).__name__}, not one tensor; choose another.")
            if leaves:
                output = output.detach().clone().requires_grad_()
            held[name] = output
            if name in copied:
                if gradients:  # whatever comes later works on the copy, and the graph runs through what we hold
                    output = passed_on = output.clone()
                else:
                    held[name] = output.clone()
            versions[name] = held[name]._version
        return passed_on

    with calls(net, by_module, on_output) if by_module else nullcontext():
        output = net(batch)
    return output, held, versions
