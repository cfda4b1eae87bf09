"""Probabilities averaged: over ten crops of a picture, and over several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadValue
from ..network.model import Model

__all__ = ["averaged", "crop_chances", "ten_crop_scores"]


@torch.no_grad()
def ten_crop_scores(net: nn.Module, batch: Tensor, size: int | tuple[int, int], *, flip: bool = True) -> Tensor:
    """Mean softmax (N, K) over the four corners, the centre and, with `flip`, their mirror images (AlexNet).

    batch: the net's input, of at least this size; the net is in eval mode already. Raises BadValue.
    """
    return torch.stack([net(view).softmax(1) for view in _crops(batch, size, flip)]).mean(0)


def crop_chances(model: Model, images: Any, margin: int, *, flip: bool = True) -> Tensor:
    """Probabilities (10, N, K) of ten crops, on the CPU, or of five: of what the network sees of a picture, enlarged by
    `margin` pixels each way, parts of the size that it takes. Their mean is what AlexNet's authors report."""
    size, batch = model.preprocess.size, model.batch(images)
    large = F.interpolate(batch, (size[0] + margin, size[1] + margin), mode="bilinear") if margin else batch
    return torch.stack([model.chances(model.ask(view)) for view in _crops(large, size, flip)])


def _crops(batch: Tensor, size: int | tuple[int, int], flip: bool) -> list[Tensor]:
    """The corners and the centre, then their mirror images."""
    from torchvision.transforms.v2.functional import five_crop

    sides = (size, size) if isinstance(size, int) else size
    if not all(1 <= side <= whole for side, whole in zip(sides, batch.shape[-2:], strict=True)):
        raise BadValue(f"Crops of {sides} do not fit into pictures of {tuple(batch.shape[-2:])}.")
    crops = five_crop(batch, list(sides))
    return [*crops, *(crop.flip(-1) for crop in crops)] if flip else list(crops)


def averaged(models: Sequence[Model], images: Any) -> Tensor:
    """Mean softmax (N, K) of an ensemble, on the CPU; each model prepares the pictures in its own way.

    Raises BadValue where there is no model, or where classes differ.
    """
    if not models:
        raise BadValue("There are no models to average; give at least one.")
    for model in models:
        if model.classes != models[0].classes:
            raise BadValue(
                f"Models {models[0].name!r} and {model.name!r} cannot be averaged: their classes or the order differ "
                f"({len(models[0].classes)} and {len(model.classes)} classes)."
            )
    return torch.stack([model.chances(model.scores(images)) for model in models]).mean(0)
