"""The Streamlit entry: navigation and one error boundary."""

import os

import streamlit as st

from explain.errors import ExplainError
from explain.ui import dropped, jobs, report_items, restore, selection, visit, visitor, widgets
from explain.ui.navigation import FIRST, script

os.environ.setdefault("EXPLAIN_PROGRESS", "off")  # pages show it themselves


def page(name: str, title: str, icon: str) -> st.Page:
    return st.Page(script(name), title=title, icon=f":material/{icon}:", default=name == FIRST)


in_report = len(report_items.report().items)
shown = st.navigation(
    {
        "": [
            page("start", "Start", "home"),
            page("walkthrough", "Walkthrough", "directions_walk"),
        ],
        "The network": [
            page("network", "Network", "account_tree"),
            page("layers", "Layers and channels", "layers"),
            page("channel", "One channel", "filter_center_focus"),
        ],
        "Why this class": [
            page("saliency", "Saliency", "center_focus_strong"),
            page("gallery", "Gallery", "gallery_thumbnail"),
        ],
        "Its pictures": [
            page("pictures", "Pictures", "photo_library"),
            page("robustness", "Robustness", "thunderstorm"),
            page("compare", "Compare", "balance"),
        ],
        "Your own": [
            page("models", "Models and data", "deployed_code"),
            page("train", "Training", "model_training"),
            page("report", f"Report ({in_report})" if in_report else "Report", "description"),
        ],
        "Lectures": [
            page("learn", "Learn", "school"),
            page("study", "Study", "psychology_alt"),
        ],
    },
    expanded=True,
)
# A file of our own: an icon named here would be fetched from the internet.
st.set_page_config(f"{shown.title} · explain", page_icon=widgets.ICON, layout="wide")
visitor.admit()
selection.start(shown.url_path)
visit.bound()
dropped.still_used()
if said := visit.overrun():
    widgets.show_error(said)
try:
    restore.follow()
except ExplainError as error:
    widgets.show_error(error)
try:
    widgets.choose_model_and_pictures()
except ExplainError as error:
    st.title(shown.title)
    widgets.show_error(error)
else:
    try:
        shown.run()
    except ExplainError as error:
        widgets.show_error(error)
with st.sidebar:
    jobs.show_at_work()
try:
    visitor.show()
except ExplainError as error:
    widgets.show_error(error)
selection.finish()
