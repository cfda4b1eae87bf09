"""How far a made picture is to be believed: beside real ones, after small changes, and by its way through the net."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..network.trace import record

__all__ = ["compressed", "paths", "percentile", "same_way", "shifted"]

QUALITY = 75  # of JPEG
SURE = 2.0  # standard errors
EIGHTH = 8  # pictures are shifted by this share of their side


def percentile(edges: NDArray[np.float64], counts: NDArray[np.int64], value: float) -> tuple[float, float]:
    """Between which shares of real pictures a value lies, as a histogram of their peaks tells: all of lower bins have
    less, none of higher ones."""
    at = int(np.searchsorted(edges, value, side="right")) - 1
    at = min(max(at, 0), len(counts) - 1)
    total = max(int(counts.sum()), 1)
    below = int(counts[:at].sum())
    return below / total, (below + int(counts[at])) / total


def shifted(pictures: Tensor) -> Tensor:
    """Moved by an eighth of their sides, around the border."""
    return pictures.roll((pictures.shape[2] // EIGHTH, pictures.shape[3] // EIGHTH), (2, 3))


def compressed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, H, W, C) of one or three bands after JPEG."""
    found = []
    for one in pixels:
        file = io.BytesIO()
        Image.fromarray(one[..., 0] if one.shape[2] == 1 else one).save(file, "JPEG", quality=QUALITY)
        again = np.asarray(Image.open(file))
        found.append(again[..., None] if again.ndim == 2 else again)
    return np.stack(found)


def paths(net: nn.Module, batch: Tensor, layers: Sequence[str], at_once: int = 16) -> list[NDArray[np.float32]]:
    """Of each layer the means of its channels (N, C): which way pictures take."""
    parts: list[list[NDArray[np.float32]]] = [[] for _ in layers]
    for some in torch.split(batch, at_once):
        _, held = record(net, some, layers)
        for part, layer in zip(parts, layers, strict=True):
            output = held[layer].float()
            part.append((output.flatten(2).mean(2) if output.dim() > 2 else output).cpu().numpy())
    return [np.concatenate(part) for part in parts]


def same_way(
    made: Sequence[NDArray[Any]], best: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]
) -> NDArray[np.float64]:
    """(L, n): how alike the ways of made pictures are to those of real pictures that excite the same channel, layer by
    layer. 1 is as alike as those are among each other, 0 as alike as to other real pictures (Geirhos et al. 2024); NaN
    where these two can't be told apart: where the difference of the two, from one real picture to the next, is less
    than twice its standard error."""
    found = []
    for own, real, other in zip(made, best, others, strict=True):
        among = _ranked_alike(real, real)
        top = (among.sum(1) - np.diag(among)) / max(len(real) - 1, 1)
        low = _ranked_alike(real, other).mean(1)
        apart = top - low
        told = len(real) > 2 and apart.mean() > SURE * apart.std(ddof=1) / np.sqrt(len(real))
        alike = _ranked_alike(own, real).mean(1)
        found.append((alike - low.mean()) / apart.mean() if told else np.full(len(own), np.nan))
    return np.array(found)


def _ranked_alike(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Spearman's correlation of each row with each."""
    from scipy.stats import rankdata

    both = []
    for rows in (first, second):
        ranks = rankdata(rows, axis=1)
        ranks -= ranks.mean(1, keepdims=True)
        size = np.linalg.norm(ranks, axis=1, keepdims=True)
        both.append(np.divide(ranks, size, out=np.zeros_like(ranks), where=size > 0))
    return np.asarray(both[0] @ both[1].T)
