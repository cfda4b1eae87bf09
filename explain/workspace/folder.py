"""The workspace's folder, and what is deleted there when it grows old."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path

__all__ = ["prune", "root"]


def root() -> Path:
    """The workspace's folder: $EXPLAIN_WORKSPACE, else in the user's cache."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EXPLAIN_WORKSPACE") or Path(cache_home) / "explain")


def prune(folder: Path, most: int, days: float = math.inf) -> None:
    """Delete what of a folder was not used for so many days, and the oldest beyond so many."""
    used = []
    for path in folder.glob("*"):
        try:
            used.append((path.stat().st_mtime, path))
        except FileNotFoundError:  # another session swept it
            continue
    used.sort(reverse=True)
    limit = time.time() - days * 86400
    for rank, (when, path) in enumerate(used):
        if when < limit or rank >= most:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
