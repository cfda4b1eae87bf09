"""What all commands share: how they are declared, what they are given, and how they say what came out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import BadValue, shorten

__all__ = ["Command", "Parser", "aligned", "finish", "image_of", "model_of", "pairs", "say"]

_HELP = {
    "MODEL": "a name from `models`, torchvision:NAME, timm:NAME, a folder or a checkpoint",
    "DATA": "a name from `data`, a folder, or a picture",
    "INDEX": "the folder of an index",
    "IMAGE": "a file, or SET/NUMBER such as photos/0",
}


class Parser(argparse.ArgumentParser):
    """One clear line for a mistake, without the usage around it."""

    def error(self, message: str) -> Any:
        raise BadValue(f"{message[0].upper()}{message[1:]}. See `{self.prog} --help`.")


class Command:
    """Declares commands of a parser."""

    def __init__(self, parser: Parser) -> None:
        self._all = parser.add_subparsers(metavar="COMMAND", required=True)

    def __call__(
        self, name: str, run: Callable[[argparse.Namespace], None], *positional: str, out: bool = True
    ) -> argparse.ArgumentParser:
        """One command, which run's docstring describes; `out`: it makes a figure."""
        sub: argparse.ArgumentParser = self._all.add_parser(name, help=run.__doc__, description=run.__doc__)
        for one in positional:
            sub.add_argument(one.lower(), metavar=one, help=_HELP[one])
        if "MODEL" in positional:
            sub.add_argument("--weights", metavar="W", help="DEFAULT for the published ones, or a file")
            sub.add_argument("--architecture", metavar="A", help="what a checkpoint file belongs to")
            sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
        if out:
            sub.add_argument("--out", metavar="FILE", help="figure: png, svg, pdf, csv, npz, html, parquet or zip")
            sub.add_argument("--style", metavar="KEY=VALUE", action="append", default=[], help="how it is drawn")
        sub.add_argument("--json", action="store_true", help="facts and numbers as JSON")
        sub.set_defaults(run=run)
        return sub


def finish(
    given: argparse.Namespace,
    result: Any,
    text: str,
    numbers: Any,
    render: Callable[..., Any] | None = None,
    **chosen: Any,
) -> None:
    """Save the figure when asked, then say what came out. With what is chosen, another function of the view draws."""
    if given.out or given.style:
        style = pairs(given.style)
        try:
            drawn = {**style, **chosen}
            path = result.save(given.out, **drawn) if given.out else result.figure(**drawn)
        except TypeError:
            from ..errors import Unknown
            from ..registry import options_of

            valid = options_of(render or sys.modules[type(result).__module__].render)
            wrong = ", ".join(name for name in style if name not in valid)
            raise Unknown(" with --".join(["style", *chosen]), wrong, valid) from None
        if given.out:
            print(f"explain: wrote {path}", file=sys.stderr)
    say(given, {"facts": result.facts, "numbers": numbers}, text)


def aligned(table: Mapping[str, Sequence[Any]]) -> str:
    """A table as text, numbers with commas."""
    texts = [[name, *(f"{v:,}" if isinstance(v, int) else str(v) for v in column)] for name, column in table.items()]
    widths = [max(map(len, column)) for column in texts]
    rows = zip(*texts, strict=True)
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def say(given: argparse.Namespace, content: Any, text: str) -> None:
    print(json.dumps(content, default=str) if given.json else text)


def pairs(texts: list[str]) -> dict[str, Any]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    for text in texts:
        if "=" not in text:
            raise BadValue(f"Option {shorten(text)} is not of the form KEY=VALUE.")
    return {key.replace("-", "_"): value for key, value in pairs.items()}


def model_of(given: argparse.Namespace) -> Any:
    from ..workspace import load_model

    return load_model(given.model, given.weights, given.device, architecture=given.architecture)


def image_of(given: argparse.Namespace) -> Any:
    from ..workspace import open_picture

    return open_picture(given.image)
