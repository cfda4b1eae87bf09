"""What a prediction rests on, by any method of METHODS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution.target import target_within
from ..figure import Figure, Panel
from ..images import outline
from ..network.model import Model
from ..options import Choices
from ..progress import Progress, part, unheard
from ..trust import Verdict, check
from .inputs import MODEL, PICTURE, REGION, TARGET, EntryOptions, Layer
from .parts.picture import prepare
from .parts.result import BOX_COLOUR, Result, cells
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
    seen_of,
)
from .view import drawn, view

__all__ = ["CAVEAT", "Saliency", "compute", "range_of", "render"]


@dataclass(frozen=True, eq=False)
class Saliency(SaliencyMap, Result):
    """The map of one picture for one target; `region` (H, W) is the part of the picture that was asked about, None for
    all of it."""

    facts: dict[str, Any]
    region: NDArray[np.bool_] | None = None
    verdict: Verdict | None = None

    def with_verdict(self, verdict: Verdict) -> Saliency:
        """The same map after it was checked; the verdict goes with it wherever it goes."""
        return replace(self, verdict=verdict, facts={**self.facts, "checked": True, "verdict": verdict.level})

    @property
    def measures(self) -> dict[str, Any]:
        low, high = self.range
        found = {"target": self.target.name, "score": self.target.score, "min": low, "max": high}
        return {**found, "verdict": self.verdict.level, "words": self.verdict.words} if self.verdict else found

    @property
    def summary(self) -> str:
        checked = f"\n{_checked(self.verdict)}" if self.verdict else ""
        return f"{self.label} for {self.target.name} ({self.target.confidence_text}): {range_of(self)}{checked}"


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    method: Annotated[str, METHOD] = "gradient",
    target: Annotated[int | str | None, TARGET] = None,
    layer: Annotated[str | None, Layer("for methods that look into one", url="")] = None,
    unit: Annotated[str | None, Layer("explain a channel of this layer instead of a class", url="")] = None,
    region: Annotated[Any, REGION] = None,
    *,
    checked: Annotated[bool, Choices(True, False, help="with the verdict on how far it can be trusted")] = False,
    progress: Progress = unheard,
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> Saliency:
    """The map of one picture for one class (number, name, or None for the predicted one).

    `layer` is used by methods that look into one; by default the last with maps as fine as the last convolution's.
    With `unit`, a layer's name, the target is a channel of that layer instead, averaged over its positions; by default
    the one that stands out most on this picture.
    With `region`, the score of a class is the sum of its map over a part of the picture, for networks that segment:
    "predicted" for where the class is on this picture, a box (y0, x0, y1, x1), half open, in pixels of the network's
    input, or a boolean mask (H, W) of its size.
    With `checked` the map carries the verdict that `faithfulness` has of it, which takes some hundred passes more.
    """
    picture = prepare(model, image)
    within, asked = target_within(model, picture.batch, target, unit, region)
    question = ask(within, picture, asked, method, options, layer, unit)

    def percent(done: float, total: float, message: str = "") -> None:
        progress(int(100 * done / total), 100, message)

    made = make_map(question, picture, asked, part(percent, 0, 0.1) if checked else progress)
    facts = {"image": picture, "target": asked, "layer": looked_into(question)}
    result = Saliency(**vars(made), facts=facts, region=seen_of(within, picture.crop))
    if not checked:
        return result
    return result.with_verdict(check(question, most=0, progress=part(percent, 0.1, 1)).verdict)


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
    name, seen, where = result.target.name, result.crop, ""
    arrays: dict[str, NDArray[Any]] = {"heat": result.heat, "raw_map": result.raw_map, "crop": result.crop}
    if result.region is not None:
        arrays["region"] = result.region
        seen, where = outline(seen, result.region, BOX_COLOUR, max(1, len(seen) // 112)), ", summed within the outline"
    return Figure(
        title=f"{result.label} for {name}",
        panels=(
            Panel(seen, "What the network saw", f"{name} {result.target.confidence_text}{where}"),
            Panel(alone, f"{result.label}, {mode}", scale=scale),
            Panel(over, "Over the picture", scale=scale),
        ),
        facts=result.facts,
        note=f"{range_of(result)} {_checked(result.verdict) if result.verdict else CAVEAT}",
        arrays=arrays,
        table=cells(result.raw_map),
        alt=f"{result.label} map for {name}{f', checked: {result.verdict.level}' if result.verdict else ''}",
    )


def _checked(verdict: Verdict) -> str:
    return f"Checked: {verdict.level}. {verdict.words}"


def range_of(result: Saliency) -> str:
    """Least and greatest raw value, whether there is any positive evidence at all, and whether it all adds up."""
    low, high = result.range
    values = f"Raw values from {low:.4g} to {high:.4g}."
    if high <= 0:
        values = f"No positive evidence for this {'channel' if result.facts.get('unit') else 'class'}. {values}"
    if result.expected_sum is not None:
        total = float(result.raw_map.sum(dtype=np.float64))
        values += f" They add up to {total:.4g}, and should to {result.expected_sum:.4g}."
    return values
