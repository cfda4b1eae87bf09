"""Writes docs/reference, the part of the site that says what there is: from VIEWS, the registries and the docstrings.

`python -m scripts.reference docs/reference`, as scripts/docs calls it. Of each view the Python lines are run, and what
they save is on its page.
"""

import inspect
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import explain
from explain import VIEWS, cli
from explain.data import list_images
from explain.errors import BadFile, BadValue, NotSupported, Unknown
from explain.options import Option
from explain.registry import Registry
from explain.training import RECIPES
from explain.training.recipes import SETTINGS
from explain.views import Parameter, View
from explain.views.inputs import EntryName
from explain.workspace.opener import Opener

REGISTRIES = {  # page -> where its registry is, its title, what it is about
    "saliency_methods": (
        "attribution:METHODS",
        "Saliency methods",
        "`explain.saliency(model, image, METHOD, OPTION=...)`, `--method METHOD --option OPTION=...`. After what each "
        "tells stands when not to believe it; [whether one map can be trusted](../trust.md) is measured.",
    ),
    "unit_methods": (
        "attribution.units:UNIT_METHODS",
        "Unit methods",
        "How `explain.unit` goes back from one unit to the pixels.",
    ),
    "parametrizations": (
        "activation_maximization:PARAMETRIZATIONS",
        "Parametrizations",
        "What `explain.feature_visualization` moves in the place of pixels: `--method NAME`.",
    ),
    "projections": (
        "projections.projection:PROJECTIONS",
        "Projections",
        "How `explain.embedding` lays out pictures; [what distances on such maps mean](../maps-of-pictures.md).",
    ),
    "networks": (
        "nets:NETS",
        "Architectures",
        'The lectures\' networks, freshly initialised: `explain.load_model("resnet?depth=34&classes=10")`, and what '
        "recipes train. Others by name: `torchvision:NAME`, `timm:NAME`, `hf:NAME`, each with `?weights=random` for "
        "what is architecture alone.",
    ),
    "corruptions": (
        "corruption:CORRUPTIONS",
        "Corruptions",
        "Of Hendrycks and Dietterich 2019, for `explain.robustness` and `explain.corruptions`: `--corruptions NAME`.",
    ),
    "augmentations": (
        "training.augment:AUGMENTATIONS",
        "Augmentations",
        "What a training does to pictures by chance: `--augment NAME:OPTION=VALUE`, in the order given.",
    ),
    "optimisers": ("training.optimisers:OPTIMISERS", "Optimisers", "`--set optimiser=NAME`."),
    "schedules": ("training.schedules:SCHEDULES", "Schedules", "Of the learning rate: `--set schedule=NAME`."),
}
CLASSES = {"ImageSet": "data", "Figure": "figure"}  # that library functions give, beside those with public names
ERRORS = (Unknown, BadValue, BadFile, NotSupported)

CLOTHES = {"model": "small-resnet-fashion-mnist", "image": "fashion-mnist/18"}
USUAL = {"model": "efficientnet-lite0", "image": "photos/chelsea.png", "images": "photos", "index": "clothes"}
EXAMPLES: dict[str, dict[str, str]] = {  # what each view's example asks, besides or instead of that
    "filters": {"model": "edges-fashion-mnist"},
    "activations": {"layer": "blocks.1.0.bn1.act"},
    "convolution": {"layer": "conv_stem", "channel": "3"},
    "unit": {"layer": "blocks.1.0.conv_pw", "channel": "51"},
    "saliency": {"method": "grad_cam"},
    "saliency_grid": {"methods": "grad_cam,gradient", "targets": "281,282"},
    "faithfulness": {"model": "lenet-fashion-mnist", "image": CLOTHES["image"], "method": "integrated_gradients"},
    "segmentation": {"model": "torchvision:lraspp_mobilenet_v3_large?weights=random"},
    "gallery": {"method": "grad_cam", "count": "6"},
    "corruptions": {"corruptions": "gaussian_noise,frost,fog,pixelate"},
    "robustness": {
        "model": "lenet-fashion-mnist",
        "images": "fashion-mnist",
        "corruptions": "gaussian_noise,defocus_blur,frost,contrast",
        "count": "20",
    },
    "leaderboard": {"model": "lenet-fashion-mnist", "images": "fashion-mnist", "count": "4"},
    "patches": {"layer": "layer2.0.conv1", "channels": "0,1,2,3"},
    "channel": {"layer": "layer2.0.conv1", "channel": "3"},
    "channel_names": {"layer": "layer2.0.conv1"},
    "paths": {"image": CLOTHES["image"]},
    "relevant_patches": {"layer": "layer2.0.conv1", "image": CLOTHES["image"], "count": "3"},
    "wiring": {"layer": "layer2.0.conv1", "channel": "3", "count": "3"},
    "feature_visualization": {"layer": "layer2.0.conv1", "channels": "3,5", "steps": "64"},
    "concepts": {"target": "Shirt", "count": "6"},
    "channel_health": {"layer": "layer2.0.conv1"},
    "hierarchy": {"image": CLOTHES["image"]},
    "neighbours": {"image": CLOTHES["image"]},
    "study": {"count": "12"},
    "embedding": {"method": "pca"},
    "anatomy": {"model": "lenet-fashion-mnist"},
    "compare": {"model": "lenet-fashion-mnist", "second": CLOTHES["model"]},
    "flips": {"second": "clothes"},
    "ensemble": {"models": f"lenet-fashion-mnist,{CLOTHES['model']}", "images": "fashion-mnist", "count": "60"},
    "cka": {"model": "lenet-fashion-mnist", "second": CLOTHES["model"], "images": "fashion-mnist", "count": "64"},
    "batch_costs": {"model": "lenet-fashion-mnist", "sizes": "1,8,64"},
    "output_size": {"size": "7", "window": "3", "stride": "3"},
    "lecture_tables": {"table": "memory"},
    "optimiser_paths": {"surface": "two wells"},
    "loss_surface": {"model": "lenet-fashion-mnist", "images": "fashion-mnist"},
    "response_normalisation": {"size": "2"},
    "hand_set_filter": {"line": "falling"},
    "training_curves": {"runs": "small-resnet-fashion-mnist"},
    "augmentations": {"images": "fashion-mnist", "plan": "flip,crop,erase"},
}
INDEXED = 300  # pictures of the examples' index
OPTION = ("name", "what it is", "values", "default")


def write(folder: Path) -> None:
    """All pages, in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "views").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as workspace:
        os.environ["EXPLAIN_WORKSPACE"] = workspace
        explain.build_index(
            explain.load_model(CLOTHES["model"]), "fashion-mnist", out=f"{workspace}/indexes/clothes", limit=INDEXED
        )
        opener = Opener()
        for name, view in VIEWS.items():
            (folder / "views" / f"{name}.md").write_text(page(view_page(view, opener, folder / "views")))
    for name, (where, title, about) in REGISTRIES.items():
        module, _, registry = where.partition(":")
        entries = getattr(import_module(f"explain.{module}"), registry)
        (folder / f"{name}.md").write_text(page(registry_page(title, about, entries)))
    pages = {"library": library(), "commands": commands(), "recipes": recipes(), "views": views(), "shipped": shipped()}
    for name, lines in pages.items():
        (folder / f"{name}.md").write_text(page(lines))


def page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# Views ---------------------------------------------------------------------------------------------------------------


def views() -> Iterator[str]:
    yield from ("# Views", "", "Each is a function of the library, a command and, most of them, a page of the app.", "")
    yield from table(
        ("view", "what it answers", "page of the app"),
        ((f"[`{name}`](views/{name}.md)", view.summary, view.page) for name, view in VIEWS.items()),
    )
    yield from ("", "```{toctree}", ":hidden:", "", *(f"views/{name}" for name in VIEWS), "```")


def view_page(view: View, opener: Opener, folder: Path) -> Iterator[str]:
    """What it answers, an example with its picture, parameters, style, result, source."""
    own = EXAMPLES.get(view.name, {})
    asked = {name for name, one in view.parameters.items() if one.required} | own.keys()
    wanted = {name: text for name, text in {**USUAL, **own}.items() if name in asked}
    given = view.parse(wanted, opener)
    out = folder / f"{view.name}.png"
    python, shell = view.python(given, {}, out.name), view.shell(given, {}, out.name)
    exec(python.replace(f'"{out.name}"', f"{str(out)!r}, dpi=120"), {})
    words = shlex.split(shell)[3:]
    cli.declared(words).parser.parse_args(words)
    yield from (f"# {view.name}", "", sentence(view.summary), "", *python_object("function", view.name, call(view)))
    yield from ("", *markdown(view.doc), "```", "")
    yield from ("```python", python, "```", "", "```bash", shell, "```", "")
    yield from (f"![{view.name}, as these lines draw it]({out.name})", "", "## Parameters", "")
    yield from table(
        OPTION,
        (row(name, one) for name, one in view.parameters.items() if not one.kind.hidden),
    )
    yield from ("", "## How it is drawn", "", "`.save(path, NAME=...)`, `.figure(NAME=...)`, `--style NAME=...`", "")
    yield from table(OPTION, map(option_row, view.drawing.values()))
    result = get_type_hints(inspect.unwrap(view.compute))["return"]
    yield from ("", "## The result", "", f"`{result.__name__}`: {' '.join(markdown(inspect.getdoc(result) or ''))}", "")
    yield "It has `facts`, `measures`, `figure(...)` and `save(path, ...)`, as all results have; a notebook shows it."
    yield f"{f'In the app: the page *{view.page}*. ' if view.page else ''}{source(inspect.unwrap(view.compute))}"


def call(view: View) -> str:
    """Its parameters as they are given to the function, those that need be given first."""
    words, starred = [], False
    for name, one in view.parameters.items():
        if one.kind.hidden:
            continue
        if one.passing is inspect.Parameter.KEYWORD_ONLY and not starred:
            words, starred = [*words, "*"], True
        words.append(f"**{name}" if one.is_options else name if one.required else f"{name}={one.default!r}")
    return ", ".join(words)


def row(name: str, one: Parameter) -> tuple[str, str, str, str]:
    option: Option | None = getattr(one.kind, "option", None)
    if option is not None:
        return (f"`{name}`", option.help, option.allowed, "" if one.required else said(one.default))
    kind = getattr(one.kind, "of", one.kind)
    values = f"[those listed]({known})" if isinstance(kind, EntryName) and (known := page_of(kind)) else ""
    return (f"`{name}`", one.kind.in_python or one.kind.help, values, "" if one.required else said(one.default))


def page_of(kind: EntryName) -> str:
    """The page of the registry that a parameter's names are of."""
    module = kind.where.removeprefix("explain.")
    return next((f"../{name}.md" for name, (where, *_) in REGISTRIES.items() if where == module), "")


# Registries ----------------------------------------------------------------------------------------------------------


def registry_page(title: str, about: str, entries: Registry) -> Iterator[str]:
    yield from (f"# {title}", "", about)
    for entry in entries.values():
        name = f"`{entry.name}`" if entry.label.lower() == entry.name else f"{entry.label}, `{entry.name}`"
        yield from ("", f"## {name}", "", entry.summary, "", entry.caveat)
        if entry.options:
            yield from (
                "",
                *table(OPTION, map(option_row, entry.options.values())),
            )
        yield from ("", source(entry.function))


def source(function: Any) -> str:
    return f"Source: `{Path(inspect.getfile(function)).relative_to(Path(explain.__file__).parents[1])}`."


def option_row(option: Option) -> tuple[str, str, str, str]:
    return (f"`{option.name}`", option.help, option.allowed, said(option.default))


def recipes() -> Iterator[str]:
    yield from ("# Recipes", "", 'Trainings as data: `explain.train("RECIPE", ...)`, `explain train RECIPE`.', "")
    rows = ((f"`{one.name}`", one.architecture, one.data, one.source) for one in RECIPES.values())
    yield from table(("recipe", "architecture", "data", "where from"), rows)
    yield from ("", "## Settings", "", "Each can be changed: a keyword of `explain.train`, or `--set NAME=VALUE`.", "")
    yield from table(OPTION, map(option_row, SETTINGS.values()))


def shipped() -> Iterator[str]:
    yield from ("# Shipped networks and pictures", "", "They need no download.", "")
    rows = []
    for name in explain.list_models():
        model = explain.load_model(name)
        size = " × ".join(map(str, model.preprocess.size))
        rows.append((f"`{name}`", str(len(model.classes)), size, str(model.about.get("source", ""))))
    yield from table(("network", "classes", "input", "source"), rows)
    yield from ("", f"Sets of pictures: {', '.join(f'`{name}`' for name in list_images())}; those of 60,000 and MNIST")
    yield "come from Debian's packages, a folder in `$EXPLAIN_DATA`, or torchvision's download."


# Library and commands ------------------------------------------------------------------------------------------------


def library() -> Iterator[str]:
    yield from ("# Library", "", "`import explain` costs nothing: names are loaded when they are first used.", "")
    yield "Every view is a function too: [the views](views.md). What is not right raises an `ExplainError`, whose"
    yield "message is one sentence that names the bad value and the valid ones."
    homes = {**explain._HOMES, **CLASSES}
    every = {name: getattr(import_module(f"explain.{home}"), name) for name, home in homes.items()}
    for title, kind in (("Functions", inspect.isfunction), ("Classes", inspect.isclass)):
        yield from ("", f"## {title}", "")
        for name, one in sorted(every.items()):
            if kind(one):
                yield from ("", f"### {name}", "", *documented(name, one))
    yield from ("", "## Errors", "", *table(("error", "when"), ((f"`{one.__name__}`", one.__doc__) for one in ERRORS)))


def documented(name: str, one: Any) -> Iterator[str]:
    """A function, or a class with its public attributes, from its docstrings."""
    error = inspect.isclass(one) and issubclass(one, Exception)
    kind = "exception" if error else "class" if inspect.isclass(one) else "function"
    yield from (*python_object(kind, name, "" if error else signature_of(one)), *markdown(inspect.getdoc(one) or ""))
    yield "```"
    if kind == "class":
        members = [(key, value) for key, value in vars(one).items() if not key.startswith("_")]
        told = [(key, value) for key, value in members if callable(value) or hasattr(value, "__get__")]
        yield from ("", *table(("of it", "what it is"), (member(key, value) for key, value in told)))


def member(name: str, value: Any) -> tuple[str, str]:
    function = getattr(value, "__func__", getattr(value, "func", getattr(value, "fget", value)))
    words = " ".join((inspect.getdoc(function) or "").split())
    if not words:
        raise ValueError(f"{function} has no docstring")
    is_called = inspect.isfunction(value) or isinstance(value, classmethod | staticmethod)
    return (f"`{name}({signature_of(function, bound=True)})`" if is_called else f"`{name}`", words)


def signature_of(function: Any, bound: bool = False) -> str:
    """What stands between the brackets, types as the source has them left out: they are in the stub, for editors."""
    found = list(inspect.signature(function).parameters.values())
    words, starred = [], False
    for one in found[1:] if bound else found:
        if one.kind is one.KEYWORD_ONLY and not starred:
            words, starred = [*words, "*"], True
        default = "" if one.default is one.empty else f"={one.default!r}" if _short(one.default) else "=..."
        words.append(
            "*" * {one.VAR_POSITIONAL: 1, one.VAR_KEYWORD: 2}.get(one.kind, 0) + one.name.lstrip("_") + default
        )
    return ", ".join(words)


def _short(value: Any) -> bool:
    return isinstance(value, str | int | float | tuple | None) and len(repr(value)) < 30


def commands() -> Iterator[str]:
    yield from ("# Commands", "", "`explain COMMAND --help`, or `python -m explain COMMAND --help`, prints the same.")
    for name in cli.declared().names:
        yield from ("", f"## {name}", "", "```text", help_of(name).rstrip(), "```")


def help_of(command: str) -> str:
    """What `--help` prints."""
    argv, sys.argv[0] = sys.argv[0], "explain"
    try:
        with redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
            cli.declared([command]).parser.parse_args([command, "--help"])
    finally:
        sys.argv[0] = argv
    return printed.getvalue()


# Markdown ------------------------------------------------------------------------------------------------------------


def python_object(kind: str, name: str, parameters: str) -> tuple[str, ...]:
    return (f"```{{py:{kind}}} explain.{name}({parameters})" if parameters or kind == "function" else
            f"```{{py:{kind}}} explain.{name}", "")  # fmt: skip


def markdown(doc: str) -> Iterator[str]:
    """A docstring, whose lines `name: what it is` are a list."""
    for line in doc.splitlines():
        if told := re.match(r"(\w+(?:, \w+)*): +(?=\S)|(\w+)   +(?=\S)", line):
            name = told[1] or told[2]
            yield from ("", f"- {', '.join(f'`{one}`' for one in name.split(', '))}: {line[told.end() :]}")
        elif line.startswith("Raises "):
            yield from ("", line)
        else:
            yield line.strip() if line.startswith(" ") else line


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(' '.join(str(cell).split()).replace('|', chr(92) + '|') for cell in cells)} |"


def said(value: Any) -> str:
    if value in (None, "", ()) or value is inspect.Parameter.empty or (isinstance(value, Mapping) and not value):
        return ""
    return f"`{value}`"


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    write(Path(sys.argv[1]))
