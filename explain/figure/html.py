"""html: one page that opens offline, its pictures inside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from ..images import png
from .facts import facts_json
from .figure import Figure, between, export
from .panel import Panel, Pixels
from .text import clean

MAX_ROWS = 500

_OPEN = '<script type="application/json" id="explain-facts">'
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


@export("html", "text/html", facts=between(_OPEN.encode(), b"</script>"))
def html(figure: Figure, *_: float) -> bytes:
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
    script = f"{_OPEN}{facts_json(figure.facts)}</script>"
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
