"""What a map is asked about: a class, or a channel of a layer; and where methods look that look into a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import BadValue, NotSupported, enumerate_some
from ..network.heads import labels_of
from ..network.layers import channel_of, of_picture
from ..network.model import Model
from ..network.region import Region
from .channel import of_channel

__all__ = ["Asked", "NowhereError", "Target", "class_of", "layer_for", "target_of", "target_within"]

Asked = str | tuple[int, ...] | Region | None
"""What a class of a segmentation is asked about: "predicted", a box y0, x0, y1, x1, pixels, or what its head says."""


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


class NowhereError(NotSupported):
    """A class that is predicted nowhere on a picture has no region there."""


def target_within(
    model: Model, batch: Tensor, target: int | str | None, unit: str | None = None, region: Asked = None
) -> tuple[Model, Target]:
    """The same of a part of a segmentation: with the target the model that is asked about that part.

    "predicted" is where the class is the likeliest on this very picture, by default the class of most places; it stays
    there when the picture is changed. Raises NotSupported where that is nowhere.
    """
    if region is None:
        return model, target_of(model, batch, target, unit)
    if unit:
        raise BadValue("A region is of a class's map; the channel of a layer that was given as unit has none.")
    if isinstance(region, str):
        labels = labels_of(model.chances_by_place(batch))[0]
        places = labels[labels >= 0].bincount(minlength=len(model.classes))
        number = int(places.argmax()) if _is_open(target) else model.target(target, None)
        if not places[number]:
            there = enumerate_some([model.classes[k] for k in places.nonzero()[:, 0].tolist()]) or "nothing"
            raise NowhereError(f"Class {model.classes[number]!r} is predicted nowhere on this picture; {there} is.")
        region, target = Region.of_mask((labels == number).numpy()), number
    elif not isinstance(region, Region):
        region = Region.of_box(region, model.preprocess.size)
    asked = model.asked_about(region)
    return asked, target_of(asked, batch, target)


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
