"""A picture through early, middle and late layers: what excites each there, and what else excites it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import streamlit as st

from explain.figure import Panel
from explain.index import Index
from explain.ui import caches, choices, widgets
from explain.ui.text import literal
from explain.views import VIEWS

__all__ = ["show_hierarchy", "show_stages"]


def show_stages(panels: Iterable[Panel]) -> None:
    """A row of tiles a stage."""
    for panel in panels:
        st.markdown(f"**{literal(panel.title)}**")
        widgets.show_tiles(panel)
        if panel.scale:
            widgets.show_scale(panel.scale)
        st.caption(literal(panel.caption))


def show_hierarchy(index: Index, picture: Any) -> None:
    view = VIEWS["hierarchy"]
    given: dict[str, Any] = {"index": index, "image": widgets.queried(index, picture)}
    style: dict[str, Any] = {}
    choices.more(view, given, style)
    figure = caches.computed(view, given).figure(**style)
    start, *rows = figure.panels
    widgets.show_panels(replace(figure, panels=(start,)))
    show_stages(rows)
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export this picture through the network")
