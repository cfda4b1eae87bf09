"""How long work says how far it is: `progress(done, total, message)`. What a listener raises stops the work.

Work of which nobody wants to hear is asked now and then as well whether it is still wanted: see `wanted`.
Who calls a function of the library and gives no `progress` is shown a bar: see `heard`.

with listening(part(progress, 0.2, 0.5)):
    ...  # what is called in here, however deep, says by notify(done, total) how far it is
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from .notebook import in_notebook

__all__ = ["Progress", "bar", "heard", "listening", "notify", "part", "patiently", "unheard", "wanted"]

LOOK = 0.2  # seconds between two looks, while something is waited for, at whether it is still wanted
DELAY, OFTEN = 2.0, 0.1  # seconds that work takes before it gets a bar, and between two states of it
SWITCH, OFF = "EXPLAIN_PROGRESS", ("off", "0", "no", "false")  # a variable of the environment, read for each bar


class Progress(Protocol):
    def __call__(self, done: float, total: float, message: str = "") -> object: ...


def unheard(done: float, total: float, message: str = "") -> None:
    """A listener who does nothing."""


_wanted: ContextVar[Callable[[], object] | None] = ContextVar("wanted", default=None)
_listener: ContextVar[Progress | None] = ContextVar("listener", default=None)
_within: ContextVar[bool] = ContextVar("within", default=False)  # work that somebody hears of, or has a bar


@contextmanager
def listening(progress: Progress) -> Iterator[None]:
    """While open, `progress` hears what this thread notifies of."""
    if progress is notify:  # who listens already
        yield
        return
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


@contextmanager
def heard(progress: Progress | None, name: str, unit: str = "") -> Iterator[Progress]:
    """Who hears of a public function's work: who was given; or else, of the outermost such function that a thread is
    in, a bar with its name, and of one within it whoever listens."""
    nested = _within.get()
    token = _within.set(True)
    try:
        if progress is not None:
            yield progress
        elif nested or _listener.get() is not None:
            yield notify
        else:
            with bar(unit, name) as shown:
                yield shown
    finally:
        _within.reset(token)


@contextmanager
def bar(unit: str = "", name: str = "", always: bool = False) -> Iterator[Progress]:
    """Progress as a bar: a notebook's own, or on standard error where that is a terminal, else none; and none where
    the environment's EXPLAIN_PROGRESS is off. `always`: from the first step on, however soon the work is done.

    A line that is printed meanwhile stays whole by tqdm.write.
    """
    notebook = in_notebook()
    if _is_off() or not (notebook or sys.stderr.isatty()):
        yield unheard
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without widgets gets a bar of text
        from tqdm.auto import tqdm

    # Asked for, it shows every step, however soon the work is done; but none before the first, which may be a mistake.
    when: dict[str, Any] = {"delay": 1e-3, "mininterval": 0} if always else {"delay": DELAY, "mininterval": OFTEN}
    if not unit:  # shares of the work, whose number and rate say nothing
        when["bar_format"] = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(desc=name or None, unit=f" {unit}", file=sys.stderr, leave=False, miniters=0, **when) as shown:

        def progress(done: float, total: float, message: str = "") -> None:
            shown.total = total
            shown.set_postfix_str(message, refresh=False)
            shown.update(done - shown.n)

        yield progress


def _is_off() -> bool:
    return os.environ.get(SWITCH, "").strip().lower() in OFF
