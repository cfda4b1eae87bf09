"""The one door by which a picture enters: bytes, files, arrays and PIL images to upright RGB, grey, or bands."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.Image import Image, Transpose, alpha_composite, fromarray, new

from ..errors import BadFile, BadValue, shorten
from .bands import (
    MOST_BYTES,
    NPY,
    Bands,
    Picture,
    has_bands,
    is_rgb,
    of_values,
    read_npy,
    read_tags,
    read_tiff,
    with_bands,
)
from .colours import BACKGROUND, Array, to_bytes, unit_scale
from .layout import check_bmp, check_jpeg, check_png, gif_size, webp_size
from .limits import MAX_BYTES, MAX_PIXELS, check_size, formats, guarded

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Pillow's readers are called directly: Image.open would warn about large files on its own terms and call an ordinary
# phone photograph "MPO", and its only switches are global.
_READERS: tuple[tuple[bytes, Callable[[io.BytesIO], Image]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    *((prefix, TiffImagePlugin.TiffImageFile) for prefix in _TIFF),
)

_ORIENTATION, _TILE_WIDTH, _TILE_LENGTH = 0x0112, 0x0142, 0x0143
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

# What may be white, by Pillow mode; the first value that no pixel exceeds is taken, else the picture's own range.
_WHITES = {"I;16": (65535,), "I": (255, 65535), "F": (1, 255, 65535)}


def decode(source: bytes | str | Path, name: str = "") -> Picture:
    """An upright, loaded picture of mode RGB, or L when the file is grey, from bytes or a path.

    Bands where a file has others than these: .npy unless of uint8 and one or three bands; TIFF of two or more than
    four, or of several of 16 bits or floats.

    Transparency is shown on BACKGROUND, of an animation the first frame. 16-bit grey is divided by 65535; 32-bit and
    float grey by the first of 1 (float only), 255 and 65535 that holds all its values, else stretched from its minimum
    to its maximum. `.info` holds `notes` (what was changed, in words), `format` and the EXIF `orientation` (1 to 8).
    Raises BadFile naming the file: over 20 MB (256 MB of bands), 25 million pixels or 20:1, of no format in FORMATS, or
    damaged.
    """
    label = shorten(name or str(source)) if name or not isinstance(source, bytes) else "The picture"
    data = source if isinstance(source, bytes) else _read(Path(source), label)
    if not data:
        raise BadFile(f"{label} is empty; {_one_of_formats()} was expected.")
    if data.startswith(NPY):
        _check_bytes(data, MOST_BYTES, label)
        return _of_file(read_npy(data, label), label)
    if data.startswith(_TIFF) and (found := _banded(data, label)):
        return found
    _check_bytes(data, MAX_BYTES, label)
    reader = next((reader for prefix, reader in _READERS if data.startswith(prefix)), None)
    if reader is None:
        raise BadFile(f"{label} is not a picture that can be read; {_one_of_formats()} was expected.")
    with guarded(label):
        # These two readers reserve memory for the whole canvas as soon as they are made.
        several = False
        if reader is WebPImagePlugin.WebPImageFile:
            check_size(webp_size(data), label)
        elif reader is PngImagePlugin.PngImageFile:
            check_png(data)
        elif reader is JpegImagePlugin.JpegImageFile:
            check_jpeg(data)
        elif reader is BmpImagePlugin.BmpImageFile:
            check_bmp(data)
        elif reader is GifImagePlugin.GifImageFile:
            size, several = gif_size(data)
            check_size(size, label)
        with reader(io.BytesIO(data)) as image:
            # A GIF's own is_animated would seek, the others know it from the header.
            several = several or (image.format != "GIF" and getattr(image, "is_animated", False))
            upright = _upright(image, label, several)
    return upright


def as_image(source: Picture | Array | bytes | str | Path) -> Picture:
    """Any picture as `decode` returns it: a PIL image, an array, bytes or a path.

    An array (H, W, bands) of uint16, of two or more than four bands, or of four that are no colours, is Bands; for
    others see from_array. Raises BadFile or BadValue. The given image is left as it is.
    """
    if isinstance(source, Bands):
        return source
    if isinstance(source, Image):
        if source.mode in ("RGB", "L") and "notes" in source.info:
            return source
        return _from_pillow(source)
    if isinstance(source, np.ndarray):
        return _of_array(source)
    if isinstance(source, bytes | str | Path):
        return decode(source)
    raise BadValue(f"A picture cannot be a {type(source).__name__}; give a PIL image, a numpy array, bytes or a path.")


def unturned(box: tuple[int, int, int, int], size: tuple[int, int], orientation: int) -> tuple[int, int, int, int]:
    """A box (y0, x0, y1, x1) of an upright picture of size (width, height) in the pixels its file holds.

    `orientation` is the EXIF value, 1 to 8, as `decode` leaves it in `.info`.
    """
    (y0, x0, y1, x1), (width, height) = box, size
    if orientation in (2, 3, 6, 7):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 7, 8):
        y0, y1 = height - y1, height - y0
    return (x0, y0, x1, y1) if orientation >= 5 else (y0, x0, y1, x1)


def from_array(array: ArrayLike) -> Image:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or float within 0..1, as `decode` returns pictures.

    Raises BadValue naming the shape, dtype or range, and BadFile when it is too large or too narrow to be opened.
    """
    pixels = np.asarray(array)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))) or not pixels.size:
        raise BadValue(
            f"A picture cannot have the shape {pixels.shape}; valid: (H, W), (H, W, 1), (H, W, 3), (H, W, 4)."
        )
    if pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):  # also when NaN
            raise BadValue(f"A float picture must lie within 0 to 1 without NaN, this one spans {low:g} to {high:g}.")
        pixels = to_bytes(pixels)
    if pixels.dtype != np.uint8:
        raise BadValue(f"A picture cannot be of dtype {pixels.dtype}; valid: uint8, or float within 0 to 1.")
    return _from_pillow(fromarray(np.ascontiguousarray(pixels)))


def _from_pillow(image: Image) -> Image:
    with guarded("The picture"):
        return _upright(image, "The picture", several=False)


def _of_array(array: Array) -> Picture:
    label = "The array"
    bands = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or (bands in (1, 3) and array.dtype != np.uint16):
        return from_array(array)
    own = of_values(np.array(array).reshape(*array.shape[:2], bands), label)
    if bands == 4 and (own.values.dtype == np.uint8 or (array.dtype.kind == "f" and _within_one(own.values))):
        return with_bands(from_array(array), own)  # RGB with transparency, or four bands: that is the network's choice
    return own


def _within_one(values: Array) -> bool:
    return bool(values.min() >= 0 and values.max() <= 1)


def _of_file(values: Array, label: str) -> Picture:
    """What a .npy file holds."""
    if values.dtype == np.uint8 and values.shape[2] in (1, 3):
        picture = from_array(values)
        picture.info["format"] = "NPY"
        return picture
    return of_values(values, label, "NPY")


def _banded(data: bytes, label: str) -> Picture | None:
    """The picture of a TIFF with bands; None for any other, which Pillow opens. One whose first three bands are RGB is
    these as far as Pillow can show them, with its bands behind."""
    tags = read_tags(data)
    if not has_bands(tags):
        return None
    visible: Image | None = None
    if is_rgb(tags) and len(data) <= MAX_BYTES:
        with suppress(Exception), TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as image:
            visible = _upright(image, label, image.is_animated)
    said = tags.get(_ORIENTATION, (1,))[0]
    orientation = said if said in _TURNS else 1
    try:
        values, more = read_tiff(data, label)
    except BadFile as error:
        if visible is None:
            raise
        visible.info["notes"] += (f"seen in 8 bits, as its bands cannot be read: {error}",)
        return visible
    notes = ("turned upright as its EXIF says",) * (orientation != 1) + ("first page of several",) * more
    bands = of_values(_turned(values, orientation), label, "TIFF", orientation, notes)
    return bands if visible is None else with_bands(visible, bands)


def _turned(values: Array, orientation: int) -> Array:
    """As `_TURNS` does it to a picture."""
    if orientation in (3, 4, 6, 7):
        values = values[::-1]
    if orientation in (2, 3, 7, 8):
        values = values[:, ::-1]
    return values.transpose(1, 0, 2) if orientation >= 5 else values


def _check_bytes(data: bytes, most: int, label: str) -> None:
    if len(data) > most:
        raise BadFile(f"{label} has more than {most >> 20} MB, the most that can be opened.")


def _read(path: Path, label: str) -> bytes:
    try:
        if not path.is_file():
            raise BadFile(f"{label} is not a file; {_one_of_formats()} was expected.")
        with path.open("rb") as file:
            head = file.read(len(NPY))
            return head + file.read((MOST_BYTES if head.startswith((NPY, *_TIFF)) else MAX_BYTES) + 1)
    except (OSError, ValueError) as error:
        raise BadFile(f"{label} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _upright(image: Image, label: str, several: bool) -> Image:
    check_size(image.size, label)
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})  # a TIFF's tile may be larger than its picture
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_PIXELS:
        raise BadFile(f"{label} has tiles of more than {MAX_PIXELS // 10**6} million pixels; save it without tiles.")
    orientation = _orientation(image)
    image.load()
    left_to_turn = _orientation(image)  # Pillow has already turned a TIFF, and forgotten that it was ever lying
    upright, notes, behind = _flatten(image, label)
    if left_to_turn in _TURNS:
        upright = upright.transpose(_TURNS[left_to_turn])
        behind = behind and behind.transpose(_TURNS[left_to_turn])
    if orientation in _TURNS:
        notes += ("turned upright as its EXIF says",)
    if several:
        notes += ("first page of several" if image.format == "TIFF" else "first frame of an animation",)
    upright.info = {"notes": notes, "format": image.format, "orientation": orientation}
    own = None if behind is None else of_values(np.asarray(behind), label, image.format, orientation)
    return with_bands(upright, own)


def _flatten(image: Image, label: str) -> tuple[Image, tuple[str, ...], Image | None]:
    """A new image of mode L or RGB without transparency, what had to be done to it, and itself with it."""
    notes: tuple[str, ...] = ()
    behind = None
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    if mode in _WHITES:
        return *_flatten_deep(image, mode, label), None
    grey = mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("LA") if mode == "La" else image
        image = behind = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            image = alpha_composite(new("RGBA", image.size, (*BACKGROUND, 255)), image)
            notes = ("transparent pixels shown on white",)
    elif mode == "CMYK":
        notes = ("CMYK shown as RGB",)
    return image.convert("L" if grey else "RGB"), notes, behind


def _flatten_deep(image: Image, mode: str, label: str) -> tuple[Image, tuple[str, ...]]:
    """Grey of more than 8 bits; Pillow's own conversion would clip 30000 to 255."""
    values = np.asarray(image)
    low, high = values.min().item(), values.max().item()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BadFile(f"{label} holds NaN or infinite values; save it with finite ones.")
    white = next((white for white in _WHITES[mode] if low >= 0 and high <= white), None)
    black, white = (low, high) if white is None else (0, white)
    grey = to_bytes(unit_scale(values, black, white))
    kind = {"I;16": "16-bit", "I": "32-bit", "F": "float"}[mode]
    notes: tuple[str, ...] = (f"{kind} grey scaled to 8 bits ({black:g} is black, {white:g} is white)",)
    hidden = values == image.info["transparency"] if "transparency" in image.info else None
    if hidden is not None and hidden.any():
        grey[hidden] = BACKGROUND[0]
        notes += ("transparent pixels shown on white",)
    return fromarray(grey), notes


def _orientation(image: Image) -> int:
    value = image.getexif().get(_ORIENTATION)
    return value if isinstance(value, int) and value in _TURNS else 1


def _one_of_formats() -> str:
    return f"a {formats()} picture"
