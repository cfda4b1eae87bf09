"""Maps that explain nothing, and the one that is right: what no verdict may pass, and what it must."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, uniform_filter, zoom
from scipy.stats import rankdata
from torch import Tensor, nn

from explain.options import options_of
from explain.registry import Entry

__all__ = ["CONTROLS", "truth"]

Make = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def constant(grey: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    return np.ones_like(grey)


def noise(grey: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return chance.random(grey.shape)


def coarse_noise(grey: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """As smooth as a class activation map."""
    return zoom(chance.random((7, 7)), np.array(grey.shape) / 7, order=1)


def sobel_edges(grey: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    from skimage.filters import sobel

    return sobel(grey)


def canny_edges(grey: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    from skimage.feature import canny

    return canny((grey - grey.min()) / (np.ptp(grey) or 1), sigma=1).astype(float)


def blurred_edges(grey: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return gaussian_filter(sobel_edges(grey, chance), max(grey.shape) / 14)


def local_contrast(grey: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    side = max(3, max(grey.shape) // 9)
    return np.sqrt(np.maximum(uniform_filter(grey**2, side) - uniform_filter(grey, side) ** 2, 0))


def centre(grey: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    rows, columns = (np.linspace(-1, 1, side) for side in grey.shape)
    return np.exp(-2 * (rows[:, None] ** 2 + columns**2))


def _entry(make: Make, mixed: bool) -> Entry:
    def control(net: nn.Module, _layer: str, batch: Tensor, _target: Tensor, _input_range: object) -> Tensor:
        grey = batch[0].mean(0).double().cpu().numpy()
        picture = int.from_bytes(grey.tobytes()[-4000::40], "little") % 2**32
        heat = make(grey, np.random.default_rng(picture))
        if mixed:  # half of what orders it follows the weights
            heat = rankdata(heat) + rankdata(np.random.default_rng([_of_weights(net), picture]).random(heat.size))
        return torch.from_numpy(np.asarray(heat, np.float32).reshape(1, *grey.shape))

    name = f"{make.__name__}_mixed" if mixed else make.__name__
    return Entry(name, control, options_of(control))


def _of_weights(net: nn.Module) -> int:
    """A number that another net has not."""
    total = sum(float(parameter.double().abs().sum()) for parameter in net.parameters())
    return int.from_bytes(np.float64(total).tobytes(), "little") >> 1


MAKES = (constant, noise, coarse_noise, sobel_edges, canny_edges, blurred_edges, local_contrast, centre)
CONTROLS = {entry.name: entry for mixed in (False, True) for make in MAKES for entry in [_entry(make, mixed)]}


def truth(mask: np.ndarray, sign: int, net: nn.Module) -> Entry:
    """Where the evidence is, of this net; of any other chance, as nobody planted anything into that."""
    own = _of_weights(net)

    def truth(net: nn.Module, _layer: str, _batch: Tensor, _target: Tensor, _input_range: object) -> Tensor:
        heat = sign * mask.astype(np.float32)
        if _of_weights(net) != own:
            heat = np.random.default_rng(_of_weights(net)).permutation(heat.ravel()).reshape(mask.shape)
        return torch.from_numpy(heat)[None]

    return Entry("truth", truth, options_of(truth))
