from dataclasses import replace
from pathlib import Path

import streamlit as st

from explain.index import RANKINGS
from explain.ui import caches, choices, selection, widgets
from explain.ui.text import literal
from explain.views import VIEWS, channel, channel_health, patches
from explain.views.parts import cut

ROWS = 12


def show_hierarchy(index, picture) -> None:
    view = VIEWS["hierarchy"]
    given, style = {"index": index, "image": widgets.queried(index, picture)}, {}
    choices.more(view, given, style)
    figure = caches.computed(view, given).figure(**style)
    start, *rows = figure.panels
    widgets.show_panels(replace(figure, panels=(start,)))
    for panel in rows:
        st.markdown(f"**{literal(panel.title)}**")
        widgets.show_tiles(panel)
        if panel.scale:
            widgets.show_scale(panel.scale)
        st.caption(literal(panel.caption))
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure, "Export this picture through the network")


model, picture = caches.model(), caches.picture()
st.title("Patches")

with widgets.row("controls"):
    controls = st.columns([4, 3, 2, 2, 2], vertical_alignment="bottom")
with controls[0]:
    index = widgets.choose_index(model)
if index is None:
    selection.stop()

layers = [model.layer(name) for name in index.layers]
small = [one.name for one in layers if one.receptive_field and max(one.receptive_field) <= model.preprocess.size[0] / 2]
with controls[1]:
    # Of the layers that see a part of the picture, the one that sees most of it.
    layer = widgets.choose_layer(layers, default=small[-1] if small else None)
with controls[2]:
    ranking = selection.get("ranking", "best")
    ranking = ranking if ranking in RANKINGS else "best"
    selection.controlled(st.selectbox, "Patches", "ranking", ranking, list(RANKINGS), format_func=str.capitalize)
count = model.layer(layer).channels
given = str(selection.get("channel", ""))
chosen = int(given) if given.isdecimal() and len(given) < 9 and int(given) < count else None
with controls[3]:
    pages = -(-count // ROWS)
    # The page of the chosen channel, until another is asked for.
    asked_for = str(selection.get("page", (chosen or 0) // ROWS + 1))
    page = min(max(int(asked_for), 1), pages) if asked_for.isdecimal() else 1
    page = int(selection.controlled(st.number_input, f"Page of {pages}", "page", page, 1, pages))
with controls[4]:
    whole = selection.controlled(st.toggle, "Whole pictures", "whole", selection.flag("whole"))

shown = list(range((page - 1) * ROWS, min(page * ROWS, count)))
result = caches.cached(patches.compute, index, layer, shown, ranking)
panel, values, owners = patches.wall(result, whole=whole)
if chosen is None:
    living = [one for one in shown if one not in result.dead]
    selection.choose("channel", chosen := (living or shown)[0])
rank = str(selection.get("patch", 0))
rank = min(int(rank), result.count - 1) if rank.isdecimal() else 0
selected = owners.index(chosen) + rank if chosen in owners else None
st.caption(widgets.literal(patches.describe(result)))
clicked = widgets.show_gallery(
    panel,
    f"patches-{model.name}-{layer}-{page}-{ranking}-{whole}",
    selected,
    values,
    f"Patches of channels {shown[0]} to {shown[-1]} of {layer}, a row each",
    rows_of=result.count,
    wall=f"patches-{model.name}-{layer}-{whole}",
)
if clicked is not None:
    selection.choose("channel", owners[clicked])
    selection.choose("patch", clicked % result.count)
    st.rerun()
table = result.cuts.table
for k in result.cuts.where(channel=chosen, rank=rank + 1):
    (i, j), box, source = table["position"][k], table["box"][k], table["source_box"][k]
    told = f"Channel {chosen}, {table['score'][k]:.4g}: {Path(table['file'][k]).name} (picture {table['image'][k]})"
    told += f", unit at row {i}, column {j}"
    told += "" if box is None else f"; input rows {box[0]} to {box[2]}, columns {box[1]} to {box[3]}"
    told += "" if source is None else f"; file rows {source[0]} to {source[2]}, columns {source[1]} to {source[3]}"
    st.caption(widgets.literal(f"{told}. {patches.classes(table['label'][k], table['prediction'][k])}."))

opened = f'import explain\n\nmodel = explain.load_model("{model.name}")\n'
opened += f'index = explain.build_index(model, "{index.manifest.root or index.manifest.data}")\n'
call = f'result = explain.patches(index, "{layer}", range({shown[0]}, {shown[-1] + 1}), ranking="{ranking}")\n'
flags = " ".join(f"--channel {one}" for one in shown)
widgets.show_exports(
    patches.render(result, whole=whole),
    f'{opened}{call}result.save("patches.png", whole={whole})',
    f"python -m explain patches {index.folder} --layer {layer} {flags} --ranking {ranking}"
    f" --style whole={whole} --out patches.png",
    "patches",
    f"Export channels {shown[0]} to {shown[-1]}",
)

counted = caches.cached(channel_health.compute, index, layer)
with st.expander(f"Dead and duplicate channels: {len(counted.dead)} and {len(counted.duplicates)}"):
    listed = channel_health.render(counted)
    st.caption(widgets.literal(listed.note))
    if counted.table["channel"]:
        st.dataframe(counted.table, hide_index=True)

reference = selection.get("picture", caches.demo_picture(model))
with st.expander("From low to high: this picture through the network", expanded=selection.flag("hierarchy")):
    if selection.controlled(st.toggle, "Show early, middle and late layers", "hierarchy", selection.flag("hierarchy")):
        show_hierarchy(index, picture)


@st.fragment
def one_channel() -> None:
    st.subheader(f"Channel {chosen}")
    one = caches.cached(channel.compute, index, layer, chosen, picture)
    figure = channel.render(one)
    if one.dead:
        st.info(widgets.literal(f"Dead on these pictures: {one.dead}."), icon=":material/info:")
    kinds = [kind for kind in ("best", "random", "lowest") if one.cuts.where(ranking=kind)]
    if kinds:
        with widgets.row("panels-patches"):
            columns = st.columns(len(kinds), gap="medium")
        for column, kind in zip(columns, kinds, strict=True):
            with column:
                st.markdown(f"**{kind.capitalize()} patches**")
                sheet = cut.row_panel(one.cuts, one.cuts.where(ranking=kind), 3)
                names = [patches.classes(*pair) for pair in one.cuts.pairs(ranking=kind)]
                widgets.show_gallery(
                    replace(sheet, names=tuple(names)),
                    f"channel-{model.name}-{layer}-{kind}",
                    None,
                    list(sheet.names),
                    f"{kind.capitalize()} patches of channel {chosen}",
                    rows_of=3,
                )
    widgets.show_panels(channel.without_patches(figure))
    st.caption(widgets.literal(figure.note))
    with widgets.row("panels-classes"):
        left, middle, right = st.columns(3, gap="medium")
    with left:
        st.markdown("**Your picture, as it is**")
        widgets.show_scores(one.before)
    with middle:
        st.markdown(f"**With channel {chosen} set to its mean**")
        widgets.show_scores(one.after)
    with right:
        st.markdown(f"**{'Predicted classes' if one.classes.predicted else 'Classes'} it prefers**")
        columns = {"class": one.classes.names, "mean of strongest": one.classes.means, "pictures": one.classes.images}
        st.dataframe(columns, hide_index=True, height=220)
    widgets.show_exports(
        figure,
        f'{opened}image = explain.open_picture("{reference}")\n'
        f'explain.channel(index, "{layer}", {chosen}, image).save("channel.png")',
        f"python -m explain channel {index.folder} --layer {layer} --channel {chosen} --image {reference}"
        " --out channel.png",
        "channel",
        f"Export channel {chosen}",
    )


one_channel()
