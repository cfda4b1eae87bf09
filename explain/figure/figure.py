"""Figure, and the formats it can be saved in.

@export("csv", "text/csv", facts=between(b"# explain: ", b"\n"), needs="table")
def csv(figure: Figure) -> bytes:
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import BadFile, BadValue, NotSupported, Unknown, shorten
from ..paper import USUAL, Paper
from ..store import write
from .chart import Chart
from .facts import MOST_FACTS, Facts
from .panel import Panel
from .plot import Plot
from .shown import WIDTH, Look, Shown

MOST_BYTES = 256 << 20  # of a file in which facts are looked for
RESERVED = ("facts.json", "facts.npy")  # by the first one knows a zip, by the second an npz

SCREEN = 190  # dots an inch of what a notebook shows: half as many again as WIDTH, for screens that have them
MOST_WALKED = 2000  # pictures of a page in a notebook, which holds all of them


@dataclass(frozen=True, eq=False)
class Figure(Shown):
    """Panels in a grid, the sentence under them, the raw numbers behind them and the facts that reproduce them.

    bundle: named files for the zip, or what makes them.
    page: makes the whole HTML page of the figure where another than the plain one is wanted; it must contain
    html.FACTS_OPEN.
    """

    title: str
    panels: tuple[Panel | Plot | Chart, ...]
    facts: Facts
    columns: int = 3
    note: str = ""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    table: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    alt: str = ""
    bundle: Mapping[str, Callable[[], bytes] | bytes] = field(default_factory=dict)
    paper: Paper = USUAL
    page: Callable[[Figure], bytes] | None = None

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise BadValue(f"A figure needs at least one column, not {self.columns}.")
        if len({len(column) for column in self.table.values()}) > 1:
            raise ValueError("the columns of a table must have one length")
        if "facts" in self.arrays:
            raise ValueError("the name 'facts' is taken in an npz")
        for name in self.bundle:
            if name in RESERVED or re.search(r"[\\:\0]|(^|/)\.{0,2}(/|$)", name):  # it must unpack into its folder
                raise ValueError(f"{name!r} cannot be the name of a file in a zip")

    @property
    def formats(self) -> list[str]:
        """The formats this figure can be saved as."""
        return [name for name, format in FORMATS.items() if not format.needs or getattr(self, format.needs)]

    def on(self, **paper: Any) -> Figure:
        """The same with these options of Paper, which its facts tell where they are not as usual.

        Raises Unknown and BadValue.
        """
        chosen = Paper.of(paper, self.paper)
        facts = {name: value for name, value in self.facts.items() if name != "paper"}
        return replace(self, paper=chosen, facts=facts | ({"paper": chosen.changed} if chosen.changed else {}))

    @property
    def heading(self) -> str:
        """The title, as the paper has it; empty for none."""
        return (self.paper.title_text or self.title) if self.paper.title else ""

    @property
    def sentences(self) -> str:
        """The note, as the paper has it; empty for none."""
        return (self.paper.note_text or self.note) if self.paper.note else ""

    def encode(self, format: str, **paper: Any) -> bytes:
        """The file's content; the same input gives the same bytes. paper: options of Paper, width_mm, dpi, ...

        Raises Unknown for a format that is none of FORMATS, NotSupported for one that this figure has nothing for.
        """
        if format not in FORMATS:
            raise Unknown("figure format", format, FORMATS)
        if format not in self.formats:
            what = FORMATS[format].needs
            raise NotSupported(f"This figure has no {what} to save as {format}; it has {', '.join(self.formats)}.")
        return FORMATS[format].encode(self.on(**paper) if paper else self)

    def _line(self) -> str:
        return f"Figure {self.title!r}: {', '.join(self.formats)}"

    def _look(self) -> Look:
        """Numbers that no picture is of, as those of a chart, are a table beside it."""
        content = self.encode("png", width_mm=WIDTH * 25.4 / 127, dpi=SCREEN)
        numbers = all(isinstance(panel, Chart) for panel in self.panels)
        rows = len(next(iter(self.table.values()), ()))
        page = self.page(self) if self.page and rows <= MOST_WALKED else b""
        return Look(self.alt or self.title, content, page, self.table if numbers else {})

    def save(self, path: str | Path, **paper: Any) -> Path:
        """Write the figure in the format of the path's extension; paper as for encode."""
        return write(path, self.encode(check_format(path), **paper))


def check_format(path: str | Path) -> str:
    """The format that a file's name asks for. Raises Unknown."""
    format = Path(path).suffix[1:].lower()
    if format not in FORMATS:
        raise Unknown("figure format", format, FORMATS)
    return format


# Formats -------------------------------------------------------------------------------------------------------------

Encoder = Callable[[Figure], bytes]


@dataclass(frozen=True)
class Format:
    """A kind of file that figures are saved as, and how to find the facts in one."""

    encode: Encoder
    media_type: str
    # None when there are none, and no more than MOST_FACTS and one character; a damaged file may raise anything.
    facts: Callable[[bytes], str | None]
    start: bytes  # how every such file begins; empty where that is not sure
    needs: str  # the field of Figure without which there is nothing to save


FORMATS: dict[str, Format] = {}


def export(
    name: str, media_type: str, *, facts: Callable[[bytes], str | None], start: bytes = b"", needs: str = ""
) -> Callable[[Encoder], Encoder]:
    """Register the function that encodes a figure in the format of this name, which is also the file's extension."""

    def register(encode: Encoder) -> Encoder:
        if name in FORMATS:
            raise ValueError(f"figure format {name!r} is registered twice")
        FORMATS[name] = Format(encode, media_type, facts, start, needs)
        return encode

    return register


def between(before: bytes, after: bytes) -> Callable[[bytes], str | None]:
    """Finds the facts between two texts, in a file that holds them as they are, where the first text is first met."""

    def find(content: bytes) -> str | None:
        start = content.find(before) + len(before)
        end = content.find(after, start, start + MOST_FACTS + 1 + len(after))  # a line may end in two characters
        return content[start:end].rstrip(b"\r").decode("ascii") if start >= len(before) and end >= 0 else None

    return find


def read_facts(source: str | Path | bytes, name: str = "") -> dict[str, Any]:
    """The facts inside a file that Figure.save wrote. Raises BadFile when there are none.

    name: of the file that bytes are of, if it is known. A file whose name ends as that of a format is of this one.
    """
    name = name or ("" if isinstance(source, bytes) else str(source))
    label = shorten(name, 200) if name else "these bytes"
    try:
        content = source if isinstance(source, bytes) else _read(Path(source))
    except (OSError, ValueError) as error:
        raise BadFile(f"Cannot read {label}: {getattr(error, 'strerror', None) or error}.") from error
    if len(content) > MOST_BYTES:
        raise BadFile(f"{label} has more than {MOST_BYTES >> 20} MB; facts are looked for in no larger files.")
    named = FORMATS.get(Path(name).suffix[1:].lower())
    fitting = [format for format in ([named] if named else FORMATS.values()) if content.startswith(format.start)]
    fitting = [format for format in fitting if format.start] or fitting
    try:
        text = next(text for format in fitting if (text := format.facts(content)))
        if len(text) > MOST_FACTS or not isinstance(facts := json.loads(text), dict):
            raise ValueError
    except Exception as error:  # a damaged PNG or zip raises one of a dozen kinds
        raise BadFile(f"No facts in {label}: it is not a figure that explain saved.") from error
    return facts


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
