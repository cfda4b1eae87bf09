"""What a network gets wrong on a labelled set, why, and what to do about it; an index is enough."""

from functools import partial
from typing import Any

import streamlit as st

from explain import workspace
from explain.errors import BadValue, NotSupported
from explain.index import Index
from explain.ui import caches, selection, widgets
from explain.ui.parts.labelled import offer_labelled
from explain.ui.parts.section import choose_section
from explain.ui.parts.whole_view import Shown, show_pictures, show_view
from explain.ui.text import literal
from explain.views import VIEWS, View

SECTIONS = {
    "fixes": "What to fix",
    "confusion": "Confusions",
    "label_errors": "Suspected labels",
    "slices": "Where mistakes cluster",
    "calibration": "Is it too sure?",
    "duplicates": "Duplicates",
    "outliers": "Outliers",
    "influence": "Pictures behind an answer",
}
OPENING = {"confusion": "a cell", "calibration": "a point or a bar"}  # has pictures
MOST = 60  # pictures of a part
TRAIN = "train"  # the parameter of a second index, that of the pictures learned from

model, picture = caches.model(), caches.picture()


def choose_train(view: View, index: Index) -> Index | None:
    """The index of the pictures that the network has learned from, if there is one to choose."""
    found = {name: folder for name, folder in workspace.list_indexes(model).items() if folder != index.folder}
    if not found:
        return None
    key = view.key(TRAIN)
    chosen = str(selection.get(key, ""))
    chosen = next((name for name, folder in found.items() if chosen in (name, folder.name)), "")
    selection.controlled(
        st.selectbox,
        "Pictures it has learned from",
        key,
        chosen,
        ["", *found],
        format_func=lambda name: name or "not said",
        help="An index over them finds pictures that are in both sets, and what is unlike all it has learned.",
    )
    return caches.index(model, found[chosen]) if chosen else None


def show_part(index: Index, shown: Shown) -> None:
    """The pictures of the cell or the bin that was chosen last."""
    key = f"{view.name}.at"
    if shown.style["part"] not in ("matrix", "reliability"):
        return
    if shown.spot is not None:
        selection.choose(key, "{:g},{:g}".format(*shown.spot.at))
        selection.again()
    try:
        x, y = map(float, str(selection.get(key, "")).split(","))
    except ValueError:
        st.caption(f"Click {OPENING[section]} to see its pictures.")
        return
    result, most = shown.result, {"most": shown.style["most"]} if section == "confusion" else {}
    words, images = result.images_at((x, y), **most)
    st.subheader(literal(f"{words}: {len(images):,}"))
    show_pictures(index, images[:MOST].tolist(), f"{section}-part")
    if len(images) > MOST:
        st.caption(f"The {MOST} of which it is surest.")


st.title("Mistakes")
section = choose_section(SECTIONS)
index = widgets.index_of_set(model)
if index is None:
    selection.stop()
view = VIEWS[section]
given: dict[str, Any] = {"index": index}
if TRAIN in view.parameters:
    given[TRAIN] = choose_train(view, index)
if "image" in view.parameters:
    given["image"] = widgets.queried(index, picture)
try:
    below = partial(show_part, index) if section in OPENING else None
    show_view(view, given, SECTIONS[section], below=below)
except (BadValue, NotSupported) as error:  # a set without labels has no mistakes; other sections may do
    st.info(literal(str(error)), icon=":material/info:")
    offer_labelled(model.name)
