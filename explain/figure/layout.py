"""The page of a figure, laid out before anything is drawn, so that nothing overlaps and enlarged pixels stay whole.

Everything is in output pixels from the top left. One layout serves png, svg and pdf.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chart import Chart, Ticks
from .facts import facts_line
from .figure import Figure
from .panel import Panel, Pixels, Scale
from .plot import Key, Plot, Points
from .text import clean, measure, shortened, wrap

MARGIN, LEADING = 6.0, 1.28  # points; LEADING is lines per text size
TITLE, HEAD, BODY, SMALL, TINY, SMALLEST = 11.0, 8.5, 7.5, 6.5, 5.5, 3.0  # points
SHORTEST, BAR = 60.0, 240.0  # points, of a colour bar
INK, SOFT, FAINT = "#111111", "#444444", "#808080"
RING, SWATCH, NAME = 8.0, 5.0, 110.0  # points: around a mark, beside a key, the longest name of a key or a label
MAX_KEYS = 120  # a legend of more would not fit on the sheet of paper

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Text:
    x: float
    y: float  # top of the line; the baseline lies one text size below
    text: str
    size: float  # points
    colour: str = SOFT
    weight: str = "normal"
    align: str = "left"
    halo: bool = False  # white around the letters, which stand on dots


@dataclass(frozen=True, eq=False)
class Picture:
    x: int
    y: int
    width: int
    height: int
    pixels: Pixels


@dataclass(frozen=True, eq=False)
class Dots:
    """Marks to be drawn in this order."""

    at: Points  # (N, 2)
    colours: Pixels
    shapes: NDArray[np.uint8]
    size: float  # points
    hollow: bool = False  # rings with a white halo


@dataclass(frozen=True, eq=False)
class Stroke:
    """A line through these points; with `filled` the area within them."""

    at: Points  # (N, 2)
    colour: tuple[int, int, int]
    width: float = 0.5  # points
    dashed: bool = False
    filled: bool = False


class Page:
    """A page of fixed width that grows downwards.

    zoom: of all but the pictures, so that its points are so many of the paper's. stretch: of the height of panels.
    """

    def __init__(self, width: int, dpi: int, zoom: float = 1.0, stretch: float = 1.0) -> None:
        self.width, self.point, self.zoom, self.stretch = width, dpi / 72 * zoom, zoom, stretch
        self.texts: list[Text] = []
        self.pictures: list[Picture] = []
        self.frames: list[Box] = []
        self.dots: list[Dots] = []
        self.strokes: list[Stroke] = []  # under the dots, the first at the bottom

    def write(self, x: float, y: float, text: str, size: float, width: float, lines: int, **look: str) -> float:
        """Wrapped text from (x, y) down; returns where it ends."""
        for line in wrap(text, width / self.point / size, lines, look.get("weight", "normal")):
            self.line(x, y, line, size, **look)
            y += size * LEADING * self.point
        return y

    def line(self, x: float, y: float, text: str, size: float, **look: Any) -> None:
        self.texts.append(Text(x, y, text, size, **look))

    def bar(self, x: float, y: float, width: float, scale: Scale) -> float:
        """A colour bar with its label and raw units at its ends, in one line if it has room; returns where it ends."""
        height, space = round(5 * self.point), 4 * self.point
        low, *zero, high = scale.ticks
        room = [measure(text) * SMALL * self.point for _, text in (low, high)]
        label = measure(_one_line(scale.label)) * SMALL * self.point
        left = x + (label + space if label else 0) + room[0] + space
        rest = x + width - left - room[1] - space
        if rest >= SHORTEST * self.point and not zero:
            length, middle = min(rest, BAR * self.point), y + (SMALL * LEADING * self.point - height) / 2
            self.line(x, y, _one_line(scale.label), SMALL)
            self.line(left - space, y, low[1], SMALL, align="right")
            self.pictures.append(Picture(round(left), round(middle), round(length), height, scale.colours))
            self.line(left + length + space, y, high[1], SMALL)
            return y + SMALL * LEADING * self.point
        width = min(width, BAR * self.point)
        y = self.write(x, y, scale.label, SMALL, width, 2) + self.point
        self.pictures.append(Picture(round(x), round(y), round(width), height, scale.colours))
        y += height + self.point
        self.line(x, y, low[1], SMALL)
        if sum(room) + 4 * self.point > width:
            y += SMALL * LEADING * self.point
        self.line(x + width, y, high[1], SMALL, align="right")
        for place, text in zero:  # a zero that would touch the number at an end says nothing that the end does not
            if room[0] + 4 * self.point < place * width < width - room[1] - 4 * self.point:
                self.line(x + place * width, y, text, SMALL, align="center")
        return y + SMALL * LEADING * self.point

    def picture(self, x: float, y: float, width: float, panel: Panel) -> tuple[float, float]:
        """The panel's image, at a whole factor where that costs little room; returns its right and lower end."""
        limit = width * 1.3 if panel.grid else min(width * 1.3, self.width * 0.8)  # it must fit on a sheet of paper
        limit *= self.stretch
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
        whole = [_one_line(name) for name, _ in panel.tiles]
        cut = ["".join(wrap(name, room, 1)) for name in whole]
        return cut if room > 5 or cut == whole else []

    def plot(self, x: float, y: float, width: float, plot: Plot | Chart) -> tuple[float, float]:
        """A map or a chart with its legend under it; returns its right and lower end."""
        y = self.chart(x, y, width, plot) if isinstance(plot, Chart) else self.map(x, y, width, plot)
        return x + width, self.legend(x, y + 3 * self.point, width, plot.legend)

    def map(self, x: float, y: float, width: float, plot: Plot) -> float:
        """The points in a frame, and in it names that keep clear of each other; returns where it ends."""
        point, (across, up) = self.point, plot.axes
        if up:  # no text is turned
            y = self.write(x, y, f"↑ {up}", SMALL, width, 2) + point
        size = plot.dot(width / point)
        pad = max(6.0, RING / 2 + 1 if plot.marks else 0, size) * point
        middle, reach = plot.extent
        wide, most = round(width), min(width, self.width * 0.75) * self.stretch
        factor = float(((np.array([wide, most]) / 2 - pad) / np.maximum(reach, 1e-300)).clip(min=0).min())
        tall = max(round(2 * (float(reach[1]) * factor + pad)), round(0.6 * width * self.stretch))
        left, top = round(x), round(y)
        frame = (left, top, left + wide, top + tall)
        self.frames.append(frame)

        def place(points: Points) -> Points:
            away = (points.reshape(-1, 2) - middle) * factor
            return np.stack([left + wide / 2 + away[:, 0], top + tall / 2 - away[:, 1]], axis=1)

        self.dots.append(Dots(place(plot.points), plot.colours, plot.kinds, size))
        taken: list[Box] = []
        if plot.marks:
            at, n = place(np.array([mark[:2] for mark in plot.marks], np.float64)), len(plot.marks)
            rings = Dots(at, np.full((n, 3), 17, np.uint8), np.zeros(n, np.uint8), max(RING, 2 * size), hollow=True)
            self.dots.append(rings)
            clear = rings.size / 2 * point + 2 * point
            taken = [(x - clear, y - clear, x + clear, y + clear) for x, y in at.tolist()]
            for (x, y), (*_, name) in zip(at.tolist(), plot.marks, strict=True):
                self._name(name, x, y, clear, frame, taken)
        for x, y, name in plot.labels:
            ((x, y),) = place(np.array([[x, y]], np.float64)).tolist()
            self._name(name, x, y, 0, frame, taken)
        bottom = top + tall + point
        if not across:
            return bottom
        for line in wrap(f"{across} →", width / point / SMALL, 2):
            self.line(frame[2], bottom, line, SMALL, align="right")
            bottom += SMALL * LEADING * point
        return bottom

    def chart(self, x: float, y: float, width: float, chart: Chart) -> float:
        """Lines in a frame with numbers beside it; returns where it ends."""
        point, (across, up), (x_ticks, y_ticks) = self.point, chart.axes, chart.ticks
        if up:  # no text is turned
            y = self.write(x, y, f"↑ {up}", SMALL, width, 2)
        y += SMALL * point  # the highest number stands half above the frame
        room = min(max((measure(text) for _, text in y_ticks), default=0) * SMALL + 4, 0.45 * width / point)
        left, top = round(x + room * point), round(y)
        wide = round(x + width) - left
        tall = round(chart.height * wide * self.stretch)
        self.frames.append((left, top, left + wide, top + tall))
        low = np.array([chart.x[0], chart.y[0]])
        reach = np.array([chart.x[1], chart.y[1]]) - low

        def place(points: Points) -> Points:
            share = ((points.reshape(-1, 2) - low) / reach).clip(0, 1)
            return np.stack([left + share[:, 0] * wide, top + (1 - share[:, 1]) * tall], axis=1)

        self._ticks(chart, place, y_ticks, room)
        for line in chart.lines:
            at = place(line.points)
            if line.band is not None:
                ends = [place(np.stack([line.points[:, 0], line.band[:, k]], 1)) for k in (0, 1)]
                red, green, blue = (round(255 - 0.25 * (255 - value)) for value in line.colour)
                self.strokes.append(Stroke(np.concatenate([ends[0], ends[1][::-1]]), (red, green, blue), filled=True))
            self.strokes.append(Stroke(at, line.colour, line.width, line.dashed, line.filled))
            if line.dots:
                colours = np.tile(np.array(line.colour, np.uint8), (len(at), 1))
                self.dots.append(Dots(at, colours, np.zeros(len(at), np.uint8), line.size or SWATCH))
        named = [
            (*place(np.array([[x, y]]))[0].tolist(), self._clear(chart, x, y), name) for x, y, name in chart.labels
        ]
        taken = [(x - clear, y - clear, x + clear, y + clear) for x, y, clear, _ in named]
        for across_at, down_at, clear, name in named:
            self._name(name, across_at, down_at, clear, self.frames[-1], taken)
        size = self._cell_size(chart, place)
        for across_at, up_at, text, colour in chart.cells if size >= SMALLEST else ():
            ((middle, centre),) = place(np.array([[across_at, up_at]])).tolist()
            self.line(middle, centre - 0.66 * size * point, text, size, colour=colour, align="center")
        bottom, end = top + tall + point, float(x)
        for value, name in x_ticks:
            at_tick, text = place(np.array([value, chart.y[0]]))[0, 0], "".join(wrap(name, wide / point / SMALL, 1))
            half = measure(text) * SMALL * point / 2
            middle = min(max(at_tick, left + half), left + wide - half)
            if middle - half > end:  # one that finds no room is left out
                self.line(middle, bottom, text, SMALL, align="center")
                end = middle + half + 2 * point
        bottom += SMALL * LEADING * point
        for words in wrap(f"{across} →", wide / point / SMALL, 2) if across else ():
            self.line(left + wide, bottom, words, SMALL, align="right")
            bottom += SMALL * LEADING * point
        return bottom

    def _cell_size(self, chart: Chart, place: Any) -> float:
        """So large that the numbers of a chart's cells keep off each other, at most SMALL."""
        at = place(np.array([cell[:2] for cell in chart.cells], np.float64).reshape(-1, 2)) / self.point
        across, down = (np.diff(np.unique(side.round(3))).min(initial=math.inf) for side in at.T)
        widest = max((measure(text) for _, _, text, _ in chart.cells), default=1.0)
        return float(min(SMALL, (across - 1) / max(widest, 1e-9), down / LEADING))

    def _clear(self, chart: Chart, x: float, y: float) -> float:
        """How far a name keeps from the dot at this point of a chart."""
        sizes = [line.size or SWATCH for line in chart.lines if (line.points == (x, y)).all(1).any()]
        return (max(sizes, default=0.0) / 2 + 2) * self.point

    def _ticks(self, chart: Chart, place: Any, ticks: Ticks, room: float) -> None:
        """Faint lines across a chart, each with its number or name on the left, from the top down."""
        point, free = self.point, -math.inf
        for value, text in sorted(ticks, reverse=True):
            across = place(np.array([[chart.x[0], value], [chart.x[1], value]]))
            self.strokes.append(Stroke(across, (225, 225, 225)))
            top = across[0, 1] - 0.7 * SMALL * point
            if top >= free:
                shown = shortened(_one_line(text), (room - 3) / SMALL)
                self.line(across[0, 0] - 3 * point, top, shown, SMALL, align="right")
                free = top + SMALL * LEADING * point

    def _name(self, name: str, x: float, y: float, clear: float, frame: Box, taken: list[Box]) -> None:
        """A name in the map at the first free place near (x, y), so far clear of it; nothing where there is none."""
        point = self.point
        width = (frame[2] - frame[0]) / point
        size = BODY if width > 240 else SMALL
        text = "".join(wrap(_one_line(name), min(NAME, width - 6) / size, 1, "bold"))
        half, tall = measure(text, "bold") * size * point / 2, size * LEADING * point
        if not text or frame[3] - frame[1] < 2 * tall:
            return
        beside = (clear + half, -clear - half, 0) if clear else (0, half, -half)
        for dy in (0, -tall, tall, -2 * tall, 2 * tall):
            for dx in beside:
                middle = min(max(x + dx, frame[0] + half + 2 * point), frame[2] - half - 2 * point)
                top = min(max(y + dy - tall / 2, frame[1] + point), frame[3] - tall - point)
                box = (middle - half, top, middle + half, top + tall)
                if not any(_overlap(box, other) for other in taken):
                    taken.append(box)
                    self.line(middle, top, text, size, halo=True, colour=INK, weight="bold", align="center")
                    return

    def legend(self, x: float, y: float, width: float, keys: tuple[Key, ...]) -> float:
        """Keys in columns as wide as the longest name needs, read downwards; returns where they end."""
        if not keys:
            return y
        point, left_out = self.point, len(keys) - MAX_KEYS
        keys = keys[:MAX_KEYS]
        names, counts = [_one_line(key.name) for key in keys], [_count(key) for key in keys]
        before = (SWATCH + 3) * point  # the swatch
        after = max(measure(text) for text in counts) * SMALL * point
        after += 5 * point if after else 0
        named = min(max(measure(name) for name in names) * SMALL, NAME) * point
        named = max(min(named, width - before - after), 0)
        pitch, gap = before + named + after, 14 * point
        rows = math.ceil(len(keys) / max(1, int((width + gap) // (pitch + gap))))
        line = SMALL * LEADING * point
        middles = []
        for k, (name, count) in enumerate(zip(names, counts, strict=True)):
            column, row = divmod(k, rows)
            at, top = x + column * (pitch + gap), y + row * line
            middles.append((at + SWATCH / 2 * point, top + 0.66 * SMALL * point))
            self.write(at + before, top, name, SMALL, named + 1e-3, 1)  # rounding must not cut the longest
            if count:
                self.line(at + pitch, top, count, SMALL, colour=FAINT, align="right")
        colours = np.array([key.colour for key in keys], np.uint8)
        shapes = np.array([key.shape for key in keys], np.uint8)
        self.dots.append(Dots(np.array(middles), colours, shapes, SWATCH))
        y += rows * line + 2 * point
        return self.write(x, y, f"and {left_out:,} more", SMALL, width, 1, colour=FAINT) if left_out > 0 else y


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _count(key: Key) -> str:
    return "" if key.count is None else f"{key.count:,}"


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def lay_out(figure: Figure, width: int, dpi: int) -> tuple[Page, int]:
    """The page of a figure and its height."""
    paper = figure.paper
    page = Page(width, dpi, paper.font_pt / BODY, paper.panel_height)
    point, margin = page.point, MARGIN * page.point
    inner = width - 2 * margin
    y = margin
    if figure.heading:
        y = page.write(margin, y, figure.heading, TITLE, inner, 6, colour=INK, weight="bold") + 6 * point
    gutter = paper.gap_pt * dpi / 72
    most = max(1, int((inner + gutter) // (60 * point + gutter)))  # narrower ones hold no text
    columns = max(1, min(paper.in_a_row or figure.columns, len(figure.panels), most))
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
        own = {panel.scale for _, panel in row if panel.scale}
        one = len(own) == 1 and len(row) > 1 and all(panel.scale for _, panel in row) and not shared
        y = max(_below(page, x, top, slot, panel, shared or one) for x, panel in row)
        y = (page.bar(margin, y + 2 * point, inner, *own) if one else y) + gutter
    if shared:
        y = page.bar(margin, y - gutter + 4 * point, inner, *scales) + gutter
    if figure.sentences:
        y = page.write(margin, y, figure.sentences, BODY, inner, 30) + 4 * point
    if paper.footer:
        y = page.write(margin, y, facts_line(figure.facts), TINY, inner, 3, colour=FAINT)
    return page, math.ceil(y + margin)


def _below(page: Page, x: float, y: float, slot: float, panel: Panel | Plot | Chart, shared: bool) -> float:
    """A panel from its image or its map down."""
    right, y = page.picture(x, y, slot, panel) if isinstance(panel, Panel) else page.plot(x, y, slot, panel)
    y += 3 * page.point
    if panel.scale and not shared:
        y = page.bar(x, y, max(right - x, min(slot, SHORTEST * page.point)), panel.scale) + 2 * page.point
    return page.write(x, y, panel.caption, BODY, slot, 10) if panel.caption else y
