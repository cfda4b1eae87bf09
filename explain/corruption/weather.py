"""Weather: what lies over the picture, and its light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .blur import magnified, smeared
from .registry import CORRUPTIONS, Generator, Pixels, Severity

__all__ = ["frost_texture", "plasma"]

GREY = (0.299, 0.587, 0.114)


@CORRUPTIONS.register
def snow(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Flakes smeared as they fall, over a picture that is whitened."""
    mean, deviation, size, least, radius, smear, share = severity.of(
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    )
    flakes = magnified(mean + deviation * chance.standard_normal((*pixels.shape[:2], 1)), size)
    flakes = smeared(np.where(flakes < least, 0, flakes).clip(0, 1), radius, smear, chance.uniform(-135, -45))
    whitened = np.maximum(pixels, 1.5 * luminance(pixels) + 0.5)
    return share * pixels + (1 - share) * whitened + flakes + np.rot90(flakes, 2)


def luminance(pixels: Pixels) -> Pixels:
    """(H, W, 1)."""
    return pixels if pixels.shape[2] == 1 else pixels @ np.array(GREY)[:, None]


@CORRUPTIONS.register
def frost(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """A texture of crystals over a darkened picture, as on a window.

    The published frost is cut out of photographs; this one is made of noise, as bright and of as much contrast as one
    of those.
    """
    share, covered = severity.of(
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    )
    texture = frost_texture(pixels.shape[0], pixels.shape[1], chance)
    return share * pixels + covered * (texture if pixels.shape[2] == 3 else luminance(texture))


FROST = ((0.51, 0.06), (0.80, 0.08), (0.80, 0.08), (0.59, 0.10), (0.48, 0.14))
"""Mean of the brightness of each of the five photographs, and its deviation within a crop."""
TINT = (0.9, 1.03, 1.1)  # red, green and blue of their mean, as shares of its brightness


def frost_texture(height: int, width: int, chance: Generator) -> Pixels:
    """Crystals (H, W, 3) in 0..1: ridges where smooth noise is near zero, and needles, from broad ones to fine ones."""
    found, side = np.zeros((height, width, 1)), min(height, width)
    for octave in range(5):
        broad = max(side / 8 / 2**octave, 0.3)
        noise = _unit(gaussian_filter(chance.standard_normal((height, width, 1)), (broad, broad, 0), mode="wrap"))
        ridges = np.exp(-((3 * noise) ** 2))
        length = max(round(2 * broad), 1)
        margin = 2 * length + 1  # at the border what is smeared is smeared of one pixel
        wide = chance.standard_normal((height + 2 * margin, width + 2 * margin, 1))
        needles = smeared(wide, length, length, chance.uniform(0, 360))[margin:-margin, margin:-margin]
        found += (_unit(ridges) + _unit(needles)) / 2**octave
    mean, deviation = FROST[chance.integers(len(FROST))]
    bright = mean + deviation * _unit(found)
    return np.asarray((bright * np.array(TINT)).clip(0, 1))


def _unit(values: Pixels) -> Pixels:
    """With mean 0 and deviation 1."""
    return (values - values.mean()) / (float(values.std()) or 1.0)


@CORRUPTIONS.register
def fog(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Clouds of light over the picture, whose contrast they take."""
    density, decay = severity.of(
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    )
    height, width, _ = pixels.shape
    clouds = plasma(1 << (max(height, width) - 1).bit_length(), decay, chance)[:height, :width, None]
    brightest = pixels.max()
    return (pixels + density * clouds) * brightest / (brightest + density)


def plasma(side: int, decay: float, chance: Generator) -> NDArray[np.float64]:
    """Heights (side, side) from 0 to 1 by the diamond-square algorithm on a torus; `side` is a power of 2. Between one
    step and the next, of half its width, chance falls by the square of `decay`."""
    heights, step, reach = np.zeros((side, side)), side, 100.0

    def displaced(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return (one + other) / 4 + reach * chance.uniform(-reach, reach, one.shape)

    while step > 1:
        half = step // 2
        corners, centres = heights[::step, ::step], heights[half::step, half::step]
        above = corners + np.roll(corners, -1, 1)
        centres[...] = displaced(above, np.roll(above, -1, 0))
        heights[::step, half::step] = displaced(above, centres + np.roll(centres, 1, 0))
        heights[half::step, ::step] = displaced(corners + np.roll(corners, -1, 0), centres + np.roll(centres, 1, 1))
        step, reach = half, reach / decay
    heights -= heights.min()
    heights /= heights.max() or 1
    return heights


@CORRUPTIONS.register
def brightness(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """So much added to the value of the HSV model, as by another daylight."""
    added = severity.of((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4, 0.5))
    if pixels.shape[2] == 1:
        return pixels + added
    from skimage.color import hsv2rgb, rgb2hsv

    colours = rgb2hsv(pixels)
    colours[..., 2] = (colours[..., 2] + added).clip(0, 1)
    return np.asarray(hsv2rgb(colours))
