"""png, svg and pdf: the page drawn by matplotlib, which is imported when the first of them is asked for."""

from __future__ import annotations

import io
import math
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import BadValue
from .facts import MOST_FACTS, VERSION, facts_json
from .figure import Figure, between, export
from .fonts import families, unseen
from .layout import Dots, Page, lay_out
from .panel import Pixels
from .plot import SHAPES, Outline
from .text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet
    from matplotlib.path import Path as Marker

MAX_PIXELS = 80_000_000
MAX_MARKS = 20_000  # of an SVG or PDF; more dots than that become one picture under the live text

_DRAWING = threading.Lock()  # matplotlib's settings are global
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "explain",
    "image.composite_image": False,
    "text.hinting": "none",  # so that lines are as wide as measured
}


_PNG_TEXTS = {b"tEXt": b"explain\0", b"zTXt": b"explain\0\0"}  # chunks, and how those of facts begin
_PNG_CHUNKS = 1000
_PDF_FACTS = re.compile(rb"/Keywords \((\{(?:[^\\()]++|\\[\\()])*+)\)")


def _png_facts(content: bytes) -> str | None:
    """By hand, since Pillow unpacks what any chunk holds, and goes through as many as there are."""
    at = 8
    for _ in range(_PNG_CHUNKS):
        length, kind = struct.unpack_from(">I4s", content, at)
        start = at + 8 + len(_PNG_TEXTS.get(kind, b""))
        if kind in _PNG_TEXTS and content.startswith(_PNG_TEXTS[kind], at + 8):
            text = content[start : at + 8 + length]
            # A program that packed it leaves it what it was.
            text = zlib.decompressobj().decompress(text, MOST_FACTS + 1) if kind == b"zTXt" else text
            return text[: MOST_FACTS + 1].decode("ascii")
        at += length + 12
    return None


@export("png", "image/png", facts=_png_facts, start=b"\x89PNG")
def png(figure: Figure) -> bytes:
    """Pictures are put in pixel for pixel, which matplotlib's resampling does not promise."""
    file = io.BytesIO()
    with _sheet(figure, MAX_PIXELS) as (sheet, page, height):
        sheet.savefig(file, format="rgba")
    drawn = np.frombuffer(file.getvalue(), np.uint8).reshape(height, page.width, 4)
    image = Image.fromarray(np.ascontiguousarray(drawn[..., :3]))
    for picture in page.pictures:
        image.paste(_resized(picture.pixels, picture.width, picture.height), (picture.x, picture.y))
    info, file = PngInfo(), io.BytesIO()
    info.add_text("explain", facts_json(figure.facts))
    image.save(file, "PNG", pnginfo=info, dpi=(sheet.dpi, sheet.dpi))
    return file.getvalue()


@export("svg", "image/svg+xml", facts=between(b"<rdf:li>", b"</rdf:li>"))
def svg(figure: Figure) -> bytes:
    title, alt, creator, facts = _described(figure)
    metadata = {"Title": title, "Description": alt, "Creator": creator, "Keywords": [facts], "Date": None}
    return _vector(figure, "svg", metadata)


def _pdf_facts(content: bytes) -> str | None:
    start = content.find(b"/Keywords ({")
    match = _PDF_FACTS.match(content, start, start + 2 * MOST_FACTS) if start >= 0 else None
    return re.sub(rb"\\([\\()])", rb"\1", match[1]).decode("ascii") if match else None


@export("pdf", "application/pdf", facts=_pdf_facts, start=b"%PDF")
def pdf(figure: Figure) -> bytes:
    title, alt, creator, facts = _described(figure)
    metadata = {"Title": title, "Subject": alt, "Creator": creator, "Keywords": facts, "CreationDate": None}
    return _vector(figure, "pdf", metadata)


def _described(figure: Figure) -> tuple[str, str, str, str]:
    """Title, text for who cannot see the figure, program and facts."""
    title = figure.heading or figure.title
    return clean(title), clean(figure.alt or title), f"explain {VERSION}", facts_json(figure.facts)


def _vector(figure: Figure, format: str, metadata: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    with _sheet(figure, boxes=format != "svg") as (sheet, page, height):
        (axes,) = sheet.axes
        for p in page.pictures:
            extent = (p.x, p.x + p.width, p.y + p.height, p.y)
            axes.imshow(p.pixels, extent=extent, interpolation="none", aspect="auto")
        axes.set(xlim=(0, page.width), ylim=(height, 0))
        for collection in axes.collections:
            collection.set_rasterized(np.shape(collection.get_offsets())[0] > MAX_MARKS)
        sheet.savefig(file, format=format, metadata=metadata)
    return file.getvalue()


@contextmanager
def _sheet(figure: Figure, most: float = math.inf, boxes: bool = True) -> Iterator[tuple[Sheet, Page, int]]:
    """A sheet with the page's dots and texts on it, the page, whose pictures are still to be drawn, and its height.

    boxes: what no font has will be a box, of which the note tells.
    """
    width_mm, dpi = figure.paper.width_mm, figure.paper.dpi
    import matplotlib
    from matplotlib.figure import Figure as Sheet

    with _DRAWING, matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change a figure
        matplotlib.rcParams.update(_SETTINGS)
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the note says so
        width = round(width_mm / 25.4 * dpi)
        page, height = lay_out(figure, width, dpi)
        if boxes and (said := unseen(line.text for line in page.texts)):
            told = replace(figure.paper, note=True, note_text="")
            page, height = lay_out(replace(figure, note=f"{figure.sentences} {said}".lstrip(), paper=told), width, dpi)
        if width * height > most:
            raise BadValue(
                f"A PNG of {width} x {height} pixels is too large; lower dpi={dpi} or width_mm={width_mm:g}."
            )
        # The hair keeps 1417 / 200 * 200 from being cut to 1416.
        sheet = Sheet(((width + 1e-4) / dpi, (height + 1e-4) / dpi), dpi, facecolor="white")
        axes = sheet.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        _draw_marks(axes, page)
        for line in page.texts:
            x, y = line.x / width, 1 - (line.y + line.size * page.point) / height
            look: dict[str, Any] = {"size": line.size * page.zoom, "weight": line.weight, "family": families(line.text)}
            look |= {"ha": line.align, "parse_math": False}
            if line.halo:  # a text of its own, since matplotlib turns one that has an effect into outlines
                sheet.text(x, y, line.text, color="white", path_effects=[_halo(page.zoom)], **look)
            sheet.text(x, y, line.text, color=line.colour, **look)
        yield sheet, page, height


def _draw_marks(axes: Axes, page: Page) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon, Rectangle

    zoom = page.zoom
    for left, top, right, bottom in page.frames:
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec="#c8c8c8", lw=0.5 * zoom))
    for stroke in page.strokes:
        red, green, blue = (value / 255 for value in stroke.colour)
        colour = (red, green, blue)
        if stroke.filled:
            axes.add_patch(Polygon(stroke.at, closed=True, fc=colour, lw=0, zorder=2))  # as lines: in their order
        else:
            style = (0, (3, 2)) if stroke.dashed else "-"
            axes.add_line(Line2D(*stroke.at.T, color=colour, lw=stroke.width * zoom, ls=style, solid_capstyle="round"))
    for dots in page.dots:
        if dots.hollow:
            _scatter(axes, dots, zoom, facecolors="none", edgecolors="white", linewidths=3 * zoom)
            _scatter(axes, dots, zoom, facecolors="none", edgecolors=dots.colours / 255, linewidths=1.2 * zoom)
        else:
            _scatter(axes, dots, zoom, facecolors=dots.colours / 255, linewidths=0)


def _scatter(axes: Axes, dots: Dots, zoom: float, **look: Any) -> None:
    """All dots as one collection, in their order."""
    from matplotlib.collections import PathCollection
    from matplotlib.transforms import IdentityTransform

    kinds, which = np.unique(dots.shapes, return_inverse=True)
    # Item k of a collection has outline k % len(kinds), so blanks are left where the next dot has another outline.
    slots = np.cumsum((np.diff(which, prepend=-1) - 1) % max(len(kinds), 1) + 1) - 1
    at = np.full((slots[-1] + 1 if len(slots) else 0, 2), np.nan)
    at[slots] = dots.at
    for name, colours in look.items():
        if isinstance(colours, np.ndarray):
            look[name] = np.zeros((len(at), 3))
            look[name][slots] = colours
    outlines = [_marker(list(SHAPES.values())[kind]) for kind in kinds]
    marks = PathCollection(outlines, [(dots.size * zoom) ** 2], offsets=at, offset_transform=axes.transData, **look)
    marks.set_transform(IdentityTransform())
    axes.add_collection(marks, autolim=False)


def _marker(outline: Outline) -> Marker:
    from matplotlib.path import Path as Marker

    return Marker([*outline, outline[0]], closed=True) if outline else Marker.circle(radius=0.5)


def _halo(zoom: float) -> Any:
    from matplotlib.patheffects import Stroke

    return Stroke(linewidth=2.2 * zoom, foreground="white")


def _resized(pixels: Pixels, width: int, height: int) -> Image.Image:
    """Enlarged by whole pixels, then averaged down: crisp at any factor, and no row is dropped when it shrinks."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    whole = math.ceil(width / image.width) * image.width, math.ceil(height / image.height) * image.height
    return image.resize(whole, Image.Resampling.NEAREST).resize((width, height), Image.Resampling.BOX)
