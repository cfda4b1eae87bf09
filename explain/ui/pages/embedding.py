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
    method = widgets.choose_entry(PROJECTIONS, "projection", "Map", embedding.NAMES)
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
with controls[3]:
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
with controls[4]:
    beside = session.controlled(st.toggle, "Two side by side", "two_maps", session.flag("two_maps"))


def choose_options(turn: str) -> dict:
    """The method's options in a row; the second map begins with another seed."""
    with widgets.row(f"controls-options{turn}"):
        cells = st.columns(len(method.options), vertical_alignment="bottom")
    chosen = {}
    for cell, spec in zip(cells, method.options.values(), strict=True):
        if turn and spec.name == "seed":
            spec = replace(spec, default=spec.default + 1)
        with cell:
            chosen[spec.name] = widgets.option(spec, f"{method.name}{turn}_{spec.name}")
    return chosen


with st.expander(f"Options of {embedding.NAMES[method.name]}", icon=":material/tune:", expanded=beside):
    wanted = [maps.Wanted(index, method.name, {**of, **choose_options("")})]
    if beside:
        st.caption("The second map, of the same pictures")
        wanted.append(maps.Wanted(index, method.name, {**of, **choose_options("2")}))

made = [one.made() for one in wanted]
first = next(filter(None, made), None) or (None if of else maps.first_picture(index))
thumbs, thumbs_job = maps.thumbnails(index, first.images.tolist()) if first else (None, None)
own = neighbours.place(index, picture)
chosen = str(session.get("point", "" if own is None else own))
numbers = {} if first is None else {number: k for k, number in enumerate(first.images.tolist())}
opened = numbers.get(int(chosen)) if chosen.isdecimal() and len(chosen) < 10 else None


def shown_maps() -> list:
    """The maps as far as there are any, and the progress of those to come."""
    found = []
    for one, result in zip(wanted, made, strict=True):
        if result is not None:
            mark = one.place(picture) if own is None else None
            found.append(replace(result, placed=(mark,) if mark else ()))
            continue
        job = one.job()
        if job.active:
            jobs.watch(job, f"{embedding.NAMES[method.name]} of {index.manifest.data}", "")
        elif job.state == "done":
            st.rerun()
        else:
            jobs.show_end(job, embedding.NAMES[method.name])
        found.append(one.settling(job, first))
    marked = all(result and result.placed for result in found)
    return found if marked else [result and replace(result, placed=()) for result in found]


def explore() -> None:
    if thumbs is None and thumbs_job is not None and thumbs_job.state == "done":
        st.rerun()
    results = shown_maps()
    if None in results:
        return
    titles = tuple(one.title for one in wanted) if beside else ("",)
    shown = cloud.explore(tuple(results), titles, thumbs)
    choice = explorer(shown, key=f"explorer-{model.name}", alt=f"A map of {len(shown.files):,} pictures", opened=opened)
    st.caption(widgets.literal(results[0].caveat + cloud.fidelity_of(results)))
    if choice.opened is not None and choice.opened != opened:
        session.choose("point", int(results[0].images[choice.opened]))
        st.rerun()
    if len(choice.picked):
        show_picked(results[0], choice.picked)


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


waiting = thumbs_job is not None and thumbs_job.active
settling = any(result is None and one.job().active for one, result in zip(wanted, made, strict=True))
st.fragment(explore, run_every=SETTLING if waiting or settling else None)()

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
        if number != own and st.button("Make it the picture of all pages", icon=":material/check:"):
            session.choose("picture", neighbours.reference(index, number) or maps.keep(index, number))
            st.rerun()
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
            st.rerun()

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
    result = made[0] if own is not None else replace(made[0], placed=tuple(filter(None, (wanted[0].place(picture),))))
    widgets.show_exports(
        embedding.render(result, thumbs, **style),
        f'import explain\n\nmodel = explain.load_model("{model.name}")\n'
        f'index = explain.build_index(model, "{index.manifest.root or index.manifest.data}")\n'
        f'result = explain.embedding(index, "{method.name}", {options})\n'
        f'result.save("map.pdf", colour="{colour}", thumbnails={pictures})',
        f"python -m explain embed {index.folder} --method {method.name}{flags} --style colour={colour} --out map.pdf",
        "map",
    )
