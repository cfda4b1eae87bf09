"""Size and layout: enlarging, resizing, contact sheets, boxes, and the PNG of what came out."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL.Image import Image, Resampling, fromarray
from PIL.PngImagePlugin import PngInfo

from ..errors import BadValue, Unknown, shorten
from .bands import Bands, Picture
from .colours import BACKGROUND, Array, Bytes, Colour


def enlarge(array: Array, factor: int, axes: tuple[int, int] = (0, 1)) -> Array:
    """Every pixel as factor x factor equal ones. Raises BadValue unless factor is a whole number from 1."""
    factor = _whole("factor", factor, 1)
    return np.repeat(np.repeat(array, factor, axes[0]), factor, axes[1])


def resize(array: ArrayLike, size: tuple[int, int], method: str = "bilinear") -> Array:
    """Float maps (..., h, w) to (..., *size): "bilinear" as torch's align_corners=False, or "nearest".

    Raises Unknown for another method and BadValue for an empty array or size.
    """
    maps = np.asarray(array)
    maps = maps if maps.dtype.kind == "f" else maps.astype(np.float32)
    if method not in ("bilinear", "nearest"):
        raise Unknown("way to resize", method, ["bilinear", "nearest"])
    if maps.ndim < 2 or not maps.size:
        raise BadValue(f"A map of shape {maps.shape} cannot be resized; valid: (h, w), each at least 1.")
    for axis, length in zip((-2, -1), size, strict=True):
        length = _whole("size", length, 1)
        if method == "nearest":
            maps = maps.take(np.arange(length) * maps.shape[axis] // length, axis)
        else:
            maps = _linear(maps, length, axis)
    return maps


def _linear(array: Array, length: int, axis: int) -> Array:
    """Linear interpolation along one axis, between pixel centres, constant beyond the outermost ones."""
    last = array.shape[axis] - 1
    place = np.maximum((np.arange(length) + 0.5) * (last + 1) / length - 0.5, 0)
    left = np.minimum(place.astype(int), last)
    right = np.minimum(left + 1, last)
    share = (place - left).astype(array.dtype).reshape(-1, *[1] * (-1 - axis))
    blend: Array = array.take(left, axis) * (1 - share) + array.take(right, axis) * share
    return blend


def sheet_size(n: int, h: int, w: int, columns: int, gap: int = 1, factor: int = 1) -> tuple[int, int]:
    """Height and width of a contact sheet: tiles enlarged by factor, a gap around each.

    Raises BadValue unless columns and factor are whole numbers from 1 and gap is one from 0.
    """
    columns, gap, factor = _whole("columns", columns, 1), _whole("gap", gap, 0), _whole("factor", factor, 1)
    rows = -(-n // columns)
    return rows * h * factor + (rows + 1) * gap, columns * w * factor + (columns + 1) * gap


def contact_sheet(tiles: Array, columns: int, gap: int = 1, factor: int = 1, background: Colour = BACKGROUND) -> Bytes:
    """Tiles (N, h, w, 3) uint8 on one sheet of `sheet_size`: tile k in row k // columns, background where none is.

    Raises BadValue for another shape or dtype of tiles.
    """
    if tiles.ndim != 4 or tiles.shape[3] != 3 or tiles.dtype != np.uint8:
        raise BadValue(f"A contact sheet needs uint8 tiles (N, h, w, 3), not {tiles.dtype} {tiles.shape}.")
    n, h, w, _ = tiles.shape
    sheet = np.empty((*sheet_size(n, h, w, columns, gap, factor), 3), np.uint8)
    sheet[...] = background
    rows, h, w = -(-n // columns), h * factor + gap, w * factor + gap
    cells = np.empty((rows * columns, h, w, 3), np.uint8)  # each with the gap above and to the left of it
    cells[...] = background
    cells[:n, gap:, gap:] = enlarge(tiles, factor, axes=(1, 2))
    grid = cells.reshape(rows, columns, h, w, 3).swapaxes(1, 2)
    sheet[: rows * h, : columns * w] = grid.reshape(rows * h, columns * w, 3)
    return sheet


def thumbnail(picture: Picture, side: int, bands: Sequence[int] | None = None) -> Image:
    """The middle square in RGB, averaged down to `side` pixels. bands: which are shown, of a picture that has others
    than colours."""
    width, height = picture.size
    square = min(width, height)
    left, top = (width - square) // 2, (height - square) // 2
    shown = picture.convert("RGB", bands) if isinstance(picture, Bands) else picture.convert("RGB")
    cut = shown.crop((left, top, left + square, top + square))
    if square > 2 * side:
        cut = cut.reduce(square // (2 * side))  # fast, and fine enough for what follows
    return cut if cut.size == (side, side) else cut.resize((side, side), Resampling.BOX)


def draw_box(image: Array, box: tuple[int, int, int, int], colour: Colour = (255, 0, 0), width: int = 1) -> Bytes:
    """A copy of image (H, W, 3) with a frame just outside the box (y0, x0, y1, x1), half open; clipped to the picture.

    The frame hides none of the box's own pixels; where the box meets the picture's edge there is no room for it.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BadValue(f"Boxes are drawn on uint8 pictures (H, W, 3), not on {image.dtype} {image.shape}.")
    width = _whole("width", width, 1)
    y0, x0, y1, x1 = box
    out, height, breadth = image.copy(), *image.shape[:2]

    def region(by: int) -> tuple[slice, slice]:
        y, x = np.clip([y0 - by, y1 + by], 0, height), np.clip([x0 - by, x1 + by], 0, breadth)
        return slice(*y.tolist()), slice(*x.tolist())

    out[region(width)] = colour
    out[region(0)] = image[region(0)]
    return out


def outline(image: Array, mask: Array, colour: Colour = (255, 0, 0), width: int = 1) -> Bytes:
    """A copy of image (H, W, 3) with the edge of what a mask (H, W) holds in colour, of its own outermost pixels."""
    inner = np.pad(mask, width)
    for axis in (0, 1):
        inner = np.logical_and.reduce([np.roll(inner, by, axis) for by in range(-width, width + 1)])
    out = image.copy()
    out[mask & ~inner[width:-width, width:-width]] = colour
    return out


def png(picture: Image | Array, text: Mapping[str, str] | None = None, *, effort: int = 6) -> bytes:
    """A PNG without loss, of a PIL image or a uint8 array (H, W), (H, W, 3) or (H, W, 4), with optional text chunks.

    effort 1 is quick and 9 small; 1 is right for a screen. Raises BadValue for another shape or dtype.
    """
    if not isinstance(picture, Image):
        if (
            picture.dtype != np.uint8
            or not picture.size
            or not (picture.ndim == 2 or picture.shape[2:] in ((3,), (4,)))
        ):
            raise BadValue(
                f"A PNG needs a uint8 array (H, W), (H, W, 3) or (H, W, 4), not {picture.dtype} {picture.shape}."
            )
        picture = fromarray(np.ascontiguousarray(picture))
    chunks = PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, value)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=chunks, compress_level=effort)
    return buffer.getvalue()


def _whole(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise BadValue(f"The {name} {shorten(value)} must be a whole number from {least}.")
    return int(value)
