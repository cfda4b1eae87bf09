"""What a network is made of and what it says: layers, where its parameters and its work are, batches."""

import streamlit as st

from explain.options import Option, Range
from explain.ui import caches, choices, selection, widgets
from explain.ui.glossary import explained
from explain.ui.navigation import script
from explain.ui.parts.asked import ask
from explain.ui.parts.layer_strip import choose_in_graph
from explain.ui.text import literal
from explain.views import VIEWS, anatomy, batch_costs

SECTIONS = {"overview": "Overview", **anatomy.PARTS, "batches": "Batches"}
LOCAL = st.column_config.NumberColumn(format="localized")
BATCH = Option("batch", int, 128, Range(1, 65_536))
PART = VIEWS["anatomy"].key("part")
TRUST = """
- Explanation methods can be misleading or uninformative: a map may look right and say nothing of this network.
- Whether an explanation helps is hard to assess; in the end it takes a study with people who foresee mistakes by it.
- What a network knows is spread over many channels: seldom does one stand for one thing.
- Small filters and the weights of deeper layers are hard to interpret, and so are small maps.
- A fully connected network does not care where a pixel stands: shuffle all pictures alike and it learns as well. On
  Fashion-MNIST that changes its accuracy by 0.2 points, LeNet's by 3.5 (8,000 pictures, 5 epochs, mean of 3 seeds).
- What the maps of a layer mean is not exactly known; a name given to a channel is a guess to be tested.
"""
model, picture = caches.model(), caches.picture()


def choose_section() -> str:
    """One row of all sections; the parts of the anatomy are a section of the URL with a part."""
    section = selection.get("section", "overview")
    if section not in SECTIONS:
        section = choices.chosen(VIEWS["anatomy"], "part") if section == "anatomy" else "overview"
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


def show_overview() -> None:
    view, given = VIEWS["anatomy"], {"model": model}
    result = caches.computed(view, given)
    figure = result.figure()
    height, width = model.preprocess.size
    about = model.about
    accuracy = (about.get("accuracy") or {}).get("test")
    cards = [
        ("Parameters", f"{result.parameters:,}"),
        ("MACs a picture", f"{result.macs / 1e6:,.1f} M"),
        ("Layers", str(len(model.layers))),
        ("Input", f"{model.preprocess.channels}×{height}×{width}"),
        ("Classes", f"{len(model.classes):,}"),
        *([("Test accuracy", f"{accuracy:.1%}")] if accuracy else []),
    ]
    with widgets.row("cards"):
        columns = st.columns(len(cards))
    for column, (label, value) in zip(columns, cards, strict=True):
        column.metric(label, value)
    weights = about.get("weights")
    origin = about.get("recipe", {}).get("source") or about.get("source", "")
    if isinstance(weights, str):
        origin += f". Weights: {weights}"
    said = (origin, *about.get("notes", ()), *model.caveats)
    st.caption(literal(" ".join(f"{one.rstrip('.')}." for one in said if one)))

    st.subheader("From the picture to the answer", help=explained("layer"))
    choose_in_graph(model)
    st.page_link(script("layers"), label="Its layers and channels", icon=":material/layers:")
    with widgets.row("split"):
        left, right = st.columns([1, 2], gap="large")
    with left:
        st.subheader("What it says")
        seen = model.preprocess.shown(model.preprocess.crop(picture))
        st.image(seen, width=300, output_format="PNG", alt="The picture as the network sees it")
        come_from = about.get("preprocess_from", "")
        st.caption(literal(f"{model.preprocess.summary}{f' (from {come_from})' if come_from else ''}."))
        widgets.show_scores(caches.cached(type(model).predict, model, picture)[0], model.head.has_chances)
    with right:
        st.subheader("Layers")
        st.caption(
            "Choose a row to carry the layer to the other pages. Field: receptive field, pixels; KiB: output, float32.",
            help=explained("layer", "receptive field"),
        )
        event = widgets.show_table(
            {
                "Layer": result.table["layer"],
                "Kind": result.table["kind"],
                "Output": result.table["shape"],
                "Field": result.table["receptive_field"],
                "Parameters": result.table["parameters"],
                "MACs": result.table["macs"],
                "KiB": [round(b / 1024, 1) for b in result.table["memory"]],
            },
            dict.fromkeys(("Parameters", "MACs", "KiB"), LOCAL),
            on_select="rerun",
            selection_mode="single-row",
            height=min(36 * len(model.layers) + 40, 520),
            key=f"layers-{model.name}",
        )
        if (rows := event["selection"]["rows"]) and rows[0] < len(model.layers):
            selection.choose("layer", model.layers[rows[0]].name)
            chosen = model.layers[rows[0]].name
            st.page_link(script("layers"), label=f"Channels of {chosen}", icon=":material/layers:")
    st.caption(literal(figure.note))
    choices.show(view, given, {}, figure)
    show_how_far()


def show_how_far() -> None:
    with st.expander("How far to trust what you see here", icon=":material/balance:"):
        st.markdown(TRUST)


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
    widgets.show_table(
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
        dict.fromkeys(("Units", "Parameters", "MACs", "Output, KiB", "Batch, MiB", "Moved, KiB", "MACs a byte"), LOCAL),
        height=min(36 * len(table["layer"]) + 40, 620),
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
    widgets.show_numbers(
        {
            "Pictures a batch": result.table["batch"],
            f"MiB ({how})": result.table["mebibytes"],
            "Seconds (measured)": result.table["seconds"],
            "Pictures a second": result.table["pictures_a_second"],
        }
    )
    st.caption("Times depend on the machine and on what else runs on it; the figure holds those it shows.")
    choices.show(view, given, {}, figure)


st.title(literal(model.name))
section = choose_section()
if section == "overview":
    show_overview()
elif section == "batches":
    show_batches()
else:
    show_part(section)
