from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from explain import workspace
from explain.columns import slices_of
from explain.data import ImageSet, is_here, list_images, printable
from explain.trust import CHECKED
from explain.ui import caches, choices, dropped, jobs, selection, widgets
from explain.ui.navigation import script
from explain.ui.parts import saliency_choices
from explain.ui.text import literal
from explain.views import VIEWS
from explain.workspace import picture_sets, runs
from explain.workspace.kept import Kept

VIEW, SALIENCY = VIEWS["gallery"], VIEWS["saliency"]
WORDS = "The maps of one method for many pictures, each as a file too. Click one to look at it closely on all pages."
WHICH = {"first": "the first", "spread": "spread over the set", "mistakes": "the surest mistakes"}
model = caches.model()
st.title("Gallery")
st.caption(WORDS)


def choose_images() -> ImageSet:
    """A set that is on this machine, or pictures that were uploaded as a ZIP."""
    uploaded = {reference: str(pictures) for reference, pictures in picture_sets.found().items()}
    names = [*(name for name in list_images() if is_here(name)), *uploaded]
    key = VIEW.key("images")
    chosen = selection.get(key, caches.demo_set(model))
    chosen = chosen if chosen in names else caches.demo_set(model)
    selection.controlled(
        st.selectbox, "Pictures", key, chosen, names, format_func=lambda name: uploaded.get(name, name)
    )
    return runs.images_of(chosen)


def choose_target() -> int | None:
    key = VIEW.key("target")
    text = str(selection.get(key, ""))
    chosen = str(model.target(text, None)) if text else ""  # says what is wrong with a class from the URL
    names = ["", *map(str, range(len(model.classes)))]
    selection.controlled(
        st.selectbox,
        "Class",
        key,
        chosen,
        names,
        format_func=lambda number: model.classes[int(number)] if number else "the predicted one",
    )
    return int(chosen) if chosen else None


def choose_region() -> str | None:
    """All of each picture, or where its class is predicted; a box or a mask of a figure stays as it is."""
    key = VIEW.key("region")
    text = str(selection.get(key, ""))
    kinds = {"": "over the whole picture", "predicted": "where it is predicted"}
    said = lambda one: kinds.get(one, "within the region of the figure")  # noqa: E731
    names = list(dict.fromkeys([*kinds, text]))
    selection.controlled(st.selectbox, "A class's score is its sum", key, text, names, format_func=said)
    return VIEW.parameters["region"].kind.parse(text, {"model": model}, caches.SessionOpener()) if text else None


def reference(images: ImageSet, number: int) -> str | None:
    """By what name all pages open a picture; None for one of somebody's own files."""
    if images.root is not None or images.name not in list_images():
        return None
    return f"{images.name}/{Path(images.files[number]).name if images.are_files else number}"


def take(images: ImageSet, number: int) -> None:
    """The picture as the one of all pages; a file of one's own is kept as an upload."""
    known = reference(images, number)
    if known is not None:
        selection.choose("picture", known)
    else:
        name = printable(Path(images.files[number]).name)
        dropped.take_picture(workspace.keep_upload(images.encoded(number), name), name)


with widgets.row("controls-what"):
    cells = st.columns(6, vertical_alignment="bottom")
with cells[0]:
    images = choose_images()
with cells[1]:
    name, key = selection.get(VIEW.key("method"), "grad_cam"), VIEW.key("method")
    entry = CHECKED[name if name in CHECKED else "grad_cam"]
    selection.controlled(
        st.selectbox, "Method", key, entry.name, list(CHECKED), format_func=lambda one: CHECKED[one].label
    )
with cells[2]:
    which, key = selection.get(VIEW.key("which"), "first"), VIEW.key("which")
    which = which if which in WHICH else "first"
    selection.controlled(st.selectbox, "Which", key, which, list(WHICH), format_func=WHICH.get)
with cells[3]:
    target = choose_target()
given = {"model": model, "images": images, "method": entry.name, "which": which, "target": target}
with cells[4]:
    given["count"] = choices.option(VIEW, "count", "How many")
with cells[5]:
    slices = [*slices_of(images.columns), *(f"label={name}" for name in images.classes)]
    given["where"] = choices.option(VIEW, "where", "Only those with", lambda one: one or "all pictures", slices)
given |= {"layer": None, "options": {}}
if model.head.is_segmentation:
    given["region"] = choose_region()
if entry.options or entry.takes("layer"):
    with st.expander(f"Options of {entry.label}"):
        given["layer"] = saliency_choices.choose_looked(model, VIEW.key("layer")) if entry.takes("layer") else None
        given["options"] = choices.entry_options(VIEW, given)
style: dict[str, Any] = {}
choices.more(VIEW, given, style, label="How they are drawn")

asked = VIEW.flat(given)
job = jobs.start(
    f"gallery {caches.identity(**asked)}", lambda progress: bool(VIEW(**asked, progress=progress, kept=Kept()))
)
if jobs.show(job, f"Draw the maps of {entry.label}"):
    result = caches.computed(VIEW, given)  # of what the job has kept
    figure = result.figure(**style)
    st.caption(literal(figure.title))
    (panel,) = figure.panels
    shown = [reference(images, tile.number) for tile in result.tiles]
    current = selection.get("picture")
    clicked = widgets.show_gallery(
        replace(panel, names=tuple(tile.name for tile in result.tiles)),
        f"gallery-{model.name}-{images.name}",
        shown.index(current) if current in shown else None,
        [tile.said.confidence_text for tile in result.tiles],
        figure.alt,
    )
    if panel.scale:
        widgets.show_scale(panel.scale)
    if clicked is not None:
        take(images, result.tiles[clicked].number)
        # The same map closely: what the saliency page is given is what was asked for here.
        alike = {name: given.get(name) for name in ("method", "layer", "options", "region")}
        alike["target"] = result.tiles[clicked].map.target.number
        for key, value in SALIENCY.keys(alike, {name: style[name] for name in SALIENCY.style}).items():
            if key not in ("model", "picture"):
                selection.choose(key, value)
        selection.choose("seen", str(result.tiles[clicked].number))
        selection.again()
    seen = selection.get("seen")
    tile = next((tile for tile in result.tiles if str(tile.number) == seen), None)
    if tile is None:
        st.caption("Click a picture to see its map closely.")
    else:
        st.caption(
            literal(f"{tile.file}: {tile.name}, {tile.said.confidence_text}. It is the picture of all pages now.")
        )
        st.page_link(script("saliency"), label="This map closely", icon=":material/center_focus_strong:")
    st.caption(literal(f"{figure.note} {entry.summary} {entry.caveat}"))
    choices.show(VIEW, given, style, figure)
