from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from explain.figure import Figure
from explain.images import png
from explain.index import references
from explain.projections.projection import PROJECTIONS
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.explorer import explorer
from explain.ui.parts import embedding_maps
from explain.ui.text import literal
from explain.views import VIEWS, neighbours
from explain.views.embedding import Embedding
from explain.views.parts import map_plot

FEATURES = "features"
LABELS = {"count": "So many pictures only", "measure": "Measure how far to trust it"}
MOST_SHOWN = 240  # pictures of a selection
SETTLING = 1.0  # seconds between two looks at a map that settles

view = VIEWS["embedding"]
model, picture = caches.model(), caches.picture()
st.title("Embedding")

index = widgets.index_of_set(model)
if index is None:
    selection.stop()
with widgets.row("controls"):
    controls = st.columns([2, 3, 2, 2], vertical_alignment="bottom")
given: dict[str, Any] = {"index": index}
with controls[0]:
    method = widgets.choose_entry(PROJECTIONS, view.key("method"), "Map")
    given["method"] = method.name
with controls[1]:
    layers = [FEATURES, *(layer.name for layer in model.layers)]
    layer = selection.get(view.key("layer"), FEATURES)
    layer = layer if layer in layers else FEATURES
    selection.controlled(
        st.selectbox,
        "Of which layer",
        view.key("layer"),
        layer,
        layers,
        help="The features are what the classifier decides by.",
    )
    given["layer"] = None if layer == FEATURES else layer
with controls[3]:
    if given["layer"] and model.layer(layer).spatial:
        given["pooling"] = choices.option(view, "pooling", "Its maps")
with controls[2]:
    some = choices.chosen(view, "count") is not None
    words = "Of all pictures only: two draws may be of different ones." if some else None
    beside = selection.controlled(
        st.toggle, "Two side by side", "two_maps", selection.flag("two_maps") and not some, disabled=some, help=words
    )


def second_options(before: dict[str, Any]) -> dict[str, Any]:
    """Options of a second map of the same pictures, which begin as the first's, with another seed."""
    st.caption("The second map, of the same pictures")
    chosen = {}
    for cell, spec in widgets.in_rows("options-second", list(method.options.values())):
        usual = (before["seed"] + 1) % 2**31 if spec.name == "seed" else before[spec.name]
        with cell:
            label = spec.name.replace("_", " ").capitalize().replace("Pca", "PCA")
            key = f"second.{method.name}.{spec.name}"
            chosen[spec.name] = widgets.option(replace(spec, default=usual), key, label)
    return chosen


own = caches.cached(references.index_of, index, picture)
stranger = picture if own is None else None
with st.expander(f"Options of {method.label}", icon=":material/tune:", expanded=beside):
    given["options"] = choices.entry_options(view, given)
    named = ["count", "measure", "palette", *(["place"] if not given["layer"] else [])]
    for cell, name in widgets.in_rows("of-map", named):
        with cell:
            if name == "place":
                placed = choices.typed(view, name, given, "Pictures placed on it")
            elif name == "palette":
                palette = choices.option(view, name, "Colours of many classes")
            else:
                given[name] = choices.option(view, name, LABELS[name])
    second = second_options(given["options"]) if beside else {}
wanted = [embedding_maps.Wanted({**given})]
if beside:
    wanted.append(embedding_maps.Wanted({**given, "options": second}))
if given["layer"] is None:  # unless others are named, the picture of all pages has its place
    usual = [] if stranger is None else [stranger]
    given["place"] = placed if selection.get(view.key("place")) else usual

made = [one.made(given.get("place", ())) for one in wanted]
first = next(filter(None, made), None) or embedding_maps.first_picture(index)
thumbs, thumbs_job = embedding_maps.thumbnails(index, first.images.tolist())
chosen = str(selection.get("point", "" if own is None else own))
numbers = {number: k for k, number in enumerate(first.images.tolist())}
opened = numbers.get(int(chosen)) if chosen.isdecimal() and len(chosen) < 10 else None
complete = all(result is not None for result in made)


def at_work() -> bool:
    return any(one.job().active for one, result in zip(wanted, made, strict=True) if result is None)


def explore() -> None:
    if thumbs is None and thumbs_job.state == "done":
        selection.again()
    with st.container(key="map-said"):
        say()
    shown = (
        embedding_maps.explored(wanted, given.get("place", ()), thumbs, palette)
        if complete
        else embedding_maps.settling(wanted, thumbs, palette)
    )
    if shown is None:
        return
    choice = explorer(shown, key=f"explorer-{model.name}", alt=f"A map of {len(shown.files):,} pictures", opened=opened)
    if choice.opened is not None and choice.opened != opened:
        selection.choose("point", int(first.images[choice.opened]))
        selection.again()
    if len(choice.picked):
        show_picked(first, choice.picked)


def say() -> None:
    """What to make of the maps; until they are there, their progress, or why there is none."""
    if complete:
        there = [one for one in made if one]
        told = first.caveat + map_plot.fidelity_of(there)
        told += "".join(f" {said}" for said in dict.fromkeys(said for one in there for said in one.remarks))
        if stranger is not None and given["layer"]:
            told += " The chosen picture is not marked: new pictures have a place on maps of the features only."
        st.caption(literal(told))
        return
    for one, result in zip(wanted, made, strict=True):
        if result is None:
            job = one.job()
            if job.active:
                one.watch(job)
            elif job.state == "done":
                selection.again()
            else:
                jobs.show_end(job, one.name)
    if settling != at_work():
        selection.again()  # there is nothing more to look out for, or there is again


def show_picked(result: Embedding, picked: np.ndarray) -> None:
    """The pictures of a selection, their classes, and a table of them to take away."""
    st.subheader(f"{len(picked):,} picked")
    labelled = map_plot.coloured_by(result, "class") == "label"
    names = [(result.labels if labelled else result.predictions)[k] or "unlabelled" for k in picked.tolist()]
    counts = Counter(names).most_common()
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if thumbs is not None:
            some = picked[:MOST_SHOWN]
            widgets.show_gallery(map_plot.sheet(thumbs, some, names), "picked", None, alt="The picked pictures")
            if len(some) < len(picked):
                st.caption(f"The first {len(some)} of {len(picked):,}; the table has all.")
    with right:
        st.dataframe(
            {"label" if labelled else "prediction": [name for name, _ in counts], "pictures": [n for _, n in counts]},
            hide_index=True,
            height=260,
        )
        table = {name: [column[k] for k in picked.tolist()] for name, column in result.table.items()}
        st.download_button(
            "Table (CSV)",
            lambda: Figure("Picked", (), {**result.facts, "picked": len(picked)}, table=table).encode("csv"),
            file_name="picked.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )


settling = at_work()
st.fragment(explore, run_every=SETTLING if settling or thumbs_job.active else None)()

if opened is not None and widgets.are_read(index):
    number = int(chosen)
    near = caches.computed(VIEWS["neighbours"], {"index": index, "image": number})
    left, right = st.columns([1, 4], gap="medium", vertical_alignment="center")
    with left:
        st.image(png(near.tile, effort=1), width="stretch", output_format="PNG", alt=first.files[opened])
        label = first.labels[opened] or "unlabelled"
        unjudged = ", which cannot be judged, as it has no class of that name" if first.labels[opened] else ""
        right_or_wrong = {True: ", rightly", False: ", wrongly", None: unjudged}[first.right[opened]]
        seen = f"{first.files[opened]}: {label}; seen as {first.predictions[opened]}{right_or_wrong}"
        st.caption(literal(f"{seen} ({first.confidence[opened]:.0%})."))
        words = "Make it the picture of all pages."
        if number != own and st.button("Use on all pages", icon=":material/check:", help=words):
            embedding_maps.take(index, number)
            selection.again()
    with right:
        panel = near.figure().panels[0]
        clicked = widgets.show_gallery(
            replace(panel, names=(f"this: {near.name}", *near.classes("features"))),
            f"near-{number}",
            0,
            ["", *map(neighbours.written, near.features.distances)],
            "Its nearest in feature space",
            wall="neighbours-features",
        )
        st.caption(literal(f"Its nearest in feature space. {near.agrees('features')}."))
        if clicked:
            selection.choose("point", int(near.features.images[clicked - 1]))
            selection.again()

if made[0] is not None:
    style = {"palette": palette}
    with widgets.row("controls-figure"):
        cells = st.columns([2, 2, 6], vertical_alignment="bottom")
    with cells[0]:
        style["colour"] = choices.option(view, "colour", "Colours of the figure", more=made[0].columns)
    with cells[1]:
        style["thumbnails"] = choices.option(view, "thumbnails", "Pictures, not dots")
    choices.more(view, given, style, without=view.parameters, label="More of the figure")
    choices.show(view, given, style, made[0].figure(thumbs, **style))
