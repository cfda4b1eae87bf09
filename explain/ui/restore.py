"""From the facts of a figure to the page that showed it, with what was chosen there; and what of it is not here.

Facts come out of a file that anybody may have written: only the keys of PLACES are read, values are cut, models are
taken by name alone, and each page checks its selection as if it came in a URL. A new view is one line in PLACES.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from explain import workspace
from explain.data import list_images
from explain.errors import ExplainError, shorten
from explain.ui import caches, selection, uploads
from explain.ui.text import literal
from explain.workspace.redraw import Facts, find_index, is_model_name, is_reference

LONGEST = 200
ROOT = Path(__file__).parents[2]
OF_A_MODEL = ("layer", "channel", "target", "index", "query")  # they say nothing of another

Key = str | Callable[[Mapping[str, Any]], Any]  # where in the facts a value stands, or how it is made of them


@dataclass(frozen=True)
class Place:
    """The page of a view, what its selection is by the facts, and what it calls an option of the facts' method."""

    page: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    options: str = ""


def _first_channel(facts: Mapping[str, Any]) -> Any:
    channels = facts.get("channels")
    return channels[0] if isinstance(channels, list) and channels else None


def _asked(facts: Mapping[str, Any]) -> Any:
    """The number of a picture in an index of the user's own; of a set that we ship it is a picture like others."""
    return None if facts.get("data") in list_images() else facts.get("number")


def _cells(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The facts of each map of a grid, where they differ from the first's."""
    rows = facts.get("grid")
    rows = rows if isinstance(rows, list) else []
    return [cell for row in rows[:100] if isinstance(row, list) for cell in row[:100] if isinstance(cell, Mapping)]


def _methods(facts: Mapping[str, Any]) -> str:
    """The methods of a map or of a grid, with commas, as the page's URL has them."""
    names = [_text(facts.get("method")), *(_text(cell.get("method")) for cell in _cells(facts))]
    return ",".join(dict.fromkeys(name for name in names if name))


def _kind(facts: Mapping[str, Any]) -> str:
    """What is asked about: a channel, the true class and the predicted one, the likeliest, or one class."""
    if facts.get("unit"):
        return "channel"
    own = [cell for cell in _cells(facts) if not {"model", "image"} & cell.keys()]
    classes = {_text(cell["target"]) for cell in own if "target" in cell}
    return "five" if len(classes) > 1 else "mistake" if classes else ""


def _target(facts: Mapping[str, Any]) -> Any:
    """The class; none where another picture or model has another one: then each has its predicted one."""
    beside = [cell for cell in _cells(facts) if {"model", "image"} & cell.keys()]
    return "" if facts.get("unit") or any("target" in cell for cell in beside) else facts.get("target")


def _compared(facts: Mapping[str, Any]) -> str:
    """What stands beside each map of a grid: the maps of another model or of another picture."""
    kinds = (("model", "model"), ("image", "picture"))
    return next((kind for name, kind in kinds if any(name in cell for cell in _cells(facts))), "")


def _of_second(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda facts: next((cell[name] for cell in _cells(facts) if name in cell), "")


def _runs(which: int) -> Callable[[Mapping[str, Any]], str]:
    """The name of the first run, or of all others with commas."""

    def names(facts: Mapping[str, Any]) -> str:
        runs = facts.get("runs")
        runs = (
            [_text(run.get("name")) for run in runs[:20] if isinstance(run, Mapping)] if isinstance(runs, list) else []
        )
        return ",".join(runs[1:] if which else runs[:1])

    return names


_PICTURE = {"picture": "image"}
_LAYER = {"layer": "layer", "channel": "channel"}
_PATCHES: dict[str, Key] = {"index": "data", "layer": "layer", "hierarchy": lambda _: ""}
_MAP: dict[str, Key] = {
    **_PICTURE,
    "method": _methods,
    "target": _target,
    "unit": "unit",
    "unit_channel": lambda facts: facts.get("target_index") if facts.get("unit") else "",
    "asked": _kind,
    "looked": "layer",
    "compared": _compared,
    "beside": _of_second("model"),
    "picture2": _of_second("image"),
}
PLACES: dict[str, Place] = {
    "anatomy": Place("anatomy", {"section": "style.part"}),
    "compare": Place("anatomy", {"section": lambda _: "networks", "second": "second.model"}),
    "output_size": Place("anatomy", {"section": lambda _: "calculator"}, options="calc_{option}"),
    "lectures": Place("anatomy", {"section": lambda _: "lectures", "table": "table"}),
    "augmentations": Place("train"),
    "training_curves": Place(
        "train", {"trainings": lambda _: "runs", "run": _runs(0), "others": _runs(1), "watch": "style.part"}
    ),
    "confusion": Place("train", {"trainings": lambda _: "runs", "run": "model", "errors": "style.part"}),
    "filters": Place(
        "filters",
        {
            "layer": "layer",
            "channel": "channel",
            "page": "style.page",
            "beside": "second.model",
            **{f"filter_{name}": f"style.{name}" for name in ("scale", "polarity", "sort")},
        },
    ),
    "activations": Place(
        "activations",
        {
            **_PICTURE,
            **_LAYER,
            "picture2": "second.image",
            "two": lambda facts: "second" in facts or "",
            **{"map_sort": "style.sort", "map_scale": "style.scale", "opacity": "style.opacity"},
            "smooth": "style.smooth",
        },
    ),
    "saliency": Place(
        "saliency",
        {**_MAP, **{name: f"style.{name}" for name in ("mode", "opacity", "clip", "colours")}, "shared": "style.scale"},
        options="{method}_{option}",
    ),
    "trust": Place("saliency", _MAP, options="{method}_{option}"),
    "unit": Place("activations", {**_PICTURE, **_LAYER, "unit_method": "method", "two": lambda _: ""}),
    "patches": Place(
        "patches", {**_PATCHES, "channel": _first_channel, "ranking": "ranking", "whole": "style.whole", "patch": ""}
    ),
    "channel_health": Place("patches", {**_PATCHES, "channel": ""}),
    "channel": Place("patches", {**_PATCHES, **_PICTURE, "channel": "channel", "patch": "", "page": ""}),
    "hierarchy": Place("patches", {**_PATCHES, **_PICTURE, "hierarchy": lambda _: True, "layer": ""}),
    "neighbours": Place(
        "neighbours", {"index": "data", **_PICTURE, "query": _asked, "neighbours": "k", "metric": "metric"}
    ),
    "embedding": Place(
        "embedding",
        {
            "index": "data",
            "projection": "method",
            "embed_layer": "layer",
            "pooling": "pooling",
            "colour": "style.colour",
        },
        options="{method}_{option}",
    ),
}


@dataclass(frozen=True)
class Restored:
    """Where to go, what to choose there in this order, and what could not be found."""

    page: str
    selection: dict[str, Any]
    notes: list[str]


def follow() -> None:
    """Go where the figure uploaded last came from; then say what was not found. Raises ExplainError for no view."""
    if facts := uploads.dropped():
        found = restored(facts)
        selection.restore(found.page, found.selection, found.notes)
    notes = selection.restored()
    if notes is not None:
        st.toast("The view that the figure shows is open again.", icon=":material/restore_page:")
        for note in notes:  # they stay until they are read
            st.toast(literal(note), icon=":material/warning:", duration="infinite")


def restored(facts: Mapping[str, Any]) -> Restored:
    """The page and the selection of these facts. Raises ExplainError for facts of no view."""
    place = PLACES.get(Facts(facts).text("view"))
    page = f"explain/ui/pages/{place.page}.py" if place else ""
    if place is None or not (ROOT / page).is_file():
        raise ExplainError(
            f"The figure is of {shorten(facts['view'])}, which no page shows; there are pages for {', '.join(PLACES)}."
        )
    chosen = {name: _value(facts, key) for name, key in place.keys.items()}
    for name in facts.get("options") or () if place.options and isinstance(facts.get("options"), Mapping) else ():
        key = place.options.format(method=_text(facts.get("method")), option=_text(name))
        chosen[key] = _text(facts["options"][name])
    notes: list[str] = []
    model = _model(facts, notes) if "model" in facts else None  # some views have none
    if model is None:
        chosen = {name: value for name, value in chosen.items() if name not in OF_A_MODEL}
    for name in ("picture", "picture2"):
        if name in chosen:
            chosen[name] = _picture(facts, chosen[name], notes) if chosen[name] or name == "picture" else ""
            if not chosen[name] and name == "picture":
                del chosen[name]  # the one that is chosen now stays
    if "index" in chosen:
        chosen["index"] = _index(facts, model, notes)
    first = {} if model is None else {"model": model.name}
    order = [name for name in ("index", "picture", "picture2", "layer") if name in chosen]
    return Restored(page, first | {name: chosen[name] for name in (*order, *chosen)}, notes)


def _value(facts: Mapping[str, Any], key: Key) -> str:
    """As text, as in a URL; empty for what is not there."""
    if callable(key):
        return _text(key(facts))
    found: Any = facts
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return _text(found)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float) and abs(value) < 2**53 and math.isfinite(value):
        return str(value)
    return ""


def _model(facts: Mapping[str, Any], notes: list[str]) -> Any:
    """The model of the facts; None, with a note, where it is not known here."""
    name = _text(facts.get("model"))
    if not is_model_name(name):
        notes.append(f"The model {shorten(name)} is not known here; the rest is as it was.")
        return None
    try:
        model = caches.model(name)
    except ExplainError as error:
        notes.append(f"{error} The rest is as it was.")
        return None
    if model.digest != facts.get("model_digest"):
        notes.append(f"The figure was made with other weights of {shorten(name)} than those shown here.")
    return model


def _picture(facts: Mapping[str, Any], name: str, notes: list[str]) -> str:
    """The picture's reference; empty, with a note, where it is not kept here."""
    data, number = facts.get("data"), _text(facts.get("number"))
    if number:
        return f"{data}/{number}" if data in list_images() else ""
    if not is_reference(name):
        notes.append(f"The picture {shorten(name)} was somebody's own file; upload it to see it here.")
        return ""
    try:
        workspace.open_picture(name)
    except ExplainError as error:
        notes.append(f"{error} Upload the picture again.")
        return ""
    return name


def _index(facts: Mapping[str, Any], model: Any, notes: list[str]) -> str:
    """What the index is called in the list of a model's; empty, with a note, where there is none."""
    data = _text(facts.get("data"))
    known = {} if model is None else workspace.list_indexes(model)
    if model is not None and (known or data != caches.demo_set(model)):  # the demo's is built at first need
        try:
            return find_index(Facts(facts), model)[0]
        except ExplainError as error:
            notes.append(str(error))
    return data if data in (*known, *([] if model is None else [caches.demo_set(model)])) else ""
