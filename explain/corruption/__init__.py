"""Corruptions: the fifteen of Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (ICLR), each at five severities; and their shifts.

    corrupted = corrupt(picture, "frost", severity=3)

The numbers are the published ones, of CIFAR-C, Tiny ImageNet-C or ImageNet-C, whichever has pictures of the nearest
size; the code is ours, on numpy, scipy, scikit-image and Pillow. One thing differs: `frost` is made of noise instead of
cut out of photographs.

A new corruption is one function with `@CORRUPTIONS.register` in a module imported here.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import BadValue, NotSupported, shorten
from ..store import sha256
from . import blur, digital, noise, weather  # noqa: F401  (they register)
from .digital import as_picture, as_pixels
from .registry import CORRUPTIONS, SIDES, Severity, scale_of
from .shift import reach_of, shifted

__all__ = ["CORRUPTIONS", "GROUPS", "LEVELS", "SIDES", "corrupt", "numbers_of", "reach_of", "shifted"]

LEVELS = (1, 2, 3, 4, 5)
GROUPS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}


def corrupt(picture: Image.Image, corruption: str, severity: int = 3, *, seed: int = 0) -> Image.Image:
    """A grey or RGB picture after a corruption, of the same size and mode; at severity 0 a copy of it.

    Chance depends on the seed, the corruption and the picture's own pixels: a picture is always corrupted alike, at all
    severities by the same draws, and no two pictures by the same ones. Raises Unknown, BadValue for a severity that is
    none of 0 to 5, NotSupported for a picture of other bands.
    """
    entry = CORRUPTIONS[corruption]
    if isinstance(severity, bool) or severity not in (0, *LEVELS):
        raise BadValue(f"Severity {shorten(severity)} is not a whole number from 0 to {LEVELS[-1]}.")
    if getattr(picture, "mode", None) not in ("L", "RGB"):
        mode = getattr(picture, "mode", type(picture).__name__)
        raise NotSupported(f"Corruptions are of grey and RGB pictures of 8 bits; this one is {mode}.")
    if severity == 0:
        return picture.copy()
    own = int(sha256(picture.mode.encode() + picture.tobytes())[:16], 16)
    chance = np.random.default_rng([seed, own, *entry.name.encode()])
    strength = Severity(severity, scale_of(min(picture.size)))
    return as_picture(entry(as_pixels(picture), strength, chance))


def numbers_of(size: tuple[int, int]) -> str:
    """The published set whose numbers are used for pictures of this width and height."""
    return list(SIDES)[scale_of(min(size))]
