"""What a network says of a picture and where it sees it: the sentence, and the first map that it allows."""

from typing import Any

import torch

from explain.attribution.target import class_of
from explain.errors import NotSupported
from explain.network.model import Model
from explain.ui import caches
from explain.ui.parts.saliency_choices import SALIENCY, first_method, is_quick

__all__ = ["first_map", "sentence"]


def sentence(model: Model, scores: torch.Tensor) -> tuple[str, str]:
    """The likeliest class, and how sure the network is, in words."""
    number = int(scores.argmax())
    return model.classes[number], class_of(model, scores, number).confidence_text


def first_map(model: Model, picture: Any) -> Any:
    """The saliency of the likeliest class by a method that the network allows and that takes a moment; None where there
    is none."""
    for method in dict.fromkeys((first_method(model), "gradient")):
        if not is_quick(model, [method]):
            continue
        try:
            return caches.computed(SALIENCY, {"model": model, "image": picture, "method": method})
        except NotSupported:
            continue
    return None
