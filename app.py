"""The Streamlit entry: navigation and one error boundary."""

import os

import streamlit as st

from explain.errors import ExplainError
from explain.ui import dropped, restore, selection, visit, visitor, widgets

os.environ.setdefault("EXPLAIN_PROGRESS", "off")  # pages show it themselves
# A file of our own: an icon named here would be fetched from the internet.
st.set_page_config("explain", page_icon=widgets.ICON, layout="wide")
page = st.navigation(
    [
        st.Page("explain/ui/pages/overview.py", title="Overview", icon=":material/account_tree:", default=True),
        st.Page("explain/ui/pages/models.py", title="Models and data", icon=":material/deployed_code:"),
        st.Page("explain/ui/pages/anatomy.py", title="Anatomy", icon=":material/straighten:"),
        st.Page("explain/ui/pages/filters.py", title="Filters", icon=":material/grid_view:"),
        st.Page("explain/ui/pages/activations.py", title="Activations", icon=":material/layers:"),
        st.Page("explain/ui/pages/patches.py", title="Patches", icon=":material/apps:"),
        st.Page("explain/ui/pages/saliency.py", title="Saliency", icon=":material/center_focus_strong:"),
        st.Page("explain/ui/pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("explain/ui/pages/neighbours.py", title="Neighbours", icon=":material/compare:"),
        st.Page("explain/ui/pages/embedding.py", title="Embedding", icon=":material/scatter_plot:"),
        st.Page("explain/ui/pages/train.py", title="Training", icon=":material/model_training:"),
        st.Page("explain/ui/pages/study.py", title="Study", icon=":material/psychology_alt:"),
        st.Page("explain/ui/pages/report.py", title="Report", icon=":material/description:"),
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
