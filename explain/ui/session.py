"""What a visitor has chosen, and the caches. The only file that touches st.cache_*, session_state and the URL.

One selection is shared by all pages and lives in the URL, so that every view is a permalink. It is kept apart from the
widgets' own state, which Streamlit drops when a page without them is opened.
"""

import gc
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from explain import workspace
from explain.data import EXTENSIONS
from explain.errors import BadFile, ExplainError
from explain.figure import Figure, read_facts
from explain.images import MAX_BYTES
from explain.index import MANIFEST, Index
from explain.model import Model
from explain.store import sha256

DEFAULT_MODEL = "efficientnet-lite0"
# First and second picture by input channels; the lectures compare pullovers and coats.
DEMO_PICTURES = {1: ("fashion-mnist/1", "fashion-mnist/6"), 3: ("photos/chelsea.png", "photos/coffee.png")}
DEPENDENTS = {
    "model": (
        "layer",
        "channel",
        "target",
        "looked",
        "unit",
        "unit_channel",
        "beside",
        "picture",
        "picture2",
        "query",
        "point",
        "embed_layer",
    ),
    "picture": ("query", "covered"),
    "index": ("query", "point"),
    "layer": ("channel", "page"),
}
MOST_COLLECTED = 40
MODELS_KEPT, RESULTS_KEPT, INDEXES_KEPT = 4, 96, 4


@st.cache_resource(show_spinner=False)
def _frozen() -> bool:
    """Everything imported so far is out of the garbage collector's way: its full runs no longer walk through torch."""
    gc.collect()
    gc.freeze()
    return True


def start(page: str) -> None:
    """Take the selection from the URL where it speaks: at the first run, and after the browser's back button."""
    _frozen()
    state, given = st.session_state, st.query_params.to_dict()
    if "selection" not in state:
        state.selection = dict(given)
    elif state.pop("again", False):
        given = state.written
    elif given and given != state.written:
        # Back on one page, what its URL no longer has was not chosen yet; other pages' choices are not in it.
        gone = set(state.written) - set(given) if page == state.page else set()
        state.selection = {name: value for name, value in state.selection.items() if name not in gone} | given
    state.used, state.page, state.written = [], page, given


def again() -> NoReturn:
    """Run the page once more.

    Streamlit hands the URL of this run on to the next one. A fragment's may be older than what the page wrote last, so
    that it speaks of nothing that the visitor did.
    """
    st.session_state.again = True
    st.rerun()


def finish() -> None:
    """Write what this page depends on into the URL."""
    state = st.session_state
    wanted = {name: str(state.selection[name]) for name in state.used if state.selection.get(name) not in (None, "")}
    if state.written != wanted:
        st.query_params.from_dict(wanted)
    state.written = wanted


def stop() -> NoReturn:
    """End the page early, waiting for a job, say; what it depends on so far is in the URL."""
    finish()
    st.stop()


def get(name: str, default: Any = None) -> Any:
    """A part of the selection; this page's URL carries it from now on."""
    if name not in st.session_state.used:
        st.session_state.used.append(name)
    value = st.session_state.selection.get(name)
    return default if value in (None, "") else value


def flag(name: str) -> bool:
    """A switch of the selection; the URL speaks of it in words."""
    return str(get(name, "")).lower() in ("true", "1")


def choose(name: str, value: Any) -> None:
    """Set a part of the selection; what belongs to another model or layer is let go of."""
    selection = st.session_state.selection
    if selection.get(name) == value:
        return
    selection[name] = value
    for dependent in DEPENDENTS.get(name, ()):
        selection.pop(dependent, None)


def follow(name: str, value: Any) -> None:
    """Choose, and remember from where, so that `back` leads there; a choice made in another way ends the trail."""
    if not can_return(name):
        st.session_state[f"trail-{name}"] = []
    st.session_state[f"trail-{name}"].append((get(name), str(value)))
    choose(name, value)


def can_return(name: str) -> bool:
    trail = st.session_state.get(f"trail-{name}")
    return bool(trail) and trail[-1][1] == str(get(name))


def back(name: str) -> None:
    """Undo the last `follow`."""
    choose(name, st.session_state[f"trail-{name}"].pop()[0])


def controlled(widget: Callable[..., Any], label: str, name: str, value: Any, *args: Any, **options: Any) -> Any:
    """A widget that shows and sets one part of the selection, wherever else that part is set."""
    key = f"_{name}"
    st.session_state[key] = value

    def changed() -> None:
        choose(name, st.session_state[key])

    get(name)
    return widget(label, *args, key=key, on_change=changed, **options)


def controlled_list(
    widget: Callable[..., Any], label: str, name: str, values: list[str], *args: Any, **options: Any
) -> Any:
    """The same for a widget of several values, which the URL names with commas."""
    key = f"_{name}"
    st.session_state[key] = values

    def changed() -> None:
        choose(name, ",".join(st.session_state[key] or ()))

    get(name)
    return widget(label, *args, key=key, on_change=changed, **options)


def model(name: str | None = None) -> Model:
    """The selected model, or another by name; shared by all sessions."""
    name = name or get("model", DEFAULT_MODEL)
    folder = workspace.model_folder(name)
    return _loaded(name, folder and (folder / "model.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=MODELS_KEPT, show_spinner="Loading the network")
def _loaded(name: str, written: int | None) -> Model:
    if "/" in name or name.startswith("."):
        raise ExplainError("Models are chosen by name here; a file or folder is loaded by the command line or library.")
    loaded = workspace.load_model(name)
    _ = loaded.digest, loaded.layers  # once for everybody, not at the first click
    return loaded


def demo_picture(chosen: Model, name: str = "picture") -> str:
    return DEMO_PICTURES.get(chosen.preprocess.channels, DEMO_PICTURES[3])[name == "picture2"]


def demo_set(chosen: Model) -> str:
    """The shipped pictures that suit a model."""
    return "fashion-mnist" if chosen.preprocess.channels == 1 else "photos"


def index(chosen: Model, folder: Path) -> Index:
    """An opened index; shared by all sessions until it changes."""
    return _index(str(folder), (folder / MANIFEST).stat().st_mtime_ns, chosen)


@st.cache_resource(max_entries=INDEXES_KEPT, show_spinner="Opening the index")
def _index(folder: str, changed: int, _chosen: Model) -> Index:
    return Index(folder, _chosen)


def picture(name: str = "picture") -> Any:
    """The selected picture, upright."""
    return _opened(str(get(name, demo_picture(model(), name))))


@st.cache_resource(max_entries=64, show_spinner=False)
def _opened(reference: str) -> Any:
    if reference.partition("/")[0] not in ("upload", *workspace.list_images()):
        raise ExplainError(f"Unknown picture {reference!r}. Choose a shipped one such as 'photos/0', or upload a file.")
    return workspace.open_picture(reference)


def upload(label: str, types: list[str]) -> ExplainError | None:
    """A place to drop a picture, which becomes the selected one; returns why the last file was refused, once."""
    state = st.session_state
    # A new key after each file, so that the same one can be given again.
    key = f"upload{state.setdefault('turn', 0)}"
    st.file_uploader(label, types, key=key, on_change=_take_upload, max_upload_size=MAX_BYTES >> 20)
    return state.pop("refused", None)


def _take_upload() -> None:
    """Runs before the page does, so that the page runs once, with the new picture."""
    state = st.session_state
    file = state[f"upload{state.turn}"]
    if file is None:
        return
    state.turn += 1
    content = file.getvalue()
    try:
        if facts := _facts_in(content, file.name):
            state.dropped = facts
            return
        reference = workspace.keep_upload(content, file.name)
    except ExplainError as error:
        state.refused = error
    else:
        take_picture(reference, file.name)


def given(label: str, types: list[str], name: str, take: Callable[[Any], object]) -> ExplainError | None:
    """A place to drop another kind of file, which is handed on; returns why the last one was refused, once."""
    state = st.session_state
    key = f"{name}{state.setdefault(f'turn-{name}', 0)}"

    def changed() -> None:
        if state[key] is None:
            return
        state[f"turn-{name}"] += 1
        try:
            take(state[key])
        except ExplainError as error:
            state[f"refused-{name}"] = error

    st.file_uploader(label, types, key=key, on_change=changed)
    return state.pop(f"refused-{name}", None)


def _facts_in(content: bytes, name: str) -> dict[str, Any] | None:
    """The facts of a figure of ours; None for a picture. Raises BadFile for what cannot be a picture."""
    try:
        return read_facts(content)
    except ExplainError:
        if name.lower().endswith(EXTENSIONS) and not content.startswith(b"%PDF"):
            return None
        raise BadFile(f"There are no facts of explain in {name!r}; only figures saved here can be opened.") from None


def dropped() -> dict[str, Any] | None:
    """The facts of the figure uploaded last, once."""
    return st.session_state.pop("dropped", None)


def restore(page: str, selection: dict[str, Any], notes: list[str]) -> NoReturn:
    """Go to a page with this selection, and keep what is to be said there. What belongs together comes in its order:
    choosing a model lets go of the layer."""
    for name, value in selection.items():
        choose(name, value)
    st.session_state.restored = notes
    st.switch_page(page)


def restored() -> list[str] | None:
    """What is to be said of the figure that was opened, once; None where none was."""
    return st.session_state.pop("restored", None)


def take_picture(reference: str, name: str) -> None:
    """Choose a picture that has been kept as an upload, under the name of its file."""
    st.session_state.names = {**uploads(), reference: name}
    choose("picture", reference)


def uploads() -> dict[str, str]:
    """This visitor's uploads: reference -> the file's name."""
    return st.session_state.get("names", {})


@dataclass(eq=False)
class Collected:
    """A figure in the report that this visitor is making."""

    figure: Figure
    caption: str
    name: str
    number: int

    @cached_property
    def preview(self) -> bytes:
        """A small PNG, drawn once."""
        return self.figure.encode("png", width_mm=120, dpi=75)

    def describe(self, caption: str) -> None:
        self.caption = caption


def report() -> list[Collected]:
    """The figures collected so far, in their order."""
    return st.session_state.setdefault("report", [])


def collect(figure: Figure, caption: str, name: str) -> bool:
    """Add a figure to the report; False when that is full."""
    entries = report()
    if len(entries) >= MOST_COLLECTED:
        return False
    number = st.session_state["collected"] = st.session_state.get("collected", 0) + 1
    entries.append(Collected(figure, caption, name, number))
    return True


def move(number: int, by: int) -> None:
    """Move a figure of the report up (-1) or down (1)."""
    entries = report()
    at = next(k for k, entry in enumerate(entries) if entry.number == number)
    entries.insert(min(max(at + by, 0), len(entries)), entries.pop(at))


def remove(number: int) -> None:
    """Take a figure out of the report."""
    st.session_state.report = [entry for entry in report() if entry.number != number]


def report_title(title: str | None = None) -> str:
    """The report's title; a new one where it is given."""
    if title is not None:
        st.session_state.report_title = title
    return st.session_state.get("report_title", "What the network sees")


def answers(asked: str) -> list[Any]:
    """This visitor's answers to a study so far."""
    kept: list[Any] = st.session_state.setdefault("answers", {}).setdefault(asked, [])
    return kept


def shown_since(asked: str, number: int) -> float:
    """When this visitor was first shown a question of a study, by the monotonic clock."""
    since: float = st.session_state.setdefault("shown", {}).setdefault((asked, number), time.monotonic())
    return since


def visitor() -> str:
    """A name for this visit that says nothing of who it is."""
    name: str = st.session_state.setdefault("visitor", secrets.token_hex(6))
    return name


def edited(
    widget: Callable[..., str], label: str, name: str, text: str, keep: Callable[[str], object], **options: Any
) -> str:
    """A text that begins as it is; what is written is kept by a function, also when the page is left."""
    key = f"edited-{name}"
    st.session_state.setdefault(key, text)
    return widget(label, key=key, on_change=lambda: keep(st.session_state[key]), **options)


def cached(compute: Callable[..., Any], chosen: Model | Index, *args: Any, **options: Any) -> Any:
    """A view's result; computed once for each model or index, picture and choice of options."""
    key = repr((compute.__module__, compute.__qualname__, identity(chosen, *args, **options)))
    return _computed(key, lambda: compute(chosen, *args, **options))


def identity(*args: Any, **options: Any) -> str:
    """What arguments stand for: models, indexes and pictures by their content."""
    return repr([*map(_identity, args), *sorted(options.items())])


@st.cache_resource(max_entries=RESULTS_KEPT, show_spinner="Asking the network")
def _computed(key: str, _call: Callable[[], Any]) -> Any:
    return _call()


def _identity(value: Any) -> str:
    if isinstance(value, Model):
        return value.digest
    if isinstance(value, Index):
        return repr((str(value.folder), value.manifest.model_digest, value.manifest.shards))
    if hasattr(value, "tobytes"):  # a picture
        info = value.info.get("name"), value.info.get("covered")
        return sha256(repr((value.mode, value.size, info)).encode() + value.tobytes())
    return repr(value)
