"""The network as a strip of its layers, above all that speaks of one of them."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explain.errors import ExplainError
from explain.network.graph import Graph
from explain.network.model import Layer, Model
from explain.ui import selection, widgets
from explain.ui.graph import graph

__all__ = ["choose_in_graph", "choose_layer", "graph_of"]


def choose_layer(model: Model, layers: list[Layer], default: str | None, strip: DeltaGenerator) -> str:
    """One of these layers, by a list, or by a click in a strip above. A layer that is none of them gives way to one
    that is a node with it."""
    name = widgets.choose_layer(layers, default=default, graph=graph_of(model))
    with strip:
        choose_in_graph(model, name)
    return name


def graph_of(model: Model) -> Graph | None:
    """Which layer feeds which; None where that cannot be followed."""
    try:
        return model.graph
    except ExplainError:
        return None


def choose_in_graph(model: Model, shown: str | None = None) -> None:
    """A click makes a layer that of all pages; marked is the one shown, else the one chosen."""
    drawn = graph_of(model)
    if drawn is None or len(drawn.nodes) < 2:  # a scripted network shows no layers
        return
    chosen = graph(
        drawn,
        shown or selection.get("layer"),
        alt=f"The layers of {model.name}, from the input to the output",
        key=f"graph-{model.name}",
    )
    if chosen is not None:
        selection.choose("layer", chosen)
        st.rerun()
