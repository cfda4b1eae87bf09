"""What the JavaScript is told of a cloud, and the page that holds all of it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from ..figure.palette import OTHER
from ..figure.text import clean
from .cloud import Cloud, hexed, media_type, pack, plain, words

__all__ = ["CSS", "HTML", "SCRIPT", "describe", "page"]

_HERE = Path(__file__).parent
_PARTS = ("cloud.js", "raster.js", "camera.js", "legend.js", "map.js", "explorer.js")
HTML = (_HERE / "explorer.html").read_text("utf-8")
CSS = (_HERE / "explorer.css").read_text("utf-8")
SCRIPT = "\n".join((_HERE / part).read_text("utf-8") for part in _PARTS)  # one module: the parts share their names

_BOOT = """
const data = JSON.parse(document.getElementById("explain-explorer").textContent);
mount({ data, parentElement: document, setTriggerValue() {}, setStateValue() {} });
"""
_STYLE = """
:root { color-scheme: light dark; --st-font: system-ui, sans-serif;
  --st-background-color: light-dark(#ffffff, #0e1117); --st-secondary-background-color: light-dark(#f0f2f6, #262730);
  --st-text-color: light-dark(#31333f, #fafafa); --st-border-color: light-dark(#d5d6d9, #3d4048);
  --st-primary-color: light-dark(#0068c9, #4da3ff) }
body { margin: 1.5rem auto; max-width: 90rem; padding: 0 1rem; font: 15px/1.45 var(--st-font);
  background: var(--st-background-color); color: var(--st-text-color) }
h1 { margin: 0 0 .75rem; font-size: 1.4rem } h1, p { overflow-wrap: anywhere } body > p { font-size: .85rem }
"""


def describe(cloud: Cloud, address: Callable[[bytes, str, str], str], alt: str, **state: Any) -> dict[str, Any]:
    """The `data` of the JavaScript. `address(content, media type, name)` says where the browser finds a file."""
    thumbs = cloud.thumbs
    return {
        "of": cloud.identity,
        "count": len(cloud.files),
        "points": address(pack(cloud), "application/octet-stream", "points"),
        "words": address(words(cloud), "application/json", "words"),
        "titles": [plain(title) for title in cloud.titles],
        "colours": [hexed(colour) for colour in cloud.colours.tolist()],
        "columns": [[hexed(colour) for colour in colours.tolist()] for colours in cloud.column_colours],
        "other": hexed(OTHER),
        "thumbs": thumbs
        and {
            "sheets": [address(file, media_type(file), f"sheet{k}") for k, file in enumerate(thumbs.sheets)],
            "tile": int(thumbs.tile),
            "columns": int(thumbs.columns),
            "each": int(thumbs.each),
        },
        "marks": [
            {
                "name": plain(mark.name),
                "places": [[float(number) for number in place] for place in mark.places],
                "thumb": address(mark.thumb, media_type(mark.thumb), f"mark{k}") if mark.thumb else None,
            }
            for k, mark in enumerate(cloud.marks)
        ],
        "alt": plain(alt),
        "colour": None,
        "opened": None,
        "picked": None,
        **state,
    }


def page(cloud: Cloud, title: str, note: str, facts_script: str) -> bytes:
    """One HTML file that opens without a network; `facts_script`, a script element of JSON, goes in as it is.

    Only this page's own script runs in it, and nothing is fetched: a content security policy says so.
    """
    told = describe(cloud, lambda file, kind, _: f"data:{kind};base64,{b64encode(file).decode()}", title)
    script = SCRIPT + _BOOT
    allowed = {
        "default-src": "'none'",
        "script-src": _digest(script),
        "style-src": _digest(_STYLE + CSS),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    policy = "; ".join(f"{name} {value}" for name, value in allowed.items())
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f'<meta name="viewport" content="width=device-width"><title>{_escaped(title)}</title>',
            f"<style>{_STYLE + CSS}</style></head>",
            f"<body><h1>{_escaped(title)}</h1>",
            HTML,
            f"<p>{_escaped(note)}</p>",
            facts_script,
            f'<script type="application/json" id="explain-explorer">{_inert(told)}</script>',
            f'<script type="module">{script}</script></body></html>\n',
        ]
    ).encode("utf-8", "replace")


def _inert(told: dict[str, Any]) -> str:
    """JSON that no HTML parser takes for a tag."""
    text = json.dumps(told, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _escaped(text: str) -> str:
    return escape(clean(text))
