"""Cloud: pictures as points of one map or of two, with what is known of each; and the bytes that travel.

`pack` lays the numbers out column by column, all little-endian:

    4 bytes   b"XPLR"
    uint32    N, the number of points
    uint16    M, the number of maps
    uint16    what is known: 1 trust, 2 kept, 4 for each column of groups, 256 for each of numbers, added up
    M times   uint32 axes of the map (2 or 3), float32 lowest x, y and z, float32 step
    M times   a uint16 column of N for each axis: place = lowest + step * number, one step for all axes of a map
    uint16    column of N: number of the label, 65535 where unknown
    uint16    column of N: number of the prediction, 65535 where unknown
    uint16    column of N for each of `columns` that has groups: number of the group, in the same way
    uint8     column of N: confidence in 254ths, 255 where unknown
    M times   uint8 column of N: trust, in the same way; if known
    M times   uint8 column of N: kept, in the same way; if known
    uint8     column of N for each of `columns` that has none: between its lowest and highest number, in the same way
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Column
from ..errors import BadValue, shorten
from ..figure.palette import PALETTES, class_colours
from ..figure.text import clean

__all__ = ["Cloud", "Mark", "Thumbs", "bytes_per_point", "media_type", "pack", "words"]

Array = NDArray[Any]
UNKNOWN = 65535
LONGEST = 4096  # characters of a name
_MEDIA = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


@dataclass(frozen=True, eq=False)
class Thumbs:
    """Contact sheets: picture k stands in sheet k // each, at place k % each, row by row, without gaps."""

    sheets: tuple[bytes, ...]  # PNG, JPEG or WebP
    tile: int  # pixels a side
    columns: int  # tiles in a row
    each: int  # tiles in a sheet

    def __post_init__(self) -> None:
        for name in ("tile", "columns", "each"):
            if getattr(self, name) < 1:
                raise BadValue(f"{name}={getattr(self, name)} of the contact sheets must be at least 1.")
        for sheet in self.sheets:
            media_type(sheet)


@dataclass(frozen=True, eq=False)
class Mark:
    """A picture placed among the others: its name, and where it stands in each map."""

    name: str
    places: tuple[Array, ...]
    thumb: bytes | None = None


@dataclass(frozen=True, eq=False)
class Cloud:
    """N pictures in one map or in two; numbers into `classes` are -1 where unknown, confidence is NaN there.

    Raises BadValue where the parts do not fit together.
    """

    titles: tuple[str, ...]  # of the maps
    maps: tuple[Array, ...]  # each (N, 2) or (N, 3)
    files: tuple[str, ...]
    classes: tuple[str, ...]
    labels: Array
    predictions: Array
    confidence: Array
    trust: tuple[Array, ...]  # (N,) from 0 to 1 for each map, or ()
    kept: tuple[Array, ...]  # likewise
    colours: Array  # (C, 3) uint8, of the classes
    thumbs: Thumbs | None = None
    marks: tuple[Mark, ...] = ()
    judged: Array | None = None  # (C,) bool, classes that the network knows, where a label is right or wrong: or all
    columns: tuple[Column, ...] = ()  # what a table says besides; at most 63 of groups and 255 of numbers are shown
    palette: str = PALETTES[0]  # of the groups of columns

    def __post_init__(self) -> None:
        n, c = len(self.files), len(self.classes)
        if len(self.maps) not in (1, 2) or len(self.titles) != len(self.maps):
            raise BadValue(f"{len(self.maps)} maps with {len(self.titles)} titles; valid: one or two, a title each.")
        if n < 1 or c >= UNKNOWN:
            raise BadValue(f"{n} pictures of {c} classes; valid: at least one picture, fewer than {UNKNOWN} classes.")
        for points in self.maps:
            if points.ndim != 2 or points.shape[0] != n or points.shape[1] not in (2, 3):
                raise BadValue(f"A map of shape {points.shape} for {n} pictures; valid: ({n}, 2) or ({n}, 3).")
            if not np.isfinite(points).all():
                raise BadValue(f"{int((~np.isfinite(points).all(1)).sum())} points of a map are not finite.")
        for name in ("trust", "kept"):
            given = len(getattr(self, name))
            if given not in (0, len(self.maps)):
                raise BadValue(f"{given} times {name} for {len(self.maps)} maps; valid: none or all.")
        columns = {"labels": self.labels, "predictions": self.predictions, "confidence": self.confidence}
        columns |= {f"trust {k}": column for k, column in enumerate(self.trust)}
        columns |= {f"kept {k}": column for k, column in enumerate(self.kept)}
        for name, column in columns.items():
            if column.shape != (n,):
                raise BadValue(f"{name} of shape {column.shape} for {n} pictures; valid: ({n},).")
        for name in ("labels", "predictions"):
            wrong = columns[name][(columns[name] < -1) | (columns[name] >= c)]
            if len(wrong):
                raise BadValue(f"{name} hold {wrong[0]}; valid: -1 to {c - 1}.")
        if self.colours.shape != (c, 3) or self.colours.dtype != np.uint8:
            raise BadValue(f"{self.colours.dtype} colours of shape {self.colours.shape}; valid: uint8 ({c}, 3).")
        if self.judged is not None and self.judged.shape != (c,):
            raise BadValue(f"judged of shape {self.judged.shape} for {c} classes; valid: ({c},).")
        if self.thumbs and len(self.thumbs.sheets) != -(-n // self.thumbs.each):
            raise BadValue(f"{len(self.thumbs.sheets)} sheets of {self.thumbs.each} do not hold {n} pictures.")
        axes = [points.shape[1:] for points in self.maps]
        for mark in self.marks:
            if [np.shape(place) for place in mark.places] != axes or not all(np.isfinite(p).all() for p in mark.places):
                raise BadValue(f"The mark {shorten(mark.name)} needs a finite place of {axes} numbers in the maps.")

    @property
    def grouped(self) -> list[Column]:
        return [one for one in self.columns if one.groups][:63]

    @property
    def numbered(self) -> list[Column]:
        return [one for one in self.columns if not one.groups][:255]

    @property
    def column_colours(self) -> list[Array]:
        """(C, 3) uint8 of each of `grouped`."""
        return [class_colours(one.counts, self.palette)[0] for one in self.grouped]

    @cached_property
    def packed(self) -> bytes:
        """`pack(cloud)`, made once."""
        groups, numbers = self.grouped, self.numbered
        known = bool(self.trust) + 2 * bool(self.kept) + 4 * len(groups) + 256 * len(numbers)
        head = [struct.pack("<4sIHH", b"XPLR", len(self.files), len(self.maps), known)]
        body = []
        for points in self.maps:
            lowest = points.min(0).astype(np.float64)
            step = float((points.max(0) - lowest).max()) / 65535 or 1.0
            head.append(struct.pack("<I3ff", points.shape[1], *lowest, *[0.0] * (3 - points.shape[1]), step))
            body.append(np.clip(np.rint((points - lowest) / step), 0, 65535).T)
        body += [numbers[None] % (UNKNOWN + 1) for numbers in (self.labels, self.predictions)]
        body += [one.values.astype(np.int64)[None] % (UNKNOWN + 1) for one in groups]
        parts = [np.ascontiguousarray(part, "<u2").tobytes() for part in body]
        parts += [_share(part).tobytes() for part in (self.confidence, *self.trust, *self.kept)]
        for one in numbers:
            low, high = one.span
            parts.append(_share((one.values - low) / ((high - low) or 1.0)).tobytes())
        return b"".join(head + parts)

    @cached_property
    def worded(self) -> bytes:
        """`words(cloud)`, made once."""
        named: dict[str, Any] = {"files": [plain(name) for name in self.files]}
        named["classes"] = [plain(name) for name in self.classes]
        named["judged"] = [True] * len(self.classes) if self.judged is None else self.judged.tolist()
        named["groups"] = [
            {"name": plain(one.name), "names": [plain(name) for name in one.groups]} for one in self.grouped
        ]
        spans = [(plain(one.name), *one.span) for one in self.numbered]
        named["numbers"] = [{"name": name, "low": low, "high": high} for name, low, high in spans]
        return json.dumps(named, separators=(",", ":")).encode()

    @cached_property
    def identity(self) -> str:
        """Which pictures these are, wherever they stand: picks and clicks of other ones are not for this cloud."""
        return sha256(self.worded).hexdigest()[:16]


def pack(cloud: Cloud) -> bytes:
    """The numbers of the cloud in the layout above."""
    return cloud.packed


def words(cloud: Cloud) -> bytes:
    """JSON of the files, the classes and the columns: {"files": [...], "classes": [...], "judged": [...], "groups":
    [{"name", "names"}], "numbers": [{"name", "low", "high"}]}."""
    return cloud.worded


def bytes_per_point(cloud: Cloud) -> float:
    """What travels before the first frame, for each point."""
    return len(pack(cloud)) / len(cloud.files)


def hexed(colour: Any) -> str:
    """As CSS has it."""
    red, green, blue = colour
    return f"#{red:02x}{green:02x}{blue:02x}"


def plain(name: str) -> str:
    """A name on one line, without characters that no font shows."""
    return clean(name[:LONGEST]).replace("\n", " ").replace("\t", " ")


def media_type(picture: bytes) -> str:
    for start, kind in _MEDIA.items():
        if picture.startswith(start):
            return kind
    raise BadValue(f"A picture that starts with {shorten(picture[:8])}; valid: {', '.join(_MEDIA.values())}.")


def _share(values: Array) -> NDArray[np.uint8]:
    """Numbers from 0 to 1 in 254ths, 255 where there is none."""
    known = np.isfinite(values)
    return np.where(known, np.rint(np.clip(np.where(known, values, 0), 0, 1) * 254), 255).astype(np.uint8)
