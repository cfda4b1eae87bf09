"""explain.toml, or [tool.explain] of pyproject.toml: models and image sets of one's own work, by name.

    [models.defects]
    factory = "nets.py:build"            # or architecture = "torchvision:resnet18", "hf:FOLDER" ...
    arguments = { width = 8 }
    weights = "runs/last.ckpt"
    classes = ["good", "scratch"]        # or a file
    output = "sigmoid"
    size = 224
    mean = [0.5, 0.5, 0.5]
    std = [0.2, 0.2, 0.2]
    bands = [3, 2, 1]                    # shown as red, green and blue, of a network that takes more

    [images.parts]
    folder = "data/parts"                # or table = "parts.csv", with image, label, split; or dataset = "..."

It is looked for from the current folder upwards; its paths are those beside it. It names code and files, so no URL,
upload, figure or model card leads to one: the person who starts the process works below it.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import BadFile, BadValue, Unknown, shorten

__all__ = ["FILE", "Project", "class_file", "project"]

FILE = "explain.toml"
MOST_BYTES, MOST_DOTS = 16 << 20, 2000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MODEL_KEYS = (
    "factory",
    "architecture",
    "arguments",
    "weights",
    "classes",
    "output",
    "size",
    "resize",
    "mean",
    "std",
    "bands",
)
IMAGES_KEYS = ("folder", "table", "dataset", "image", "label", "split")


@dataclass(frozen=True)
class Project:
    """folder: where the file is; models and images: what load_model and load_images take, by name."""

    folder: Path | None = None
    models: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    images: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def written(self, model: str) -> str:
        """What changes where a model of it does: what is said of it, and when the files that it names were changed."""
        given = self.models.get(model, {})
        said = [str(given.get(key, "")) for key in ("name", "weights")]
        files = [file for one in said for file in (one, one.rpartition(":")[0]) if os.path.isfile(file)]
        return repr((self.folder, given, [os.stat(file).st_mtime_ns for file in files]))


def project() -> Project:
    """That of the current folder, or an empty one. Raises BadFile, BadValue, Unknown for a file with mistakes."""
    said = os.environ.get("EXPLAIN_PROJECT")  # by `explain serve`, whose app runs elsewhere
    here = Path(said) if said else Path.cwd()
    for folder in (here, *here.parents):
        for name in (FILE, "pyproject.toml"):
            try:
                changed = (folder / name).stat().st_mtime_ns
            except OSError:
                continue
            found = _read(folder / name, changed)
            if found is not None:
                return found
    return Project()


@lru_cache(maxsize=8)
def _read(file: Path, _changed: int) -> Project | None:
    try:
        text = _text(file)
        if any(line.count(".") > MOST_DOTS for line in text.splitlines()):  # tomllib is quadratic in a key's parts
            raise ValueError(f"a line of it has more than {MOST_DOTS:,} dots")
        content = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if file.name != FILE:  # somebody else's to read
            return None
        raise BadFile(f"{file.name} cannot be read: {error}.") from None
    if file.name != FILE:
        content = content.get("tool", {}).get("explain")
        if content is None:
            return None
    for key in content:
        if key not in ("models", "images"):
            raise Unknown(f"table of {file.name}:", key, ("models", "images"))
    models = {name: _model(name, given, file) for name, given in _tables(content, "models", file).items()}
    images = {name: _images(name, given, file) for name, given in _tables(content, "images", file).items()}
    return Project(file.parent, models, images)


def _tables(content: Mapping[str, Any], key: str, file: Path) -> dict[str, dict[str, Any]]:
    found = content.get(key, {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise BadValue(f"{file.name}: [{key}] holds a table for each name, as [{key}.mine].")
    for name in found:
        if not _NAME.fullmatch(name):
            raise BadValue(f"{file.name}: the name {shorten(name)} has other than letters, digits, '.', '_' and '-'.")
    return found


def _model(name: str, given: dict[str, Any], file: Path) -> dict[str, Any]:
    """As load_model takes it: {"name": ..., "weights": ..., ...}."""
    _known(given, MODEL_KEYS, f"models.{name}", file)
    makers = [key for key in ("factory", "architecture") if key in given]
    if len(makers) != 1:
        raise BadValue(f"{file.name}: models.{name} needs a factory or an architecture, one of both.")
    found: dict[str, Any] = {key: given[key] for key in ("arguments", "output") if key in given}
    maker = str(given[makers[0]])
    module, _, what = maker.rpartition(":")
    if module.endswith(".py"):
        maker = f"{_path(module, file)}:{what}"
    for before in ("hf:", "timm:local-dir:"):  # what follows may have a drive's colon of its own
        if maker.startswith(before) and os.path.isdir(place := _path(maker.removeprefix(before), file)):
            maker = before + place
    found["name"] = maker
    if "weights" in given:
        found["weights"] = _path(str(given["weights"]), file)
    if "classes" in given:
        found["classes"] = _classes(given["classes"], name, file)
    preprocess = {key: given[key] for key in ("size", "resize", "mean", "std", "bands") if key in given}
    if preprocess:
        turned = {key: tuple(value) if isinstance(value, list) else value for key, value in preprocess.items()}
        found["preprocess"] = turned
    return found


def _images(name: str, given: dict[str, Any], file: Path) -> dict[str, Any]:
    """As load_images takes it: {"source": ..., "label": ..., ...}."""
    _known(given, IMAGES_KEYS, f"images.{name}", file)
    places = [key for key in ("folder", "table", "dataset") if key in given]
    if len(places) != 1:
        raise BadValue(f"{file.name}: images.{name} needs one of folder, table and dataset.")
    source = str(given[places[0]])
    columns: dict[str, Any] = {key: str(given[key]) for key in ("image", "label", "split") if key in given}
    module, _, what = source.rpartition(":")
    if places[0] == "dataset" and module.endswith(".py"):
        return {"factory": f"{_path(module, file)}:{what}", **columns}
    return {"source": source if places[0] == "dataset" else _path(source, file), **columns}


def _classes(given: Any, name: str, file: Path) -> Any:
    if isinstance(given, list):
        return given
    return class_file(_path(str(given), file), f"{file.name}: the classes of models.{name}")


def class_file(path: str, what: str) -> Any:
    """Names of classes: a JSON list or object, or one a line. Raises BadFile, which names what they are."""
    try:
        text = _text(Path(path))
        return json.loads(text) if path.endswith(".json") else [line for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{what} cannot be read: {error}.") from None


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES >> 20} MB")
    return content.decode("utf-8-sig").replace("\r\n", "\n")  # editors on Windows begin a file with a mark


def _known(given: Mapping[str, Any], keys: tuple[str, ...], where: str, file: Path) -> None:
    for key in given:
        if key not in keys:
            raise Unknown(f"key of {where} in {file.name}:", key, keys)


def _path(text: str, file: Path) -> str:
    return os.path.normpath(file.parent / os.path.expanduser(text))
