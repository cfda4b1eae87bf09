"""What the pictures of a class share, or those of a selection, or the mistakes: a job, as it takes a minute."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from explain.concept_extraction.crops import LEAST
from explain.figure import Chart, Panel
from explain.index import Index
from explain.ui import choices, selection, widgets
from explain.ui.glossary import explained
from explain.ui.parts.asked import ask
from explain.ui.parts.layer_choice import after_rectifiers
from explain.ui.text import literal
from explain.views import VIEWS

__all__ = ["show_concepts"]

OWN = "own_concepts"  # in the URL: whether those of the picture of all pages are told


def show_concepts(index: Index, picture: Image.Image) -> None:
    view = VIEWS["concepts"]
    st.subheader("What pictures share", help=explained("concept"))
    given: dict[str, Any] = {"index": index}
    with widgets.row("controls"):
        controls = st.columns([3, 3, 3, 2], vertical_alignment="bottom")
    with controls[0]:
        given["target"] = _choose_class(index, view.key("target"))
    with controls[1]:
        given["where"] = choices.among(view, index)
    with controls[2]:
        given["layer"] = _choose_layer(index, view.key("layer"))
    with controls[3]:
        words = "Which of them the picture of all pages has."
        own = selection.controlled(st.toggle, "In this picture", OWN, selection.flag(OWN), help=words)
    given["image"] = widgets.queried(index, picture) if own else None
    style: dict[str, Any] = {}
    choices.more(view, given, style)
    result = ask(view, given, "Looking for what they share", "steps")
    if result is None:
        return
    figure = result.figure(**style)
    st.markdown(literal(figure.note))
    charts = tuple(one for one in figure.panels if isinstance(one, Chart))
    _show_sheets([one for one in figure.panels if isinstance(one, Panel)])
    widgets.show_charts(replace(figure, panels=charts), 2)
    with st.expander("The numbers", icon=":material/table:"):
        widgets.show_table(figure.table)
    choices.show(view, given, style, figure)


def _show_sheets(sheets: list[Panel]) -> None:
    """Two beside each other, each with what is said of it; a row of crops has names."""
    for first in range(0, len(sheets), 2):
        with widgets.row(f"concepts-{first}"):
            cells = st.columns(2, gap="medium")
        for cell, one in zip(cells, sheets[first : first + 2], strict=False):
            with cell:
                st.markdown(f"**{literal(one.title)}**")
                widgets.show_gallery(one, f"concepts-{one.title}", None, alt=one.title)
                st.caption(literal(one.caption))


def _choose_class(index: Index, key: str) -> str | None:
    """One of those that enough pictures are predicted as, most first; None for all pictures."""
    numbers, counts = np.unique(index.predictions[:, 0], return_counts=True)
    often = {
        index.model.classes[numbers[k]]: int(counts[k])
        for k in np.argsort(-counts, kind="stable")
        if numbers[k] >= 0 and counts[k] >= LEAST
    }
    words = {"": "all classes"} | {name: f"{name} · {count:,}" for name, count in often.items()}
    chosen = str(selection.get(key, ""))
    if chosen.isdecimal() and int(chosen) < len(index.model.classes):  # as a link has it
        chosen = index.model.classes[int(chosen)]
    if chosen not in words:
        words[chosen] = chosen
    found = selection.controlled(
        st.selectbox, "Predicted as", key, chosen, list(words), format_func=lambda name: words.get(name, name)
    )
    return str(found) or None


def _choose_layer(index: Index, key: str) -> str | None:
    names = [one.name for one in after_rectifiers(index.model.layers)]
    chosen = str(selection.get(key, ""))
    offered = ["", *names] if chosen in ("", *names) else ["", chosen, *names]
    found = selection.controlled(
        st.selectbox, "Layer", key, chosen, offered, format_func=lambda name: name or "the last that can be"
    )
    return str(found) or None
