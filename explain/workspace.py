"""Where things live, by name: pictures of the shipped sets, uploads that expire, indexes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL.Image import Image

from . import store
from .data import ImageSet, list_images, load_images
from .errors import BadFile, BadValue, ExplainError, Unknown, shorten
from .images import decode
from .index import Index, build, read_manifest
from .model import Model

__all__ = ["build_index", "index_folder", "indexes", "keep_upload", "open_picture", "root"]

UPLOAD_DAYS = 7
MOST_UPLOADS = 2000
_UPLOAD = re.compile(r"upload/[0-9a-f]{64}")


def root() -> Path:
    """The workspace's folder: $EXPLAIN_WORKSPACE, else in the user's cache."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EXPLAIN_WORKSPACE") or Path(cache_home) / "explain")


def open_picture(reference: str) -> Image:
    """A picture by reference: SET/NUMBER or SET/FILE of a shipped set, upload/SHA256, or a file's path.

    The reference stays with the picture as info["name"]. Raises Unknown, BadValue or BadFile.
    """
    if _UPLOAD.fullmatch(reference):
        path = root() / "uploads" / reference.removeprefix("upload/")
        if not path.is_file():
            raise BadFile(f"Upload {shorten(reference)} is no longer kept; uploads expire after {UPLOAD_DAYS} days.")
        os.utime(path)
        image = decode(path, reference)
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
        sweep(folder)
        store.write(folder / reference, content)
    return f"upload/{reference}"


def sweep(folder: Path) -> None:
    """Remove uploads not used for UPLOAD_DAYS, and the oldest beyond MOST_UPLOADS."""
    used = []
    for path in folder.glob("*"):
        try:
            used.append((path.stat().st_mtime, path))
        except FileNotFoundError:  # another session swept it
            continue
    used.sort(reverse=True)
    limit = time.time() - UPLOAD_DAYS * 86400
    for rank, (when, path) in enumerate(used):
        if when < limit or rank >= MOST_UPLOADS:
            path.unlink(missing_ok=True)


def build_index(
    model: Model,
    images: Any,
    layers: Sequence[str] | None = None,
    k: int = 16,
    out: str | Path | None = None,
    resume: bool = True,
    progress: Callable[[int, int, str], object] | None = None,
    **options: Any,
) -> Index:
    """Run each image through the model once and keep what the views ask for, in folder `out` or the workspace.

    images: what load_images takes. layers: every convolution's output unless named. progress(done, total, message) is
    called after each batch; what it raises ends the pass, and the images done so far are an index. options: limit,
    seed, batch, workers. A second call goes on where the first ended, and takes in what has changed.
    """
    images = load_images(images, options.pop("limit", None))
    folder = Path(out) if out else index_folder(model, images, layers, k, options.get("seed", 0))
    build(model, images, folder, layers, k=k, resume=resume, progress=progress or _unheard, **options)
    return Index(folder, model)


def indexes(model: Model) -> dict[str, Path]:
    """The complete indexes of the workspace made with this model, by what they are over."""
    found: dict[str, Path] = {}
    for folder in sorted((root() / "indexes").glob("*")):
        try:
            manifest = read_manifest(folder)
        except ExplainError:  # damaged, foreign, or not written yet
            continue
        if manifest.model_digest == model.digest and manifest.merged:
            found[folder.name if manifest.data in found else manifest.data] = folder
    return found


def index_folder(
    model: Model, images: ImageSet, layers: Sequence[str] | None = None, k: int = 16, seed: int = 0
) -> Path:
    """Where the index of these images lives; the same when images are added to their folder."""
    place = images.name if images.root is None else os.path.abspath(images.root)
    asked = store.sha256(repr((model.digest, place, layers and list(layers), k, seed)).encode())
    names = re.sub(r"[^A-Za-z0-9]+", "-", f"{Path(model.name).name} {images.name}").strip("-")
    return root() / "indexes" / f"{names[:60]}-{asked[:12]}"


def _unheard(_done: int, _total: int, _message: str) -> None:
    pass


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
