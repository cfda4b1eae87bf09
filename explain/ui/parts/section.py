"""Which part of a page is shown, by a row of all its parts."""

from collections.abc import Mapping

import streamlit as st

from explain.ui import selection

__all__ = ["choose_section"]


def choose_section(sections: Mapping[str, str]) -> str:
    """Names by what the URL calls them; the first where none is asked for."""
    kept = st.session_state.setdefault("sections", {})  # of each page, as all have one name for it in the URL
    page = tuple(sections)
    section = str(selection.get("section", kept.get(page, page[0])))
    if section not in sections:
        selection.say_unknown("section", section)
        selection.choose("section", section := kept.get(page, page[0]))
    kept[page] = section
    words = sections.__getitem__
    selection.controlled(
        st.segmented_control, "Section", "section", section, list(sections), format_func=words, required=True
    )
    return section
