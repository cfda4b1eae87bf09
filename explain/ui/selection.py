"""What a visitor has chosen, in the session and in the URL.

One selection is shared by all pages and lives in the URL, so that every view is a permalink. It is kept apart from the
widgets' own state, which Streamlit drops when a page without them is opened.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NoReturn

import streamlit as st

from explain.errors import shorten
from explain.paper import PAPER, TEXTS
from explain.ui import toasts, visit
from explain.ui.navigation import script
from explain.ui.text import literal
from explain.views import VIEWS

# What is let go of with another model, picture, index, layer or channel, beside the parameters of views that are of it.
DEPENDENTS = {
    "model": ("picture", "point", "filters.page", "activations.channel"),
    "picture": ("covered",),
    "index": ("point",),
    "layer": ("page", "filters.page", "activations.channel"),
    "channel": ("page", "patch"),
    "page": ("patches.channels",),
}


@cache
def dependents(name: str) -> tuple[str, ...]:
    """What is let go of where this part of the selection changes."""
    views = ((view.key(each), one) for view in VIEWS.values() for each, one in view.parameters.items())
    return (*DEPENDENTS.get(name, ()), *(key for key, one in views if key != name in one.kind.follows))


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
        state.selection, state.by_address = dict(given), True
    elif state.pop("again", False):
        given = state.written
    elif given and given != state.written:
        # Back on one page, what its URL no longer has was not chosen yet; other pages' choices are not in it.
        state.by_address = True
        gone = set(state.written) - set(given) if page == state.page else set()
        state.selection = {name: value for name, value in state.selection.items() if name not in gone} | given
    else:
        state.by_address = False
    state.used, state.page, state.written = [], page, given


def is_by_address() -> bool:
    """Whether the page is what its address says, and its visitor has done nothing on it yet."""
    return bool(st.session_state.get("by_address", False))


def again() -> NoReturn:
    """Run the page once more.

    Streamlit hands the URL of this run on to the next one. A fragment's may be older than what the page wrote last, so
    that it speaks of nothing that the visitor did.
    """
    st.session_state.again = True
    st.rerun()


def finish() -> None:
    """Write what this page depends on into the URL, and let go of what the pages before it showed."""
    toasts.show()
    visit.leave()
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


def number(name: str, default: int, low: int, high: int) -> int:
    """A whole number of the selection; what is none, or beyond the limits, is the default or the limit."""
    text = str(get(name, default))
    whole = text.removeprefix("-").isdecimal() and len(text) < 16
    found = min(max(int(text), low), high) if whole else default
    if text != str(default) and text != str(found):
        say_unknown(name, text)
    return found


def say_unknown(name: str, value: Any) -> None:
    """A link that asks for what is not here is told so: the page shows something else."""
    if is_by_address():
        asked = literal(f"{name}={shorten(value)}")
        toasts.add(f"The link asks for {asked}, which is not here: the page shows another.", "link_off")


def choose(name: str, value: Any) -> None:
    """Set a part of the selection; what belongs to another model or layer is let go of."""
    selection = st.session_state.selection
    if selection.get(name) == value:
        return
    selection[name] = value
    gone = dependents(name)
    if name.rpartition(".")[2] not in PAPER:  # words of one's own are of the figure that they were written for
        gone = (*gone, *(key for key in selection if key.rpartition(".")[2] in TEXTS))
    for dependent in gone:
        selection.pop(dependent, None)


def follow(name: str, value: Any) -> None:
    """Choose, and remember from where, so that `back` leads there; a choice made in another way ends the trail."""
    if not can_return(name):
        st.session_state[f"trail-{name}"] = []
    st.session_state[f"trail-{name}"].append((get(name), str(value)))
    choose(name, value)


def can_return(name: str) -> bool:
    trail: list[tuple[str, str]] = st.session_state.get(f"trail-{name}", [])
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


def go(page: str, chosen: Mapping[str, Any], done: Callable[[], object] = lambda: None) -> NoReturn:
    """Go to a page with these choices, as a visitor's own: no address that somebody may have handed out. `done` is
    called when all is chosen. What belongs together comes in its order: choosing a model lets go of the layer."""
    for name, value in chosen.items():
        choose(name, value)
    done()
    st.switch_page(script(page))


def edited(
    widget: Callable[..., str], label: str, name: str, text: str, keep: Callable[[str], object], **options: Any
) -> str:
    """A text that begins as it is; what is written is kept by a function, also when the page is left."""
    key = f"edited-{name}"
    st.session_state.setdefault(key, text)
    return widget(label, key=key, on_change=lambda: keep(st.session_state[key]), **options)
