"""Probabilities averaged: over ten crops of a picture, and over several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadValue
from ..network.model import Model

__all__ = ["averaged", "ten_crop_scores"]


@torch.no_grad()
def ten_crop_scores(net: nn.Module, batch: Tensor, size: int | tuple[int, int], *, flip: bool = True) -> Tensor:
    """Mean softmax (N, K) over the four corners, the centre and, with `flip`, their mirror images (AlexNet).

    batch: the net's input, of at least this size; the net is in eval mode already. Raises BadValue.
    """
    from torchvision.transforms.v2.functional import five_crop

    sides = (size, size) if isinstance(size, int) else size
    if not all(1 <= side <= whole for side, whole in zip(sides, batch.shape[-2:], strict=True)):
        raise BadValue(f"Crops of {sides} do not fit into pictures of {tuple(batch.shape[-2:])}.")
    crops = five_crop(batch, list(sides))
    views = [*crops, *(crop.flip(-1) for crop in crops)] if flip else crops
    return torch.stack([net(view).softmax(1) for view in views]).mean(0)


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
