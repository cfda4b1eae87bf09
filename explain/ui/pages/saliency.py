import streamlit as st

from explain.attribution import METHODS
from explain.registry import options_of
from explain.ui import session, widgets
from explain.views import saliency

model, picture = session.model(), session.picture()
style_options = options_of(saliency.render)
st.title("Saliency")
ranked = session.cached(type(model).predict, model, picture)[0]

with widgets.row("controls"):
    controls = st.columns([2, 3, 2, 2, 2])
with controls[0]:
    entry = widgets.choose_entry(METHODS, "method", "Method")
with controls[1]:
    chances = {name: f"{name}  ·  {p:.1%}" for name, p in ranked}
    target = session.get("target")
    names = ["", *chances, *[name for name in model.classes if name not in chances]]
    session.controlled(
        st.selectbox,
        "Class to explain",
        "target",
        target if target in names else "",
        names,
        format_func=lambda name: chances.get(name, name) if name else f"predicted: {ranked[0][0]}",
    )
if target and target not in names:
    model.target(target, picture)  # says what is wrong with a class from the URL
for column, name in zip(controls[2:], style_options, strict=True):
    with column:
        widgets.option(style_options[name], name)
style = {name: spec.check(session.get(name, spec.default)) for name, spec in style_options.items()}
options = {}
if entry.options:
    cells = st.columns(4)
    for cell, spec in zip(cells, entry.options.values(), strict=False):
        with cell:
            options[spec.name] = widgets.option(spec, f"{entry.name}_{spec.name}")

result = session.cached(saliency.compute, model, picture, entry.name, target or None, **options)
figure = saliency.render(result, **style)
st.caption(widgets.literal(entry.summary))
widgets.show_panels(figure, 3)
st.caption(widgets.literal(saliency.range_of(result)))
st.warning(saliency.CAVEAT, icon=":material/warning:")

if session.controlled(st.toggle, "The five likeliest classes on one scale", "five", session.flag("five")):
    maps = [session.cached(saliency.compute, model, picture, entry.name, name, **options) for name, _ in ranked]
    widgets.show_panels(saliency.render_classes(maps, **style))

reference = session.get("picture", session.demo_picture(model))
given = "".join(f", {name}={value!r}" for name, value in options.items())
wanted = f", target={target!r}" if target else ""
drawn = "".join(f", {name}={value!r}" for name, value in style.items())
widgets.show_exports(
    figure,
    f'import explain\n\nmodel = explain.load_model("{model.name}")\nimage = explain.open_picture("{reference}")\n'
    f'result = explain.saliency(model, image, "{entry.name}"{wanted}{given})\nresult.save("saliency.png"{drawn})',
    f"python -m explain saliency {model.name} {reference} --method {entry.name}"
    + (f' --target "{target}"' if target else "")
    + "".join(f" --option {name}={value}" for name, value in options.items())
    + " --out saliency.png",
    "saliency",
)
