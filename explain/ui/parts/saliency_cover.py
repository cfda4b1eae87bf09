"""Part of the picture covered by hand: what becomes of the prediction, the map and the activations, side by side."""

from typing import Any

import streamlit as st

from explain.errors import ExplainError
from explain.images import FILLS, cover, png
from explain.images.cover import Fill
from explain.network.model import Model
from explain.ui import caches, choices, selection, widgets
from explain.ui.lens import lens
from explain.ui.parts import saliency_choices
from explain.ui.text import literal
from explain.views import VIEWS
from explain.views.saliency import Saliency

HELP = "Drag boxes over the picture: the network is asked again without what they cover."


def show_lens(given: dict[str, Any], result: Saliency, over: Any, key: str) -> None:
    """The map over the picture with its raw numbers; and, where parts are covered, what changes."""
    with widgets.row("controls-cover"):
        left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        covering = selection.controlled(st.toggle, "Cover parts", "cover", selection.flag("cover"), help=HELP)
    asked = selection.get("fill", FILLS[0])
    fill = next((one for one in FILLS if one == asked), FILLS[0])
    if covering:
        with right:
            selection.controlled(st.segmented_control, "With", "fill", fill, FILLS)
    boxes = _boxes(str(selection.get("covered", "")), result.crop.shape[:2]) if covering else []
    wanted = lens(png(over, effort=1), result.heat, alt=result.label, key=key, covering=covering, boxes=boxes)
    if wanted is not None and covering:
        selection.choose("covered", ";".join(",".join(map(str, box)) for box in wanted))
        st.rerun()
    if boxes:
        _show_change(given, result, _covered(given["model"], given["image"], boxes, fill))


def _boxes(text: str, size: tuple[int, int]) -> list[list[int]]:
    """Boxes of the network's input as the URL has them; those that are none are left out."""
    boxes = []
    for part in text.split(";"):
        numbers = [int(number) for number in part.split(",") if number.strip().isdecimal() and len(number) < 6]
        if len(numbers) == 4 and numbers[0] < min(numbers[2], size[0]) and numbers[1] < min(numbers[3], size[1]):
            boxes.append(numbers)
    return boxes[:100]


def _covered(model: Model, picture: Any, boxes: list[list[int]], fill: Fill) -> Any:
    """The picture itself covered, so that every view can be asked about it."""
    upright = [model.preprocess.upright_box((y0, x0, y1, x1), picture.size) for y0, x0, y1, x1 in boxes]
    return cover(picture, upright, fill)


def _show_change(given: dict[str, Any], before: Saliency, covered: Any) -> None:
    # About the class that the map is of, also where the network now sees another.
    asked = saliency_choices.beside_each_other(given, targets=[before.target.number], second=covered)
    pair = saliency_choices.make(saliency_choices.GRID, asked, before.label)
    if pair is None:
        return
    model, (one, after) = given["model"], (each.target for each in pair.rows[0])
    first, second = (caches.cached(Model.predict, model, each)[0] for each in (given["image"], covered))
    st.markdown(
        f"**Without what is covered** · {literal(one.name)}: {one.confidence_text} before, {after.confidence_text} now"
    )
    with widgets.row("split-covered"):
        left, right = st.columns([1, 1], gap="large")
    with left:
        st.caption("Before")
        widgets.show_scores(first, model.head.has_chances)
    with right:
        st.caption("Now")
        widgets.show_scores(second, model.head.has_chances)
    widgets.show_panels(pair.figure(), name="covered")
    choices.show(saliency_choices.GRID, asked, {}, pair.figure(), "Export both maps", "covered", apart=True)
    try:
        layer = given["layer"] or model.last_maps.name
    except ExplainError:  # a network without maps
        return
    responses = {"model": model, "image": given["image"], "layer": layer, "second": covered}
    st.caption(literal(f"The channels of {layer} that respond most, before (above) and now."))
    view = VIEWS["activations"]
    figure = caches.computed(view, responses).figure()
    widgets.show_panels(figure, name="covered")
    choices.show(view, responses, {}, figure, "Export their channels", "covered-channels", apart=True)
