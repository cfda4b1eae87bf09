"""What the lectures teach, to try: sizes of convolutions, and their tables beside what is counted."""

from dataclasses import replace
from typing import Any

import streamlit as st

from explain import workspace
from explain.data import ImageSet, is_here, list_images
from explain.errors import BadValue, NotSupported
from explain.lectures import tables
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.parts.asked import ask
from explain.ui.parts.lessons import show_lessons
from explain.ui.parts.section import choose_section
from explain.ui.parts.whole_view import show_view
from explain.ui.text import literal
from explain.views import VIEWS, View, ensemble, optimiser_paths

COMPARED = ["lenet-fashion-mnist", "edges-fashion-mnist", "small-resnet-fashion-mnist"]
SECTIONS = {
    "lessons": "Lessons",
    "calculator": "Calculator",
    "lectures": "The lectures' tables",
    "paths": "Paths of optimisers",
    "loss": "Loss surface",
    "averages": "Averages",
    "normalisation": "Response normalisation",
    "filter": "A filter by hand",
}


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
    if name in tables.LISTED:
        cells = {column: [literal(cell) for cell in texts] for column, texts in result.across.items()}
        st.table(cells, hide_index=True, alt=result.title)  # sentences, which have to wrap
    else:
        widgets.show_table(result.across)
    if any(row.same is not None for row in result.rows):
        st.caption("Slide · ours, counted from the networks; ≠ where they differ. A number alone is ours.")
    if result.differences:
        st.subheader("What differs")
        for row in result.differences:
            st.markdown(
                f"- **{literal(row.network)}**, {literal(row.what)}: {literal(row.slide)} on the slide, "
                f"**{literal(row.ours)}** counted. {literal(row.why)} ({row.cite})"
            )
    choices.show(view, given, {}, figure)


def show_paths() -> None:
    view, given = VIEWS["optimiser_paths"], dict[str, Any]()
    show_view(view, given, "Optimisers", at_once=True)
    if selection.controlled(st.toggle, "Play", "play", selection.flag("play"), help="All paths, step by step."):
        show_film(view, given)
    st.caption(
        "Local minima and saddles: the loss of a network has many, and the noise of small batches helps to leave them. "
        "An optimiser that adapts its rates needs less tuning; well tuned, plain descent with momentum is as good."
    )


def show_film(view: View, given: dict[str, Any]) -> None:
    result = caches.computed(view, given)
    key = f"film {caches.identity(**view.flat(given))}"
    film = jobs.show(
        jobs.start(key, lambda progress: optimiser_paths.film(result, progress=progress), "short"), "Play", "frames"
    )
    if film is not None:
        st.image(film, width="stretch", caption="From the start to the end, again and again")
        st.download_button("GIF", film, "optimisers.gif", "image/gif", icon=":material/download:")


def show_loss() -> None:
    view, model = VIEWS["loss_surface"], caches.model()
    try:
        show_view(view, {"model": model, "images": labelled(view)}, "Loss surface")
    except (BadValue, NotSupported) as error:  # labels that are no classes of the network, say
        st.info(literal(str(error)), icon=":material/info:")


def labelled(view: View) -> ImageSet:
    """Pictures of which the classes are known."""
    key = view.key("images")
    chosen = str(selection.get(key, "fashion-mnist"))
    sets = [name for name in list_images() if is_here(name)]
    selection.controlled(st.selectbox, "Labelled pictures", key, chosen, list(dict.fromkeys([*sets, chosen])))
    return caches.SessionOpener().images(chosen)


def show_averages() -> None:
    view = VIEWS["ensemble"]
    key, names = view.key("models"), workspace.list_models()
    asked = [name for name in str(selection.get(key, "")).split(",") if name in names] or COMPARED
    chosen = selection.controlled_list(st.multiselect, "Networks", key, asked, names, max_selections=ensemble.MOST)
    models = [caches.model(name) for name in chosen or asked]
    try:
        show_view(view, {"models": models, "images": labelled(view)}, "Averages", "pictures")
    except (BadValue, NotSupported) as error:  # other classes, say
        st.info(literal(str(error)), icon=":material/info:")


def show_normalisation() -> None:
    show_view(VIEWS["response_normalisation"], {}, "Response normalisation", at_once=True)


def show_filter() -> None:
    show_view(VIEWS["hand_set_filter"], {}, "A filter set by hand", at_once=True)


SHOWN = {
    "lessons": show_lessons,
    "calculator": show_calculator,
    "lectures": show_lectures,
    "paths": show_paths,
    "loss": show_loss,
    "averages": show_averages,
    "normalisation": show_normalisation,
    "filter": show_filter,
}
st.title("Learn")
section = choose_section(SECTIONS)
SHOWN[section]()
