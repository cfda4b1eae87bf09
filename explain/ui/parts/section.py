"""Which part of a page is shown, by a row of all its parts."""

from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from explain.ui import selection

__all__ = ["choose_section"]

NONE: Mapping[str, Mapping[str, str]] = MappingProxyType({})


def choose_section(sections: Mapping[str, str], within: Mapping[str, Mapping[str, str]] = NONE) -> str:
    """Names by what the URL calls them; the first where none is asked for.

    within: what a section consists of, in a row of its own; then the URL has the name of the part.
    """
    kept = st.session_state.setdefault("sections", {})  # of each page, as all have one name for it in the URL
    page = tuple(sections)
    parts = {name: within.get(name, {name: sections[name]}) for name in sections}
    whole = {part: name for name in sections for part in parts[name]}
    section = str(selection.get("section", kept.get(page, next(iter(whole)))))
    if section not in whole:
        selection.say_unknown("section", section)
        selection.choose("section", section := kept.get(page, next(iter(whole))))
    kept[page] = kept[page, whole[section]] = section
    if not within:
        _row("Section", section, sections)
        return section
    st.session_state["_sections"] = whole[section]

    def changed() -> None:
        name = st.session_state["_sections"]
        selection.choose("section", kept.get((page, name), next(iter(parts[name]))))

    st.segmented_control(
        "Section", list(sections), format_func=sections.__getitem__, key="_sections", on_change=changed, required=True
    )
    if len(parts[whole[section]]) > 1:
        _row(sections[whole[section]], section, parts[whole[section]])
    return section


def _row(label: str, section: str, words: Mapping[str, str]) -> None:
    selection.controlled(
        st.segmented_control, label, "section", section, list(words), format_func=words.__getitem__, required=True
    )
