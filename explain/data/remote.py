"""Pictures that a table names by address: fetched when they are first looked at, and kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from .. import store
from ..errors import BadFile, shorten
from ..images import MAX_BYTES

__all__ = ["cache_folder", "fetched", "is_remote"]

PATIENCE = 20
"""Seconds in which an address has to answer."""


def is_remote(file: str) -> bool:
    return file.startswith(("http://", "https://"))


def cache_folder() -> Path:
    """The folder of what is fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "explain"


def fetched(address: str) -> Path:
    """The file of an address, from the cache if it is there. Raises BadFile."""
    kept = cache_folder() / "addresses" / hashlib.sha256(address.encode()).hexdigest()
    if kept.is_file():
        return kept
    try:
        with urlopen(Request(address, headers={"User-Agent": "explain"}), timeout=PATIENCE) as answer:
            content = answer.read(MAX_BYTES + 1)
    except (URLError, OSError, ValueError) as error:
        raise BadFile(f"{shorten(address)} cannot be fetched: {shorten(str(error), 100)}.") from None
    if len(content) > MAX_BYTES:
        raise BadFile(f"{shorten(address)} has more than {MAX_BYTES >> 20} MB, the most that can be opened.")
    store.write(kept, content)
    return kept
