"""What a map is asked about: a class, or a channel of a layer; and where methods look that look into a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import BadValue, NotSupported
from ..network.layers import channel_of, of_picture
from ..network.model import Model
from .channel import of_channel

__all__ = ["Target", "class_of", "layer_for", "target_of"]


class Target(NamedTuple):
    """`score` is what the network gives for it; a channel and a regressed number have no probability."""

    number: int
    name: str
    score: float
    probability: float | None

    @property
    def confidence_text(self) -> str:
        """How sure the network is of it."""
        return f"{self.score:.4g}" if self.probability is None else f"{self.probability:.1%}"


def target_of(model: Model, batch: Tensor, target: int | str | None, unit: str | None = None) -> Target:
    """A class by number or name, by default the predicted one; with `unit`, a channel of that layer, averaged over its
    positions, by default the one that stands out most."""
    if not unit:
        scores = model.ask(batch)[0]
        return class_of(model, scores, int(scores.argmax()) if _is_open(target) else model.target(target, None))
    place = of_picture(model.layer(unit))
    with model.exclusive() as net, torch.inference_mode(False), torch.no_grad():
        values = of_channel(net, place.name)(batch)[0].float().cpu()
    number = int(values.argmax()) if _is_open(target) else channel_of(place, target)
    return Target(number, f"channel {number} of {place.name}", float(values[number]), None)


def _is_open(target: Any) -> bool:
    return target is None or (isinstance(target, str) and not target)


def class_of(model: Model, scores: Tensor, number: int) -> Target:
    """A class by number, with its probability by the scores (classes,), where they have one."""
    chances = model.head.probabilities(scores)
    return Target(
        number, model.classes[number], float(scores[number]), None if chances is None else float(chances[number])
    )


def layer_for(model: Model, layer: str | None, unit: str | None = None) -> str:
    """The layer asked for, by default the last with maps as fine as the last convolution's. Raises BadValue for one
    behind the unit; a net without maps offers its last layer, which class activation maps refuse by name."""
    names = [one.name for one in model.scanned]
    if layer:
        place = of_picture(model.layer(layer)).name
        if unit and names.index(place) > names.index(unit):
            raise BadValue(f"Layer {place!r} comes after {unit!r}, whose channel is asked about; choose one before it.")
        return place
    try:
        last = model.last_maps.name
    except NotSupported:
        last = model.layers[-1].name if model.layers else ""
    return unit if unit and last and names.index(unit) < names.index(last) else last
