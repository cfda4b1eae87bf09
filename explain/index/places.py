"""Several places of one picture: where else a channel responds, in the pictures that it ranks first.

An index keeps of each picture its strongest place alone, but that is enough. Let pictures be ordered as the index does,
by their strongest value and then by number. Each of the k first has a place that comes before all places of a picture
that is not among them; so the k first places of all pictures lie in the k first pictures, and only these have to go
through the network again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile
from ..network.geometry import Field
from ..network.trace import record
from ..progress import Progress, unheard
from .index import Index, Row

__all__ = ["first_places", "places"]

AT_ONCE = 16


def first_places(
    index: Index, layer: str, channels: Iterable[int], count: int, per_picture: int, progress: Progress = unheard
) -> dict[int, list[Row]]:
    """By channel the `count` strongest places of all pictures, at most `per_picture` of one, and no two of a picture
    that share half of the smaller patch or more; exact, but for rounding, for a count up to `index.k`.

    Ties go to the smaller picture, row and column. A picture that can no longer be read, or in which the channel has a
    NaN, has the place that the index knows. Raises Unknown, BadValue.
    """
    known = index.model.layer(layer)
    found = {channel: index.top(layer, channel, "best", count) for channel in channels}
    asked: dict[int, list[tuple[int, Row]]] = {}
    field = known.field if known.spatial else None
    if field is None:  # one place is all that there is, or no two can be told apart
        return found
    for channel, row in ((channel, row) for channel, rows in found.items() for row in rows):
        if math.isfinite(row.score):
            asked.setdefault(row.image, []).append((channel, row))
    numbers, step = sorted(asked), 1 if index.model.behaviour.alone else AT_ONCE
    for start in range(0, len(numbers), step):
        progress(start, len(numbers), "the same pictures once more")
        readable = dict[int, object]()
        for number in numbers[start : start + step]:
            try:
                readable[number] = index.images[number]
            except BadFile:
                continue
        if not readable:
            continue
        with index.model.exclusive() as net:
            _, held = record(net, index.model.batch(list(readable.values())), [layer])
        for maps, number in zip(held[layer], readable, strict=True):
            for channel, row in asked[number]:
                values = maps[channel].float().cpu().numpy()
                for place in places(values, field, row.position, per_picture)[1:]:
                    score = min(float(values[place]), row.score)  # which another batch may have rounded otherwise
                    box = field.box(*place, channel)
                    found[channel].append(replace(row, score=score, position=place, box=box))
    return {channel: sorted(rows, key=_order)[:count] for channel, rows in found.items()}


def places(values: NDArray[np.float32], field: Field, first: tuple[int, int], most: int) -> list[tuple[int, int]]:
    """Up to `most` places (row, column) of one map (H, W), strongest first after the given one, so that of two patches
    less than half of the smaller is in both."""
    rows, columns = ((axis.low, axis.high) for axis in (field.rows, field.columns))
    left, areas = values.astype(np.float64), _areas(rows, columns)
    chosen = [first]
    while True:
        i, j = chosen[-1]
        shared = _areas(*(_shared(edges, at) for edges, at in ((rows, i), (columns, j))))
        left[2 * shared >= np.minimum(areas, areas[i, j])] = -np.inf
        best = int(left.argmax())
        if len(chosen) == most or not np.isfinite(left.flat[best]):
            return chosen
        chosen.append((best // left.shape[1], best % left.shape[1]))


Edges = tuple[NDArray[np.int64], NDArray[np.int64]]


def _areas(rows: Edges, columns: Edges) -> NDArray[np.int64]:
    height, width = (np.maximum(high - low, 0) for low, high in (rows, columns))
    areas: NDArray[np.int64] = height[:, None] * width
    return areas


def _shared(edges: Edges, at: int) -> Edges:
    """What each interval has in common with one of them."""
    low, high = edges
    return np.maximum(low, low[at]), np.minimum(high, high[at])


def _order(row: Row) -> tuple[bool, float, int, tuple[int, int]]:
    return math.isnan(row.score), -row.score, row.image, row.position
