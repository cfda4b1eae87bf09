"""A network's private copy made fast for one pass: the same numbers, to rounding, or it is left as it is.

What a batch norm and a rectifier do to a convolution's output is done by the pass that reads that output (`Tail`), and
asymmetric padding, which copies its input, becomes symmetric under a kernel with a border of zeros. Nothing of the
network's graph is assumed: each step is tried on noise and undone where a layer or the outcome differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..network.copying import copied, is_alone
from ..network.trace import call_of, calls, hookable
from .responses import Responses, Tail, respond

__all__ = ["Private", "fuse", "noise_for", "pad_within", "private"]

TOLERANCE = 1e-3  # of a layer's largest response; rounding is a thousandth of it
_CLIPS: dict[type[nn.Module], Callable[[Any], tuple[float, float]]] = {
    nn.ReLU: lambda module: (0.0, math.inf),
    nn.ReLU6: lambda module: (0.0, 6.0),
    nn.Hardtanh: lambda module: (module.min_val, module.max_val),
    nn.Identity: lambda module: (-math.inf, math.inf),
    nn.Dropout: lambda module: (-math.inf, math.inf),
}


class Private(NamedTuple):
    """A copy of a network, the memory layout its input takes, and what layers' outputs have to go through."""

    net: nn.Module
    layout: torch.memory_format
    tails: dict[str, Tail]


def private(net: nn.Module, layers: Iterable[str], size: tuple[int, int, int]) -> Private:
    """A copy of net, which is in eval mode and takes (C, H, W), in the layout that is fast here if it can run in it."""
    layers = list(layers)
    mine = copied(net)
    noise = noise_for(mine, size)
    layout = layout_on(noise.device)
    with torch.inference_mode():
        expected = mine(noise)
        try:
            mine.to(memory_format=layout)
            same = _alike(mine(noise.contiguous(memory_format=layout)), expected)
        except RuntimeError:  # such as a `view` of maps whose channels lie together, or a kernel of five dimensions
            same = False
    if not same:
        layout = torch.contiguous_format
        mine.to(memory_format=layout)
    pad_within(mine, size)
    return Private(mine, layout, fuse(mine, layers, size, layout))


def layout_on(device: torch.device) -> torch.memory_format:
    """CPUs are faster where channels lie together; CUDA in full float32 is a twelfth slower there (resnet18, H200)."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def fuse(
    net: nn.Module, layers: list[str], size: tuple[int, int, int], layout: torch.memory_format = torch.channels_last
) -> dict[str, Tail]:
    """Let batch norms and rectifiers right behind these layers pass on what they get; returns what each layer's output
    has to go through in their place. net is in eval mode, size its input (C, H, W); it is changed in place."""
    batch = noise_for(net, size).contiguous(memory_format=layout)
    if batch.device.type != "cpu":
        return {}
    behind = _behind(net, layers, batch)
    expected = _responses(net, layers, batch, {})
    # Where a net uses a batch norm's output once more before the rectifier, the batch norm alone can go.
    for length in (2, 1):
        chains = {layer: chain[:length] for layer, chain in behind.items()}
        tails = {layer: _tail(chain, expected[layer, 0].peak.shape[1]) for layer, chain in chains.items()}
        passing = {module for chain in chains.values() for module in chain}
        for module in passing:
            module.forward = _pass_on
        if _close(_responses(net, layers, batch, tails), expected):
            return tails
        for module in passing:
            del module.forward
    return {}


def pad_within(net: nn.Module, size: tuple[int, int, int]) -> None:
    """Let convolutions that pad one side more than the other, as TensorFlow does, pad within their kernel."""

    def on_output(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d) and (candidate := _padded(module, args[0])):
            found = candidate(args[0])
            if found.shape == output.shape and _alike(found, output):
                module.forward = candidate  # type: ignore[method-assign,assignment]

    # A plain Conv2d pads both sides alike, and without a copy.
    kinds = [module for module in net.modules() if isinstance(module, nn.Conv2d) and type(module) is not nn.Conv2d]
    handles = [module.register_forward_hook(on_output) for module in kinds]
    try:
        with torch.inference_mode():
            net(noise_for(net, size))
    finally:
        for handle in handles:
            handle.remove()


def _alike(found: Tensor, expected: Tensor) -> bool:
    """But for rounding, which grows with the largest; what is not finite is like nothing."""
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max())


def noise_for(net: nn.Module, size: tuple[int, int, int]) -> Tensor:
    """Two pictures of noise where the net takes so many at a time, the same each time."""
    chance = torch.Generator().manual_seed(0)
    device = next(net.parameters(), torch.empty(0)).device
    return torch.randn(1 if is_alone(net) else 2, *size, generator=chance, dtype=torch.float32).to(device)


def _padded(module: nn.Conv2d, given: Tensor) -> Callable[[Tensor], Tensor] | None:
    """The convolution with the least padding that gives an output a stride, if it is one pixel more on the far side."""
    steps = zip(given.shape[2:], module.kernel_size, module.stride, strict=True)
    totals = [max((math.ceil(side / stride) - 1) * stride + kernel - side, 0) for side, kernel, stride in steps]
    if module.dilation != (1, 1) or module.padding_mode != "zeros":
        return None
    odd = [total % 2 for total in totals]
    weight = nn.functional.pad(module.weight.detach(), (odd[1], 0, odd[0], 0))
    return partial(
        nn.functional.conv2d,
        weight=weight.contiguous(memory_format=layout_on(weight.device)),
        bias=module.bias,
        stride=module.stride,
        padding=tuple(-(-total // 2) for total in totals),
        groups=module.groups,
    )


def _behind(net: nn.Module, layers: list[str], batch: Tensor) -> dict[str, list[nn.Module]]:
    """For each layer the batch norm or rectifier that takes its output next, and the rectifier that takes that's."""
    names = {module: name for name, module in hookable(net).items()}
    met: list[tuple[nn.Module, Any, Any]] = []  # keeps every tensor, so that each has an identity of its own

    def on_output(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        met.append((module, args[0] if args else None, output))

    handles = [module.register_forward_hook(on_output) for module in names]
    try:
        with torch.inference_mode():
            net(batch)
    finally:
        for handle in handles:
            handle.remove()
    times: dict[nn.Module, int] = {}
    for module, _, _ in met:
        times[module] = times.get(module, 0) + 1
    free = {module for module, count in times.items() if count == 1 and names[module] not in layers}
    behind = {}
    for at, (module, _, output) in enumerate(met):
        if names[module] not in layers or times[module] > 1 or not isinstance(output, Tensor):
            continue
        chain: list[nn.Module] = []
        for follower, given, result in met[at + 1 :]:
            if given is not output or follower not in free or len(chain) == 2:
                continue
            if not (_normalises(follower) and not chain) and type(follower) not in _CLIPS:
                break
            chain.append(follower)
            output = result
        if chain:
            behind[names[module]] = chain
    return behind


def _normalises(module: nn.Module) -> bool:
    """A batch norm, perhaps with its rectifier within, as timm has them."""
    within = all(type(child) in _CLIPS for child in module.children())
    return isinstance(module, nn.BatchNorm2d) and module.running_var is not None and within


def _tail(chain: list[nn.Module], channels: int) -> Tail:
    scale, shift = np.ones(channels), np.zeros(channels)
    floor, ceiling = -math.inf, math.inf
    for module in chain:
        if isinstance(module, nn.BatchNorm2d):
            known = [each for each in (module.running_mean, module.running_var) if each is not None]
            mean, var = (each.cpu().double().numpy() for each in known)
            scale = 1 / np.sqrt(var + module.eps)
            shift = -mean * scale
            if module.affine:
                weight, bias = (each.detach().cpu().double().numpy() for each in (module.weight, module.bias))
                scale, shift = scale * weight, shift * weight + bias
        for clip in (module, *module.children()):
            if type(clip) in _CLIPS:
                low, high = _CLIPS[type(clip)](clip)
                floor, ceiling = min(max(floor, low), high), max(min(ceiling, high), low)
    return Tail(scale.astype(np.float32), shift.astype(np.float32), floor, ceiling)


def _pass_on(value: Tensor) -> Tensor:
    return value


def _responses(
    net: nn.Module, layers: list[str], batch: Tensor, tails: dict[str, Tail]
) -> dict[tuple[str, int], Responses]:
    """By layer and call, and those of the outcome by the name that no layer has."""
    found: dict[tuple[str, int], Responses] = {}

    def on_output(name: str, call: int, output: Tensor) -> None:
        found[name, call] = respond(output, tail=tails.get(name))

    with torch.inference_mode(), calls(net, {call_of(net, name)[0] for name in layers}, on_output):
        found["", 0] = respond(net(batch))
    return found


def _close(found: dict[tuple[str, int], Responses], expected: dict[tuple[str, int], Responses]) -> bool:
    for key, theirs in expected.items():
        for name in ("peak", "least", "total"):
            mine, other = getattr(found[key], name), getattr(theirs, name)
            if not np.abs(mine - other).max() <= TOLERANCE * np.abs(other).max():  # nor where it is not a number
                return False
    return True
