"""The page of a figure, laid out before anything is drawn, so that nothing overlaps and enlarged pixels stay whole.

Everything is in output pixels from the top left. One layout serves png, svg and pdf.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .facts import facts_line
from .figure import Figure
from .panel import Panel, Pixels, Scale
from .text import clean, measure, wrap

MARGIN, GUTTER, LEADING = 8.0, 12.0, 1.28  # points; LEADING is lines per text size
TITLE, HEAD, BODY, SMALL, TINY = 11.0, 8.5, 7.5, 6.5, 5.5  # points
BAR = 240.0  # points, the longest colour bar
INK, SOFT, FAINT = "#111111", "#444444", "#808080"


@dataclass(frozen=True)
class Text:
    x: float
    y: float  # top of the line; the baseline lies one text size below
    text: str
    size: float  # points
    colour: str = SOFT
    weight: str = "normal"
    align: str = "left"


@dataclass(frozen=True, eq=False)
class Picture:
    x: int
    y: int
    width: int
    height: int
    pixels: Pixels


class Page:
    """A page of fixed width that grows downwards."""

    def __init__(self, width: int, dpi: int) -> None:
        self.width, self.point = width, dpi / 72
        self.texts: list[Text] = []
        self.pictures: list[Picture] = []

    def write(self, x: float, y: float, text: str, size: float, width: float, lines: int, **look: str) -> float:
        """Wrapped text from (x, y) down; returns where it ends."""
        for line in wrap(text, width / self.point / size, lines, look.get("weight", "normal")):
            self.line(x, y, line, size, **look)
            y += size * LEADING * self.point
        return y

    def line(self, x: float, y: float, text: str, size: float, **look: str) -> None:
        self.texts.append(Text(x, y, text, size, **look))

    def bar(self, x: float, y: float, width: float, scale: Scale) -> float:
        """A colour bar under its label, with raw units at its ends; returns where it ends."""
        y = self.write(x, y, scale.label, SMALL, width, 2) + self.point
        height = round(5 * self.point)
        self.pictures.append(Picture(round(x), round(y), round(width), height, scale.colours))
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
            self.pictures.append(Picture(left, top, wide, tall, image))
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
                self.pictures.append(Picture(left, top + row * pitch, wide, tall, strip))
            bottom = top + row * pitch + tall
            self.line(left + ((x0 + x1) / 2 - edge) * factor, bottom + self.point, name, TINY, align="center")
        return left + wide, bottom + TINY * LEADING * self.point

    def _names(self, panel: Panel, factor: float) -> list[str]:
        """The tiles' names cut to their tiles; none when the tiles are too narrow to say anything."""
        if panel.grid is None:
            return []
        gap = min(panel.grid.gap * factor / self.point, 6)
        room = (panel.grid.tile_width * factor / self.point + gap - 3) / TINY
        whole = [" ".join(clean(name).split()) for name, _ in panel.tiles]
        cut = ["".join(wrap(name, room, 1)) for name in whole]
        return cut if room > 5 or cut == whole else []


def lay_out(figure: Figure, width: int, dpi: int) -> tuple[Page, int]:
    """The page of a figure and its height."""
    page = Page(width, dpi)
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
    y = page.write(margin, y, facts_line(figure.facts), TINY, inner, 3, colour=FAINT)
    return page, math.ceil(y + margin)


def _below(page: Page, x: float, y: float, slot: float, panel: Panel, shared: bool) -> float:
    """A panel from its image down."""
    limit = slot * 1.3 if panel.grid else min(slot * 1.3, page.width * 0.8)  # a page must fit on a sheet of paper
    right, y = page.picture(x, y, slot, limit, panel)
    y += 3 * page.point
    if panel.scale and not shared:
        length = max(min(right - x, BAR * page.point), min(slot, 60 * page.point))
        y = page.bar(x, y, length, panel.scale) + 2 * page.point
    return page.write(x, y, panel.caption, BODY, slot, 10) if panel.caption else y
