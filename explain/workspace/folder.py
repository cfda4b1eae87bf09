"""The workspace's folder, whose part of it is whose, and what is deleted there when it grows old.

What is handed in or trained belongs to somebody: it lies in `own()`. That is the workspace itself where one person
works with it, and a folder of each visitor's on a shared server, where nothing outside it exists for them: no name,
digest or facts of another's lead anywhere. What anybody who has its parts can make again lies in `root()` for all.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from ..errors import NotSupported

__all__ = ["GRACE", "SHARED", "delete", "is_shared", "own", "prune", "root", "visitors", "within"]

GRACE = 600.0
"""Seconds after its last use in which nothing is removed without asking: somebody may be reading it."""
SHARED = "EXPLAIN_SHARED"  # set by `explain serve --shared`
_within: ContextVar[Path | None] = ContextVar("own", default=None)
_asking: list[Callable[[], str]] = []


def root() -> Path:
    """The workspace's folder: $EXPLAIN_WORKSPACE, else in the user's cache."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EXPLAIN_WORKSPACE") or Path(cache_home) / "explain")


def delete(path: Path) -> None:
    """A file, or a folder with all in it; no matter where it has gone already. What somebody reads stays where the
    system keeps it for them, until the next time."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def is_shared() -> bool:
    """Whether strangers to each other work with this process."""
    return bool(os.environ.get(SHARED))


def visitors(asking: Callable[[], str]) -> None:
    """Have a shared server's door say who is asking: a name of letters, digits and dashes that nobody can guess."""
    _asking[:] = [asking]


def own() -> Path:
    """Where what belongs to whoever is asking lies. Raises NotSupported where nobody is."""
    if (given := _within.get()) is not None:
        return given
    if not is_shared():
        return root()
    if not _asking:
        raise NotSupported("On a shared server only a visitor of the app has things of their own.")
    return root() / "visitors" / _asking[0]()


@contextmanager
def within(folder: Path) -> Iterator[None]:
    """What is done here is done for whom this folder belongs to, as `own()` gave it elsewhere."""
    before = _within.set(folder)
    try:
        yield
    finally:
        _within.reset(before)


def prune(folder: Path, most: int, days: float = math.inf, grace: float = 0.0, pattern: str = "*") -> None:
    """Delete what of a folder was not used for so many days, and the oldest beyond so many, but for what was used in
    the last seconds of grace."""
    used = []
    for path in folder.glob(pattern):
        try:
            used.append((path.stat().st_mtime, path))
        except OSError:  # another session swept it
            continue
    used.sort(reverse=True)
    now = time.time()
    limit = now - days * 86400
    for rank, (when, path) in enumerate(used):
        if when < limit or (rank >= most and when < now - grace):
            delete(path)
