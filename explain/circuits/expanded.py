"""Expanded weights: what one unit of a layer takes from each place of each channel that feeds it, as small kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..network.graph import INPUT
from ..network.trace import asking, call_of, calls, reached
from .straight import Straight

__all__ = ["Expanded", "Kernels", "expanded", "started"]


@dataclass(frozen=True, eq=False)
class Kernels:
    """Of one channel of the target: `weight` (C, h, w) of a source's channels, as far as not zero for all of them;
    (C, 1, 1) where there are no places."""

    source: str
    weight: NDArray[np.float32]

    @property
    def excites(self) -> NDArray[np.float64]:
        """(C,) what the positive weights sum up to."""
        return np.asarray(np.maximum(self.weight, 0).sum((1, 2), dtype=np.float64))

    @property
    def inhibits(self) -> NDArray[np.float64]:
        """(C,) what the negative weights sum up to."""
        return np.asarray(np.minimum(self.weight, 0).sum((1, 2), dtype=np.float64))

    @property
    def strength(self) -> NDArray[np.float64]:
        """(C,) the larger of the two, with its sign."""
        up, down = self.excites, self.inhibits
        return np.where(up >= -down, up, down)


class Expanded:
    """The straight way from `sources` to a layer's unit in the middle, on a picture."""

    def __init__(self, leaves: dict[str, Tensor], output: Tensor) -> None:
        self._leaves, self._output = leaves, output
        self._place = tuple(side // 2 for side in output.shape[2:])

    @property
    def channels(self) -> int:
        return self._output.shape[1]

    def slopes(self, channel: int, of: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """By source (of all, if not said), of one channel of the layer: (C, H, W), or (C,), over all of the source's
        places; a source that has no way to it is left out."""
        score = self._output[(0, channel, *self._place)]
        leaves = {name: self._leaves[name] for name in of or self._leaves if name in self._leaves}
        found = torch.autograd.grad(score, list(leaves.values()), retain_graph=True, allow_unused=True)
        named = zip(leaves, found, strict=True)
        return {name: slope[0].cpu().numpy() for name, slope in named if slope is not None}

    def kernels(self, channel: int, of: Sequence[str] | None = None) -> list[Kernels]:
        """The same, as far as they are not zero."""
        return [Kernels(name, _cropped(slope)) for name, slope in self.slopes(channel, of).items()]


def expanded(net: nn.Module, batch: Tensor, sources: Sequence[str], layer: str) -> Expanded:
    """For a net in eval mode with its weights frozen and the batch (1, C, H, W) of a picture; of that picture only what
    gates let through matters, where there are any. Raises Unknown for a layer that the pass does not reach."""
    with torch.inference_mode(False), torch.enable_grad(), started(net, batch, sources) as (leaves, own), Straight():
        output = reached(net, own, layer)
    return Expanded({name: leaves[name] for name in sources if name in leaves}, output)


@contextmanager
def started(net: nn.Module, batch: Tensor, sources: Sequence[str]) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """While open, each source's output is where the graph begins: as it is, by name once the pass has been there, and
    the batch to run. What one source gives another is not followed."""
    leaves: dict[str, Tensor] = {}
    own = asking(batch) if INPUT in sources else batch.detach().clone()
    if INPUT in sources:
        leaves[INPUT] = own
    wanted = {call_of(net, name): name for name in sources if name != INPUT}

    def on_output(module: str, call: int, output: Any) -> Tensor | None:
        name = wanted.get((module, call)) or wanted.get((module, None))
        if name is None or not isinstance(output, Tensor):
            return None
        leaves[name] = output.detach().clone().requires_grad_()
        return leaves[name].clone()  # which later layers may write to

    with calls(net, [module for module, _ in wanted], on_output):
        yield leaves, own.clone() if INPUT in sources else own


def _cropped(slope: NDArray[Any]) -> NDArray[np.float32]:
    """(C, h, w), as far as some channel is not zero."""
    maps = slope.astype(np.float32).reshape(len(slope), *(slope.shape[1:] if slope.ndim == 3 else (1, -1)))
    if slope.ndim == 1:
        return maps.reshape(-1, 1, 1).copy()
    rows, columns = np.nonzero(np.abs(maps).max(0))
    if not len(rows):
        return np.zeros((len(maps), 1, 1), np.float32)
    return maps[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].copy()
