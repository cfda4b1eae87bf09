"""Figure: what a view has to show, with the facts to redraw it. One layout serves png, svg and pdf; csv, npz, html too.

A page is laid out in output pixels before anything is drawn, so that nothing overlaps and enlarged pixels stay whole.
"""

from __future__ import annotations

import base64
import csv
import html
import importlib.metadata
import io
import json
import math
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .errors import BadFile, BadValue, NotSupported, Unknown
from .images import colour, png
from .registry import Option, Range
from .store import write

__all__ = [
    "DPI",
    "FORMATS",
    "VERSION",
    "WIDTH_MM",
    "Facts",
    "Figure",
    "Grid",
    "Panel",
    "Scale",
    "read_facts",
    "versions",
]

VERSION = "0.1.0"
FORMATS = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "npz": "application/zip",
    "html": "text/html",
}
WIDTH_MM = Option("width_mm", float, 180.0, Range(40, 600, "Width on paper"))
DPI = Option("dpi", int, 200, Range(50, 1200, "Dots per inch of a PNG"))
MAX_PIXELS = 80_000_000

Facts = Mapping[str, Any]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scale:
    """What the colours of a panel mean, in the map's own units."""

    cmap: str
    low: float
    high: float
    label: str

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(place from 0 to 1, number): both ends, and zero when it lies between them."""
        zero = [(-self.low / (self.high - self.low), "0")] if self.low < 0 < self.high else []
        return [(0.0, _number(self.low)), *zero, (1.0, _number(self.high))]

    @property
    def colours(self) -> Pixels:
        """The colour map as one row of pixels."""
        return colour(np.linspace(0, 1, 256)[None], self.cmap)


@dataclass(frozen=True)
class Grid:
    """Where the tiles of a contact sheet lie, in pixels of the image as it is; a gap around each."""

    columns: int
    tile_height: int
    tile_width: int
    gap: int

    def cell(self, k: int) -> tuple[int, int, int, int]:
        """The k-th tile, row by row: y0, x0, y1, x1, half open."""
        row, column = divmod(k, self.columns)
        y = self.gap + row * (self.tile_height + self.gap)
        x = self.gap + column * (self.tile_width + self.gap)
        return y, x, y + self.tile_height, x + self.tile_width

    def fits(self, image: Pixels) -> bool:
        """Whether the image is whole rows of such tiles."""
        rows, rest = divmod(image.shape[0] - self.gap, self.tile_height + self.gap)
        return bool(rows > 0 == rest and image.shape[1] == self.cell(self.columns - 1)[3] + self.gap)

    def folded(self, image: Pixels, times: int) -> tuple[Grid, Pixels]:
        """The same tiles in the same order in rows several times as long."""
        gap, pitch, blank = self.gap, self.tile_height + self.gap, image[0, 0] if self.gap else 255
        body = image[gap:, gap:]
        height, width = -(-len(body) // pitch // times) * pitch, body.shape[1] * times
        padded = np.full((height * times, body.shape[1], 3), blank, np.uint8)
        padded[: len(body)] = body
        paper = np.full((gap + height, gap + width, 3), blank, np.uint8)
        rows = padded.reshape(-1, times, pitch, body.shape[1], 3)
        paper[gap:, gap:] = rows.swapaxes(1, 2).reshape(height, width, 3)
        return Grid(self.columns * times, self.tile_height, self.tile_width, gap), paper


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture (H, W, 3) of a figure; with a grid it is a contact sheet whose tiles may have names."""

    image: Pixels
    title: str = ""
    caption: str = ""
    scale: Scale | None = None
    names: tuple[str, ...] = ()
    grid: Grid | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or not self.image.size:
            raise ValueError(f"a panel needs uint8 (H, W, 3), not {self.image.dtype} {self.image.shape}")
        if self.grid and not self.grid.fits(self.image):
            raise ValueError(f"{self.grid} does not divide an image of {self.image.shape}")

    @property
    def tiles(self) -> list[tuple[str, Pixels]]:
        """Each named tile of a contact sheet; none unless the names reach its last row."""
        if self.grid is None or self.grid.cell(len(self.names) - 1)[2] + self.grid.gap < len(self.image):
            return []
        cells = [(name, self.grid.cell(k)) for k, name in enumerate(self.names)]
        tiles = [(name, self.image[y0:y1, x0:x1]) for name, (y0, x0, y1, x1) in cells]
        return [(name, tile) for name, tile in tiles if tile.size]


@dataclass(frozen=True, eq=False)
class Figure:
    """Panels in a grid, the sentence under them, the raw numbers behind them and the facts that reproduce them."""

    title: str
    panels: tuple[Panel, ...]
    facts: Facts
    columns: int = 3
    note: str = ""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    table: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    alt: str = ""

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise BadValue(f"A figure needs at least one column, not {self.columns}.")
        if len({len(column) for column in self.table.values()}) > 1:
            raise ValueError("the columns of a table must have one length")
        if "facts" in self.arrays:
            raise ValueError("the name 'facts' is taken in an npz")

    @property
    def formats(self) -> list[str]:
        """The formats this figure can be saved as."""
        missing = {"csv": not self.table, "npz": not self.arrays}
        return [name for name in FORMATS if not missing.get(name)]

    def encode(self, format: str, *, width_mm: float = WIDTH_MM.default, dpi: int = DPI.default) -> bytes:
        """The file's content; the same input gives the same bytes.

        Raises Unknown for a format that is none of FORMATS, NotSupported for one that this figure has nothing for.
        """
        if format not in FORMATS:
            raise Unknown("figure format", format, FORMATS)
        if format not in self.formats:
            what = {"csv": "table", "npz": "arrays"}[format]
            raise NotSupported(f"This figure has no {what} to save as {format}; it has {', '.join(self.formats)}.")
        if format in _DATA:
            return _DATA[format](self)
        return _drawn(self, format, WIDTH_MM.check(width_mm), DPI.check(dpi))

    def save(self, path: str | Path, *, width_mm: float = WIDTH_MM.default, dpi: int = DPI.default) -> Path:
        """Write the figure in the format of the path's extension."""
        return write(path, self.encode(Path(path).suffix[1:].lower(), width_mm=width_mm, dpi=dpi))


def versions() -> dict[str, str]:
    """Versions for the facts, without importing the packages."""
    found = {"explain": VERSION}
    for name in ("torch", "torchvision", "numpy", "pillow", "captum"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def read_facts(source: str | Path | bytes) -> dict[str, Any]:
    """The facts inside a file that Figure.save wrote. Raises BadFile when there are none."""
    name = "these bytes" if isinstance(source, bytes) else repr(str(source))
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise BadFile(f"Cannot read {name}: {error.strerror or error}.") from error
    try:
        facts = json.loads(_find_facts(content))
    except Exception as error:  # a damaged PNG or zip raises one of a dozen kinds
        raise BadFile(f"No facts in {name}: it is not a figure that explain saved.") from error
    if not isinstance(facts, dict):
        raise BadFile(f"No facts in {name}: it is not a figure that explain saved.")
    return facts


# Facts as text -------------------------------------------------------------------------------------------------------

_MARKS = (  # how csv, html, svg and pdf hold the facts
    rb"\A# explain: (\{.*?\})\r?\n",
    rb'<script type="application/json" id="explain-facts">(\{.*?\})</script>',
    rb"<rdf:li>(\{.*?\})</rdf:li>",
    rb"/Keywords \((\{(?:\\.|[^\\()])*\})\)",
)


def _find_facts(content: bytes) -> str:
    if content.startswith(b"\x89PNG"):
        return str(Image.open(io.BytesIO(content), formats=["PNG"]).info["explain"])
    if content.startswith(b"PK"):
        return str(np.load(io.BytesIO(content), allow_pickle=False)["facts"])
    marks = _MARKS[3:] if content.startswith(b"%PDF") else _MARKS[:3]
    text = next(match[1] for mark in marks if (match := re.search(mark, content)))
    return (re.sub(rb"\\([\\()])", rb"\1", text) if content.startswith(b"%PDF") else text).decode("ascii")


def _facts_json(facts: Facts) -> str:
    """ASCII that is also inert inside HTML and XML, so that one text fits every format."""
    text = json.dumps(_plain(facts), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    """The value as JSON knows it; what JSON does not know, as text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _facts_line(facts: Facts) -> str:
    """The facts a reader of the figure wants first, on one line."""
    parts = []
    for key in ("model", "data", "layer", "method", "target", "seed"):
        value = facts.get(key)
        value = value.get("name") if isinstance(value, Mapping) else value
        parts += [] if value is None or value == "" else [f"{key} {value}"]
    known = facts.get("versions")
    return ", ".join([*parts, f"explain {(known if isinstance(known, Mapping) else {}).get('explain', VERSION)}"])


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


def _clean(text: object) -> str:
    """Text that XML and fonts can hold: no control characters, no half surrogates, nothing that turns the line."""
    return _CONTROL.sub("", str(text))


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


# Layout: everything in output pixels, from the top left --------------------------------------------------------------

MARGIN, GUTTER, LEADING = 8.0, 12.0, 1.28  # points; LEADING is lines per text size
TITLE, HEAD, BODY, SMALL, TINY = 11.0, 8.5, 7.5, 6.5, 5.5  # points
BAR = 240.0  # points, the longest colour bar
INK, SOFT, FAINT = "#111111", "#444444", "#808080"


@dataclass(frozen=True)
class _Text:
    x: float
    y: float  # top of the line; the baseline lies one text size below
    text: str
    size: float  # points
    colour: str = SOFT
    weight: str = "normal"
    align: str = "left"


@dataclass(frozen=True, eq=False)
class _Picture:
    x: int
    y: int
    width: int
    height: int
    pixels: Pixels


class _Page:
    """A page of fixed width that grows downwards."""

    def __init__(self, width: int, dpi: int) -> None:
        self.width, self.point = width, dpi / 72
        self.texts: list[_Text] = []
        self.pictures: list[_Picture] = []

    def write(self, x: float, y: float, text: str, size: float, width: float, lines: int, **look: str) -> float:
        """Wrapped text from (x, y) down; returns where it ends."""
        for line in wrap(text, width / self.point / size, lines, look.get("weight", "normal")):
            self.line(x, y, line, size, **look)
            y += size * LEADING * self.point
        return y

    def line(self, x: float, y: float, text: str, size: float, **look: str) -> None:
        self.texts.append(_Text(x, y, text, size, **look))

    def bar(self, x: float, y: float, width: float, scale: Scale) -> float:
        """A colour bar under its label, with raw units at its ends; returns where it ends."""
        y = self.write(x, y, scale.label, SMALL, width, 2) + self.point
        height = round(5 * self.point)
        self.pictures.append(_Picture(round(x), round(y), round(width), height, scale.colours))
        y += height + self.point
        low, *zero, high = scale.ticks
        room = [measure(text) * SMALL * self.point for _, text in (low, high)]
        self.line(x, y, low[1], SMALL)
        if sum(room) + 4 * self.point > width:
            y += SMALL * LEADING * self.point
        self.line(x + width, y, high[1], SMALL, align="right")
        for place, text in zero:  # a zero that would touch the number at an end says nothing that the end does not
            if room[0] + 4 * self.point < place * width < width - room[1] - 4 * self.point:
                self.line(x + place * width, y, text, SMALL, align="center")
        return y + SMALL * LEADING * self.point

    def picture(self, x: float, y: float, width: float, limit: float, panel: Panel) -> tuple[float, float]:
        """The panel's image, at a whole factor where that costs little room; returns its right and lower end."""
        height, breadth = panel.image.shape[:2]
        if panel.grid and height / breadth > limit / width:  # a tall sheet would leave most of the page empty
            times = math.ceil(math.sqrt(height / breadth * width / limit))
            grid, image = panel.grid.folded(panel.image, times)
            panel = replace(panel, grid=grid, image=image)
        edge = panel.grid.gap if panel.grid else 0
        image = panel.image[edge:-edge, edge:-edge] if edge else panel.image  # flush with the text above
        height, breadth = image.shape[:2]
        factor = min(width / breadth, limit / height)
        if math.floor(factor) / factor >= 0.9:
            factor = math.floor(factor)
        left, top, wide = round(x), round(y), max(1, round(breadth * factor))
        names = self._names(panel, factor)
        if not names or not panel.grid:
            tall = max(1, round(height * factor))
            self.pictures.append(_Picture(left, top, wide, tall, image))
            return left + wide, top + tall
        # Names go under the tiles, so the sheet is cut into its rows.
        grid = panel.grid
        tall, bottom = max(1, round(grid.tile_height * factor)), top
        pitch = round(tall + TINY * LEADING * self.point + max(grid.gap * factor, 3 * self.point))
        for k, name in enumerate(names):
            y0, x0, y1, x1 = grid.cell(k)
            row, column = divmod(k, grid.columns)
            if column == 0:
                strip = panel.image[y0:y1, edge : edge + breadth]
                self.pictures.append(_Picture(left, top + row * pitch, wide, tall, strip))
            bottom = top + row * pitch + tall
            self.line(left + ((x0 + x1) / 2 - edge) * factor, bottom + self.point, name, TINY, align="center")
        return left + wide, bottom + TINY * LEADING * self.point

    def _names(self, panel: Panel, factor: float) -> list[str]:
        """The tiles' names cut to their tiles; none when the tiles are too narrow to say anything."""
        if panel.grid is None:
            return []
        gap = min(panel.grid.gap * factor / self.point, 6)
        room = (panel.grid.tile_width * factor / self.point + gap - 3) / TINY
        whole = [" ".join(_clean(name).split()) for name, _ in panel.tiles]
        cut = ["".join(wrap(name, room, 1)) for name in whole]
        return cut if room > 5 or cut == whole else []


def lay_out(figure: Figure, width: int, dpi: int) -> tuple[_Page, int]:
    """The page of a figure and its height."""
    page = _Page(width, dpi)
    point, margin = page.point, MARGIN * page.point
    inner = width - 2 * margin
    y = margin
    if figure.title:
        y = page.write(margin, y, figure.title, TITLE, inner, 6, colour=INK, weight="bold") + 6 * point
    gutter = GUTTER * point
    most = max(1, int((inner + gutter) // (60 * point + gutter)))  # narrower ones hold no text
    columns = max(1, min(figure.columns, len(figure.panels), most))
    slot = (inner - (columns - 1) * gutter) / columns
    scales = {panel.scale for panel in figure.panels if panel.scale}
    shared = len(scales) == 1 and len(figure.panels) > 1
    for start in range(0, len(figure.panels), columns):
        row = [(margin + k * (slot + gutter), p) for k, p in enumerate(figure.panels[start : start + columns])]
        titles = [wrap(panel.title, slot / point / HEAD, 4) for _, panel in row]
        top = y + max(map(len, titles)) * HEAD * LEADING * point
        for (x, panel), lines in zip(row, titles, strict=True):  # a short title stands right above its picture
            page.write(x, top - len(lines) * HEAD * LEADING * point, panel.title, HEAD, slot, 4, colour=INK)
        top += 2 * point if top > y else 0
        y = max(_below(page, x, top, slot, panel, shared) for x, panel in row) + gutter
    if shared:
        y = page.bar(margin, y - 4 * point, min(inner, BAR * point), *scales) + gutter
    if figure.note:
        y = page.write(margin, y - 2 * point, figure.note, BODY, inner, 30) + 4 * point
    y = page.write(margin, y, _facts_line(figure.facts), TINY, inner, 3, colour=FAINT)
    return page, math.ceil(y + margin)


def _below(page: _Page, x: float, y: float, slot: float, panel: Panel, shared: bool) -> float:
    """A panel from its image down."""
    limit = slot * 1.3 if panel.grid else min(slot * 1.3, page.width * 0.8)  # a page must fit on a sheet of paper
    right, y = page.picture(x, y, slot, limit, panel)
    y += 3 * page.point
    if panel.scale and not shared:
        length = max(min(right - x, BAR * page.point), min(slot, 60 * page.point))
        y = page.bar(x, y, length, panel.scale) + 2 * page.point
    return page.write(x, y, panel.caption, BODY, slot, 10) if panel.caption else y


def wrap(text: str, width: float, lines: int, weight: str = "normal") -> list[str]:
    """At most so many lines, each no wider than width text sizes; what does not fit ends in an ellipsis."""
    done: list[str] = []
    for paragraph in _clean(text)[:8000].splitlines():
        line = ""
        for word in paragraph.split():
            while word:
                longer = f"{line} {word}" if line else word
                if measure(longer, weight) <= width:
                    line, word = longer, ""
                elif line:
                    done, line = [*done, line], ""
                else:
                    cut = max(1, _fitting(word, width, weight))
                    done, word = [*done, word[:cut]], word[cut:]
        done += [line] if line else []
    if len(done) > lines:
        last = done[lines - 1]
        room = width - measure("…", weight)
        done = [*done[: lines - 1], last[: _fitting(last, room, weight)].rstrip() + "…"]
    return done


def measure(text: str, weight: str = "normal") -> float:
    """Width of a line in text sizes, with two percent to spare for hinting."""
    return 1.02 * sum(_advance(character, weight) for character in text)


def _fitting(text: str, width: float, weight: str) -> int:
    """How many characters fit."""
    return next((k for k in range(len(text)) if measure(text[: k + 1], weight) > width), len(text))


@lru_cache(8192)
def _advance(character: str, weight: str) -> float:
    from matplotlib import font_manager

    font = font_manager.get_font(
        font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    )
    font.set_size(100, 72)
    if not font.get_char_index(ord(character)):
        return 1.3  # drawn as a box; as live text by some other font
    return float(font.load_char(ord(character)).linearHoriAdvance) / 65536 / 100


# Drawing -------------------------------------------------------------------------------------------------------------

_DRAWING = threading.Lock()  # matplotlib's settings are global
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "explain",
    "image.composite_image": False,
    "text.hinting": "none",  # so that lines are as wide as measured
}


def _drawn(figure: Figure, format: str, width_mm: float, dpi: int) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure as Sheet

    with _DRAWING, matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change a figure
        matplotlib.rcParams.update(_SETTINGS)
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # an emoji becomes a box in png and pdf
        width = round(width_mm / 25.4 * dpi)
        page, height = lay_out(figure, width, dpi)
        if format == "png" and width * height > MAX_PIXELS:
            raise BadValue(
                f"A PNG of {width} x {height} pixels is too large; lower dpi={dpi} or width_mm={width_mm:g}."
            )
        # The hair keeps 1417 / 200 * 200 from being cut to 1416.
        sheet = Sheet(((width + 1e-4) / dpi, (height + 1e-4) / dpi), dpi, facecolor="white")
        for line in page.texts:
            x, y = line.x / width, 1 - (line.y + line.size * page.point) / height
            look: dict[str, Any] = {"size": line.size, "color": line.colour, "weight": line.weight, "ha": line.align}
            sheet.text(x, y, line.text, parse_math=False, **look)
        file = io.BytesIO()
        if format == "png":
            sheet.savefig(file, format="rgba")
            drawn = np.frombuffer(file.getvalue(), np.uint8).reshape(height, width, 4)
            return _paste(drawn, page, figure, dpi)
        axes = sheet.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for p in page.pictures:
            extent = (p.x, p.x + p.width, p.y + p.height, p.y)
            axes.imshow(p.pixels, extent=extent, interpolation="none", aspect="auto")
        axes.set(xlim=(0, width), ylim=(height, 0))
        title, creator, facts = _clean(figure.title), f"explain {VERSION}", _facts_json(figure.facts)
        alt = _clean(figure.alt or figure.title)
        metadata: dict[str, Any] = {
            "svg": {"Title": title, "Description": alt, "Creator": creator, "Keywords": [facts], "Date": None},
            "pdf": {"Title": title, "Subject": alt, "Creator": creator, "Keywords": facts, "CreationDate": None},
        }
        sheet.savefig(file, format=format, metadata=metadata[format])
        return file.getvalue()


def _paste(drawn: Pixels, page: _Page, figure: Figure, dpi: int) -> bytes:
    """The PNG: pictures are put in pixel for pixel, which matplotlib's resampling does not promise."""
    image = Image.fromarray(np.ascontiguousarray(drawn[..., :3]))
    for picture in page.pictures:
        image.paste(_resized(picture.pixels, picture.width, picture.height), (picture.x, picture.y))
    info, file = PngInfo(), io.BytesIO()
    info.add_text("explain", _facts_json(figure.facts))
    image.save(file, "PNG", pnginfo=info, dpi=(dpi, dpi))
    return file.getvalue()


def _resized(pixels: Pixels, width: int, height: int) -> Image.Image:
    """Enlarged by whole pixels, then averaged down: crisp at any factor, and no row is dropped when it shrinks."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    whole = math.ceil(width / image.width) * image.width, math.ceil(height / image.height) * image.height
    return image.resize(whole, Image.Resampling.NEAREST).resize((width, height), Image.Resampling.BOX)


# Data ----------------------------------------------------------------------------------------------------------------

_FORMULA = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")


def _csv(figure: Figure) -> bytes:
    file = io.StringIO()
    file.write(f"# explain: {_facts_json(figure.facts)}\r\n")
    rows = csv.writer(file)
    rows.writerow(map(_cell, figure.table))
    rows.writerows(map(_cell, row) for row in zip(*figure.table.values(), strict=True))
    return file.getvalue().encode(errors="replace")


def _cell(value: Any) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe; numbers stay numbers."""
    text = "" if value is None else str(value)
    return f"'{text}" if not isinstance(value, int | float | np.number) and _FORMULA.match(text) else text


def _npz(figure: Figure) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {**figure.arrays, "facts": np.array(_facts_json(figure.facts))}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            # A ZipInfo of its own has no date, which np.savez would add.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1rem; margin: 0 0 .4rem } h1, h2, p, td { overflow-wrap: anywhere }
.panels, .tiles { display: grid; gap: 1.5rem; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)) }
.tiles { gap: .4rem .25rem } figure { margin: 0 } .scale { max-width: 24rem; margin-top: .6rem }
img { display: block; width: 100%; image-rendering: pixelated } .scale img { height: .6rem }
p, figcaption, .scale, table { font-size: .85rem } figcaption { margin-top: .2rem }
.tiles figcaption { font-size: .7rem; overflow: hidden }
.ticks { position: relative; height: 1.3rem } .ticks span { position: absolute; transform: translateX(-50%) }
.ticks span:first-child { transform: none } .ticks span:last-child { transform: translateX(-100%) }
table { border-collapse: collapse; margin-top: 1.5rem } td, th { text-align: left; padding: .1rem 1rem .1rem 0 }
@media (max-width: 40rem) { .panels { grid-template-columns: minmax(0, 1fr) } }
"""
MAX_ROWS = 500


def _html(figure: Figure) -> bytes:
    """One page that opens offline, its pictures inside it."""
    esc = _escaped
    columns = max(1, min(figure.columns, len(figure.panels)))
    body = [f'<h1>{esc(figure.title)}</h1><div class="panels" style="--columns: {columns}">']
    body += [_panel_html(panel, figure.alt or figure.title) for panel in figure.panels]
    body += [f"</div><p>{esc(figure.note)}</p>"]
    if figure.table:
        rows = list(zip(*figure.table.values(), strict=True))
        body += ["<table><tr>", *(f"<th>{esc(name)}</th>" for name in figure.table), "</tr>"]
        body += ["<tr>" + "".join(f"<td>{esc(cell)}</td>" for cell in row) + "</tr>" for row in rows[:MAX_ROWS]]
        body += ["</table>"]
        body += [f"<p>The first {MAX_ROWS} of {len(rows)} rows; the CSV has all.</p>"] if len(rows) > MAX_ROWS else []
    body += ["<table>", *(f"<tr><th>{esc(key)}</th><td>{esc(value)}</td></tr>" for key, value in _flat(figure.facts))]
    script = f'<script type="application/json" id="explain-facts">{_facts_json(figure.facts)}</script>'
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{esc(figure.title)}</title>'
    )
    page = f"<!doctype html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>"
    return "\n".join([page, *body, f"</table>{script}</body></html>\n"]).encode()


def _panel_html(panel: Panel, alt: str) -> str:
    parts = [f"<h2>{_escaped(panel.title)}</h2>"] if panel.title else []
    if panel.tiles and panel.grid:
        parts.append(f'<div class="tiles" style="--columns: {panel.grid.columns}">')
        parts += [
            f"<figure>{_img(p, name)}<figcaption>{_escaped(name)}</figcaption></figure>" for name, p in panel.tiles
        ]
        parts.append("</div>")
    else:
        parts.append(_img(panel.image, panel.title or alt))
    if panel.scale:
        ticks = "".join(f'<span style="left: {place:.2%}">{text}</span>' for place, text in panel.scale.ticks)
        parts.append(f'<div class="scale">{_escaped(panel.scale.label)}{_img(panel.scale.colours, "colour bar")}')
        parts.append(f'<div class="ticks">{ticks}</div></div>')
    return "<figure>" + "".join(parts) + f"<figcaption>{_escaped(panel.caption)}</figcaption></figure>"


def _img(pixels: Pixels, alt: str) -> str:
    return f'<img alt="{_escaped(alt)}" src="data:image/png;base64,{base64.b64encode(png(pixels)).decode()}">'


def _escaped(text: object) -> str:
    return html.escape(_clean(text))


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested facts under dotted names."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


_DATA = {"csv": _csv, "npz": _npz, "html": _html}
