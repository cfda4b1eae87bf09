"""The strongest paths to an answer on the picture; each channel is a way to its own page."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explain.circuits import weighted
from explain.figure import Panel
from explain.index import Index
from explain.network.graph import INPUT
from explain.ui import choices, selection, widgets
from explain.ui.parts.asked import ask
from explain.ui.text import literal
from explain.views import VIEWS
from explain.views.paths import rows_of

__all__ = ["show_paths"]


def show_paths(index: Index, picture: Any) -> None:
    view = VIEWS["paths"]
    given: dict[str, Any] = {"index": index, "image": widgets.queried(index, picture)}
    style: dict[str, Any] = {}
    choices.more(view, given, style, label="From where, and how many")
    result = ask(view, given, "Follow the paths", "levels")
    if result is None:
        return
    figure = result.figure(**style)
    start, graph, *levels = figure.panels
    with widgets.row("split-paths"):
        left, right = st.columns([1, 2], gap="large")
    with left:
        widgets.show_panels(replace(figure, panels=(start,)), 1)
    with right:
        widgets.show_charts(replace(figure, panels=(graph,)), 1)
    with widgets.row("split-paths-levels"):
        cells = st.columns(max(len(levels), 1), gap="medium")
    for level, (cell, sheet) in enumerate(zip(cells, levels, strict=True), 1):
        with cell:
            clicked = _show(sheet, f"paths-{level}-{index.model.name}")
        if clicked is not None:
            row = rows_of(result, level)[clicked]
            layer, channel = result.table["layer"][row], result.table["channel"][row]
            if layer != INPUT:
                layer = weighted(index.model, layer, index.layers) or layer
                selection.go("channel", {"layer": layer, "channel": str(channel)})
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export the paths")


def _show(sheet: Panel, key: str) -> int | None:
    st.markdown(f"**{literal(sheet.title)}**")
    clicked = widgets.show_gallery(sheet, key, None, alt=sheet.title)
    st.caption(literal(f"{sheet.caption} Click one to go to its page."))
    return clicked
