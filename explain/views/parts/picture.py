"""A picture as a network takes it, with the facts that lead back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...images import Bands
from ...network.model import Model
from ...store import sha256
from ..inputs import shown

__all__ = ["PreparedPicture", "prepare"]


class PreparedPicture(NamedTuple):
    """A picture as the net takes it: its pixels to look at (H, W, 3), its batch of one, and its facts."""

    crop: NDArray[np.uint8]
    batch: Tensor
    facts: dict[str, Any]


def prepare(model: Model, image: Any) -> PreparedPicture:
    """The picture prepared once. Its facts are its name where it has one, and the digest of the pixels."""
    crop = model.preprocess.crop(image)
    name = str(image) if isinstance(image, (str, Path)) else str(_info(image).get("name", ""))
    batch = model.preprocess.scaled(crop)[None].to(model.device)
    covered = {"covered": _info(image)["covered"]} if "covered" in _info(image) else {}
    return PreparedPicture(
        model.preprocess.shown(crop), batch, {"image": shown(name), "pixels": sha256(crop.tobytes()), **covered}
    )


def _info(image: Any) -> dict[Any, Any]:
    return image.info if isinstance(image, Image.Image | Bands) else {}
