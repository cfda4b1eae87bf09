"""html: one page that opens offline, its pictures inside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any

import numpy as np

from ..images import png
from .chart import Chart
from .facts import facts_json
from .figure import Figure, between, export
from .layout import Dots, Page, Stroke, Text
from .panel import Panel, Pixels, Scale
from .plot import SHAPES, Key, Plot
from .shown import table_html
from .text import clean

MAX_ROWS = 500
MAX_COLUMNS = 60
MAP_WIDTH = 720  # points, of the maps in a row together

FACTS_OPEN = '<script type="application/json" id="explain-facts">'
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
svg { display: block; width: 100%; overflow: visible; background: white; font-family: system-ui, sans-serif }
.halo { paint-order: stroke; stroke: white; stroke-width: 2.2px; stroke-linejoin: round }
.legend { columns: 10rem; list-style: none; padding: 0; margin: .6rem 0 0; font-size: .85rem }
.legend li { break-inside: avoid; overflow-wrap: anywhere } .legend span { opacity: .65; margin-left: .5rem }
.legend svg { display: inline; width: .9em; background: none; vertical-align: -.1em; margin-right: .4rem }
.ticks span:first-child { transform: none } .ticks span:last-child { transform: translateX(-100%) }
table { border-collapse: collapse; margin-top: 1.5rem } td, th { text-align: left; padding: .1rem 1rem .1rem 0 }
@media (max-width: 40rem) { .panels { grid-template-columns: minmax(0, 1fr) } }
"""


@export("html", "text/html", facts=between(FACTS_OPEN.encode(), b"</script>"))
def html(figure: Figure) -> bytes:
    if figure.page:
        return figure.page(figure)
    esc = _escaped
    columns = max(1, min(figure.paper.in_a_row or figure.columns, len(figure.panels)))
    title = f"<h1>{esc(figure.heading)}</h1>" if figure.heading else ""
    body = [f'{title}<div class="panels" style="--columns: {columns}">']
    body += [_panel_html(panel, figure.alt or figure.title, columns) for panel in figure.panels]
    body += [f"</div><p>{esc(figure.sentences)}</p>"]
    if figure.table:
        body += [table_html(figure.table, MAX_ROWS, MAX_COLUMNS, rest="; the CSV has all")]
    facts = _flat(figure.facts) if figure.paper.footer else ()
    body += ["<table>", *(f"<tr><th>{esc(key)}</th><td>{esc(value)}</td></tr>" for key, value in facts)]
    script = f"{FACTS_OPEN}{facts_json(figure.facts)}</script>"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{esc(figure.heading or figure.title)}</title>"
    page = f"<!doctype html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>"
    return "\n".join([page, *body, f"</table>{script}</body></html>\n"]).encode()


def _panel_html(panel: Panel | Plot | Chart, alt: str, columns: int) -> str:
    body = _picture_html(panel, alt) if isinstance(panel, Panel) else _plot_html(panel, alt, columns)
    title = f"<h2>{_escaped(panel.title)}</h2>" if panel.title else ""
    scale = _scale_html(panel.scale) if panel.scale else ""
    return f"<figure>{title}{body}{scale}<figcaption>{_escaped(panel.caption)}</figcaption></figure>"


def _picture_html(panel: Panel, alt: str) -> str:
    if not (panel.tiles and panel.grid):
        return _img(panel.image, panel.title or alt)
    tiles = [f"<figure>{_img(p, name)}<figcaption>{_escaped(name)}</figcaption></figure>" for name, p in panel.tiles]
    return f'<div class="tiles" style="--columns: {panel.grid.columns}">{"".join(tiles)}</div>'


def _scale_html(scale: Scale) -> str:
    ticks = "".join(f'<span style="left: {place:.2%}">{text}</span>' for place, text in scale.ticks)
    bar = f"{_escaped(scale.label)}{_img(scale.colours, 'colour bar')}"
    return f'<div class="scale">{bar}<div class="ticks">{ticks}</div></div>'


def _plot_html(plot: Plot | Chart, alt: str, columns: int) -> str:
    """The map or chart as the other formats lay it out, in one SVG, and its legend as a list."""
    page = Page(MAP_WIDTH // columns, 72)  # 72 dots an inch: a point is a unit of the SVG
    height = page.chart(0, 0, page.width, plot) if isinstance(plot, Chart) else page.map(0, 0, page.width, plot)
    frames = "".join(
        f'<rect x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}" fill="none" stroke="#c8c8c8"/>'
        for x0, y0, x1, y1 in page.frames
    )
    body = (
        frames
        + "".join(map(_stroke_html, page.strokes))
        + "".join(map(_dots_html, page.dots))
        + "".join(map(_text_html, page.texts))
    )
    label = _escaped(plot.title or alt)
    keys = "".join(map(_key_html, plot.legend))
    legend = f'<ul class="legend">{keys}</ul>' if keys else ""
    return f'<svg viewBox="0 0 {page.width} {height:.2f}" role="img" aria-label="{label}">{body}</svg>{legend}'


def _stroke_html(stroke: Stroke) -> str:
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in stroke.at.tolist())
    colour = "#{:02x}{:02x}{:02x}".format(*stroke.colour)
    if stroke.filled:
        return f'<polygon points="{points}" fill="{colour}"/>'
    dashes = ' stroke-dasharray="3 2"' if stroke.dashed else ""
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{stroke.width}"{dashes}/>'


def _dots_html(dots: Dots) -> str:
    """Paths in the order of the dots, one for each run of equal ones."""
    if dots.hollow:
        circles = "".join(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{dots.size / 2:.2f}"/>' for x, y in dots.at.tolist())
        rings = f'<g stroke="white" stroke-width="3">{circles}</g><g stroke="#111" stroke-width="1.2">{circles}</g>'
        return f'<g fill="none">{rings}</g>'
    outlines = [np.array(outline) * (dots.size, -dots.size) for outline in SHAPES.values() if outline]
    # A circle is a line without length: its round ends.
    tails = ["h0", *("l" + " ".join(f"{x:.2f} {y:.2f}" for x, y in np.diff(o, axis=0)) + "z" for o in outlines)]
    starts = np.array([(0, 0), *(outline[0] for outline in outlines)])[dots.shapes]
    paints = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in dots.colours.tolist()]
    drawn = zip(paints, dots.shapes.tolist(), (dots.at + starts).tolist(), strict=True)
    paths = []
    for (paint, shape), run in groupby(drawn, key=lambda dot: dot[:2]):
        tail = tails[shape]
        data = "".join(f"M{x:.1f} {y:.1f}{tail}" for _, _, (x, y) in run)
        paths.append(f'<path {"fill" if shape else "stroke"}="{paint}" d="{data}"/>')
    return f'<g stroke-linecap="round" stroke-width="{dots.size:.2f}">{"".join(paths)}</g>'


def _text_html(line: Text) -> str:
    anchor = {"left": "start", "center": "middle", "right": "end"}[line.align]
    halo = ' class="halo"' if line.halo else ""
    place = f'x="{line.x:.2f}" y="{line.y + line.size:.2f}" text-anchor="{anchor}"'
    look = f'font-size="{line.size}" font-weight="{line.weight}" fill="{line.colour}"'
    return f"<text {place} {look}{halo}>{_escaped(line.text)}</text>"


def _key_html(key: Key) -> str:
    colour, shape = np.array([key.colour], np.uint8), np.array([key.shape], np.uint8)
    swatch = (
        f'<svg viewBox="-6 -6 12 12" aria-hidden="true">{_dots_html(Dots(np.zeros((1, 2)), colour, shape, 8))}</svg>'
    )
    count = "" if key.count is None else f"<span>{key.count:,}</span>"
    return f"<li>{swatch}{_escaped(key.name)}{count}</li>"


def _img(pixels: Pixels, alt: str) -> str:
    return f'<img alt="{_escaped(alt)}" src="data:image/png;base64,{b64encode(png(pixels)).decode()}">'


def _escaped(text: object) -> str:
    return escape(clean(text))


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested facts under dotted names."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
