"""How far one saliency map can be trusted: the measurements of explain.trust, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution import METHODS
from ..attribution.target import Target, target_within
from ..figure import Chart, Figure, Line, Panel, Pixels
from ..figure.palette import RIGHT, UNKNOWN, WRONG
from ..images import colour, overlay, unit_scale
from ..network.model import Model
from ..options import Choices, Range
from ..progress import Progress, unheard
from ..trust import CHECKED, ORDERS, WEIGHTS, Curve, Stage, Trust, Verdict, check, shares
from .inputs import MODEL, PICTURE, REGION, TARGET, EntryOptions, Layer, ModelInput
from .parts.picture import prepare
from .parts.result import Result
from .parts.saliency_map import METHOD, OPACITY, ask, looked_into
from .view import drawn, view

__all__ = ["PARTS", "Faithfulness", "compute", "render"]

PARTS = {"strip": "Maps of randomised networks", "curves": "Deletion and insertion", "stages": "Likeness by stage"}

BEST = (170, 170, 170)
CLIP = 99.5  # percentile of absolute values at which the colours of a map end


@dataclass(frozen=True, eq=False)
class Faithfulness(Result):
    """What was measured of a map of `crop`, the pixels that the network saw, for a target."""

    trust: Trust
    target: Target
    crop: Pixels
    facts: dict[str, Any]

    @property
    def verdict(self) -> Verdict:
        return self.trust.verdict

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a number."""
        return {"measure": list(self.trust.numbers), "value": list(self.trust.numbers.values())}

    @property
    def measures(self) -> dict[str, Any]:
        return {"verdict": self.verdict.level, "words": self.verdict.words, **self.trust.numbers}

    @property
    def summary(self) -> str:
        lines = [f"{value:9.4f}  {name}" for name, value in self.trust.numbers.items()]
        lines += [f"not compared with {name}: {why}" for name, why in self.trust.refused.items()]
        return "\n".join([*lines, f"{self.verdict.level}: {self.verdict.words}"])


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
    portions: Annotated[int, Range(2, 500, help="in which pixels are replaced; they grow by the square")] = 12,
    check_seed: Annotated[int, Range(0, 2**31 - 1, help="of the controls and of the weights put in")] = 0,
    stages: Annotated[str, Choices("cascading", "independent", help="how weights are randomised")] = "cascading",
    control: Annotated[Model | None, ModelInput("the same network trained with shuffle_labels=True")] = None,
    progress: Progress = unheard,
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> Faithfulness:
    """Everything that can be measured of one map; of it, `region` and `options`, which are the method's, as `saliency`
    has it.

    The method "edges" is a control that no check may pass, and `control` the same network trained on shuffled labels.
    Pixels are hidden by the picture's mean colour and by its blurred self, the mean of both is shown. `progress` hears
    percents; what it raises stops the check and leaves all as it was.
    """
    progress(0, 100, "the picture")
    picture = prepare(model, image)
    within, asked = target_within(model, picture.batch, target, unit, region)
    question = ask(within, picture, asked, method, options, layer, unit)
    cascading = stages == "cascading"
    measured = check(question, steps=portions, seed=check_seed, cascading=cascading, control=control, progress=progress)
    facts = {"image": picture, "target": asked, "layer": looked_into(question), "verdict": measured.verdict.level}
    return Faithfulness(measured, asked, picture.crop, facts)


@drawn
def render(
    result: Faithfulness,
    *,
    part: Annotated[str, Choices(*PARTS, help="maps by stage, deletion and insertion, or likeness by stage")] = "strip",
    opacity: Annotated[float, OPACITY] = 0.5,
) -> Figure:
    """The evidence as a strip of maps or as curves; the verdict stands under each, the numbers are the table."""
    trust, name = result.trust, CHECKED[result.facts["method"]].label
    panels: list[Panel] | list[Chart]
    panels = _strip(result, opacity) if part == "strip" else _curves(result) if part == "curves" else _stages(result)
    title = {
        "strip": f"What is left of {name} for {result.target.name} when weights are randomised",
        "curves": f"What {name} finds of {result.target.name}",
        "stages": f"How like {name} stays to itself when weights are randomised",
    }[part]
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=-(-len(panels) // 2) if len(panels) > 4 else len(panels),
        facts=result.facts,
        note=f"{result.verdict.level.capitalize()}. {result.verdict.words}{_refused(trust)}",
        arrays={
            "heat": trust.heat,
            "crop": result.crop,
            "stages": np.stack([stage.heat for stage in trust.stages]),
            **({"shuffled_labels": trust.relabelled.heat} if trust.relabelled else {}),
            **{f"deletion_{order}": _values(curves) for order, curves in trust.deletion.items()},
            **{f"insertion_{order}": _values(curves) for order, curves in trust.insertion.items()},
        },
        table=result.table,
        alt=f"{title}. The check's verdict: {result.verdict.level}.",
    )


def _refused(trust: Trust) -> str:
    names = " and ".join(METHODS[name].label for name in trust.refused)
    return f" Not compared with {names}: not applicable to this network." if trust.refused else ""


def _values(curves: Sequence[Curve]) -> NDArray[np.float64]:
    return np.stack([curve.values for curve in curves])


def _strip(result: Faithfulness, opacity: float) -> list[Panel]:
    """The picture under its map, the map, and the map of each stage, each on a scale of its own."""
    own = _painted(result.trust.heat)
    over = result.crop if np.ptp(result.trust.heat) == 0 else overlay(result.crop, own, opacity)
    stages = [
        Panel(_painted(stage.heat), _named(stage, k, result), _likeness(stage))
        for k, stage in enumerate(result.trust.stages)
    ]
    if by_lot := result.trust.relabelled:
        stages.append(Panel(_painted(by_lot.heat), "Trained on shuffled labels", _likeness(by_lot)))
    return [
        Panel(over, "Over the picture", f"{result.target.name} {result.target.confidence_text}"),
        Panel(own, "The trained network", "rank correlation 1"),
        *stages,
    ]


def _painted(heat: NDArray[np.float32]) -> Pixels:
    values = np.abs(heat)
    limit = float(np.percentile(values, CLIP)) or float(values.max())
    return colour(unit_scale(values, 0.0, limit), "inferno") if limit else np.full((*heat.shape, 3), 235, np.uint8)


def _named(stage: Stage, k: int, result: Faithfulness) -> str:
    """What was randomised: with stages that add up, everything from the head down to here."""
    if result.facts["stages"] == "cascading" and k:
        return f"… down to {stage.layers[-1]}"
    return stage.layers[0] if len(stage.layers) == 1 else f"{stage.layers[-1]} to {stage.layers[0]}"


def _likeness(stage: Stage) -> str:
    both = f"{stage.signed:.2f}" if abs(stage.signed - stage.absolute) < 0.005 else f"{stage.signed:.2f}, without signs"
    if both.endswith("signs"):
        both += f" {stage.absolute:.2f}"
    return f"rank correlation {both}".replace("-", "−")


def _curves(result: Faithfulness) -> list[Chart]:
    trust, is_class = result.trust, result.target.probability is not None
    what = "probability" if is_class else "mean response" if result.facts.get("unit") else "score"
    charts = []
    for name, found in (("Deletion", trust.deletion), ("Insertion", trust.insertion)):
        every = np.concatenate([_values(curves) for curves in found.values()])
        low, high = (0.0, 1.0) if is_class else (float(every.min()), float(every.max()))
        share = 100 * shares(every.shape[1] - 1)
        moved, best = _values(found["moved"]), found["best"][0].values
        lines = (
            Line("the same map moved by chance", _points(share, moved.mean(0)), UNKNOWN, band=_band(moved)),
            Line(f"the best map known ({CHECKED[trust.best].label})", _points(share, best), BEST, dashed=True),
            Line("an edge map", _points(share, found["edges"][0].values), WRONG),
            Line("this map", _points(share, found["map"][0].values), RIGHT, width=2.4),
        )
        at = 0 if name == "Deletion" else 1
        areas = {order: f"{trust.areas(order)[at]:.2f}" for order in ORDERS}
        better = "lower" if name == "Deletion" else "higher"
        into = "hidden" if name == "Deletion" else "shown"
        charts.append(
            Chart(
                lines,
                (0.0, 100.0),
                (low, high if high > low else low + 1),
                (f"% of pixels {into}", what),
                title=f"{name}: {better} is better",
                caption=f"Area {areas['map']}; moved {areas['moved']}, edges {areas['edges']}, "
                f"best map known {areas['best']}.",
            )
        )
    return charts


def _points(x: NDArray[np.float64], y: Any) -> NDArray[np.float64]:
    return np.stack([x, np.asarray(y, np.float64)], 1)


def _band(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([values.min(0), values.max(0)], 1)


def _stages(result: Faithfulness) -> list[Chart]:
    stages = result.trust.stages
    place = np.arange(len(stages) + 1.0)
    absolute, signed = [1.0, *(stage.absolute for stage in stages)], [1.0, *(stage.signed for stage in stages)]
    ssim = [1.0, *(0.0 if stage.ssim is None else stage.ssim for stage in stages)]
    limit = np.array([[0.0, WEIGHTS], [len(stages), WEIGHTS]])
    lines = [
        Line("limit of the verdict", limit, UNKNOWN, dashed=True),
        Line("SSIM", _points(place, ssim), (185, 172, 112), dots=True),
        Line("rank correlation without signs", _points(place, absolute), WRONG, dots=True),
        Line("rank correlation", _points(place, signed), RIGHT, dots=True, width=2.0),
    ]
    if absolute == signed:
        del lines[2]
    if any(stage.ssim is None for stage in stages):  # a map too small for its window
        del lines[1]
    lowest = min(0.0, *absolute, *signed, *ssim)
    ticks = ((0.0, "trained"), *((k + 1.0, stage.layers[-1]) for k, stage in enumerate(stages)))
    alone, by_lot = result.facts["stages"] == "independent", result.trust.relabelled
    labels = f" Trained on shuffled labels: {_likeness(by_lot)}." if by_lot else ""
    return [
        Chart(
            tuple(lines),
            (0.0, float(len(stages))),
            (-1.0 if lowest < -0.5 else -0.5 if lowest < 0 else 0.0, 1.0),
            (
                "randomised, each alone" if alone else "randomised from the head down to",
                "likeness with the trained network's map",
            ),
            x_ticks=ticks,
            height=0.4,
            caption=f"{len(result.trust.untrained)} untrained networks: rank correlation {result.trust.left[1]:.2f}, "
            f"without signs {result.trust.left[0]:.2f}.{labels}".replace("-", "−"),
        )
    ]
