"""A visitor's answers to a study."""

from __future__ import annotations

import secrets
import time

import streamlit as st


def answers(asked: str) -> list[tuple[bool, float]]:
    """This visitor's answers to a study so far, each with its seconds."""
    kept: list[tuple[bool, float]] = st.session_state.setdefault("answers", {}).setdefault(asked, [])
    return kept


def shown_since(asked: str, number: int) -> float:
    """When this visitor was first shown a question of a study, by the monotonic clock."""
    since: float = st.session_state.setdefault("shown", {}).setdefault((asked, number), time.monotonic())
    return since


def visitor() -> str:
    """A name for this visit that says nothing of who it is."""
    name: str = st.session_state.setdefault("visitor", secrets.token_hex(6))
    return name
