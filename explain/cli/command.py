"""What all commands share: how they are declared, and how they say what came out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import BadValue, shorten
from ..progress import Progress

__all__ = ["Commands", "Parser", "add_model", "bar", "pairs", "say"]


class Parser(argparse.ArgumentParser):
    """One clear line for a mistake, without the usage around it."""

    def error(self, message: str) -> Any:
        raise BadValue(f"{message[0].upper()}{message[1:]}. See `{self.prog} --help`.")


class Commands:
    """Declares commands; only the one that is asked for gets its arguments, so that no other costs anything."""

    def __init__(self, words: Sequence[str]) -> None:
        self._asked = next((word for word in words if not word.startswith("-")), "")
        self.parser = Parser(prog="python -m explain", description="Look inside a convolutional network.")
        self.names: list[str] = []
        self._all = self.parser.add_subparsers(metavar="COMMAND", required=True)

    def __call__(
        self,
        name: str,
        run: Callable[[argparse.Namespace], None],
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
    sub.add_argument("--weights", metavar="W", help="DEFAULT for the published ones, or a file")
    sub.add_argument("--architecture", metavar="A", help="what a checkpoint file belongs to")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


@contextmanager
def bar(unit: str = "it", quiet: bool | None = None) -> Iterator[Progress]:
    """Progress as a bar on standard error; None shows it to a terminal only. A mistake is one line, without a bar."""
    from tqdm import tqdm

    with tqdm(unit=f" {unit}", file=sys.stderr, disable=quiet, leave=False, delay=0.5) as shown:

        def progress(done: float, total: float, message: str = "") -> None:
            shown.total = total
            shown.set_postfix_str(message, refresh=False)
            shown.update(done - shown.n)

        yield progress


def say(given: argparse.Namespace, content: Any, text: str) -> None:
    print(json.dumps(content, default=str) if given.json else text)


def pairs(texts: Sequence[str]) -> dict[str, Any]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    for text in texts:
        if "=" not in text:
            raise BadValue(f"Option {shorten(text)} is not of the form KEY=VALUE.")
    return {key.replace("-", "_"): value for key, value in pairs.items()}
