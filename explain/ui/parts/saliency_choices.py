"""What the saliency page lets one choose, and its maps: at once, or as jobs where they take longer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import streamlit as st

from explain import workspace
from explain.attribution import METHODS
from explain.data import list_images, load_images
from explain.errors import NotSupported
from explain.network.model import Model
from explain.progress import listening
from explain.registry import Entry
from explain.ui import caches, jobs, selection, widgets
from explain.ui.text import literal
from explain.views import saliency
from explain.views.saliency import Saliency

AT_ONCE = 5_000_000
"""Multiply-accumulates up to which a network is so small that no method on it takes long."""
KINDS = {
    "": "one class",
    "mistake": "true and predicted",
    "five": "the five likeliest",
    "channel": "a channel of a layer",
}


@dataclass(frozen=True)
class MapRequest:
    """A map that is asked for."""

    model: Model
    picture: Any
    reference: str
    method: str
    target: str | int | None
    layer: str | None = None
    unit: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.picture, self.method, self.target, self.layer, self.unit

    @property
    def at_once(self) -> bool:
        """Whether it takes no longer than a page may."""
        return not METHODS[self.method].slow or sum(layer.macs for layer in self.model.layers) < AT_ONCE

    def compute(self) -> Saliency:
        """Raises ExplainError."""
        return saliency.compute(self.model, *self.arguments, **self.options)

    def python(self, name: str = "result") -> str:
        """The line that computes it."""
        words = [f'explain.saliency(model, image, "{self.method}"']
        words += [f"{key}={value!r}" for key, value in self._named().items()]
        return f"{name} = {', '.join(words)})"

    def command(self) -> str:
        parts = [f"python -m explain saliency {self.model.name} {self.reference} --method {self.method}"]
        named = self._named()
        for key in ("target", "layer", "unit"):
            if key in named:
                value = named.pop(key)
                parts.append(f'--{key} "{value}"' if " " in str(value) else f"--{key} {value}")
        return " ".join([*parts, *(f"--option {key}={value}" for key, value in named.items())])

    def _named(self) -> dict[str, Any]:
        places = {"target": self.target, "layer": self.layer, "unit": self.unit}
        return {key: value for key, value in places.items() if value not in (None, "")} | self.options


def choose_methods() -> list[Entry]:
    """One method or several, at least one."""
    chosen = [name for name in str(selection.get("method", "gradient")).split(",") if name in METHODS] or ["gradient"]
    selection.controlled_list(
        st.multiselect,
        "Methods",
        "method",
        chosen,
        list(METHODS),
        format_func=lambda name: METHODS[name].label,
        help="One to look at closely, or several side by side.",
    )
    return [METHODS[name] for name in chosen]


def choose_targets(model: Model, ranked: Sequence[tuple[str, float]], reference: str) -> list[str | None]:
    """The classes asked about, by name; None is the predicted one."""
    true = label_of(reference)
    kinds = [kind for kind in KINDS if kind != "mistake" or true in model.classes]
    kind = selection.get("asked", "")
    with widgets.row("controls-asked"):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        selection.controlled(
            st.selectbox, "Explain", "asked", kind if kind in kinds else "", kinds, format_func=KINDS.get
        )
    if kind == "mistake" and "mistake" in kinds:
        right.caption(literal(f"true: {true} · predicted: {ranked[0][0]}"))
        return list(dict.fromkeys([true, ranked[0][0]]))
    if kind == "five":
        return [name for name, _ in ranked]
    if kind == "channel":
        return [None]
    chances = {name: f"{name}  ·  {p:.1%}" for name, p in ranked}
    names = ["", *chances, *[name for name in model.classes if name not in chances]]
    target = selection.get("target", "")
    if target and target not in names:
        model.target(target, None)  # says what is wrong with a class from the URL
    with right:
        selection.controlled(
            st.selectbox,
            "Class",
            "target",
            target if target in names else "",
            names,
            format_func=lambda name: chances.get(name, name) if name else f"predicted: {ranked[0][0]}",
        )
    return [target or None]


def choose_unit(model: Model) -> tuple[str | None, str | None]:
    """The layer and the channel in the place of a class."""
    if selection.get("asked", "") != "channel":
        return None, None
    with widgets.row("controls-unit"):
        left, right = st.columns([3, 2])
    with left:
        places = [layer for layer in (*model.layers, *model.blocks) if len(layer.shape) in (1, 3)]
        layer = widgets.choose_layer(places, "unit", places[len(places) // 2].name, "Layer of the channel")
    names = ["", *map(str, range(model.layer(layer).channels))]
    channel = str(selection.get("unit_channel", ""))
    with right:
        selection.controlled(
            st.selectbox,
            "Channel",
            "unit_channel",
            channel if channel in names else "",
            names,
            format_func=lambda name: name or "the one that stands out most",
        )
    return layer, channel or None


def _choose_looked(model: Model) -> str | None:
    places = [layer.name for layer in model.scanned if layer.spatial]
    chosen = selection.get("looked", "")
    selection.controlled(
        st.selectbox,
        "Layer of class activation maps",
        "looked",
        chosen if chosen in places else "",
        ["", *places],
        format_func=lambda name: name or "the last with fine maps",
    )
    return chosen if chosen in places else None


def choose_options(model: Model, entries: Sequence[Entry]) -> tuple[str | None, dict[str, dict[str, Any]]]:
    """The layer that class activation maps look into, None by default; and the options of each method by its name."""
    chosen: dict[str, dict[str, Any]] = {entry.name: {} for entry in entries}
    if not any(entry.options or entry.takes("layer") for entry in entries):
        return None, chosen
    with st.expander("Options of the methods" if len(entries) > 1 else f"Options of {entries[0].label}"):
        layer = _choose_looked(model) if any(entry.takes("layer") for entry in entries) else None
        for entry in entries:
            if not entry.options:
                continue
            with widgets.row(f"controls-options-{entry.name}"):
                cells = st.columns(max(4, len(entry.options) + (len(entries) > 1)), vertical_alignment="bottom")
            if len(entries) > 1:
                cells.pop(0).markdown(f"**{literal(entry.label)}**")
            for cell, spec in zip(cells, entry.options.values(), strict=False):
                with cell:
                    name = f"{entry.name}_{spec.name}"
                    value = widgets.option(spec, name, f"{spec.name.replace('_', ' ').capitalize()}")
                    if value != spec.default:
                        chosen[entry.name][spec.name] = value
    return layer, chosen


def ask(question: MapRequest) -> Saliency | None:
    """The map; None while it is on its way, or where the method refuses, which is said."""
    return ask_all([question])[0]


def ask_all(questions: Sequence[MapRequest]) -> Sequence[Saliency | None]:
    """Maps by one method, in one job where they take longer, whose progress is shown; each None until all are there."""
    first = questions[0]
    label = METHODS[first.method].label
    nothing = [None] * len(questions)
    if all(one.at_once for one in questions):
        try:
            return [caches.cached(saliency.compute, one.model, *one.arguments, **one.options) for one in questions]
        except NotSupported as error:
            st.info(f"**{literal(label)}**: {literal(str(error))}", icon=":material/info:")
            return nothing
    key = [caches.identity(one.model, *one.arguments, **one.options) for one in questions]
    return jobs.show(jobs.start(f"maps {key}", partial(_work, questions)), label, "%") or nothing


def _work(questions: Sequence[MapRequest], progress: jobs.Progress) -> list[Saliency]:
    found: list[Saliency] = []

    def heard(done: float, total: float, message: str = "") -> None:
        progress(int(100 * (len(found) + done / total) / len(questions)), 100)

    heard(0.0, 1.0)
    with listening(heard):
        for one in questions:
            found.append(one.compute())
    return found


def other(question: MapRequest, reference: str, picture: Any) -> MapRequest:
    """The same question about another picture."""
    return replace(question, picture=picture, reference=reference)


def label_of(reference: str) -> str | None:
    """The class that a shipped picture has by its label."""
    family, _, key = reference.partition("/")
    if family not in list_images() or not key.isdecimal():
        return None
    images = load_images(family)
    if images.labels is None or int(key) >= len(images):
        return None
    return images.classes[images.labels[int(key)]]


def choose_model(name: str, beside: Model) -> None:
    """Another model by its name in the list, or one typed."""
    others = [other for other in workspace.list_models() if other != beside.name]
    chosen = selection.get(name) or others[0]
    selection.choose(name, chosen)
    names = list(dict.fromkeys([*others, chosen]))
    selection.controlled(st.selectbox, "Second model", name, chosen, names, accept_new_options=True)


def other_model(question: MapRequest, model: Model) -> MapRequest:
    """The same question to another model; a class that it has not is its predicted one, and layers are its own."""
    target = question.target if question.target in model.classes and not question.unit else None
    return replace(question, model=model, target=target, layer=None, unit=None)
