"""Where pictures have no labels, so that nothing is right or wrong: a network whose pictures have some."""

import streamlit as st

from explain.ui import selection

__all__ = ["LABELLED", "offer_labelled"]

LABELLED = "small-resnet-fashion-mnist"
"""Ships with pictures that have labels."""


def offer_labelled(model: str) -> None:
    if model != LABELLED and st.button(f"Do it with {LABELLED}", icon=":material/play_arrow:"):
        selection.choose("model", LABELLED)
        selection.choose("index", "")
        selection.again()
