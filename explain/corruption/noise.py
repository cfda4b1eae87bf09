"""Noise: each value by itself."""

from __future__ import annotations

import numpy as np

from .registry import CORRUPTIONS, Generator, Pixels, Severity


@CORRUPTIONS.register
def gaussian_noise(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Gaussian noise of one deviation on every value, as in little light."""
    deviation = severity.of(
        (0.04, 0.06, 0.08, 0.09, 0.10), (0.04, 0.08, 0.12, 0.15, 0.18), (0.08, 0.12, 0.18, 0.26, 0.38)
    )
    return pixels + deviation * chance.standard_normal(pixels.shape)


@CORRUPTIONS.register
def shot_noise(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """Poisson noise, as of light that comes in so few photons."""
    photons = severity.of((500, 250, 100, 75, 50), (250, 100, 50, 30, 15), (60, 25, 12, 5, 3))  # of white
    return chance.poisson(pixels * photons) / photons


@CORRUPTIONS.register
def impulse_noise(pixels: Pixels, severity: Severity, chance: Generator) -> Pixels:
    """A share of the values turned black or white, as by errors of bits."""
    share = severity.of((0.01, 0.02, 0.03, 0.05, 0.07), (0.01, 0.02, 0.05, 0.08, 0.14), (0.03, 0.06, 0.09, 0.17, 0.27))
    hit, white = chance.random(pixels.shape) < share, chance.random(pixels.shape) < 0.5
    return np.where(hit, white, pixels)
