"""Image sets of map-style torch datasets."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadFile, BadValue, ExplainError, shorten
from ..images import Picture, as_image
from .image_sets import ImageSet

__all__ = ["from_dataset"]

IN_MEMORY = 256 << 20  # bytes of pictures of one size that are held; others are asked for again when they are needed


def from_dataset(dataset: Any, name: str = "dataset") -> ImageSet:
    """A map-style torch dataset of (picture, label), or of pictures alone.

    Pictures are PIL images, uint8 arrays (H, W) or (H, W, C), or tensors (C, H, W) of bytes or from 0 to 1; a dataset
    that says its transform is asked without it. Those of one size are read once if they are few, others when they are
    asked for, one at a time, as the dataset may not stand several threads. Raises BadValue, BadFile.
    """
    count = len(dataset)
    if not count:
        raise BadValue(f"The dataset {name!r} is empty.")
    made = _Made(_without_transform(dataset), name)
    files = tuple(f"{name}/{k:05}" for k in range(count))
    first = made.array(0)
    targets: Any = None if getattr(dataset, "target_transform", None) else getattr(dataset, "targets", None)
    known = targets is not None and len(targets) == count
    numbers = np.array([_label(one) for one in targets] if known else [-1] * count, np.int64)
    arrays: list[NDArray[np.uint8]] | None = [] if first.nbytes * count <= IN_MEMORY else None
    for k in range(count) if arrays is not None or not known else ():
        array, label = made.pair(k)
        numbers[k] = numbers[k] if known else _label(label)
        if arrays is not None:
            arrays = [*arrays, array] if array.shape == first.shape else None
    classes = [str(one) for one in getattr(dataset, "classes", range(int(numbers.max()) + 1))]
    labelled = bool((numbers >= 0).any())
    labels, named = (numbers, tuple(classes)) if labelled else (None, ())
    if arrays is None:
        return ImageSet(name, files, labels, named, source=made)
    return ImageSet(name, files, labels, named, np.stack(arrays))


class _Made(Sequence[Picture]):
    """The pictures as the dataset gives them."""

    def __init__(self, dataset: Any, name: str, numbers: Sequence[int] | None = None) -> None:
        self._dataset, self._name = dataset, name
        self._numbers = range(len(dataset)) if numbers is None else numbers
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Made(self._dataset, self._name, self._numbers[index])
        return as_image(self.array(index))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def array(self, index: int) -> NDArray[np.uint8]:
        """(H, W) or (H, W, 3), uint8."""
        return self.pair(index)[0]

    def pair(self, index: int) -> tuple[NDArray[np.uint8], Any]:
        """The same, and what the dataset says of it. Raises BadFile where it raises, BadValue for no picture."""
        try:
            with self._lock:
                item = self._dataset[self._numbers[index]]
        except ExplainError:
            raise
        except Exception as error:  # whatever a stranger's dataset raises
            said = f"{type(error).__name__}: {error}"
            raise BadFile(f"Picture {index} of the dataset {self._name!r} cannot be read: {shorten(said)}.") from error
        picture, label = (item[0], item[1] if len(item) > 1 else -1) if isinstance(item, (tuple, list)) else (item, -1)
        if isinstance(picture, torch.Tensor):
            picture = _of_tensor(picture, self._name)
        array = np.asarray(picture.convert("RGB") if hasattr(picture, "convert") and picture.mode != "L" else picture)
        if array.dtype != np.uint8 or array.ndim not in (2, 3):
            raise BadValue(
                f"The dataset {self._name!r} gives {array.dtype} {array.shape} for picture {index}; pictures are PIL "
                "images, or uint8 (H, W) or (H, W, C)."
            )
        return array, label


def _of_tensor(tensor: torch.Tensor, name: str) -> NDArray[Any]:
    """The picture that a tensor was made of. Raises BadValue for a normalised one: how, is not known."""
    array = tensor.detach().cpu().numpy()
    array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not (array >= 0).all() or not (array <= 1).all():
        raise BadValue(
            f"The dataset {name!r} gives tensors that are not from 0 to 1; give it without its normalisation, which "
            "belongs to the model's preprocessing."
        )
    return np.round(array * 255).astype(np.uint8)


def _without_transform(dataset: Any) -> Any:
    """The dataset as it is, or a copy of it that leaves the pictures alone."""
    if getattr(dataset, "transform", None) is None:
        return dataset
    bare = copy.copy(dataset)
    bare.transform = None
    if getattr(dataset, "transforms", None) is not None:
        bare.transforms = type(dataset.transforms)(None, getattr(dataset, "target_transform", None))
    return bare


def _label(value: Any) -> int:
    return int(value) if np.ndim(value) == 0 else -1
