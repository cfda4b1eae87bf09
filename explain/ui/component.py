"""Components of our own in the browser: a folder with NAME.html, NAME.css and NAME.js for each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["mounted", "nothing", "scrolled_to"]

# Pictures above may still be on their way: they move what was in sight.
_SCROLL = """
export default function ({ parentElement }) {
  const seen = () => parentElement.firstElementChild?.scrollIntoView({ block: "start" });
  for (const wait of [0, 400, 1500]) setTimeout(seen, wait);
}
"""
_scroll = st.components.v2.component("explain_scroll", html="<span></span>", js=_SCROLL)


def mounted(name: str, folder: Path) -> Callable[..., Any]:
    """What puts a component on the page, with key, data and a callback for each thing it may tell."""
    html, css, js = ((folder / f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component(f"explain_{name}", html=html, css=css, js=js)


def scrolled_to(key: str) -> None:
    """What comes next is in sight when the page opens."""
    _scroll(key=f"scroll-{key}")


def nothing() -> None:
    """Components v2 report a trigger only when a callback stands behind its name."""
