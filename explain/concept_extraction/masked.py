"""One picture at a layer: where each concept is in it, and its score with some of them weakened."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .factorise import coefficients
from .rest import Rest

__all__ = ["Masked"]

BYTES = 64 << 20  # of outputs that are made at a time


class Masked:
    """A picture (1, C, H, W) whose output at a layer is concepts and a rest: `maps` (k, h, w) are the coefficients of
    the directions (k, C) at each place, `missed` and `size` the sum of squares of the rest and of all of it.

    Masks weaken concepts and leave the rest as it is: with all masks 1 the output is the layer's own. As the layer
    does, it stays at zero or above; where the layer itself goes below, it stays there.
    """

    def __init__(self, net: nn.Module, rest: Rest, picture: Tensor, output: Tensor, directions: NDArray[np.float64]):
        self.rest, self.picture, self.output = rest, picture, output
        channels, height, width = output.shape[1:]
        places = output[0].clamp(min=0).flatten(1).T.cpu().numpy().astype(np.float64)
        found = coefficients(places, directions)
        self.maps = found.T.reshape(len(directions), height, width)
        self.missed = float(np.square(places - found @ directions).sum())
        self.size = float(np.square(places).sum())
        parts = torch.from_numpy(directions[:, :, None] * found.T[:, None]).float()
        self.parts = parts.reshape(len(directions), channels * height * width).to(output.device)

    def scores(self, masks: NDArray[np.float64]) -> NDArray[np.float64]:
        """All scores (N, K) with these masks (N, k) within 0 to 1."""
        weakened = torch.from_numpy(1 - masks).float().to(self.parts.device)
        floor = self.output.clamp(max=0)
        most = max(2, BYTES // max(1, self.output.nbytes))
        found = []
        for some in torch.split(weakened, most):
            changed = self.output - (some @ self.parts).view(-1, *self.output.shape[1:])
            found.append(self.rest.scores(self.picture, torch.maximum(changed, floor)).cpu())
        return torch.cat(found).numpy().astype(np.float64)
