"""One command for each view, whose arguments are the parameters of its compute and the options of its render."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..views import TABLE
from .command import Commands, Parser, add_model, model_options, pairs, say

if TYPE_CHECKING:
    from ..options import Option
    from ..views import Parameter

__all__ = ["add"]


def add(command: Commands) -> None:
    for line in TABLE:
        command(line.name, partial(_run, line.name), line.summary, partial(_arguments, line.name))


def _arguments(called: str, sub: Parser) -> None:
    from ..views import VIEWS

    view = VIEWS[called]
    for name, one in view.parameters.items():
        if one.is_options:
            sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help=one.kind.help)
        elif not one.kind.hidden:
            _argument(sub, name, one)
    if "index" in view.parameters:
        sub.add_argument(
            "--model", metavar="MODEL", help="what the index was made with, where its name does not lead there"
        )
    if "model" in view.parameters or "index" in view.parameters:
        add_model(sub)
    sub.add_argument("--out", metavar="FILE", help="figure: png, svg, pdf, csv, npz, html, parquet or zip")
    if view.style:
        sub.add_argument("--style", metavar="KEY=VALUE", action="append", default=[], help="how it is drawn, see below")
        sub.epilog = "\n".join(["style:", *(f"  {name:12} {one.said}" for name, one in view.style.items())])


def _argument(sub: Parser, name: str, one: Parameter) -> None:
    kind, flag = one.kind, f"--{name.replace('_', '-')}"
    option: Option | None = getattr(kind, "option", None)
    help = kind.help.replace("%", "%%") if option is None else option.said.replace("%", "%%")
    if option is not None and option.type is bool:
        sub.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help)
        return
    words: dict[str, Any] = {"nargs": kind.words} if kind.words else {}
    if one.required and kind.positional:
        metavar = kind.metavar if kind.own in ("", name) else name.upper()
        sub.add_argument(name, metavar=metavar, help=help, **words)
    else:
        sub.add_argument(flag, dest=name, metavar=kind.metavar, required=one.required, help=help, **words)


def _run(called: str, given: argparse.Namespace) -> None:
    from ..views import VIEWS
    from ..views.parts.result import aligned
    from ..workspace.opener import Opener

    view = VIEWS[called]
    style = view.check_style(pairs(given.style) if view.style else {})
    if given.out:
        from ..figure import check_format

        check_format(given.out)  # before work that may take minutes
    named = getattr(given, "model", None) if "index" in view.parameters else None
    open = Opener(named, **model_options(given))
    texts: dict[str, Any] = {name: _text(getattr(given, name, None)) for name in view.parameters}
    texts |= {name: pairs(given.option) for name, one in view.parameters.items() if one.is_options}
    values = view.parse({name: text for name, text in texts.items() if text is not None}, open)
    result = view(**view.flat(values), **open.handed(view))
    if given.out or style:
        figure = result.figure(**style)  # also where only the style may be wrong
        if given.out:
            print(f"explain: wrote {figure.save(given.out)}", file=sys.stderr)
    text = "" if given.json else result.summary or aligned(result.measures)
    say(given, {"facts": result.facts, "numbers": result.measures}, text)


def _text(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)
