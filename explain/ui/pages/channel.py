"""All of one channel on one page that can be linked: filter, where it fires, patches, responses, classes, ablation."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explain.attribution.units import UNIT_METHODS
from explain.errors import NotSupported
from explain.index import Index
from explain.network.model import Layer
from explain.ui import caches, choices, selection, widgets
from explain.ui.glossary import explained
from explain.ui.parts.among import choose_among
from explain.ui.parts.channel_drawn import show_drawn
from explain.ui.parts.channel_map import show_map
from explain.ui.parts.channel_named import show_names, show_notes
from explain.ui.parts.channel_wiring import show_wiring
from explain.ui.parts.layer_choice import indexed_layer
from explain.ui.parts.one_filter import show_filter
from explain.ui.text import literal
from explain.views import VIEWS, channel, filters, patches
from explain.views.parts import cut

model, picture = caches.model(), caches.picture()
layers = [one for one in (*model.layers, *model.blocks) if len(one.shape) in (1, 3)]


def choose_channel() -> tuple[Layer, int]:
    title = st.container()
    with widgets.row("controls"):
        left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        name = widgets.choose_layer(layers, default=indexed_layer(model))
    layer = next(one for one in layers if one.name == name)
    if selection.get("channel") is None:  # the one that answers most to this picture
        selection.choose("channel", caches.computed(VIEWS["activations"], _activations(layer)).strongest_first[0])
    number = selection.number("channel", 0, 0, layer.channels - 1)
    with right, st.container(horizontal=True, vertical_alignment="bottom"):
        label = f"Channel, of {layer.channels:,}"
        number = int(selection.controlled(st.number_input, label, "channel", number, 0, layer.channels - 1))
        for icon, words, to in (("chevron_left", "Previous", number - 1), ("chevron_right", "Next", number + 1)):
            off = not 0 <= to < layer.channels
            if st.button("", key=f"to-{words}", icon=f":material/{icon}:", disabled=off, help=f"{words} channel"):
                selection.choose("channel", to)
                selection.again()
    title.title(literal(f"Channel {number} of {layer.name}"))
    return layer, number


def _activations(layer: Layer) -> dict[str, Any]:
    return {"model": model, "image": picture, "layer": layer.name, "second": None}


def show_here(layer: Layer, number: int) -> None:
    """Where it fires on the picture."""
    st.subheader("On this picture", help=explained("activation"))
    given = _activations(layer)
    result = caches.computed(VIEWS["activations"], given)
    show_map(result, number, given, {}, "Export where it fires", "channel-here")


def show_own_filter(layer: Layer, number: int) -> None:
    view, given = VIEWS["filters"], {"model": model, "layer": layer.name}
    try:
        one = filters.pick(caches.computed(view, given), number)
    except NotSupported:
        return  # it has no weights
    st.subheader("Its filter", help=explained("filter", "weights"))
    show_filter(one, f"Filter {number} of {layer.name}")


@st.fragment
def show_unit(layer: Layer, number: int) -> None:
    view = VIEWS["unit"]
    st.subheader("What excites it here")
    asked: dict[str, Any] = {"model": model, "image": picture, "layer": layer.name, "channel": number}
    own: dict[str, Any] = {}
    with widgets.row("unit"):
        left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        entry = widgets.choose_entry(UNIT_METHODS, view.key("method"), "Method")
    right.caption(literal(entry.summary))
    asked["method"] = entry.name
    asked["options"] = choices.entry_options(view, asked)
    choices.more(view, asked, own)
    try:
        figure = caches.computed(view, asked).figure(**own)
    except NotSupported as error:  # the method's rule does not fit the layer; everything else here does
        st.info(literal(str(error)), icon=":material/info:")
        return
    widgets.show_panels(figure)
    st.caption(literal(figure.note))
    choices.show(view, asked, own, figure, "Export what excites it")


def show_data(index: Index, layer: Layer, number: int) -> None:
    """What an index knows of it, and the prediction without it."""
    view = VIEWS["channel"]
    asked: dict[str, Any] = {"index": index, "layer": layer.name, "channel": number}
    where = choose_among(view, index, layer.name)
    if where is None:
        return
    asked |= {"image": widgets.queried(index, picture), "where": where}
    drawn: dict[str, Any] = {}
    choices.more(view, asked, drawn, label="What it is set to, and the map on the picture")
    one = caches.computed(view, asked)
    figure = one.figure(**drawn)
    if one.dead:
        st.info(literal(f"Dead on these pictures: {one.dead}."), icon=":material/info:")
    show_patches(one, f"{model.name}-{layer.name}")
    charts, panels = channel.parts(figure)
    st.subheader("How strongly, and for which classes")
    with widgets.row("split-data"):
        left, right = st.columns(2, gap="large")
    with left:
        widgets.show_charts(charts, 1)
    with right:
        st.markdown(f"**{'Predicted classes' if one.classes.predicted else 'Classes'} it prefers**")
        means = {"class": one.classes.names, "mean of strongest": one.classes.means, "pictures": one.classes.images}
        widgets.show_table(means, height=260)
    st.subheader("Without it")
    with widgets.row("split-without"):
        left, middle, right = st.columns(3, gap="medium")
    with left:
        widgets.show_panels(replace(panels, panels=panels.panels[:1]), 1, "without")
    with middle:
        st.markdown("**Your picture, as it is**")
        widgets.show_scores(one.before)
    with right:
        st.markdown(f"**With channel {number} set to {'its mean' if asked['replace'] == 'mean' else '0'}**")
        widgets.show_scores(one.after)
    st.caption(literal(figure.note))
    choices.show(view, asked, drawn, figure, f"Export channel {number}")


def show_patches(one: channel.Channel, wall: str) -> None:
    kinds = [kind for kind in ("best", "random", "lowest") if one.cuts.where(ranking=kind)]
    if not kinds:
        return
    st.subheader("On other pictures", help=explained("patch", "receptive field"))
    with widgets.row("panels-patches"):
        columns = st.columns(len(kinds), gap="medium")
    for column, kind in zip(columns, kinds, strict=True):
        with column:
            st.markdown(f"**{kind.capitalize()} patches**")
            sheet = cut.row_panel(one.cuts, one.cuts.where(ranking=kind), 3)
            names = [patches.classes(*pair) for pair in one.cuts.pairs(ranking=kind)]
            widgets.show_gallery(
                replace(sheet, names=tuple(names)),
                f"channel-{wall}-{kind}",
                None,
                list(sheet.names),
                f"{kind.capitalize()} patches of channel {one.channel}",
                rows_of=3,
            )


layer, number = choose_channel()
show_here(layer, number)
show_own_filter(layer, number)
show_unit(layer, number)
index = widgets.offer_index(model)
if index is None:
    st.caption(
        "Its patches, how strongly it responds over many pictures, the classes it prefers and the prediction without "
        "it stand here once the network has looked through a set of pictures."
    )
elif layer.name in index.layers:
    show_data(index, layer, number)
    show_names(index, layer.name, number)
    show_wiring(index, layer.name, number, picture)
    show_drawn(index, layer.name, number)
else:
    names = [one.name for one in model.layers]
    before = names[: names.index(layer.name)] if layer.name in names else names
    nearest = next((name for name in reversed(before) if name in index.layers), index.layers[0])
    st.caption(literal(f"The index has nothing of {layer.name}: it looks at what convolutions give."))
    if st.button(f"Go to {literal(nearest)}", icon=":material/arrow_back:"):
        selection.choose("layer", nearest)
        selection.again()
show_notes(model, layer.name, number)
