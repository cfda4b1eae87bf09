"""What all commands share: how they are declared, and how they say what came out."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import BadValue, shorten
from ..version import __version__

__all__ = ["Commands", "Parser", "add_model", "model_options", "numbers", "pairs", "say", "say_caveats", "trust"]


class Parser(argparse.ArgumentParser):
    """One clear line for a mistake, without the usage around it."""

    def error(self, message: str) -> Any:
        raise BadValue(f"{message[0].upper()}{message[1:]}. See `{self.prog} --help`.")


class Commands:
    """Declares commands; only the one that is asked for gets its arguments, so that no other costs anything."""

    def __init__(self, words: Sequence[str]) -> None:
        self._asked = next((word for word in words if not word.startswith("-")), "")
        named = os.path.basename(sys.argv[0]).partition(".")[0] == "explain"  # the script that pip installs
        prog = "explain" if named else "python -m explain"
        self.parser = Parser(prog=prog, description="Look inside a convolutional network.")
        self.parser.add_argument("--version", action="version", version=f"explain {__version__}")
        self.names: list[str] = []
        self._all = self.parser.add_subparsers(metavar="COMMAND", required=True)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Raises BadValue, which leads to the help of the command that is asked for."""
        given, more = self.parser.parse_known_args(words)
        if more:
            asked = self._all.choices.get(self._asked, self.parser)
            asked.error(f"unrecognized arguments: {' '.join(more)}")
        return given

    def __call__(
        self,
        name: str,
        run: Callable[[argparse.Namespace], int | None],
        help: str = "",
        arguments: Callable[[Parser], object] = lambda _: None,
    ) -> None:
        """One command, which help or else run's docstring describes; `arguments` adds its own to the parser."""
        said = help or run.__doc__
        self.names.append(name)
        sub: Parser = self._all.add_parser(
            name, help=said, description=said, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == self._asked:
            arguments(sub)
            sub.add_argument("--json", action="store_true", help="facts and numbers as JSON")
        sub.set_defaults(run=run)


def add_model(sub: Parser) -> None:
    """How the model that is named is loaded."""
    sub.add_argument("--weights", metavar="W", help="a checkpoint file")
    sub.add_argument(
        "--trust-file", action="store_true", help="unpickle the checkpoint in a process of its own; runs what it says"
    )
    sub.add_argument("--architecture", metavar="A", help="what a checkpoint file or a saved folder belongs to")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    sub.add_argument(
        "--classes",
        metavar="C",
        nargs="+",
        help="names, with commas or spaces between, or a file with one a line or a JSON list",
    )
    sub.add_argument(
        "--output", metavar="O", help="what its output means: softmax, sigmoid, logits, out:segmentation ..."
    )
    sub.add_argument("--arg", metavar="KEY=VALUE", action="append", help="of a factory such as file.py:build")
    sub.add_argument("--size", metavar="N", type=int, nargs="+", help="height and width of its input, or one for both")
    sub.add_argument("--mean", metavar="X", nargs="+", help="subtracted from values of 0 to 1, a channel each")
    sub.add_argument("--std", metavar="X", nargs="+", help="divided by")
    sub.add_argument("--bands", metavar="N", type=int, nargs=3, help="shown as red, green and blue, counted from 0")


def trust(given: argparse.Namespace) -> None:
    """Weights that need unpickling become safetensors beside their file, and are read from there."""
    from pathlib import Path

    from ..network.trusted import as_safetensors

    name = "weights" if given.weights else "model"
    path, mark, entry = str(getattr(given, name)).partition("#")
    out = as_safetensors(Path(path), entry if mark else "")
    print(f"{out} has the weights of {path}; it needs no trust.", file=sys.stderr)
    setattr(given, name, str(out))


def model_options(given: argparse.Namespace) -> dict[str, Any]:
    """What was given of those, as `load_model` takes it."""
    if "architecture" not in given:  # a command about no model may have a size of its own
        return {}
    found = {name: getattr(given, name, None) for name in ("weights", "architecture", "device", "output")}
    if size := getattr(given, "size", None):
        if len(size) > 2:
            raise BadValue(f"--size takes one number or two, not {len(size)}.")
        found["preprocess"] = {"size": tuple(size) if len(size) == 2 else size[0]}
    for name in ("mean", "std", "bands"):
        if values := getattr(given, name, None):
            read = tuple(values) if name == "bands" else numbers(values)
            found["preprocess"] = {**(found.get("preprocess") or {}), name: read}
    if getattr(given, "arg", None):
        found["arguments"] = pairs(given.arg)
    if names := getattr(given, "classes", None):
        from ..project import class_file  # which reads TOML: not for the help

        one = len(names) == 1 and os.path.isfile(names[0])
        split = [name.strip() for name in names[0].split(",")] if len(names) == 1 else names
        found["classes"] = class_file(names[0], f"The classes in {names[0]!r}") if one else split
    return {name: value for name, value in found.items() if value is not None}


def numbers(texts: Sequence[str]) -> tuple[float, ...]:
    """Numbers with spaces or commas between them. Raises BadValue."""
    try:
        return tuple(map(float, " ".join(texts).replace(",", " ").split()))
    except ValueError:
        raise BadValue(f"{shorten(' '.join(texts))} is not numbers with spaces or commas between them.") from None


def say(given: argparse.Namespace, content: Any, text: str) -> None:
    print(json.dumps(content, default=str) if given.json else text)


def say_caveats(caveats: Iterable[str]) -> None:
    """What a network's answers have to say, beside them."""
    for said in caveats:
        print(f"explain: note: {said}", file=sys.stderr)


def pairs(texts: Sequence[str]) -> dict[str, Any]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    for text in texts:
        if "=" not in text:
            raise BadValue(f"Option {shorten(text)} is not of the form KEY=VALUE.")
    return {key.replace("-", "_"): value for key, value in pairs.items()}
