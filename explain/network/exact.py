"""Arithmetic on CUDA as our figures promise it: full float32, and the same bits when asked again.

By default torch lets cuDNN round what a convolution takes to ten bits (TF32), which is a thousandth, and choose sums
whose order changes from run to run. Both are settings of the whole process: while anybody is in here they are off for
all threads, and the last to leave puts them back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

__all__ = ["exact", "repeatable"]


class _Held:
    """A setting that the first to enter changes and the last to leave puts back."""

    def __init__(self, change: Callable[[], AbstractContextManager[None]]) -> None:
        self._change, self._lock, self._users = change, threading.Lock(), 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._users:
                self._open = self._change()
                self._open.__enter__()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._open.__exit__(None, None, None)


@contextmanager
def _full_float32() -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn
    products = torch.backends.cuda.matmul
    conv, rnn, product = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, products.fp32_precision
    # The older switches are moved along: torch refuses to read them where the newer ones say something else.
    cudnn.allow_tf32 = False
    cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "ieee"
    if product == "tf32":
        try:
            older = torch.get_float32_matmul_precision()
        except RuntimeError:
            older = ""
        torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        cudnn.allow_tf32 = conv == "tf32"
        cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = conv, rnn
        if product == "tf32":
            if older:
                torch.set_float32_matmul_precision(older)
            products.fp32_precision = product


@contextmanager
def _same_bits() -> Iterator[None]:
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


_full, _same = _Held(_full_float32), _Held(_same_bits)


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """While open, networks on this device compute in full float32, and twice the same; nothing changes off CUDA."""
    with repeatable(device):
        if device.type != "cuda":
            yield
            return
        with _full():
            yield


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """While open, convolutions on this device add in an order that does not change from run to run."""
    if device.type != "cuda":
        yield
        return
    with _same():
        yield
