from dataclasses import replace

import streamlit as st

from explain import workspace
from explain.errors import Unknown
from explain.lectures import tables
from explain.registry import Option, Range, options_of
from explain.ui import caches, jobs, selection, widgets
from explain.ui.text import literal
from explain.views import anatomy, batch_costs, compare, output_size
from explain.views import lecture_tables as lectures
from explain.workspace.opener import is_model_name

SECTIONS = {
    **anatomy.PARTS,
    "batches": "Batches",
    "networks": "Two networks",
    "calculator": "Calculator",
    "lectures": "The lectures' tables",
}
LOCAL = st.column_config.NumberColumn(format="localized")
NUMBERS = ("Units", "Parameters", "MACs", "Output, KiB", "Batch, MiB", "Moved, KiB", "MACs a byte")
BATCH = Option("batch", int, 128, Range(1, 65_536))
model = caches.model()


def exports(figure, python: str, command: str, name: str) -> None:
    head = f'import explain\n\nmodel = explain.load_model("{model.name}")\n'
    widgets.show_exports(figure, (head if "model" in python else "import explain\n\n") + python, command, name)


def show_layers(result: anatomy.Anatomy, figure) -> None:
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
    result = caches.cached(anatomy.compute, model)
    figure = anatomy.render(result, part=part)
    if part == "layers":
        show_layers(result, figure)
    elif part == "shares":
        for words in result.words:
            st.markdown(f"- {literal(words)}")
        widgets.show_charts(figure, 2)
    else:
        widgets.show_charts(figure, 1)
        st.caption(literal(figure.note))
    style = "" if part == "layers" else f', part="{part}"'
    file = "anatomy.csv" if part == "layers" else f"{part}.png"
    option = "" if part == "layers" else f" --part {part}"
    exports(
        figure,
        f'explain.anatomy(model).save("{file}"{style})',
        f"python -m explain anatomy '{model.name}'{option} --out {file}",
        f"anatomy-{part}",
    )
    st.caption(anatomy.CAVEAT)


def show_batches() -> None:
    training = selection.flag("training")
    selection.controlled(st.toggle, "As in training", "training", training, help="With gradients of all weights.")
    job = jobs.start(
        f"batches {model.digest} {training}",
        lambda progress: batch_costs.compute(model, training=training, progress=progress),
    )
    result = jobs.show(job, f"Running {model.name}", "sizes")
    if result is None:
        return
    figure = result.figure()
    if result.how == batch_costs.ESTIMATED:
        st.info("Memory is estimated, there is no GPU here. Time is measured on the CPU.", icon=":material/memory:")
    widgets.show_charts(figure, 2)
    st.caption(literal(figure.note))
    st.dataframe(
        {
            "Pictures a batch": result.table["batch"],
            f"MiB ({result.how})": result.table["mebibytes"],
            "Seconds (measured)": [round(s, 4) for s in result.table["seconds"]],
            "Pictures a second": result.table["pictures_a_second"],
        },
        hide_index=True,
    )
    st.caption("Times depend on the machine and on what else runs on it; a figure of them cannot be drawn again.")
    st.code(f"explain.batch_costs(model, [1, 2, 4, 8, 16], training={training})", "python")


def show_networks() -> None:
    default = "torchvision:alexnet" if model.name != "torchvision:alexnet" else "torchvision:resnet18"
    other = selection.get("second", default)
    selection.controlled(
        st.selectbox,
        "Second network",
        "second",
        other,
        list(dict.fromkeys([*widgets.networks(), other])),
        accept_new_options=True,
        help="Type resnet?depth=50 or vgg?config=A for a network with options.",
    )
    if not is_model_name(other):
        raise Unknown(
            "model", other, workspace.list_models(), "Or torchvision:NAME, timm:NAME, or one of the lectures' networks."
        )

    def work(progress: jobs.Progress) -> compare.Comparison:
        progress(0, 2, f"building {other}")
        second = workspace.load_model(other)
        progress(1, 2, "counting")
        return compare.compute(model, second)

    result = jobs.show(jobs.start(f"beside {model.digest} {other}", work), f"Counting {other}", "steps")
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
    exports(
        figure,
        f'explain.compare(model, explain.load_model("{other}")).save("two.png")',
        f"python -m explain anatomy '{model.name}' --beside '{other}' --out two.png",
        "beside",
    )


def show_calculator() -> None:
    specs, given = options_of(output_size.compute), {}
    labels = {"size": "Input", "in_channels": "Input channels", "out_channels": "Filters"}
    for names in (list(specs)[:5], list(specs)[5:]):
        with widgets.row(f"controls-{names[0]}"):
            cells = st.columns(5, vertical_alignment="bottom")
        for cell, name in zip(cells, names, strict=False):
            with cell:
                given[name] = widgets.option(specs[name], f"calc_{name}", labels.get(name))
    result = output_size.compute(**given)
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
    chosen = {name: value for name, value in given.items() if value != specs[name].default}
    exports(
        figure,
        f'explain.output_size({", ".join(f"{name}={value!r}" for name, value in chosen.items())}).save("size.png")',
        " ".join(
            [
                "python -m explain output_size",
                *(f"--{n.replace('_', '-')} {v}" for n, v in chosen.items()),
                "--out size.png",
            ]
        ),
        "size",
    )


def show_lectures() -> None:
    name = selection.get("table", "six")
    name = name if name in tables.TABLES else "six"
    selection.controlled(st.selectbox, "Table", "table", name, list(tables.TABLES), format_func=tables.TABLES.get)
    if name in tables.SLOW:
        job = jobs.start(f"lectures {name}", lambda progress: lectures.compute(name, progress))
        result = jobs.show(job, "Counting the networks", "networks")
    else:
        result = caches.cached(lectures.compute, name)
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
    file = "lectures.png" if result.points else "lectures.csv"
    exports(
        figure,
        f'explain.lectures("{name}").save("{file}")',
        f"python -m explain lectures {name} --out {file}",
        "lectures",
    )


st.title("Anatomy")
st.caption("What a network is made of, where its parameters, memory and computation are, and how far its units see.")
section = selection.get("section", "layers")
section = section if section in SECTIONS else "layers"
selection.controlled(
    st.segmented_control, "Section", "section", section, list(SECTIONS), format_func=SECTIONS.get, required=True
)
if section in anatomy.PARTS:
    show_part(section)
else:
    {
        "batches": show_batches,
        "networks": show_networks,
        "calculator": show_calculator,
        "lectures": show_lectures,
    }[section]()
