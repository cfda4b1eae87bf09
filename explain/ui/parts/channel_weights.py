"""All filters of a layer as a gallery, one of them with its numbers, or those of two networks side by side."""

from typing import Any

import streamlit as st

from explain import workspace
from explain.network.model import Model
from explain.ui import caches, choices, selection, widgets
from explain.ui.parts.channel_link import link_to_channel
from explain.ui.parts.layer_strip import choose_layer
from explain.ui.parts.one_filter import show_filter
from explain.ui.text import literal
from explain.views import VIEWS, filters
from explain.workspace.opener import is_model_name

__all__ = ["show_weights"]


def show_weights(model: Model) -> None:
    strip = st.container()
    view = VIEWS["filters"]
    given: dict[str, Any] = {"model": model, "second": None, "second_layer": None}
    style: dict[str, Any] = {}

    with widgets.row("controls"):
        controls = st.columns([4, 2, 2, 2, 3])
    with controls[0]:
        # The shared layer may be one without filters: then this shows one that it is a node with, or the first.
        layer = choose_layer(model, filters.layers_with_filters(model), filters.default_layer(model), strip)
        given["layer"] = layer
    for column, name in zip(controls[1:4], ("scale", "polarity", "sort"), strict=True):
        with column:
            style[name] = choices.option(view, name)
    with controls[4]:
        key = view.key("second")
        beside = str(selection.get(key, ""))
        beside = beside if is_model_name(beside) else ""
        others = [name for name in workspace.list_models() if name != model.name]
        names = list(dict.fromkeys(["", *others, beside]))
        selection.controlled(st.selectbox, "Beside", key, beside, names, format_func=lambda n: n or "no other model")
    if beside:
        given["second"] = caches.model(beside)
        del given["second_layer"]  # asked for
    choices.more(view, given, style, without=("page",))

    result = caches.computed(view, given)
    if (pages := filters.count_pages(result)) > 1:
        page = selection.number(view.key("page"), 1, 1, pages)
        style["page"] = selection.controlled(st.number_input, f"Page of {pages}", view.key("page"), page, 1, pages)
    figure = result.figure(**style)

    if beside:
        widgets.show_panels(figure)
        st.caption(literal(figure.note))
    else:
        panel = figure.panels[0]
        numbers = [name.partition(":")[0] for name in panel.names]
        channel = str(selection.get("channel", ""))
        chosen = numbers.index(channel) if channel in numbers else None
        clicked = widgets.show_gallery(
            panel,
            f"filters-{model.name}-{layer}",
            chosen,
            alt=figure.alt,
            rows_of=result.slices if 1 < result.slices <= 24 else None,
        )
        if clicked is not None:
            selection.choose("layer", layer)
            selection.choose("channel", numbers[clicked])
            st.rerun()
        if panel.scale:
            widgets.show_scale(panel.scale)
        st.caption(literal(figure.note))
        if chosen is not None:
            one = filters.pick(result, int(channel))
            show_filter(one, f"Filter {channel} of {layer}", scale=style["scale"], polarity=style["polarity"])
            link_to_channel(channel)
    choices.show(view, given, style, figure)
