"""What a network gets wrong on a labelled set, why, and what to do about it; an index is enough."""

from functools import partial
from typing import Any

import streamlit as st
from PIL import Image

from explain import workspace
from explain.errors import BadValue, NotSupported
from explain.index import Index
from explain.ui import caches, selection, widgets
from explain.ui.parts.labelled import offer_labelled
from explain.ui.parts.whole_view import Shown, show_pictures, show_view
from explain.ui.text import literal
from explain.views import VIEWS, View

PARTS = {
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


def show_mistakes(part: str, index: Index, picture: Image.Image) -> None:
    """One of PARTS, each a view of that name."""
    view = VIEWS[part]
    given: dict[str, Any] = {"index": index}
    if TRAIN in view.parameters:
        given[TRAIN] = _choose_train(view, index)
    if "image" in view.parameters:
        given["image"] = widgets.queried(index, picture)
    try:
        below = partial(_show_chosen, view, index) if part in OPENING else None
        show_view(view, given, PARTS[part], below=below)
    except (BadValue, NotSupported) as error:  # a set without labels has no mistakes; other parts may do
        st.info(literal(str(error)), icon=":material/info:")
        offer_labelled(index.model.name)


def _choose_train(view: View, index: Index) -> Index | None:
    """The index of the pictures that the network has learned from, if there is one to choose."""
    model = index.model
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


def _show_chosen(view: View, index: Index, shown: Shown) -> None:
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
        st.caption(f"Click {OPENING[view.name]} to see its pictures.")
        return
    result, most = shown.result, {"most": shown.style["most"]} if view.name == "confusion" else {}
    words, images = result.images_at((x, y), **most)
    st.subheader(literal(f"{words}: {len(images):,}"))
    show_pictures(index, images[:MOST].tolist(), f"{view.name}-part")
    if len(images) > MOST:
        st.caption(f"The {MOST} of which it is surest.")
