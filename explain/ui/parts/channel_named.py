"""What a channel goes with, as a job for all of its layer, and what its user has noted of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from explain.figure import Chart, Panel
from explain.figure.data import table_csv
from explain.index import Index
from explain.network.model import Model
from explain.ui import choices, selection, widgets
from explain.ui.glossary import explained
from explain.ui.parts.asked import ask, is_asked
from explain.ui.text import literal
from explain.views import VIEWS
from explain.workspace import notes

__all__ = ["show_names", "show_notes"]

ALWAYS = "named"  # in the URL, so that a dropped figure is made again
MOST = 8


def show_names(index: Index, layer: str, number: int) -> None:
    """Until it is asked for, a way to ask."""
    view = VIEWS["channel_names"]
    st.subheader("What it goes with", help=explained("average precision"))
    given: dict[str, Any] = {"index": index, "layer": layer}
    style: dict[str, Any] = {}
    given["column"] = choices.option(view, "column", "Groups of", lambda one: one or "all columns", _columns(index))
    choices.more(view, given, style, label="How it is measured")
    always = selection.controlled(st.toggle, "For every layer", ALWAYS, selection.flag(ALWAYS))
    if not always and not is_asked(view, given) and not st.button("Measure", icon=":material/label:", key="name-it"):
        return
    result = ask(view, given, "Look through the pictures once more", "%")
    if result is None:
        return
    st.markdown(f"**Channel {number}**: {literal(result.words(number))}.")
    order = np.argsort(-result.average_precision[number], kind="stable")[:MOST]
    rows = {
        "group": [result.groups[k] for k in order],
        "average precision": [round(float(result.average_precision[number, k]), 3) for k in order],
        "by chance": [round(float(result.chance[k]), 3) for k in order],
        "pictures": [result.sizes[k] for k in order],
    }
    widgets.show_numbers(rows)
    figure = result.figure(**style)
    with st.expander(f"All channels of {literal(layer)}", icon=":material/apps:"):
        panels = tuple(one for one in figure.panels if isinstance(one, Panel))
        charts = tuple(one for one in figure.panels if isinstance(one, Chart))
        if panels:
            widgets.show_panels(replace(figure, panels=panels), 1)
        widgets.show_charts(replace(figure, panels=charts), 1)
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export the names")


def _columns(index: Index) -> list[str]:
    own = "label" if index.classes else "prediction"
    return list(dict.fromkeys([own, "prediction", *index.columns]))


def show_notes(model: Model, layer: str, number: int) -> None:
    """A field for this channel; all of this network's, to search and to take along."""
    st.subheader("Notes")
    known = notes.notes_of(model)

    def keep(text: str) -> None:
        notes.note(model, layer, number, text)

    selection.edited(
        st.text_area,
        f"What you found out about channel {number} of {literal(layer)}",
        f"note-{model.digest[:12]}-{layer}-{number}",
        known.get((layer, number), ""),
        keep,
        max_chars=notes.LONGEST,
        placeholder="It is kept on this machine as you leave the field.",
    )
    if not known:
        return
    with st.expander(f"All notes on {literal(model.name)}: {len(known)}", icon=":material/notes:"):
        words = st.text_input("Search", key="search-notes", placeholder="words of a note, a layer, a number")
        found = notes.notes_of(model, words)
        for (own, channel), text in found.items():
            left, right = st.columns([1, 4], vertical_alignment="top")
            if left.button(f"{literal(own)} {channel}", key=f"noted-{own}-{channel}", type="tertiary"):
                selection.go("channel", {"layer": own, "channel": str(channel)})
            right.markdown(literal(text))
        if not found:
            st.caption("No note has these words.")
        st.download_button(
            "Notes as CSV",
            table_csv(notes.as_table(found)),
            f"notes-{model.name}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
