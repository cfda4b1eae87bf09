import streamlit as st

from explain.network.model import Model
from explain.ui import caches, choices, selection, widgets
from explain.ui.parts import saliency_choices, saliency_cover, saliency_region, saliency_trust
from explain.ui.parts.saliency_choices import GRID, SALIENCY
from explain.ui.text import literal
from explain.views import saliency

model, picture = caches.model(), caches.picture()
st.title("Saliency")
scores = caches.cached(Model.scores, model, picture)[0]

entries = saliency_choices.choose_methods(model)
reference = selection.get("picture", caches.demo_picture(model))
unit, targets = saliency_choices.choose_targets(model, scores, reference)
region = None
if model.head.is_segmentation:
    region = None if unit else saliency_region.choose_region(model)
    saliency_region.show_classes(model, picture, region)
with widgets.row("controls-how"):
    controls = st.columns(len(SALIENCY.style) + 1)
style = {}
for column, name in zip(controls, SALIENCY.style, strict=False):
    with column:
        style[name] = choices.option(SALIENCY, name)
with controls[-1]:
    beside = saliency_choices.choose_beside(model)
second = saliency_choices.choose_second(beside, model)
methods = [entry.name for entry in entries]
alone = len(methods) == 1 and len(targets) < 2 and not second
given = {"model": model, "image": picture, "unit": unit, "region": region}
given |= {"method": methods[0], "target": next(iter(targets), None)} if alone else {"methods": methods}
saliency_choices.choose_options(SALIENCY if alone else GRID, given, entries)


def show_one() -> None:
    result = saliency_choices.make(SALIENCY, given, entries[0].label)
    if result is None:
        return
    the_map, asked = st.container(), given
    if verdict := saliency_trust.show_trust(given, style["opacity"]):  # it goes with the map that stands above
        result, asked = result.with_verdict(verdict), {**given, "checked": True}
    figure = result.figure(**style)
    with the_map:
        st.caption(literal(f"{entries[0].summary} {entries[0].caveat}"))
        widgets.show_panels(figure, 3)
        st.caption(literal(saliency.range_of(result)))
        choices.show(SALIENCY, asked, style, figure)
        words = "What other methods mark, on one row."
        if st.button("Beside other methods", icon=":material/view_column:", help=words):
            others = dict.fromkeys((entries[0].name, *saliency_choices.QUICK))
            selection.choose(saliency_choices.METHOD, ",".join(others))
            selection.again()
    st.subheader("Closer")
    saliency_cover.show_lens(given, result, figure.panels[2].image, f"lens-{model.name}")


def show_grid() -> None:
    asked = {**given, "targets": targets or None, **second}
    style["scale"] = choices.option(GRID, "scale", "One scale for each")
    result = saliency_choices.make(GRID, asked, "Maps")
    if result is None:
        quick = [name for name in methods if saliency_choices.is_quick(model, [name])]
        if quick and len(quick) < len(methods):  # the others are on their way
            own = {name: value for name, value in asked["options"].items() if name.partition(".")[0] in quick}
            part = saliency_choices.make(GRID, {**asked, "methods": quick, "options": own}, "Maps")
            if part is not None:
                widgets.show_panels(part.figure(**style), align="bottom")
        return
    for name, why in result.refused.items():
        label = next(entry.label for entry in entries if entry.name == name)
        st.info(f"**{literal(label)}**: {literal(why)}", icon=":material/info:")
    figure = result.figure(**style)
    widgets.show_panels(figure, align="bottom")
    st.caption(literal(figure.note))
    for entry in entries:
        st.caption(f"**{literal(entry.label)}**: {literal(f'{entry.summary} {entry.caveat}')}")
    choices.show(GRID, asked, style, figure)


if alone:
    show_one()
else:
    show_grid()
