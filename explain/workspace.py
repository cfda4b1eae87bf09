"""Where things live, by name: pictures of the shipped sets, uploads that expire, indexes, trained models."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL.Image import Image

from . import store, zoo
from .data import ImageSet, list_images, load_images
from .errors import BadFile, BadValue, ExplainError, Unknown, shorten
from .explorer import Thumbs
from .figure import VERSION
from .images import decode
from .index import Index, build, read_manifest
from .model import Model
from .projection import PROJECTIONS
from .thumbnails import thumbnails
from .training.record import FILE as RUN_FILE
from .views import embedding
from .views.embedding import Embedding, pack, unpack

__all__ = [
    "build_index",
    "embed",
    "embedding_path",
    "index_folder",
    "indexes",
    "keep_upload",
    "list_models",
    "load_model",
    "model_folder",
    "open_index",
    "open_picture",
    "root",
    "run_folder",
    "runs",
    "thumbnails_of",
]

UPLOAD_DAYS = 7
MOST_UPLOADS = 2000
MOST_EMBEDDINGS, MOST_THUMBNAILS = 200, 20
_OUTER = {"layer": None, "pooling": "mean", "count": None, "measure": True}  # options of maps of whatever method
_TRAINED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:@(\d{1,4}))?")
_UPLOAD = re.compile(r"upload/[0-9a-f]{64}")


def root() -> Path:
    """The workspace's folder: $EXPLAIN_WORKSPACE, else in the user's cache."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("EXPLAIN_WORKSPACE") or Path(cache_home) / "explain")


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
        sweep(folder)
        store.write(folder / reference, content)
    return f"upload/{reference}"


def runs() -> dict[str, Path]:
    """Trainings of the workspace by name, finished or not, the newest first."""
    folders = [path.parent for path in (root() / "runs").glob(f"*/{RUN_FILE}")]
    return {folder.name: folder for folder in sorted(folders, key=_written, reverse=True)}


def run_folder(recipe: str) -> Path:
    """A folder for a new training, called after its recipe."""
    taken = {*runs(), *zoo.list_models()}
    names = (f"{recipe}-{k}" for k in itertools.count(1))
    return root() / "runs" / next(name for name in names if name not in taken)


def list_models() -> list[str]:
    """Names of the models that need no download, those shipped and those trained here; `torchvision:NAME` and
    `timm:NAME` work as well."""
    finished = [name for name, folder in runs().items() if (folder / "model.json").is_file()]
    return list(dict.fromkeys([*zoo.list_models(), *finished]))


def model_folder(name: str) -> Path | None:
    """Where a model trained here lies; NAME@EPOCH is a snapshot of it. None for other names."""
    match = _TRAINED.fullmatch(name)
    if match is None or match[1] in zoo.list_models():
        return None
    folder = root() / "runs" / match[1]
    if match[2]:
        folder = folder / "snapshots" / f"{int(match[2]):04}"
    return folder if (folder / "model.json").is_file() else None


def load_model(
    name: str | Path,
    weights: str | Path | None = None,
    device: str = "auto",
    *,
    architecture: str | None = None,
    classes: Sequence[str] | None = None,
) -> Model:
    """A model ready to be asked.

    name: one of list_models(), also NAME@EPOCH for a snapshot of one trained here; `torchvision:NAME` or `timm:NAME`;
    an architecture of NETS, also with options as in `resnet?depth=50`; a folder with model.json; a checkpoint file,
    with `architecture` saying what it belongs to.
    weights: "DEFAULT" for those published with the architecture, a file, or None for random ones (seeded).
    classes: names, for a head of another size than the architecture's own.
    Raises ExplainError for an unknown name, weights that do not fit, or a network that does not classify pictures.
    """
    return zoo.load_model(model_folder(str(name)) or name, weights, device, architecture=architecture, classes=classes)


def open_index(path: str | Path, model: Model | None = None) -> Index:
    """An index by its folder; the model it was made with is loaded when it is needed. Raises BadFile."""
    if model is None and model_folder(name := read_manifest(Path(path)).model):
        model = load_model(name)
    return Index(path, model)


def _written(folder: Path) -> float:
    try:
        return (folder / RUN_FILE).stat().st_mtime
    except FileNotFoundError:  # just removed
        return 0.0


def keep_answers(visitor: str, content: bytes) -> Path:
    """A visitor's answers to a study as a CSV file of the workspace; the whole file anew with each answer."""
    return store.write(root() / "studies" / f"{visitor}.csv", content)


def sweep(folder: Path) -> None:
    """Remove uploads not used for UPLOAD_DAYS, and the oldest beyond MOST_UPLOADS."""
    _sweep(folder, MOST_UPLOADS, UPLOAD_DAYS)


def _sweep(folder: Path, most: int, days: float = math.inf) -> None:
    used = []
    for path in folder.glob("*"):
        try:
            used.append((path.stat().st_mtime, path))
        except FileNotFoundError:  # another session swept it
            continue
    used.sort(reverse=True)
    limit = time.time() - days * 86400
    for rank, (when, path) in enumerate(used):
        if when < limit or rank >= most:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
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


def embed(
    index: Index, method: str = "tsne", *, report: Callable[[int, int, str, Any], object] | None = None, **options: Any
) -> Embedding:
    """The map `explain.embedding` makes of an index, kept in the workspace and taken from there the second time.

    report(done, total, what of, points so far) is called now and then; what it raises ends the work.
    """
    path = embedding_path(index, method, **options)
    try:
        return unpack(index, path.read_bytes())
    except (OSError, ExplainError):  # not there, or damaged
        made = embedding.compute(index, method, **options, report=report or _unheard)
    store.write(path, pack(made))
    _sweep(path.parent, MOST_EMBEDDINGS)
    return made


def embedding_path(index: Index, method: str, **options: Any) -> Path:
    """Where the map of these options is kept; options left out are their defaults. Raises Unknown, BadValue."""
    outer = {name: options.pop(name, usual) for name, usual in _OUTER.items()}
    asked = outer | {"layer": outer["layer"] or None} | PROJECTIONS[method].check(options)
    of = [index.manifest.model_digest, index.manifest.data_digest, len(index), method, sorted(asked.items()), VERSION]
    return root() / "embeddings" / f"{method}-{store.sha256(repr(of).encode())[:24]}.npz"


def thumbnails_of(
    index: Index, images: Sequence[int], report: Callable[[int, int], object] = lambda *_: None
) -> Thumbs:
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
        made = thumbnails(index.images, images, report=report)
    names = [store.sha256(sheet) for sheet in made.sheets]
    for name, sheet in zip(names, made.sheets, strict=True):
        store.write(folder / name, sheet)
    card = {"sheets": names, "tile": made.tile, "columns": made.columns, "each": made.each}
    store.write(folder / "thumbnails.json", json.dumps(card))  # last: what it names is there
    _sweep(folder.parent, MOST_THUMBNAILS)
    return made


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


def _unheard(*_: Any) -> None:
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
