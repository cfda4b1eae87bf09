"""A map of an index's pictures: where each lies, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..columns import Column, columns_of, extended
from ..index import Index
from ..index.references import file_name

__all__ = ["PictureMap", "Placed"]


@dataclass(frozen=True, eq=False)
class Placed:
    """Another picture on the map: its place, the numbers of the index's pictures nearest to it, and which it is."""

    place: NDArray[np.float32]
    nearest: NDArray[np.int64]
    picture: Image.Image
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        name = self.facts["image"]
        return Path(name).name[:24] if name and not name.startswith("upload/") else "your picture"


@dataclass(frozen=True, eq=False)
class PictureMap:
    """Points (N, 2) or (N, 3) of the pictures that could be read; `images` are their numbers in the index (N,).

    trust, kept (N,): how far each point's neighbours on the map are its true ones (`fidelity`); None if not measured.
    mean (D,), axes (D, 2 or 3): of a linear map, where any vector lies: (vector - mean) @ axes.
    """

    index: Index
    points: NDArray[np.float32]
    images: NDArray[np.int64]
    facts: dict[str, Any]
    trust: NDArray[np.float32] | None = None
    kept: NDArray[np.float32] | None = None
    mean: NDArray[np.float32] | None = None
    axes: NDArray[np.float32] | None = None
    placed: tuple[Placed, ...] = ()

    @cached_property
    def files(self) -> tuple[str, ...]:
        return tuple(file_name(self.index, self.index.images.files[k]) for k in self.images.tolist())

    @cached_property
    def labels(self) -> list[str | None]:
        return [self.index.label(k) for k in self.images.tolist()]

    @cached_property
    def predictions(self) -> list[str]:
        return [self.index.prediction(k) or "" for k in self.images.tolist()]

    @cached_property
    def right(self) -> list[bool | None]:
        """Whether the prediction is the label; None where that cannot be judged."""
        return [None if one < 0 else bool(one) for one in self.index.right[self.images].tolist()]

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(N,), the probability of each prediction."""
        first: NDArray[np.float32] = self.index.probabilities[self.images, 0]
        return first

    @cached_property
    def table(self) -> dict[str, list[Any]]:
        """One row a picture."""
        columns = {
            "image": self.images.tolist(),
            "file": list(self.files),
            "label": self.labels,
            "prediction": self.predictions,
            "right": self.right,
            "confidence": self.confidence.tolist(),
            **{axis: self.points[:, k].tolist() for axis, k in zip("xyz", range(self.points.shape[1]), strict=False)},
        }
        for name in ("trust", "kept"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name).tolist()
        return extended(columns, self.index.columns, self.images.tolist())

    @cached_property
    def columns(self) -> dict[str, Column]:
        """What the pictures' table says of them, to colour and filter by."""
        return columns_of({name: [row[k] for k in self.images.tolist()] for name, row in self.index.columns.items()})
