"""The one door by which a picture enters: bytes, files, arrays and PIL images to upright RGB, grey, or bands."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping, Sequence
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
from .colours import BACKGROUND, Array, to_bytes
from .depth import DEEP, colours_in_8_bits, grey_in_8_bits, in_8_bits, stored_as
from .formats import HEAD, kind_of, unread
from .layout import check_bmp, check_jpeg, check_png, gif_size, webp_size
from .limits import MAX_BYTES, MAX_PIXELS, check_size, formats, guarded
from .profiles import to_srgb

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

_COLOURS = 4  # channels that a picture of colours has at most; no picture has so few rows
_PICTURES = 0xB001  # of the index in a JPEG that holds several (CIPA DC-007), as phones write them


def decode(source: bytes | str | Path, name: str = "") -> Picture:
    """An upright, loaded picture of mode RGB, or L when the file is grey, from bytes or a path.

    Bands where a file has others than these: .npy unless of uint8 and one or three bands; TIFF of two or more than
    four, or of several of 16 bits or floats.

    Transparency is shown on BACKGROUND, of an animation the first frame; colours with a profile are converted to sRGB.
    Values of 16 bits are divided by the first of 255, 4095 and 65535 that holds all of them, 32-bit grey too, float
    grey by 1, 255 or 65535, else they are stretched from minimum to maximum. `.info` holds `notes` (what was changed,
    in words), `format` and the EXIF `orientation` (1 to 8).
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
    reader = _reader_of(data, label)
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
            upright = _upright(image, label, several, data)
    return upright


def _reader_of(data: bytes, label: str) -> Callable[[io.BytesIO], Image]:
    """Raises BadFile for what is not read, saying which kind of picture it is."""
    if reader := next((reader for prefix, reader in _READERS if data.startswith(prefix)), None):
        return reader
    kind = kind_of(data[:HEAD])
    if not kind:
        raise BadFile(f"{label} is not a picture that can be read; {_one_of_formats()} was expected.")
    if why := unread(kind):
        raise BadFile(f"{label} cannot be read: {why}.")
    found: Callable[[io.BytesIO], Image] = importlib.import_module("pillow_heif").HeifImageFile
    return found


def as_image(source: Any) -> Picture:
    """Any picture as `decode` returns it: a PIL image, an array, a tensor, bytes or a path.

    An array (H, W, bands) of uint16, of two or more than four bands, or of four that are no colours, is Bands; for
    others see from_array. A tensor is (C, H, W), (1, C, H, W) or (H, W), with values as arrays have them, which are not
    normalised. Raises BadFile or BadValue. The given image is left as it is.
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
    if type(source).__module__.partition(".")[0] == "torch" and hasattr(source, "permute"):
        return _of_tensor(source)
    if isinstance(source, Sequence):
        raise BadValue(
            f"One picture is asked for here, not a {type(source).__name__} of {len(source)}; see explain.batch."
        )
    raise BadValue(
        f"A picture cannot be a {type(source).__name__}; give a PIL image, an array (H, W, C), a tensor (C, H, W), "
        "bytes or a path."
    )


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
            f"{_hint(pixels)}"
        )
    if pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):  # also when NaN
            raise BadValue(
                f"A float picture must lie within 0 to 1 without NaN, this one spans {low:g} to {high:g}; one that was "
                "normalised for a network is given as it was before, as the model normalises it."
            )
        pixels = to_bytes(pixels)
    if pixels.dtype != np.uint8:
        raise BadValue(f"A picture cannot be of dtype {pixels.dtype}; valid: uint8, or float within 0 to 1.")
    return _from_pillow(fromarray(np.ascontiguousarray(pixels)))


def _from_pillow(image: Image) -> Image:
    with guarded("The picture"):
        return _upright(image, "The picture", several=False)


def _of_tensor(tensor: Any) -> Picture:
    """One with its channels first, as torch has them."""
    array = np.asarray(tensor.detach().cpu().numpy())
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 4:
        raise BadValue(f"A batch of {len(array)} pictures was given where one is asked for; see explain.batch.")
    if array.ndim == 3 and array.shape[2] <= _COLOURS < array.shape[0]:
        raise BadValue(f"A tensor of a picture is (C, H, W); {array.shape} seems to be (H, W, C): permute(2, 0, 1).")
    return _of_array(np.moveaxis(array, 0, -1) if array.ndim == 3 else array)


def _hint(array: Array) -> str:
    if array.ndim == 3 and array.shape[0] <= _COLOURS < array.shape[2]:
        return " This seems to be (C, H, W): transpose(1, 2, 0), or give a tensor."
    return " Several pictures go in one by one; see explain.batch." if array.ndim == 4 else ""


def _of_array(array: Array) -> Picture:
    label = "The array"
    bands = array.shape[2] if array.ndim == 3 else 1
    if _hint(array):
        return from_array(array)  # which says what is wrong
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
    if visible is None:
        return bands
    if bands.values.dtype == np.uint16:
        colours, white, depth = in_8_bits(bands.values[..., :3], "I;16", "16-bit colours")
        if white < DEEP["I;16"][-1]:  # of which Pillow has seen the upper 8 bits
            seen = fromarray(colours)
            seen.info, visible = visible.info, seen
        visible.info["notes"] += (depth,)
    return with_bands(visible, bands)


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


def _upright(image: Image, label: str, several: bool, data: bytes = b"") -> Image:
    """data: the file's content, where there is one."""
    check_size(image.size, label)
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})  # a TIFF's tile may be larger than its picture
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0) > MAX_PIXELS:
        raise BadFile(f"{label} has tiles of more than {MAX_PIXELS // 10**6} million pixels; save it without tiles.")
    stored, pictures, kind = stored_as(image), _pictures_in(image), image.format  # before anything loads it
    orientation = _orientation(image)
    image.load()
    left_to_turn = _orientation(image)  # Pillow has already turned a TIFF, and forgotten that it was ever lying
    image, deep = colours_in_8_bits(image, stored, data)
    upright, notes, behind = _flatten(image, label)
    notes = deep + notes
    if left_to_turn in _TURNS:
        upright = upright.transpose(_TURNS[left_to_turn])
        behind = behind and behind.transpose(_TURNS[left_to_turn])
    if orientation in _TURNS:
        notes += ("turned upright as its EXIF says",)
    if several:
        notes += ("first page of several" if kind == "TIFF" else "first frame of an animation",)
    if pictures > 1:
        notes += (f"first of {pictures} pictures in its file",)
    upright.info = {"notes": notes, "format": kind, "orientation": orientation}
    own = None if behind is None else of_values(np.asarray(behind), label, kind, orientation)
    return with_bands(upright, own)


def _flatten(image: Image, label: str) -> tuple[Image, tuple[str, ...], Image | None]:
    """A new image of mode L or RGB in sRGB without transparency, what had to be done to it, and itself with it."""
    notes: tuple[str, ...] = ()
    behind = None
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    if mode in DEEP:
        return *grey_in_8_bits(image, mode, label), None
    grey, profile = mode in ("1", "L", "LA", "La"), image.info.get("icc_profile")
    transparent = image.has_transparency_data
    if mode == "CMYK":
        notes = ("CMYK shown as RGB",)
    elif transparent:
        image = image.convert("LA") if mode == "La" else image
        image = image.convert("RGBA")
    else:
        image = image.convert("L" if grey else "RGB")
    if profile and mode != "1":
        image, converted = _coloured(image, profile, grey)
        notes += converted
    if transparent:
        behind = image
        if image.getchannel("A").getextrema() != (255, 255):
            image = alpha_composite(new("RGBA", image.size, (*BACKGROUND, 255)), image)
            notes += ("transparent pixels shown on white",)
    return image.convert("L" if grey else "RGB"), notes, behind


def _coloured(image: Image, profile: bytes, grey: bool) -> tuple[Image, tuple[str, ...]]:
    """The picture, maybe with transparency, in sRGB; grey has a profile of grey also where it lies in RGBA."""
    if image.mode != "RGBA":
        return to_srgb(image, profile)
    seen, notes = to_srgb(image.convert("RGB").convert("L") if grey else image.convert("RGB"), profile)
    seen = seen.convert("RGB")
    seen.putalpha(image.getchannel("A"))
    return seen, notes


def _pictures_in(image: Image) -> int:
    """How many pictures a JPEG's index says are in its file."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return 1
    with suppress(Exception):  # of a damaged index: the picture itself may be sound
        return int((image._getmp() or {}).get(_PICTURES, 1))
    return 1


def _orientation(image: Image) -> int:
    value = image.getexif().get(_ORIENTATION)
    return value if isinstance(value, int) and value in _TURNS else 1


def _one_of_formats() -> str:
    return f"a {formats()} picture"
