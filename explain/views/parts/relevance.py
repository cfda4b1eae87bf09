"""Relevance by channel: over pictures of an index, and on one picture with its conditional maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...attribution.conditional import AtLayer, conditional, relevance_at
from ...attribution.passes import room
from ...errors import BadFile, NotSupported
from ...index import Index
from ...network.model import Model
from ...network.trace import record
from ...progress import Progress

__all__ = ["OnPicture", "OnPictures", "on_picture", "on_pictures"]

AT_ONCE = 16


class OnPictures(NamedTuple):
    """All (N, C): each channel's share of a picture's relevance at the layer, by the sizes of all channels' sums; where
    it has most of it; and its strongest response. `images` are those that could be read; of each `scores` (N,) is that
    of the class, `arrived` what of it arrives at the layer."""

    images: tuple[int, ...]
    shares: NDArray[np.float64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    peaks: NDArray[np.float64]
    scores: NDArray[np.float64]
    arrived: NDArray[np.float64]


class OnPicture(NamedTuple):
    """The channels with the largest shares, largest first, and the relevance of pixels by each alone (K, H, W)."""

    channels: tuple[int, ...]
    shares: tuple[float, ...]
    maps: NDArray[np.float32]


def on_pictures(
    index: Index, layer: str, images: Sequence[int], target: int, composite: str, progress: Progress
) -> OnPictures:
    """Some pictures at a time. Raises BadFile where none can be read, NotSupported as LRP does."""
    model, kept = index.model, list[int]()
    parts: list[tuple[NDArray[Any], ...]] = []
    step, at = 0, 0
    while at < len(images):
        progress(at, len(images), "relevance")
        readable = dict[int, object]()
        for number in images[at : at + max(step, 1)]:
            try:
                readable[number] = index.images[number]
            except BadFile:
                continue
        at += max(step, 1)
        if not readable:
            continue
        batch = model.batch(list(readable.values()))
        with model.exclusive() as net:
            if not step:  # rules hold about twice what gradients do
                step = max(1, min(AT_ONCE, room(net, batch[:1], gradients=True) // 2))
            found, shares, peaks = _shares(model, net, layer, batch, target, composite)
        maps = found.relevance if found.relevance.dim() == 4 else found.relevance[:, :, None, None]
        rows, columns = np.divmod(maps.flatten(2).argmax(2).cpu().numpy(), maps.shape[3])
        told = (one.cpu().double().numpy() for one in (found.scores, maps.sum((1, 2, 3))))
        parts.append((shares, rows, columns, peaks, *told))
        kept += readable
    if not parts:
        raise BadFile("None of the pictures of this class can be read any more.")
    return OnPictures(tuple(kept), *(np.concatenate(column) for column in zip(*parts, strict=True)))


def on_picture(model: Model, layer: str, batch: Tensor, target: int, count: int, composite: str) -> OnPicture:
    """The `count` most relevant channels of one picture (1, C, H, W)."""
    with model.exclusive() as net:
        _, shares, _ = _shares(model, net, layer, batch, target, composite)
        channels = np.argsort(-shares[0], kind="stable")[:count].tolist()
        asked = torch.tensor([target])
        maps = conditional(net, layer, batch, asked, model.input_range, channels, composite=composite)[0]
    values = maps.float().cpu().numpy()
    if not np.isfinite(values).all():
        raise NotSupported("LRP gives values that are not finite for this network and picture.")
    return OnPicture(tuple(channels), tuple(shares[0, channels].tolist()), values)


def _shares(
    model: Model, net: torch.nn.Module, layer: str, batch: Tensor, target: int, composite: str
) -> tuple[AtLayer, NDArray[np.float64], NDArray[np.float64]]:
    """The relevance, and by channel its share and the strongest response of the layer itself."""
    asked = torch.full((len(batch),), target)
    found = relevance_at(net, layer, batch, asked, model.input_range, composite=composite)
    _, held = record(net, batch, [layer])
    own = held[layer]
    sums, peaks = (found.relevance, own) if own.dim() == 2 else (found.relevance.sum((2, 3)), own.amax((2, 3)))
    sums = sums.cpu().double()
    if not bool(torch.isfinite(sums).all()):
        raise NotSupported("LRP gives values that are not finite for this network and these pictures.")
    shares = sums / sums.abs().sum(1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    return found, shares.numpy(), peaks.cpu().double().numpy()
