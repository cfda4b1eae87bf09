"""How many bytes the workspace takes, of how many it may; what gives way to what is written.

What can be made again goes first, the longest unused before the others. What users made or named goes only when they
ask. What was used within GRACE seconds, or is locked, stays: somebody may be reading it.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .. import store
from ..data.remote import cache_folder
from ..errors import BadFile, BadValue, Unknown, shorten
from .folder import GRACE, delete, is_shared, own, root

__all__ = [
    "KINDS",
    "LIMIT",
    "Full",
    "Item",
    "Kind",
    "Usage",
    "admitted",
    "limit",
    "measure",
    "remove",
    "room",
    "said",
    "tidy",
]

LIMIT = "EXPLAIN_WORKSPACE_BYTES"
BLOCK = 4096  # what the smallest file takes
SMALL = 64 << 10  # cards of what has been written; for them there is a little more room
FRESH = 5.0  # seconds in which what was measured, and what this process wrote since, is believed
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


class Full(BadFile):
    """What is to be written does not fit into the workspace."""


@dataclass(frozen=True)
class Kind:
    """A folder of the workspace; remade: what lies there is removed without asking, the longest unused first."""

    folder: str
    title: str
    remade: bool

    @property
    def places(self) -> list[Path]:
        """Everybody's, and those of each visitor of a shared server."""
        # Pictures are fetched below what knows of a workspace.
        whole = (cache_folder() if self.folder == "addresses" else root()) / self.folder
        return [whole, *sorted((root() / "visitors").glob(f"*/{self.folder}"))]


KINDS = (
    Kind("uploads", "uploaded pictures", True),
    Kind("kept", "maps and galleries", True),
    Kind("thumbnails", "thumbnails", True),
    Kind("addresses", "pictures from the internet", True),
    Kind("zips", "picture sets", False),
    Kind("models", "networks", False),
    Kind("indexes", "indexes", False),
    Kind("runs", "trainings", False),
    Kind("studies", "answers to studies", False),
    Kind("reports", "reports", False),
    Kind("tags", "tags of pictures", False),
)


@dataclass(frozen=True)
class Item:
    """A file or folder of a kind: how many bytes it takes on the disk, and when it was used last."""

    kind: Kind
    path: Path
    bytes: int
    used: float

    @property
    def name(self) -> str:
        """As users know it."""
        if self.kind.folder == "zips":
            return next((one.name for one in self.path.glob("*") if one.is_dir()), self.path.name)
        return self.path.name

    @property
    def mine(self) -> bool:
        """Whether whoever asks may remove it: on a shared server each visitor their own."""
        return not is_shared() or self.path.is_relative_to(own())

    @property
    def remade(self) -> bool:
        """Also what an interrupted writer left, which has a name of ours."""
        return self.kind.remade or self.path.name.startswith(".")


@dataclass(frozen=True)
class Usage:
    items: tuple[Item, ...]
    limit: int

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)

    @property
    def by_kind(self) -> dict[Kind, int]:
        """Bytes of the kinds that there are."""
        found = {kind: sum(item.bytes for item in self.items if item.kind == kind) for kind in KINDS}
        return {kind: size for kind, size in found.items() if size}

    @property
    def free_to_go(self) -> list[Item]:
        """What may be removed without asking, the longest unused first."""
        return sorted((item for item in self.items if _idle(item)), key=lambda item: item.used)

    @property
    def named(self) -> list[Item]:
        """What users made or named, the largest first."""
        return sorted((item for item in self.items if not item.remade and item.mine), key=lambda item: -item.bytes)

    def __str__(self) -> str:
        kinds = sorted(self.by_kind.items(), key=lambda one: -one[1])
        parts = ", ".join(f"{kind.title} {said(size)}" for kind, size in kinds)
        return f"{said(self.bytes)} of {said(self.limit)}" + (f": {parts}" if parts else "")


def said(size: float) -> str:
    """Bytes in words: 512 B, 1.2 MB, 37 GB."""
    for power, unit in ((40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")):
        if size >= 1 << power:
            share = size / (1 << power)
            return f"{share:.1f} {unit}" if share < 10 else f"{share:,.0f} {unit}"
    return f"{size:.0f} B"


def limit(used: int) -> int:
    """How many bytes the workspace may take: those that the environment says, else half of what it has and the disk
    could give. Raises BadValue."""
    if text := os.environ.get(LIMIT, "").strip():
        match = _BYTES.fullmatch(text)
        if match is None:
            raise BadValue(f"{LIMIT} is {shorten(text)}; give bytes, as in 20000000000, 500MB or 20 GB.")
        return int(float(match[1]) * (1 << _UNITS[match[2].upper()]))
    return (used + _free(root())) // 2


def measure() -> Usage:
    """All there is now. Raises BadValue where the limit is none."""
    items = tuple(item for kind in KINDS for item in _items(kind))
    return Usage(items, limit(sum(item.bytes for item in items)))


@contextmanager
def room(size: int, what: str = "what is to be kept") -> Iterator[None]:
    """So many more bytes fit while they are written; what can be made again goes for them. Raises Full, and then
    nothing has been removed."""
    size = -(-size // BLOCK) * BLOCK
    _LEDGER.take(size, what)
    try:
        yield
    finally:
        _LEDGER.written(size)


@contextmanager
def admitted(path: Path, size: int) -> Iterator[None]:
    """The same for a file of the workspace that is written, or replaced; others are not judged."""
    path = Path(os.path.abspath(path))
    if _is_kept(path):
        with suppress(OSError):
            size -= path.stat().st_size
        with room(max(size, 0), repr(path.name)) if size > 0 else nullcontext():
            yield
    else:
        yield


def tidy() -> int:
    """Remove all of one's own that can be made again and is not in use; how many bytes that were."""
    return sum(item.bytes for item in measure().free_to_go if item.mine and _gone(item))


def remove(folder: str, name: str) -> None:
    """Delete what a user asks to delete: of a kind, by the name of its file or folder. Raises Unknown, and BadValue
    while somebody works in it."""
    there = {item.path.name: item for item in measure().items if item.kind.folder == folder and item.mine}
    if name not in there:
        raise Unknown(f"name in {folder}:", name, there)
    path = there[name].path
    if path.is_dir() and store.locked(path):
        raise BadValue(f"{there[name].name!r} is at work; cancel it first.")
    delete(path)
    _LEDGER.forget()


class _Ledger:
    """What is used, without a look at the whole workspace for each file that is written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: tuple[Path, str | None] | None = None
        self._until = 0.0
        self._used = self._most = self._pending = 0  # pending: admitted, and still being written

    def take(self, size: int, what: str) -> None:
        with self._lock:
            here = root(), os.environ.get(LIMIT)
            if here != self._seen or time.monotonic() > self._until or not self._fits(size):
                usage = measure()
                self._seen, self._until = here, time.monotonic() + FRESH
                self._used, self._most = usage.bytes, usage.limit
                if not self._fits(size):
                    self._used -= _freed(usage, self._pending + size, what)
            self._pending += size

    def written(self, size: int) -> None:
        with self._lock:
            self._pending -= size
            self._used += size

    def forget(self) -> None:
        """What was measured, as something has been removed."""
        with self._lock:
            self._seen = None

    def _fits(self, size: int) -> bool:
        return self._used + self._pending + size <= self._most + (self._most >> 6 if size <= SMALL else 0)


_LEDGER = _Ledger()


def _freed(usage: Usage, size: int, what: str) -> int:
    """Bytes that were removed so that `size` more fit, and a little more. Raises Full."""
    over = usage.bytes + size - usage.limit
    if sum(item.bytes for item in usage.free_to_go) < over:
        raise Full(
            f"The workspace is full: it takes {usage}. {what[0].upper()}{what[1:]} needs {said(size)} more. "
            f"Remove what is not wanted any more on the page Models and data, or allow more by {LIMIT}."
        )
    freed = 0
    for item in usage.free_to_go:
        if freed >= over + (usage.limit >> 5):  # so that the next file need not look again
            break
        freed += item.bytes if _gone(item) else 0
    return freed


def _gone(item: Item) -> bool:
    """Whether it was removed: not where it has been used in the meantime."""
    try:
        if item.path.stat().st_mtime > item.used:
            return False
    except OSError:
        return True
    delete(item.path)
    return not os.path.lexists(item.path)


def _idle(item: Item) -> bool:
    return item.remade and time.time() - item.used > GRACE


def _is_kept(path: Path) -> bool:
    """Whether a path is of the workspace, a visitor's part of it, or the fetched pictures."""
    for whole in map(os.path.abspath, (root(), cache_folder())):
        if path.is_relative_to(whole):
            parts = path.relative_to(whole).parts
            parts = parts[2:] if parts[:1] == ("visitors",) else parts
            return len(parts) > 1 and any(kind.folder == parts[0] for kind in KINDS)
    return False


def _items(kind: Kind) -> Iterator[Item]:
    entries = list[os.DirEntry[str]]()
    for place in kind.places:
        with suppress(OSError):  # nothing of the kind
            entries += sorted(os.scandir(place), key=lambda entry: entry.name)
    for entry in entries:
        if entry.name == ".lock":
            continue
        with suppress(OSError):  # removed just now
            found = entry.stat()
            size, used = _size(entry.name, found), found.st_mtime
            if entry.is_dir():
                # A set of pictures is never changed, and may have many thousand files.
                whole = kind.folder == "zips" and not entry.name.startswith(".")
                size, latest = _whole(entry.path, found.st_mtime_ns) if whole else _below(entry.path)
                used = max(used, latest)
            yield Item(kind, Path(entry.path), size, used)


@lru_cache(maxsize=1024)
def _whole(folder: str, _changed: int) -> tuple[int, float]:
    return _below(folder)


def _below(folder: str) -> tuple[int, float]:
    """Bytes of all files of a folder, and when the last of them was used."""
    size, used = 0, 0.0
    for place, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                found = os.lstat(os.path.join(place, name))
                size, used = size + _size(name, found), max(used, found.st_mtime)
    return size, used


def _size(name: str, found: os.stat_result) -> int:
    """Whole blocks; nothing of a file that is still being written, which is counted as pending."""
    if name.endswith(store.SUFFIX) and time.time() - found.st_mtime < GRACE:
        return 0
    return max(-(-found.st_size // BLOCK), 1) * BLOCK


def _free(folder: Path) -> int:
    """Bytes that the disk of a folder has left, also where the folder is not there yet."""
    for place in (folder, *folder.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free
    return 0
