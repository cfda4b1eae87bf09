"""The command that writes explain.toml, once what it names works."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import BadValue
from .command import Commands, Parser, numbers, pairs, say

__all__ = ["add"]

_MODEL = {
    "factory": "what makes your network: file.py:name or package.module:name",
    "architecture": "or a network by name, such as torchvision:resnet18",
    "weights": "a checkpoint file",
    "classes": "names with commas between them, or a file",
    "output": "what its output means; found out where it is not given",
}
_IMAGES = {
    "folder": "pictures, in sub-folders a class where they have labels",
    "dataset": "or a set by name: torchvision:CIFAR10/test, hf:OWNER/NAME",
    "table": "or a CSV or Parquet table that names them",
    "image": "the table's column of paths",
    "label": "the table's column of labels",
    "split": "only these rows, as COLUMN=VALUE",
}


def add(command: Commands) -> None:
    command("init", _init, arguments=_arguments)


def _arguments(sub: Parser) -> None:
    sub.add_argument("--model", metavar="NAME", help="what your network is to be called")
    for name, text in _MODEL.items():
        sub.add_argument(f"--{name}", metavar=name[0].upper(), help=text)
    sub.add_argument("--arg", metavar="KEY=VALUE", action="append", help="of the factory")
    sub.add_argument("--size", type=int, nargs="+", metavar="N", help="height and width of its input")
    sub.add_argument("--mean", nargs="+", metavar="X", help="subtracted from values of 0 to 1")
    sub.add_argument("--std", nargs="+", metavar="X", help="divided by")
    sub.add_argument("--bands", type=int, nargs=3, metavar="N", help="shown as red, green and blue, counted from 0")
    sub.add_argument("--images", metavar="NAME", help="what your pictures are to be called")
    for name, text in _IMAGES.items():
        sub.add_argument(f"--{name}", metavar=name[0].upper(), help=text)


def _init(given: argparse.Namespace) -> None:
    """write explain.toml, which names your network and your pictures for every door, and check that both work"""
    from .. import store
    from ..data import named_images
    from ..project import FILE, Project, project
    from ..workspace import load_model

    file = Path(FILE)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    there = project() if before else Project()
    if not (given.model or given.images):
        if not sys.stdin.isatty():
            raise BadValue(
                "Say what to name: --model NAME --factory file.py:build, --images NAME --folder data, or both."
            )
        _ask(given)
    sections = []
    if given.model:
        entries: dict[str, Any] = {name: getattr(given, name) for name in _MODEL if getattr(given, name)}
        if given.classes and not Path(given.classes).is_file():
            entries["classes"] = [name.strip() for name in given.classes.split(",")]
        if given.arg:
            entries["arguments"] = pairs(given.arg)
        for name in ("size", "mean", "std", "bands"):
            if values := getattr(given, name):
                read = list(numbers(values)) if name in ("mean", "std") else values
                entries[name] = read[0] if name == "size" and len(read) == 1 else read
        sections.append(_section(f"models.{given.model}", entries))
    if given.images:
        sections.append(
            _section(f"images.{given.images}", {name: getattr(given, name) for name in _IMAGES if getattr(given, name)})
        )
    for kind, name, known in (("models", given.model, there.models), ("images", given.images, there.images)):
        if name and name in known:
            raise BadValue(f"{FILE} has {kind}.{name} already; choose another name, or edit the file.")
    store.write(file, "\n".join([*filter(None, [before]), *sections]))
    try:
        found, said = project(), []
        for name in found.models.keys() - there.models.keys():
            model = load_model(name)
            said.append(f"model {name}: {len(model.classes)} classes, {len(model.layers)} layers, output {model.head}")
            said += [f"  {note}" for note in (*model.about.get("notes", ()), *model.caveats)]
        for name in found.images.keys() - there.images.keys():
            images = named_images(name)
            said.append(f"images {name}: {len(images)} pictures, {len(images.classes)} classes")
    except BaseException:  # what does not work is not written
        if before:
            store.write(file, before)
        else:
            file.unlink()
        raise
    names = {"models": list(found.models), "images": list(found.images)}
    say(given, {"file": str(file), **names}, "\n".join([*said, f"{FILE} is written; try `python -m explain serve`"]))


def _ask(given: argparse.Namespace) -> None:
    """What is not given by flags, from whoever sits there."""
    for family, names, question in (("model", _MODEL, "your network"), ("images", _IMAGES, "your pictures")):
        called = input(f"A name for {question} (empty for none): ").strip()
        setattr(given, family, called)
        for name, text in names.items() if called else ():
            setattr(given, name, input(f"  {name}, {text} (may be empty): ").strip())


def _section(name: str, entries: dict[str, Any]) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in entries.items())]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)  # texts, numbers and lists look alike in both
