from pathlib import Path

import streamlit as st

from explain import workspace
from explain.errors import ExplainError
from explain.ui import caches, selection, widgets
from explain.ui.parts import training_mistakes, training_pictures, training_runs, training_settings
from explain.ui.text import literal
from explain.views import augmentations, filters, training_curves
from explain.workspace import runs
from explain.workspace.runs import RunRequest
from explain.workspace.zips import opened

SECTIONS = {"new": "New training", "runs": "Runs"}
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
        selection.choose("run", folder.name)
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
    try:
        result = augmentations.compute(images, plan, count=PREVIEWED, draws=DRAWS)
    except ExplainError as error:
        form.problems.append(str(error))
        return
    figure = augmentations.render(result)
    widgets.show_panels(figure, 1 + DRAWS, "augmentation")
    st.caption(literal(figure.note))


def show_runs() -> None:
    """The list, the one chosen, and others over it."""
    names = training_runs.known()
    chosen = selection.get("run", next(iter(names)))
    if chosen not in names:
        selection.choose("run", chosen := next(iter(names)))
    with widgets.row("controls-runs"):
        left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        selection.controlled(st.selectbox, "Run", "run", chosen, list(names))
    others = [name for name in str(selection.get("others", "")).split(",") if name in names and name != chosen]
    with right:
        selection.controlled_list(
            st.multiselect,
            "Others over it",
            "others",
            others[: training_curves.MOST - 1],
            [name for name in names if name != chosen],
            max_selections=training_curves.MOST - 1,
        )
    with st.expander(f"All {len(names)} runs" if len(names) > 1 else "The only run", icon=":material/list:"):
        st.dataframe(training_runs.overview(names), hide_index=True, column_config=PERCENT)
    show_run(chosen, names[chosen], [(name, names[name]) for name in others])


PERCENT = {name: st.column_config.NumberColumn(name, format="%.1f %%") for name in ("training", "validation", "test")}


def show_run(name: str, folder: Path | None, others: list[tuple[str, Path | None]]) -> None:
    job = training_runs.job_of(folder)
    if job is not None and job.active:
        training_runs.watch(name, folder, job)
        return
    run = training_runs.run_of(name, folder)
    if run is None:
        raise ExplainError(f"The run {name!r} is damaged; delete its folder.")
    if folder is not None:
        training_runs.show_state(name, folder, run)
    finished = folder is None or workspace.model_folder(name) is not None
    show_buttons(name, folder, finished)
    if run.rows:
        show_curves([run, *filter(None, (training_runs.run_of(*other) for other in others))], [name, *dict(others)])
    if folder is not None:
        show_snapshots(name, folder)
    if finished:
        training_mistakes.show_mistakes(caches.model(name), run, folder)


def show_buttons(name: str, folder: Path | None, finished: bool) -> None:
    """What to do with a run."""
    with widgets.row("controls-run"):
        use, _, delete = st.columns([2, 4, 1], vertical_alignment="center")
    current = selection.get("model", caches.DEFAULT_MODEL) == name
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
                    selection.choose("model", caches.DEFAULT_MODEL)
                selection.choose("run", "")
                selection.again()


def show_curves(shown: list[training_curves.Run], names: list[str]) -> None:
    part = selection.get("watch", "curves")
    part = part if part in training_curves.PARTS else "curves"
    selection.controlled(
        st.segmented_control,
        "Curves",
        "watch",
        part,
        list(training_curves.PARTS),
        format_func=training_curves.PARTS.get,
    )
    result = training_curves.compute(*shown)
    figure = training_curves.render(result, part=part)
    if part == "differences":
        st.dataframe(result.differences, hide_index=True, width="stretch")
    else:
        widgets.show_charts(figure, min(3, len(figure.panels)) or 1)
    if figure.note:
        st.caption(literal(figure.note))
    with st.expander("The numbers", icon=":material/table:"):
        st.dataframe(figure.table, hide_index=True)
    known = workspace.list_runs()
    sources = [f'"{known[name]}"' if name in known else f'explain.load_model("{name}")' for name in names]
    widgets.show_exports(
        figure,
        f"import explain\n\nresult = explain.training_curves({', '.join(sources)})\n"
        f'result.save("training.png", part="{part}")',
        "# from Python only",
        "training",
        "Export the curves",
    )


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
    figure = filters.render(caches.cached(filters.compute, snapshot))
    left, right = st.columns([2, 1], gap="medium")
    with left:
        widgets.show_panels(figure, 1, "snapshot")
    with right:
        st.caption(literal(f"Filters of the first layer after epoch {chosen}. {figure.note}"))
        if st.button("Use this snapshot on all pages", key="use-snapshot", icon=":material/check:"):
            selection.choose("model", snapshot.name)
            selection.again()
        if selection.get("model") == snapshot.name:
            for page, label in (("patches", "Its patches"), ("embedding", "Its map of pictures")):
                st.page_link(f"explain/ui/pages/{page}.py", label=label)


if section == "new":
    new_training()
else:
    show_runs()
