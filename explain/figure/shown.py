"""What shows itself: one line by `repr`, a picture or a table in a notebook, and either of them by `show()`.

class Result(Shown):
    def _line(self) -> str: ...  # without drawing
    def _look(self) -> Look: ...
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import reason_of
from ..notebook import in_notebook, shell
from ..store import write
from .text import clean

__all__ = ["WIDTH", "Look", "Shown", "aligned", "cell", "table_html"]

LINE = 140  # characters of a repr
WIDTH = 900  # of a picture in a notebook, in pixels of the page
ROWS, COLUMNS = 20, 20  # of a table there
PAGE = 720  # height of a page within a page, in pixels

Table = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Look:
    """What is to be seen. png: WIDTH wide, with more dots than that where the screen has them; `alt` says in words what
    it shows. page: an HTML file that a notebook shows in the picture's place. table: below either, or alone."""

    alt: str = ""
    png: bytes = b""
    page: bytes = b""
    table: Table = field(default_factory=dict)

    @property
    def html(self) -> str:
        """A picture here and not alone as image/png: only so does every notebook give it its words."""
        parts = []
        if self.page:
            page, title = escape(self.page.decode()), escape(clean(self.alt))
            look = f'style="width:100%;height:{PAGE}px;border:0"'
            parts.append(f'<iframe title="{title}" sandbox="allow-scripts" {look} srcdoc="{page}"></iframe>')
        elif self.png:
            data, alt = b64encode(self.png).decode(), escape(clean(self.alt))
            look = f'width="{WIDTH}" style="max-width:100%;height:auto"'
            parts.append(f'<img alt="{alt}" {look} src="data:image/png;base64,{data}">')
        if self.table:
            parts.append(f'<div style="overflow-x:auto">{table_html(self.table, ROWS, COLUMNS, cell)}</div>')
        return f"<div>{''.join(parts)}</div>"


class Shown(ABC):
    """Base of what shows itself; dataclasses that inherit it keep its repr."""

    @abstractmethod
    def _line(self) -> str:
        """What it is, on one line, without work."""

    @abstractmethod
    def _look(self) -> Look: ...

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        if "__repr__" not in vars(cls):
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]  # also where @dataclass would put its own

    def __repr__(self) -> str:
        line = " ".join(clean(self._line()).split())
        return f"<{line if len(line) <= LINE else f'{line[: LINE - 1]}…'}>"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What IPython asks for. What cannot be drawn is its one line, with the reason: a cell does not fail by it."""
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        words: dict[str, Any] = {}
        running = shell()
        if running is None or "text/html" in running.display_formatter.active_types:  # and not IPython in a terminal
            try:
                look = self._look()
                bundle["text/html"] = look.html
                if look.png:
                    bundle["image/png"] = look.png
                    words["image/png"] = {"width": WIDTH, "alt": clean(look.alt)}
            except Exception as error:
                bundle = {"text/plain": f"{self!r}\nIt cannot be shown: {reason_of(error)}"}
        asked = [kind for kind in bundle if (not include or kind in include) and kind not in (exclude or ())]
        return {kind: bundle[kind] for kind in asked}, {kind: words[kind] for kind in asked if kind in words}

    def show(self) -> None:
        """In a notebook what a cell that ends in it shows; elsewhere the picture in the system's viewer or, where there
        is no screen, in a file whose name is printed; a table as text."""
        if in_notebook():
            from IPython.display import display

            display(self)
            return
        look = self._look()
        if look.table:
            print(aligned(look.table))
        if look.png and not _viewed(look.png):
            file = Path(tempfile.mkdtemp(prefix="explain-")) / f"{type(self).__name__.lower()}.png"
            print(f"{self!r} is drawn in {write(file, look.png)}")


def _viewed(content: bytes) -> bool:
    """Whether a program has taken the picture."""
    from PIL import Image, ImageShow

    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return bool(screen) and ImageShow.show(Image.open(io.BytesIO(content)))


# Tables --------------------------------------------------------------------------------------------------------------


def aligned(table: Table) -> str:
    """A table as text, numbers with commas."""
    texts = [[name, *map(cell, column)] for name, column in table.items()]
    widths = [max(map(len, column)) for column in texts]
    rows = zip(*texts, strict=True)
    return "\n".join("  ".join(one.ljust(w) for one, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def cell(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def table_html(table: Table, rows: int, columns: int, said: Callable[[Any], str] = str, rest: str = "") -> str:
    """The first so many rows and columns, and how many there are. rest: where the others are."""
    shown = dict(islice(table.items(), columns))
    count = len(next(iter(table.values()), ()))
    parts = ["<table><tr>", *(f"<th>{escape(clean(name))}</th>" for name in shown), "</tr>"]
    for row in islice(zip(*shown.values(), strict=True), rows):
        parts.append("<tr>" + "".join(f"<td>{escape(clean(said(value)))}</td>" for value in row) + "</tr>")
    parts.append("</table>")
    parts += [f"<p>The first {columns} of {len(table):,} columns{rest}.</p>"] * (len(table) > columns)
    parts += [f"<p>The first {rows} of {count:,} rows{rest}.</p>"] * (count > rows)
    return "\n".join(parts)
