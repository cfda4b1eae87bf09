"""Shifts to the left and right, as in the translated sequences of ImageNet-P and CIFAR-P."""

from __future__ import annotations

from PIL import Image

from .registry import scale_of

__all__ = ["reach_of", "shifted"]

REACH = (7, 15, 20)  # pixels either way, by the set's place in SIDES; CIFAR-P goes one pixel farther to the right


def reach_of(size: tuple[int, int]) -> int:
    """How many pixels a picture of this width and height is moved either way, at most; never out of sight."""
    return min(REACH[scale_of(min(size))], max(size[0] - 1, 0))


def shifted(picture: Image.Image, right: int) -> Image.Image:
    """The picture so many pixels further to the right, or with a negative number to the left, on black."""
    moved = Image.new(picture.mode, picture.size)
    moved.paste(picture, (right, 0))
    return moved
