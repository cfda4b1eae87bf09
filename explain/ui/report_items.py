"""The figures that a visitor has collected for a report, kept in the workspace with each change."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import streamlit as st

from explain.errors import ExplainError
from explain.figure import Figure
from explain.workspace.report import Entry, Report
from explain.workspace.reports import forget_report, keep_report, kept_reports

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
        _keep()


def report() -> list[Collected]:
    """The figures collected so far, in their order."""
    collected: list[Collected] = st.session_state.setdefault("report", [])
    return collected


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
    _add(figure, caption, name)
    _keep()
    return True


def move(number: int, by: int) -> None:
    """Move a figure of the report up (-1) or down (1)."""
    entries = report()
    at = next(k for k, entry in enumerate(entries) if entry.number == number)
    entries.insert(min(max(at + by, 0), len(entries)), entries.pop(at))
    _keep()


def remove(number: int) -> None:
    """Take a figure out of the report."""
    st.session_state.report = [entry for entry in report() if entry.number != number]
    _keep()


def report_title(title: str | None = None) -> str:
    """The report's title; a new one where it is given."""
    if title is not None:
        st.session_state.report_title = title
        _keep()
    return str(st.session_state.get("report_title", "What the network sees"))


def whole() -> Report:
    """The report as it is now."""
    return Report(report_title(), [Entry(entry.figure, entry.caption, entry.name) for entry in report()])


def go_on(name: str, drawn: Callable[[dict[str, Any]], Figure]) -> list[str]:
    """Take up a report that was kept, each figure drawn again of its facts; why some cannot be, and then it stays as it
    was, too."""
    kept, notes = kept_reports().get(name), []
    if kept is None:
        return ["This report has been removed."]
    for one in kept.entries[:MOST_COLLECTED]:
        try:
            _add(drawn(one["facts"]), one["caption"], one["name"])
        except ExplainError as error:
            notes.append(f"{one['caption']}: {error}")
    report_title(kept.title)  # which keeps it
    if not notes:
        forget_report(name)
    return notes


def _add(figure: Figure, caption: str, name: str) -> None:
    number = st.session_state["collected"] = st.session_state.get("collected", 0) + 1
    report().append(Collected(figure, caption, name, number))


def _keep() -> None:
    name = st.session_state.setdefault("report-kept-as", secrets.token_hex(8))
    with suppress(ExplainError):  # it is of this visit only where nothing can be written
        keep_report(name, whole())
