"""What a channel looks for, drawn by an optimiser: a job, as it takes seconds to half a minute."""

from typing import Any

import streamlit as st

from explain.index import Index
from explain.ui import choices, selection, widgets
from explain.ui.glossary import explained
from explain.ui.parts.asked import ask, is_asked
from explain.ui.text import literal
from explain.views import VIEWS

__all__ = ["show_drawn"]

ALWAYS = "drawn"  # in the URL, so that a dropped figure is made again


def show_drawn(index: Index, layer: str, number: int) -> None:
    """Until it is asked for, a way to ask."""
    view = VIEWS["feature_visualization"]
    st.subheader("What it looks for, drawn", help=explained("feature visualization"))
    given: dict[str, Any] = {"index": index, "layer": layer}
    style: dict[str, Any] = {}
    choices.more(view, given, style, label="How it is drawn")
    given["channels"] = given["channels"] or [number]
    always = selection.controlled(st.toggle, "Draw every channel", ALWAYS, selection.flag(ALWAYS))
    if not always and not is_asked(view, given) and not st.button("Draw it", icon=":material/brush:", key="draw-it"):
        return
    result = ask(view, given, "Drawing", "steps")
    if result is None:
        return
    figure = result.figure(**style)
    widgets.show_panels(figure, [1, 2] if len(figure.panels) > 1 else 1)
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export the drawing")
