"""Widgets for what a view asks: each parameter of its compute and each option of its render, by its name in the URL.

view = VIEWS["hierarchy"]
given, style = {"index": index, "image": picture}, {}
more(view, given, style)  # widgets for the rest
show(view, given, style, caches.computed(view, given).figure(**style))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import streamlit as st

from explain.columns import PICTURES, RIGHT, condition_of, condition_said
from explain.errors import ExplainError
from explain.figure import Figure
from explain.index import Index
from explain.options import Option, Range
from explain.ui import exports, selection, widgets
from explain.ui.caches import SessionOpener
from explain.ui.text import literal
from explain.views import View
from explain.views.inputs import EntryOptions, Input, Plain
from explain.workspace import tags

__all__ = ["among", "chosen", "entry_options", "more", "option", "show", "typed"]


def option(
    view: View,
    name: str,
    label: str | None = None,
    said: Callable[[Any], str] = str,
    more: Iterable[str] = (),
    most: int | None = None,
) -> Any:
    """A widget for an option of render, or for a parameter that is one; `more` are the choices that show only here,
    `most` is how much can be asked for of what is here."""
    label, spec = label or name.replace("_", " ").capitalize(), _option(view, name)
    if most is not None and isinstance(spec.bounds, Range):
        spec = replace(spec, bounds=replace(spec.bounds, high=min(most, spec.bounds.high)))
    return widgets.option(spec, view.key(name), label, said, more)


def chosen(view: View, name: str) -> Any:
    """The value of an option whose widget stands elsewhere on the page."""
    return widgets.chosen(_option(view, name), view.key(name))


def among(view: View, index: Index, judging: bool = False) -> str:
    """Which pictures of an index are meant, by a condition; empty for all. What is judging takes right and wrong."""
    words, offered = {"": "all pictures"}, [one for one in index.slices if not (judging and index.judges(one))]
    if index.judges(f"{RIGHT}=False"):
        words |= {f"{RIGHT}=False": "mistakes only", f"{RIGHT}=True": "those it gets right"}
    tagged = {condition_of(numbers): f"tag: {name}" for name, numbers in tags.tags_of(index).items()}
    tagged = {one: name for one, name in tagged.items() if len(one) <= tags.LONGEST}
    own = str(selection.get(view.key("where"), ""))
    if own.startswith(f"{PICTURES}=") and _holds(index, own):
        words[own] = condition_said(own)
        offered = [own, *offered]
    words |= tagged
    return str(option(view, "where", "Among", lambda one: words.get(one, one), dict.fromkeys([*tagged, *offered])))


def typed(view: View, name: str, given: dict[str, Any], label: str | None = None) -> Any:
    """A field for a parameter of another kind; what cannot be is said under it, and the default goes on."""
    one, key = view.parameters[name], view.key(name)
    text, default = str(selection.get(key, "")), None if one.required else one.default
    label = label or name.replace("_", " ").capitalize()
    selection.controlled(st.text_input, label, key, text, help=one.kind.help or None, placeholder="by default")
    if not text:
        return default
    try:
        return one.kind.parse(text, given, SessionOpener())
    except ExplainError as error:
        st.caption(f":red[{literal(str(error))}]")
        return default


def entry_options(view: View, given: dict[str, Any]) -> dict[str, Any]:
    """Widgets for the options of the chosen method or methods, in a row; their values."""
    (kind,) = (one.kind for one in view.parameters.values() if isinstance(one.kind, EntryOptions))
    options, entry, chosen = kind.options(given), given[kind.of], {}
    for cell, (name, spec) in widgets.in_rows(f"options-{view.name}-{entry}", list(options.items())):
        with cell:
            key = view.key(f"{entry}.{name}" if isinstance(entry, str) else name)
            label = name.replace("_", " ").replace(".", ": ").capitalize().replace("Pca", "PCA")
            chosen[name] = widgets.option(spec, key, label)
    return chosen


def more(
    view: View, given: dict[str, Any], style: dict[str, Any], without: Iterable[str] = (), label: str = "More options"
) -> None:
    """Widgets for all that has not been chosen yet, so that every figure can be made here; adds their values."""
    names = [name for name, one in view.parameters.items() if name not in given and _asked(one.kind)]
    drawn = [name for name in view.style if name not in style and name not in without]
    names = [name for name in names if name not in without]
    of_entry = any(isinstance(one.kind, EntryOptions) for one in view.parameters.values()) and "options" not in given
    if not names and not drawn:
        return
    with st.expander(label, icon=":material/tune:"):
        for cell, name in widgets.in_rows(f"more-{view.name}", [*names, *drawn]):
            with cell:
                if name in drawn:
                    style[name] = option(view, name)
                elif isinstance(view.parameters[name].kind, Plain):
                    given[name] = option(view, name)
                else:
                    given[name] = typed(view, name, given)
        if of_entry and "options" not in without:
            given["options"] = entry_options(view, given)


def show(
    view: View,
    given: dict[str, Any],
    style: dict[str, Any],
    figure: Figure,
    label: str = "Export and reproduce",
    name: str = "",
    apart: bool = False,
) -> None:
    """The figure's place in the report, its file, facts and lines; a name tells two figures of a view apart, which are
    beside each other where it is said so."""
    exports.show(view, given, style, figure, label, name or view.name, apart)


def _holds(index: Index, condition: str) -> bool:
    try:
        return bool(index.rows_where(condition))
    except ExplainError:
        return False


def _asked(kind: Input) -> bool:
    return not kind.hidden and not isinstance(kind, EntryOptions)


def _option(view: View, name: str) -> Option:
    if name in view.style:
        return view.style[name]
    kind = view.parameters[name].kind
    assert isinstance(kind, Plain)
    return kind.option
