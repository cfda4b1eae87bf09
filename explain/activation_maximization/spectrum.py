"""What pictures are like before anything is seen in them: how strong each frequency is, how their bands go together.

Lucid and its followers take both from ImageNet, for every network; here they are those of the network's own pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..images import SCALES
from ..network.preprocess import Preprocess

__all__ = ["Spectrum", "spectrum_of", "usual_spectrum", "values_of"]

LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Of pictures (C, H, W) whose values run from low to high, as a network has them before mean and std.

    mean, low, high (C,)        of each band
    colours (C, C)              from planes that do not go together, of variance 1, to the bands
    magnitude (C, H, W // 2 + 1)  root mean square of the planes' Fourier coefficients, "ortho", with none at zero
    size                        H, W
    """

    size: tuple[int, int]
    mean: Tensor
    low: Tensor
    high: Tensor
    colours: Tensor
    magnitude: Tensor

    def pixels(self, planes: Tensor) -> Tensor:
        """Planes (N, C, H, W) as pixels between low and high: in the middle unchanged, towards the ends ever slower."""
        bands = torch.einsum("ij,njhw->nihw", self.colours, planes)
        low, high, mean = (one.view(1, -1, 1, 1) for one in (self.low, self.high, self.mean))
        middle = ((mean - low) / (high - low)).clamp(0.05, 0.95)
        return low + (high - low) * torch.sigmoid(torch.logit(middle) + 4 * bands / (high - low))

    def as_drawn(self, pixels: Tensor) -> Tensor:
        """In steps of 8 bits, where values run from 0 to 1."""
        eight_bit = bool((self.low == 0).all() and (self.high == 1).all())
        return (pixels * 255).round() / 255 if eight_bit else pixels

    def to(self, device: torch.device) -> Spectrum:
        names = ("mean", "low", "high", "colours", "magnitude")
        return Spectrum(self.size, *(getattr(self, name).to(device) for name in names))


def spectrum_of(images: Sequence[Any], preprocess: Preprocess, size: tuple[int, int]) -> Spectrum:
    """Of pictures as the network is given them, scaled to a size."""
    pictures = torch.stack([values_of(preprocess, one) for one in images])
    if tuple(pictures.shape[2:]) != size:
        pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True)
    bounded = pictures.min() >= 0 and pictures.max() <= 1
    low, high = (torch.zeros(1), torch.ones(1)) if bounded else (pictures.amin((0, 2, 3)), pictures.amax((0, 2, 3)))
    channels = pictures.shape[1]
    mean = pictures.mean((0, 2, 3))
    apart = (pictures - mean.view(1, -1, 1, 1)).transpose(0, 1).reshape(channels, -1).double()
    values, vectors = torch.linalg.eigh(apart @ apart.T / apart.shape[1])
    roots = values.clamp_min(LEAST).sqrt()
    planes = torch.einsum("ij,njhw->nihw", (vectors / roots).T.float(), pictures - mean.view(1, -1, 1, 1))
    magnitude = torch.fft.rfft2(_periodic(planes), norm="ortho").abs().square().mean(0).sqrt()
    magnitude[:, 0, 0] = 0
    return Spectrum(size, mean, low.expand(channels), high.expand(channels), (vectors * roots).float(), magnitude)


def usual_spectrum(preprocess: Preprocess, size: tuple[int, int]) -> Spectrum:
    """Where no pictures are known: strengths that fall with the frequency, as in photographs, and bands apart."""
    channels, (height, width) = preprocess.channels, size
    frequency = (torch.fft.fftfreq(height)[:, None].square() + torch.fft.rfftfreq(width)[None].square()).sqrt()
    magnitude = 1 / frequency.clamp_min(1 / max(size))
    magnitude[0, 0] = 0
    magnitude *= ((height * width) / _power(magnitude, width)).sqrt()
    half = torch.full((channels,), 0.5)
    ends = torch.zeros(channels), torch.ones(channels)
    return Spectrum(size, half, *ends, 0.25 * torch.eye(channels), magnitude.expand(channels, -1, -1).clone())


def values_of(preprocess: Preprocess, image: Any) -> Tensor:
    """(C, H, W) as `Preprocess.scaled` has it before mean and std."""
    pixels = preprocess.planes(preprocess.crop(image))
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / SCALES[pixels.dtype.name]


def _power(magnitude: Tensor, width: int) -> Tensor:
    """The sum of all squares, of which half of the columns stand for two."""
    twice = torch.full((magnitude.shape[-1],), 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return (magnitude.square() * twice).sum((-2, -1))


def _periodic(planes: Tensor) -> Tensor:
    """Without what steps from one border to the opposite one add to frequencies along the axes (Moisan 2011)."""
    height, width = planes.shape[-2:]
    steps = torch.zeros_like(planes)
    rows, columns = planes[..., 0, :] - planes[..., -1, :], planes[..., :, 0] - planes[..., :, -1]
    steps[..., 0, :] -= rows
    steps[..., -1, :] += rows
    steps[..., :, 0] -= columns
    steps[..., :, -1] += columns
    y = torch.cos(2 * torch.pi * torch.fft.fftfreq(height))[:, None]
    x = torch.cos(2 * torch.pi * torch.fft.fftfreq(width))[None]
    below = 2 * y + 2 * x - 4
    below[0, 0] = 1
    smooth = torch.fft.fft2(steps) / below
    smooth[..., 0, 0] = 0
    still: Tensor = torch.fft.ifft2(smooth).real
    return planes - still
