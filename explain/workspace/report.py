"""Report: figures with captions as pages that open offline, and the file that rebuilds them.

write_report(Report("Cats", [Entry(figure, "A tabby", "tabby")]), "cats.zip")
rebuild("cats/report.json")
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .. import store
from ..errors import BadFile, BadValue, ExplainError, shorten
from ..figure import VERSION, Figure
from ..figure.facts import facts_json
from ..views.facts import Facts
from .opener import Opener
from .redraw import figure_of

__all__ = ["Entry", "Report", "rebuild", "write_report"]

FORMAT = 1
MOST, MOST_BYTES = 500, 64 << 20  # figures; of a report.json
JSON, INDEX = "report.json", "index.html"
PICTURES, NUMBERS = ("svg", "png", "pdf"), ("csv", "npz")
_OWN = {folder: re.compile(rf"\d+-[a-z0-9-]+\.({'|'.join(kinds)})") for folder, kinds in
        (("figures", PICTURES), ("data", NUMBERS))}  # fmt: skip
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dfe3e8; --ground: #fff; --link: #0f6e84 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #313844; --ground: #14181e; --link: #63c3da }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 60rem;
  margin: 2.5rem auto; padding: 0 1.25rem; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem } a { color: var(--link) }
.about, .links, summary { color: var(--soft); font-size: .85rem } .about { margin: 0 0 1.5rem }
section { border-top: 1px solid var(--line); padding: 1.6rem 0 } figure { margin: 0 }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: 6px; padding: .75rem;
  box-sizing: border-box; border: 1px solid var(--line) }
figcaption { margin: .8rem 0 .3rem; white-space: pre-line } figcaption b { margin-right: .4rem }
.links { margin: .2rem 0 } .links a { margin-right: .8rem } summary { cursor: pointer }
pre { font-size: .75rem; line-height: 1.4; white-space: pre-wrap; border: 1px solid var(--line); border-radius: 6px;
  padding: .75rem; margin: .5rem 0 0 }
@media print {
  :root { --ink: #000; --soft: #444; --line: #ccc; --ground: #fff } body { margin: 0; max-width: none; font-size: 11pt }
  section { break-inside: avoid } .links, details { display: none } img { border: 0; padding: 0 }
}
"""


@dataclass(frozen=True)
class Entry:
    """A figure, what is said under it, and what its files are called."""

    figure: Figure
    caption: str = ""
    name: str = "figure"


@dataclass(frozen=True)
class Report:
    """Figures in their order. Raises BadValue for more than MOST."""

    title: str
    entries: Sequence[Entry]

    def __post_init__(self) -> None:
        if len(self.entries) > MOST:
            raise BadValue(f"A report has at most {MOST} figures, not {len(self.entries)}.")

    def files(self) -> dict[str, bytes]:
        """The content of each file by its relative path; the same report gives the same bytes."""
        files: dict[str, bytes] = {}
        sections = []
        for number, entry in enumerate(self.entries, 1):
            sections.append(_section(number, entry))
            files |= {path: entry.figure.encode(kind) for kind, path in _paths(number, entry).items()}
        return {INDEX: _page(self.title, sections).encode(), JSON: self.json().encode(), **files}

    @property
    def paths(self) -> list[str]:
        """The names of the files."""
        return [INDEX, JSON, *(path for n, e in enumerate(self.entries, 1) for path in _paths(n, e).values())]

    def zipped(self) -> bytes:
        """The files as one zip; the same report gives the same bytes."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in self.files().items():
                archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)  # a ZipInfo has no date
        return file.getvalue()

    def json(self) -> str:
        """The report.json, which rebuilds it."""
        entries = [{"name": e.name, "caption": e.caption, "facts": json.loads(_facts(e))} for e in self.entries]
        content = {"explain": VERSION, "report": FORMAT, "title": self.title, "entries": entries}
        return json.dumps(content, indent=1) + "\n"


def write_report(report: Report, out: str | Path) -> Path:
    """Write a folder, or one zip where the name ends in .zip; a report that is there already is replaced.

    Raises BadFile for a folder that holds something else, or cannot be written to.
    """
    out = Path(out)
    if out.suffix.lower() == ".zip":
        if out.is_dir():
            raise BadFile(f"{str(out)!r} is a folder; give another name for the zip.")
        return store.write(out, report.zipped())
    _refuse_foreign(out)
    files = report.files()
    there = out.is_dir()
    with store.written(out):
        (out if there else out.parent).mkdir(parents=True, exist_ok=True)
        # All of it is on the disk before any of it takes its name: a full one leaves what was there.
        with tempfile.TemporaryDirectory(dir=out if there else out.parent, prefix=".report-") as half:
            whole = Path(half) / "report"
            for path, content in files.items():
                store.write(whole / path, content)
            if not there:
                whole.replace(out)
            for path in (JSON, *(path for path in files if path not in (JSON, INDEX)), INDEX) if there else ():
                (out / path).parent.mkdir(exist_ok=True)
                (whole / path).replace(out / path)
    for folder, own in _OWN.items():  # figures of the report that was here before
        if (out / folder).is_dir():
            store.sweep(out / folder, own, {Path(path).name for path in files if path.startswith(f"{folder}/")})
    return out


def rebuild(source: str | Path | bytes, *, opener: Opener | None = None) -> Report:
    """The report of a report.json, its figures drawn again.

    Raises BadFile for what is no report, ExplainError naming the figure that cannot be drawn again.
    """
    title, recorded = read_json(source)
    opener = opener or Opener()
    entries = []
    for number, one in enumerate(recorded, 1):
        try:
            figure = figure_of(one["facts"], opener)
        except ExplainError as error:
            raise ExplainError(f"Figure {number} of the report: {error}") from None
        entries.append(Entry(figure, one["caption"], one["name"]))
    return Report(title, entries)


def read_json(source: str | Path | bytes) -> tuple[str, list[dict[str, Any]]]:
    """Title and entries of a report.json: name, caption and facts of each. Raises BadFile."""
    name = "these bytes" if isinstance(source, bytes) else repr(str(source))
    try:
        content = source if isinstance(source, bytes) else _read(Path(source))
    except OSError as error:
        raise BadFile(f"Cannot read {name}: {error.strerror or error}.") from error
    if len(content) > MOST_BYTES:
        raise BadFile(f"{name} has more than {MOST_BYTES >> 20} MB; no report.json has.")
    try:
        given = json.loads(content)
        if given["report"] != FORMAT:
            raise BadFile(f"{name} is a report of format {shorten(given['report'])}; this version reads {FORMAT}.")
        title, entries = given["title"], given["entries"]
        if not isinstance(title, str) or not isinstance(entries, list) or len(entries) > MOST:
            raise TypeError
        read = [{key: one[key] for key in ("name", "caption", "facts")} for one in entries]
        if not all(isinstance(one[key], str) for one in read for key in ("name", "caption")):
            raise TypeError
        for one in read:
            Facts(one["facts"])
    except (ValueError, TypeError, KeyError, RecursionError, BadValue) as error:
        raise BadFile(f"{name} is no report.json that explain wrote.") from error
    return title, read


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _refuse_foreign(folder: Path) -> None:
    """Raises BadFile where a report would mix with what is somebody's."""
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        if not folder.is_dir():
            raise BadFile(f"{str(folder)!r} is a file; give a folder, or a name that ends in .zip.")
    except OSError as error:
        raise BadFile(f"Cannot write {str(folder)!r}: {error.strerror or error}.") from error
    try:
        read_json(folder / JSON)
    except BadFile:
        raise BadFile(f"The folder {str(folder)!r} is not empty and holds no report; choose another.") from None


# Pages ---------------------------------------------------------------------------------------------------------------


def _paths(number: int, entry: Entry) -> dict[str, str]:
    """Where the file of each format goes; names are made of letters, digits and dashes whatever they were."""
    safe = re.sub(r"[^a-z0-9]+", "-", entry.name.lower()).strip("-")[:40].strip("-") or "figure"
    folders = {kind: folder for folder, kinds in (("figures", PICTURES), ("data", NUMBERS)) for kind in kinds}
    known = entry.figure.formats
    return {kind: f"{folder}/{number:02}-{safe}.{kind}" for kind, folder in folders.items() if kind in known}


def _facts(entry: Entry) -> str:
    """As they stand in the files themselves."""
    return facts_json(entry.figure.facts)


def _section(number: int, entry: Entry) -> str:
    paths, figure = _paths(number, entry), entry.figure
    links = "".join(f'<a href="{path}">{kind.upper()}</a>' for kind, path in paths.items())
    facts = json.dumps(json.loads(_facts(entry)), indent=1, ensure_ascii=False)
    return "\n".join(
        [
            f'<section id="figure-{number}"><figure>',
            f'<img src="{paths["svg"]}" alt="{_text(figure.alt or figure.title)}">',
            f"<figcaption><b>{number}</b>{_text(entry.caption)}</figcaption></figure>",
            f'<p class="links">{links}</p>',
            f"<details><summary>What draws it again</summary><pre>{_text(facts)}</pre></details></section>",
        ]
    )


def _page(title: str, sections: list[str]) -> str:
    count = "one figure" if len(sections) == 1 else f"{len(sections)} figures"
    about = f'{count}, explain {VERSION}. <a href="{JSON}">report.json</a> rebuilds it.'
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head>",
            f'<body><h1>{_text(title)}</h1><p class="about">{about[0].upper()}{about[1:]}</p>',
            *sections,
            "</body></html>\n",
        ]
    )


def _text(text: str) -> str:
    """Escaped, without the control characters that no page may hold."""
    return escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", "\ufffd", text))
