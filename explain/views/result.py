"""What all results share: facts, a figure, and saving it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from PIL import Image

from ..figure import Figure
from ..images import as_image
from ..model import Model
from ..store import sha256

__all__ = ["Result", "picture_facts"]


class Result(ABC):
    """The outcome of a view: plain arrays plus `facts`."""

    facts: dict[str, Any]

    @abstractmethod
    def figure(self, **style: Any) -> Figure:
        """The result drawn; the style is that of the view's render function."""

    def save(self, path: str | Path, *, width_mm: float = 180, dpi: int = 200, **style: Any) -> Path:
        """Draw and write, in the format of the path's extension."""
        return self.figure(**style).save(path, width_mm=width_mm, dpi=dpi)


def picture_facts(model: Model, image: Any) -> dict[str, Any]:
    """The picture's name where it has one, and the digest of the pixels that the net saw."""
    name = str(image) if isinstance(image, (str, Path)) else str(_info(image).get("name", ""))
    return {"image": Path(name).name if Path(name).is_absolute() else name, "pixels": sha256(model.preprocess.crop(image).tobytes())}


def picture_size(image: Any) -> tuple[int, int]:
    """Width and height of the upright picture."""
    return image.size if isinstance(image, Image.Image) else as_image(image).size


def _info(image: Any) -> dict[str, Any]:
    return image.info if isinstance(image, Image.Image) else {}
