"""Pictures by reference: those of the shipped sets, and uploads, which expire."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from PIL.Image import Image

from .. import store
from ..data import ImageSet, list_images, load_images
from ..errors import BadFile, BadValue, Unknown, shorten
from ..images import decode
from .folder import prune, root

__all__ = ["keep_upload", "open_picture", "prune_uploads"]

UPLOAD_DAYS = 7
MOST_UPLOADS = 2000
_UPLOAD = re.compile(r"upload/[0-9a-f]{64}")


def open_picture(reference: str) -> Image:
    """A picture by reference: SET/NUMBER or SET/FILE of a shipped set, upload/SHA256, or a file's path.

    The reference stays with the picture as info["name"], the size of an upload's file as info["bytes"].
    Raises Unknown, BadValue or BadFile.
    """
    if _UPLOAD.fullmatch(reference):
        path = root() / "uploads" / reference.removeprefix("upload/")
        if not path.is_file():
            raise BadFile(f"Upload {shorten(reference)} is no longer kept; uploads expire after {UPLOAD_DAYS} days.")
        os.utime(path)
        image = decode(path, reference)
        image.info["bytes"] = path.stat().st_size
    elif (family := reference.partition("/")[0]) in list_images():
        image = _member(_named_set(family), reference.partition("/")[2])
    elif os.path.isfile(reference):
        image = decode(reference)
    else:
        examples = [f"{name}/0" for name in list_images()]
        raise Unknown("picture", reference, examples, "Or the path of a picture file.")
    image.info["name"] = reference
    return image


def keep_upload(content: bytes, name: str) -> str:
    """Store a user's picture under its digest and return its reference; refused when it cannot be decoded."""
    decode(content, name)
    reference = store.sha256(content)
    folder = root() / "uploads"
    if not (folder / reference).is_file():
        prune_uploads(folder)
        store.write(folder / reference, content)
    return f"upload/{reference}"


def prune_uploads(folder: Path) -> None:
    """Remove uploads not used for UPLOAD_DAYS, and the oldest beyond MOST_UPLOADS."""
    prune(folder, MOST_UPLOADS, UPLOAD_DAYS)


@cache
def _named_set(name: str) -> ImageSet:
    return load_images(name)


def _member(images: ImageSet, key: str) -> Image:
    if key.isdecimal():
        if len(key) > 18 or int(key) >= len(images):
            raise BadValue(
                f"Picture {shorten(f'{images.name}/{key}')} does not exist; {images.name} has 0 to {len(images) - 1}."
            )
        return images[int(key)].copy()
    names = [Path(file).name for file in images.files]
    stems = [Path(name).stem for name in names]
    for candidates in (names, stems):
        if key in candidates:
            return images[candidates.index(key)].copy()
    raise Unknown(f"picture of {images.name}", key, stems[:50], f"Or a number from 0 to {len(images) - 1}.")
