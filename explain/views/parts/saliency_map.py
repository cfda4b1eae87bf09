"""One saliency map: asked of one picture for one target, and drawn over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...attribution.target import Target, layer_for
from ...errors import NotSupported
from ...figure import Pixels, Scale
from ...images import colour, overlay, resize, unit_scale
from ...network.model import Model
from ...options import Choices, Range
from ...progress import Progress, listening, unheard
from ...trust import CHECKED, Question
from ..inputs import EntryName
from .picture import PreparedPicture

__all__ = [
    "CAVEAT",
    "CLIP",
    "COLOURS",
    "METHOD",
    "MODE",
    "OPACITY",
    "SaliencyMap",
    "ask",
    "draw",
    "looked_into",
    "make_map",
    "scale_for",
    "seen_of",
]

METHOD = EntryName("explain.trust:CHECKED", "gradient, grad_cam, ...; a wrong name lists them all; edges is a control")
MODE = Choices("absolute", "positive", "signed", help="which values are drawn")
OPACITY = Range(0, 1, help="of the map over the picture")
CLIP = Range(50, 100, help="percentile of absolute values at which the colours end")
COLOURS = Choices("inferno", "viridis", "grey", help="of unsigned values")
CAVEAT = "Saliency maps can be misleading or uninformative (Adebayo et al. 2018); faithfulness is not checked yet."
EMPTY = 235  # the grey of a map that has nothing to show


@dataclass(frozen=True, eq=False)
class SaliencyMap:
    """`raw_map` (h, w), float32, as the method gives it; `crop` (H, W, 3) is the picture that the network saw.

    `target` is a class, with its probability, or a channel, with none. `expected_sum` is what the method says that the
    map adds up to, where it says so.
    """

    method: str
    raw_map: NDArray[np.float32]
    target: Target
    expected_sum: float | None
    crop: Pixels

    @property
    def label(self) -> str:
        return CHECKED[self.method].label

    @cached_property
    def heat(self) -> NDArray[np.float32]:
        """The raw values at the picture's size (H, W)."""
        size = self.crop.shape[:2]
        return self.raw_map if self.raw_map.shape == size else np.asarray(resize(self.raw_map, size), np.float32)

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest raw value."""
        return float(self.heat.min()), float(self.heat.max())


def ask(
    model: Model,
    picture: PreparedPicture,
    target: Target,
    method: str,
    options: Mapping[str, Any],
    layer: str | None = None,
    unit: str | None = None,
) -> Question:
    """What the map answers; `layer` is for methods that look into one, by default the last with fine maps."""
    entry = CHECKED[method]
    place = layer_for(model, layer if entry.takes("layer") else None, unit)
    return Question(model, entry, options, picture.batch, target.number, place, unit)


def looked_into(question: Question) -> str | None:
    """The layer that the method looks into; None for a method that looks into none."""
    return question.layer if question.entry.takes("layer") else None


def make_map(question: Question, picture: PreparedPicture, target: Target, progress: Progress = unheard) -> SaliencyMap:
    """The answer. `progress` hears percents, where the method tells of its work. Raises NotSupported where the method
    refuses this network, or gives values that are not finite."""
    name, label = question.entry.name, question.entry.label

    def of_the_map(done: float, total: float, message: str = "") -> None:
        progress(int(100 * done / total), 100, label)

    with question.model.exclusive() as net, listening(of_the_map):
        raw_map, expected_sum = question.answer(net), question.expected_sum(net)
    if not np.isfinite(raw_map).all():
        raise NotSupported(
            f"Method {name!r} gives values that are not finite for this network and picture; occlusion, which needs no "
            "gradient, may."
        )
    return SaliencyMap(name, raw_map, target, expected_sum, picture.crop)


def seen_of(model: Model, crop: Pixels) -> NDArray[np.bool_] | None:
    """The part (H, W) of what the network saw that the model is asked about; None for all of it."""
    region = model.head.region
    return None if region is None else np.asarray(region.shares(crop.shape[:2]) >= 0.5)


def scale_for(maps: Sequence[SaliencyMap], mode: str, clip: float, colours: str) -> Scale | None:
    """One scale for all: symmetric about zero where signs are drawn; None where there is nothing to draw."""
    values = np.abs(np.concatenate([_values(one, mode).ravel() for one in maps]))
    limit = float(np.percentile(values, clip)) or float(values.max())
    if limit == 0:
        return None
    labels = dict.fromkeys(one.label for one in maps)
    label = f"{', '.join(labels) if len(labels) < 3 else 'all methods'}, raw units"
    return Scale("red-blue", -limit, limit, label) if mode == "signed" else Scale(colours, 0.0, limit, label)


def draw(one: SaliencyMap, scale: Scale | None, mode: str, opacity: float) -> tuple[Pixels, Pixels]:
    """The map alone and over the picture; an empty map is plain grey, and leaves the picture as it is."""
    if scale is None:
        return np.full_like(one.crop, EMPTY), one.crop
    drawn = colour(unit_scale(_values(one, mode), scale.low, scale.high), scale.cmap)
    return drawn, overlay(one.crop, drawn, opacity)


def _values(one: SaliencyMap, mode: str) -> NDArray[np.float32]:
    if mode == "signed":
        return one.heat
    return np.abs(one.heat) if mode == "absolute" else np.maximum(one.heat, 0)
