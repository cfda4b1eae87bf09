"""What a prediction rests on, by any method of METHODS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..attribution import COMPLETE, METHODS, of_channel
from ..errors import BadValue, NotSupported
from ..figure import Figure, Panel, Pixels, Scale
from ..images import colour, overlay, resize, unit_scale
from ..model import Model
from ..registry import Choices, Range, options_of
from .result import Result, cells, channel_of, seen

__all__ = ["Saliency", "compute", "range_of", "render", "render_classes"]

CAVEAT = (
    "Saliency maps can be misleading or uninformative (Adebayo et al. 2018); "
    "this one's faithfulness is not checked yet."
)


@dataclass(frozen=True, eq=False)
class Saliency(Result):
    """`heat` (H, W), float32, raw, in the model's input; `coarse` is the map before it was enlarged.

    `target` is a class, with its `probability`; or a channel of the layer facts["unit"], with none. `score` is what the
    network gives for it, and `promise` what the method says that the map adds up to, where it says so.
    """

    heat: NDArray[np.float32]
    coarse: NDArray[np.float32]
    target: int
    target_name: str
    score: float
    probability: float | None
    promise: float | None
    crop: NDArray[np.uint8]
    facts: dict[str, Any]

    @property
    def says(self) -> str:
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
    picture = seen(model, image)
    asked = _unit(model, picture.batch, unit, target) if unit else _class(model, picture.batch, target)
    place = model.layer(layer).name if layer else _default_layer(model, unit)
    if unit and entry.takes("layer"):
        _refuse_later(model, place, unit)
    with model.exclusive() as net:
        of = of_channel(net, unit) if unit else net
        given = (of, f"net.{place}" if unit else place, picture.batch, torch.tensor([asked.number]), model.ends)
        heat = entry.function(*given, **checked)[0].float().cpu()
        promise = float(COMPLETE[method](of, *given[2:], **checked)[0]) if method in COMPLETE else None
    coarse = heat.numpy()
    if not np.isfinite(coarse).all():
        raise NotSupported(f"Method {method!r} gives values that are not finite for this network and picture.")
    height, width = model.preprocess.size
    return Saliency(
        heat=np.asarray(resize(coarse, (height, width)), np.float32) if coarse.shape != (height, width) else coarse,
        coarse=coarse,
        target=asked.number,
        target_name=asked.name,
        score=asked.score,
        probability=asked.probability,
        promise=promise,
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


class _Asked(NamedTuple):
    number: int
    name: str
    score: float
    probability: float | None


def _class(model: Model, batch: Tensor, target: int | str | None) -> _Asked:
    scores = model.ask(batch)[0]
    number = int(scores.argmax()) if target in (None, "") else model.target(target, None)
    return _Asked(number, model.classes[number], float(scores[number]), float(scores.softmax(0)[number]))


def _unit(model: Model, batch: Tensor, unit: str, channel: int | str | None) -> _Asked:
    """A channel of a layer; by default the one whose mean over positions is the largest."""
    place = model.layer(unit)
    with model.exclusive() as net, torch.inference_mode(False), torch.no_grad():
        values = of_channel(net, place.name)(batch)[0].float().cpu()
    number = int(values.argmax()) if channel in (None, "") else channel_of(place, channel)
    return _Asked(number, f"channel {number} of {place.name}", float(values[number]), None)


def _default_layer(model: Model, unit: str | None) -> str:
    """Where class activation maps look; a net without maps offers its last layer, which they refuse by name."""
    names = [layer.name for layer in model.scanned]
    try:
        last = model.last_maps.name
    except NotSupported:
        last = model.layers[-1].name
    return unit if unit and names.index(unit) < names.index(last) else last


def _refuse_later(model: Model, layer: str, unit: str) -> None:
    names = [one.name for one in model.scanned]
    if names.index(layer) > names.index(unit):
        raise BadValue(f"Layer {layer!r} comes after {unit!r}, whose channel is asked about; choose one before it.")


def render(
    result: Saliency,
    *,
    mode: Annotated[str, Choices("absolute", "positive", "signed", help="which values are drawn")] = "absolute",
    opacity: Annotated[float, Range(0, 1)] = 0.5,
    clip: Annotated[float, Range(50, 100, help="percentile of absolute values at which the colours end")] = 99.5,
) -> Figure:
    """The picture, the map, and the map over the picture."""
    style = _checked(mode=mode, opacity=opacity, clip=clip)
    name = METHODS[result.facts["method"]].label
    scale = _scale([result], style)
    drawn, over = _draw(result, scale, style)
    return Figure(
        title=f"{name} for {result.target_name}",
        panels=(
            Panel(result.crop, "What the network saw", f"{result.target_name} {result.says}"),
            Panel(drawn, f"{name}, {style['mode']}", scale=scale),
            Panel(over, "Over the picture", scale=scale),
        ),
        facts={**result.facts, "style": style},
        note=f"{range_of(result)} {CAVEAT}",
        arrays={"heat": result.heat, "coarse": result.coarse, "crop": result.crop},
        table=cells(result.coarse),
        alt=f"{name} map for class {result.target_name}",
    )


def render_classes(results: Sequence[Saliency], **style: Any) -> Figure:
    """Maps for several classes of one picture, over the picture, on one scale."""
    checked = _checked(**style)
    scale = _scale(results, checked)
    first = results[0]
    return Figure(
        title=f"{METHODS[first.facts['method']].label} for {len(results)} classes",
        panels=tuple(Panel(_draw(one, scale, checked)[1], one.target_name, one.says, scale) for one in results),
        columns=min(len(results), 5),
        facts={
            **first.facts,
            "targets": [one.target_name for one in results],
            "target_indices": [one.target for one in results],
            "style": checked,
        },
        note=f"One scale for all. {CAVEAT}",
        arrays={"heat": np.stack([one.heat for one in results]), "crop": first.crop},
        alt="Maps for the classes " + ", ".join(one.target_name for one in results),
    )


def range_of(result: Saliency) -> str:
    """Least and greatest raw value, and whether there is any positive evidence at all."""
    low, high = float(result.heat.min()), float(result.heat.max())
    values = f"Raw values from {low:.4g} to {high:.4g}."
    return values if high > 0 else f"No positive evidence for this class. {values}"


def _checked(**style: Any) -> dict[str, Any]:
    options = options_of(render)
    return {name: option.check(style.get(name, option.default)) for name, option in options.items()}


def _values(result: Saliency, mode: str) -> NDArray[np.float32]:
    if mode == "signed":
        return result.heat
    return np.abs(result.heat) if mode == "absolute" else np.maximum(result.heat, 0)


def _scale(results: Sequence[Saliency], style: dict[str, Any]) -> Scale | None:
    """Symmetric about zero where signs are drawn; None where there is nothing to draw."""
    values = np.abs(np.stack([_values(result, style["mode"]) for result in results]))
    limit = float(np.percentile(values, style["clip"])) or float(values.max())
    if limit == 0:
        return None
    label = f"{METHODS[results[0].facts['method']].label}, raw units"
    return Scale("red-blue", -limit, limit, label) if style["mode"] == "signed" else Scale("inferno", 0.0, limit, label)


def _draw(result: Saliency, scale: Scale | None, style: dict[str, Any]) -> tuple[Pixels, Pixels]:
    """The map alone and over the picture; an empty map is plain grey, and leaves the picture as it is."""
    if scale is None:
        return np.full_like(result.crop, 235), result.crop
    drawn = colour(unit_scale(_values(result, style["mode"]), scale.low, scale.high), scale.cmap)
    return drawn, overlay(result.crop, drawn, style["opacity"])
