"""Parts of a picture covered, to ask what a network makes of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image, ImageFilter, ImageStat

from ..errors import BadValue, Unknown, shorten
from .bands import SCALES, Bands, Picture, bands_of, with_bands
from .colours import Array
from .reader import as_image

__all__ = ["FILLS", "Fill", "cover"]

Fill = Literal["average", "black", "white", "blur"]
FILLS: tuple[Fill, ...] = get_args(Fill)
MOST_BOXES = 100


def cover(image: Any, boxes: Sequence[Sequence[int]], fill: Fill = "average") -> Picture:
    """The picture with boxes (y0, x0, y1, x1), half open, in its own upright pixels, filled with its average colour,
    black, white, or itself blurred by a tenth of its longer side. What was covered goes into figures' facts.

    Raises BadValue for boxes that are none, Unknown for another fill.
    """
    if fill not in FILLS:
        raise Unknown("fill", fill, FILLS)
    if len(boxes) > MOST_BOXES:
        raise BadValue(f"{len(boxes)} boxes are too many; at most {MOST_BOXES} parts can be covered.")
    picture = as_image(image)
    checked = [_checked(box, picture.size) for box in boxes]
    bands = bands_of(picture)
    behind = None if bands is None else _bands_covered(bands, checked, fill)
    covered = behind or picture if isinstance(picture, Bands) else with_bands(_covered(picture, checked, fill), behind)
    if checked:
        covered.info["covered"] = {"boxes": checked, "fill": fill}
    return covered


def _covered(picture: Image.Image, boxes: list[list[int]], fill: str) -> Image.Image:
    if fill == "blur":
        under = picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 10))
    else:
        colours = {
            "black": [0] * 4,
            "white": [255] * 4,
            "average": [round(mean) for mean in ImageStat.Stat(picture).mean],
        }
        bands = len(picture.getbands())
        colour = colours[fill][:bands]
        under = Image.new(picture.mode, picture.size, colour[0] if bands == 1 else tuple(colour))
    covered = picture.copy()
    for y0, x0, y1, x1 in boxes:
        covered.paste(under.crop((x0, y0, x1, y1)), (x0, y0))
    return covered


def _bands_covered(bands: Bands, boxes: list[list[int]], fill: str) -> Bands:
    """The same of each band; black and white of floats are 0 and 1."""
    values = bands.values.copy()
    levels = {"black": 0, "white": SCALES[values.dtype.name]}
    under = _blurred(values) if fill == "blur" else levels.get(fill, values.mean((0, 1)))
    under = np.broadcast_to(under if values.dtype == np.float32 else np.rint(under), values.shape)
    for y0, x0, y1, x1 in boxes:
        values[y0:y1, x0:x1] = under[y0:y1, x0:x1]
    return Bands(values, dict(bands.info))


def _blurred(values: Array) -> Array:
    """Averages of cells, joined by straight lines: where these are two deviations wide, they spread as a Gaussian does,
    which Pillow has for 8 bits alone."""
    height, width = values.shape[:2]
    cell = max(height, width) / 5
    few = max(1, round(width / cell)), max(1, round(height / cell))
    planes = (Image.fromarray(np.ascontiguousarray(band, np.float32)) for band in np.moveaxis(values, -1, 0))
    box, lines = Image.Resampling.BOX, Image.Resampling.BILINEAR
    return np.stack([np.asarray(one.resize(few, box).resize((width, height), lines)) for one in planes], -1)


def _checked(box: Any, size: tuple[int, int]) -> list[int]:
    """A box cut to the picture. Raises BadValue."""
    try:
        y0, x0, y1, x1 = (int(value) for value in box)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"Box {shorten(box)} is not four whole numbers y0, x0, y1, x1.") from None
    width, height = size
    cut = [max(y0, 0), max(x0, 0), min(y1, height), min(x1, width)]
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise BadValue(f"Box {shorten(box)} covers nothing of a picture of {height} by {width} pixels.")
    return cut
