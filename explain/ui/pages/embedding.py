from collections import Counter
from dataclasses import replace

import numpy as np
import streamlit as st

from explain.figure import Figure
from explain.images import png
from explain.projection import PROJECTIONS
from explain.registry import options_of
from explain.representation import POOLINGS
from explain.ui import jobs, maps, session, widgets
from explain.ui.explorer import explorer
from explain.views import cloud, embedding, neighbours

FEATURES = "features"
MOST_SHOWN = 240  # pictures of a selection
SETTLING = 1.0  # seconds between two looks at a map that settles

model, picture = session.model(), session.picture()
st.title("Embedding")

with widgets.row("controls"):
    controls = st.columns([3, 2, 3, 2, 2], vertical_alignment="bottom")
with controls[0]:
    index = widgets.choose_index(model)
if index is None:
    session.stop()
with controls[1]:
    method = widgets.choose_entry(PROJECTIONS, "projection", "Map")
with controls[2]:
    layers = [FEATURES, *(layer.name for layer in model.layers)]
    layer = session.get("embed_layer", FEATURES)
    layer = layer if layer in layers else FEATURES
    session.controlled(
        st.selectbox,
        "Of which layer",
        "embed_layer",
        layer,
        layers,
        help="The features are what the classifier decides by.",
    )
of = {} if layer == FEATURES else {"layer": layer}
with controls[4]:
    if of and model.layer(layer).spatial:
        pooling = session.get("pooling", POOLINGS[0])
        pooling = pooling if pooling in POOLINGS else POOLINGS[0]
        session.controlled(
            st.selectbox,
            "Its maps",
            "pooling",
            pooling,
            list(POOLINGS),
            help="Averaged over positions, or all values laid out.",
        )
        of["pooling"] = pooling
with controls[3]:
    beside = session.controlled(st.toggle, "Two side by side", "two_maps", session.flag("two_maps"))


def choose_options(turn: str, before: dict) -> dict:
    """The method's options in a row; a second map begins as the one before, with another seed."""
    if not method.options:
        return {}
    with widgets.row(f"controls-options{turn}"):
        cells = st.columns(len(method.options), vertical_alignment="bottom")
    chosen = {}
    for cell, spec in zip(cells, method.options.values(), strict=True):
        if spec.name in before:
            spec = replace(spec, default=(before["seed"] + 1) % 2**31 if spec.name == "seed" else before[spec.name])
        with cell:
            label = spec.name.replace("_", " ").capitalize().replace("Pca", "PCA")
            chosen[spec.name] = widgets.option(spec, f"{method.name}{turn}_{spec.name}", label)
    return chosen


with st.expander(f"Options of {method.label}", icon=":material/tune:", expanded=beside):
    wanted = [maps.Wanted(index, method.name, {**of, **choose_options("", {})})]
    if beside:
        st.caption("The second map, of the same pictures")
        wanted.append(maps.Wanted(index, method.name, {**of, **choose_options("2", wanted[0].options)}))

made = [one.made() for one in wanted]
first = next(filter(None, made), None) or maps.first_picture(index)
thumbs, thumbs_job = maps.thumbnails(index, first.images.tolist())
own = session.cached(neighbours.place, index, picture)
stranger = picture if own is None else None
called = session.uploads().get(str(session.get("picture", "")), "") if own is None else ""
chosen = str(session.get("point", "" if own is None else own))
numbers = {number: k for k, number in enumerate(first.images.tolist())}
opened = numbers.get(int(chosen)) if chosen.isdecimal() and len(chosen) < 10 else None
complete = all(result is not None for result in made)


def at_work() -> bool:
    return any(one.job().active for one, result in zip(wanted, made, strict=True) if result is None)


def explore() -> None:
    if thumbs is None and thumbs_job.state == "done":
        session.again()
    with st.container(key="map-said"):
        say()
    shown = maps.explored(wanted, stranger, called, thumbs) if complete else maps.settling(wanted, thumbs)
    if shown is None:
        return
    choice = explorer(shown, key=f"explorer-{model.name}", alt=f"A map of {len(shown.files):,} pictures", opened=opened)
    if choice.opened is not None and choice.opened != opened:
        session.choose("point", int(first.images[choice.opened]))
        session.again()
    if len(choice.picked):
        show_picked(first, choice.picked)


def say() -> None:
    """What to make of the maps; until they are there, their progress, or why there is none."""
    if complete:
        told = first.caveat + cloud.fidelity_of([one for one in made if one])
        if stranger is not None and of:
            told += " The chosen picture is not marked: new pictures have a place on maps of the features only."
        st.caption(widgets.literal(told))
        return
    for one, result in zip(wanted, made, strict=True):
        if result is None:
            job = one.job()
            if job.active:
                one.watch(job)
            elif job.state == "done":
                session.again()
            else:
                jobs.show_end(job, one.name)
    if settling != at_work():
        session.again()  # there is nothing more to look out for, or there is again


def show_picked(result: embedding.Embedding, picked: np.ndarray) -> None:
    """The pictures of a selection, their classes, and a table of them to take away."""
    st.subheader(f"{len(picked):,} picked")
    labelled = cloud.coloured_by(result, "class") == "label"
    names = [(result.labels if labelled else result.predictions)[k] or "unlabelled" for k in picked.tolist()]
    counts = Counter(names).most_common()
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if thumbs is not None:
            some = picked[:MOST_SHOWN]
            widgets.show_gallery(cloud.sheet(thumbs, some, names), "picked", None, alt="The picked pictures")
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

if opened is not None:
    number = int(chosen)
    near = session.cached(neighbours.compute, index, number)
    left, right = st.columns([1, 4], gap="medium", vertical_alignment="center")
    with left:
        st.image(png(near.tile, effort=1), width="stretch", output_format="PNG", alt=first.files[opened])
        right_or_wrong = {True: ", rightly", False: ", wrongly", None: ""}[first.right[opened]]
        label = first.labels[opened] or "unlabelled"
        seen = f"{first.files[opened]}: {label}; seen as {first.predictions[opened]}{right_or_wrong}"
        st.caption(widgets.literal(f"{seen} ({first.confidence[opened]:.0%})."))
        words = "Make it the picture of all pages."
        if number != own and st.button("Use on all pages", icon=":material/check:", help=words):
            maps.take(index, number)
            session.again()
    with right:
        panel = neighbours.render(near).panels[0]
        clicked = widgets.show_gallery(
            replace(panel, names=(f"this: {near.name}", *near.classes("features"))),
            f"near-{number}",
            0,
            ["", *map(neighbours.written, near.features.distances)],
            "Its nearest in feature space",
            wall="neighbours-features",
        )
        st.caption(widgets.literal(f"Its nearest in feature space. {near.agrees('features')}."))
        if clicked:
            session.choose("point", int(near.features.images[clicked - 1]))
            session.again()

if made[0] is not None:
    specs = options_of(embedding.render)
    with widgets.row("controls-figure"):
        cells = st.columns([2, 2, 6], vertical_alignment="bottom")
    with cells[0]:
        colour = widgets.option(specs["colour"], "colour", "Colours of the figure")
    with cells[1]:
        pictures = widgets.option(specs["thumbnails"], "map_pictures", "Pictures, not dots")
    style = {"colour": colour, "thumbnails": pictures}
    options = ", ".join(f"{name}={value!r}" for name, value in wanted[0].options.items())
    flags = "".join(f" --{name} {value}" for name, value in of.items())
    flags += "".join(f" --option {name}={value}" for name, value in wanted[0].options.items() if name not in of)
    widgets.show_exports(
        embedding.render(wanted[0].made(stranger, called) or made[0], thumbs, **style),
        f'import explain\n\nmodel = explain.load_model("{model.name}")\n'
        f'index = explain.build_index(model, "{index.manifest.root or index.manifest.data}")\n'
        f'result = explain.embedding(index, "{method.name}", {options})\n'
        f'result.save("map.pdf", colour="{colour}", thumbnails={pictures})',
        f"python -m explain embed {index.folder} --method {method.name}{flags} --style colour={colour} --out map.pdf",
        "map",
    )
