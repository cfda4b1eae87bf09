"""The workspace's folder, and what is deleted there when it grows old."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path

__all__ = ["GRACE", "delete", "prune", "root"]

GRACE = 600.0
"""Seconds after its last use in which nothing is removed without asking: somebody may be reading it."""


def root() -> Path:
    """The workspace's folder: $EXPLAIN_WORKSPACE, else in the user's cache."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EXPLAIN_WORKSPACE") or Path(cache_home) / "explain")


def delete(path: Path) -> None:
    """A file, or a folder with all in it; no matter where it has gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def prune(folder: Path, most: int, days: float = math.inf, grace: float = 0.0) -> None:
    """Delete what of a folder was not used for so many days, and the oldest beyond so many, but for what was used in
    the last seconds of grace."""
    used = []
    for path in folder.glob("*"):
        try:
            used.append((path.stat().st_mtime, path))
        except FileNotFoundError:  # another session swept it
            continue
    used.sort(reverse=True)
    now = time.time()
    limit = now - days * 86400
    for rank, (when, path) in enumerate(used):
        if when < limit or (rank >= most and when < now - grace):
            delete(path)
