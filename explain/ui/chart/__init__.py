"""A chart whose numbers stand under the pointer, and whose parts can be chosen."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from explain.figure.spots import Spot
from explain.ui.component import mounted, nothing
from explain.ui.media import address

LEAST = 0.36
"""Pixels of the page for each of the picture, on a narrow page: below it, what 190 dots an inch draw is not read."""

_mount = mounted("chart", Path(__file__).parent)


def chart(
    picture: bytes, size: tuple[int, int], spots: Sequence[Spot], *, alt: str, key: str, choosing: bool = False
) -> int | None:
    """Show a PNG of (width, height) pixels with what its spots say; with `choosing`, return the number of the one that
    the user has just chosen, else None."""
    width, height = size
    data = {
        "picture": address(picture, "image/png", f"chart-{key}"),
        "ratio": width / height,
        "least": round(LEAST * width),
        "boxes": [
            [round(left / width, 5), round(top / height, 5), round(right / width, 5), round(bottom / height, 5)]
            for left, top, right, bottom in (spot.box for spot in spots)
        ],
        "texts": [spot.text for spot in spots],
        "alt": alt,
        "choosing": choosing,
        "dark": st.context.theme.type == "dark",
    }
    chosen = _mount(key=key, data=data, on_choose_change=nothing).get("choose")
    return chosen if choosing and type(chosen) is int and 0 <= chosen < len(spots) else None
