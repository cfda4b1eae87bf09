"""How long work says how far it is: `progress(done, total, message)`. What a listener raises stops the work.

Work of which nobody wants to hear is asked now and then as well whether it is still wanted: see `wanted`.

with listening(part(progress, 0.2, 0.5)):
    ...  # what is called in here, however deep, says by notify(done, total) how far it is
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

__all__ = ["Progress", "listening", "notify", "part", "patiently", "unheard", "wanted"]

LOOK = 0.2  # seconds between two looks, while something is waited for, at whether it is still wanted


class Progress(Protocol):
    def __call__(self, done: float, total: float, message: str = "") -> object: ...


def unheard(done: float, total: float, message: str = "") -> None:
    """A listener who does nothing."""


_wanted: ContextVar[Callable[[], object] | None] = ContextVar("wanted", default=None)
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
    _check_wanted()
    if (progress := _listener.get()) is not None:
        progress(done, total, message)


@contextmanager
def wanted(check: Callable[[], object]) -> Iterator[None]:
    """While open, this thread's work asks `check` now and then, which raises where nobody waits for it any more."""
    token = _wanted.set(check)
    try:
        yield
    finally:
        _wanted.reset(token)


@contextmanager
def patiently(lock: Any) -> Iterator[None]:
    """Hold a lock, once it is free; work that nobody wants any more does not wait for it."""
    while not lock.acquire(timeout=LOOK):
        _check_wanted()
    try:
        yield
    finally:
        lock.release()


def _check_wanted() -> None:
    if (check := _wanted.get()) is not None:
        check()


def part(progress: Progress, start: float, end: float, whole: float = 1.0) -> Progress:
    """The progress of a part of the work, which takes it from `start` to `end` of the whole."""

    def of_the_whole(done: float, total: float, message: str = "") -> object:
        share = min(done / total, 1.0) if total else 0.0
        return progress(start + (end - start) * share, whole, message)

    return of_the_whole
