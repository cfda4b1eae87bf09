"""Which pictures to train on: those shipped, or a ZIP of class folders that a visitor uploads."""

from typing import Any

import streamlit as st

from explain import workspace
from explain.data import ImageSet, is_here
from explain.errors import ExplainError
from explain.project import project
from explain.training import RECIPES, Recipe
from explain.ui import dropped, selection, widgets
from explain.ui.parts.training_settings import Form
from explain.ui.text import literal
from explain.workspace import picture_sets
from explain.workspace.runs import images_of

SETS = {
    "fashion-mnist-train": "Fashion-MNIST · 60,000 pictures to train on",
    "fashion-mnist": "Fashion-MNIST · its 10,000 test pictures",
    "mnist-train": "MNIST · 60,000 digits to train on",
}
TEN_THOUSAND = (
    "These are the test pictures, so nothing is left to test on: keep a share for validation, and do not compare the "
    "accuracy with others'."
)
TRANSFER = (
    "What a network has learned of other pictures does not always help: the less they are like yours, and the more of "
    "yours there are, the less. Train once with a new network as well, on the same pictures, and keep the better one."
)
MISSING = "The 60,000 training pictures are not on this machine (`apt-get install dataset-fashion-mnist`). "
FORM = "A ZIP with one folder for each class and its pictures in it; the folders' names are the classes' names."


def choose_pictures(form: Form) -> tuple[str, int]:
    """The pictures by name, and how many of them, 0 for all; what is wrong with them is a problem of the form."""
    own = {reference: known for reference, known in picture_sets.found().items() if len(known.classes) > 1}
    shipped = [*project().images, *(name for name in SETS if is_here(name))]
    whole = "fashion-mnist-train" in shipped
    usual = form.recipe.data if form.recipe.data in shipped else "fashion-mnist"
    if form.recipe.start and own:
        usual = next(iter(own))
    key = form.key("data")
    chosen = selection.get(key, usual)
    if chosen not in (*shipped, *own):
        chosen = usual
    with widgets.row("split-data"):
        left, right = st.columns([2, 2], gap="medium")
    with left:
        selection.controlled(
            st.selectbox,
            "Pictures",
            key,
            chosen,
            [*own, *shipped],
            format_func=lambda name: str(own.get(name) or SETS.get(name, name)),
        )
        limit = 0 if chosen in own else _limit(form)
        if not whole:
            st.caption(MISSING)
        if chosen == "fashion-mnist":
            st.caption(TEN_THOUSAND)
    with right:
        refused = dropped.given("Or your own: a ZIP of class folders", ["zip"], "zip", lambda file: _take(file, form))
        st.caption(FORM + f" At most {picture_sets.MOST_BYTES >> 20} MB. Folders of this machine: by the command line.")
    if refused:
        widgets.show_error(refused)
    if chosen in own:
        _show(own[chosen])
        _fit(form, own[chosen])
    return chosen, limit


def _limit(form: Form) -> int:
    key = form.key("limit")
    value = selection.number(key, 0, 0, 60_000)
    return int(
        selection.controlled(
            st.number_input, "The first so many only", key, value, 0, 60_000, help="0 for all of them; few are quick."
        )
    )


def _take(file: Any, form: Form) -> None:
    """Pictures of one's own are few: unless a recipe was chosen, they are learned on a trained network's features."""
    reference, recipe = picture_sets.unpack(file, file.name, classes=True).reference, form.recipe
    if not selection.get("recipe"):
        recipe = next((one for one in RECIPES.values() if one.start), recipe)
        selection.choose("recipe", recipe.name)
    selection.choose(Form(recipe).key("data"), reference)


def _show(pictures: picture_sets.Pictures) -> None:
    """The classes with their pictures, and what was left out."""
    counts = ", ".join(f"{name} {count:,}" for name, count in pictures.classes.items())
    st.caption(literal(f"Classes: {counts}."))
    few = [name for name, count in pictures.classes.items() if count < 5]
    if few:
        st.caption(literal(f"Few pictures of {', '.join(few[:10])}: with so few, accuracy is a matter of chance."))
    if pictures.skipped:
        with st.expander(f"{len(pictures.skipped)} files were left out"):
            widgets.show_table({"file": list(pictures.skipped), "why": list(pictures.skipped.values())})


def _fit(form: Form, pictures: picture_sets.Pictures) -> None:
    """A recipe for other pictures has their number of classes written down, and takes more at once than there are."""
    validation = form.changes.get("validation", form.recipe.validation)
    count = max(1, int(sum(pictures.classes.values()) * (1 - validation)) - 1)
    if form.changes.get("batch_size", form.recipe.batch_size) > count:
        form.changes["batch_size"] = count
        st.caption(f"Pictures a step: {count:,}, as there are no more to train on.")
    if not form.recipe.start:
        options = {**form.recipe.options, **form.changes.get("options", {})}
        if options.get("classes", len(pictures.classes)) != len(pictures.classes):
            form.changes["options"] = {**options, "classes": len(pictures.classes)}


def choose_start(recipe: Recipe) -> str:
    """The trained network to begin with; empty where it is the recipe's own."""
    if not recipe.start:
        return ""
    names = workspace.list_models()
    chosen = selection.get("start", recipe.start)
    chosen = chosen if chosen in names else recipe.start
    selection.controlled(st.selectbox, "Network to start from", "start", chosen, names)
    st.caption(TRANSFER)
    return "" if chosen == recipe.start else chosen


def some(data: str, count: int) -> ImageSet | None:
    """The first pictures, for a preview."""
    try:
        images = images_of(data)
    except ExplainError as error:
        widgets.show_error(error)
        return None
    step = max(1, len(images) // count)
    return images[: step * count : step]
