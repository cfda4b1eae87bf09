"""What all channels of a layer do with a picture as a gallery, one of them large, or those of two pictures."""

from typing import Any

import streamlit as st

from explain.network.model import Model
from explain.ui import caches, choices, selection, widgets
from explain.ui.parts.channel_link import link_to_channel
from explain.ui.parts.channel_map import show_map
from explain.ui.parts.layer_choice import middle_layer
from explain.ui.parts.layer_strip import choose_layer
from explain.ui.text import literal
from explain.views import VIEWS

__all__ = ["show_maps"]


def show_maps(model: Model, picture: Any) -> None:
    strip = st.container()
    view = VIEWS["activations"]
    given: dict[str, Any] = {"model": model, "image": picture, "second": None}
    style: dict[str, Any] = {}
    with widgets.row("controls"):
        controls = st.columns([4, 2, 2, 2], vertical_alignment="bottom")
    with controls[0]:
        shown = [layer for layer in (*model.layers, *model.blocks) if len(layer.shape) in (1, 3)]
        given["layer"] = layer = choose_layer(model, shown, middle_layer(model.layers), strip)
    with controls[1]:
        style["sort"] = choices.option(view, "sort")
    with controls[2]:
        style["scale"] = choices.option(view, "scale")
    with controls[3]:
        beside = view.key("second")
        st.session_state["_two"] = bool(selection.get(beside))

        def switched() -> None:
            selection.choose(beside, caches.demo_picture(model, "picture2") if st.session_state["_two"] else "")

        two = st.toggle("Two pictures", key="_two", on_change=switched)

    if two:
        widgets.choose_picture(model, beside, "Second picture")
        given["second"] = caches.picture(beside)
        choices.more(view, given, style)
        figure = caches.computed(view, given).figure(**style)
        widgets.show_panels(figure)
        st.caption(literal(figure.note))
        choices.show(view, given, style, figure)
    else:
        large = ("channel", "opacity", "smooth")  # of the channel that is shown below all
        choices.more(view, given, style, without=large)
        style |= {name: choices.chosen(view, name) for name in large}
        result = caches.computed(view, given)
        if style["channel"] is not None:  # of a figure that was dropped: from here on it is the one selected
            selection.choose("channel", style["channel"])
            selection.choose(view.key("channel"), "")
            style["channel"] = None
        figure = result.figure(**style)
        panel = figure.panels[0]
        channel = selection.get("channel")
        if channel is None or str(channel) not in panel.names:
            channel = result.strongest_first[0]
            selection.choose("channel", channel)
        channel = int(channel)
        values = [f"{result.table['max'][int(name)]:.3g}" for name in panel.names]
        st.caption(literal(f"{figure.title}. Under each tile its number and its maximum."))
        key = f"maps-{model.name}-{layer}"
        clicked = widgets.show_gallery(panel, key, panel.names.index(str(channel)), values, figure.alt)
        if clicked is not None:
            selection.choose("layer", layer)
            selection.choose("channel", int(panel.names[clicked]))
            st.rerun()
        if panel.scale:
            widgets.show_scale(panel.scale)
        st.caption(literal(figure.note))

        @st.fragment
        def one_channel() -> None:
            st.subheader(f"Channel {channel}")
            # The selection is one channel; the picture, the layer and the pass through the network stay as they are.
            show_map(result, channel, given, style, f"Export channel {channel}", "channel")

        one_channel()
        link_to_channel(channel)
        choices.show(view, given, style, figure, "Export all channels", "all-channels", apart=True)
