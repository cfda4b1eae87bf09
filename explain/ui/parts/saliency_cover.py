"""Part of the picture covered by hand: what becomes of the prediction, the map and the activations, side by side."""

from typing import Any

import streamlit as st

from explain.errors import ExplainError
from explain.images import FILLS, cover, png
from explain.network.model import Model
from explain.ui import caches, selection, widgets
from explain.ui.lens import lens
from explain.ui.parts import saliency_choices
from explain.ui.parts.saliency_choices import MapRequest
from explain.ui.text import literal
from explain.views import activations, saliency
from explain.views.saliency import Saliency

HELP = "Drag boxes over the picture: the network is asked again without what they cover."


def show_lens(question: MapRequest, result: Saliency, over: Any, key: str) -> None:
    """The map over the picture with its raw numbers; and, where parts are covered, what changes."""
    with widgets.row("controls-cover"):
        left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        covering = selection.controlled(st.toggle, "Cover parts", "cover", selection.flag("cover"), help=HELP)
    fill = selection.get("fill", FILLS[0])
    fill = fill if fill in FILLS else FILLS[0]
    if covering:
        with right:
            selection.controlled(st.segmented_control, "With", "fill", fill, FILLS)
    boxes = _boxes(str(selection.get("covered", "")), result.crop.shape[:2]) if covering else []
    wanted = lens(png(over, effort=1), result.heat, alt=result.label, key=key, covering=covering, boxes=boxes)
    if wanted is not None and covering:
        selection.choose("covered", ";".join(",".join(map(str, box)) for box in wanted))
        st.rerun()
    if boxes:
        _show_change(question, result, _covered(question, boxes, fill))


def _boxes(text: str, size: tuple[int, int]) -> list[list[int]]:
    """Boxes of the network's input as the URL has them; those that are none are left out."""
    boxes = []
    for part in text.split(";"):
        numbers = [int(number) for number in part.split(",") if number.strip().isdecimal() and len(number) < 6]
        if len(numbers) == 4 and numbers[0] < min(numbers[2], size[0]) and numbers[1] < min(numbers[3], size[1]):
            boxes.append(numbers)
    return boxes[:100]


def _covered(question: MapRequest, boxes: list[list[int]], fill: str) -> Any:
    """The picture itself covered, so that every view can be asked about it."""
    prepare, picture = question.model.preprocess, question.picture
    return cover(picture, [prepare.upright_box(tuple(box), picture.size) for box in boxes], fill)


def _show_change(question: MapRequest, before: Saliency, picture: Any) -> None:
    after = saliency_choices.ask(saliency_choices.other(question, question.reference, picture))
    if after is None:
        return
    model = question.model
    first, second = (caches.cached(Model.predict, model, each)[0] for each in (question.picture, picture))
    st.markdown(
        f"**Without what is covered** · {literal(after.target_name)}: "
        f"{before.confidence_text} before, {after.confidence_text} now"
    )
    with widgets.row("split-covered"):
        left, right = st.columns([1, 1], gap="large")
    with left:
        st.caption("Before")
        widgets.show_scores(first)
    with right:
        st.caption("Now")
        widgets.show_scores(second)
    figure = saliency.render_grid([[before, after]])
    widgets.show_panels(figure, name="covered")
    try:
        layer = question.layer or model.last_maps.name
        maps = [caches.cached(activations.compute, model, each, layer) for each in (question.picture, picture)]
    except ExplainError:  # a network without maps
        return
    pair = activations.render_pair(*maps)
    st.caption(literal(f"The channels of {layer} that respond most, before (above) and now."))
    widgets.show_panels(pair, [1, 2], name="covered")
