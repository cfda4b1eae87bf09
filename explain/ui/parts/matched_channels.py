"""Channels of two networks that go together, each with the pictures that excite it most."""

from collections.abc import Sequence

import streamlit as st

from explain import workspace
from explain.figure import Panel
from explain.index import Index
from explain.network.model import Model
from explain.ui import caches, jobs, selection, widgets
from explain.ui.navigation import script
from explain.ui.parts.layer_strip import graph_of
from explain.ui.text import literal
from explain.views import VIEWS
from explain.views.cka import Cka
from explain.views.parts import cut

__all__ = ["show_matched"]

PAIRS = 6
ICON = ":material/filter_center_focus:"


def show_matched(result: Cka, first: Model, second: Model, pictures: str) -> None:
    """The pairs that correlate most, a row each; each network needs an index over these pictures."""
    st.subheader("What excites them")
    asked = ((first, result.facts["layer"], result.channels), (second, result.facts["second_layer"], result.partners))
    with widgets.row("split-matched"):
        cells = st.columns(2, gap="medium")
    sheets = []
    for cell, (model, layer, channels) in zip(cells, asked, strict=True):
        with cell:
            st.markdown(f"**{literal(f'{model.name}, {layer}')}**")
            index = _index_of(model, pictures)
            sheets.append([] if index is None else _patches(index, layer, channels[:PAIRS].tolist()))
    for k in range(max(map(len, sheets))):
        with widgets.row(f"split-matched-{k}"):
            cells = st.columns(2, gap="medium")
        for cell, (model, layer, channels), own in zip(cells, asked, sheets, strict=True):
            if own:
                with cell:
                    number = int(channels[k])
                    chosen = {"model": model.name, "layer": layer, "channel": str(number)}
                    words = f"Channel {number} · correlation {result.correlations[k]:.2f}"
                    st.page_link(script("channel"), label=words, icon=ICON, query_params=chosen)
                    widgets.show_picture(own[k].image, f"Best patches of channel {number} of {layer}")


def _index_of(model: Model, pictures: str) -> Index | None:
    """None until the pictures have been looked through, which is offered."""
    found = workspace.list_indexes(model)
    if pictures in found:
        return caches.index(model, found[pictures])
    known = jobs.find(widgets.index_key(model, pictures)) is not None
    if known or st.button(f"Look through {literal(pictures)}", key=f"look-{model.name}", icon=":material/search:"):
        job = widgets.index_job(model, pictures)
        if jobs.show(job, f"Index {pictures} with {model.name}"):
            jobs.forget(job.key)
            selection.again()
    return None


def _patches(index: Index, layer: str, channels: Sequence[int]) -> list[Panel]:
    """A row of patches for each channel; none where the index has nothing of the layer, nor of its convolution."""
    graph = graph_of(index.model)
    alike = [layer, *(graph.folded_with(layer) if graph else ())]  # the norm and the activation of a convolution
    known = next((one for one in alike if one in index.layers), None)
    if known is None or index.model.layer(known).channels <= max(channels):
        st.caption(literal(f"The index has nothing of {layer}; it looks at what convolutions give."))
        return []
    made = caches.computed(
        VIEWS["patches"], {"index": index, "layer": known, "channels": list(dict.fromkeys(channels))}
    )
    numbers = [made.cuts.where(channel=channel) for channel in channels]
    return [cut.row_panel(made.cuts, own, max(len(own), 1)) for own in numbers]
