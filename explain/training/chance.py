"""Chance as a function of the seed and of where in the training it is drawn: nothing of it needs to be kept, and a
run that goes on draws what it would have drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["at_step", "forked", "generator", "lot", "order"]


def generator(*of: object) -> torch.Generator:
    """A generator on the CPU for this purpose, such as (seed, "order", epoch)."""
    return torch.Generator().manual_seed(_mixed(of))


def order(seed: int, epoch: int, count: int) -> Tensor:
    """The order (count,) in which an epoch takes the pictures."""
    return torch.randperm(count, generator=generator(seed, "order", epoch))


def lot(seed: int, count: int) -> Tensor:
    """Whose label (count,) each picture gets where labels are shuffled."""
    return torch.randperm(count, generator=generator(seed, "labels"))


@contextmanager
def forked(device: torch.device) -> Iterator[None]:
    """While open, torch's own generators may be seeded; afterwards they are as they were."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield


def at_step(seed: int, step: int, device: torch.device) -> None:
    """Seed torch's own generators, from which layers such as dropout draw: the CPU's and that of the device.

    `torch.manual_seed` sees to all kinds of devices, and notes the stack for each that is not in use: it takes a
    millisecond, as long as a small network's step, and what it notes stays.
    """
    number = _mixed((seed, "layers", step))
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def _mixed(of: tuple[object, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(of).encode(), digest_size=8).digest()) >> 1
