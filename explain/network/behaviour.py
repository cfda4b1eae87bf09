"""What some passes show of a network: whether it repeats itself, whether the pictures of a batch meet, and whether its
scores have a gradient at the pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from .heads import Head
from .left_as_found import same_attributes
from .trace import asking

__all__ = ["Behaviour", "Observed", "cut_off", "has_slopes", "observe"]

TOLERANCE = 1e-3  # of the largest score: sums in another order differ by a thousandth of it
_HEADS = ("fc", "_fc", "head", "heads", "classifier", "last_linear", "linear")
SIDE = 32  # of the pictures that are tried, where the net takes them


@dataclass(frozen=True)
class Behaviour:
    """`takes_many`: batches of more than one picture; `mixes`: pictures of a batch change each other's scores;
    `overwrites`: what it is given is changed by it; `tried`: the shape of the pictures by which all this was found."""

    repeatable: bool = True
    mixes: bool = False
    takes_many: bool = True
    overwrites: bool = False
    tried: tuple[int, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether each picture has to be asked about alone."""
        return self.mixes or not self.takes_many

    @property
    def caveats(self) -> tuple[str, ...]:
        """What an answer of such a net has to say."""
        said = (
            (not self.repeatable, "This network gives other scores each time it is asked, as dropout that is on does."),
            (self.mixes, "Pictures of a batch change each other's scores in this network; each was asked about alone."),
        )
        return tuple(sentence for true, sentence in said if true)


@dataclass(frozen=True)
class Observed:
    """Outputs of two pictures, with the graph that tells what gave them, and of the first alone, and how to ask again
    about both."""

    pixels: Tensor
    together: Any
    alone: Any
    again: Callable[[], Any]
    overwrites: bool

    @property
    def outputs(self) -> list[tuple[Any, int]]:
        """Each with of how many pictures it is."""
        return [(self.together, len(self.pixels)), (self.alone, 1)]

    def behaviour(self, head: Head) -> Behaviour:
        """By the scores, while the net may be asked. Raises NotSupported."""
        together, alone = (head.scores(*one) for one in self.outputs)
        same = _alike(together[:1], alone)
        # What is the same alone as among others repeats itself; else either may be the reason.
        repeatable = same or _alike(together, head.scores(self.again(), len(self.pixels)))
        return Behaviour(
            repeatable=repeatable,
            mixes=repeatable and not same,
            takes_many=len(together) > 1,
            overwrites=self.overwrites,
            tried=tuple(self.pixels.shape),
        )


def has_slopes(net: nn.Module, pictures: Tensor) -> bool:
    """Whether a gradient of the scores (N, K) that a net gives reaches the pixels."""
    pixels = asking(pictures)
    with torch.inference_mode(False), torch.enable_grad():
        scores = net(pixels.clone())
        if not scores.requires_grad:
            return False
        try:
            (found,) = torch.autograd.grad(scores.sum(), pixels, allow_unused=True)
        except RuntimeError:  # such as a checkpoint's, which goes another way back
            return False
    return found is not None and bool((found != 0).any())


def observe(net: nn.Module, pictures: Tensor) -> Observed:
    """Passes over two pictures (2, C, H, W), smaller ones where the net takes them. Raises what the net raises."""
    small = pictures[:, :, :SIDE, :SIDE]
    last: Exception | None = None
    for tried in (small, pictures):
        for batch in (tried, tried[:1]):
            try:
                with same_attributes(net):
                    seen = _passes(net, batch.contiguous())
                outputs = _tensors(seen.together)
                if tried is small and any(one.shape[2:] == (1, 1) for one in outputs):  # larger pictures give maps
                    break
                if len(batch) == 1 or any(len(one) == len(batch) for one in outputs):
                    return seen
            except Exception as error:  # a stranger's net raises anything, here by which batch it takes
                last = error
    assert last is not None
    raise last


def cut_off(net: nn.Module) -> str:
    """The name of the head that was taken away, as people do it: the last module is an Identity in its place."""
    name, last = list(net.named_modules())[-1]
    return name if isinstance(last, nn.Identity) and name.rpartition(".")[2] in _HEADS else ""


def _passes(net: nn.Module, batch: Tensor) -> Observed:
    pixels = asking(batch)
    with torch.inference_mode(False), torch.enable_grad():
        given = pixels.clone()
        together = net(given)
    overwrites = not torch.equal(given, pixels)

    def ask(some: Tensor) -> Any:
        with torch.inference_mode(False), torch.no_grad():
            return net(some.clone())

    return Observed(pixels, together, ask(batch[:1]), lambda: ask(batch), overwrites)


def _tensors(output: Any) -> list[Tensor]:
    leaves = tree_leaves(vars(output) if is_dataclass(output) else output)
    return [one for one in leaves if isinstance(one, Tensor) and one.dim()]


def _alike(one: Tensor, other: Tensor) -> bool:
    size = float(one.detach().nan_to_num(posinf=0, neginf=0).abs().max()) if one.numel() else 0.0
    return torch.allclose(one.detach(), other.detach(), rtol=0, atol=TOLERANCE * size, equal_nan=True)
