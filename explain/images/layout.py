"""How a picture's file is laid out, looked at before Pillow is: it reserves what a header says, and takes microseconds
in Python for each chunk, marker or block, of which millions fit into a file. Raises ValueError, and struct.error."""

from __future__ import annotations

import re
import struct

__all__ = ["check_bmp", "check_jpeg", "check_png", "gif_size", "webp_size"]

MOST_PARTS = 20_000  # chunks of a PNG, markers of a JPEG
MOST_BLOCKS = 400_000  # of a GIF, of 255 bytes as they are usually written
MOST_SCANS = 100  # of a progressive JPEG, each of which goes through all its pixels
MOST_RUNS = 2 << 20  # bytes of a BMP in runs, which Pillow unpacks in Python
_RUNS = (1, 2)
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def check_png(data: bytes) -> None:
    at, steps = 8, 0
    while at + 8 < len(data):
        at += int.from_bytes(data[at : at + 4]) + 12
        steps = _counted(steps, MOST_PARTS)


def check_jpeg(data: bytes) -> None:
    at, steps, scans = 2, 0, 0
    while at + 4 <= len(data) and data[at : at + 2] != b"\xff\xd9":
        steps = _counted(steps, MOST_PARTS)
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):  # stray or filling, which Pillow skips byte by byte
            at += 1
            continue
        marker = data[at + 1]
        at += 2 if marker in _ALONE else 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xDA:
            scans = _counted(scans, MOST_SCANS)
            following = _MARKER.search(data, at)
            at = following.start() if following else len(data)


def check_bmp(data: bytes) -> None:
    if len(data) > MOST_RUNS and int.from_bytes(data[30:34], "little") in _RUNS:
        raise ValueError(f"a BMP in runs has at most {MOST_RUNS >> 20} MB")


def webp_size(data: bytes) -> tuple[int, int]:
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


def gif_size(data: bytes) -> tuple[tuple[int, int], bool]:
    """Width and height of a GIF, grown by a first frame that reaches beyond them, and whether a second one follows."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames, steps = 13 + _palette_bytes(flags), 0, 0
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
                steps = _counted(steps, MOST_BLOCKS)
                continue
            while data[at]:
                at += data[at] + 1
                steps = _counted(steps, MOST_BLOCKS)
            at += 1
            steps = _counted(steps, MOST_BLOCKS)
    except (IndexError, struct.error):
        pass
    return (width, height), False


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _counted(count: int, most: int) -> int:
    """One more. Raises ValueError where that is too many."""
    if count >= most:
        raise ValueError(f"it has more than {most:,} parts")
    return count + 1
