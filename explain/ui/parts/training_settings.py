"""The controls of a recipe: each setting is what its registered option says, and those changed are marked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from explain.errors import ExplainError
from explain.nets import NETS
from explain.options import Choices, Option
from explain.registry import Entry
from explain.training import AUGMENTATIONS, OPTIMISERS, RECIPES, SCHEDULES, SETTINGS, Recipe
from explain.ui import selection, widgets
from explain.ui.text import literal
from explain.views.inputs import PLAN

LARGEST = 2**53 - 1  # a browser's largest whole number
TABS = ("Training", "Network", "Optimiser", "Learning rate", "Validation", "Augmentation", "More")
OF_TAB = {
    "Training": ("epochs", "batch_size", "learning_rate", "seed"),
    "Network": ("initial", "auxiliary"),
    "Optimiser": ("clip", "stop_norm"),
    "Learning rate": ("warmup", "warmup_factor", "warmup_shape"),
    "Validation": ("validation", "patience", "test_every_epoch", "label_smoothing"),
    "More": ("normalise", "precision", "shuffle_labels"),
}
OF_TRANSFER = ("freeze",)
GIVEN = ("classes",)  # by the pictures
LABELS = {
    "batch_size": "Pictures a step",
    "freeze": "Train the new head only",
    "stop_norm": "Stop below this gradient",
    "clip": "Longest gradient",
    "normalise": "Normalise colours",
    "initial": "Weights to begin with",
    "validation": "Share for validation",
    "auxiliary": "Weight of auxiliary heads",
    "test_every_epoch": "Test each epoch",
}


@dataclass
class Form:
    """A recipe with what has been changed of it; `problems` keep it from being trained by."""

    recipe: Recipe
    changes: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def take(self, name: str, value: Any, base: Any) -> None:
        if value != base:
            self.changes[name] = value

    def plan(self) -> Recipe | None:
        """The recipe as it is to be trained; None, with a problem, where it cannot be."""
        if self.problems:
            return None
        try:
            return self.recipe.changed(**self.changes)
        except ExplainError as error:
            self.problems.append(str(error))
            return None

    def key(self, name: str) -> str:
        """What a setting is called in the URL: each recipe has its own."""
        return f"{self.recipe.name}.{name}"


def choose_recipe() -> Form:
    """The recipe, what it is, and where it is from."""
    chosen = selection.get("recipe", usual_recipe())
    if chosen not in RECIPES:
        selection.say_unknown("recipe", chosen)
        selection.choose("recipe", chosen := usual_recipe())
    selection.controlled(st.selectbox, "Recipe", "recipe", chosen, list(RECIPES))
    recipe = RECIPES[chosen]
    return Form(recipe)


def usual_recipe() -> str:
    """The first; for who has pictures of their own, the first that begins with a trained network: they are few."""
    transfers = [name for name, recipe in RECIPES.items() if recipe.start]
    return next(iter(transfers if widgets.own_sets() and transfers else RECIPES))


def describe(recipe: Recipe) -> str:
    network = NETS[recipe.architecture].label if recipe.architecture else f"{recipe.start} with a new last layer"
    return f"{network}. {recipe.source[0].upper()}{recipe.source[1:]}."


def choose_settings(form: Form) -> Any:
    """All settings in tabs; returns the place where the augmentations' preview goes."""
    recipe = form.recipe
    tabs = dict(zip(TABS, st.tabs(TABS), strict=True))
    with tabs["Training"]:
        names = (*OF_TAB["Training"], *(OF_TRANSFER if recipe.start else ()))
        _settings(form, "Training", names)
    with tabs["Network"]:
        if recipe.start:
            st.caption("The network is the one to start from; it gets a new last layer.")
        else:
            _entry(form, "options", NETS[recipe.architecture], recipe.options, skip=GIVEN)
            with_aside = "auxiliary" in NETS[recipe.architecture].options
            _settings(form, "Network", OF_TAB["Network"] if with_aside else OF_TAB["Network"][:1])
    with tabs["Optimiser"]:
        _chosen_entry(form, "optimiser", OPTIMISERS, recipe.optimiser_options)
        _settings(form, "Optimiser", OF_TAB["Optimiser"])
    with tabs["Learning rate"]:
        _chosen_entry(form, "schedule", SCHEDULES, recipe.schedule_options)
        _settings(form, "Learning rate", OF_TAB["Learning rate"])
    with tabs["Validation"]:
        _settings(form, "Validation", OF_TAB["Validation"])
    with tabs["Augmentation"]:
        _augmentations(form)
        preview = st.container()
    with tabs["More"]:
        _settings(form, "More", OF_TAB["More"])
        _snapshots(form)
    return preview


def _settings(form: Form, tab: str, names: Iterable[str]) -> None:
    """Settings of the recipe itself, in rows."""
    for cell, name in _in_rows(tab, list(names)):
        with cell:
            base = getattr(form.recipe, name)
            form.take(name, setting(form, SETTINGS[name], name, base), base)


def _entry(form: Form, whole: str, entry: Entry, given: Mapping[str, Any], skip: Iterable[str] = ()) -> None:
    """The options of a registered function; those that differ from the recipe's are a change of the whole."""
    bases = {name: given.get(name, option.default) for name, option in entry.options.items() if name not in skip}
    changed = {}
    for cell, name in _in_rows(f"{whole}-{entry.name}", list(bases)):
        with cell:
            value = setting(form, entry.options[name], f"{entry.name}.{name}", bases[name])
            if value != bases[name]:
                changed[name] = value
    if changed:
        form.changes[whole] = {**given, **changed}


def _chosen_entry(form: Form, name: str, registry: Mapping[str, Entry], given: Mapping[str, Any]) -> None:
    """One of several kinds, what it is, and its options; those of the recipe are those of its own kind."""
    base = getattr(form.recipe, name)
    with widgets.row(f"controls-{name}"):
        cell, words = st.columns([1, 3], vertical_alignment="bottom")
    with cell:
        chosen = setting(form, SETTINGS[name], name, base, {key: entry.label for key, entry in registry.items()})
    form.take(name, chosen, base)
    words.caption(literal(registry[chosen].summary))
    _entry(form, f"{name}_options", registry[chosen], given if chosen == base else {})


def _augmentations(form: Form) -> None:
    """Which, in their order, and the options of each."""
    base = [name for name, _ in form.recipe.augmentation]
    key = form.key("augmentation")
    listed = selection.get(key)
    chosen = base if listed is None else [name for name in str(listed).split(",") if name in AUGMENTATIONS]
    selection.controlled_list(
        st.multiselect,
        _label("Augmentations, in this order", chosen != base, ", ".join(base) or "none"),
        key,
        list(dict.fromkeys(chosen)),
        list(AUGMENTATIONS),
        format_func=lambda name: AUGMENTATIONS[name].label,
    )
    given, plan = dict(form.recipe.augmentation), []
    for name in dict.fromkeys(chosen):
        entry = AUGMENTATIONS[name]
        bases = {**{key: option.default for key, option in entry.options.items()}, **given.get(name, {})}
        st.caption(f"**{literal(entry.label)}**: {literal(entry.summary)}")
        values = {}
        for cell, option in _in_rows(f"augment-{name}", list(entry.options)):
            with cell:
                values[option] = setting(form, entry.options[option], f"{name}.{option}", bases[option])
        plan.append((name, values))
    form.take("augmentation", tuple(plan), tuple((name, dict(options)) for name, options in form.recipe.augmentation))


def _snapshots(form: Form) -> None:
    """Epochs whose weights are kept to be looked at."""
    every = selection.controlled(
        st.toggle,
        "Keep the weights of every epoch",
        form.key("keep"),
        selection.flag(form.key("keep")),
        help="A snapshot each epoch, up to 30, to look back at; each takes the room of the model.",
    )
    epochs = form.changes.get("epochs", form.recipe.epochs)
    if every:
        step = -(-epochs // 30)
        form.changes["snapshots"] = ",".join(str(k) for k in range(1, epochs + 1) if k % step == 0 or k in (1, epochs))
        return
    option = Option("snapshots", str, form.recipe.snapshots)
    form.take("snapshots", setting(form, option, "snapshots", form.recipe.snapshots), form.recipe.snapshots)


def setting(form: Form, spec: Option, name: str, base: Any, names: Mapping[Any, str] | None = None) -> Any:
    """A control for an option whose usual value is the recipe's; a value that cannot be is a problem of the form.

    Numbers that are not whole are typed, as 0.05 or 5e-4: no slider has the steps of a weight decay.
    """
    spec, key = replace(spec, default=base), form.key(name)
    given = selection.get(key, base)
    try:
        value = spec.check(given)
        problem = ""
    except ExplainError as error:
        value, problem = base, str(error)
    words = LABELS.get(spec.name, spec.name.replace("_", " ").capitalize())
    label, help = _label(words, value != base, _text(base)), spec.help or None
    if spec.type is bool:
        return selection.controlled(st.toggle, label, key, value, help=help)
    if isinstance(spec.bounds, Choices):
        shown = names or {}
        choices = list(spec.bounds.values)
        return selection.controlled(
            st.selectbox, label, key, value, choices, format_func=lambda one: shown.get(one, str(one)), help=help
        )
    if spec.type is int:
        low, high = (int(spec.bounds.low), min(int(spec.bounds.high), LARGEST)) if spec.bounds else (0, LARGEST)
        return selection.controlled(st.number_input, label, key, value, low, high, help=help)
    selection.controlled(st.text_input, label, key, str(given) if problem else _text(value), help=help)
    if problem:
        st.caption(f":red[{literal(problem)}]")
        form.problems.append(problem)
    return value


def _label(words: str, changed: bool, base: str) -> str:
    return f"{words} :orange[· was {literal(base)}]" if changed else words


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_rows(kind: str, names: list[str], columns: int = 4) -> list[tuple[Any, str]]:
    """Each name with a cell; rows wrap on a narrow page."""
    with widgets.row(f"controls-{kind}"):
        cells = [
            cell for _ in range(0, len(names), columns) for cell in st.columns(columns, vertical_alignment="bottom")
        ]
    return list(zip(cells, names, strict=False))


def python(form: Form, data: str, limit: int, start: str) -> str:
    """The lines that train the same."""
    images = f'explain.load_images("{data}", {limit})' if limit else repr(data)
    arguments = [f'"{form.recipe.name}"', images, *([f'start="{start}"'] if start else []), 'folder="my-training"']
    arguments += [f"{name}={value!r}" for name, value in form.changes.items()]
    given = ",\n    ".join(arguments)
    return f"import explain\n\nmodel = explain.train(\n    {given},\n)"


def command(form: Form, data: str, limit: int, start: str) -> str:
    """The command line that trains the same."""
    parts = [f"python -m explain train {form.recipe.name} --data {data}", *([f"--limit {limit}"] if limit else [])]
    parts += [f"--start {start}"] if start else []
    for name, value in form.changes.items():
        if name in ("epochs", "batch_size", "learning_rate", "seed"):
            parts.append(f"--{name.replace('_', '-')} {_text(value)}")
        elif name == "augmentation":
            parts.append(f"--augment {PLAN.text(value)}")
        elif isinstance(value, Mapping):
            parts += [f"--set {name}.{key}={_text(inner)}" for key, inner in value.items()]
        else:
            parts.append(f"--set {name}={_text(value)}")
    return " ".join(parts)
