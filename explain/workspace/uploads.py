"""Pictures that users uploaded: each under the digest of its content, until nobody has used it for some days."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .. import store
from ..errors import BadFile, shorten
from ..images import Picture, decode
from .folder import GRACE, is_shared, own, prune

__all__ = ["is_upload", "keep_upload", "open_upload", "prune_uploads", "still_used"]

UPLOAD_DAYS = 7
MOST_UPLOADS = 2000
_UPLOAD = re.compile(r"upload/[0-9a-f]{64}")


def is_upload(reference: str) -> bool:
    return _UPLOAD.fullmatch(reference) is not None


def open_upload(reference: str) -> Picture:
    """The picture upright; its file's size is info["bytes"]. Raises BadFile where it is no longer kept."""
    path = own() / "uploads" / reference.removeprefix("upload/")
    if not path.is_file():
        whose = " or is not yours" if is_shared() else ""
        raise BadFile(f"Upload {shorten(reference)} is no longer kept{whose}; uploads expire after {UPLOAD_DAYS} days.")
    still_used([reference])
    image = decode(path, reference)
    image.info["bytes"] = path.stat().st_size
    return image


def still_used(references: Iterable[str]) -> None:
    """Somebody works with these uploads: they are not the oldest any more."""
    for reference in references:
        with suppress(OSError):  # it is read where nothing may be written, too: there nobody deletes it either
            os.utime(own() / "uploads" / reference.removeprefix("upload/"))


def keep_upload(content: bytes, name: str) -> str:
    """Store a user's picture under its digest and return its reference; refused when it cannot be decoded."""
    decode(content, name)
    reference = store.sha256(content)
    folder = own() / "uploads"
    if not (folder / reference).is_file():
        prune_uploads(folder)
        store.write(folder / reference, content)
    return f"upload/{reference}"


def prune_uploads(folder: Path) -> None:
    """Remove uploads not used for UPLOAD_DAYS, and the oldest beyond MOST_UPLOADS that nobody works with."""
    prune(folder, MOST_UPLOADS, UPLOAD_DAYS, GRACE)
