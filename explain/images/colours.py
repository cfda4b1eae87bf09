"""Values to colours: scaling, colour maps, the mix of a picture with a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadValue, Unknown, shorten

Array = NDArray[Any]
Bytes = NDArray[np.uint8]
Colour = Sequence[int]

BACKGROUND = (255, 255, 255)  # what transparent pixels are shown on


def unit_scale(array: ArrayLike, low: float | None = None, high: float | None = None) -> NDArray[np.float32]:
    """Floats from low..high (by default the finite minimum and maximum) to 0..1, clipped; NaN becomes 0.

    Where low equals high every value becomes 0.5, so that a constant map is plain grey and nothing divides by zero.
    Raises BadValue when low is above high or either is NaN.
    """
    unit = np.array(array, np.float64)
    finite = unit[np.isfinite(unit)] if low is None or high is None else unit
    if low is None:
        low = float(finite.min(initial=np.inf if high is None else high))
    if high is None:
        high = float(finite.max(initial=low))
    if not low <= high:
        raise BadValue(f"The range {low:g} to {high:g} is not one; the first value must not be above the second.")
    if low == high:
        unit[~np.isnan(unit)] = 0.5
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            unit -= low
            unit /= high - low
        np.clip(unit, 0, 1, out=unit)
    np.nan_to_num(unit, copy=False, nan=0.0)
    return unit.astype(np.float32)


def to_bytes(array: ArrayLike) -> Bytes:
    """Unit floats to 0..255, rounded half up; clipped, NaN becomes 0."""
    levels: Bytes = np.floor(_clipped(array) * 255 + 0.5).astype(np.uint8)
    return levels


def _clipped(array: ArrayLike) -> Array:
    unit: Array = np.clip(np.nan_to_num(np.asarray(array), nan=0.0), 0, 1)
    return unit


def _ramp(*anchors: tuple[int, int, int], entries: int = 256) -> Bytes:
    """Evenly spaced anchor colours joined by straight lines."""
    at, stops = np.linspace(0, 1, entries), np.linspace(0, 1, len(anchors))
    channels = [np.interp(at, stops, channel) for channel in zip(*anchors, strict=True)]
    table: Bytes = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return table


_NEUTRAL = (247, 247, 247)

# Each (256, 3). The sequential ones grow ever lighter; "red-blue" has its neutral colour on both entries beside 0.5.
COLORMAPS: dict[str, Bytes] = {
    "grey": _ramp((0, 0, 0), (255, 255, 255)),
    "inferno": _ramp((0, 0, 6), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164)),
    "viridis": _ramp((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37)),
    "red-blue": np.concatenate(
        [
            _ramp((5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), _NEUTRAL, entries=128),
            _ramp(_NEUTRAL, (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31), entries=128),
        ]
    ),
}


def colour(array: ArrayLike, cmap: str = "grey") -> Bytes:
    """Unit floats (...) to colours (..., 3): 256 bins of equal width, so that 0.5 - d mirrors 0.5 + d. NaN counts as 0.

    Raises Unknown when the colour map is not in COLORMAPS.
    """
    if cmap not in COLORMAPS:
        raise Unknown("colour map", cmap, COLORMAPS)
    colours: Bytes = COLORMAPS[cmap][np.minimum(_clipped(array) * 256, 255).astype(np.uint8)]
    return colours


def overlay(image: Array, colours: Array, alpha: float | Array) -> Bytes:
    """The plain mix (1 - alpha) * image + alpha * colours, both (H, W, 3) uint8; alpha a number or (H, W), within 0..1.

    Raises BadValue for other shapes, dtypes or values of alpha.
    """
    weight = np.asarray(alpha, np.float32)
    if not image.dtype == colours.dtype == np.uint8 or image.shape != colours.shape or image.shape[2:] != (3,):
        raise BadValue(
            f"Overlays need two uint8 arrays of one shape (H, W, 3), not {image.dtype} {image.shape}"
            f" and {colours.dtype} {colours.shape}."
        )
    if weight.shape not in ((), image.shape[:2]) or not np.all((weight >= 0) & (weight <= 1)):
        raise BadValue(f"The overlay's alpha {shorten(alpha)} must be within 0 to 1, one number or one a pixel.")
    weight = weight[..., None]
    mix: Bytes = np.floor(image * (1 - weight) + colours * weight + 0.5).astype(np.uint8)
    return mix


# Ways to see ---------------------------------------------------------------------------------------------------------

# What becomes of linear light (red, green, blue). The dichromacies are those of Machado, Oliveira and Fernandes 2009,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency", at severity 1; greyscale is the luminance
# of ITU-R BT.709. Each row adds up to 1, so that greys stay as they are.
_SEEN: dict[str, tuple[tuple[float, float, float], ...]] = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "greyscale": ((0.2126, 0.7152, 0.0722),) * 3,
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
VISIONS = tuple(_SEEN)


def seen_as(pixels: Array, vision: str) -> Bytes:
    """Colours (..., 3) uint8 as they look in greyscale or to a colour-blind eye; one of VISIONS.

    Raises Unknown for another vision and BadValue for another shape or dtype.
    """
    if vision not in _SEEN:
        raise Unknown("vision", vision, VISIONS)
    if pixels.dtype != np.uint8 or pixels.shape[-1:] != (3,):
        raise BadValue(f"Visions are simulated on uint8 colours (..., 3), not on {pixels.dtype} {pixels.shape}.")
    light = _linear_light(np.arange(256) / 255)[pixels]
    return to_bytes(_srgb(np.clip(light @ np.array(_SEEN[vision], np.float32).T, 0, 1)))


def contrast(pixels: Array, paper: Colour) -> Array:
    """The contrast ratio (...) of colours (..., 3) uint8 to another one, from 1 to 21 (WCAG 2)."""
    levels = _linear_light(np.arange(256) / 255)
    first, second = (levels[np.asarray(each)] @ np.array(_SEEN["greyscale"][0]) + 0.05 for each in (pixels, paper))
    ratio: Array = np.maximum(first, second) / np.minimum(first, second)
    return ratio


# Linear light to the three kinds of cones, and the cube roots of these to lightness, green to red and blue to yellow.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def oklab(pixels: Array) -> Array:
    """Colours (..., 3) uint8 in OKLab (Ottosson 2020), where equal distances look about equally far."""
    light: Array = _linear_light(np.arange(256) / 255)[pixels].astype(np.float64)
    found: Array = np.cbrt(light @ np.array(_CONES).T) @ np.array(_OKLAB).T
    return found


def _linear_light(srgb: Array) -> NDArray[np.float32]:
    """What a screen gives off for each level, both within 0..1 (IEC 61966-2-1)."""
    light: Array = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _srgb(light: Array) -> Array:
    """The inverse of `_linear_light`."""
    levels: Array = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return levels
