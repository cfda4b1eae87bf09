"""Toasts that are not lost: Streamlit throws away what a run has said where another begins at once.

So they are kept until a run has come to its end; one that was overtaken says them again.
"""

from __future__ import annotations

from typing import Any

import streamlit as st


def add(text: str, icon: str, **options: Any) -> None:
    """Say it at the end of this run, or of the next one that comes to its end. `options` are of `st.toast`."""
    kept, toast = st.session_state.setdefault("toasts", []), (text, {"icon": f":material/{icon}:", **options})
    if toast not in kept:  # an overtaken run has said it too
        kept.append(toast)


def show() -> None:
    """At the end of a run of the whole page: what is said is done with."""
    for text, options in st.session_state.pop("toasts", []):
        st.toast(text, **options)
