"""From the facts of a figure to the page that showed it, with what was chosen there; and what of it is not here.

Facts come out of a file that anybody may have written: each parameter of the view reads and checks its own, as for
`redraw`; what cannot be read is said, and the rest is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from explain.errors import ExplainError, shorten
from explain.ui import dropped, selection, toasts
from explain.ui.caches import SessionOpener
from explain.ui.text import literal
from explain.views import VIEWS, View
from explain.views.facts import Facts
from explain.views.inputs import ModelInput, PictureInput
from explain.workspace.redraw import view_of


@dataclass(frozen=True)
class Restored:
    """Where to go, what to choose there in this order, and what could not be found."""

    page: str
    selection: dict[str, Any]
    notes: list[str]


def follow() -> None:
    """Go where the figure uploaded last came from, and say what was not found. Raises ExplainError for no view."""
    if facts := dropped.dropped():
        try:
            found = restored(facts)  # which takes a while: a run that another one overtakes has not followed them
        except Exception:  # not what ends a run early
            dropped.done()
            raise
        go(found, dropped.done)


def go(found: Restored, done: Callable[[], object] = lambda: None) -> NoReturn:
    """Choose all of it, call `done`, and show its page, which says what was not found."""

    def chosen() -> None:
        done()
        # What could not be chosen again makes it another figure, and it is said so.
        whole = "The view that the figure shows is open again."
        toasts.add(whole if not found.notes else "The page of the figure is open.", "restore_page")
        for note in found.notes:  # they stay until they are read
            toasts.add(literal(note), "warning", duration="infinite")

    selection.go(found.page, found.selection, chosen)


def restored(facts: Mapping[str, Any]) -> Restored:
    """The page and the selection of these facts. Raises ExplainError for facts of no view."""
    checked = Facts(facts)
    view = view_of(checked)
    if not view.page:
        shown = ", ".join(name for name, one in VIEWS.items() if one.page)
        raise ExplainError(f"The figure is of {shorten(view.name)}, which no page shows; there are pages for {shown}.")
    given, notes = _given(view, checked)
    style = {name: option.default for name, option in view.style.items()}
    try:
        style |= view.read_style(checked)
    except ExplainError as error:
        notes.append(str(error))
    unread = {view.key(name) for name in view.parameters if name not in given}  # stays as it is
    chosen = {key: text for key, text in view.keys(given, style).items() if key not in unread}
    if "/" in chosen.get("query", ""):  # of a set that we ship: chosen for all pages, as any picture is
        chosen |= {"picture": chosen["query"], "query": ""}
    order = [name for name in ("model", "index", "picture", "layer") if name in chosen]  # each lets go of what is its
    if "index" in given:
        chosen = {"model": given["index"].model.name, **chosen}
        order = ["model", *order]
    return Restored(view.page, {name: chosen[name] for name in (*order, *chosen)}, notes)


def _given(view: View, facts: Facts) -> tuple[dict[str, Any], list[str]]:
    """What can be read of the parameters, and why others cannot."""
    given: dict[str, Any] = {}
    notes: list[str] = []
    open = SessionOpener()
    for name, one in view.parameters.items():
        try:
            given[name] = view.read_one(name, facts, given, open)
        except ExplainError as error:
            notes.append(str(error))
            if isinstance(one.kind, ModelInput) and open.knows_model(named := str(facts.all.get("model"))):
                with suppress(ExplainError):
                    given[name] = open.model(named)  # with other weights, which has been said
        except KeyError:  # it is of a model or an index that could not be read, which has been said
            if isinstance(one.kind, PictureInput) and open.knows_picture(named := str(facts.all.get("image"))):
                with suppress(ExplainError):
                    given[name] = open.picture(named)
    return given, notes
