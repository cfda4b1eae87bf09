"""Private copies of a net that give its scores sooner, for methods that ask for very many: the same to rounding.

Nothing of the net's graph is assumed: each copy is tried, and where it answers otherwise the net itself is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..errors import NotSupported
from ..network.copying import copied
from ..network.trace import calls, hookable, record, split

__all__ = ["folded", "onward", "optimised_copy"]

TOLERANCE = 2e-5  # of the largest score; rounding is a tenth of it or less


def optimised_copy(net: nn.Module, picture: Tensor) -> nn.Module:
    """A net with the scores of this one, which is in eval mode, for inputs like this picture (1, C, H, W).

    On a CPU, channels lie together and batch norms are part of the convolutions before them. Weights that do not
    change are shared. On other devices it is the net itself.
    """
    if picture.device.type != "cpu":
        return net
    with torch.inference_mode(False), torch.no_grad():
        try:
            mine = _Swift(_twin(net))
            expected = _fuse(mine.net, picture)
            return mine if _same(mine(picture.clone()), expected) else net
        except (
            AttributeError,
            NotSupported,
            RuntimeError,
            TypeError,
        ):  # such as a `view` of maps whose channels lie together
            return net


def folded(net: nn.Module, picture: Tensor) -> nn.Module:
    """A copy of the net whose convolutions do what the batch norms right behind them do; the net itself where that
    gives other scores. Weights that do not change are shared."""
    with torch.inference_mode(False), torch.no_grad():
        try:
            mine = _twin(net)
            expected = _fuse(mine, picture)
            return mine if _same(mine(picture.clone()), expected) else net
        except (AttributeError, NotSupported, RuntimeError, TypeError):
            return net


def onward(net: nn.Module, layer: str, picture: Tensor) -> nn.Module:
    """A net that takes maps (n, C, h, w) in the place of this layer's for this picture (1, C, H, W), and gives the
    scores they lead to. What comes before the layer is not run again."""
    with torch.inference_mode(False), torch.no_grad():
        expected, held = record(net, picture, [layer])
        try:
            rest = _Onward(_twin(net), layer, picture)
            if _same(rest(held[layer].repeat(2, 1, 1, 1)), expected):
                return rest
        except (NotSupported, RuntimeError, TypeError):  # such as a net that overwrites what it had before the layer
            pass
    return _Whole(net, layer, picture)


class _Swift(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, batch: Tensor) -> Any:
        return self.net(batch.contiguous(memory_format=torch.channels_last))


class _Call(NamedTuple):
    module: nn.Module
    begin: int
    end: int
    given: Any
    output: Any

    def within(self, other: _Call) -> bool:
        return other.begin < self.begin and self.end < other.end


class _Onward(nn.Module):
    """Modules that end before the layer begins give what they gave for the picture, the outermost of them, call by
    call; the layer gives the maps; all others run."""

    def __init__(self, net: nn.Module, layer: str, picture: Tensor) -> None:
        super().__init__()
        met = _calls_of(net, picture)
        name, call = (layer, None) if layer in dict(net.named_modules()) else split(layer)
        self.net, self.layer, self.picture = net, net.get_submodule(name), picture
        aim = [each for each in met if each.module is self.layer][-1 if call is None else call]
        before = [each for each in met if each.end < aim.begin]
        saved: dict[nn.Module, list[Any]] = {self.layer: []}
        for each in before:
            if not any(each.within(other) for other in before):
                saved.setdefault(each.module, []).append(each.output)
        for module, outputs in saved.items():
            module.forward = partial(self._next, module, outputs, module.forward)

    def forward(self, maps: Tensor) -> Any:
        self.maps, self.times = maps, Counter[nn.Module]()
        return self.net(self.picture.expand(len(maps), *self.picture.shape[1:]))

    def _next(self, module: nn.Module, saved: list[Any], run: Callable[..., Any], *args: Any, **more: Any) -> Any:
        at = self.times[module]
        self.times[module] += 1
        if at < len(saved):
            count, old = len(self.maps), saved[at]
            # One picture's own memory could be overwritten, that of several in one place cannot.
            return old.expand(count, *old.shape[1:]) if count > 1 else old.clone()
        return self.maps if module is self.layer and at == len(saved) else run(*args, **more)


class _Whole(nn.Module):
    """The whole net, whose layer gives the maps."""

    def __init__(self, net: nn.Module, layer: str, picture: Tensor) -> None:
        super().__init__()
        self.net, self.picture = net, picture
        self.name, self.call = (layer, None) if layer in dict(net.named_modules()) else split(layer)

    def forward(self, maps: Tensor) -> Any:
        def given(_name: str, call: int, _output: Any) -> Tensor | None:
            return maps if self.call in (None, call) else None

        with calls(self.net, [self.name], given):
            return self.net(self.picture.repeat(len(maps), 1, 1, 1))


def _twin(net: nn.Module) -> nn.Module:
    """A copy with the same weights in the same memory."""
    return copied(net, {id(tensor): tensor for tensor in chain(net.parameters(), net.buffers())})


def _same(found: Any, expected: Tensor) -> bool:
    expected = expected.expand_as(found)
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max())


def _fuse(net: nn.Module, picture: Tensor) -> Tensor:
    """Let each convolution do what the batch norm right behind it does, which then passes on what it gets; and let its
    channels lie together. Returns the scores that the net gave before."""
    met = _calls_of(net, picture)
    times = Counter(each.module for each in met)
    made = {id(each.output): each.module for each in met if isinstance(each.module, nn.Conv2d)}
    for norm, _, _, given, _ in met:
        conv = made.get(id(given))
        if not isinstance(norm, nn.BatchNorm2d) or conv is None or times[norm] > 1 or times[conv] > 1:
            continue
        own = all("weight" in part._parameters for part in (conv, norm))  # and not computed, as with weight norms
        if own and norm.running_mean is not None and norm.running_var is not None:
            known = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *known)
            norm.forward = nn.Sequential(*norm.children()).forward  # type: ignore[method-assign]  # timm's rectify
    for conv in made.values():
        if "weight" not in conv._parameters:
            continue
        weight = conv.weight.contiguous(memory_format=torch.channels_last)
        conv.weight = nn.Parameter(weight, requires_grad=False)
    scores: Tensor = met[-1].output
    return scores


def _calls_of(net: nn.Module, picture: Tensor) -> list[_Call]:
    """All calls of modules in a pass, in the order in which they end; holding every tensor keeps identities apart."""
    met: list[_Call] = []
    begun: list[int] = []
    clock = 0

    def begin(_module: nn.Module, _args: Any) -> None:
        nonlocal clock
        clock += 1
        begun.append(clock)

    def end(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal clock
        clock += 1
        met.append(_Call(module, begun.pop(), clock, args[0] if args else None, output))

    modules = hookable(net).values()
    handles = [module.register_forward_pre_hook(begin) for module in modules]
    handles += [module.register_forward_hook(end) for module in modules]
    try:
        net(picture.clone())
    finally:
        for handle in handles:
            handle.remove()
    return met
