"""Pictures by reference: of the shipped sets, uploads, files."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ..data import BY_NAME, ImageSet, fetched, is_remote, list_images, named_images
from ..errors import BadValue, Unknown, shorten
from ..images import Picture, copied, decode
from ..project import project
from . import picture_sets
from .uploads import is_upload, open_upload

__all__ = ["open_named", "open_picture"]


def open_picture(reference: str) -> Picture:
    """A picture by reference: SET/NUMBER or SET/FILE of a shipped set, upload/SHA256, a file's path, or an address,
    which is fetched once and kept.

    The reference stays with the picture as info["name"], the size of an upload's file as info["bytes"].
    Raises Unknown, BadValue or BadFile.
    """
    if reference.startswith(BY_NAME):
        return open_named(reference.removeprefix(BY_NAME))
    if is_remote(reference):
        image = decode(fetched(reference), reference)
        image.info["name"] = reference
        return image
    is_file, family = os.path.isfile(reference), reference.partition("/")[0]
    if is_file and family in project().images:  # of that set, as the user has named it, or a file beside
        with suppress(Unknown, BadValue):
            return open_named(reference)
    elif family in ("upload", *list_images(), *picture_sets.named()):
        if is_file:
            raise BadValue(
                f"{reference!r} may be of a set of pictures by that name, and is a file here: write './{reference}' "
                f"for the file, '{BY_NAME}{reference}' for the set."
            )
        return open_named(reference)
    if not is_file:
        examples = [f"{name}/0" for name in list_images()]
        raise Unknown("picture", reference, examples, "Or the path of a picture file.")
    image = decode(reference)
    image.info["name"] = reference
    return image


def open_named(reference: str) -> Picture:
    """The same, but never a file by its path, so that whoever is a stranger may name it."""
    family, _, key = reference.partition("/")
    if is_upload(reference):
        image = open_upload(reference)
    elif family in list_images():
        image = _member(_named_set(family, repr(project().images.get(family))), key)
    elif family in (kept := picture_sets.named()):
        image = _member(picture_sets.images_of(kept[family].reference), key)
    else:
        raise Unknown("picture", reference, [f"{name}/0" for name in list_images()])
    image.info["name"] = reference
    return image


@lru_cache(maxsize=16)
def _named_set(name: str, _said: str) -> ImageSet:
    return named_images(name)


def _member(images: ImageSet, key: str) -> Picture:
    if key.isdecimal():
        if len(key) > 18 or int(key) >= len(images):
            raise BadValue(
                f"Picture {shorten(f'{images.name}/{key}')} does not exist; {images.name} has 0 to {len(images) - 1}."
            )
        return copied(images[int(key)])
    if not key:
        last = f"{images.name}/{len(images) - 1}"
        raise BadValue(f"{images.name} is a set; name one of its pictures, from {images.name}/0 to {last}.")
    names = [Path(file).name for file in images.files]
    stems = [Path(name).stem for name in names]
    for candidates in (names, stems):
        if key in candidates:
            return copied(images[candidates.index(key)])
    raise Unknown(f"picture of {images.name}", key, stems[:50], f"Or a number from 0 to {len(images) - 1}.")
