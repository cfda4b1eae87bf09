"""What is made once and kept: maps of pictures, thumbnails, the answers to studies."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .. import store
from ..errors import BadFile, ExplainError
from ..explorer import Thumbs
from ..figure import VERSION
from ..index import Index
from ..index.thumbnails import thumbnails
from ..progress import Progress, unheard
from .budget import Full
from .folder import own, prune, root

__all__ = ["Kept", "keep_answers", "thumbnails_of"]

MOST_KEPT = 2500  # a gallery alone has up to 1000
MOST_THUMBNAILS = 20


class Kept:
    """What takes long to make, by a name that says all it depends on."""

    def get(self, name: str) -> bytes | None:
        """None where it is not kept, or no longer."""
        path = root() / "kept" / name
        try:
            content = path.read_bytes()
        except OSError:
            return None
        _used(path)
        return content

    def __contains__(self, name: str) -> bool:
        path = root() / "kept" / name
        _used(path)  # whoever asks reads it next
        return path.is_file()

    def put(self, name: str, content: bytes) -> None:
        path = store.write(root() / "kept" / name, content)
        prune(path.parent, MOST_KEPT)


def _used(path: Path) -> None:
    with suppress(OSError):  # read where nothing may be written, say
        os.utime(path)


def keep_answers(visitor: str, content: bytes) -> Path:
    """A visitor's answers to a study as a CSV file of the workspace; the whole file anew with each answer."""
    return store.write(own() / "studies" / f"{visitor}.csv", content)


def thumbnails_of(index: Index, images: Sequence[int], progress: Progress = unheard) -> Thumbs:
    """Thumbnails of an index's pictures, kept in the workspace and taken from there the second time."""
    bands = index.model.preprocess.bands
    of = [index.manifest.data_digest, list(images), VERSION, *([bands] if bands else [])]
    folder = root() / "thumbnails" / store.sha256(repr(of).encode())[:24]
    try:
        card = json.loads((folder / "thumbnails.json").read_text("utf-8"))
        sheets = tuple((folder / name).read_bytes() for name in card["sheets"])
        if [store.sha256(sheet) for sheet in sheets] != card["sheets"]:
            raise BadFile("A sheet is damaged.")
        _used(folder)
        return Thumbs(sheets, card["tile"], card["columns"], card["each"])
    except (OSError, ValueError, KeyError, TypeError, ExplainError):  # not there, or damaged
        made = thumbnails(index.images, images, progress=progress, bands=bands)
    names = [store.sha256(sheet) for sheet in made.sheets]
    card = {"sheets": names, "tile": made.tile, "columns": made.columns, "each": made.each}
    with suppress(Full):  # then they are made again the next time
        for name, sheet in zip(names, made.sheets, strict=True):
            store.write(folder / name, sheet)
        store.write(folder / "thumbnails.json", json.dumps(card))  # last: what it names is there
    prune(folder.parent, MOST_THUMBNAILS)
    return made
