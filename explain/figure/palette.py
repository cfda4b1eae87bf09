"""Colours of classes and of right and wrong, to be told apart by colour-blind readers and, mostly, in greyscale."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unknown
from ..images.colours import contrast, oklab, seen_as
from .panel import Pixels
from .plot import SHAPES

# The ten colours of Petroff 2021, "Accessible Color Sequences for Data Visualization" (arXiv:2107.02270). They are
# ordered so that neighbours differ in lightness, and the two that are most like others come last.
GREY = (148, 164, 162)
CLASSES = (
    (63, 144, 218),  # blue
    (189, 31, 1),  # red
    (255, 169, 14),  # yellow orange
    (131, 45, 182),  # purple
    (185, 172, 112),  # khaki
    (113, 117, 129),  # slate
    (146, 218, 221),  # light cyan
    (169, 107, 89),  # brown
    GREY,
    (231, 99, 0),  # dark orange
)

NINE = len(CLASSES) - 1

# Blue and orange of Okabe and Ito 2008, and a grey between them.
RIGHT, WRONG, UNKNOWN = (0, 114, 178), (230, 159, 0), (127, 127, 127)


# Of what has no colour of its own: at least 9 (CIEDE2000) from the nine and UNKNOWN for every eye.
OTHER = (180, 180, 180)

PALETTES = ("nine", "many")
# Colours of "many": any two are at least 11 apart by CIEDE2000, and 5 for each kind of colour-blind eye.
MOST = 30
_PAPERS = ((255, 255, 255), (14, 17, 23))  # what colours stand on: a page, and the app in the dark
_EYES = {"all colours": 1.0, "protanopia": 2.5, "deuteranopia": 2.5, "tritanopia": 2.5}  # with weights of distances


def class_colours(counts: Sequence[int] | NDArray[np.int64], palette: str = "nine") -> tuple[Pixels, NDArray[np.uint8]]:
    """Colours (C, 3) and shapes (C,) of classes that are met so often. Up to ten have those of CLASSES.

    Of more, the most frequent have colours of their own and all others are OTHER: nine, without the grey one, with
    "nine", and MOST with "many", where every nine have the next of SHAPES. Raises Unknown for another palette.
    """
    if palette not in PALETTES:
        raise Unknown("palette", palette, PALETTES)
    count = len(counts)
    if count <= len(CLASSES):
        return np.array(CLASSES, np.uint8)[:count].reshape(-1, 3), np.zeros(count, np.uint8)
    own = _many() if palette == "many" else _many()[:NINE]
    frequent = np.sort(np.argsort(-np.asarray(counts), kind="stable")[: len(own)])
    colours, shapes = np.full((count, 3), OTHER, np.uint8), np.zeros(count, np.uint8)
    colours[frequent] = own[: len(frequent)]
    shapes[frequent] = np.arange(len(frequent)) // NINE % len(SHAPES)
    return colours, shapes


@lru_cache(1)
def _many() -> Pixels:
    """Those of CLASSES but for the grey, and then ever the one farthest from all before it, from OTHER and the papers,
    as every kind of eye sees them. Distances are those of OKLab (Ottosson 2020).
    """
    steps = np.linspace(0, 255, 22).round().astype(np.uint8)
    all_of_them = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    some = all_of_them[np.min([contrast(all_of_them, paper) for paper in _PAPERS], 0) >= 1.5]
    first = [colour for colour in CLASSES if colour != GREY]
    there = np.array([*first, OTHER, *_PAPERS], np.uint8)
    seen = [(oklab(seen_as(some, eye)), oklab(seen_as(there, eye)), times) for eye, times in _EYES.items()]
    near = np.min([times * np.linalg.norm(a[:, None] - b, axis=2).min(1) for a, b, times in seen], 0)
    chosen: list[Any] = list(first)
    while len(chosen) < MOST:
        farthest = int(near.argmax())
        chosen.append(some[farthest])
        near = np.minimum(near, np.min([times * np.linalg.norm(a - a[farthest], axis=1) for a, _, times in seen], 0))
    return np.array(chosen, np.uint8)
