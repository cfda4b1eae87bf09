"""The figures that a visitor has collected for a report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import streamlit as st

from explain.figure import Figure

MOST_COLLECTED = 40
MOST_BYTES = 200 << 20  # of pixels and numbers, which a visit holds in memory


@dataclass(eq=False)
class Collected:
    """A figure in the report that this visitor is making."""

    figure: Figure
    caption: str
    name: str
    number: int

    @cached_property
    def preview(self) -> bytes:
        """A small PNG, drawn once."""
        return self.figure.encode("png", width_mm=120, dpi=75)

    def describe(self, caption: str) -> None:
        self.caption = caption


def report() -> list[Collected]:
    """The figures collected so far, in their order."""
    return st.session_state.setdefault("report", [])


def full() -> str:
    """Why no more figures can be collected; empty where they can."""
    entries = report()
    if len(entries) >= MOST_COLLECTED:
        return f"The report is full: it has {MOST_COLLECTED} figures. Remove some on its page."
    if sum(_bytes(entry.figure) for entry in entries) >= MOST_BYTES:
        return f"The report is full: its figures take {MOST_BYTES >> 20} MB. Remove some on its page."
    return ""


def _bytes(figure: Figure) -> int:
    """What a figure holds of pixels and numbers."""
    pixels = (getattr(panel, "image", None) for panel in figure.panels)
    return sum(getattr(held, "nbytes", 0) for held in (*pixels, *figure.arrays.values()))


def collect(figure: Figure, caption: str, name: str) -> bool:
    """Add a figure to the report; False when that is full."""
    if full():
        return False
    entries = report()
    number = st.session_state["collected"] = st.session_state.get("collected", 0) + 1
    entries.append(Collected(figure, caption, name, number))
    return True


def move(number: int, by: int) -> None:
    """Move a figure of the report up (-1) or down (1)."""
    entries = report()
    at = next(k for k, entry in enumerate(entries) if entry.number == number)
    entries.insert(min(max(at + by, 0), len(entries)), entries.pop(at))


def remove(number: int) -> None:
    """Take a figure out of the report."""
    st.session_state.report = [entry for entry in report() if entry.number != number]


def report_title(title: str | None = None) -> str:
    """The report's title; a new one where it is given."""
    if title is not None:
        st.session_state.report_title = title
    return st.session_state.get("report_title", "What the network sees")
