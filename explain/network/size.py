"""How large a network would be and how much work it makes, before any memory is filled.

It is laid out on the device "meta", where tensors have shapes and no values, in a bounded number of steps. A pass is
laid out as well where a cheap estimate does not show that it fits: it takes as long as a small network's own pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .. import memory
from ..errors import NotSupported, shorten
from ..memory import bytes_text
from .macs import macs_of

__all__ = ["MOST_MACS", "MOST_MODULES", "TooLarge", "laid_out", "making_room", "most_macs", "weights_of"]

MOST_MODULES = 5_000
"""The papers' deepest network, of 1,202 layers, has up to 4,216; of timm's that were tried the largest has 2,541."""
MOST_STEPS = 100_000
"""Calls of torch that building may take; of the published networks tried nfnet_f7 takes most, 17,195."""
MOST_MACS = 2 * 10**12
"""Multiply-accumulates of one picture's pass: what the largest published networks take."""
SECONDS, SPEED = 20, 25 * 10**9
"""How long a pass may take without an accelerator, at so many multiply-accumulates a second of one processor."""
USUAL = 512 * 512
"""Pixels up to which the cheap estimate is trusted; attention grows with their square."""
PATCH, SLACK = 7, 5
"""Networks whose first layer cuts patches of such a side take up to 4.3 times the plain estimate, those with talking
heads most: their places do not get fewer, and attention keeps several scores of them. Others take less than it."""
FLOAT = 4
_FILLING = frozenset(
    f"{name}_" for name in ("normal", "uniform", "fill", "zero", "mul", "div", "add", "sub", "clamp", "erfinv", "copy")
)
_SERIES = frozenset((torch.arange, torch.linspace, torch.logspace, torch.tensor))
MOST_VALUES = 10_000


class TooLarge(NotSupported):
    """A network that this machine has no memory for, or whose passes would take too long."""


def laid_out(make: Callable[[], Any], name: str = "The network") -> Any:
    """The network that `make` builds, on the device "meta". Raises TooLarge, and what `make` raises."""

    def build(valued: bool) -> Any:
        with torch.device("meta"), _Hasty(valued):
            return make()

    try:
        try:
            return build(False)
        except RuntimeError:  # it counts with values, as torchvision's RegNets their widths
            return build(True)
    except _TooManySteps:
        raise TooLarge(f"{shorten(name)} takes more than {MOST_STEPS:,} steps to build, so it is not built.") from None


class _TooManySteps(Exception):
    pass


class _Hasty(TorchFunctionMode):
    """Fills no weights, and counts what is asked of torch. valued: short series of numbers have values."""

    def __init__(self, valued: bool = False) -> None:
        super().__init__()
        self.steps, self._valued = 0, valued

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise _TooManySteps
        if getattr(func, "__module__", "") == nn.init.__name__ or getattr(func, "__name__", "") in _FILLING:
            given = args[0] if args else (kwargs or {})["tensor"]
            if isinstance(given, Tensor) and given.is_meta:
                return given
        if func is F.batch_norm:  # which takes most of a pass's time on meta
            return torch.empty_like(args[0])
        if self._valued and func in _SERIES and func(*args, **(kwargs or {})).numel() <= MOST_VALUES:
            return func(*args, **{**(kwargs or {}), "device": "cpu"})
        return func(*args, **(kwargs or {}))


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all that operations give, but for views and what is written over, and multiply-accumulates."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Storages by identity, and held, so that no other gets it.
        self._own = {id(one): one for one in (x.untyped_storage() for x in (*net.parameters(), *net.buffers()))}
        self._made: dict[int, Any] = {}
        self.macs = 0

    @property
    def kept(self) -> int:
        return sum(one.nbytes() for one in self._made.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.macs += macs_of(func, args, kwargs, output)
        if func is torch.ops.aten._safe_softmax.default:  # torch's own attention: other than on meta its scores are
            for one in (args[0], output):  # never all there at a time
                storage = one.untyped_storage()
                self._own[id(storage)] = storage
                self._made.pop(id(storage), None)
        for one in tree_leaves(output):
            if isinstance(one, Tensor) and id(storage := one.untyped_storage()) not in self._own:
                self._made[id(storage)] = storage
        return output


def most_macs() -> int:
    """Multiply-accumulates that a picture's pass may take here."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return MOST_MACS
    return min(MOST_MACS, SECONDS * SPEED * torch.get_num_threads())


def weights_of(net: nn.Module) -> int:
    """Bytes of its parameters and buffers."""
    return sum(one.nbytes for one in (*net.parameters(), *net.buffers()))


@dataclass(frozen=True)
class _Pass:
    """Of one picture: bytes of all results, which a gradient keeps, and multiply-accumulates."""

    kept: int
    macs: int


@contextmanager
def making_room(name: str, net: nn.Module, size: tuple[int, int, int], copies: int = 1) -> Iterator[None]:
    """While open, the memory of a network that was laid out is promised to it; it is built meanwhile.

    size: channels, height, width of its pictures. copies: of its weights that are there at a time, such as two where
    they come from a file. Raises TooLarge.
    """
    name, weights, free = shorten(name), copies * weights_of(net), memory.free()
    room = memory.room()
    if (modules := sum(1 for _ in net.modules())) > MOST_MODULES:
        raise TooLarge(f"{name} would have {modules:,} modules; networks of up to {MOST_MODULES:,} are built.")
    times = f", {copies} times over as they are loaded" if copies > 1 else ""
    most = f"a network may take {memory.SHARE:.0%} of the {bytes_text(free)} of memory that are free"
    if weights > room:
        raise TooLarge(f"{name} would need {bytes_text(weights)} for its weights{times}; {most}.")
    one, work = _estimated(net, size), most_macs()
    if weights + one.kept > room or one.macs > work or math.prod(size[1:]) > USUAL:
        one = _passed(net, size) or (one if math.prod(size[1:]) > USUAL else _Pass(0, 0))
    pictures = f"a picture of {size[2]} x {size[1]}"
    if weights + one.kept > room:
        raise TooLarge(
            f"{name} would need {bytes_text(weights + one.kept)}, {bytes_text(weights)} for its weights{times} and "
            f"{bytes_text(one.kept)} for {pictures}; {most}."
        )
    if one.macs > work:
        raise TooLarge(
            f"{name} would take {one.macs / 1e12:,.2f} T multiply-accumulates for {pictures}; networks of up to "
            f"{work / 1e12:,.2f} T are built on this machine, where that takes about {SECONDS} s."
        )
    with memory.promised(weights):
        yield


def _estimated(net: nn.Module, size: tuple[int, int, int]) -> _Pass:
    """At least what a pass takes of a network that nowhere has finer maps than behind its first layer: as if every
    layer's were as fine, and every weight were used at every place."""
    first = next((one for one in net.modules() if isinstance(one, nn.Conv2d)), None)
    places = math.prod(size[1:]) / (math.prod(first.stride) if first else 1)
    width, widths = size[0], 0
    for module in net.modules():
        if next(module.children(), None) is None:
            weight = next(module.parameters(recurse=False), None)
            width = weight.shape[0] if weight is not None and weight.dim() else width
            widths += width
    uses = places * sum(one.numel() for one in net.parameters())
    slack = SLACK if first and min(first.stride) >= PATCH else 1
    return _Pass(int(slack * FLOAT * places * widths), int(slack * uses))


def _passed(net: nn.Module, size: tuple[int, int, int]) -> _Pass | None:
    """What a pass on meta takes; None where it cannot be followed there, or not to its end."""
    counting = _Counting(net)
    try:
        with torch.no_grad(), torch.device("meta"), _Hasty(), counting:
            net.eval()(torch.empty(1, *size))
    except Exception:  # such as one that asks for values; a picture of another size than it takes is told later
        return None
    return _Pass(counting.kept, counting.macs)
