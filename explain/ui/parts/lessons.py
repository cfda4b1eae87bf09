"""Short lessons: what to look at, what to guess before, and the link to where it is."""

from typing import NamedTuple

import streamlit as st

from explain.ui.navigation import script

__all__ = ["LESSONS", "Lesson", "show_lessons"]

LITE, SMALL, LENET = "efficientnet-lite0", "small-resnet-fashion-mnist", "lenet-fashion-mnist"


class Lesson(NamedTuple):
    """`page` with what is chosen there; `ask` is to be guessed before one looks."""

    title: str
    words: str
    ask: str
    page: str
    chosen: dict[str, str]


LESSONS = (
    Lesson(
        "Filters nobody drew",
        "The first layer of a small network, trained on clothes. Each square is one filter, bright where it adds.",
        "Which of them would answer to a trouser leg?",
        "layers",
        {"model": "edges-fashion-mnist", "section": "filters"},
    ),
    Lesson(
        "One number by hand",
        "A window of the picture times a filter, added up: that is one number of the next map. Click another number.",
        "Where on the picture will the largest number be?",
        "walkthrough",
        {"model": LENET, "picture": "fashion-mnist/1", "step": "number"},
    ),
    Lesson(
        "From edges to eyes",
        "The same picture in an early, a middle and a late layer, with other pictures that excite the same channels.",
        "At which depth do the patches show things instead of patterns?",
        "layers",
        {"model": LITE, "picture": "photos/chelsea.png", "section": "hierarchy"},
    ),
    Lesson(
        "One channel",
        "All of one channel: where it fires, its best, random and lowest patches, and the answer without it.",
        "Does one word say what this channel is for? Look at the random patches as well.",
        "channel",
        {"model": LITE, "layer": "blocks.2.0.conv_pw", "channel": "5", "picture": "photos/chelsea.png"},
    ),
    Lesson(
        "Why a cat?",
        "Four methods asked why the network says cat. They do not agree.",
        "Which part of the picture would you cover to change the answer? Try it on the page.",
        "saliency",
        {
            "model": LITE,
            "picture": "photos/chelsea.png",
            "saliency.method": "grad_cam,gradient,integrated_gradients,guided_backprop",
        },
    ),
    Lesson(
        "A map that knows nothing",
        "An edge detector draws a convincing map without asking the network. Check it.",
        "What will the check say, and why?",
        "saliency",
        {"model": SMALL, "picture": "fashion-mnist/18", "saliency.method": "edges"},
    ),
    Lesson(
        "Alike to a network",
        "Every picture as a point: near means alike to the network. Colours are the classes.",
        "Which two classes lie in each other's way, and does it confuse them?",
        "pictures",
        {"model": SMALL, "section": "embedding", "embedding.method": "pca"},
    ),
    Lesson(
        "Sure and wrong",
        "How often a network is right when it says 90 %, and the mistakes of which it is surest.",
        "Is it too sure, or not sure enough?",
        "pictures",
        {"model": SMALL, "section": "calibration"},
    ),
    Lesson(
        "A gradient that fades",
        "Five layers of sigmoids. Train it on the first 2,000 pictures, look at Gradients, then train it with ReLU and "
        "He's weights (both under Network) and lay one run over the other.",
        "How much of the last layer's gradient comes back to the first, with either?",
        "train",
        {"recipe": "deep-sigmoid-fashion-mnist", "deep-sigmoid-fashion-mnist.limit": "2000"},
    ),
)


def show_lessons() -> None:
    st.caption("Ten minutes each: guess first, then look. Each is a link that can be handed on.")
    for number, lesson in enumerate(LESSONS, 1):
        with st.container(border=True):
            st.markdown(f"**{number}. {lesson.title}**")
            st.caption(lesson.words)
            st.markdown(f"*{lesson.ask}*")
            st.page_link(script(lesson.page), label="Look", icon=":material/arrow_forward:", query_params=lesson.chosen)
