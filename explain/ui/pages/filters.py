import streamlit as st

from explain.registry import options_of
from explain.ui import session, widgets
from explain.views import filters
from explain.zoo import list_models

model = session.model()
options = options_of(filters.render)
st.title("Filters")
layers = filters.layers_with_filters(model)

controls = st.columns([3, 2, 2, 2, 3])
with controls[0]:
    # The shared layer may be one without filters: then this page shows the first that has some.
    layer = widgets.choose_layer(layers, default=filters.default_layer(model))
style = {}
for column, name in zip(controls[1:4], ("scale", "polarity", "sort"), strict=True):
    with column:
        style[name] = widgets.option(options[name], f"filter_{name}" if name != "polarity" else name, name.capitalize())
with controls[4]:
    others = ["", *[name for name in list_models() if name != model.name]]
    other = session.get("beside", "")
    session.controlled(st.selectbox, "Beside", "beside", other if other in others else "", others, format_func=lambda n: n or "no other model")

result = session.cached(filters.compute, model, layer)
pages = -(-len(result.tiles) // max(filters.MAX_SLICES // result.slices, 1))
if pages > 1:
    page = min(int(session.get("page", 1)), pages) if str(session.get("page", 1)).isdecimal() else 1
    style["page"] = session.controlled(st.number_input, f"Page of {pages}", "page", max(page, 1), 1, pages)
figure = filters.render(result, **style)
panel = figure.panels[0]
if not result.looks_at_pixels:
    st.info(filters.NOTICE, icon=":material/info:")

command = f"python -m explain filters {model.name} --layer {layer}"
arguments = ", ".join(f"{name}={value!r}" for name, value in style.items())
if other and other in others:
    second = session.model(other)
    beside = session.cached(filters.compute, second)
    pair = filters.render_pair(result, beside, **{k: v for k, v in style.items() if k != "page"})
    widgets.show_panels(pair)
    widgets.show_exports(
        pair,
        f'import explain\nfrom explain.views import filters\n\na, b = (explain.filters(explain.load_model(name)) for name in ("{model.name}", "{other}"))\nfilters.render_pair(a, b, {arguments}).save("pair.png")',
        f"{command} --out filters.png",
        "filters-pair",
    )
else:
    channel = str(session.get("channel", ""))
    tiles = [name.partition(":")[0] for name in panel.names]
    clicked = widgets.show_gallery(panel, f"filters-{model.name}-{layer}", tiles.index(channel) if channel in tiles else None, alt=figure.alt)
    if clicked is not None:
        session.choose("layer", layer)
        session.choose("channel", tiles[clicked])
        st.rerun()
    if panel.scale:
        widgets.show_scale(panel.scale)
    if channel in tiles:
        index = result.facts and int(channel)
        flat = result.tiles[index].ravel()
        left, right = st.columns([1, 3], vertical_alignment="center")
        with left:
            single = filters.render(filters.Filters(result.tiles[index : index + 1], layer, result.looks_at_pixels, result.facts), scale=style["scale"], polarity=style["polarity"])
            widgets.show_panels(single, 1)
        with right:
            st.markdown(f"**Filter {index}** of {widgets.literal(layer)}: weights {flat.min():.4g} to {flat.max():.4g}, mean {flat.mean():.4g}, norm {(flat**2).sum() ** 0.5:.4g}")
            st.page_link("explain/ui/pages/activations.py", label="Where this channel responds", icon=":material/layers:")
    styles = " ".join(f"--style {name}={value}" for name, value in style.items())
    widgets.show_exports(
        figure,
        f'import explain\n\nmodel = explain.load_model("{model.name}")\nexplain.filters(model, "{layer}").save("filters.png", {arguments})',
        f"{command} {styles} --out filters.png",
        "filters",
    )
