from pathlib import Path
from typing import Any

import streamlit as st

from explain import workspace
from explain.errors import ExplainError
from explain.training.history import Run
from explain.training.judgement import remarks
from explain.ui import caches, choices, exports, selection, widgets
from explain.ui.navigation import script
from explain.ui.parts import training_mistakes, training_pictures, training_runs, training_settings
from explain.ui.parts.section import link_to_section
from explain.ui.text import literal
from explain.views import VIEWS, training_curves
from explain.workspace import runs
from explain.workspace.picture_sets import opened
from explain.workspace.runs import RunRequest

SECTIONS = {"new": "New training", "runs": "Runs", "augmentations": "Augmentations"}
CURVES = VIEWS["training_curves"]
PREVIEWED, DRAWS = 4, 5
st.title("Training")
section = selection.get("trainings", "new")
section = section if section in SECTIONS else "new"
selection.controlled(
    st.segmented_control,
    "What to see",
    "trainings",
    section,
    list(SECTIONS),
    format_func=SECTIONS.get,
    required=True,
    label_visibility="collapsed",
)


def new_training() -> None:
    """A recipe, its settings, its pictures, and a button."""
    with widgets.row("controls-recipe"):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        form = training_settings.choose_recipe()
    right.caption(literal(training_settings.describe(form.recipe)))
    start = training_pictures.choose_start(form.recipe)
    preview = training_settings.choose_settings(form)
    st.subheader("Pictures")
    data, limit = training_pictures.choose_pictures(form)
    with preview:
        show_augmentation(form, data)
    plan = form.plan()
    for problem in form.problems:
        st.error(literal(problem), icon=":material/error:")
    for warning in plan.warnings(form.recipe) if plan else ():
        st.warning(literal(warning), icon=":material/warning:")
    changed = ", ".join(name.replace("_", " ") for name in form.changes)
    if plan:
        st.caption(literal(f"Changed: {changed}." if changed else "As the recipe has it."))
    waiting = training_runs.busy()
    if st.button("Start", type="primary", icon=":material/play_arrow:", key="start", disabled=plan is None):
        folder = runs.reserve(RunRequest(form.recipe.name, form.changes, data, limit, start))
        training_runs.start(folder)
        selection.choose(CURVES.key("runs"), folder.name)
        selection.choose("trainings", "runs")
        selection.again()
    if waiting:
        st.caption(f"{waiting} other {'training goes' if waiting == 1 else 'trainings go'} first.")
    with st.expander("The same by Python or the command line", icon=":material/code:"):
        source = str(opened(data)) if data.startswith("zip/") else data
        st.code(training_settings.python(form, source, limit, start), "python")
        st.code(training_settings.command(form, source, limit, start), "bash")


def show_augmentation(form: training_settings.Form, data: str) -> None:
    """Some pictures beside draws of the plan, as the training sees them."""
    plan = form.changes.get("augmentation", form.recipe.augmentation)
    if not plan:
        return
    images = training_pictures.some(data, PREVIEWED)
    if images is None:
        return
    view = VIEWS["augmentations"]
    try:
        figure = caches.computed(view, {"images": images, "plan": plan, "count": PREVIEWED, "draws": DRAWS}).figure()
    except ExplainError as error:
        form.problems.append(str(error))
        return
    widgets.show_panels(figure, 1 + DRAWS, "augmentation")
    st.caption(literal(figure.note))
    if st.button("More draws, and to save", icon=":material/zoom_in:", key="draws"):
        selection.choose(view.key("images"), data)
        selection.choose(view.key("plan"), view.parameters["plan"].kind.text(plan, {}))
        selection.choose("trainings", "augmentations")
        selection.again()


def show_draws() -> None:
    """What a plan does to pictures."""
    view, given, style = VIEWS["augmentations"], dict[str, Any](), dict[str, Any]()
    with widgets.row("controls-draws"):
        cells = st.columns([1, 2], vertical_alignment="bottom")
    for cell, (name, usual) in zip(cells, (("images", "fashion-mnist"), ("plan", "crop,flip")), strict=True):
        if not selection.get(view.key(name)):
            selection.choose(view.key(name), usual)
        with cell:
            given[name] = choices.typed(view, name, given, {"images": "Pictures", "plan": "Augmentations"}[name])
    choices.more(view, given, style)
    if None in (given["images"], given["plan"]):  # which has been said
        return
    figure = caches.computed(view, given).figure(**style)
    widgets.show_panels(figure, figure.columns, "augmentation")
    st.caption(literal(figure.note))
    choices.show(view, given, style, figure)


def show_runs() -> None:
    """The list, the one chosen, and others over it."""
    names, key = training_runs.known(), CURVES.key("runs")
    chosen = [name for name in str(selection.get(key, "")).split(",") if name in names][: training_curves.MOST]
    if not chosen:
        model = selection.get("model")
        chosen = [model if model in names else next(iter(names))]
    first, others = chosen[0], list(dict.fromkeys(name for name in chosen[1:] if name != chosen[0]))

    def choose() -> None:
        kept = [name for name in st.session_state["_others"] if name != st.session_state["_run"]]
        selection.choose(key, ",".join([st.session_state["_run"], *kept]))

    st.session_state["_run"], st.session_state["_others"] = first, others
    with widgets.row("controls-runs"):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
    left.selectbox("Run", list(names), key="_run", on_change=choose)
    right.multiselect(
        "Others over it",
        [name for name in names if name != first],
        key="_others",
        max_selections=training_curves.MOST - 1,
        on_change=choose,
    )
    with st.expander(f"All {len(names)} runs" if len(names) > 1 else "The only run", icon=":material/list:"):
        widgets.show_table(training_runs.overview(names), PERCENT)
    show_run(first, names[first], [(name, names[name]) for name in others])


HUES = {"error": "red", "warning": "orange", "info": "gray"}
SIGNS = {"error": "dangerous", "warning": "warning", "info": "info"}
PERCENT = {name: st.column_config.NumberColumn(name, format="%.1f %%") for name in ("training", "validation", "test")}


def show_run(name: str, folder: Path | None, others: list[tuple[str, Path | None]]) -> None:
    job = training_runs.job_of(folder)
    if folder is not None and job is not None and job.active:
        training_runs.watch(name, folder, job)
        return
    run = training_runs.run_of(name, folder)
    if run is None:
        raise ExplainError(f"The run {name!r} is damaged; delete its folder.")
    if folder is not None:
        training_runs.show_state(name, folder, run)
    finished = folder is None or workspace.model_folder(name) is not None
    show_buttons(name, folder, finished)
    if finished:
        for one in remarks(run, len(caches.model(name).classes)):
            st.markdown(f":{HUES[one.level]}[:material/{SIGNS[one.level]}: {literal(one.words)}]")
    if run.rows:
        show_curves([run, *filter(None, (training_runs.run_of(*other) for other in others))])
    if folder is not None:
        show_snapshots(name, folder)
    if finished:
        training_mistakes.show_mistakes(caches.model(name), run, folder)


def show_buttons(name: str, folder: Path | None, finished: bool) -> None:
    """What to do with a run."""
    with widgets.row("controls-run"):
        use, _, delete = st.columns([3, 2, 1.5], vertical_alignment="center")
    current = selection.get("model", caches.default_model()) == name
    if finished:
        words = "All pages show this model" if current else "Use this model on all pages"
        if use.button(words, icon=":material/check:", key="use", disabled=current):
            selection.choose("model", name)
            selection.again()
    if folder is not None:
        with delete.popover("Delete", icon=":material/delete:"):
            st.markdown(f"**{literal(name)}** with its model and its snapshots is gone then.")
            if st.button("Delete for good", key="delete", type="primary"):
                runs.remove(folder)
                if str(selection.get("model", "")).partition("@")[0] == name:
                    selection.choose("model", caches.default_model())
                selection.choose(CURVES.key("runs"), "")
                selection.again()


def show_curves(shown: list[Run]) -> None:
    key = CURVES.key("part")
    part = selection.get(key, "curves")
    part = part if part in training_curves.PARTS else "curves"
    selection.controlled(
        st.segmented_control,
        "Curves",
        key,
        part,
        list(training_curves.PARTS),
        format_func=training_curves.PARTS.get,
        required=True,
    )
    given, style = {"runs": shown}, {"part": part}
    result = CURVES(**given)
    figure = result.figure(**style)
    if part == "differences":
        widgets.show_table(result.differences)
    elif figure.panels:  # nothing of this may have been recorded
        widgets.show_charts(figure, min(3, len(figure.panels)))
    if figure.note:
        st.caption(literal(figure.note))
    with st.expander("The numbers", icon=":material/table:"):
        widgets.show_table(figure.table)
    choices.show(CURVES, given, style, figure, "Export the curves")


def show_snapshots(name: str, folder: Path) -> None:
    """The first layer's filters epoch by epoch."""
    epochs = [path.parent.name for path in sorted((folder / "snapshots").glob("*/model.json"))]
    epochs = [str(int(epoch)) for epoch in epochs if epoch.isdecimal()]
    if not epochs:
        return
    st.subheader("What it learned when")
    chosen = str(selection.get("epoch", epochs[-1]))
    chosen = chosen if chosen in epochs else epochs[-1]
    if len(epochs) > 1:
        selection.controlled(st.select_slider, "After epoch", "epoch", chosen, epochs)
    snapshot = caches.model(f"{name}@{chosen}")
    figure = caches.computed(VIEWS["filters"], {"model": snapshot}).figure()
    left, right = st.columns([2, 1], gap="medium")
    with left:
        widgets.show_panels(figure, 1, "snapshot")
    with right:
        st.caption(literal(f"Filters of the first layer after epoch {chosen}. {figure.note}"))
        exports.add_to_report(figure, "snapshot")
        if st.button("Use this snapshot on all pages", key="use-snapshot", icon=":material/check:"):
            selection.choose("model", snapshot.name)
            selection.again()
        if selection.get("model") == snapshot.name:
            st.page_link(script("layers"), label="Its layers and channels")
            link_to_section("pictures", "embedding", "Its map of pictures")


{"new": new_training, "runs": show_runs, "augmentations": show_draws}[section]()
