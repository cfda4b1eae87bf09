"""Commands that train networks."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .command import Commands, Parser, pairs, say

__all__ = ["add"]

SHOWN = (
    "loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_accuracy",
    "learning_rate",
    "seconds",
)


def add(command: Commands) -> None:
    command("recipes", _recipes, arguments=_one_recipe)
    command("train", _train, arguments=_training)
    command("sweep", _sweep, arguments=_sweeping)


def _one_recipe(sub: Parser) -> None:
    sub.add_argument("recipe", metavar="RECIPE", nargs="?", help="one of them whole")


def _training(sub: Parser) -> None:
    _common(sub, "any other setting; options.KEY, optimiser_options.KEY, schedule_options.KEY for one option")
    sub.add_argument("--start", metavar="MODEL", help="a trained network, which gets a new last layer")
    sub.add_argument("--to", metavar="FOLDER", help="by default in the workspace, where the app finds it")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    sub.add_argument("--anew", action="store_true", help="begin again what was interrupted in this folder")
    sub.add_argument("--limit", type=int, help="the first pictures only")
    for name in ("epochs", "batch-size", "learning-rate", "seed"):
        sub.add_argument(f"--{name}")
    how = "what is done to pictures by chance, in this order: NAME or NAME:KEY=VALUE,...; none for nothing"
    sub.add_argument("--augment", metavar="HOW", action="append", default=[], help=how)


def _sweeping(sub: Parser) -> None:
    _common(sub, "a setting of all")
    over = "settings to vary, and `limit` for the number of pictures; all combinations are trained"
    sub.add_argument("--over", metavar="KEY=V1,V2,...", action="append", required=True, help=over)


def _common(sub: Parser, setting: str) -> None:
    sub.add_argument("recipe", metavar="RECIPE", help="a name that `recipes` lists")
    sub.add_argument("--data", metavar="DATA", help="pictures with labels, such as one folder a class")
    sub.add_argument("--test", metavar="DATA", help="pictures that the training never sees")
    sub.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help=setting)


def _sweep(given: argparse.Namespace) -> None:
    """the same training with settings varied, as a table"""
    from tqdm import tqdm

    from ..progress import bar
    from ..training import recipe
    from ..training.sweep import grid, sweep

    over = {key: value.split(",") for key, value in pairs(given.over).items()}
    changes = [{**pairs(given.set), **each} for each in grid(over)]

    def on_row(row: dict[str, Any]) -> None:
        words = (f"{key} {value}" for key, value in row.items() if value != "")
        tqdm.write("  ".join(words), file=sys.stderr)

    with bar() as progress:
        rows = sweep(recipe(given.recipe), given.data, changes, test=given.test, on_row=on_row, progress=progress)
    names = list(dict.fromkeys(key for row in rows for key in row if key != "error"))
    cells = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(names))]
    text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    say(given, {"rows": rows}, text)


def _recipes(given: argparse.Namespace) -> None:
    """what can be trained, and every setting of it"""
    from ..errors import Unknown
    from ..training import LISTED

    listed = json.loads(LISTED.read_text(encoding="utf-8"))
    if given.recipe:
        if given.recipe not in listed:
            raise Unknown("recipe", given.recipe, listed)
        settings = listed[given.recipe]
        say(given, settings, "\n".join(f"{key}: {value}" for key, value in settings.items()))
    else:
        say(given, listed, "\n".join(f"{name:28}  {settings['source']}" for name, settings in listed.items()))


def _train(given: argparse.Namespace) -> None:
    """train a network by recipe; what was interrupted goes on where it was"""
    from pathlib import Path

    from tqdm import tqdm

    from ..data import load_images, named_images
    from ..progress import bar
    from ..training import recipe, train
    from ..workspace import load_model, run_folder

    original = recipe(given.recipe)
    changes = _changes(given, original)
    for warning in original.changed(**changes).warnings(original):
        print(f"explain: {warning}", file=sys.stderr)
    folder = Path(given.to) if given.to else run_folder(original.name)
    data = None if given.data is None and given.limit is None else given.data or named_images(original.data)
    data = None if data is None else load_images(data, given.limit)
    with bar("steps") as progress:

        def on_epoch(row: dict[str, Any]) -> None:
            words = [f"epoch {row['epoch']:3}", *(f"{key} {row[key]:.4g}" for key in SHOWN if key in row)]
            tqdm.write("  ".join(words), file=sys.stderr)

        start = None if given.start is None else load_model(given.start, device="cpu")
        model = train(
            original, data, test=given.test, start=start, device=given.device, folder=folder, resume=not given.anew,
            on_epoch=on_epoch, progress=progress, **changes,
        )  # fmt: skip
    found = model.about["accuracy"]
    numbers = {"accuracy": found, "ended": model.about.get("ended", ""), "folder": str(folder)}
    say(given, numbers, f"{folder}: " + ", ".join(f"{name} {value:.4f}" for name, value in found.items()))


def _changes(given: argparse.Namespace, original: Any) -> dict[str, Any]:
    """The settings that the command line changes."""
    names = ("epochs", "batch_size", "learning_rate", "seed")
    changes = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    asked = pairs(given.set)
    for key, value in asked.items():
        whole, _, part = key.partition(".")
        if part:
            another = whole.removesuffix("_options") in asked  # of another kind: its options begin anew
            before = changes.get(whole, {} if another else dict(getattr(original, whole, {})))
            changes[whole] = {**before, part: value}
        else:
            changes[whole] = value
    if given.augment:
        from ..views.inputs import PLAN

        changes["augmentation"] = PLAN.parse(",".join(given.augment), {})
    return changes
