"""Pictures by what an optimiser moves in their place: all Fourier coefficients, or their phases alone.

A parametrization is called with a Spectrum, how many pictures, and a generator; it returns the parameters and what
makes planes (N, C, H, W) of them, which `Spectrum.pixels` makes pictures of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from ..options import Range
from ..registry import Registry
from .spectrum import Spectrum

__all__ = ["PARAMETRIZATIONS", "Parametrized"]

PARAMETRIZATIONS = Registry("parametrization")


class Parametrized(NamedTuple):
    """rate: Adam's step, in the parameters' own units."""

    parameters: Tensor
    planes: Callable[[], Tensor]
    rate: float


@PARAMETRIZATIONS.register
def fourier(
    spectrum: Spectrum,
    count: int,
    chance: torch.Generator,
    *,
    rate: Annotated[float, Range(1e-4, 1, help="Adam's step, as a share of a frequency's usual strength")] = 0.05,
) -> Parametrized:
    """Every Fourier coefficient, in units of its usual strength, beginning near grey (Olah et al. 2017)."""
    shape = (count, *spectrum.magnitude.shape, 2)
    parts = (0.1 * torch.randn(shape, generator=chance)).to(spectrum.magnitude.device).requires_grad_()
    strength = spectrum.magnitude

    def planes() -> Tensor:
        found: Tensor = torch.fft.irfft2(strength * torch.view_as_complex(parts), spectrum.size, norm="ortho")
        return found

    return Parametrized(parts, planes, rate)


@PARAMETRIZATIONS.register(label="Magnitude constrained")
def maco(
    spectrum: Spectrum,
    count: int,
    chance: torch.Generator,
    *,
    rate: Annotated[float, Range(1e-3, 3, help="Adam's step, in radians")] = 0.15,
) -> Parametrized:
    """The phases alone: each frequency is as strong as in the pictures (MACO, Fel et al. 2023)."""
    phases = 2 * torch.pi * torch.rand((count, *spectrum.magnitude.shape), generator=chance)
    phases = phases.to(spectrum.magnitude.device).requires_grad_()
    strength = spectrum.magnitude

    def planes() -> Tensor:
        found: Tensor = torch.fft.irfft2(torch.polar(strength.expand_as(phases), phases), spectrum.size, norm="ortho")
        return found

    return Parametrized(phases, planes, rate)
