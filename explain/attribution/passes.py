"""Passes through a net as methods need them: slopes, and scores of very many inputs in batches that fit the memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .. import memory
from ..network.copying import is_alone
from ..network.trace import asking, calls, hookable
from ..progress import notify

__all__ = ["generator", "outputs_of", "room", "score", "scores_of", "slope", "slopes"]

MOST = 64
"""Inputs at a time where memory is plenty: more is no faster on the networks measured."""
MOST_ON_CPU = 16
"""The same on a CPU, where more leave its caches: resnet18 takes a quarter longer with 64 than with 16."""
SHARE = 0.25
"""Of the free memory, what one batch may take: other sessions work beside this one."""


def slope(output: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """The gradient of each picture's score for its target (not of the softmax); pictures do not touch each other.

    Works inside somebody's no_grad or inference_mode as well. Zero where the score does not depend on the source.
    """
    with torch.inference_mode(False), torch.enable_grad():
        chosen = score(output, target).sum()
        if not chosen.requires_grad:
            return torch.zeros_like(source)
        found = torch.autograd.grad(chosen, source, allow_unused=True)[0]
        return torch.zeros_like(source) if found is None else found


def score(output: Tensor, target: Tensor) -> Tensor:
    """Each picture's score for its target (N,)."""
    return output.gather(1, target.to(output.device, copy=True)[:, None])[:, 0]


def slopes(net: nn.Module, batch: Tensor, target: Tensor) -> Tensor:
    """The gradient of each picture's score with respect to its pixels (N, C, H, W)."""
    batch = asking(batch)
    with torch.inference_mode(False), torch.enable_grad():
        return slope(net(batch), target, batch)


def scores_of(
    net: nn.Module, count: int, make: Callable[[int, int], Tensor], target: Tensor, done: float = 0.0, of: float = 1.0
) -> Tensor:
    """The scores (count,) for one target of inputs that make(start, stop) gives a batch at a time, so that memory does
    not grow with their number. `done` and `of` say which part of the whole work this is."""
    found = []
    for output, share in _in_batches(net, count, make):
        found.append(score(output, target.expand(len(output))))
        notify(done + of * share, 1.0)
    return torch.cat(found)


def outputs_of(net: nn.Module, count: int, make: Callable[[int, int], Tensor]) -> Tensor:
    """All outputs (count, K) of inputs that make(start, stop) gives a batch at a time."""
    found = []
    for output, share in _in_batches(net, count, make):
        found.append(output.float())
        notify(share, 1.0)
    return torch.cat(found)


def _in_batches(net: nn.Module, count: int, make: Callable[[int, int], Tensor]) -> Iterator[tuple[Tensor, float]]:
    """Outputs batch by batch, and the share that is done with each."""
    with torch.inference_mode(False), torch.no_grad():
        batches = math.ceil(count / room(net, make(0, 1)))
    for k in range(batches):  # of sizes as even as can be: a small last one would take long for what it does
        start, stop = count * k // batches, count * (k + 1) // batches
        with torch.inference_mode(False), torch.no_grad():
            output = net(make(start, stop))
        yield output, stop / count


def room(net: nn.Module, picture: Tensor, gradients: bool = False) -> int:
    """How many inputs like this one (1, C, H, W) fit into a share of the free memory, at least one, at most MOST; one
    where pictures of a batch meet.

    So what adds up slopes or scores is the same to rounding, and not to the bit, where less memory is free: sums of
    batches of one to three are taken in another order (6e-8 of the largest value, in float32).
    """
    if is_alone(net):
        return 1
    sizes = [picture.nbytes]

    def on_output(_name: str, _call: int, output: Any) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.nbytes)

    names = [name for name, module in hookable(net).items() if next(module.children(), None) is None]
    with torch.inference_mode(False), torch.no_grad(), calls(net, names, on_output):
        net(picture.clone())
    need = 3 * sum(sizes) if gradients else 6 * max(sizes)
    most = min(MOST, MOST_ON_CPU) if picture.device.type == "cpu" else MOST
    return int(max(1, min(most, SHARE * _free(picture.device) / need)))


def _free(device: torch.device) -> int:
    """Bytes of memory that nobody uses."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return memory.free()


def generator(seed: int) -> torch.Generator:
    """Chance of its own: the global generator is shared by all sessions. On the CPU, so that a seed means the same
    everywhere."""
    return torch.Generator().manual_seed(seed)
