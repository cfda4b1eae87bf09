"""Colours of classes and of right and wrong, to be told apart by colour-blind readers and, mostly, in greyscale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .panel import Pixels
from .plot import SHAPES

# The ten colours of Petroff 2021, "Accessible Color Sequences for Data Visualization" (arXiv:2107.02270). They are
# ordered so that neighbours differ in lightness, and the two that are most like others come last.
CLASSES = (
    (63, 144, 218),  # blue
    (189, 31, 1),  # red
    (255, 169, 14),  # yellow orange
    (131, 45, 182),  # purple
    (185, 172, 112),  # khaki
    (113, 117, 129),  # slate
    (146, 218, 221),  # light cyan
    (169, 107, 89),  # brown
    (148, 164, 162),  # grey
    (231, 99, 0),  # dark orange
)

# Blue and orange of Okabe and Ito 2008, and a grey between them.
RIGHT, WRONG, UNKNOWN = (0, 114, 178), (230, 159, 0), (127, 127, 127)


def class_colours(count: int) -> tuple[Pixels, NDArray[np.uint8]]:
    """Colours (count, 3) and shapes (count,) of so many classes; fifty pairs, and then the same again.

    Every ten classes the colours come again with the next of SHAPES.
    """
    k = np.arange(count)
    colours = np.array(CLASSES, np.uint8)[k % len(CLASSES)]
    return colours, (k // len(CLASSES) % len(SHAPES)).astype(np.uint8)


def area_colours(count: int) -> Pixels:
    """Colours (count, 3) of so many areas, which have no shapes: every ten the same come again darker, then lighter."""
    k = np.arange(count)
    toward, share = np.array([0, 0, 255])[k // 10 % 3], np.array([0.0, 0.45, 0.5])[k // 10 % 3]
    own = np.array(CLASSES)[k % len(CLASSES)]
    mixed: Pixels = np.rint(own + (toward[:, None] - own) * share[:, None]).astype(np.uint8)
    return mixed
