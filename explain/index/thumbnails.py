"""Thumbnails of many pictures on a few sheets, small enough to travel to a browser."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..data import ImageSet
from ..errors import BadFile
from ..explorer import Thumbs
from ..images import thumbnail
from ..progress import Progress, unheard

__all__ = ["thumbnails"]

SIDE, LARGE, COLUMNS = 48, 96, 32  # pixels of a thumbnail's side; thumbnails a row and rows a sheet
FEW = 2_000  # pictures of which large ones still travel quickly
SMALL = 28  # pictures up to this side are kept pixel for pixel
BLANK = (127, 127, 127)


def thumbnails(
    images: ImageSet,
    numbers: Sequence[int],
    side: int | None = None,
    columns: int = COLUMNS,
    rows: int | None = None,
    progress: Progress = unheard,
    bands: Sequence[int] | None = None,
) -> Thumbs:
    """The pictures of those numbers, in that order: their middle square, averaged down to `side` pixels.

    By default side is 96 for few pictures and 48 for many, or their own where they are no larger than 28. One that
    cannot be read is grey. bands: which are shown, of pictures that have more than colours.
    """
    array = images.array
    exact = array is not None and max(array.shape[1:3]) <= SMALL
    usual = LARGE if len(numbers) <= FEW else SIDE
    side = side or (max(array.shape[1:3]) if array is not None and exact else usual)
    each, sheets = columns * (rows or columns), []
    for start in range(0, len(numbers), each):
        some = numbers[start : start + each]
        sheet = Image.new("RGB", (columns * side, -(-len(some) // columns) * side), BLANK)
        for place, number in enumerate(some):
            try:
                tile = thumbnail(images[int(number)], side, bands)
            except BadFile:
                continue
            sheet.paste(tile, (place % columns * side, place // columns * side))
            if place % columns == columns - 1:
                progress(start + place + 1, len(numbers), "thumbnails")
        sheets.append(_encoded(sheet, exact))
    progress(len(numbers), len(numbers), "thumbnails")
    return Thumbs(tuple(sheets), side, columns, each)


def _encoded(sheet: Image.Image, exact: bool) -> bytes:
    """PNG for the pixels of small pictures, JPEG for photographs."""
    file = io.BytesIO()
    if exact:
        grey = np.asarray(sheet)
        plain = bool((grey == grey[..., :1]).all())
        (sheet.convert("L") if plain else sheet).save(file, "PNG")
    else:
        sheet.save(file, "JPEG", quality=82)
    return file.getvalue()
