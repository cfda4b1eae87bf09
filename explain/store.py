"""Atomic files: a reader sees the old file or the new one, never half of one. The only code that writes."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import BadFile

__all__ = ["ask_before", "lock", "locked", "sha256", "sweep", "write", "writing", "written"]

BLOCK = 1 << 20
SUFFIX = ".tmp"
PATIENCE = 2.0  # seconds in which who reads a file on Windows is through with it
_ASKED: list[Callable[[Path, int], AbstractContextManager[None]]] = []


def ask_before(judge: Callable[[Path, int], AbstractContextManager[None]]) -> None:
    """Have each file written within judge(path, size); what that raises is raised to the writer."""
    if judge not in _ASKED:
        _ASKED.append(judge)


@contextmanager
def written(path: str | Path, needed: str = "") -> Iterator[None]:
    """What the system says against writing to a path, as one BadFile."""
    try:
        yield
    except OSError as error:
        raise BadFile(f"Cannot write {str(path)!r}: {error.strerror or error}{needed}.") from error


@contextmanager
def writing(path: str | Path, size: int = 0) -> Iterator[BinaryIO]:
    """A binary file that takes its name only when it is complete and on the disk; room for `size` bytes is reserved.

    Nothing is left behind after an exception. Raises BadFile when the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    temporary = None
    with ExitStack() as judged, written(path, f" ({size:,} bytes are needed)" if size else ""):
        for judge in _ASKED:
            judged.enter_context(judge(path, size))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=SUFFIX)
            with os.fdopen(handle, "wb") as file:
                _reserve(handle, size)
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            _rename(temporary, path)
        finally:
            if temporary and os.path.exists(temporary):
                os.unlink(temporary)


def _reserve(handle: int, size: int) -> None:
    """Room on the disk, where the system and the file system know such a thing."""
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise


def _rename(source: str, path: Path) -> None:
    """Windows lets nobody take the name of a file while another process reads it; it will be read soon."""
    end = time.monotonic() + (PATIENCE if os.name == "nt" else 0.0)
    while True:
        try:
            return os.replace(source, path)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.02)


def write(path: str | Path, content: bytes | str) -> Path:
    """Write a whole file atomically; text is UTF-8."""
    content = content.encode() if isinstance(content, str) else content
    with writing(path, len(content)) as file:
        file.write(content)
    return Path(path)


@contextmanager
def lock(folder: str | Path, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """One holder for each folder, over all processes; free at once when its process dies.

    A second one waits, and calls waiting() now and then, which may raise. Raises BadFile where nothing can be written.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    held = FileLock(folder / ".lock")
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        while not held.is_locked:
            try:
                held.acquire(timeout=0.5)
            except Timeout:
                waiting()
    try:
        yield
    finally:
        held.release()


def locked(folder: str | Path) -> bool:
    """Whether somebody holds the folder's lock now."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(Path(folder) / ".lock", timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # no such folder, or none that may be written to: nobody works in it
        return False


def sweep(folder: str | Path, own: re.Pattern[str], keep: set[str]) -> None:
    """Remove what an interrupted holder of the folder's lock left behind: files of its own names, whole or half
    written, but for those to keep, and those that somebody reads where that holds a file. Whatever else lies in the
    folder is somebody's."""
    for path in Path(folder).iterdir():
        half = re.fullmatch(rf"\.(.+)\.[^.]+{re.escape(SUFFIX)}", path.name)
        if path.is_file() and path.name not in keep and own.fullmatch(half[1] if half else path.name):
            with suppress(OSError):
                path.unlink()


def sha256(source: bytes | str | Path) -> str:
    """Hex digest of bytes or of a file."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    with open(source, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
