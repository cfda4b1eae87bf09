import streamlit as st

from explain.registry import options_of
from explain.ui import caches, selection, widgets
from explain.ui.parts import saliency_choices, saliency_cover, saliency_trust
from explain.ui.parts.saliency_choices import MapRequest
from explain.views import saliency

COMPARED = {"": "nothing else", "picture": "a second picture", "model": "a second model"}
model, picture = caches.model(), caches.picture()
reference = selection.get("picture", caches.demo_picture(model))
style_options = options_of(saliency.render)
st.title("Saliency")
ranked = caches.cached(type(model).predict, model, picture)[0]

with widgets.row("controls-what"):
    left, right = st.columns([3, 4])
with left:
    entries = saliency_choices.choose_methods()
with right:
    targets = saliency_choices.choose_targets(model, ranked, reference)
unit, channel = saliency_choices.choose_unit(model)
with widgets.row("controls-how"):
    controls = st.columns(5)
for column, name in zip(controls, style_options, strict=False):
    with column:
        widgets.option(style_options[name], name)
style = {name: spec.check(selection.get(name, spec.default)) for name, spec in style_options.items()}
with controls[4]:
    compared = selection.get("compared", "")
    compared = compared if compared in COMPARED else ""
    selection.controlled(st.selectbox, "Beside", "compared", compared, list(COMPARED), format_func=COMPARED.get)
layer, options = saliency_choices.choose_options(model, entries)


def question(method: str, target: str | None) -> MapRequest:
    return MapRequest(model, picture, reference, method, target or channel, layer, unit, options[method])


def second(first: MapRequest) -> MapRequest:
    """The same asked of another picture, or of another model."""
    if compared == "picture":
        other = selection.get("picture2", caches.demo_picture(model, "picture2"))
        return saliency_choices.other(first, other, caches.picture("picture2"))
    return saliency_choices.other_model(first, caches.model(selection.get("beside")))


if compared == "picture":
    widgets.choose_picture(model, "picture2", "Second picture")
elif compared == "model":
    saliency_choices.choose_model("beside", model)

asked = [[question(entry.name, target) for target in targets] for entry in entries]
if compared:
    asked = [[each for one in row for each in (one, second(one))] for row in asked]
alone = len(asked) == len(asked[0]) == 1
answers = [saliency_choices.ask_all(row) for row in asked]
rows = [row for row in answers if None not in row]
first = asked[0][0]
opened = f'import explain\n\nmodel = explain.load_model("{model.name}")\nimage = explain.open_picture("{reference}")\n'
drawn = "".join(f", {name}={value!r}" for name, value in style.items() if value != style_options[name].default)

if alone and rows:
    result = rows[0][0]
    figure = saliency.render(result, **style)
    st.caption(widgets.literal(f"{entries[0].summary} {entries[0].caveat}"))
    widgets.show_panels(figure, 3)
    st.caption(widgets.literal(saliency.range_of(result)))
    widgets.show_exports(
        figure,
        f'{opened}{first.python()}\nresult.save("saliency.png"{drawn})',
        f"{first.command()} --out saliency.png",
        "saliency",
    )
    saliency_trust.show_trust(first)
    st.subheader("Closer")
    saliency_cover.show_lens(first, result, figure.panels[2].image, f"lens-{model.name}")
elif rows:
    scale = widgets.option(options_of(saliency.render_grid)["scale"], "shared", "One scale for each")
    figure = saliency.render_grid(rows, scale=scale, **style)
    widgets.show_panels(figure, align="bottom")
    st.caption(widgets.literal(figure.note))
    for entry in entries:
        st.caption(f"**{widgets.literal(entry.label)}**: {widgets.literal(f'{entry.summary} {entry.caveat}')}")
    grid = ", ".join("[" + ", ".join(one.python("").removeprefix(" = ") for one in row) + "]" for row in asked)
    widgets.show_exports(
        figure,
        f'{opened}rows = [{grid}]\nexplain.views.saliency.render_grid(rows{drawn}).save("saliency.png")',
        "\n".join(f"{one.command()} --out {one.method}-{k}.png" for row in asked for k, one in enumerate(row)),
        "saliency",
    )
