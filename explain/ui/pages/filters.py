import streamlit as st

from explain import workspace
from explain.registry import options_of
from explain.ui import caches, selection, widgets
from explain.views import filters

model = caches.model()
options = options_of(filters.render)
st.title("Filters")

with widgets.row("controls"):
    controls = st.columns([4, 2, 2, 2, 3])
with controls[0]:
    # The shared layer may be one without filters: then this page shows the first that has some.
    layer = widgets.choose_layer(filters.layers_with_filters(model), default=filters.default_layer(model))
style = {}
for column, name in zip(controls[1:4], ("scale", "polarity", "sort"), strict=True):
    with column:
        style[name] = widgets.option(options[name], f"filter_{name}", name.capitalize())
with controls[4]:
    others = ["", *[name for name in workspace.list_models() if name != model.name]]
    beside = selection.get("beside", "")
    beside = beside if beside in others else ""
    selection.controlled(st.selectbox, "Beside", "beside", beside, others, format_func=lambda n: n or "no other model")

result = caches.cached(filters.compute, model, layer)
arguments = ", ".join(f"{name}={value!r}" for name, value in style.items())
lines = f'import explain\n\nmodel = explain.load_model("{model.name}")\nresult = explain.filters(model, "{layer}")\n'
command = f"python -m explain filters {model.name} --layer {layer} "

if beside:
    figure = filters.render_pair(result, caches.cached(filters.compute, caches.model(beside)), **style)
    widgets.show_panels(figure)
    st.caption(widgets.literal(figure.note))
    lines += f'other = explain.filters(explain.load_model("{beside}"))\n'
    lines += f'explain.views.filters.render_pair(result, other, {arguments}).save("pair.png")'
    widgets.show_exports(figure, lines, f"{command}--out filters.png", "filters-pair")
else:
    if (pages := filters.count_pages(result)) > 1:
        given = str(selection.get("page", 1))
        page = min(int(given), pages) if given.isdecimal() else 1
        style["page"] = int(selection.controlled(st.number_input, f"Page of {pages}", "page", max(page, 1), 1, pages))
        arguments += f", page={style['page']}"
    figure = filters.render(result, **style)
    panel = figure.panels[0]
    numbers = [name.partition(":")[0] for name in panel.names]
    channel = str(selection.get("channel", ""))
    chosen = numbers.index(channel) if channel in numbers else None
    clicked = widgets.show_gallery(
        panel,
        f"filters-{model.name}-{layer}",
        chosen,
        alt=figure.alt,
        rows_of=result.slices if 1 < result.slices <= 24 else None,
    )
    if clicked is not None:
        selection.choose("layer", layer)
        selection.choose("channel", numbers[clicked])
        st.rerun()
    if panel.scale:
        widgets.show_scale(panel.scale)
    st.caption(widgets.literal(figure.note))
    if chosen is not None:
        one = filters.pick(result, int(channel))
        left, right = st.columns([1, 3], vertical_alignment="center")
        with left:
            widgets.show_panels(filters.render(one, scale=style["scale"], polarity=style["polarity"]), 1)
        with right:
            low, high, mean, norm = one.tiles.min(), one.tiles.max(), one.tiles.mean(), (one.tiles**2).sum() ** 0.5
            st.markdown(f"**Filter {channel}** of {widgets.literal(layer)}")
            st.caption(f"Weights {low:.4g} to {high:.4g}, mean {mean:.4g}, norm {norm:.4g}")
            st.page_link(
                "explain/ui/pages/activations.py", label="Where this channel responds", icon=":material/layers:"
            )
    drawn = " ".join(f"--style {name}={value}" for name, value in style.items())
    lines += f'result.save("filters.png", {arguments})'
    widgets.show_exports(figure, lines, f"{command}{drawn} --out filters.png", "filters")
