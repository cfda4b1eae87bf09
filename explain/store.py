"""Atomic files: a reader sees the old file or the new one, never half of one. The only code that writes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import BadFile

__all__ = ["sha256", "write", "writing"]

BLOCK = 1 << 20


@contextmanager
def writing(path: str | Path) -> Iterator[BinaryIO]:
    """A binary file that takes its name only when it is complete and on the disk.

    Nothing is left behind after an exception. Raises BadFile when the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise BadFile(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def write(path: str | Path, content: bytes | str) -> Path:
    """Write a whole file atomically; text is UTF-8."""
    with writing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return Path(path)


def sha256(source: bytes | str | Path) -> str:
    """Hex digest of bytes or of a file."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    with open(source, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
