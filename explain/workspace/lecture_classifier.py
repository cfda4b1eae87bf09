"""The lectures' image classifier as three functions: `train` (in training), `predict` and `classify_image`."""

from __future__ import annotations

from typing import Any

from ..data import ImageSet, load_images
from ..network.model import Model
from .models import load_model

__all__ = ["classify_image", "predict"]

AT_ONCE = 64


def predict(model: Model | str, images: Any) -> list[str]:
    """The likeliest class of each picture; images: what load_images takes, or a sequence of pictures."""
    model = load_model(model) if isinstance(model, str) else model
    whole = isinstance(images, ImageSet | str) or all(isinstance(one, str) for one in images)
    pictures = load_images(images) if whole else images
    names: list[str] = []
    for start in range(0, len(pictures), AT_ONCE):
        some = [pictures[k] for k in range(start, min(start + AT_ONCE, len(pictures)))]
        names += [ranked[0][0] for ranked in model.predict(some, 1)]
    return names


def classify_image(image: Any, model: Model | str = "efficientnet-lite0") -> str:
    """The likeliest class of one picture: a file, a PIL image or an array."""
    model = load_model(model) if isinstance(model, str) else model
    picture = load_images(image)[0] if isinstance(image, str) else image
    return model.predict(picture, 1)[0][0][0]
