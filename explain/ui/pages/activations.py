import streamlit as st

from explain.attribution.units import UNIT_METHODS
from explain.errors import NotSupported
from explain.registry import options_of
from explain.ui import caches, selection, widgets
from explain.views import activations, filters, unit

model, picture = caches.model(), caches.picture()
options, channel_options = options_of(activations.render), options_of(activations.render_channel)
st.title("Activations")

with widgets.row("controls"):
    controls = st.columns([4, 2, 2, 2], vertical_alignment="bottom")
with controls[0]:
    shown = [layer for layer in (*model.layers, *model.blocks) if len(layer.shape) in (1, 3)]
    layer = widgets.choose_layer(shown, default=filters.default_layer(model))
with controls[1]:
    sort = widgets.option(options["sort"], "map_sort", "Sort")
with controls[2]:
    scale = widgets.option(options["scale"], "map_scale", "Scale")
with controls[3]:
    two = selection.controlled(st.toggle, "Two pictures", "two", selection.flag("two"))

result = caches.cached(activations.compute, model, picture, layer)
reference = selection.get("picture", caches.demo_picture(model))
opened = f'import explain\n\nmodel = explain.load_model("{model.name}")\nimage = explain.open_picture("{reference}")\n'
lines = f'{opened}result = explain.activations(model, image, "{layer}")\n'
command = f"python -m explain activations {model.name} {reference} --layer {layer}"

if two:
    widgets.choose_picture(model, "picture2", "Second picture")
    second = caches.cached(activations.compute, model, caches.picture("picture2"), layer)
    figure = activations.render_pair(result, second)
    widgets.show_panels(figure, [1, 2])
    st.caption(widgets.literal(figure.note))
    other = selection.get("picture2", caches.demo_picture(model, "picture2"))
    widgets.show_exports(
        figure,
        lines + f'second = explain.activations(model, explain.open_picture("{other}"), "{layer}")\n'
        'explain.views.activations.render_pair(result, second).save("pair.png")',
        f"{command} --out activations.png",
        "activations-pair",
    )
else:
    figure = activations.render(result, sort=sort, scale=scale)
    panel = figure.panels[0]
    channel = selection.get("channel")
    if channel is None or str(channel) not in panel.names:
        channel = int(max(range(len(result.maps)), key=lambda k: result.table["max"][k]))
        selection.choose("channel", channel)
    channel = int(channel)
    values = [f"{result.table['max'][int(name)]:.3g}" for name in panel.names]
    st.caption(widgets.literal(f"{figure.title}. Under each tile its number and its maximum."))
    key = f"maps-{model.name}-{layer}"
    clicked = widgets.show_gallery(panel, key, panel.names.index(str(channel)), values, figure.alt)
    if clicked is not None:
        selection.choose("channel", int(panel.names[clicked]))
        st.rerun()
    if panel.scale:
        widgets.show_scale(panel.scale)
    st.caption(widgets.literal(figure.note))

    @st.fragment
    def one_channel() -> None:
        st.subheader(f"Channel {channel}")
        with widgets.row("split"):
            left, right = st.columns([3, 1], vertical_alignment="bottom")
        with left:
            opacity = widgets.option(channel_options["opacity"])
        with right:
            smooth = widgets.option(channel_options["smooth"])
        # The selection is one channel; the picture, the layer and the pass through the network stay as they are.
        large = activations.render_channel(result, channel, opacity=opacity, smooth=smooth)
        widgets.show_panels(large)
        st.caption(widgets.literal(large.note))
        widgets.show_exports(
            large,
            f'{lines}result.save("channel.png", channel={channel}, opacity={opacity}, smooth={smooth})',
            f"{command} --channel {channel} --style opacity={opacity} --out channel.png",
            "channel",
            f"Export channel {channel}",
        )

    @st.fragment
    def one_unit() -> None:
        st.subheader("What excites it here")
        with widgets.row("unit"):
            left, right = st.columns([1, 3], vertical_alignment="bottom")
        with left:
            entry = widgets.choose_entry(UNIT_METHODS, "unit_method", "Method")
        right.caption(widgets.literal(entry.summary))
        try:
            excited = caches.cached(unit.compute, model, picture, layer, channel, None, entry.name)
        except NotSupported as error:  # the method's rule does not fit the layer; everything else here does
            st.info(widgets.literal(str(error)), icon=":material/info:")
            return
        projected = unit.render(excited)
        widgets.show_panels(projected)
        st.caption(widgets.literal(projected.note))
        widgets.show_exports(
            projected,
            f'{opened}result = explain.unit(model, image, "{layer}", {channel}, method="{entry.name}")\n'
            'result.save("unit.png")',
            f"python -m explain unit {model.name} {reference} --layer {layer} --channel {channel}"
            f" --method {entry.name} --out unit.png",
            "unit",
            f"Export what excites channel {channel}",
        )

    one_channel()
    one_unit()
    drawn = f"--style sort={sort} --style scale={scale}"
    lines += f'result.save("maps.png", sort="{sort}", scale="{scale}")'
    widgets.show_exports(figure, lines, f"{command} {drawn} --out maps.png", "maps", "Export all channels")
