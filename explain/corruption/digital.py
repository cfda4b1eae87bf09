"""Digital: contrast, shape, and what storing a picture does to it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from .registry import CORRUPTIONS, Generator, Pixels, Severity

__all__ = ["as_picture", "as_pixels"]


@CORRUPTIONS.register
def contrast(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Each channel's distance to its mean shrunk to a share of it."""
    share = severity.of((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05), (0.4, 0.3, 0.2, 0.1, 0.05))
    mean = pixels.mean((0, 1))
    return (pixels - mean) * share + mean


@CORRUPTIONS.register
def elastic_transform(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Turned and sheared a little, then each region stretched by a smooth field of chance."""
    height, smoothness, jitter = severity.of(
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
        ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    )
    side = (32, 64, 244)[severity.scale]  # 244 as it is published
    turned = _jittered(pixels, jitter * side, chance)
    shape = pixels.shape[:2]
    moved = [
        height * side * gaussian_filter(chance.uniform(-1, 1, shape), smoothness * side, mode="reflect", truncate=3)
        for _ in range(2)
    ]
    places = np.indices(shape) + moved
    planes = [map_coordinates(plane, places, order=1, mode="reflect") for plane in np.moveaxis(turned, 2, 0)]
    return np.stack(planes, 2)


def _jittered(pixels: Pixels, most: float, chance: Generator) -> Pixels:
    """The affine picture of itself in which three points about the centre have moved by up to so many pixels."""
    sides = np.array(pixels.shape[:2])
    corners = sides // 2 + max(min(sides) // 3, 1) * np.array([[1, 1], [-1, 1], [-1, -1]])
    moved = corners + chance.uniform(-most, most, corners.shape)
    back = np.linalg.solve(np.column_stack([moved, np.ones(3)]), corners)  # from new places to old ones
    planes = [
        affine_transform(plane, back[:2].T, back[2], order=1, mode="mirror") for plane in np.moveaxis(pixels, 2, 0)
    ]
    return np.stack(planes, 2)


@CORRUPTIONS.register
def pixelate(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Reduced to a share of its sides by averaging, and enlarged again by repeating."""
    share = severity.of((0.95, 0.9, 0.85, 0.75, 0.65), (0.9, 0.8, 0.7, 0.6, 0.5), (0.6, 0.5, 0.4, 0.3, 0.25))
    picture = as_picture(pixels)
    small = [max(int(side * share), 1) for side in picture.size]
    reduced = picture.resize((small[0], small[1]), Image.Resampling.BOX)
    return as_pixels(reduced.resize(picture.size, Image.Resampling.BOX))


@CORRUPTIONS.register(label="JPEG compression")
def jpeg_compression(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Stored as a JPEG of low quality and read again."""
    quality = severity.of((80, 65, 58, 50, 40), (65, 58, 50, 40, 25), (25, 18, 15, 10, 7))
    file = io.BytesIO()
    as_picture(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as read:
        return as_pixels(read)


def as_picture(pixels: Pixels) -> Image.Image:
    """Grey or RGB, of pixels (H, W, 1 or 3) in 0..1, each value the nearest of 256."""
    values = np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)


def as_pixels(picture: Image.Image) -> Pixels:
    """(H, W, 1 or 3) in 0..1, of a grey or RGB picture."""
    values = np.asarray(picture, np.float64) / 255
    return values[..., None] if values.ndim == 2 else values
