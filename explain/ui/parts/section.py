"""Which part of a page is shown, by a row of all its parts."""

from collections.abc import Mapping

import streamlit as st

from explain.ui import selection

__all__ = ["choose_section"]


def choose_section(sections: Mapping[str, str]) -> str:
    """Names by what the URL calls them; the first where none is asked for."""
    first = next(iter(sections))
    section = str(selection.get("section", first))
    if section not in sections:
        selection.say_unknown("section", section)
        selection.choose("section", section := first)
    words = sections.__getitem__
    selection.controlled(
        st.segmented_control, "Section", "section", section, list(sections), format_func=words, required=True
    )
    return section
