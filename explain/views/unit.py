"""What excites one unit of a layer: what its input paths keep of the picture, by any method of UNIT_METHODS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..attribution.units import UNIT_METHODS
from ..errors import NotSupported
from ..figure import Figure, Panel, Pixels, Scale
from ..images import draw_box, enlarge, to_bytes, unit_scale
from ..network.geometry import Status
from ..network.layers import of_picture
from ..network.model import Box, Layer, Model
from ..network.strongest import strongest
from ..network.trace import record
from ..options import Range
from .inputs import CHANNEL, LAYER, MODEL, PICTURE, POSITION, EntryName, EntryOptions
from .parts.picture import prepare
from .parts.result import BOX_COLOUR, SHARED, Result, tie
from .view import drawn, view

__all__ = ["Unit", "compute", "render"]

CAVEAT = (
    "Deconvnet and guided backprop hardly depend on the class or on the weights of later layers (Adebayo et al. 2018; "
    "Nie et al. 2018): they show what the unit's paths keep of the picture, not a reason for the prediction."
)
METHOD = EntryName("explain.attribution.units:UNIT_METHODS", "how: deconvnet, guided or gradient")
GAP = 2
SMALL_SIDE = 224


@dataclass(frozen=True, eq=False)
class Unit(Result):
    """`projection` (C, H, W), float32, raw, in the model's input; outside `box`, the receptive field, it is zero.

    `position` is (row, column) in the layer's map, () where it gives a vector; `value` is the unit's own output, which
    `ties` places of the map have.
    """

    projection: NDArray[np.float32]
    layer: Layer
    channel: int
    position: tuple[int, ...]
    value: float
    box: Box
    crop: NDArray[np.uint8]
    ties: int
    facts: dict[str, Any]

    @property
    def measures(self) -> dict[str, Any]:
        low, high = float(self.projection.min()), float(self.projection.max())
        return {"position": self.position, "value": self.value, "box": self.box, "min": low, "max": high}

    @property
    def summary(self) -> str:
        where = f" at {self.position}" if self.position else ""
        return (
            f"{self.facts['method']} of channel {self.channel} of {self.layer.name}{where}, which gives "
            f"{self.value:.4g}: {self.projection.min():.4g} to {self.projection.max():.4g} "
            f"in the box {self.box} (y0, x0, y1, x1)"
        )


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    layer: Annotated[str, LAYER],
    channel: Annotated[int, CHANNEL],
    position: Annotated[Sequence[int] | None, POSITION] = None,
    method: Annotated[str, METHOD] = "deconvnet",
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> Unit:
    """One unit projected to the pixels; position None is the channel's strongest on this picture, of several the one
    that is most before the rectifier.

    Raises Unknown or BadValue for what the net has not, NotSupported where the method's rule says nothing.
    """
    chosen = of_picture(model.layer(layer))
    if len(chosen.shape) not in (1, 3):
        raise NotSupported(f"Layer {layer!r} gives shape {chosen.shape}; units of maps (C, H, W) or vectors (C,) only.")
    picture = prepare(model, image)
    with model.exclusive() as net:
        _, held = record(net, picture.batch, [chosen.name])
        values = held[chosen.name][0, channel].float().cpu().numpy()
        place = _strongest(net, picture.batch, chosen.name, channel, values) if position is None else tuple(position)
        found = UNIT_METHODS[method].function(net, chosen.name, picture.batch, channel, place, **options)
        projection = found.float().cpu().numpy()
    value = float(values[place])
    ties = int((values == value).sum())
    if not np.isfinite(projection).all() or not np.isfinite(value):
        raise NotSupported(f"Method {method!r} gives values that are not finite for this network and picture.")
    box = _box(chosen, channel, place) or (0, 0, *model.preprocess.size)
    return Unit(
        projection=projection,
        layer=chosen,
        channel=channel,
        position=place,
        value=value,
        box=box,
        crop=picture.crop,
        ties=ties,
        facts={"image": picture, "position": place, "value": value, "box": box},
    )


def _strongest(net: nn.Module, batch: Tensor, layer: str, channel: int, values: NDArray[np.float32]) -> tuple[int, ...]:
    if not values.ndim:
        return ()
    found = strongest(net, batch, layer, values[None], channel)
    return int(found.rows[0]), int(found.columns[0])


def _box(layer: Layer, channel: int, position: tuple[int, ...]) -> Box | None:
    """What the unit sees; None where that is not known."""
    if layer.field is None:
        return None
    if layer.field.dims is None:
        return layer.field.box()
    i, j = position or (channel, None)
    return layer.field.box(i, j, channel if position else None)


@drawn
def render(
    result: Unit,
    *,
    clip: Annotated[
        float, Range(50, 100, help="percentile of absolute values, zeros apart, where colours end")
    ] = 100.0,
) -> Figure:
    """The picture with what the unit sees, the projection, and both cut to that where it is not everything."""
    name = UNIT_METHODS[result.facts["method"]].label
    scale = _scale(result, clip)
    drawn = _colours(result.projection, scale)
    which = f"unit at {result.position}" if result.position else "unit"
    y0, x0, y1, x1 = result.box
    panels = [
        Panel(
            draw_box(result.crop, result.box, BOX_COLOUR, max(1, result.crop.shape[0] // 112)),
            "What the network saw",
            f"box: what the {which} sees{_doubt(result.layer)}",
        ),
        Panel(drawn, f"{name}, whole", "grey is zero" if scale else "zero everywhere", scale),
    ]
    if 0 < (y1 - y0) * (x1 - x0) < drawn[..., 0].size:  # it may see nothing but padding, or everything
        pair = [picture[y0:y1, x0:x1] for picture in (result.crop, drawn)]
        factor = max(1, SMALL_SIDE // max(pair[0].shape[:2]))
        left, right = (enlarge(one, factor) for one in pair)
        both = np.concatenate([left, np.full((len(left), GAP * factor, 3), 255, np.uint8), right], 1)
        panels.append(Panel(both, "In the box", f"rows {y0} to {y1 - 1}, columns {x0} to {x1 - 1}", scale))
    rows, columns = np.indices(result.projection.shape[1:])
    return Figure(
        title=f"{name} of channel {result.channel} of {result.layer.name}, {result.facts['model']}",
        panels=tuple(panels),
        facts=result.facts,
        note=f"The {which} gives {result.value:.4g}{tie(result.ties)}. {_silence(result, scale)}{CAVEAT} {SHARED}",
        arrays={"projection": result.projection, "crop": result.crop},
        table={
            "row": rows.ravel().tolist(),
            "column": columns.ravel().tolist(),
            **{f"channel {c}": plane.ravel().tolist() for c, plane in enumerate(result.projection)},
        },
        alt=f"{name} of channel {result.channel} of layer {result.layer.name}: the picture and the projection",
    )


def _silence(result: Unit, scale: Scale | None) -> str:
    """Why there is little to see, so that grey is not taken for a fault."""
    if scale is None:
        return "No pixel moves it by this method, as where its activation or one on the way stands at a bound. "
    return "It does not respond to this picture; shown is what would raise it. " if result.value <= 0 else ""


def _doubt(layer: Layer) -> str:
    status = layer.field.status if layer.field is not None else Status.WHOLE_INPUT
    return {Status.EXACT: "", Status.UPPER_BOUND: " (at most)", Status.WHOLE_INPUT: " (everything)"}[status]


def _scale(result: Unit, clip: float) -> Scale | None:
    """Symmetric about zero, one for all colours; None where there is nothing to draw."""
    values = np.abs(result.projection)
    limit = float(np.percentile(values[values > 0], clip)) if values.any() else 0.0
    colours = {1: "", 3: ", each colour"}.get(len(values), f", mean of {len(values)} channels")
    return Scale("grey", -limit, limit, f"raw units{colours}") if limit else None


def _colours(projection: NDArray[np.float32], scale: Scale | None) -> Pixels:
    """(H, W, 3), zero as middle grey; an input of other than three channels is drawn by their mean."""
    planes = projection if len(projection) == 3 else projection.mean(0, keepdims=True).repeat(3, 0)
    limit = scale.high if scale else 0.0
    return to_bytes(unit_scale(planes.transpose(1, 2, 0), -limit, limit))
