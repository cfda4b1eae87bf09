"""Indexes of the workspace: where they lie, built, found and opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import store
from ..data import ImageSet, list_images, load_images
from ..errors import ExplainError
from ..index import Index, Manifest, read_manifest
from ..index.build import build
from ..network.model import Model
from ..progress import Progress, heard
from ..project import project
from . import picture_sets
from .folder import is_shared, own, root
from .models import load_model, model_folder

__all__ = ["build_index", "complete_indexes", "index_folder", "list_indexes", "list_peers", "open_index"]


def open_index(path: str | Path, model: Model | None = None, images: Any = None) -> Index:
    """An index by its folder, or by that folder's name in the workspace.

    model: the one it was made with, by default loaded by its name when it is needed.
    images: those it is over, where they are a dataset of your own, to which no file leads.
    Raises BadFile.
    """
    folder = Path(path)
    if folder.name == str(path) and not folder.exists():
        folder = root() / "indexes" / folder
    if model is None and ((name := read_manifest(folder).model) in project().models or model_folder(name)):
        model = load_model(name)
    return Index(folder, model, None if images is None else load_images(images))


def build_index(
    model: Model,
    images: Any,
    layers: Sequence[str] | None = None,
    k: int = 16,
    out: str | Path | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    **options: Any,
) -> Index:
    """Run each image through the model once and keep what the views ask for, in folder `out` or the workspace.

    A second call goes on where the first ended, and takes in what has changed.

    images: what load_images takes.
    layers: every convolution's output unless named.
    k: pictures kept for each channel and ranking.
    resume: whether it goes on with what is there of it.
    progress: called as (done, total, message) after each batch, by default a bar; what it raises ends the pass, and the
    images done so far are an index.
    options: limit, seed, batch, workers.
    Raises ExplainError.
    """
    images = load_images(images, options.pop("limit", None))
    folder = Path(out) if out else index_folder(model, images, layers, k, options.get("seed", 0))
    with heard(progress, "build_index", "images") as told:
        build(model, images, folder, layers, k=k, resume=resume, progress=told, **options)
    return Index(folder, model, images)


def list_indexes(model: Model) -> dict[str, Path]:
    """The complete indexes of the workspace made with this model, by what they are over."""
    found: dict[str, Path] = {}
    for folder, manifest in complete_indexes():
        if manifest.model_digest == model.digest:
            free = manifest.data not in found and _has_its_name(manifest)
            found[manifest.data if free else folder.name] = folder
    return found


def list_peers(index: Index) -> dict[str, tuple[str, Path]]:
    """The complete indexes of other networks over the same pictures, by their folder's name: the network's name, and
    the folder."""
    own = index.manifest
    return {
        folder.name: (manifest.model, folder)
        for folder, manifest in complete_indexes()
        if manifest.data_digest == own.data_digest and manifest.model_digest != own.model_digest
    }


def complete_indexes() -> Iterator[tuple[Path, Manifest]]:
    """Those that whoever asks may see, of any network."""
    for folder in _folders():
        try:
            manifest = read_manifest(folder)
        except ExplainError:  # damaged, foreign, or not written yet
            continue
        if manifest.merged and _is_seen(folder, manifest):
            yield folder, manifest


def _folders() -> list[Path]:
    """One's own first."""
    places = dict.fromkeys([own(), root()])
    return [folder for place in places for folder in sorted((place / "indexes").glob("*"))]


def _is_seen(folder: Path, manifest: Manifest) -> bool:
    """Whether an index is for whoever asks: on a shared server what is their own, or over pictures that all have."""
    return folder.parents[1] == own() or (manifest.data in list_images() and _has_its_name(manifest))


def _has_its_name(manifest: Manifest) -> bool:
    """Whether no other pictures than those of the index are known by its name, such as those shipped."""
    kept = picture_sets.named()
    if manifest.data in kept:
        place = picture_sets.folder_of(kept[manifest.data])
        return manifest.root is not None and Path(manifest.root).resolve() == place.resolve()
    return manifest.root is None or manifest.data not in list_images() or manifest.data in project().images


def _is_own(model: Model, images: ImageSet) -> bool:
    """Whether an index says something of what one visitor of a shared server has handed in or trained."""
    if not is_shared():
        return True
    return model_folder(model.name) is not None or (
        images.root is not None and Path(images.root).resolve().is_relative_to(own().resolve())
    )


def index_folder(
    model: Model, images: ImageSet, layers: Sequence[str] | None = None, k: int = 16, seed: int = 0
) -> Path:
    """Where the index of these images lives; the same when images are added to their folder."""
    place = images.name if images.root is None else os.path.abspath(images.root)
    asked = store.sha256(repr((model.digest, place, layers and list(layers), k, seed)).encode())
    names = re.sub(r"[^A-Za-z0-9]+", "-", f"{Path(model.name).name} {images.name}").strip("-")
    return (own() if _is_own(model, images) else root()) / "indexes" / f"{names[:60]}-{asked[:12]}"
