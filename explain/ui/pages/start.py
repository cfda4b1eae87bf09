"""Where one begins: what the network says of a picture and why, what one can do next, and what was done last."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from explain.figure import Grid, Panel
from explain.images import contact_sheet
from explain.network.model import Model
from explain.ui import caches, exports, selection, widgets
from explain.ui.glossary import explained
from explain.ui.navigation import script
from explain.ui.parts import first_answer, recent_work
from explain.ui.text import literal
from explain.workspace.pictures import open_named

SIDE, COLUMNS, SHOWN = 64, 4, 8
GROUND = (206, 210, 216)

model, picture = caches.model(), caches.picture()
scores = caches.cached(Model.scores, model, picture)[0]
name, how_sure = first_answer.sentence(model, scores)


@st.cache_data(max_entries=4, show_spinner=False)
def thumbnails(references: tuple[str, ...]) -> NDArray[np.uint8]:
    """One square a picture, (n, SIDE, SIDE, 3)."""
    opened = (open_named(reference) for reference in references)
    fitted = [ImageOps.fit(one.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS) for one in opened]
    return np.stack([np.asarray(one) for one in fitted])


def choose_another() -> None:
    """Some of the shipped pictures that suit the network, to click."""
    references = tuple(widgets.demo_references(model.preprocess.channels)[:SHOWN])
    names = [widgets.describe(one) for one in references]
    sheet = contact_sheet(thumbnails(references), COLUMNS, 2, 1, GROUND)
    panel = Panel(sheet, names=tuple(names), grid=Grid(COLUMNS, SIDE, SIDE, 2))
    chosen = selection.get("picture", caches.demo_picture(model))
    number = references.index(chosen) if chosen in references else None
    clicked = widgets.show_gallery(panel, "start", number, alt="Pictures to try")
    if clicked is not None and references[clicked] != chosen:
        selection.choose("picture", references[clicked])
        selection.again()


st.title(literal(f"{model.name} says {name}, {how_sure}"))
with widgets.row("split-answer"):
    pictures, right = st.columns([2, 1], gap="large")
with pictures, widgets.row("panels-answer"):
    left, middle = st.columns(2, gap="medium")
with left:
    seen = model.preprocess.shown(model.preprocess.crop(picture))
    widgets.show_picture(seen, "The picture as the network sees it")
    st.caption("What the network sees")
with middle:
    found = first_answer.first_map(model, picture)
    if found is None:
        st.info("A map of this network takes longer than a page may: ask for one below.", icon=":material/info:")
    else:
        widgets.show_picture(found.figure().panels[-1].image, f"{found.label} over the picture")
        where = literal(f"Where it sees {found.target.name}, by {found.label}.")
        st.caption(f"{where} Not checked yet.", help=explained("saliency map", "verdict"))
        exports.add_to_report(found.figure(), "first-answer")
with right:
    widgets.show_scores(caches.cached(Model.predict, model, picture)[0], model.head.has_chances)
    with st.container(horizontal=True):
        st.page_link(script("saliency"), label="See why", icon=":material/center_focus_strong:")
        st.page_link(script("walkthrough"), label="Walk through the network", icon=":material/directions_walk:")

st.subheader("Go on")
with widgets.row("split-cards"):
    photo, own, train = st.columns(3, gap="medium")
with photo, st.container(border=True, height="stretch"):
    st.markdown("**Try a photograph**")
    choose_another()
    more = len(widgets.demo_references(model.preprocess.channels)) - SHOWN
    st.caption(
        f"{more} more stand in the sidebar under Picture; or upload one there: any picture, or a figure that was saved "
        "here."
    )
with own, st.container(border=True, height="stretch"):
    st.markdown("**Bring your network and your pictures**")
    st.caption(
        "A checkpoint, a name of torchvision or timm, or any `nn.Module` by one line; a ZIP or folder of pictures, in "
        "folders by class if you have labels. Every page then speaks of them."
    )
    st.code("explain.wrap(net, classes)", "python")
    st.page_link(script("models"), label="Models and data", icon=":material/deployed_code:")
with train, st.container(border=True, height="stretch"):
    st.markdown("**Train one**")
    st.caption(
        "LeNet on Fashion-MNIST takes two minutes here; your own pictures are learned on the features of a trained "
        "network. You see it learn, and all pages can look into it at any epoch."
    )
    st.page_link(script("train"), label="Training", icon=":material/model_training:")
recent_work.show(model)
