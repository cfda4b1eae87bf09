"""One command for each view, whose arguments are the parameters of its compute and the options of its render."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import BadValue
from ..views import TABLE
from .command import Commands, Parser, add_model, pairs, say, say_caveats
from .pictures import MORE, images_of, is_many, opener, say_skipped

if TYPE_CHECKING:
    from ..options import Option
    from ..views import Parameter, View

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
            _argument(sub, name, one, name == view.picture)
    if "index" in view.parameters:
        sub.add_argument(
            "--model", metavar="MODEL", help="what the index was made with, where its name does not lead there"
        )
    if "model" in view.parameters or "index" in view.parameters:
        add_model(sub)
    formats = "png, svg, pdf, csv, npz, html, parquet or zip"
    if view.picture:
        sub.add_argument("--out", metavar="FILE", help=f"figure: {formats}; of several pictures a folder")
        sub.add_argument("--format", metavar="F", nargs="+", help="of the files in that folder, by default png")
        sub.add_argument("--anew", action="store_true", help="begin again instead of going on in that folder")
    else:
        sub.add_argument("--out", metavar="FILE", help=f"figure: {formats}")
    sub.add_argument("--style", metavar="KEY=VALUE", action="append", default=[], help="how it is drawn, see below")
    sub.epilog = "\n".join(["style:", *(f"  {name:12} {one.said}" for name, one in view.drawing.items())])


def _argument(sub: Parser, name: str, one: Parameter, many: bool) -> None:
    kind, flag = one.kind, f"--{name.replace('_', '-')}"
    option: Option | None = getattr(kind, "option", None)
    help = kind.help.replace("%", "%%") if option is None else option.said.replace("%", "%%")
    if option is not None and option.type is bool:
        sub.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help)
        return
    words: dict[str, Any] = {"nargs": kind.words} if kind.words else {}
    if many:
        words, help = {"nargs": "+"}, f"{help}; {MORE}"
    if one.required and kind.positional:
        metavar = kind.metavar if kind.own in ("", name) else name.upper()
        sub.add_argument(name, metavar=metavar, help=help, **words)
    else:
        flags = [flag, f"-{name}"] if len(name) == 1 else [flag]
        sub.add_argument(*flags, dest=name, metavar=kind.metavar, required=one.required, help=help, **words)


def _run(called: str, given: argparse.Namespace) -> None:
    from ..views import VIEWS
    from ..views.parts.result import aligned

    view = VIEWS[called]
    style = view.check_style(pairs(given.style))
    words: list[str] = getattr(given, view.picture) if view.picture else []
    alone = not words or not (given.format or is_many(words) or (given.out and os.path.isdir(given.out)))
    if alone and given.out:
        from ..figure import check_format

        check_format(given.out)  # before work that may take minutes
    open = opener(given, getattr(given, "model", None) if "index" in view.parameters else None)
    texts: dict[str, Any] = {name: _text(getattr(given, name, None)) for name in view.parameters}
    texts |= {name: pairs(given.option) for name, one in view.parameters.items() if one.is_options}
    texts = {name: text for name, text in texts.items() if text is not None}
    if not alone:
        _batch(view, view.parse(texts, open, but=view.picture), words, open, style, given)
        return
    values = view.parse(texts, open)
    result = view(**view.flat(values), **open.handed(view))
    if given.out or style:
        figure = result.figure(**style)  # also where only the style may be wrong
        if given.out:
            print(f"explain: wrote {figure.save(given.out)}", file=sys.stderr)
    say_caveats(result.facts.get("caveats", ()))
    text = "" if given.json else result.summary or aligned(result.measures)
    say(given, {"facts": result.facts, "numbers": result.measures}, text)


def _batch(view: View, values: Any, words: list[str], open: Any, style: Any, given: argparse.Namespace) -> None:
    """A figure of each picture, and a table of all."""
    from ..progress import bar
    from ..views.view import caveats_of
    from ..workspace.batch import TABLE, check_folder, run_batch

    if not given.out:
        raise BadValue("Of several pictures the figures go into a folder: --out FOLDER.")
    check_folder(given.out)

    def read(word: str) -> Any:
        found = view.parameters[view.picture].kind.parse(word, values, open)
        return values["index"].images[found] if isinstance(found, int) else found

    formats = given.format or ["png"]
    with bar("pictures", always=True) as progress:
        images = images_of(words, read)
        made = run_batch(view, values, images, given.out, formats, style, anew=given.anew, progress=progress)
    say_skipped(made.skipped)
    say_caveats(caveats_of(values))
    before = f", {made.resumed} of them there before" if made.resumed else ""
    text = f"{made.folder}: {made.pictures} pictures{before}, {len(made.skipped)} skipped; numbers in {TABLE}"
    numbers = {"pictures": made.pictures, "skipped": len(made.skipped), "resumed": made.resumed}
    say(given, {"folder": str(made.folder), "numbers": numbers, "skipped": made.skipped, "rows": made.rows}, text)


def _text(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)
