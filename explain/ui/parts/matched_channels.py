"""Channels of two networks that go together, each with the pictures that excite it most."""

from collections.abc import Sequence

import streamlit as st

from explain import workspace
from explain.figure import Panel
from explain.index import Index
from explain.index.build import default_layers
from explain.network.model import Model
from explain.ui import caches, jobs, selection, widgets
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
    sheets: list[list[Panel]] = []
    indexes: dict[str, Index | None] = {}  # a network may be matched with itself
    for cell, (model, layer, channels) in zip(cells, asked, strict=True):
        with cell:
            st.markdown(f"**{literal(f'{model.name}, {layer}')}**")
            known = _indexed(model, layer)
            if known is None:
                st.caption(f"What excites channels is known of what convolutions give; {literal(layer)} is none.")
            elif model.name not in indexes:
                indexes[model.name] = _index_of(model, pictures)
            index = indexes.get(model.name)
            sheets.append([] if known is None or index is None else _patches(index, known, channels[:PAIRS].tolist()))
    for k in range(max(map(len, sheets))):
        with widgets.row(f"split-matched-{k}"):
            cells = st.columns(2, gap="medium")
        for side, (cell, (model, layer, channels), own) in enumerate(zip(cells, asked, sheets, strict=True)):
            if own:
                with cell:
                    number = int(channels[k])
                    words = literal(f"Channel {number} of {layer} · correlation {result.correlations[k]:.2f}")
                    if st.button(words, key=f"go-{side}-{k}", icon=ICON, type="tertiary"):
                        chosen = {"model": model.name, "index": pictures, "layer": layer, "channel": str(number)}
                        selection.go("channel", chosen)
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


def _indexed(model: Model, layer: str) -> str | None:
    """The layer, or the convolution that it is the norm or the activation of; None where an index has neither."""
    graph = graph_of(model)
    alike = [layer, *(graph.folded_with(layer) if graph else ())]
    known, count = default_layers(model), model.layer(layer).channels
    return next((one for one in alike if one in known and model.layer(one).channels == count), None)


def _patches(index: Index, layer: str, channels: Sequence[int]) -> list[Panel]:
    """A row of patches for each channel; none where the index was built without the layer."""
    if layer not in index.layers:
        st.caption(f"The index was built without {literal(layer)}.")
        return []
    asked = {"index": index, "layer": layer, "channels": list(dict.fromkeys(channels))}
    made = caches.computed(VIEWS["patches"], asked)
    numbers = [made.cuts.where(channel=channel) for channel in channels]
    return [cut.row_panel(made.cuts, own, max(len(own), 1)) for own in numbers]
