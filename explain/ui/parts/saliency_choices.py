"""What the saliency page lets one choose, and its maps: at once, or as a job where they take longer."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from torch import Tensor

from explain import workspace
from explain.attribution.target import class_of
from explain.data import list_images, named_images
from explain.errors import NotSupported
from explain.network.model import Model
from explain.registry import Entry
from explain.trust import CHECKED
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.text import literal
from explain.views import VIEWS, View

SALIENCY, GRID = VIEWS["saliency"], VIEWS["saliency_grid"]
METHOD, TARGET, LAYER, UNIT = (SALIENCY.key(name) for name in ("method", "target", "layer", "unit"))
SECOND, SECOND_MODEL = GRID.key("second"), GRID.key("second_model")
QUICK = ("grad_cam", "gradient", "integrated_gradients", "guided_backprop")
"""Of each family one that takes a moment, to see side by side."""
AT_ONCE = 5_000_000
"""Multiply-accumulates up to which a network is so small that no method on it takes long."""
KINDS = {
    "": "one class or several",
    "mistake": "true and predicted",
    "five": "the five likeliest",
    "channel": "a channel of a layer",
}
BESIDE = {"": "nothing else", SECOND: "a second picture", SECOND_MODEL: "a second model"}


def first_method(model: Model) -> str:
    """Grad-CAM, which ranks best of those that take a moment; the gradient where there are no maps to look into."""
    return "grad_cam" if any(layer.spatial for layer in model.scanned) else "gradient"


def choose_methods(model: Model) -> list[Entry]:
    """One method or several, at least one."""
    chosen = [name for name in str(selection.get(METHOD, "")).split(",") if name in CHECKED] or [first_method(model)]
    selection.controlled_list(
        st.pills,
        "Methods",
        METHOD,
        chosen,
        list(CHECKED),
        selection_mode="multi",
        format_func=lambda name: CHECKED[name].label,
        help="One to look at closely, or several side by side.",
    )
    return [CHECKED[name] for name in chosen]


def choose_targets(model: Model, scores: Tensor, reference: str) -> tuple[str | None, list[int]]:
    """The layer whose channels are asked about, None for classes; and their numbers, none for what stands out most."""
    places = {layer.name: layer for layer in (*model.layers, *model.blocks) if len(layer.shape) in (1, 3)}
    middle = list(places)[len(places) // 2]
    likeliest = scores.topk(min(5, len(scores))).indices.tolist()
    true = label_of(reference)
    kinds = [kind for kind in KINDS if kind != "mistake" or true in model.classes]
    kind = "channel" if selection.get(UNIT) in places else str(selection.get("asked", ""))
    kind = kind if kind in kinds else ""

    def changed() -> None:
        chosen = st.session_state["_asked"]
        selection.choose("asked", "" if chosen == "channel" else chosen)
        selection.choose(UNIT, middle if chosen == "channel" else "")
        selection.choose(TARGET, "")

    with widgets.row("controls-asked"):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
    st.session_state["_asked"] = kind
    left.selectbox("Explain", kinds, format_func=KINDS.__getitem__, key="_asked", on_change=changed)
    if kind == "mistake":
        right.caption(literal(f"true: {true} · predicted: {model.classes[likeliest[0]]}"))
        return None, _set_targets([model.classes.index(true), likeliest[0]])
    if kind == "five":
        return None, _set_targets(likeliest)
    if kind == "channel":
        with left:
            unit = widgets.choose_layer(list(places.values()), UNIT, middle, "Layer of the channel")
        names = {str(k): f"channel {k}" for k in range(places[unit].channels)}
        known = [text for text in str(selection.get(TARGET, "")).split(",") if text in names]
        return unit, _choose_several(right, "Channels", known, names, "the one that stands out most")
    names = {str(k): f"{model.classes[k]}  ·  {class_of(model, scores, k).confidence_text}" for k in likeliest}
    names |= {str(k): name for k, name in enumerate(model.classes) if str(k) not in names}
    text = str(selection.get(TARGET, ""))
    parts = [text] if text in model.classes else [part.strip() for part in text.split(",") if part.strip()]
    known = [str(model.target(part, None)) for part in parts]  # says what is wrong with a class from the URL
    return None, _choose_several(right, "Class", known, names, f"predicted: {model.classes[likeliest[0]]}")


def _set_targets(numbers: Sequence[int]) -> list[int]:
    """What the picture decides is in the URL as if it had been chosen."""
    found = list(dict.fromkeys(numbers))
    selection.choose(TARGET, ",".join(map(str, found)))
    selection.get(TARGET)
    return found


def _choose_several(cell: Any, label: str, chosen: list[str], names: dict[str, str], none: str) -> list[int]:
    with cell:
        selection.controlled_list(
            st.multiselect, label, TARGET, chosen, list(names), format_func=names.get, placeholder=none
        )
    return [int(number) for number in chosen]


def choose_beside(model: Model) -> str:
    """Whether a second picture or a second model stands beside: its name in the URL, empty for neither."""
    chosen = next((name for name in BESIDE if name and selection.get(name)), "")

    def changed() -> None:
        wanted = st.session_state["_beside"]
        picture = caches.demo_picture(model, "picture2") if wanted == SECOND else ""
        selection.choose(SECOND, picture)
        selection.choose(SECOND_MODEL, _others(model)[0] if wanted == SECOND_MODEL else "")

    st.session_state["_beside"] = chosen
    st.selectbox("Beside", list(BESIDE), format_func=BESIDE.__getitem__, key="_beside", on_change=changed)
    return chosen


def choose_second(beside: str, model: Model) -> dict[str, Any]:
    """The second picture, or the second model, as the grid takes it."""
    if beside == SECOND:
        widgets.choose_picture(model, SECOND, "Second picture")
        return {"second": caches.picture(SECOND)}
    if beside == SECOND_MODEL:
        chosen = selection.get(SECOND_MODEL)
        names = list(dict.fromkeys([*_others(model), chosen]))
        selection.controlled(st.selectbox, "Second model", SECOND_MODEL, chosen, names, accept_new_options=True)
        return {"second_model": caches.model(chosen)}
    return {}


def _others(model: Model) -> list[str]:
    return [name for name in workspace.list_models() if name != model.name]


def choose_options(view: View, given: dict[str, Any], entries: Sequence[Entry]) -> None:
    """The layer that class activation maps look into, None by default; and the options of the methods. Adds both."""
    looks = any(entry.takes("layer") for entry in entries)
    if not looks and not any(entry.options for entry in entries):
        given |= {"layer": None, "options": {}}
        return
    with st.expander("Options of the methods" if len(entries) > 1 else f"Options of {entries[0].label}"):
        given["layer"] = choose_looked(given["model"], LAYER) if looks else None
        given["options"] = choices.entry_options(view, given)


def choose_looked(model: Model, name: str) -> str | None:
    """The layer that class activation maps look into; None for the last with fine maps."""
    places = [layer.name for layer in model.scanned if layer.spatial]
    chosen = selection.get(name, "")
    chosen = chosen if chosen in places else ""
    selection.controlled(
        st.selectbox,
        "Layer of class activation maps",
        name,
        chosen,
        ["", *places],
        format_func=lambda place: place or "the last with fine maps",
    )
    return chosen or None


def beside_each_other(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What `saliency` is given, as the grid takes it."""
    own = {f"{given['method']}.{name}": value for name, value in given["options"].items()}
    shared = {name: given[name] for name in ("model", "image", "layer", "unit", "region")}
    return {**shared, "methods": [given["method"]], "options": own, **more}


def is_quick(model: Model, methods: Sequence[str]) -> bool:
    """Whether maps take no longer than a page may."""
    return (
        not any(CHECKED[name].slow for name in methods)
        or sum(row.macs for row in (*model.layers, *model.outside)) < AT_ONCE
    )


def make(view: View, given: dict[str, Any], label: str) -> Any:
    """The view's result; None while it is on its way as a job, or where the method refuses, which is said."""
    if is_quick(given["model"], given["methods"] if "methods" in given else [given["method"]]):
        try:
            return caches.computed(view, given)
        except NotSupported as error:
            st.info(f"**{literal(label)}**: {literal(str(error))}", icon=":material/info:")
            return None
    key, asked = f"{view.name} {caches.identity(**view.flat(given))}", view.flat(given)
    return jobs.show(jobs.start(key, lambda progress: view(**asked, progress=progress), "short"), label, "%")


def label_of(reference: str) -> str | None:
    """The class that a shipped picture has by its label."""
    family, _, key = reference.partition("/")
    if family not in list_images() or not key.isdecimal():
        return None
    images = named_images(family)
    if images.labels is None or int(key) >= len(images):
        return None
    return str(images.classes[images.labels[int(key)]])
