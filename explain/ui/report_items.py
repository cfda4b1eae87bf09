"""The report that a visitor collects: it lies in the workspace, so that all their pages, tabs and visits share it.

What of it a visit has drawn stays with the visit, as far as there is room; the rest is drawn again of its facts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from explain.errors import ExplainError
from explain.figure import Figure, Paper
from explain.figure.facts import facts_json
from explain.workspace.reports import Item, KeptReport, change_report, kept_report

MOST_COLLECTED = 40
MOST_BYTES = 200 << 20  # of pixels and numbers, which a visit holds in memory


def report() -> KeptReport:
    """The report as it is now; empty where nobody may ask."""
    unkept: KeptReport | None = st.session_state.get("report-unkept")
    try:
        return unkept or kept_report()
    except ExplainError:  # who has not signed in has none
        return KeptReport()


def full() -> str:
    """Why no more figures can be collected; empty where they can."""
    if len(report().items) >= MOST_COLLECTED:
        return f"The report is full: it has {MOST_COLLECTED} figures. Remove some on its page, or begin another there."
    return ""


def holds(figure: Figure) -> bool:
    """Whether the figure is in the report, whatever its look on paper."""
    return any(_but_paper(one.facts) == _but_paper(figure.facts) for one in report().items)


def collect(figure: Figure, name: str) -> None:
    """Add a figure to the report; none to a full one."""
    if full():
        return
    title = figure.heading
    one = Item(figure.facts, title, title or figure.title, name, secrets.token_hex(8))
    _change(lambda items: (*items, one))
    hold(one, figure)


def move(key: str, by: int) -> None:
    """Move a figure of the report up (-1) or down (1)."""

    def moved(items: Sequence[Item]) -> Sequence[Item]:
        others, at = list(items), _place(items, key)
        others.insert(min(max(at + by, 0), len(others)), others.pop(at))
        return others

    _change(moved)


def remove(key: str) -> None:
    """Take a figure out of the report; `undo` puts it back."""
    items = report().items
    at = _place(items, key)
    st.session_state["report-removed"] = at, items[at]
    _change(lambda items: [one for one in items if one.key != key])


def removed() -> Item | None:
    """What was removed last, on this page."""
    one: Item | None = st.session_state.get("report-removed", (0, None))[1]
    return one


def undo() -> None:
    """Put back what was removed last, where it was."""
    at, one = st.session_state.pop("report-removed")
    _change(lambda items: (*items[:at], one, *items[at:]))


def describe(key: str, caption: str) -> None:
    _change(lambda items: [replace(one, caption=caption) if one.key == key else one for one in items])


def entitle(key: str, title: str) -> None:
    """Another title of a figure, which is drawn in it."""
    _change(lambda items: [one.entitled(title) if one.key == key else one for one in items])


def rename(title: str) -> None:
    """Another title of the report."""
    _keep(lambda report: replace(report, title=title))


def hold(item: Item, figure: Figure) -> None:
    """Keep a figure as long as the visit lasts, if there is room beside the others of the report."""
    there = {one.key for one in report().items}
    held = {key: one for key, one in st.session_state.get("report-figures", {}).items() if key in there}
    if sum(map(_bytes, held.values())) + _bytes(figure) <= MOST_BYTES:
        held[item.key] = figure
    st.session_state["report-figures"] = held


def held(item: Item) -> Figure | None:
    """The figure, if this visit has drawn it, in the look that the report has of it."""
    figure: Figure | None = st.session_state.get("report-figures", {}).get(item.key)
    paper = item.facts.get("paper", {})
    return figure and replace(figure, paper=Paper()).on(**paper)


def _change(change: Callable[[Sequence[Item]], Sequence[Item]]) -> None:
    _keep(lambda report: replace(report, items=tuple(change(report.items))))


def _keep(change: Callable[[KeptReport], KeptReport]) -> None:
    state = st.session_state
    try:
        if "report-unkept" not in state:
            change_report(change)
            return
    except ExplainError:  # it is of this visit only where nothing can be written
        pass
    state["report-unkept"] = change(report())


def _place(items: Sequence[Item], key: str) -> int:
    return next((place for place, one in enumerate(items) if one.key == key), 0)


def _but_paper(facts: Mapping[str, Any]) -> str:
    return facts_json({name: value for name, value in facts.items() if name != "paper"})


def _bytes(figure: Figure) -> int:
    """What a figure holds of pixels and numbers."""
    pixels = (getattr(panel, "image", None) for panel in figure.panels)
    return sum(getattr(held, "nbytes", 0) for held in (*pixels, *figure.arrays.values()))
