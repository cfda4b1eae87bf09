"""Opener: what views are asked about, by name; each is loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..data import EXTENSIONS, ImageSet, is_set, list_images, load_images
from ..errors import BadFile, BadValue, ExplainError, shorten
from ..images import decode
from ..index import MANIFEST, Index, read_manifest
from ..network.model import Model
from ..network.sources import is_public
from ..project import project
from ..training.history import run_of
from ..views import View
from ..views.facts import Facts
from ..views.inputs import other_index
from . import picture_sets
from .indexes import list_indexes, open_index
from .kept import Kept
from .model_names import list_models, list_runs
from .models import load_model, model_folder, open_run
from .pictures import open_picture

MOST_BESIDE, MOST_LOOKED = 200, 200_000  # pictures of a folder that are opened, and files whose names are looked at

__all__ = ["Opener", "find_index", "is_model_name", "is_reference"]


class Opener:
    """What is given first, else what a name leads to. Raises ExplainError.

    model: a Model or its name; index: an Index or its folder; image: a picture, its path, or several; pictures of a
    folder are a set. beside: the folder of a figure, in which is looked for what the figure was made of.
    how: the model that is named is loaded, as `load_model` takes it.
    """

    def __init__(
        self,
        model: Any = None,
        index: Any = None,
        image: Any = None,
        beside: str | Path | None = None,
        **how: Any,
    ) -> None:
        self._how = how
        self.beside = None if beside is None else Path(beside)
        self._models: dict[str, Model] = {}
        self._indexes: dict[Path, Index] = {}
        self.given_index: Index | None = open_index(index) if isinstance(index, str | Path) else index
        self.given_model: Model | None = self.model(str(model)) if isinstance(model, str | Path) else model
        many = image if isinstance(image, list | tuple) else [] if image is None else [image]
        self.given_images: Sequence[Any] = [_opened(o) if isinstance(o, str | Path) else o for o in many]

    def model(self, name: str) -> Model:
        """The first one named takes weights and architecture; others are what their names say."""
        if name not in self._models:
            how = self._how if not self._models else {name: self._how[name] for name in self._how if name == "device"}
            self._models[name] = load_model(name, **how)
        return self._models[name]

    def index(self, name: str) -> Index:
        return open_index(name, self.given_model)

    def picture(self, name: str) -> Any:
        return open_picture(name)

    def images(self, name: str) -> ImageSet:
        return load_images(name)

    def knows_images(self, name: str) -> bool:
        return name in list_images()

    def run(self, name: str) -> Any:
        """A training of the workspace, a folder, or a model's history."""
        given = self.given_model
        return run_of(given) if given is not None and given.name == name else open_run(name)

    def knows_run(self, name: str) -> bool:
        given = [self.given_model.name] if self.given_model is not None else []
        return name in (*given, *list_runs(), *list_models())

    def knows_model(self, name: str) -> bool:
        return is_model_name(name)

    def knows_picture(self, name: str) -> bool:
        return is_reference(name)

    def find_index(self, facts: Facts, model: Model) -> Index:
        folder = find_index(facts, model, self._indexes_beside())[1]
        if folder not in self._indexes:
            self._indexes[folder] = Index(folder, model)
        return self._indexes[folder]

    def pictures_beside(self, name: str) -> Iterator[Any]:
        """Pictures that may be the one that a figure was made of: files that are called so, in the figure's folder, in
        this one, in those below, and in what explain.toml names; then others in the figure's folder."""
        if self.beside is None:
            return
        near = sorted(path for path in self.beside.iterdir() if path.suffix.lower() in EXTENSIONS)[:MOST_BESIDE]
        for path in dict.fromkeys([*self._called(name), *near]):
            with suppress(BadFile, BadValue):
                yield decode(path)

    def _called(self, name: str) -> Iterator[Path]:
        """Files of this name, of the first many that are looked at."""
        if self.beside is None or not name:
            return
        roots = {root.resolve(): root for root in (self.beside, Path())}.values()
        below = (pair for root in roots for pair in _files_below(root))
        sets = (load_images(one) for one in project().images)
        named = (os.path.split(file) for one in sets if one.are_files for file in one.files)
        with suppress(ExplainError):  # a set that is not there
            for folder, file in islice(chain(below, named), MOST_LOOKED):
                if file == name:
                    yield Path(folder, file)

    def images_beside(self, name: str) -> ImageSet | None:
        """The folder or table of pictures in the figure's folder that is called so."""
        if self.beside is None or Path(name).name != name:
            return None
        with suppress(ExplainError):
            return load_images(self.beside / name)
        return None

    def _indexes_beside(self) -> Iterator[Path]:
        if self.beside is not None:
            yield from sorted(path.parent for path in self.beside.glob(f"*/{MANIFEST}"))

    def handed(self, view: View) -> dict[str, Any]:
        """What the view's compute is handed besides its parameters."""
        return {"kept": Kept()} if view.takes("kept") else {}


def _files_below(root: Path) -> Iterator[tuple[str, str]]:
    """Folder and name of each file, but for what is hidden and what is Python's own."""
    for folder, folders, files in os.walk(root):
        is_python = "pyvenv.cfg" in files
        folders[:] = [] if is_python else [one for one in folders if not one.startswith(".")]
        yield from ((folder, one) for one in files if not is_python)


def is_model_name(name: str) -> bool:
    """Whether a model is known by this name alone: nothing that facts say is taken for a path."""
    return name in list_models() or model_folder(name) is not None or is_public(name)


def is_reference(name: str) -> bool:
    """Whether a picture is kept by this name: of a set by name, or an upload."""
    family, _, key = name.partition("/")
    return bool(key) and family in ("upload", *list_images(), *picture_sets.named())


def _opened(text: str | Path) -> Any:
    return load_images(text) if is_set(str(text)) else open_picture(str(text))


def find_index(facts: Facts, model: Model, beside: Iterable[Path] = ()) -> tuple[str, Path]:
    """The index that the facts are of, of the workspace or `beside`: its name among `list_indexes(model)`, and its
    folder.

    Raises BadFile with the command that builds it, BadValue where it is over other pictures now.
    """
    data, problems = facts.text("data"), []
    for name, folder in [*list_indexes(model).items(), *((folder.name, folder) for folder in beside)]:
        try:
            known = read_manifest(folder)
        except ExplainError:  # removed, or being written
            continue
        if known.data == data:
            problem = other_index(facts, known, sum(shard.images for shard in known.shards))
            if not problem:
                return name, folder
            problems.append(problem)
    if problems:
        raise BadValue(f"{problems[0]} Build one like it: {_command(facts, model)}")
    raise BadFile(
        f"There is no index of {model.name!r} over {shorten(data)} in the workspace; build it: {_command(facts, model)}"
    )


def _command(facts: Facts, model: Model) -> str:
    """The command line of an index like the one that the facts are of."""
    data, options = facts.text("data"), facts.part("index")
    parts = ["python -m explain index", model.name, data if data in list_images() else "FOLDER"]
    if facts.has("images"):
        parts += ["--limit", str(facts.number("images"))]
    for name, flag, usual in (("k", "-k", 16), ("seed", "--seed", 0)):
        if options.has(name) and options.number(name) != usual:
            parts += [flag, str(options.number(name))]
    if options.has("layers"):
        parts += ["--layers", *options.texts("layers")[:50]]
    return " ".join(parts)
