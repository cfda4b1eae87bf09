"""Pictures of any number of bands, of 8 or 16 bits or floats, as satellites and depth cameras make them."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image, fromarray

from ..errors import BadFile
from .colours import Array, to_bytes, unit_scale
from .limits import check_size, guarded

MOST_BANDS = 128
MOST_TAGS = 4096
MOST_BYTES = 256 * 2**20
NPY = b"\x93NUMPY"
SCALES = {"uint8": 255, "uint16": 65535, "float32": 1}
"""By what values are divided to lie within 0 to 1; floats are taken as they are."""
DIM = 4095
"""Values of 16 bits up to this are of 12 or fewer, and dark to a network that is not used to them."""
STRETCH = (2, 98)
"""The percentiles of a band that are shown black and white, where it is not of 8 bits."""

_SHORT, _BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA = 3, 258, 262, 277, 338
_BLACK_OR_WHITE_IS_ZERO, _RGB = (0, 1), 2
_UNCOMPRESSED, _DEFLATE = 1, (8, 32946)


@dataclass(frozen=True, eq=False)
class Bands:
    """A picture of values (H, W, bands), uint8, uint16 or float32, never changed; `info` as `decode` leaves it.

    Beyond that it has what is asked of a PIL picture here.
    """

    values: Array
    info: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def count(self) -> int:
        return int(self.values.shape[2])

    @property
    def mode(self) -> str:
        return f"{self.count} x {self.values.dtype}"

    def copy(self) -> Bands:
        return Bands(self.values, dict(self.info))

    def tobytes(self) -> bytes:
        return self.values.tobytes()

    def convert(self, mode: str, bands: Sequence[int] | None = None) -> Image:
        """A PIL picture of the bands that are shown."""
        return fromarray(shown(self.values, bands)).convert(mode)


Picture = Image | Bands
"""What `decode` gives."""


def shown(values: Array, bands: Sequence[int] | None = None) -> NDArray[np.uint8]:
    """Three bands of (H, W, bands) as red, green and blue (H, W, 3): those of these numbers, by default the first
    three, or the first as grey where there are fewer. Other than 8 bits, each from its 2nd to its 98th percentile."""
    chosen = bands or ((0, 1, 2) if values.shape[2] > 2 else (0, 0, 0))
    if values.dtype == np.uint8:
        return values[..., list(chosen)]
    seen = {}
    for band in set(chosen):
        low, high = np.percentile(values[..., band], STRETCH)
        # All but a few may be one value: then these few are what there is to see.
        seen[band] = to_bytes(unit_scale(values[..., band], *((low, high) if low < high else ())))
    return np.stack([seen[band] for band in chosen], -1)


def of_values(
    values: Array, label: str, form: str | None = None, orientation: int = 1, notes: tuple[str, ...] = ()
) -> Bands:
    """Upright values (H, W, bands) as a picture. Raises BadFile for another dtype, too many, or values not finite."""
    _check(values.shape, values.dtype, label)
    kind = np.dtype(np.float32) if values.dtype.kind == "f" else values.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, kind)
    said = f"{values.shape[2]} {'band' if values.shape[2] == 1 else 'bands'} of {kind}"
    if kind == np.float32:
        low, high = values.min(), values.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise BadFile(f"{label} holds NaN or infinite values; save it with finite ones.")
        said += f", from {low:g} to {high:g}, taken as they are"
    if kind == np.uint16 and values.max(initial=0) <= DIM:
        said += f", none above {DIM}: a network is given them divided by {SCALES['uint16']}"
    if kind != np.uint8:
        said += "; each is shown from its {}nd to its {}th percentile".format(*STRETCH)
    return Bands(values, {"notes": (said, *notes), "format": form, "orientation": orientation})


# ------------------------------------------------------------ pictures of Pillow's that have bands as well


def bands_of(picture: Picture) -> Bands | None:
    """The bands behind a picture: its own, or those that a file with transparency or 16 bits has beyond what is shown.

    What Pillow makes of a picture has none of these: they would not be its own.
    """
    return picture if isinstance(picture, Bands) else vars(picture).get("bands")


def with_bands(picture: Image, bands: Bands | None) -> Image:
    """The same picture, as what is shown of these bands."""
    if bands is not None:
        vars(picture)["bands"] = bands
    return picture


def copied(picture: Picture) -> Picture:
    return picture.copy() if isinstance(picture, Bands) else with_bands(picture.copy(), bands_of(picture))


def mirrored(picture: Picture) -> Picture:
    """Left for right."""
    bands = bands_of(picture)
    turned = None if bands is None else Bands(np.ascontiguousarray(bands.values[:, ::-1]), dict(bands.info))
    if isinstance(picture, Bands):
        return turned or picture
    return with_bands(ImageOps.mirror(picture), turned)


def content(picture: Picture) -> bytes:
    """All that tells a picture's pixels from another's."""
    bands = bands_of(picture)
    behind = b"" if bands is None or bands is picture else content(bands)
    return repr((picture.mode, picture.size)).encode() + picture.tobytes() + behind


# ------------------------------------------------------------ files


def read_npy(data: bytes, label: str) -> Array:
    """The values (H, W, bands) of a .npy file, whose bands may come first. Raises BadFile, before memory is taken."""
    with guarded(label, "an array (H, W, bands) by numpy.save"):
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = read(file)
        if len(shape) not in (2, 3):
            raise BadFile(f"{label} has the shape {shape}; a picture is (H, W), (H, W, bands) or (bands, H, W).")
        first = _bands_first(shape, label)
        _check((*shape[1:], shape[0]) if first else (*shape, 1)[:3], dtype, label)
        if len(data) - file.tell() < math.prod(shape) * dtype.itemsize:
            raise BadFile(f"{label} is damaged: it holds fewer values than those of its shape {shape}.")
        values: Array = np.load(io.BytesIO(data), allow_pickle=False)
    return values.transpose(1, 2, 0) if first else values.reshape(*values.shape[:2], -1)


def _bands_first(shape: tuple[int, ...], label: str) -> bool:
    """Bands are fewer than rows and columns. Raises BadFile where that does not tell."""
    if len(shape) == 2 or shape[2] < min(shape[:2]):
        return False
    if shape[0] < min(shape[1:]):
        return True
    raise BadFile(
        f"{label} has the shape {shape}, which may be (H, W, bands) or (bands, H, W); save more rows and "
        "columns than bands, or a TIFF."
    )


def read_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """What a TIFF says of its first page in short numbers, as what its values are; none of a damaged one. Pillow warns
    of what is wrong, and reads no more than six bands."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    first, count, entry, offset, room = (8, "Q", "HHQ", "Q", 8) if big else (4, "H", "HHI", "I", 4)
    found = {}
    try:
        (at,) = struct.unpack_from(order + offset, data, first)
        (entries,) = struct.unpack_from(order + count, data, at)
        at += struct.calcsize(order + count)
        for _ in range(min(entries, MOST_TAGS)):
            tag, kind, length = struct.unpack_from(order + entry, data, at)
            at += struct.calcsize(order + entry)
            if kind == _SHORT:
                (place,) = struct.unpack_from(order + offset, data, at) if 2 * length > room else (at,)
                found[tag] = struct.unpack_from(f"{order}{min(length, MOST_BANDS + 1)}H", data, place)
            at += room
    except (struct.error, OverflowError):  # a place beyond the file, or beyond all files
        return {}
    return {tag: values for tag, values in found.items() if values}


def has_bands(tags: Mapping[int, tuple[int, ...]]) -> bool:
    """Whether a TIFF of these tags holds more than Pillow gives: grey or colours of 8 bits, maybe transparent."""
    (samples, *_), bits, (meaning, *_) = (tags.get(tag, (1,)) for tag in (_SAMPLES, _BITS, _PHOTOMETRIC))
    if samples == 1 or meaning not in (*_BLACK_OR_WHITE_IS_ZERO, _RGB):
        return False
    if max(bits) > 8:
        return True
    transparent = samples == 2 and tags.get(_EXTRA, (0,))[0] in (1, 2)
    return not (samples in (3, 4) if meaning == _RGB else transparent)


def is_rgb(tags: Mapping[int, tuple[int, ...]]) -> bool:
    """Whether the first three bands of a TIFF are colours, which Pillow may know how to show."""
    return tags.get(_PHOTOMETRIC) == (_RGB,) and tags.get(_SAMPLES, (1,))[0] <= 6


def read_tiff(data: bytes, label: str) -> tuple[Array, bool]:
    """The values (H, W, bands) of a TIFF's first page, lying as they are stored, and whether another page follows."""
    import logging

    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong is raised, and said once
    with guarded(label, "an uncompressed TIFF"), tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        first = page.axes == "SYX"
        if page.axes not in ("YXS", "SYX") or page.dtype is None:
            raise BadFile(
                f"{label} is a TIFF of axes {page.axes} {page.shape}; its first page has to hold rows, columns, bands."
            )
        _check((*page.shape[1:], page.shape[0]) if first else page.shape, page.dtype, label)
        if page.compression not in (_UNCOMPRESSED, *_DEFLATE):
            way = getattr(page.compression, "name", page.compression)
            raise BadFile(f"{label} has bands that are compressed by {way}; save it uncompressed, or with deflate.")
        _check_segments(page, data, label)
        values = page.asarray(maxworkers=1)
        return values.transpose(1, 2, 0) if first else values, len(file.pages) > 1


def _check_segments(page: Any, data: bytes, label: str) -> None:
    """Raises BadFile where strips or tiles hold more than the picture: deflate grows a thousandfold."""
    height, width = page.chunks[:2]
    if height * width * page.samplesperpixel * page.dtype.itemsize > MOST_BYTES:
        raise BadFile(f"{label} has tiles of {width} x {height} pixels; save it without tiles.")
    most = math.prod(page.chunks) * page.dtype.itemsize
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if page.compression in _DEFLATE:
            grown = zlib.decompressobj().decompress(data[start : start + count], most + 1)
            if len(grown) > most:
                raise BadFile(f"{label} is damaged: a strip of it unpacks to more than its pixels.")


def _check(shape: Sequence[int], dtype: np.dtype[Any], label: str) -> None:
    """Raises BadFile for values that are no picture's."""
    if dtype.kind != "f" and dtype.newbyteorder("=").name not in SCALES:
        raise BadFile(f"{label} is of dtype {dtype}; valid: uint8, uint16, float16, float32 and float64.")
    check_size((shape[1], shape[0]), label)
    if not 1 <= shape[2] <= MOST_BANDS:
        raise BadFile(f"{label} has {shape[2]} bands; at most {MOST_BANDS} are read.")
    if math.prod(shape) * dtype.itemsize > MOST_BYTES:
        raise BadFile(f"{label} unpacks to more than {MOST_BYTES >> 20} MB, the most that can be opened.")
