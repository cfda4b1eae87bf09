"""What feeds a channel and what it feeds, as a job; each end is a way to its own page."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explain.circuits import weighted
from explain.figure import Chart, Panel
from explain.index import Index
from explain.network.graph import INPUT
from explain.ui import choices, selection, widgets
from explain.ui.glossary import explained
from explain.ui.parts.asked import ask, is_asked
from explain.ui.text import literal
from explain.views import VIEWS
from explain.views.wiring import Wiring, rows_of

__all__ = ["show_wiring"]

ALWAYS = "wired"  # in the URL, so that a dropped figure is made again
WAYS = {"in": "what feeds it", "out": "what it feeds"}


def show_wiring(index: Index, layer: str, number: int, picture: Any) -> None:
    """Until it is asked for, a way to ask."""
    view = VIEWS["wiring"]
    st.subheader("What feeds it, what it feeds", help=explained("expanded weights"))
    given: dict[str, Any] = {"index": index, "layer": layer, "channel": number}
    given["image"] = widgets.queried(index, picture)
    style: dict[str, Any] = {}
    with widgets.row("controls-wiring"):
        left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        given["direction"] = choices.option(view, "direction", "Which way", WAYS.__getitem__)
    choices.more(view, given, style, label="How many, and on what")
    with right, st.container(horizontal=True, vertical_alignment="bottom"):
        always = selection.controlled(st.toggle, "For every channel", ALWAYS, selection.flag(ALWAYS))
        wanted = always or is_asked(view, given) or st.button("Find it", icon=":material/cable:", key="wire-it")
    if not wanted:
        return
    result = ask(view, given, "Find what feeds it" if given["direction"] == "in" else "Find what it feeds", "%")
    if result is None:
        return
    figure = result.figure(**style)
    sheets = [panel for panel in figure.panels if isinstance(panel, Panel)][1:]
    with widgets.row("split-wiring-sheets"):
        cells = st.columns(max(len(sheets), 1), gap="medium")
    for cell, sheet, rows in zip(cells, sheets, rows_of(result), strict=True):
        with cell:
            _show(index, result, sheet, rows)
    with widgets.row("split-wiring"):
        left, words = st.columns([2, 3], gap="large")
    charts = tuple(panel for panel in figure.panels if isinstance(panel, Chart))
    with left:
        if charts:  # none where no effect could be measured
            widgets.show_charts(replace(figure, panels=charts), 1)
    with words:
        widgets.show_table(_told(result))
        st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export the wiring")


def _show(index: Index, result: Wiring, sheet: Panel, rows: list[int]) -> None:
    st.markdown(f"**{literal(sheet.title)}**")
    clicked = widgets.show_gallery(
        sheet, f"wiring-{result.layer.name}-{result.channel}-{sheet.title}", None, alt=sheet.title, rows_of=len(rows)
    )
    st.caption(literal(f"{sheet.caption} Click one to go to its page."))
    if sheet.scale:
        widgets.show_scale(sheet.scale)
    if clicked is None:
        return
    row = rows[clicked % len(rows)]
    layer, channel = result.table["layer"][row], result.table["channel"][row]
    if layer == INPUT or len(index.model.layer(layer).shape) not in (1, 3):
        return
    selection.go("channel", {"layer": weighted(index.model, layer, index.layers) or layer, "channel": str(channel)})


def _told(result: Wiring) -> dict[str, list[Any]]:
    """The numbers of each edge, under names for people."""
    names = {
        "name": "channel",
        "weight": "weight",
        "rank": "rank",
        "effect": "without it",
        "direct": "of which direct",
        "expected": "foreseen",
        "part": "part here",
    }
    return {said: result.table[name] for name, said in names.items()}
