"""Layers and channels: all channels of one layer, by their weights, by what they do with the picture, by the patches of
other pictures that excite them; and one picture through early, middle and late layers."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from explain.index import Index
from explain.ui import caches, selection, widgets
from explain.ui.parts.channel_maps import show_maps
from explain.ui.parts.channel_patches import show_patches
from explain.ui.parts.channel_weights import show_weights
from explain.ui.parts.hierarchy import show_hierarchy
from explain.ui.parts.paths import show_paths
from explain.ui.parts.relevance import show_relevance
from explain.ui.parts.section import choose_section

SECTIONS = {
    "activations": "On this picture",
    "filters": "Weights",
    "patches": "Patches of other pictures",
    "hierarchy": "From low to high",
    "paths": "Paths to an answer",
    "relevance": "Relevant for a class",
}
WITH_INDEX = {"hierarchy": show_hierarchy, "paths": show_paths, "relevance": show_relevance}
model, picture = caches.model(), caches.picture()


def show_with_index(show: Callable[[Index, Any], None]) -> None:
    index = widgets.index_of_set(model)
    if index is None:
        selection.stop()
    show(index, picture)


st.title("Layers and channels")
section = choose_section(SECTIONS)
if section == "activations":
    show_maps(model, picture)
elif section == "filters":
    show_weights(model)
elif section == "patches":
    show_patches(model)
else:
    show_with_index(WITH_INDEX[section])
