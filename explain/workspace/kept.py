"""What is made once and kept: maps of pictures, thumbnails, the answers to studies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import store
from ..embedding.projection import PROJECTIONS, Preview, unseen
from ..errors import BadFile, ExplainError
from ..explorer import Thumbs
from ..figure import VERSION
from ..index import Index
from ..index.thumbnails import thumbnails
from ..progress import Progress, unheard
from ..views import embedding
from ..views.embedding import Embedding, pack, unpack
from .folder import prune, root

__all__ = ["embed", "embedding_path", "keep_answers", "thumbnails_of"]

MOST_EMBEDDINGS, MOST_THUMBNAILS = 200, 20
_OUTER = {"layer": None, "pooling": "mean", "count": None, "measure": True}  # options of maps of whatever method


def keep_answers(visitor: str, content: bytes) -> Path:
    """A visitor's answers to a study as a CSV file of the workspace; the whole file anew with each answer."""
    return store.write(root() / "studies" / f"{visitor}.csv", content)


def embed(
    index: Index, method: str = "tsne", *, progress: Progress = unheard, preview: Preview = unseen, **options: Any
) -> Embedding:
    """The map `explain.embedding` makes of an index, kept in the workspace and taken from there the second time.

    preview is called with the points so far, now and then; what it or progress raises ends the work.
    """
    path = embedding_path(index, method, **options)
    try:
        return unpack(index, path.read_bytes())
    except (OSError, ExplainError):  # not there, or damaged
        made = embedding.compute(index, method, **options, progress=progress, preview=preview)
    store.write(path, pack(made))
    prune(path.parent, MOST_EMBEDDINGS)
    return made


def embedding_path(index: Index, method: str, **options: Any) -> Path:
    """Where the map of these options is kept; options left out are their defaults. Raises Unknown, BadValue."""
    outer = {name: options.pop(name, usual) for name, usual in _OUTER.items()}
    asked = outer | {"layer": outer["layer"] or None} | PROJECTIONS[method].check(options)
    of = [index.manifest.model_digest, index.manifest.data_digest, len(index), method, sorted(asked.items()), VERSION]
    return root() / "embeddings" / f"{method}-{store.sha256(repr(of).encode())[:24]}.npz"


def thumbnails_of(index: Index, images: Sequence[int], progress: Progress = unheard) -> Thumbs:
    """Thumbnails of an index's pictures, kept in the workspace and taken from there the second time."""
    of = [index.manifest.data_digest, list(images), VERSION]
    folder = root() / "thumbnails" / store.sha256(repr(of).encode())[:24]
    try:
        card = json.loads((folder / "thumbnails.json").read_text())
        sheets = tuple((folder / name).read_bytes() for name in card["sheets"])
        if [store.sha256(sheet) for sheet in sheets] != card["sheets"]:
            raise BadFile("A sheet is damaged.")
        return Thumbs(sheets, card["tile"], card["columns"], card["each"])
    except (OSError, ValueError, KeyError, TypeError, ExplainError):  # not there, or damaged
        made = thumbnails(index.images, images, progress=progress)
    names = [store.sha256(sheet) for sheet in made.sheets]
    for name, sheet in zip(names, made.sheets, strict=True):
        store.write(folder / name, sheet)
    card = {"sheets": names, "tile": made.tile, "columns": made.columns, "each": made.each}
    store.write(folder / "thumbnails.json", json.dumps(card))  # last: what it names is there
    prune(folder.parent, MOST_THUMBNAILS)
    return made
