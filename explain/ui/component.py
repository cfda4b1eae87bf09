"""Components of our own in the browser: a folder with NAME.html, NAME.css and NAME.js for each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["mounted", "nothing"]


def mounted(name: str, folder: Path) -> Callable[..., Any]:
    """What puts a component on the page, with key, data and a callback for each thing it may tell."""
    html, css, js = ((folder / f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component(f"explain_{name}", html=html, css=css, js=js)


def nothing() -> None:
    """Components v2 report a trigger only when a callback stands behind its name."""
