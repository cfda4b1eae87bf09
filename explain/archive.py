"""ZIPs that somebody else made, read as far as is asked for, whatever they say of themselves.

A directory becomes twenty times its size in objects, and 40 bytes of bzip2 a megabyte in one call: so the directory is
read up to MOST_DIRECTORY only, and of members those that are stored or deflated.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from .errors import BadFile, shorten

__all__ = ["MOST_DIRECTORY", "opened", "part"]

MOST_DIRECTORY, _BLOCK = 4 << 20, 1 << 20


class _Stepwise:
    """A file of which nobody reads more than MOST_DIRECTORY bytes at once: zipfile reads a directory in one call, of as
    many bytes as the ZIP says."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        if size > MOST_DIRECTORY:
            raise BadFile(f"A ZIP's list of files has at most {MOST_DIRECTORY >> 20} MB, this one {size >> 20}.")
        return self._read(size if size >= 0 else MOST_DIRECTORY)


@contextmanager
def opened(source: bytes | Path | BinaryIO) -> Iterator[ZipFile]:
    """Raises whatever zipfile and zlib raise for a damaged file, which is nearly anything."""
    if isinstance(source, Path):
        with source.open("rb") as stored, opened(stored) as archive:
            yield archive
        return
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    with ZipFile(_Stepwise(file)) as archive:
        yield archive


def part(archive: ZipFile, entry: ZipInfo, most: int) -> bytes:
    """A member, but no more of it than so many bytes. Raises BadFile, and what `opened` raises."""
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise BadFile(f"{shorten(entry.filename)} is packed in a way that is not read; valid: stored and deflate.")
    with archive.open(entry) as member:
        blocks: list[bytes] = []
        while most > 0 and (block := member.read(min(most, _BLOCK))):
            blocks.append(block)
            most -= len(block)
    return b"".join(blocks)
