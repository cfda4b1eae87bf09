"""What is loaded or computed once for all visitors: models, indexes, pictures, results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

from explain import data, workspace
from explain.data import ImageSet, is_here, list_images
from explain.errors import ExplainError, Unknown
from explain.images import content
from explain.index import MANIFEST, Index
from explain.network.model import Model
from explain.network.sources import is_public
from explain.progress import wanted
from explain.project import project
from explain.shipped import shipped_models
from explain.store import sha256
from explain.ui.selection import get, is_by_address
from explain.ui.shelf import Shelf
from explain.views import View
from explain.views.facts import Facts
from explain.workspace.opener import Opener, find_index, is_model_name
from explain.workspace.pictures import open_named
from explain.workspace.runs import images_of

DEFAULT_MODEL = "efficientnet-lite0"
# First and second picture by input channels; the lectures compare pullovers and coats.
DEMO_PICTURES = {1: ("fashion-mnist/1", "fashion-mnist/6"), 3: ("photos/chelsea.png", "photos/coffee.png")}
SETS_KEPT = 4


def _forget(model: Model) -> None:
    """What was made of a model goes with it, and does not hold it."""
    for shelf in (_indexes, _results):
        shelf.drop(lambda key: model.digest in key)


def _forget_index(index: Index) -> None:
    _results.drop(lambda key: str(index.folder) in key)


# Shares of the memory that is free when the server begins; each visitor may ask for other networks and pictures. What
# takes a moment to make again has a fixed bound as well, however much is free: a server is to be as large as it gets
# within minutes, and not to grow for hours.
_MOST = 256 << 20
_models = Shelf(share=0.25, size=lambda model: model.nbytes, gone=_forget)
_indexes = Shelf(share=0.05, size=lambda index: index.nbytes, gone=_forget_index)
_pictures, _results = Shelf(_MOST, share=0.05), Shelf(_MOST, share=0.1)


def model(name: str | None = None) -> Model:
    """The selected model, or another by name; shared by all sessions."""
    name = name or get("model", default_model())
    folder = workspace.model_folder(name)
    written = (str(folder), (folder / "model.json").stat().st_mtime_ns) if folder else project().written(name)
    key = repr((name, written))
    if is_public(name) and key not in _models and is_by_address():
        raise Unasked(f"{name} is not loaded here yet, and a link alone does not load it.")
    found: Model = _made(_models, key, lambda: _loaded(name), "Loading the network")
    return found


def _loaded(name: str) -> Model:
    if not is_model_name(name):  # names come from URLs: no file, folder or code of a user's own is one
        if "/" in name or name.startswith(".") or ".py" in name:
            raise ExplainError(
                "Models are chosen by name here; a file, folder or factory is loaded by the command line or library."
            )
        raise Unknown("model", name, workspace.list_models(), "Or torchvision:NAME, timm:NAME.")
    loaded = workspace.load_model(name, code=False)
    _ = loaded.digest, loaded.layers  # once for everybody, not at the first click
    _indexes.drop(lambda key: loaded.digest in key)  # those opened with it before hold another copy
    return loaded


def default_model() -> str:
    """The first of explain.toml, else one that is shipped."""
    return next(iter(project().models), DEFAULT_MODEL)


@st.cache_resource(max_entries=SETS_KEPT, show_spinner=False)
def _named_images(name: str, changed: int) -> ImageSet:
    return data.named_images(name)


def named_images(name: str) -> ImageSet:
    """A set of explain.toml, read again when that file changes."""
    found = project()
    return _named_images(name, hash(repr(found.images)))


def demo_picture(chosen: Model, name: str = "picture") -> str:
    """The first and the second picture of explain.toml for a user's own models, else a shipped one that suits."""
    if is_own(chosen) and project().images:
        return f"{next(iter(project().images))}/{int(name == 'picture2')}"
    return DEMO_PICTURES.get(chosen.preprocess.channels, DEMO_PICTURES[3])[name == "picture2"]


def is_own(chosen: Model) -> bool:
    """Whether a model is none of those that are shipped with pictures that suit them."""
    return chosen.name not in shipped_models()


def demo_set(chosen: Model) -> str:
    """The set that is looked through until another is chosen."""
    return demo_sets(chosen)[0]


def demo_sets(chosen: Model) -> list[str]:
    """The first pictures of explain.toml for a user's own models, else those that are here and suit, the best first."""
    if is_own(chosen) and project().images:
        return [next(iter(project().images))]
    if chosen.preprocess.channels == 1:
        return ["fashion-mnist"]
    return [*(["stamps"] if is_here("stamps") else []), "photos"]  # hundreds of pictures rather than nineteen


def index(chosen: Model, folder: Path) -> Index:
    """An opened index; shared by all sessions until it changes."""
    key = repr((str(folder), (folder / MANIFEST).stat().st_mtime_ns, chosen.digest))
    found: Index = _made(_indexes, key, lambda: Index(folder, chosen), "Opening the index")
    return found


def picture(name: str = "picture") -> Any:
    """The selected picture, upright."""
    return _opened(str(get(name, demo_picture(model(), name))), str(workspace.own()))


def _opened(reference: str, whose: str) -> Any:
    return _pictures.get(repr((reference, whose)), lambda: _open(reference))


def _open(reference: str) -> Any:
    if reference.partition("/")[0] not in ("upload", *list_images()):
        raise ExplainError(f"Unknown picture {reference!r}. Choose a shipped one such as 'photos/0', or upload a file.")
    return open_named(reference)


def cached(compute: Callable[..., Any], chosen: Model | Index, *args: Any, **options: Any) -> Any:
    """A view's result; computed once for each model or index, picture and choice of options."""
    key = repr((compute.__module__, compute.__qualname__, identity(chosen, *args, **options)))
    return _computed(key, lambda: compute(chosen, *args, **options))


def computed(view: View, given: Mapping[str, Any]) -> Any:
    """A view's result; computed once for what is given, models, indexes and pictures by their content."""
    key = f"{view.name} {identity(**view.flat(given))}"
    return _computed(key, lambda: view(**view.flat(given), **SessionOpener().handed(view)))


class Unasked(ExplainError):
    """What takes longer than a page may, and only a link asks for."""


class SessionOpener(Opener):
    """Opens what all visitors share."""

    def model(self, name: str) -> Model:
        return model(name)

    def picture(self, name: str) -> Any:
        return _opened(name, str(workspace.own()))

    def images(self, name: str) -> ImageSet:
        """Those of a name that this machine has, or an unpacked ZIP: no folder is opened by an address."""
        if name.startswith("zip/") or (name in list_images() and is_here(name)):
            return images_of(name)
        raise Unknown("set of pictures", name, [one for one in list_images() if is_here(one)])

    def run(self, name: str) -> Any:
        if not self.knows_run(name):
            raise Unknown("training", name, workspace.list_runs())
        return super().run(name)

    def index(self, name: str) -> Index:
        """One of those that this visitor is offered: no folder is opened by an address."""
        found = {folder.name: folder for folder in workspace.list_indexes(model()).values()}
        if name in found:
            return index(model(), found[name])
        for folder, manifest in workspace.complete_indexes():  # of another network, or of an earlier state of this
            if folder.name == name and is_model_name(manifest.model):
                return index(model(manifest.model), folder)
        raise Unknown("index", name, found)

    def find_index(self, facts: Facts, model: Model) -> Index:
        return index(model, find_index(facts, model)[1])


def identity(*args: Any, **options: Any) -> str:
    """What arguments stand for: models, indexes and pictures by their content."""
    return repr([*map(_identity, args), *((name, _identity(value)) for name, value in sorted(options.items()))])


def _computed(key: str, call: Callable[[], Any]) -> Any:
    return _made(_results, key, call, "Asking the network")


def _made(shelf: Shelf, key: str, make: Callable[[], Any], words: str) -> Any:
    """What lies on a shelf. While it is made, for whomever, the page says so, and how many others wait as well; a
    visitor who leaves or asks for something else meanwhile waits for it no longer."""
    if key in shelf:
        return shelf.get(key, make)
    with _waiting, st.spinner(f"{words}{_waiting}"), wanted(_look_up):
        return shelf.get(key, make)


class _Waiting:
    """How many pages wait for something."""

    def __init__(self) -> None:
        self._lock, self._count = Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1

    def __str__(self) -> str:
        others = self._count - 1
        return f", while {others} other page{'s wait' if others > 1 else ' waits'}" if others else ""


_waiting = _Waiting()


def _look_up() -> None:
    """Streamlit ends a run that nobody waits for at the next look into the session."""
    _ = "selection" in st.session_state


def _identity(value: Any) -> str:
    if isinstance(value, Model):
        return repr((value.digest, value.name))  # two visitors may have the same one, and call it theirs
    if isinstance(value, Index):
        return repr((str(value.folder), value.manifest.model_digest, value.manifest.shards))
    if isinstance(value, list | tuple):
        return repr([_identity(one) for one in value])
    if isinstance(value, ImageSet):
        return repr((value.digest, value.name))
    if hasattr(value, "tobytes"):  # a picture
        info = value.info.get("name"), value.info.get("covered")
        return sha256(repr(info).encode() + content(value))
    return repr(value)
