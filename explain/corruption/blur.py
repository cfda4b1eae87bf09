"""Blur: each pixel out of those around it."""

from __future__ import annotations

from math import ceil, cos, radians, sin

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from .registry import CORRUPTIONS, Generator, Pixels, Severity

__all__ = ["disc", "magnified", "smeared"]

SMALL = 8  # radius of a disc up to which its edge is smoothed by 3 pixels, beyond by 5


@CORRUPTIONS.register
def defocus_blur(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """The mean over a disc, as by a lens out of focus."""
    radius, smoothing = severity.of(
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    )
    from scipy.signal import fftconvolve  # half a second to import

    kernel = disc(radius, smoothing)
    reach = len(kernel) // 2
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), "reflect")
    return np.asarray(fftconvolve(padded, kernel[..., None], "valid", axes=(0, 1)))


def disc(radius: float, smoothing: float) -> NDArray[np.float64]:
    """Weights, odd and square, that add up to 1: a disc whose edge is smoothed by a Gaussian of this deviation."""
    at = np.arange(-max(radius, SMALL), max(radius, SMALL) + 1)
    inside = (at[:, None] ** 2 + at**2 <= radius**2).astype(float)
    smooth = gaussian_filter(inside / inside.sum(), smoothing, mode="mirror", radius=1 if radius <= SMALL else 2)
    return np.asarray(smooth)


@CORRUPTIONS.register
def glass_blur(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Each pixel in turn replaced by one near it, between two Gaussian blurs, as through frosted glass."""
    deviation, reach, times = severity.of(
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    )
    height, width, channels = pixels.shape
    order = list(range(height * width))
    rows, columns = (np.arange(side - reach, reach, -1) for side in (height, width))  # from the last to the first
    here = (rows[:, None] * width + columns).ravel()
    for _ in range(times):
        down, right = chance.integers(-reach, reach, (2, len(here)))
        for one, other in zip(here.tolist(), (here + down * width + right).tolist(), strict=True):
            order[one] = order[other]  # written as an exchange there, but of views: the other keeps its own
    shuffled = _gaussian(pixels, deviation).reshape(-1, channels)[order].reshape(pixels.shape)
    return _gaussian(shuffled, deviation)


def _gaussian(pixels: Pixels, deviation: float) -> Pixels:
    return np.asarray(gaussian_filter(pixels, (deviation, deviation, 0), mode="nearest"))


@CORRUPTIONS.register
def motion_blur(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Smeared one way, within 45 degrees of the horizontal, as by a camera that moves."""
    radius, deviation = severity.of(
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    )
    return smeared(pixels, radius, deviation, chance.uniform(-45, 45))


def smeared(pixels: Pixels, radius: int, deviation: float, degrees: float) -> Pixels:
    """Each pixel out of 2 radius + 1 along a line that begins at it, with weights of half a Gaussian; ImageMagick's
    motion blur. At the border its pixels go on."""
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    right, down = (np.ceil(steps * part - 0.5).astype(int) for part in (cos(radians(degrees)), sin(radians(degrees))))
    pad, (height, width) = len(steps), pixels.shape[:2]
    padded = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), "edge")
    found = np.zeros_like(pixels)
    for weight, y, x in zip(weights / weights.sum(), pad + down, pad + right, strict=True):
        found += weight * padded[y : y + height, x : x + width]
    return found


@CORRUPTIONS.register
def zoom_blur(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """The mean of the picture and its enlargements about the centre, as by a camera that moves towards it."""
    small = tuple((end, 0.01) for end in (1.06, 1.11, 1.16, 1.21, 1.26))
    end, step = severity.of(small, small, ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)))
    every = [pixels, *(magnified(pixels, factor) for factor in np.arange(1, end, step).tolist())]
    return np.asarray(np.mean(every, 0))


def magnified(pixels: Pixels, factor: float) -> Pixels:
    """The middle of the picture enlarged to all of it."""
    planes = [_magnified(plane, factor) for plane in np.moveaxis(pixels, 2, 0)]
    return np.stack(planes, 2)


def _magnified(plane: Pixels, factor: float) -> Pixels:
    middle = plane[tuple(_middle(side, ceil(side / factor)) for side in plane.shape)]
    large = np.asarray(zoom(middle, factor, order=1))
    return large[tuple(_middle(have, side) for have, side in zip(large.shape, plane.shape, strict=True))]


def _middle(side: int, kept: int) -> slice:
    first = (side - kept) // 2
    return slice(first, first + kept)
