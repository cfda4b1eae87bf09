"""How a network holds out against corrupted and shifted pictures: one picture to look at, many to measure."""

from typing import Any

import streamlit as st

from explain.data import is_here, list_images
from explain.ui import caches, selection
from explain.ui.parts.section import choose_section
from explain.ui.parts.whole_view import show_view
from explain.views import VIEWS

SECTIONS = {"corruptions": "This picture", "robustness": "Many pictures"}
WORK = {"corruptions": "Corrupt the picture", "robustness": "Corrupt many pictures"}

model, picture = caches.model(), caches.picture()
st.title("Robustness")
section = choose_section(SECTIONS)
view = VIEWS[section]
given: dict[str, Any] = {"model": model}
if section == "corruptions":
    given["image"] = picture
else:
    key = view.key("images")
    chosen = str(selection.get(key, caches.demo_set(model)))
    sets = [name for name in list_images() if is_here(name)]
    selection.controlled(st.selectbox, "Pictures", key, chosen, list(dict.fromkeys([*sets, chosen])))
    given["images"] = caches.SessionOpener().images(chosen)
show_view(view, given, WORK[section], "pictures")
