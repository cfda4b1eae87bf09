"""A picture as a network takes it, with the facts that lead back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...images import Bands, as_image
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
    """The picture prepared once. Its facts are its name where it has one, the digest of the pixels, and what was done
    to it when it was read."""
    name = str(image) if isinstance(image, (str, Path)) else str(_info(image).get("name", ""))
    image = as_image(image)
    crop = model.preprocess.crop(image)
    batch = model.preprocess.scaled(crop)[None].to(model.device)
    facts: dict[str, Any] = {"image": shown(name), "pixels": sha256(crop.tobytes())}
    if "covered" in image.info:
        facts["covered"] = image.info["covered"]
    if image.info.get("notes"):
        facts["image_notes"] = list(image.info["notes"])
    return PreparedPicture(model.preprocess.shown(crop), batch, facts)


def _info(image: Any) -> dict[Any, Any]:
    return image.info if isinstance(image, Image.Image | Bands) else {}
