from dataclasses import replace
from typing import Any

import streamlit as st

from explain import workspace
from explain.errors import Unknown
from explain.lectures import tables
from explain.options import Option, Range
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.text import literal
from explain.views import VIEWS, View, anatomy, batch_costs
from explain.workspace.opener import is_model_name

SECTIONS = {
    **anatomy.PARTS,
    "batches": "Batches",
    "networks": "Two networks",
    "calculator": "Calculator",
    "lectures": "The lectures' tables",
}
LOCAL = st.column_config.NumberColumn(format="localized")
RANDOM = "?weights=random"  # what is counted and compared here needs no others
BATCH = Option("batch", int, 128, Range(1, 65_536))
PART = VIEWS["anatomy"].key("part")
model = caches.model()


def choose_section() -> str:
    """One row of all sections; the parts of the anatomy are a section of the URL with a part."""
    section = selection.get("section", "anatomy")
    if section not in SECTIONS:
        section = choices.chosen(VIEWS["anatomy"], "part")
    st.session_state["_section"] = section

    def changed() -> None:
        asked = st.session_state["_section"]
        selection.choose("section", "anatomy" if asked in anatomy.PARTS else asked)
        if asked in anatomy.PARTS:
            selection.choose(PART, asked)

    st.segmented_control(
        "Section", list(SECTIONS), format_func=SECTIONS.__getitem__, required=True, key="_section", on_change=changed
    )
    return str(section)


def show_layers(result: anatomy.Anatomy) -> None:
    with widgets.row("controls"):
        batch, _ = st.columns([1, 4])
    with batch:
        pictures = widgets.option(BATCH, label="Pictures a batch")
    cards = {
        "Parameters": f"{result.parameters:,}",
        "Size in float32": f"{result.mebibytes:,.1f} MiB",
        "MACs a picture": f"{result.macs / 1e6:,.1f} M",
        "Neurons": f"{result.neurons:,}",
        "Activations a picture": f"{result.memory():,.2f} MiB",
        f"Activations of {pictures:,}": f"{result.memory(pictures):,.0f} MiB",
    }
    with widgets.row("cards"):
        columns = st.columns(len(cards))
    for column, (label, value) in zip(columns, cards.items(), strict=True):
        column.metric(label, value)
    table = result.table
    st.dataframe(
        {
            "Layer": table["layer"],
            "Kind": table["kind"],
            "Output": table["shape"],
            "Units": table["units"],
            "Field": table["receptive_field"],
            "Step": table["stride"],
            "Parameters": table["parameters"],
            "MACs": table["macs"],
            "Output, KiB": [round(b / 1024, 1) for b in table["memory"]],
            "Batch, MiB": [round(b * pictures / 2**20, 2) for b in table["memory"]],
            "Moved, KiB": [round(b / 1024, 1) for b in table["bytes_moved"]],
            "MACs a byte": table["macs_per_byte"],
        },
        hide_index=True,
        height=min(36 * len(table["layer"]) + 40, 620),
        column_config=dict.fromkeys(
            ("Units", "Parameters", "MACs", "Output, KiB", "Batch, MiB", "Moved, KiB", "MACs a byte"), LOCAL
        ),
    )
    st.caption(
        "Field and step: receptive field of a unit and distance to the next, in pixels of the input. Moved: weights, "
        "inputs and output of one picture, each once, in float32. Few MACs a byte: the layer waits for memory."
    )


def show_part(part: str) -> None:
    view, given, style = VIEWS["anatomy"], {"model": model}, {"part": part}
    result = caches.computed(view, given)
    figure = result.figure(**style)
    if part == "layers":
        show_layers(result)
    elif part == "shares":
        for words in result.words:
            st.markdown(f"- {literal(words)}")
        widgets.show_charts(figure, 2)
    else:
        widgets.show_charts(figure, 1)
        st.caption(literal(figure.note))
    choices.show(view, given, style, figure, name=part)
    st.caption(anatomy.CAVEAT)


def show_batches() -> None:
    view, given = VIEWS["batch_costs"], {"model": model}
    given["training"] = choices.option(view, "training", "As in training")
    choices.more(view, given, {})
    result = ask(view, given, f"Running {model.name}", "sizes")
    if result is None:
        return
    figure, how = result.figure(), result.costs.how
    if how == batch_costs.ESTIMATED:
        st.info("Memory is estimated, there is no GPU here. Time is measured on the CPU.", icon=":material/memory:")
    widgets.show_charts(figure, 2)
    st.caption(literal(figure.note))
    st.dataframe(
        {
            "Pictures a batch": result.table["batch"],
            f"MiB ({how})": result.table["mebibytes"],
            "Seconds (measured)": [round(s, 4) for s in result.table["seconds"]],
            "Pictures a second": result.table["pictures_a_second"],
        },
        hide_index=True,
    )
    st.caption("Times depend on the machine and on what else runs on it; the figure holds those it shows.")
    choices.show(view, given, {}, figure)


def ask(view: View, given: dict[str, Any], label: str, unit: str) -> Any:
    """The view's result by a job; None until it is there."""
    work = view.flat(given)
    job = jobs.start(f"{view.name} {caches.identity(**work)}", lambda progress: view(**work, progress=progress))
    return jobs.show(job, label, unit)


def show_networks() -> None:
    view = VIEWS["compare"]
    key = view.key("second")
    built = [f"{name}{RANDOM}" if name.startswith(("torchvision:", "timm:")) else name for name in widgets.networks()]
    default = next(
        name for name in (f"torchvision:{one}{RANDOM}" for one in ("alexnet", "resnet18")) if name != model.name
    )
    other = selection.get(key, default)
    selection.controlled(
        st.selectbox,
        "Second network",
        key,
        other,
        list(dict.fromkeys([*built, other])),
        format_func=lambda name: name.removesuffix(RANDOM),
        accept_new_options=True,
        help="Type resnet?depth=50 or vgg?config=A for a network with options.",
    )
    if not is_model_name(other):
        raise Unknown(
            "model", other, workspace.list_models(), "Or torchvision:NAME, timm:NAME, or one of the lectures' networks."
        )

    def work(progress: jobs.Progress) -> Any:
        progress(0, 2, f"building {other}")
        second = workspace.load_model(other, code=False)
        progress(1, 2, "counting")
        return view(model, second)

    result = jobs.show(jobs.start(f"compare {model.digest} {other}", work), f"Counting {other}", "steps")
    if result is None:
        return
    st.markdown(literal(result.words))
    first, second = list(result.table)[1:]
    st.dataframe(
        {
            "": list(result.sums),
            first: [pair[0] for pair in result.sums.values()],
            second: [pair[1] for pair in result.sums.values()],
        },
        hide_index=True,
        height=36 * len(result.sums) + 40,
        column_config=dict.fromkeys((first, second), LOCAL),
    )
    figure = result.figure()
    widgets.show_charts(figure, 2)
    st.dataframe(
        {
            "Maps": list(result.stages),
            **{
                f"{what}: {name}": [pair[which][k] for pair in result.stages.values()]
                for k, what in enumerate(("Layers with weights", "Parameters", "MACs"))
                for which, name in enumerate((first, second))
            },
        },
        hide_index=True,
        column_config={f"{what}: {name}": LOCAL for what in ("Parameters", "MACs") for name in (first, second)},
    )
    choices.show(view, {"model": model, "second": result.names[1]}, {}, figure)


def show_calculator() -> None:
    view, given = VIEWS["output_size"], {}
    labels, names = {"size": "Input", "in_channels": "Input channels", "out_channels": "Filters"}, list(view.parameters)
    for row in (names[:5], names[5:]):
        with widgets.row(f"controls-{row[0]}"):
            cells = st.columns(5, vertical_alignment="bottom")
        for cell, name in zip(cells, row, strict=False):
            with cell:
                given[name] = choices.option(view, name, labels.get(name))
    result = view(**given)
    (st.success if result.fits else st.warning)(literal(result.words), icon=":material/straighten:")
    cards = {
        "Output": result.mixed,
        "What torch gives": f"{result.floored} × {result.floored}",
        "Padding that keeps the size": "none" if result.same is None else str(result.same),
        "Parameters": f"{result.parameters:,}",
        "MACs": f"{result.macs:,}",
    }
    with widgets.row("cards"):
        columns = st.columns(len(cards))
    for column, (label, value) in zip(columns, cards.items(), strict=True):
        column.metric(label, value)
    figure = result.figure()
    if figure.panels:
        before, after = figure.panels
        side = result.size + 2 * result.padding
        cells = max(result.floored, -(-side // 3))  # the caption needs some room
        kept = (len(after.image) - 1) // side * cells + 1
        cut = replace(after, image=after.image[:kept, :kept])
        widgets.show_panels(replace(figure, panels=(before, cut)), [side, cells])
    else:
        st.caption(literal(figure.note))
    choices.show(view, given, {}, figure)


def show_lectures() -> None:
    view = VIEWS["lecture_tables"]
    key, name = view.key("table"), choices.chosen(view, "table")
    given = {"table": name}
    selection.controlled(st.selectbox, "Table", key, name, list(tables.TABLES), format_func=tables.TABLES.get)
    slow = name in tables.SLOW
    result = ask(view, given, "Counting the networks", "networks") if slow else caches.computed(view, given)
    if result is None:
        return
    st.markdown(literal(result.words))
    figure = result.figure()
    if result.points:
        widgets.show_charts(figure, 1)
    st.dataframe(result.across, hide_index=True)
    if any(row.slide for row in result.rows):
        st.caption("Slide · ours, counted from the networks; ≠ where they differ. A number alone is ours.")
    if result.differences:
        st.subheader("What differs")
        for row in result.differences:
            st.markdown(
                f"- **{literal(row.network)}**, {literal(row.what)}: {literal(row.slide)} on the slide, "
                f"**{literal(row.ours)}** counted. {literal(row.why)} ({row.cite})"
            )
    choices.show(view, given, {}, figure)


st.title("Anatomy")
st.caption("What a network is made of, where its parameters, memory and computation are, and how far its units see.")
section = choose_section()
if section in anatomy.PARTS:
    show_part(section)
else:
    {
        "batches": show_batches,
        "networks": show_networks,
        "calculator": show_calculator,
        "lectures": show_lectures,
    }[section]()
