"""Channels of a layer that are relevant for a class beside those that are active; each row is a way to its page."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explain.figure import Chart, Panel
from explain.index import Index
from explain.ui import choices, selection, widgets
from explain.ui.parts.asked import ask
from explain.ui.parts.layer_choice import indexed_layer
from explain.ui.parts.layer_strip import choose_layer
from explain.ui.text import literal
from explain.views import VIEWS

__all__ = ["show_relevance"]


def show_relevance(index: Index, picture: Any) -> None:
    view, model = VIEWS["relevant_patches"], index.model
    default = indexed_layer(model)
    layers = [model.layer(name) for name in index.layers]
    layer = choose_layer(model, layers, default if default in index.layers else None, st.container())
    given: dict[str, Any] = {"index": index, "layer": layer, "image": widgets.queried(index, picture)}
    style: dict[str, Any] = {}
    choices.more(view, given, style, label="For which class, and how many")
    result = ask(view, given, "Handing relevance back", "pictures")
    if result is None:
        return
    figure = result.figure(**style)
    charts = tuple(panel for panel in figure.panels if isinstance(panel, Chart))
    panels = [panel for panel in figure.panels if isinstance(panel, Panel)]
    on_picture, sheets = (panels[:2], panels[2:]) if result.crop is not None else ([], panels)
    widgets.show_charts(replace(figure, panels=charts), 2)
    if on_picture:
        widgets.show_panels(replace(figure, panels=tuple(on_picture)), 2)
    for number, channel in enumerate(result.shown):
        with widgets.row(f"split-relevance-{number}"):
            cells = st.columns(2, gap="large")
        for cell, sheet in zip(cells, sheets[2 * number : 2 * number + 2], strict=True):
            with cell:
                _show(sheet, result.layer.name, channel)
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export relevance and activation")


def _show(sheet: Panel, layer: str, channel: int) -> None:
    st.markdown(f"**{literal(sheet.title)}**")
    clicked = widgets.show_gallery(sheet, f"relevance-{layer}-{sheet.title}", None, alt=sheet.title)
    st.caption(literal(f"{sheet.caption} Click one to go to the channel's page."))
    if clicked is not None:
        selection.go("channel", {"layer": layer, "channel": str(channel)})
