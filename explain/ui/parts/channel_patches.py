"""The patches of many pictures that excite the channels of a layer most, a row a channel; dead and equal channels."""

from pathlib import Path
from typing import Any

import streamlit as st

from explain.index import Index
from explain.network.model import Model
from explain.ui import caches, choices, selection, widgets
from explain.ui.parts.among import looked_through
from explain.ui.parts.channel_link import link_to_channel
from explain.ui.parts.layer_strip import choose_layer
from explain.ui.text import literal
from explain.views import VIEWS, patches

__all__ = ["show_patches"]

ROWS = 12


def show_patches(model: Model) -> None:
    strip = st.container()
    index = widgets.index_of_set(model)
    if index is None:
        selection.stop()

    with widgets.row("controls"):
        controls = st.columns([4, 2, 3, 2, 3], vertical_alignment="bottom")
    layers = [model.layer(name) for name in index.layers]
    half = model.preprocess.size[0] / 2
    small = [one.name for one in layers if one.receptive_field and max(one.receptive_field) <= half]
    with controls[0]:
        # Of the layers that see a part of the picture, the one that sees most of it.
        layer = choose_layer(model, layers, small[-1] if small else None, strip)
    view = VIEWS["patches"]
    given: dict[str, Any] = {"index": index, "layer": layer}
    style: dict[str, Any] = {}
    with controls[1]:
        given["ranking"] = choices.option(view, "ranking", "Patches", str.capitalize)
    count = model.layer(layer).channels
    # Where no layer was chosen, the channel is one of what another section shows by default.
    chosen = -1 if selection.get("layer") is None else selection.number("channel", -1, -1, count)
    with controls[2]:
        given["where"] = choices.among(view, index)
    with controls[3]:
        pages = -(-count // ROWS)
        # The page of the chosen channel, until another is asked for.
        page = selection.number("page", chosen // ROWS + 1 if 0 <= chosen < count else 1, 1, pages)
        page = int(selection.controlled(st.number_input, f"Page of {pages}", "page", page, 1, pages))
    with controls[4]:
        style["whole"] = choices.option(view, "whole", "Whole pictures")
    if given["ranking"] != "best":
        given["per_picture"] = 1  # the others rank whole pictures
    choices.more(view, given, style)
    if given["where"] and not looked_through(index, layer, given["where"]):
        selection.stop()

    shown = given["channels"] or list(range((page - 1) * ROWS, min(page * ROWS, count)))
    given["channels"] = shown
    result = caches.computed(view, given)
    panel, values, owners = patches.wall(result, whole=style["whole"])
    if not 0 <= chosen < count:
        living = [one for one in result.channels if one not in result.dead]
        selection.choose("channel", chosen := (living or result.channels)[0])
    rank = selection.number("patch", 0, 0, result.count - 1)
    selected = owners.index(chosen) + rank if chosen in owners else None
    st.caption(literal(patches.describe(result)))
    said = f"channels {shown[0]} to {shown[-1]}" if shown == list(range(shown[0], shown[-1] + 1)) else "these channels"
    clicked = widgets.show_gallery(
        panel,
        f"patches-{model.name}-{layer}-{shown}-{result.ranking}-{style['whole']}-{given['per_picture']}",
        selected,
        values,
        f"Patches of {said} of {layer}, a row each",
        rows_of=result.count,
        wall=f"patches-{model.name}-{layer}-{style['whole']}",
    )
    if clicked is not None:
        selection.choose("layer", layer)
        selection.choose("channel", owners[clicked])
        selection.choose("patch", clicked % result.count)
        st.rerun()
    st.subheader(f"Channel {chosen}")
    table = result.cuts.table
    for k in result.cuts.where(channel=chosen, rank=rank + 1):
        (i, j), box, source = table["position"][k], table["box"][k], table["source_box"][k]
        told = f"Channel {chosen}, {table['score'][k]:.4g}: {Path(table['file'][k]).name} (picture {table['image'][k]})"
        told += f", unit at row {i}, column {j}"
        told += "" if box is None else f"; input rows {box[0]} to {box[2]}, columns {box[1]} to {box[3]}"
        told += "" if source is None else f"; file rows {source[0]} to {source[2]}, columns {source[1]} to {source[3]}"
        st.caption(literal(f"{told}. {patches.classes(table['label'][k], table['prediction'][k])}."))
    link_to_channel(chosen)
    choices.show(view, given, style, result.figure(**style), f"Export {said}")
    _show_health(index, layer)


def _show_health(index: Index, layer: str) -> None:
    health = {"index": index, "layer": layer}
    counted = caches.computed(VIEWS["channel_health"], health)
    with st.expander(f"Dead and duplicate channels: {len(counted.dead)} and {len(counted.duplicates)}"):
        listed = counted.figure()
        st.caption(literal(listed.note))
        if counted.table["channel"]:
            widgets.show_table(counted.table)
        choices.show(VIEWS["channel_health"], health, {}, listed, "Export this list")
