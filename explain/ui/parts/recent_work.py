"""What was done last in this workspace: its indexes of the network, its trainings, the report that is being written."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from explain import workspace
from explain.network.model import Model
from explain.ui import report_items, selection
from explain.ui.navigation import script
from explain.ui.text import literal

__all__ = ["show"]

MOST = 5


class Done(NamedTuple):
    when: float
    label: str
    icon: str
    page: str
    chosen: dict[str, str]


def show(model: Model) -> None:
    """The latest first, each a way back to it; nothing where nothing was done."""
    found = sorted(_done(model), reverse=True)[:MOST]
    count = len(report_items.report().items)
    if not found and not count:
        return
    st.subheader("What was done last")
    if count:
        label = f"The report: {count} figure{'s' if count > 1 else ''}"
        st.page_link(script("report"), label=label, icon=":material/description:")
    for k, one in enumerate(found):
        if st.button(literal(one.label), key=f"done-{k}", type="tertiary", icon=f":material/{one.icon}:"):
            for name, value in one.chosen.items():
                selection.choose(name, value)
            st.switch_page(script(one.page))


def _done(model: Model) -> list[Done]:
    found = []
    for name, folder in workspace.list_indexes(model).items():
        label = f"{model.name} over {name}: its pictures as a map"
        found.append(Done(_when(folder), label, "scatter_plot", "pictures", {"index": name, "section": "embedding"}))
    for name, folder in workspace.list_runs().items():
        found.append(Done(_when(folder), f"Training {name}", "model_training", "train", {"runs": name}))
    return found


def _when(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # just removed
        return 0.0
