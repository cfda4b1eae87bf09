"""The Streamlit entry: navigation and one error boundary."""

import os

import streamlit as st

from explain.errors import ExplainError
from explain.ui import dropped, restore, selection, visit, visitor, widgets
from explain.ui.navigation import script

os.environ.setdefault("EXPLAIN_PROGRESS", "off")  # pages show it themselves
# A file of our own: an icon named here would be fetched from the internet.
st.set_page_config("explain", page_icon=widgets.ICON, layout="wide")
page = st.navigation(
    [
        st.Page(script("overview"), title="Overview", icon=":material/account_tree:", default=True),
        st.Page(script("models"), title="Models and data", icon=":material/deployed_code:"),
        st.Page(script("anatomy"), title="Anatomy", icon=":material/straighten:"),
        st.Page(script("filters"), title="Filters", icon=":material/grid_view:"),
        st.Page(script("activations"), title="Activations", icon=":material/layers:"),
        st.Page(script("patches"), title="Patches", icon=":material/apps:"),
        st.Page(script("saliency"), title="Saliency", icon=":material/center_focus_strong:"),
        st.Page(script("gallery"), title="Gallery", icon=":material/photo_library:"),
        st.Page(script("neighbours"), title="Neighbours", icon=":material/compare:"),
        st.Page(script("embedding"), title="Embedding", icon=":material/scatter_plot:"),
        st.Page(script("train"), title="Training", icon=":material/model_training:"),
        st.Page(script("study"), title="Study", icon=":material/psychology_alt:"),
        st.Page(script("report"), title="Report", icon=":material/description:"),
    ],
    expanded=True,
)
visitor.admit()
selection.start(page.url_path)
visit.bound()
dropped.still_used()
if said := visit.overrun():
    widgets.show_error(said)
try:
    restore.follow()
except ExplainError as error:
    widgets.show_error(error)
try:
    widgets.choose_model_and_picture()
except ExplainError as error:
    st.title(page.title)
    widgets.show_error(error)
else:
    try:
        page.run()
    except ExplainError as error:
        widgets.show_error(error)
try:
    visitor.show()
except ExplainError as error:
    widgets.show_error(error)
selection.finish()
