"""The steps up: pictures that raise a score of a layer's output more and more, seen a little differently at each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attribution.units import rectifying
from ..errors import BadValue
from ..network.model import Model
from ..network.preprocess import Preprocess
from ..network.trace import reached
from ..progress import Progress, unheard
from .parametrization import PARAMETRIZATIONS
from .spectrum import Spectrum

__all__ = ["Score", "ascend", "size_for", "varied"]

Score = Callable[[Tensor], Tensor]
"""From a layer's output for N pictures to what is to be raised (N,)."""

USUAL_SIDE = 128
TURN, GROW, SHIFT = 10.0, 0.1, 0.0625
"""How differently a picture is seen, at most: degrees, share of its size, share of its side."""


def ascend(
    net: nn.Module,
    preprocess: Preprocess,
    layer: str,
    score: Score,
    spectrum: Spectrum,
    count: int,
    *,
    parametrization: str = "fourier",
    options: Mapping[str, Any] = MappingProxyType({}),
    steps: int = 256,
    seed: int = 0,
    progress: Progress = unheard,
) -> Tensor:
    """Pixels (count, C, H, W) of a net in eval mode with its weights frozen, with values as `Spectrum` has them.

    Each step sees the pictures turned, scaled and shifted by chance, so that what is found does not hang on single
    pixels (Mordvintsev et al. 2015; Olah et al. 2017).
    """
    chance = torch.Generator().manual_seed(seed)
    made = PARAMETRIZATIONS[parametrization](spectrum, count, chance, **options)
    optimiser = torch.optim.Adam([made.parameters], made.rate)
    device = made.parameters.device
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (preprocess.mean, preprocess.std))

    def slope() -> Tensor:
        seen = varied(spectrum.pixels(made.planes()), chance)
        found = score(reached(net, (seen - mean) / std, layer))
        down: Tensor = torch.autograd.grad(-found.sum(), made.parameters)[0]
        return down

    with torch.inference_mode(False), torch.enable_grad():
        for step in range(steps):
            progress(step, steps)
            found = slope()
            shut = found.flatten(1).abs().amax(1) == 0
            if shut.any():  # rectifiers let nothing back: as if they did, until they open
                with rectifying(lambda signal, _: signal):
                    found[shut] = slope()[shut]
            made.parameters.grad = found
            optimiser.step()
    with torch.no_grad():
        return spectrum.pixels(made.planes())


def size_for(model: Model, net: nn.Module, layer: str, side: int | None) -> tuple[int, int]:
    """Height and width that the network takes as far as this layer: its own where it takes no other. Raises BadValue
    for a size that was asked for and does not fit."""
    own = model.preprocess.size
    wanted = (side or min(USUAL_SIDE, *own),) * 2
    if wanted == own or (side is None and max(own) <= USUAL_SIDE):
        return own
    try:
        with torch.no_grad():
            reached(net, torch.zeros(1, model.preprocess.channels, *wanted, device=model.device), layer)
    except (RuntimeError, ValueError, AssertionError, IndexError):  # as torch and the networks themselves say it
        if side is None:
            return own
        raise BadValue(
            f"side={side}: as far as {layer!r} this network takes {own[0]} x {own[1]} pixels alone."
        ) from None
    return wanted


def varied(pictures: Tensor, chance: torch.Generator) -> Tensor:
    """Each of (N, C, H, W) turned, scaled and shifted by a draw of its own; beyond the border it is mirrored."""
    count = len(pictures)

    def drawn(most: float) -> Tensor:
        return most * (2 * torch.rand(count, generator=chance) - 1)

    turn, size = torch.deg2rad(drawn(TURN)), 1 + drawn(GROW)
    shift = torch.stack([drawn(2 * SHIFT), drawn(2 * SHIFT)], 1)
    cos, sin = size * torch.cos(turn), size * torch.sin(turn)
    rows = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    maps = torch.cat([rows, shift[:, :, None]], 2).to(pictures)
    grid = F.affine_grid(maps, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
