"""What a prediction rests on, by any method of METHODS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..attribution import METHODS
from ..errors import NotSupported
from ..figure import Figure, Panel, Scale
from ..images import colour, overlay, resize, unit_scale
from ..model import Model
from ..registry import Choices, Range, options_of
from .result import Result, picture_facts

__all__ = ["Saliency", "compute", "render"]

CAVEAT = "Saliency maps can be misleading or uninformative (Adebayo et al. 2018); this one's faithfulness is not checked yet."


@dataclass(frozen=True, eq=False)
class Saliency(Result):
    """`heat` (H, W), float32, raw, in the model's input; `coarse` is the map before it was enlarged."""

    heat: NDArray[np.float32]
    coarse: NDArray[np.float32]
    target: int
    target_name: str
    probability: float
    crop: NDArray[np.uint8]
    facts: dict[str, Any]

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)


def compute(
    model: Model,
    image: Any,
    method: str = "gradient",
    target: int | str | None = None,
    layer: str | None = None,
    **options: Any,
) -> Saliency:
    """The map of one picture for one class (number, name, or None for the predicted one).

    `layer` is used by methods that look into one; by default the last with maps as fine as the last convolution's.
    """
    entry = METHODS[method]
    checked = entry.check(options)
    index = model.target(target, image)
    place = model.layer(layer).name if layer else model.last_maps.name
    batch = model.batch(image)
    with model.exclusive() as net:
        heat = entry.function(net, place, batch, torch.tensor([index]), **checked)[0]
        probability = float(torch.softmax(record_scores(net, batch), 1)[0, index])
    coarse = heat.float().cpu().numpy()
    if not np.isfinite(coarse).all():
        raise NotSupported(f"Method {method!r} gives values that are not finite for this network and picture.")
    height, width = model.preprocess.size
    crop = model.preprocess.crop(image)
    return Saliency(
        heat=np.asarray(resize(coarse, (height, width)), np.float32) if coarse.shape != (height, width) else coarse,
        coarse=coarse,
        target=index,
        target_name=model.classes[index],
        probability=probability,
        crop=crop if crop.shape[-1] == 3 else np.repeat(crop.mean(-1, keepdims=True).astype(np.uint8), 3, -1),
        facts=model.facts(
            view="saliency",
            method=method,
            options=checked,
            layer=place if method != "gradient" else None,
            target=model.classes[index],
            target_index=index,
            **picture_facts(model, image),
        ),
    )


def record_scores(net: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(False), torch.no_grad():
        scores: torch.Tensor = net(batch)
    return scores.float()


def render(
    result: Saliency,
    *,
    mode: Annotated[str, Choices("absolute", "positive", "signed", help="which values are drawn")] = "absolute",
    opacity: Annotated[float, Range(0, 1)] = 0.5,
    clip: Annotated[float, Range(50, 100, help="percentile of absolute values at which the colours end")] = 99.5,
) -> Figure:
    """The picture, the map, and the map over the picture."""
    options = options_of(render)
    style = {name: options[name].check(value) for name, value in (("mode", mode), ("opacity", opacity), ("clip", clip))}
    shown = {"absolute": np.abs, "positive": lambda a: np.maximum(a, 0), "signed": np.asarray}[style["mode"]](result.heat)
    limit = float(np.percentile(np.abs(shown), style["clip"])) or float(np.abs(shown).max())
    low, high = float(result.heat.min()), float(result.heat.max())
    name = METHODS[result.facts["method"]].label
    scale = None
    if limit > 0:
        signed = style["mode"] == "signed"
        scale = Scale("red-blue" if signed else "inferno", -limit if signed else 0.0, limit, f"{name}, raw units")
        drawn = colour(unit_scale(shown, scale.low, scale.high), scale.cmap)
        mixed = overlay(result.crop, drawn, style["opacity"])
    else:
        drawn, mixed = np.full_like(result.crop, 235), result.crop
    note = f"Raw values from {low:.4g} to {high:.4g}. {CAVEAT}"
    if limit == 0:
        note = f"No positive evidence for this class: {note[0].lower()}{note[1:]}"
    return Figure(
        title=f"{name} for {result.target_name}",
        panels=(
            Panel(result.crop, "What the network saw", f"{result.target_name} {result.probability:.1%}"),
            Panel(drawn, f"{name}, {style['mode']}", scale=scale),
            Panel(mixed, "Over the picture", scale=scale),
        ),
        facts={**result.facts, "style": style},
        note=note,
        arrays={"heat": result.heat, "coarse": result.coarse, "crop": result.crop},
        table=_cells(result.coarse),
        alt=f"{name} map for class {result.target_name}",
    )


def _cells(values: NDArray[np.float32]) -> dict[str, list[float]]:
    rows, columns = np.indices(values.shape)
    return {"row": rows.ravel().tolist(), "column": columns.ravel().tolist(), "value": values.ravel().tolist()}
