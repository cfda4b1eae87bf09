"""Pictures of more than 8 bits in 8: what is white in them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL.Image import Image, fromarray
from PIL.PngImagePlugin import PngImageFile

from ..errors import BadFile
from .colours import BACKGROUND, Array, Bytes, to_bytes, unit_scale

__all__ = ["DEEP", "colours_in_8_bits", "grey_in_8_bits", "in_8_bits", "stored_as"]

# What may be white, by Pillow mode; the first value that no pixel exceeds is taken, else the picture's own range.
# Cameras and scanners of 12 bits write files of 16, in which their white would be nearly black, and masks are of 8.
DEEP = {"I;16": (255, 4095, 65535), "I": (255, 4095, 65535), "F": (1, 255, 65535)}
_COLOURS = ("RGB;16B", "RGBA;16B")
"""How a PNG of 16-bit colours is stored, of which Pillow gives the upper 8 bits."""


def in_8_bits(values: Array, mode: str, what: str) -> tuple[Bytes, float, str]:
    """Values of a mode of DEEP as bytes, what of them is white, and both in words."""
    low, high = values.min().item(), values.max().item()
    white = next((white for white in DEEP[mode] if low >= 0 and high <= white), None)
    black, white = (low, high) if white is None else (0, white)
    return (
        to_bytes(unit_scale(values, black, white)),
        white,
        f"{what} scaled to 8 bits ({black:g} is black, {white:g} is white)",
    )


def grey_in_8_bits(image: Image, mode: str, label: str) -> tuple[Image, tuple[str, ...]]:
    """Grey of more than 8 bits; Pillow's own conversion would clip 30000 to 255. Raises BadFile unless finite."""
    values = np.asarray(image)
    if not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise BadFile(f"{label} holds NaN or infinite values; save it with finite ones.")
    kind = {"I;16": "16-bit", "I": "32-bit", "F": "float"}[mode]
    grey, _, said = in_8_bits(values, mode, f"{kind} grey")
    hidden = values == image.info["transparency"] if "transparency" in image.info else None
    if hidden is None or not hidden.any():
        return fromarray(grey), (said,)
    grey[hidden] = BACKGROUND[0]
    return fromarray(grey), (said, "transparent pixels shown on white")


def stored_as(image: Image) -> str:
    """In which form the values of a PNG lie in its file; to be asked before it is loaded."""
    tiles: list[Any] = getattr(image, "tile", [])
    return str(tiles[0][3]) if image.format == "PNG" and tiles else ""


def colours_in_8_bits(image: Image, stored: str, data: bytes) -> tuple[Image, tuple[str, ...]]:
    """A loaded PNG of 16-bit colours as it is to be seen, and what was done; any other picture as it is.

    Where all is in the lower 12 bits, these are read from `data`, its file.
    """
    if stored not in _COLOURS or not data:
        return image, ()
    upper = np.asarray(image)
    whole = "16-bit colours scaled to 8 bits (0 is black, 65535 is white)"
    if upper[..., :3].max() > DEEP["I;16"][-2] >> 8 or "transparency" in image.info:
        return image, (whole,)
    with PngImageFile(io.BytesIO(data)) as again:  # what it holds taken for the other order of bytes: the lower 8 bits
        again.tile = [tile._replace(args=stored.replace("16B", "16L")) for tile in again.tile]
        values = upper.astype(np.uint16) << 8 | np.asarray(again)
    colours, white, said = in_8_bits(values[..., :3], "I;16", "16-bit colours")
    if values.shape[2] == 4:
        alpha = values[..., 3:]
        alpha = to_bytes(unit_scale(alpha, 0, white if alpha.max() <= white else DEEP["I;16"][-1]))
        colours = np.concatenate([colours, alpha], -1)
    seen = fromarray(colours)
    seen.info = dict(image.info)
    return seen, (said,)
