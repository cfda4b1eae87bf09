"""Pictures corrupted as a network sees them: in its own crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...corruption import CORRUPTIONS, GROUPS
from ...errors import NotSupported
from ...network.model import Model
from ..inputs import EntryName

__all__ = ["CORRUPTION", "crop_of", "in_order", "input_of"]

CORRUPTION = EntryName("explain.corruption:CORRUPTIONS", "gaussian_noise, frost, ...; by default all fifteen")


def in_order() -> list[str]:
    """All, as the paper has them; those that somebody has registered come last."""
    return list(dict.fromkeys([*(name for group in GROUPS.values() for name in group), *CORRUPTIONS]))


def crop_of(model: Model, picture: Any) -> Image.Image:
    """What the network sees of a picture: RGB, or grey where all its channels are of one. Raises NotSupported."""
    crop = model.preprocess.crop(picture)
    if crop.dtype != np.uint8 or crop.shape[2] != 3:
        raise NotSupported(f"Corruptions are of grey and RGB pictures; {model.name!r} sees other bands of this one.")
    return Image.fromarray(crop).convert("RGB" if model.preprocess.channels == 3 else "L")


def input_of(model: Model, crops: Sequence[Image.Image]) -> Tensor:
    """Such crops as the network's input (N, C, H, W), on its device."""
    scaled = [model.preprocess.scaled(np.asarray(crop.convert("RGB"))) for crop in crops]
    return torch.stack(scaled).to(model.device)
