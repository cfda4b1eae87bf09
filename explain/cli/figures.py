"""Commands about figures that explain saved."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import BadValue
from .command import Commands, Parser, add_model, model_options, pairs, say

__all__ = ["add"]


def add(command: Commands) -> None:
    command("show", _show, arguments=_file)
    command("redraw", _redraw, arguments=_new_file)
    command("report", _report, arguments=_files)


def _file(sub: Parser) -> None:
    sub.add_argument("file", metavar="FILE", help="a figure that explain saved")


def _new_file(sub: Parser) -> None:
    _file(sub)
    sub.add_argument("--out", metavar="NEWFILE", required=True, help="the format is that of its name")
    sub.add_argument("--style", metavar="KEY=VALUE", action="append", default=[], help="what is drawn otherwise")
    _sources(sub)


def _files(sub: Parser) -> None:
    sub.add_argument("out", metavar="OUT", help="a folder, or a name that ends in .zip")
    sub.add_argument("files", metavar="FILE", nargs="+", help="a figure that explain saved, or a report.json")
    sub.add_argument("--title", help="by default that of the report.json, or Report")
    sub.add_argument("--caption", metavar="TEXT", action="append", default=[], help="one for each figure, in order")
    _sources(sub)


def _sources(sub: Parser) -> None:
    pictures = "the pictures, where they are files of your own and not found"
    sub.add_argument("--image", metavar="PICTURE", nargs="+", action="extend", help=pictures)
    sub.add_argument("--index", metavar="FOLDER", help="its index, where that is not in the workspace")
    sub.add_argument("--model", help="its model, where the name alone does not lead to it")
    add_model(sub)


def _show(given: argparse.Namespace) -> None:
    """the facts inside an exported figure"""
    from ..figure import read_facts

    facts = read_facts(given.file)
    say(given, facts, json.dumps(facts, indent=1, ensure_ascii=False))


def _redraw(given: argparse.Namespace) -> None:
    """a figure again from the facts inside an exported one, in another format, say"""
    from ..figure import read_facts
    from ..workspace.redraw import figure_of

    opener = _opener(given)
    opener.beside = Path(given.file).parent
    facts = read_facts(given.file)
    figure = figure_of(facts, opener, pairs(given.style))
    path = figure.save(given.out)
    print(f"explain: wrote {path}", file=sys.stderr)
    say(given, {"facts": dict(figure.facts)}, figure.title)


def _report(given: argparse.Namespace) -> None:
    """a page with figures redrawn from exported ones, which opens offline and can be rebuilt"""
    from ..figure import read_facts
    from ..workspace.redraw import figure_of
    from ..workspace.report import Entry, Report, rebuild, write_report

    opener, title = _opener(given), "Report"
    entries: list[Entry] = []
    for file in map(Path, given.files):
        opener.beside = file.parent
        if file.suffix.lower() == ".json":
            old = rebuild(file, opener=opener)
            title, entries = old.title, [*entries, *old.entries]
        else:
            figure = figure_of(read_facts(file), opener)
            entries.append(Entry(figure, figure.title, file.stem))
    if len(given.caption) > len(entries):
        raise BadValue(f"There are {len(given.caption)} captions for {len(entries)} figures.")
    for number, caption in enumerate(given.caption):
        entries[number] = Entry(entries[number].figure, caption, entries[number].name)
    report = Report(title if given.title is None else given.title, entries)
    path = write_report(report, given.out)
    say(given, {"report": str(path), "files": report.paths}, f"{path}: {len(entries)} figures")


def _opener(given: argparse.Namespace) -> Any:
    from ..workspace.opener import Opener

    how = model_options(given)
    if how.keys() - {"device"} and not given.model:
        raise BadValue("Weights, architecture and the like are given with a model: --model NAME.")
    return Opener(given.model, given.index, given.image, **how)
