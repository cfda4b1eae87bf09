"""How much memory nobody uses, and how much of it one piece of work may take."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SHARE", "bytes_text", "free", "promised", "room"]

SHARE = 0.5
"""Of the free memory, what one network may take: other sessions work beside it."""
UNKNOWN = 1 << 30

_lock = threading.Lock()
_promised = 0


def free(cgroups: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> int:
    """Bytes of main memory that can be had without swapping; within a container, of what that may take."""
    return max(0, min([_of_machine(proc), *_of_groups(cgroups, proc)]))


def room() -> int:
    """Bytes that one network may take now, without those that are promised to others."""
    return int(SHARE * max(0, free() - _promised))


@contextmanager
def promised(count: int) -> Iterator[None]:
    """While open, so many bytes are not free for others: they are about to be taken."""
    global _promised
    with _lock:
        _promised += count
    try:
        yield
    finally:
        with _lock:
            _promised -= count


def bytes_text(count: float) -> str:
    """For instance 3.8 GiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            break
        count, unit = count / 1024, {"bytes": "KiB", "KiB": "MiB", "MiB": "GiB", "GiB": "TiB"}[unit]
    return f"{count:,.0f} {unit}" if unit in ("bytes", "KiB", "MiB") else f"{count:,.1f} {unit}"


def _of_machine(proc: Path) -> int:
    try:
        for line in (proc / "meminfo").read_text("utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError):
        pass
    if (available := _of_windows()) is not None:
        return available
    try:  # macOS and others, which do not say: half of what is there
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return UNKNOWN


class _Status(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    )


def _of_windows() -> int | None:
    """Bytes that it could give at once; None on other systems, and where it does not answer."""
    library = getattr(ctypes, "windll", None)
    status = _Status(length=ctypes.sizeof(_Status))
    if library is None or not library.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)


def _of_groups(cgroups: Path, proc: Path) -> Iterator[int]:
    """What each control group that this process is in leaves, in either version of their files."""
    try:
        lines = (proc / "self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, most, used, cached = cgroups, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, cached = cgroups / "memory", "total_inactive_file"
            most, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # Within a container the path may be the host's, which is not there; the root is then its own.
        for part in (root / path.strip("/"), *(root / path.strip("/")).parents):
            try:
                limit, taken = int((part / most).read_text("utf-8")), int((part / used).read_text("utf-8"))
                stat = dict(line.split() for line in (part / "memory.stat").read_text("utf-8").splitlines())
                yield limit - taken + int(stat.get(cached, 0))  # files in memory make way
            except (OSError, ValueError):  # no such group, or no limit ("max")
                pass
            if part == root:
                break
