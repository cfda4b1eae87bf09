"""What a prediction rests on, by any method of METHODS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution import METHODS
from ..attribution.target import layer_for, target_of
from ..errors import NotSupported, Unknown
from ..figure import Figure, Panel, Pixels, Scale
from ..images import colour, overlay, resize, unit_scale
from ..network.model import Model
from ..registry import Choices, Range, options_of
from ..trust import Question
from .parts.result import Result, cells, prepare

__all__ = ["Saliency", "compute", "range_of", "render", "render_grid"]

CAVEAT = (
    "Saliency maps can be misleading or uninformative (Adebayo et al. 2018); "
    "this one's faithfulness is not checked yet."
)


@dataclass(frozen=True, eq=False)
class Saliency(Result):
    """`heat` (H, W), float32, raw, in the model's input; `raw_map` is the map before it was enlarged.

    `target` is a class, with its `probability`; or a channel of the layer facts["unit"], with none. `score` is what the
    network gives for it, and `expected_sum` what the method says that the map adds up to, where it says so.
    """

    heat: NDArray[np.float32]
    raw_map: NDArray[np.float32]
    target: int
    target_name: str
    score: float
    probability: float | None
    expected_sum: float | None
    crop: NDArray[np.uint8]
    facts: dict[str, Any]

    @property
    def label(self) -> str:
        return METHODS[self.facts["method"]].label

    @property
    def confidence_text(self) -> str:
        """How sure the network is of it."""
        return f"{self.score:.4g}" if self.probability is None else f"{self.probability:.1%}"

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)


def compute(
    model: Model,
    image: Any,
    method: str = "gradient",
    target: int | str | None = None,
    layer: str | None = None,
    unit: str | None = None,
    **options: Any,
) -> Saliency:
    """The map of one picture for one class (number, name, or None for the predicted one).

    `layer` is used by methods that look into one; by default the last with maps as fine as the last convolution's.
    With `unit`, a layer's name, the target is a channel of that layer instead, averaged over its positions; by default
    the one that stands out most on this picture.
    """
    entry = METHODS[method]
    checked = entry.check(options)
    picture = prepare(model, image)
    asked = target_of(model, picture.batch, target, unit)
    if layer:
        model.layer(layer)  # says what is wrong with it, also where it has no use
    place = layer_for(model, layer if entry.takes("layer") else None, unit)
    question = Question(model, entry, checked, picture.batch, asked.number, place, unit or None)
    with model.exclusive() as net:
        raw_map, expected_sum = question.answer(net), question.expected_sum(net)
    if not np.isfinite(raw_map).all():
        raise NotSupported(f"Method {method!r} gives values that are not finite for this network and picture.")
    height, width = model.preprocess.size
    return Saliency(
        heat=np.asarray(resize(raw_map, (height, width)), np.float32) if raw_map.shape != (height, width) else raw_map,
        raw_map=raw_map,
        target=asked.number,
        target_name=asked.name,
        score=asked.score,
        probability=asked.probability,
        expected_sum=expected_sum,
        crop=picture.crop,
        facts=model.facts(
            view="saliency",
            method=method,
            options=checked,
            layer=place if entry.takes("layer") else None,
            unit=unit or None,
            target=asked.name,
            target_index=asked.number,
            **picture.facts,
        ),
    )


def render(
    result: Saliency,
    *,
    mode: Annotated[str, Choices("absolute", "positive", "signed", help="which values are drawn")] = "absolute",
    opacity: Annotated[float, Range(0, 1)] = 0.5,
    clip: Annotated[float, Range(50, 100, help="percentile of absolute values at which the colours end")] = 99.5,
    colours: Annotated[str, Choices("inferno", "viridis", "grey", help="of unsigned values")] = "inferno",
) -> Figure:
    """The picture, the map, and the map over the picture."""
    style = _checked(mode=mode, opacity=opacity, clip=clip, colours=colours)
    scale = _scale([result], style)
    drawn, over = _draw(result, scale, style)
    return Figure(
        title=f"{result.label} for {result.target_name}",
        panels=(
            Panel(result.crop, "What the network saw", f"{result.target_name} {result.confidence_text}"),
            Panel(drawn, f"{result.label}, {style['mode']}", scale=scale),
            Panel(over, "Over the picture", scale=scale),
        ),
        facts={**result.facts, "style": style},
        note=f"{range_of(result)} {CAVEAT}",
        arrays={"heat": result.heat, "raw_map": result.raw_map, "crop": result.crop},
        table=cells(result.raw_map),
        alt=f"{result.label} map for {result.target_name}",
    )


def render_grid(
    rows: Sequence[Sequence[Saliency]],
    *,
    scale: Annotated[str, Choices("row", "all", help="maps that have one scale")] = "row",
    **style: Any,
) -> Figure:
    """Maps side by side over their pictures: methods by classes, two pictures, two models; as many in each row.

    Methods have units of their own, so a row shares a scale by default.
    """
    checked, scale = _checked(**style), options_of(render_grid)["scale"].check(scale)
    first, every = rows[0][0], [one for row in rows for one in row]
    scales = [_scale(every if scale == "all" else row, checked) for row in rows]
    labels = list(dict.fromkeys(one.label for one in every))
    names = list(dict.fromkeys(one.target_name for one in every))
    covered = {"covered" in one.facts for one in every}
    places = list(dict.fromkeys((one.facts["model"], one.facts["image"]) for one in every))

    def title(one: Saliency) -> str:
        parts = [one.label] if len(labels) > 1 else []
        parts += [one.target_name] if len(names) > 1 else []
        if len({model for model, _ in places}) > 1:
            parts.append(one.facts["model"])
        if len({image for _, image in places}) > 1:
            parts.append(one.facts["image"])
        if len(covered) > 1:
            parts.append("covered" if "covered" in one.facts else "as it is")
        return " · ".join(parts) or one.target_name

    panels = [
        Panel(
            _draw(one, shared, checked)[1], title(one), f"{_name(one, names)}{one.confidence_text}{_empty(one)}", shared
        )
        for row, shared in zip(rows, scales, strict=True)
        for one in row
    ]
    what = labels[0] if len(labels) == 1 else f"{len(labels)} methods"
    whom = names[0] if len(names) == 1 else f"{len(names)} classes"
    return Figure(
        title=f"{what} for {whom}",
        panels=tuple(panels),
        columns=len(rows[0]),
        facts={
            **first.facts,
            "grid": [[_other(one.facts, first.facts) for one in row] for row in rows],
            "style": {"scale": scale, **checked},
        },
        note=f"One scale for {'all' if scale == 'all' or len(rows) == 1 else 'each row'}. {CAVEAT}",
        arrays={f"heat_{k}": one.heat for k, one in enumerate(every)} | {"crop": first.crop},
        alt=f"Maps by {', '.join(labels)} for {', '.join(names)}",
    )


def _name(one: Saliency, names: Sequence[str]) -> str:
    return "" if len(names) > 1 else f"{one.target_name} "


def _empty(one: Saliency) -> str:
    return "" if one.heat.max() > 0 else ", no positive evidence"


def _other(facts: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Where the facts of a cell are not those of the first one."""
    return {name: value for name, value in facts.items() if first.get(name) != value}


def range_of(result: Saliency) -> str:
    """Least and greatest raw value, whether there is any positive evidence at all, and whether it all adds up."""
    low, high = float(result.heat.min()), float(result.heat.max())
    values = f"Raw values from {low:.4g} to {high:.4g}."
    if high <= 0:
        values = f"No positive evidence for this {'channel' if result.probability is None else 'class'}. {values}"
    if result.expected_sum is not None:
        total = float(result.raw_map.sum(dtype=np.float64))
        values += f" They add up to {total:.4g}, and should to {result.expected_sum:.4g}."
    return values


def _checked(**style: Any) -> dict[str, Any]:
    options = options_of(render)
    for name in style:
        if name not in options:
            raise Unknown("style", name, options)
    return {name: option.check(style.get(name, option.default)) for name, option in options.items()}


def _values(result: Saliency, mode: str) -> NDArray[np.float32]:
    if mode == "signed":
        return result.heat
    return np.abs(result.heat) if mode == "absolute" else np.maximum(result.heat, 0)


def _scale(results: Sequence[Saliency], style: dict[str, Any]) -> Scale | None:
    """Symmetric about zero where signs are drawn; None where there is nothing to draw."""
    values = np.abs(np.concatenate([_values(result, style["mode"]).ravel() for result in results]))
    limit = float(np.percentile(values, style["clip"])) or float(values.max())
    if limit == 0:
        return None
    labels = dict.fromkeys(result.label for result in results)
    label = f"{', '.join(labels) if len(labels) < 3 else 'all methods'}, raw units"
    return (
        Scale("red-blue", -limit, limit, label)
        if style["mode"] == "signed"
        else Scale(style["colours"], 0.0, limit, label)
    )


def _draw(result: Saliency, scale: Scale | None, style: dict[str, Any]) -> tuple[Pixels, Pixels]:
    """The map alone and over the picture; an empty map is plain grey, and leaves the picture as it is."""
    if scale is None:
        return np.full_like(result.crop, 235), result.crop
    drawn = colour(unit_scale(_values(result, style["mode"]), scale.low, scale.high), scale.cmap)
    return drawn, overlay(result.crop, drawn, style["opacity"])
