"""How long work says how far it is: `progress(done, total, message)`. What a listener raises stops the work.

with listening(part(progress, 0.2, 0.5)):
    ...  # what is called in here, however deep, says by notify(done, total) how far it is
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Progress", "listening", "notify", "part", "unheard"]


class Progress(Protocol):
    def __call__(self, done: float, total: float, message: str = "") -> object: ...


def unheard(done: float, total: float, message: str = "") -> None:
    """A listener who does nothing."""


_listener: ContextVar[Progress | None] = ContextVar("listener", default=None)


@contextmanager
def listening(progress: Progress) -> Iterator[None]:
    """While open, `progress` hears what this thread notifies of."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


def notify(done: float, total: float, message: str = "") -> None:
    """Say how far the work is, to whoever listens."""
    if (progress := _listener.get()) is not None:
        progress(done, total, message)


def part(progress: Progress, start: float, end: float, whole: float = 1.0) -> Progress:
    """The progress of a part of the work, which takes it from `start` to `end` of the whole."""

    def of_the_whole(done: float, total: float, message: str = "") -> object:
        share = min(done / total, 1.0) if total else 0.0
        return progress(start + (end - start) * share, whole, message)

    return of_the_whole
