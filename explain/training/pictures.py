"""Labelled pictures as one tensor on the device: a loader that opens them one by one is many times slower."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import ImageSet
from ..errors import BadValue, ExplainError, NotSupported, shorten
from ..extras import extra
from ..network.model import Preprocess
from ..network.trace import inputs
from ..progress import Progress, unheard

__all__ = ["Pictures", "check", "pictures", "split"]

LARGEST = 16 << 30
"""Bytes of pictures that are held at once."""
AT_ONCE = 64


@dataclass(frozen=True)
class Pictures:
    """x: (N, C, H, W) uint8, y: (N,) int64, both on the device; size: what the network takes."""

    x: Tensor
    y: Tensor
    size: tuple[int, int]
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def some(self, chosen: Tensor) -> Pictures:
        return replace(self, x=self.x[chosen], y=self.y[chosen])

    def vectors(self, net: nn.Module, last: str, progress: Progress = unheard) -> Vectors:
        """What the layer of this name is given for each picture, with the network in eval mode."""
        taken: list[Tensor] = []
        done = 0
        net.eval()
        with torch.no_grad(), inputs(net, last, taken.append):
            for chosen in torch.split(torch.arange(len(self), device=self.y.device), AT_ONCE):
                net(self.ready(self.raw(chosen)))
                progress(done := done + len(chosen), len(self), "all that comes before the last layer")
        return Vectors(torch.cat(taken), self.y, self.size, self.mean, self.std)

    def raw(self, chosen: Tensor | slice) -> Tensor:
        """Some pictures (n, C, H, W) with values from 0 to 1, as large as they are held."""
        return self.x[chosen].float().div_(255)

    def ready(self, raw: Tensor) -> Tensor:
        """The network's input: enlarged or made smaller, then normalised."""
        if raw.shape[2:] != self.size:
            smaller = raw.shape[2] > self.size[0]
            raw = F.interpolate(raw, self.size, mode="bilinear", antialias=smaller)
        return raw.sub(self.mean).div_(self.std) if self._normalised else raw

    @cached_property
    def _normalised(self) -> bool:
        """Kept: each look at the values waits for all that the device has to do."""
        return bool(self.mean.any() or (self.std != 1).any())


@dataclass(frozen=True)
class Vectors(Pictures):
    """x: (N, ...) float32, what a layer is given in the place of pictures."""

    def raw(self, chosen: Tensor | slice) -> Tensor:
        return self.x[chosen]

    def ready(self, raw: Tensor) -> Tensor:
        return raw


def pictures(images: ImageSet, preprocess: Preprocess, device: torch.device, progress: Progress = unheard) -> Pictures:
    """An image set for a network with this preprocessing.

    A set that is held as an array, as large as it is and of the network's channels, is taken as it is and resized in
    batches; all others are cropped as the network sees them. Raises BadFile for one that cannot be read.
    """
    assert images.labels is not None
    array, channels = images.array, preprocess.channels
    if array is not None and (1 if array.ndim == 3 else array.shape[3]) == channels and _square(array, preprocess):
        x = torch.from_numpy(array)[:, None] if array.ndim == 3 else torch.from_numpy(array).permute(0, 3, 1, 2)
    else:
        x = _cropped(images, preprocess, progress)
    mean, std = (torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (preprocess.mean, preprocess.std))
    y = torch.from_numpy(images.labels).long().to(device)
    return Pictures(x.contiguous().to(device), y, preprocess.size, mean, std)


def split(images: Pictures, share: float, seed: int) -> tuple[Pictures, Pictures | None]:
    """Those to train on and those kept apart, in the same proportions of classes; the test pictures are neither."""
    if not share:
        return images, None
    labels = images.y.cpu().numpy()
    try:
        own, apart = extra("sklearn.model_selection").train_test_split(
            np.arange(len(labels)), test_size=share, random_state=seed % 2**32, stratify=labels
        )
    except ValueError as error:
        raise BadValue(f"validation={share} cannot be kept apart of {len(labels)} pictures: {error}") from None
    return tuple(images.some(torch.from_numpy(np.sort(part)).to(images.x.device)) for part in (own, apart))  # type: ignore[return-value]


def _square(array: Any, preprocess: Preprocess) -> bool:
    """Whether resizing is all that the preprocessing does to such pictures."""
    height, width = array.shape[1:3]
    crops = isinstance(preprocess.resize, int) and preprocess.size != (preprocess.resize, preprocess.resize)
    return bool(height == width and preprocess.size[0] == preprocess.size[1] and not crops)


def check(images: ImageSet) -> None:
    """Raises ExplainError for pictures that cannot be trained on."""
    if images.labels is None or not images.classes:
        raise ExplainError(
            f"Image set {images.name!r} cannot be trained on: it needs labels, such as one folder for each class."
        )
    if not len(images):
        raise ExplainError(f"Image set {images.name!r} is empty.")
    counts = np.bincount(images.labels[images.labels >= 0], minlength=len(images.classes))
    if images.root is not None:
        folders = [path for path in sorted(Path(images.root).iterdir()) if path.is_dir() and path.name[0] != "."]
        empty = [path.name for path in folders if path.name not in images.classes]
        if empty:
            raise ExplainError(
                f"The class folder {empty[0]!r} of {images.name!r} has no pictures; add some, or remove it."
            )
    if images.labels.min() < 0:
        raise ExplainError(f"Image set {images.name!r} has pictures without a label; each needs one to be trained on.")
    if len(counts) < 2:
        raise ExplainError(f"Image set {images.name!r} has one class, {images.classes[0]!r}; training needs two.")


def _cropped(images: ImageSet, preprocess: Preprocess, progress: Progress) -> Tensor:
    """(N, C, h, w) uint8. Raises BadFile for a picture that cannot be read."""
    shape = len(images), preprocess.channels, *preprocess.size
    if np.prod(shape, dtype=float) > LARGEST:
        raise BadValue(
            f"{len(images):,} pictures of {shape[1:]} are {np.prod(shape, dtype=float) / 2**30:.0f} GiB; "
            f"at most {LARGEST >> 30} are held at once. Take fewer of them, or smaller ones."
        )
    x = np.empty(shape, np.uint8)

    def read(k: int) -> None:
        crop = preprocess.crop(images[k])
        if crop.dtype != np.uint8:
            raise NotSupported(
                f"{shorten(images.files[k])} has bands of {crop.dtype}; training takes pictures of uint8."
            )
        x[k] = preprocess.planes(crop).transpose(2, 0, 1)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, _ in enumerate(pool.map(read, range(len(images))), 1):
            if done % 64 == 0 or done == len(images):
                progress(done, len(images), "reading the pictures")
    return torch.from_numpy(x)
