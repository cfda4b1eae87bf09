"""Of a network that segments: which class is where, and what part of the picture maps are asked about."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from explain.errors import ExplainError
from explain.images import png
from explain.network.model import Model
from explain.network.region import Region
from explain.ui import caches, choices, selection, widgets
from explain.ui.caches import SessionOpener
from explain.ui.lens import brush, lens
from explain.ui.parts.saliency_choices import SALIENCY
from explain.ui.text import literal
from explain.views import VIEWS

SEGMENTATION = VIEWS["segmentation"]
REGION = SALIENCY.key("region")
KINDS = {
    "": "the whole picture",
    "predicted": "where it is predicted",
    "box": "a box",
    "mask": "what is painted",
}
HELP = "Drag a box over the part to ask about."
PAINT = {False: "Paint over the part to ask about.", True: "Paint over what does not belong to it."}
BRUSH = {False: "adds", True: "takes away"}
MOST_POINTS = 5000  # of a stroke


def choose_region(model: Model) -> Any:
    """What a class's map is summed over, as `saliency` takes it, beside the map of classes."""
    text = str(selection.get(REGION, ""))
    kind = text if text in KINDS else "mask" if text.startswith("mask") else "box"
    height, width = model.preprocess.size

    def changed() -> None:
        box = height // 4, width // 4, height - height // 4, width - width // 4
        begun = {"box": ",".join(map(str, box)), "mask": _text(model, Region.of_box(box, (height, width)))}
        chosen = st.session_state["_region"]
        selection.choose(REGION, begun.get(chosen, chosen))

    st.session_state["_region"] = kind
    own = KINDS[""] if model.head.kind == "segmentation" else "where it is the likeliest, also once pixels change"
    with widgets.row("controls-region"):
        left, _ = st.columns([3, 4])
    said = lambda one: KINDS[one] if one else own  # noqa: E731
    left.selectbox("A class's score is its sum over", list(KINDS), format_func=said, key="_region", on_change=changed)
    if not text:
        return None
    try:
        return SALIENCY.parameters["region"].kind.parse(text, {"model": model}, SessionOpener())
    except ExplainError as error:
        st.caption(f":red[{literal(str(error))}]")
        return None


def show_classes(model: Model, picture: Any, region: Any) -> None:
    """The map of classes; a box is drawn on it by the pointer or by its sides, a mask is painted."""
    given, style = {"model": model, "image": picture}, dict[str, Any]()
    choices.more(SEGMENTATION, given, style, label="How classes are shown")
    result = caches.computed(SEGMENTATION, given)
    figure = result.figure(**style)
    with widgets.row("split-classes"):
        left, right = st.columns([2, 1], gap="large")
    with left:
        widgets.show_panels(replace(figure, panels=figure.panels[:3]), 3)
    with right:
        widgets.show_charts(replace(figure, panels=figure.panels[3:]), 3)
    if isinstance(region, tuple):
        _draw(result, figure.panels[1].image, region, model.name)
    elif isinstance(region, Region):
        _paint(result, figure.panels[1].image, region, model)
    choices.show(SEGMENTATION, given, style, figure, "Export the map of classes")


def _draw(result: Any, over: Any, box: tuple[int, ...], name: str) -> None:
    height, width = result.labels.shape
    with widgets.row("split-region"):
        left, right = st.columns([1, 1], gap="large")
    with left:
        boxes = lens(
            png(over, effort=1),
            result.chances,
            alt="The map of classes with the box asked about",
            key=f"region-{name}",
            covering=True,
            boxes=[box],
            hint=HELP,
            buttons=(),
        )
    if boxes:
        _choose(boxes[-1])
        st.rerun()

    def changed() -> None:
        (y0, y1), (x0, x1) = (st.session_state[f"_region-{side}"] for side in ("rows", "columns"))
        y0, x0 = min(y0, height - 1), min(x0, width - 1)
        _choose([y0, x0, max(y1, y0 + 1), max(x1, x0 + 1)])

    with right:
        for side, most, ends in (("rows", height, box[::2]), ("columns", width, box[1::2])):
            st.session_state[f"_region-{side}"] = ends
            label = f"Its {side}, from and up to, in pixels of the network's input"
            st.slider(label, 0, most, key=f"_region-{side}", on_change=changed)


def _paint(result: Any, over: Any, region: Region, model: Model) -> None:
    with widgets.row("split-region"):
        left, right = st.columns([1, 1], gap="large")
    most = max(2, max(region.size) // 4)
    with right:
        named = BRUSH.__getitem__
        kind = st.segmented_control("The brush", list(BRUSH), default=False, format_func=named, required=True)
        radius = st.slider("Its radius, in pixels of the network's input", 1, most, max(1, most // 4))
        st.caption(f"{region.mask.mean():.1%} of the network's input is asked about; the rest is darkened.")
    erasing = bool(kind)
    dark = np.where(region.mask[..., None], over, over // 3).astype(np.uint8)
    alt, key = "The map of classes with what is painted", f"brush-{model.name}"
    with left:
        stroke = brush(
            png(dark, effort=1), result.chances, radius, alt=alt, key=key, hint=PAINT[erasing], erasing=erasing
        )
    if stroke:
        painted = region.painted(stroke[:MOST_POINTS], radius, not erasing)
        if painted.mask.any():
            selection.choose(REGION, _text(model, painted))
            st.rerun()
        st.caption("Something has to be left to ask about.")


def _text(model: Model, region: Region) -> str:
    return SALIENCY.parameters["region"].kind.text(region, {"model": model})


def _choose(box: Any) -> None:
    selection.choose(REGION, ",".join(map(str, box)))
