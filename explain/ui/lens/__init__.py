"""A picture whose raw numbers stand under the pointer, and on which boxes can be drawn or strokes painted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.ui.component import mounted, nothing
from explain.ui.media import address

_mount = mounted("lens", Path(__file__).parent)

Boxes = list[list[int]]
Stroke = list[tuple[float, float]]


def lens(
    picture: bytes,
    values: NDArray[np.float32],
    *,
    alt: str,
    key: str,
    covering: bool = False,
    boxes: Sequence[Sequence[int]] = (),
    hint: str = "Drag over a part to cover it.",
    buttons: Sequence[str] = ("Uncover the last", "Uncover all"),
) -> Boxes | None:
    """Show a PNG over which values (H, W) are read; with `covering`, boxes can be drawn on it.

    Boxes are (y0, x0, y1, x1), half open, in the values' pixels. Returns those that the user wants now, in the run that
    drawing or taking away has caused, else None; pass them back as `boxes`. hint and buttons say what boxes do, and
    what takes the last of them away, and all.
    """
    own = {"covering": covering, "boxes": [list(map(int, box)) for box in boxes], "hint": hint, "buttons": [*buttons]}
    drawn = _shown(picture, values, alt, key, own).get("cover")
    return [_cut(box, *values.shape) for box in drawn] if isinstance(drawn, list) else None


def brush(
    picture: bytes,
    values: NDArray[np.float32],
    radius: float,
    *,
    alt: str,
    key: str,
    hint: str,
    erasing: bool = False,
) -> Stroke | None:
    """The same, but what is drawn are strokes of a radius in the values' pixels: the points (y, x) along the one that
    has just been painted, else None."""
    own = {"covering": True, "boxes": [], "hint": hint, "buttons": [], "brush": radius, "erasing": erasing}
    drawn = _shown(picture, values, alt, key, own).get("stroke")
    return [(float(y), float(x)) for y, x in drawn] if isinstance(drawn, list) else None


def _shown(picture: bytes, values: NDArray[np.float32], alt: str, key: str, own: dict[str, Any]) -> Any:
    height, width = values.shape
    data = {
        "picture": address(picture, "image/png", f"lens-{key}"),
        "values": address(values.astype("<f4").tobytes(), "application/octet-stream", f"lens-values-{key}"),
        "width": width,
        "height": height,
        "alt": alt,
        "brush": 0,
        **own,
    }
    return _mount(key=key, data=data, on_cover_change=nothing, on_stroke_change=nothing)


def _cut(box: Sequence[float], height: int, width: int) -> list[int]:
    y0, x0, y1, x1 = (int(value) for value in box)
    return [max(y0, 0), max(x0, 0), min(y1, height), min(x1, width)]
