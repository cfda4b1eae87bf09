import streamlit as st

from explain.ui import caches, choices, selection, widgets
from explain.ui.navigation import script
from explain.ui.text import literal
from explain.views import VIEWS

model, picture = caches.model(), caches.picture()
view, given = VIEWS["anatomy"], {"model": model}
result = caches.computed(view, given)
figure = result.figure()

st.title(literal(model.name))
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
        "Choose a row to carry the layer to the other pages. Field: receptive field in pixels; KiB: output in float32."
    )
    event = st.dataframe(
        {
            "Layer": result.table["layer"],
            "Kind": result.table["kind"],
            "Output": result.table["shape"],
            "Field": result.table["receptive_field"],
            "Stride": result.table["stride"],
            "Parameters": result.table["parameters"],
            "MACs": result.table["macs"],
            "KiB": [round(b / 1024, 1) for b in result.table["memory"]],
        },
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=min(36 * len(model.layers) + 40, 520),
        column_config={
            name: st.column_config.NumberColumn(format="localized") for name in ("Parameters", "MACs", "KiB")
        },
        key=f"layers-{model.name}",
    )
    if (rows := event["selection"]["rows"]) and rows[0] < len(model.layers):
        selection.choose("layer", model.layers[rows[0]].name)
        chosen = model.layers[rows[0]].name
        a, b = st.columns(2)
        a.page_link(script("activations"), label=f"Activations of {chosen}", icon=":material/layers:")
        b.page_link(script("filters"), label="Filters", icon=":material/grid_view:")
st.caption(literal(figure.note))
choices.show(view, given, {}, figure)

with st.expander("How far to trust what you see here", icon=":material/balance:"):
    st.markdown(
        """
- Explanation methods can be misleading or uninformative: a map may look right and say nothing of this network.
- Whether an explanation helps is hard to assess; in the end it takes a study with people who foresee mistakes by it.
- What a network knows is spread over many channels: seldom does one stand for one thing.
- Small filters and the weights of deeper layers are hard to interpret, and so are small maps.
- A fully connected network does not care where a pixel stands: shuffle all pictures alike and it learns as well. On
  Fashion-MNIST that changes its accuracy by 0.2 points, LeNet's by 3.5 (8,000 pictures, 5 epochs, mean of 3 seeds).
- What the maps of a layer mean is not exactly known; a name given to a channel is a guess to be tested.
"""
    )
