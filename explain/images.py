"""Bytes to upright pictures, and pictures to pixels: colour maps, overlays, contact sheets. numpy and Pillow only.

`decode` is the one door by which a picture enters; whatever is wrong with it becomes one BadFile.
Arrays are (H, W) or (H, W, 3); heat and other maps are floats, "unit" means within 0..1.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.Image import Image, Transpose, alpha_composite, fromarray, new

from .errors import BadFile, BadValue, ExplainError, Unknown, shorten

__all__ = [
    "BACKGROUND",
    "COLORMAPS",
    "FORMATS",
    "as_image",
    "colour",
    "contact_sheet",
    "decode",
    "draw_box",
    "enlarge",
    "from_array",
    "overlay",
    "png",
    "resize",
    "sheet_size",
    "to_bytes",
    "unit_scale",
]

Array = NDArray[Any]
Bytes = NDArray[np.uint8]
Colour = Sequence[int]

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 25_000_000
MAX_ASPECT = 20
BACKGROUND = (255, 255, 255)  # what transparent pixels are shown on
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# Pillow's readers are called directly: Image.open would warn about large files on its own terms and call an ordinary
# phone photograph "MPO", and its only switches are global.
_READERS: tuple[tuple[bytes, Callable[[io.BytesIO], Image]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    *((prefix, TiffImagePlugin.TiffImageFile) for prefix in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
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


# ------------------------------------------------------------ reading


def decode(source: bytes | str | Path, name: str = "") -> Image:
    """An upright, loaded picture of mode RGB, or L when the file is grey, from bytes or a path.

    Transparency is shown on BACKGROUND, of an animation the first frame. 16-bit grey is divided by 65535; 32-bit and
    float grey by the first of 1 (float only), 255 and 65535 that holds all its values, else stretched from its minimum
    to its maximum. `.info` holds `notes` (what was changed, in words), `format` and the EXIF `orientation` (1 to 8).
    Raises BadFile naming the file: over 20 MB, 25 million pixels or 20:1, of no format in FORMATS, or damaged.
    """
    label = shorten(name or str(source)) if name or not isinstance(source, bytes) else "The picture"
    data = source if isinstance(source, bytes) else _read(Path(source), label)
    if not data:
        raise BadFile(f"{label} is empty; {_one_of_formats()} was expected.")
    if len(data) > MAX_BYTES:
        raise BadFile(f"{label} has more than {MAX_BYTES >> 20} MB, the most that can be opened.")
    reader = next((reader for prefix, reader in _READERS if data.startswith(prefix)), None)
    if reader is None:
        raise BadFile(f"{label} is not a picture that can be read; {_one_of_formats()} was expected.")
    with _guarded(label):
        # These two readers reserve memory for the whole canvas as soon as they are made.
        several = False
        if reader is WebPImagePlugin.WebPImageFile:
            _check_size(_webp_size(data), label)
        elif reader is GifImagePlugin.GifImageFile:
            size, several = _gif_size(data)
            _check_size(size, label)
        with reader(io.BytesIO(data)) as image:
            # A GIF's own is_animated would seek, the others know it from the header.
            several = several or (image.format != "GIF" and getattr(image, "is_animated", False))
            upright = _upright(image, label, several)
    return upright


def as_image(source: Image | Array | bytes | str | Path) -> Image:
    """Any picture as `decode` returns it: a PIL image, an array (see from_array), bytes or a path.

    Raises BadFile or BadValue. The given image is left as it is.
    """
    if isinstance(source, Image):
        if source.mode in ("RGB", "L") and "notes" in source.info:
            return source
        with _guarded("The picture"):
            return _upright(source, "The picture", several=False)
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, bytes | str | Path):
        return decode(source)
    raise BadValue(f"A picture cannot be a {type(source).__name__}; give a PIL image, a numpy array, bytes or a path.")


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
    return as_image(fromarray(np.ascontiguousarray(pixels)))


def _read(path: Path, label: str) -> bytes:
    try:
        if not path.is_file():
            raise BadFile(f"{label} is not a file; {_one_of_formats()} was expected.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadFile(f"{label} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


@contextmanager
def _guarded(label: str) -> Iterator[None]:
    """Whatever Pillow raises on a damaged file, which is nearly anything, as one BadFile."""
    try:
        yield
    except ExplainError:
        raise
    except (Exception, MemoryError) as error:
        reason = shorten(str(error)) if str(error) else type(error).__name__
        raise BadFile(f"{label} is damaged or of an unknown kind ({reason}); save it again as {_formats()}.") from error


def _upright(image: Image, label: str, several: bool) -> Image:
    _check_size(image.size, label)
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})  # a TIFF's tile may be larger than its picture
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_PIXELS:
        raise BadFile(f"{label} has tiles of more than {MAX_PIXELS // 10**6} million pixels; save it without tiles.")
    orientation = _orientation(image)
    image.load()
    left_to_turn = _orientation(image)  # Pillow has already turned a TIFF, and forgotten that it was ever lying
    upright, notes = _flatten(image, label)
    if left_to_turn in _TURNS:
        upright = upright.transpose(_TURNS[left_to_turn])
    if orientation in _TURNS:
        notes += ("turned upright as its EXIF says",)
    if several:
        notes += ("first page of several" if image.format == "TIFF" else "first frame of an animation",)
    upright.info = {"notes": notes, "format": image.format, "orientation": orientation}
    return upright


def _flatten(image: Image, label: str) -> tuple[Image, tuple[str, ...]]:
    """A new image of mode L or RGB without transparency, and what had to be done to it."""
    notes: tuple[str, ...] = ()
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    if mode in _WHITES:
        return _flatten_deep(image, mode, label)
    grey = mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("LA") if mode == "La" else image
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            image = alpha_composite(new("RGBA", image.size, (*BACKGROUND, 255)), image)
            notes = ("transparent pixels shown on white",)
    elif mode == "CMYK":
        notes = ("CMYK shown as RGB",)
    return image.convert("L" if grey else "RGB"), notes


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


def _check_size(size: tuple[int, int], label: str) -> None:
    width, height = size
    if not (width > 0 and height > 0):
        raise BadFile(f"{label} has no pixels ({width} x {height}); a picture has at least one.")
    if width * height > MAX_PIXELS:
        raise BadFile(
            f"{label} has {width} x {height} pixels; {MAX_PIXELS // 10**6} million pixels are the most allowed."
        )
    if max(size) > MAX_ASPECT * min(size):
        raise BadFile(
            f"{label} has {width} x {height} pixels; its long side may be at most {MAX_ASPECT} times the short one."
        )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height a WebP declares in its first chunk."""
    kind = data[8:16]
    if kind == b"WEBPVP8X":
        width, height = data[24:27], data[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"WEBPVP8 ":
        width_height: tuple[int, int] = struct.unpack_from("<HH", data, 26)
        return width_height[0] & 0x3FFF, width_height[1] & 0x3FFF
    raise ValueError("not a WebP file")


def _gif_size(data: bytes) -> tuple[tuple[int, int], bool]:
    """Width and height of a GIF, grown by a first frame that reaches beyond them, and whether a second one follows."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _palette_bytes(flags), 0
    try:
        while data[at] != 0x3B:  # the trailer; a truncated file ends by IndexError
            if data[at] == 0x2C:
                x, y, w, h, flags = struct.unpack_from("<HHHHB", data, at + 1)
                if frames:
                    return (width, height), True
                width, height, frames = max(width, x + w), max(height, y + h), 1
                at += 11 + _palette_bytes(flags)
            elif data[at] == 0x21:
                at += 2
            else:  # stray bytes between blocks, which Pillow skips too
                at += 1
                continue
            while data[at]:
                at += data[at] + 1
            at += 1
    except (IndexError, struct.error):
        pass
    return (width, height), False


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _formats() -> str:
    return f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"


def _one_of_formats() -> str:
    return f"a {_formats()} picture"


# ------------------------------------------------------------ values and colours


def unit_scale(array: ArrayLike, low: float | None = None, high: float | None = None) -> NDArray[np.float32]:
    """Floats from low..high (by default the finite minimum and maximum) to 0..1, clipped; NaN becomes 0.

    Where low equals high every value becomes 0.5, so that a constant map is plain grey and nothing divides by zero.
    Raises BadValue when low is above high or either is NaN.
    """
    unit = np.array(array, np.float64)
    finite = unit[np.isfinite(unit)] if low is None or high is None else unit
    if low is None:
        low = float(finite.min(initial=np.inf if high is None else high))
    if high is None:
        high = float(finite.max(initial=low))
    if not low <= high:
        raise BadValue(f"The range {low:g} to {high:g} is not one; the first value must not be above the second.")
    if low == high:
        unit[~np.isnan(unit)] = 0.5
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            unit -= low
            unit /= high - low
        np.clip(unit, 0, 1, out=unit)
    np.nan_to_num(unit, copy=False, nan=0.0)
    return unit.astype(np.float32)


def to_bytes(array: ArrayLike) -> Bytes:
    """Unit floats to 0..255, rounded half up; clipped, NaN becomes 0."""
    levels: Bytes = np.floor(_clipped(array) * 255 + 0.5).astype(np.uint8)
    return levels


def _clipped(array: ArrayLike) -> Array:
    unit: Array = np.clip(np.nan_to_num(np.asarray(array), nan=0.0), 0, 1)
    return unit


def _ramp(*anchors: tuple[int, int, int], entries: int = 256) -> Bytes:
    """Evenly spaced anchor colours joined by straight lines."""
    at, stops = np.linspace(0, 1, entries), np.linspace(0, 1, len(anchors))
    channels = [np.interp(at, stops, channel) for channel in zip(*anchors, strict=True)]
    table: Bytes = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return table


_NEUTRAL = (247, 247, 247)

# Each (256, 3). The sequential ones grow ever lighter; "red-blue" has its neutral colour on both entries beside 0.5.
COLORMAPS: dict[str, Bytes] = {
    "grey": _ramp((0, 0, 0), (255, 255, 255)),
    "inferno": _ramp((0, 0, 6), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164)),
    "viridis": _ramp((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37)),
    "red-blue": np.concatenate(
        [
            _ramp((5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), _NEUTRAL, entries=128),
            _ramp(_NEUTRAL, (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31), entries=128),
        ]
    ),
}


def colour(array: ArrayLike, cmap: str = "grey") -> Bytes:
    """Unit floats (...) to colours (..., 3): 256 bins of equal width, so that 0.5 - d mirrors 0.5 + d. NaN counts as 0.

    Raises Unknown when the colour map is not in COLORMAPS.
    """
    if cmap not in COLORMAPS:
        raise Unknown("colour map", cmap, COLORMAPS)
    colours: Bytes = COLORMAPS[cmap][np.minimum(_clipped(array) * 256, 255).astype(np.uint8)]
    return colours


def overlay(image: Array, colours: Array, alpha: float | Array) -> Bytes:
    """The plain mix (1 - alpha) * image + alpha * colours, both (H, W, 3) uint8; alpha a number or (H, W), within 0..1.

    Raises BadValue for other shapes, dtypes or values of alpha.
    """
    weight = np.asarray(alpha, np.float32)
    if not image.dtype == colours.dtype == np.uint8 or image.shape != colours.shape or image.shape[2:] != (3,):
        raise BadValue(
            f"Overlays need two uint8 arrays of one shape (H, W, 3), not {image.dtype} {image.shape}"
            f" and {colours.dtype} {colours.shape}."
        )
    if weight.shape not in ((), image.shape[:2]) or not np.all((weight >= 0) & (weight <= 1)):
        raise BadValue(f"The overlay's alpha {shorten(alpha)} must be within 0 to 1, one number or one a pixel.")
    weight = weight[..., None]
    mix: Bytes = np.floor(image * (1 - weight) + colours * weight + 0.5).astype(np.uint8)
    return mix


# ------------------------------------------------------------ size and layout


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


def png(picture: Image | Array, text: Mapping[str, str] | None = None) -> bytes:
    """A PNG without loss, of a PIL image or a uint8 array (H, W), (H, W, 3) or (H, W, 4), with optional text chunks.

    Raises BadValue for another shape or dtype.
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
    chunks = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, value)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def _whole(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise BadValue(f"The {name} {shorten(value)} must be a whole number from {least}.")
    return int(value)
