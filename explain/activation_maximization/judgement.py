"""What an index knows against made pictures: how real ones excite the same channels, and which way those take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadFile
from ..index import Index
from ..index.summary import RankingName
from ..network.preprocess import Preprocess
from ..network.trace import reached
from .likeness import compressed, paths, percentile, same_way, shifted
from .spectrum import values_of

__all__ = ["Judged", "judge"]

WAYS, LIKE = 6, 8  # layers on the way, and real pictures of a channel, by which ways are compared


@dataclass(frozen=True, eq=False)
class Judged:
    """Columns of a table with a row for each made picture; `ways` (L, N) by the names of `layers`."""

    columns: dict[str, list[Any]]
    ways: NDArray[np.float64]
    layers: tuple[str, ...]


def judge(
    index: Index, net: nn.Module, layer: str, channels: Sequence[int], made: Tensor, negative: bool = False
) -> Judged:
    """made (N, C, H, W), picture k for channels[k], as they are drawn, with values before mean and std."""
    preprocess, rows = index.model.preprocess, np.arange(len(channels))
    eight_bit = made.shape[1] in (1, 3) and bool(((made >= 0) & (made <= 1)).all())

    def outputs(values: Tensor) -> Tensor:
        """(N, ...), of each picture its own channel's map, or number."""
        with torch.no_grad():
            given = torch.split(_normalised(values, preprocess, index.model.device), LIKE)
            found = torch.cat([reached(net, some, layer).float().cpu() for some in given])
        return found[rows, list(channels)]

    def responses(outputs: Tensor) -> list[float]:
        return list(outputs.reshape(len(outputs), -1).amax(1).tolist())

    maps = outputs(made)
    strongest = maps.reshape(len(maps), -1).argmax(1).tolist()
    peak = responses(maps)
    ranking: RankingName = "lowest" if negative else "best"
    shares = [
        percentile(*index.histogram(layer, channel), value) for channel, value in zip(channels, peak, strict=True)
    ]
    ways, layers = _ways(index, net, layer, channels, made, ranking)
    known = np.isfinite(ways)
    natural = np.where(known, ways, 0).sum(0) / np.maximum(known.sum(0), 1)
    enough = known.sum(0) * 2 > len(layers)
    return Judged(
        {
            "peak": peak,
            "position": [divmod(at, maps.shape[2]) if maps.dim() == 3 else None for at in strongest],
            f"{ranking}_real": [index.top(layer, channel, ranking, 1)[0].score for channel in channels],
            "above": [low for low, _ in shares],
            "up_to": [high for _, high in shares],
            "shifted": responses(outputs(shifted(made))),
            "jpeg": responses(outputs(_after_jpeg(made))) if eight_bit else [None] * len(channels),
            "natural_way": [one if told else None for one, told in zip(natural.tolist(), enough, strict=True)],
        },
        ways,
        layers,
    )


def _ways(
    index: Index, net: nn.Module, layer: str, channels: Sequence[int], made: Tensor, ranking: Any
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Through layers before this one, of those that the index has."""
    before = index.layers[: index.layers.index(layer)]
    layers = [before[k] for k in np.unique(np.linspace(0, len(before) - 1, WAYS).round().astype(int))] if before else []
    if not layers:
        return np.zeros((0, len(channels))), ()
    preprocess, device = index.model.preprocess, index.model.device
    own = paths(net, _normalised(made, preprocess, device), layers)
    found = np.full((len(layers), len(channels)), np.nan)
    for channel in dict.fromkeys(channels):
        mine = [k for k, one in enumerate(channels) if one == channel]
        real = _pictures(index, [row.image for row in index.top(layer, channel, ranking, min(LIKE, index.k))], made)
        other = _pictures(index, [row.image for row in index.top(layer, channel, "random", min(LIKE, index.k))], made)
        if len(real) > 1 and len(other):
            both = (paths(net, _normalised(some, preprocess, device), layers) for some in (real, other))
            found[:, mine] = same_way([part[mine] for part in own], *both)
    return found, tuple(layers)


def _pictures(index: Index, images: Sequence[int], like: Tensor) -> Tensor:
    """Those that can still be read, as large as the made ones."""
    found = []
    for image in images:
        try:
            found.append(values_of(index.model.preprocess, index.images[image]))
        except BadFile:
            continue
    if not found:
        return like[:0]
    stacked = torch.stack(found)
    return (
        stacked
        if stacked.shape[2:] == like.shape[2:]
        else F.interpolate(stacked, tuple(like.shape[2:]), mode="bilinear", antialias=True)
    )


def _normalised(values: Tensor, preprocess: Preprocess, device: torch.device) -> Tensor:
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (preprocess.mean, preprocess.std))
    return ((values - mean) / std).to(device)


def _after_jpeg(values: Tensor) -> Tensor:
    pixels = (values * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return torch.from_numpy(compressed(pixels)).permute(0, 3, 1, 2).float() / 255
