"""Which part of a page is shown, by a row of all its parts."""

from collections.abc import Mapping

import streamlit as st

from explain.ui import selection
from explain.ui.navigation import script

__all__ = ["choose_section", "link_to_section"]


def choose_section(sections: Mapping[str, str], within: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Names by what the URL calls them; the first where none is asked for.

    within: what a section consists of, in a row of its own; then the URL has the name of the part.
    """
    kept = st.session_state.setdefault("sections", {})  # of each page, as all have one name for it in the URL
    page = tuple(sections)
    parts = {name: (within or {}).get(name, {name: sections[name]}) for name in sections}
    whole = {part: name for name in sections for part in parts[name]}
    usual = next(iter(whole))
    usual = usual if selection.is_by_address() else kept.get(page, usual)  # the browser's way back is an address
    section = str(selection.get("section", usual))
    if section in parts and section not in whole:  # one of several parts
        section = next(iter(parts[section]))
    if section not in whole:
        selection.say_unknown("section", section)
        section = usual
    st.session_state.selection["section"] = section  # so that each address of the browser's history names it
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


def link_to_section(page: str, section: str, label: str, icon: str | None = None) -> None:
    """Another page's part; no link by its address, which would start nothing that takes long."""
    if st.button(label, key=f"to-{page}-{section}", type="tertiary", icon=icon):
        selection.choose("section", section)
        st.switch_page(script(page))


def _row(label: str, section: str, words: Mapping[str, str]) -> None:
    selection.controlled(
        st.segmented_control, label, "section", section, list(words), format_func=words.__getitem__, required=True
    )
