"""Where one channel fires on the picture, large."""

from typing import Any

import streamlit as st

from explain.ui import choices, widgets
from explain.ui.text import literal
from explain.views import VIEWS
from explain.views.activations import Activations

__all__ = ["show_map"]


def show_map(
    result: Activations, channel: int, given: dict[str, Any], style: dict[str, Any], label: str, name: str
) -> None:
    """Of the maps of a layer that have been made; label and name are of its export."""
    view = VIEWS["activations"]
    style = {**style, "channel": channel}
    with widgets.row("split"):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        style["opacity"] = choices.option(view, "opacity")
    with right:
        style["smooth"] = choices.option(view, "smooth")
    figure = result.figure(**style)
    widgets.show_panels(figure)
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, label, name)
