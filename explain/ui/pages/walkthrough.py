"""From the pixels to the answer, step by step, for any network and picture."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from explain.errors import NotSupported
from explain.figure import Panel
from explain.index import Index
from explain.index.build import default_layers
from explain.network.model import Layer, Model
from explain.ui import caches, choices, selection, widgets
from explain.ui.component import scrolled_to
from explain.ui.glossary import explained
from explain.ui.navigation import script
from explain.ui.parts import first_answer
from explain.ui.parts.hierarchy import show_stages
from explain.ui.parts.saliency_choices import SALIENCY
from explain.ui.parts.saliency_trust import check, is_checked, show_verdict
from explain.ui.text import literal
from explain.views import VIEWS, View
from explain.views.convolution import Convolution
from explain.views.hierarchy import levels_of
from explain.views.parts.maps import colours_of, limits_of, scale_of

CELLS, PIXELS = 15, 8  # side of the part of the map to click, and of the pixels that are written out
STAGES, ENDS = ("early", "in the middle", "late"), ("early", "late")

model, picture = caches.model(), caches.picture()
scores = caches.cached(Model.scores, model, picture)[0]
convolutions = [one for one in model.layers if one.kind.startswith("Conv2d")]
how = model.preprocess.summary


def heading(step: str, words: str, *terms: str) -> None:
    """The head of a step, at which a page opens whose address names it."""
    if selection.get("step") == step and selection.is_by_address():
        scrolled_to(step)
    st.header(words, help=explained(*terms) or None)


def show_pixels() -> None:
    seen = model.preprocess.shown(model.preprocess.crop(picture))
    height, width = seen.shape[:2]
    channels = model.preprocess.channels
    heading("pixels", "1. Pixels")
    st.markdown(
        f"The network sees {height} × {width} pixels of {channels} number{'s' if channels > 1 else ''} each, "
        f"**{height * width * channels:,} numbers** and nothing else. {literal(how[:1].upper() + how[1:])}."
    )
    with widgets.row("split-pixels"):
        left, right = st.columns([1, 2], gap="large")
    with left:
        widgets.show_picture(seen, "The picture as the network sees it")
    with right:
        y, x = height // 2 - PIXELS // 2, width // 2 - PIXELS // 2
        part = seen[y : y + PIXELS, x : x + PIXELS].mean(2).round().astype(int)
        st.caption(f"The {PIXELS} × {PIXELS} pixels in the middle, from 0 (black) to 255 (white)")
        st.html(
            _numbers(part, lambda value: f"rgb({value},{value},{value}); color: {'black' if value > 117 else 'white'}")
        )


def show_filters(first: Layer) -> None:
    view, given = VIEWS["filters"], {"model": model, "layer": first.name}
    figure = caches.computed(view, given).figure()
    heading("filters", "2. The first filters", "filter", "weights", "layer")
    st.markdown(
        f"**{literal(first.name)}** has {first.channels} filters. Each looks for one small pattern, everywhere: an "
        "edge, a colour, a stripe. Nobody drew them; training found them."
    )
    widgets.show_panels(figure, 1)
    st.caption(literal(figure.note))
    reproduce(view, given, {}, figure)


def show_convolution(first: Layer) -> None:
    """One output by hand; another is chosen by a click on the map, another filter by its number."""
    view = VIEWS["convolution"]
    heading("number", "3. One number of the next map", "convolution", "channel", "unit")
    names = [one.name for one in convolutions]
    with widgets.row("controls-convolution"):
        left, right = st.columns([3, 1])
    with left:
        layer = str(selection.get(view.key("layer"), first.name))  # that of all pages, where it is a convolution
        layer = layer if layer in names else first.name
        selection.controlled(st.selectbox, "Convolution", view.key("layer"), layer, names)
    known = model.layer(layer)
    with right:
        channel = selection.number(view.key("channel"), 0, 0, known.channels - 1)
        selection.controlled(st.number_input, "Filter", view.key("channel"), channel, 0, known.channels - 1)
    given: dict[str, Any] = {"model": model, "image": picture, "layer": layer, "channel": channel}
    given["position"] = chosen_place(view, known)
    style: dict[str, Any] = {}
    choices.more(view, given, style, label="The figure that is exported")
    result = caches.computed(view, given)
    i, j = result.position
    st.markdown(
        f"Filter {channel} stands at one place of what it is given, multiplies what lies under it by its weights and "
        f"adds all up. That is the number of its map at **row {i}, column {j}**:"
    )
    st.markdown(f"**{literal(result.words)}**")
    with widgets.row("split-number"):
        left, right = st.columns([1, 2], gap="large")
    with left:
        show_map(view, result)
    with right:
        show_products(result)
    reproduce(view, given, style, result.figure(**style))


def chosen_place(view: View, layer: Layer) -> tuple[int, int] | None:
    """Row and column as the URL has them, if the layer has them."""
    parts = str(selection.get(view.key("position"), "")).split(",")
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        return None
    i, j = map(int, parts)
    return (i, j) if i < layer.shape[1] and j < layer.shape[2] else None


def show_map(view: View, result: Convolution) -> None:
    """The part of the map around the chosen number: what is under the pointer is said, a click chooses another."""
    height, width = result.after.shape
    rows, columns = min(CELLS, height), min(CELLS, width)
    top = min(max(result.position[0] - rows // 2, 0), height - rows)
    left = min(max(result.position[1] - columns // 2, 0), width - columns)
    part = result.after[top : top + rows, left : left + columns]
    cells = [
        {"row": top + i, "column": left + j, "value": float(value), "chosen": (top + i, left + j) == result.position}
        for (i, j), value in np.ndenumerate(part)
    ]
    st.caption("Its map: click another number")
    key = f"cells-{model.name}-{result.layer.name}-{result.channel}-{result.position}"
    chart = st.vega_lite_chart(
        cells, _heat_map(float(np.abs(part).max()) or 1.0), key=key, on_select="rerun", selection_mode="cell"
    )
    clicked = chart["selection"].get("cell")
    if clicked and (place := (int(clicked[0]["row"]), int(clicked[0]["column"]))) != result.position:
        selection.choose(view.key("position"), ",".join(map(str, place)))
        selection.again()


def _heat_map(limit: float) -> dict[str, Any]:
    """As Vega-Lite draws it: red is above zero, blue below, the chosen cell has a frame."""
    return {
        "height": 380,
        "params": [{"name": "cell", "select": {"type": "point", "fields": ["row", "column"]}}],
        "mark": {"type": "rect", "cursor": "pointer"},
        "encoding": {
            "x": {"field": "column", "type": "ordinal", "axis": {"labelAngle": 0}},
            "y": {"field": "row", "type": "ordinal"},
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"scheme": "redblue", "domain": [-limit, limit], "reverse": True},
            },
            "stroke": {"condition": {"test": "datum.chosen", "value": "#0f6e84"}, "value": None},
            "strokeWidth": {"value": 3},
            "tooltip": [
                {"field": "row", "type": "ordinal"},
                {"field": "column", "type": "ordinal"},
                {"field": "value", "type": "quantitative", "format": ".4g"},
            ],
        },
    }


def show_products(result: Convolution) -> None:
    """Window, weights and products of the input channel that adds or takes most, as numbers."""
    strongest = result.slices[0]
    parts = {"under the filter": strongest.window, "× weights": strongest.weight, "= products": strongest.products}
    of = f"of the {len(result.read)} that it reads" if len(result.read) > 1 else "the only one"
    st.caption(f"Input channel {strongest.channel}, {of}: the one that counts most here")
    with widgets.row("panels-products"):
        columns = st.columns(3, gap="small")
    for column, (label, values) in zip(columns, parts.items(), strict=True):
        with column:
            st.caption(label)
            st.html(_shaded(values))
    st.caption(f"The products add up to {strongest.sum:.4g}.")


def _shaded(values: np.ndarray) -> str:
    """In the colours of the maps: red is above zero, blue below."""
    limit = float(np.abs(values).max()) or 1.0

    def ground(value: float) -> str:
        return f"rgba({'200,60,60' if value > 0 else '60,90,200'},{0.55 * abs(value) / limit:.2f})"

    return _numbers(values.round(3), ground)


def _numbers(values: np.ndarray, ground: Callable[[Any], str]) -> str:
    """A table of numbers, each on a ground of its own."""

    def cell(value: float) -> str:
        return f'<td style="background: {ground(value)}">{value + 0:.3g}</td>'

    rows = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in values.tolist())
    return f'<table class="numbers">{rows}</table>'


def show_depth() -> None:
    """Strongest channels early, in the middle and late on this picture; with an index, what else excites them."""
    heading("depth", "4. Deeper", "activation", "receptive field", "patch")
    st.markdown(
        "Each layer looks at the maps of the one before. What a unit sees of the picture grows, what it looks for gets "
        "less simple, and the maps get smaller. Here is what answers most to this picture."
    )
    index = widgets.offer_index(model)
    if index is not None:
        show_hierarchy(index)
        return
    names = default_layers(model)  # which an index would have
    try:
        layers = levels_of(model, names)
    except NotSupported:  # of vectors
        layers = [model.layer(name) for name in dict.fromkeys([*names[:1], *names[-1:]])]
    for stage, layer in zip(STAGES if len(layers) == len(STAGES) else ENDS, layers, strict=False):
        view, given = VIEWS["activations"], {"model": model, "image": picture, "layer": layer.name}
        result = caches.computed(view, given)
        order = result.strongest_first[:6]
        st.markdown(f"**{stage.capitalize()}: {literal(layer.name)}**, {' × '.join(map(str, layer.shape))}")
        cells = st.columns(len(order), gap="small")
        for cell, k in zip(cells, order, strict=True):
            with cell:
                values = result.maps[k]
                values = values if values.ndim == 2 else values.reshape(1, -1)
                widgets.show_picture(colours_of(values, scale_of(limits_of(values), "response")), f"channel {k}")
                st.caption(f"channel {k}")
    st.caption("What else excites these channels stands here once the network has looked through a set of pictures.")


def show_hierarchy(index: Index) -> None:
    view = VIEWS["hierarchy"]
    given: dict[str, Any] = {"index": index, "image": widgets.queried(index, picture)}
    figure = caches.computed(view, given).figure()
    show_stages([one for one in figure.panels[1:] if isinstance(one, Panel)])
    st.caption(literal(figure.note))
    reproduce(view, given, {}, figure)


def show_answer() -> None:
    name, how_sure = first_answer.sentence(model, scores)
    heading("answer", "5. The answer", "class", "confidence")
    st.markdown(
        f"The last layer weighs all features for each of {len(model.classes):,} classes. **{literal(name)}**, "
        f"{literal(how_sure)}, is the likeliest."
    )
    widgets.show_scores(caches.cached(Model.predict, model, picture)[0], model.head.has_chances)


def show_why() -> None:
    heading("why", "6. Why, and can that be trusted?", "saliency map", "verdict")
    found = first_answer.first_map(model, picture)
    if found is None:
        st.page_link(script("saliency"), label="Ask for a map", icon=":material/center_focus_strong:")
        return
    given = {"model": model, "image": picture, "method": found.facts["method"]}
    left, right = st.columns([1, 2], gap="large")
    with right:
        st.markdown(f"**{literal(found.label)}** shows where the evidence for {literal(found.target.name)} was.")
        words = "Hides the picture by the map, some hundred times."
        wanted = is_checked(given) or st.button("Check it", icon=":material/fact_check:", help=words)
        checked = check(given) if wanted else None
        if checked is not None:
            show_verdict(checked.verdict)
            found = found.with_verdict(checked.verdict)
        elif not wanted:
            st.caption("A map may look right and be wrong. Whether this one is, can be measured.")
        st.page_link(script("saliency"), label="Other methods and classes", icon=":material/center_focus_strong:")
    with left:
        figure = found.figure()
        widgets.show_picture(figure.panels[-1].image, f"{found.label} over the picture")
    reproduce(SALIENCY, {**given, "checked": checked is not None}, {}, figure)


def reproduce(view: View, given: dict[str, Any], style: dict[str, Any], figure: Any) -> None:
    choices.show(view, given, style, figure, name=f"walkthrough-{view.name}")


st.title("Walkthrough")
st.caption(literal(f"What happens to this picture in {model.name}, from its pixels to the answer."))
show_pixels()
if convolutions:
    for step in (show_filters, show_convolution):
        try:
            step(convolutions[0])
        except NotSupported as error:  # of a network with a way of its own; the other steps are shown
            st.info(literal(str(error)), icon=":material/info:")
else:
    st.info("This network has no two-dimensional convolution.", icon=":material/info:")
show_depth()
show_answer()
show_why()
