"""Which picture of an index a reference means, and by what name one of them is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..data import list_images, printable
from ..data.containers import is_inside
from ..data.folders import path_below
from ..errors import BadFile, BadValue, shorten
from ..images import Bands
from ..project import project
from ..store import sha256
from .files import Manifest
from .index import Index

__all__ = ["file_name", "index_of", "left_out", "reference"]


def index_of(index: Index, image: Any) -> int | None:
    """An image's number in the index, given the number itself, as text too, or a reference or opened picture that names
    one of its files, or an upload that is one; None for any other picture.

    Raises BadValue for a number that the index has not.
    """
    name = image.info.get("name", "") if isinstance(image, Image.Image | Bands) else image
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        name = str(int(name))
    if not isinstance(name, str | Path) or not str(name):
        return None
    name = str(name)
    if name.removeprefix("-").isdecimal():
        if len(name) > 18 or not 0 <= int(name) < len(index):
            raise BadValue(f"Image {shorten(name)[1:-1]} is not in this index; it has 0 to {len(index) - 1}.")
        return int(name)
    files = index.images.files
    family, _, key = name.partition("/")
    if not _is_shipped(index):
        if family == "upload":
            return _with_content(index, image, key)
        if family == index.images.name and (member := _member(files, key)) is not None:
            return member
        paths = [_place(file) for file in files]
        path = _place(name)
        return paths.index(path) if path in paths else None
    return _member(files, key) if family == index.images.name else None


def _place(file: str) -> str:
    """One text for a file, also where the system takes names in capitals for the same."""
    return os.path.normcase(os.path.abspath(file))


def _member(files: Sequence[str], key: str) -> int | None:
    """A picture of a set by its number, or its file's name with or without the ending."""
    if key.isdecimal():
        return int(key) if len(key) < 10 and int(key) < len(files) else None
    keys = [Path(file).name for file in files]
    keys = keys if key in keys else [Path(file).stem for file in files]
    return keys.index(key) if key in keys else None


def _with_content(index: Index, image: Any, digest: str) -> int | None:
    """The number of the file that holds an upload, which is named by the sha256 of its content."""
    size = image.info.get("bytes") if isinstance(image, Image.Image | Bands) else None
    for number, file in enumerate(index.images.files if size else ()):
        try:
            whole = is_inside(file) or os.path.getsize(file) == size
            if whole and sha256(index.images.encoded(number)) == digest:
                return number
        except (OSError, BadFile):  # removed since
            continue
    return None


def reference(index: Index, number: int) -> str | None:
    """By what name `open_picture` opens an image of the index; None where its set has none."""
    if index.images.name in project().images:
        return f"{index.images.name}/{number}"
    if not _is_shipped(index):
        return None
    images = index.images
    return f"{images.name}/{Path(images.files[number]).name if images.are_files else number}"


def _is_shipped(index: Index) -> bool:
    return index.images.root is None and index.images.name in list_images()


def file_name(index: Index, file: str) -> str:
    """A file of an index by a name that does not say where this machine keeps it."""
    return _below(file, index.images.root)


def left_out(manifest: Manifest, skipped: Mapping[str, str] | None = None) -> dict[str, str]:
    """What of an index's pictures was left out and why, by such names; `skipped` as Index has it, by default what the
    complete pass has noted."""
    root = None if manifest.root is None else Path(manifest.root)
    skipped = {**manifest.unreadable, **manifest.skipped} if skipped is None else skipped
    return {_below(file, root): why.replace(shorten(file), "It") for file, why in skipped.items()}


def _below(file: str, root: Path | None) -> str:
    if root is not None:
        return printable(path_below(file, root))
    return printable(Path(file).name if Path(file).is_absolute() else file)
