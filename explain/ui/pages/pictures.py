"""The pictures of a set in one browser: as a map, by who is near whom, by what they share, by what the network gets
wrong of them."""

import streamlit as st

from explain.ui import caches, selection, widgets
from explain.ui.parts.concepts import show_concepts
from explain.ui.parts.map_browser import show_map
from explain.ui.parts.mistakes import PARTS, show_mistakes
from explain.ui.parts.nearest import show_nearest
from explain.ui.parts.section import choose_section

SECTIONS = {"embedding": "Map", "neighbours": "Neighbours", "concepts": "Concepts", "mistakes": "Mistakes"}
model, picture = caches.model(), caches.picture()

st.title("Pictures")
section = choose_section(SECTIONS, {"mistakes": PARTS})
index = widgets.index_of_set(model)
if index is None:
    selection.stop()
if section == "embedding":
    show_map(index, picture)
elif section == "neighbours":
    show_nearest(index, picture)
elif section == "concepts":
    show_concepts(index, picture)
else:
    show_mistakes(section, index, picture)
