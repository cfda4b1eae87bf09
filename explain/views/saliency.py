"""What a prediction rests on, by any method of METHODS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..attribution.target import target_of
from ..figure import Figure, Panel
from ..network.model import Model
from ..progress import Progress, unheard
from .inputs import MODEL, PICTURE, TARGET, EntryOptions, Layer
from .parts.picture import prepare
from .parts.result import Result, cells
from .parts.saliency_map import (
    CAVEAT,
    CLIP,
    COLOURS,
    METHOD,
    MODE,
    OPACITY,
    SaliencyMap,
    ask,
    draw,
    looked_into,
    make_map,
    scale_for,
)
from .view import drawn, view

__all__ = ["CAVEAT", "Saliency", "compute", "range_of", "render"]


@dataclass(frozen=True, eq=False)
class Saliency(SaliencyMap, Result):
    """The map of one picture for one target."""

    facts: dict[str, Any]

    @property
    def measures(self) -> dict[str, Any]:
        low, high = self.range
        return {"target": self.target.name, "score": self.target.score, "min": low, "max": high}

    @property
    def summary(self) -> str:
        return f"{self.label} for {self.target.name} ({self.target.confidence_text}): {range_of(self)}"


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    method: Annotated[str, METHOD] = "gradient",
    target: Annotated[int | str | None, TARGET] = None,
    layer: Annotated[str | None, Layer("for methods that look into one", url="")] = None,
    unit: Annotated[str | None, Layer("explain a channel of this layer instead of a class", url="")] = None,
    progress: Progress = unheard,
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> Saliency:
    """The map of one picture for one class (number, name, or None for the predicted one).

    `layer` is used by methods that look into one; by default the last with maps as fine as the last convolution's.
    With `unit`, a layer's name, the target is a channel of that layer instead, averaged over its positions; by default
    the one that stands out most on this picture.
    """
    picture = prepare(model, image)
    asked = target_of(model, picture.batch, target, unit)
    question = ask(model, picture, asked, method, options, layer, unit)
    made = make_map(question, picture, asked, progress)
    return Saliency(**vars(made), facts={"image": picture, "target": asked, "layer": looked_into(question)})


@drawn
def render(
    result: Saliency,
    *,
    mode: Annotated[str, MODE] = "absolute",
    opacity: Annotated[float, OPACITY] = 0.5,
    clip: Annotated[float, CLIP] = 99.5,
    colours: Annotated[str, COLOURS] = "inferno",
) -> Figure:
    """The picture, the map, and the map over the picture."""
    scale = scale_for([result], mode, clip, colours)
    alone, over = draw(result, scale, mode, opacity)
    name = result.target.name
    return Figure(
        title=f"{result.label} for {name}",
        panels=(
            Panel(result.crop, "What the network saw", f"{name} {result.target.confidence_text}"),
            Panel(alone, f"{result.label}, {mode}", scale=scale),
            Panel(over, "Over the picture", scale=scale),
        ),
        facts=result.facts,
        note=f"{range_of(result)} {CAVEAT}",
        arrays={"heat": result.heat, "raw_map": result.raw_map, "crop": result.crop},
        table=cells(result.raw_map),
        alt=f"{result.label} map for {name}",
    )


def range_of(result: SaliencyMap) -> str:
    """Least and greatest raw value, whether there is any positive evidence at all, and whether it all adds up."""
    low, high = result.range
    values = f"Raw values from {low:.4g} to {high:.4g}."
    if high <= 0:
        values = (
            f"No positive evidence for this {'channel' if result.target.probability is None else 'class'}. {values}"
        )
    if result.expected_sum is not None:
        total = float(result.raw_map.sum(dtype=np.float64))
        values += f" They add up to {total:.4g}, and should to {result.expected_sum:.4g}."
    return values
