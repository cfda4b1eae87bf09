"""How far layers move when a network's pictures are changed, as a share of how far two pictures are apart in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .layers import Layer

__all__ = ["Drift", "comparable"]


def comparable(layers: Sequence[Layer]) -> list[Layer]:
    """Those that compute something of each picture by itself."""
    return [layer for layer in layers if layer.shape and layer.parts == 1 and not layer.passes]


class Drift:
    """Euclidean distances between what pictures and their changed copies excite, added up over batches of pictures.

    A layer's drift is the mean distance of a picture to its changed copy over the mean distance between two pictures,
    each and the one after it: 1 is as far as another picture, whatever the layer's size and units; so for a channel.
    """

    def __init__(self, changes: int) -> None:
        self._changes = changes
        self._moved: dict[str, NDArray[np.float64]] = {}  # (changes, 1 + channels): the whole layer, then each channel
        self._apart: dict[str, NDArray[np.float64]] = {}
        self._now: dict[str, Tensor] = {}
        self.pictures = 0

    def see(self, held: Mapping[str, Tensor]) -> None:
        """The next pictures as they are: outputs (N, C, ...) by layer."""
        before, self._now = self._now, dict(held)
        self.pictures += len(next(iter(held.values()), ()))
        for name, now in held.items():
            row = torch.cat([before[name][-1:], now]) if before else now
            apart = _distances(row[1:], row[:-1])
            self._apart[name] = self._apart.get(name, 0) + apart
            self._moved.setdefault(name, np.zeros((self._changes, len(apart))))

    def compare(self, change: int, held: Mapping[str, Tensor]) -> None:
        """What the pictures that were seen last excite after a change, by its number."""
        for name, changed in held.items():
            self._moved[name][change] += _distances(changed, self._now[name])

    def layers(self) -> dict[str, NDArray[np.float64]]:
        """By layer (changes,); without layers in which all pictures are alike."""
        found = {name: self._shares(name)[:, 0] for name in self._moved}
        return {name: shares for name, shares in found.items() if np.isfinite(shares).all()}

    def channels(self, layer: str) -> NDArray[np.float64]:
        """Of a layer (changes, channels); NaN for channels in which all pictures are alike."""
        return self._shares(layer)[:, 1:]

    def _shares(self, name: str) -> NDArray[np.float64]:
        apart = self._apart[name] / max(self.pictures - 1, 1)
        shares = self._moved[name] / self.pictures / np.where(apart > 0, apart, np.nan)
        return np.asarray(shares, np.float64)


def _distances(one: Tensor, other: Tensor) -> NDArray[np.float64]:
    """(1 + channels,): of the whole layer, then of each channel, summed over the pictures."""
    squares = (one - other).double().square().flatten(2).sum(2) if one.dim() > 2 else (one - other).double().square()
    return torch.cat([squares.sum(1, keepdim=True), squares], 1).sqrt().sum(0).cpu().numpy()
