"""What each channel of a layer does with a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue, NotSupported
from ..figure import Figure, Grid, Panel
from ..images import contact_sheet, draw_box, enlarge, overlay
from ..network.geometry import Status
from ..network.layers import channel_of
from ..network.model import Box, Layer, Model
from ..network.trace import record
from ..registry import Choices, Range, options_of
from .parts.maps import colours_of, limits_of, scale_of, upsample
from .parts.result import BOX_COLOUR, SHARED, Result, cells, prepare

__all__ = ["Activations", "compute", "render", "render_channel", "render_pair"]

GAP = 1
SMALL_MAP = 8


@dataclass(frozen=True, eq=False)
class Activations(Result):
    """`maps` (C, H, W), float32, raw; a layer without maps gives (C, 1, 1). `crop` is the picture the net saw."""

    maps: NDArray[np.float32]
    layer: Layer
    crop: NDArray[np.uint8]
    source_box: Box | None
    facts: dict[str, Any]

    @cached_property
    def table(self) -> dict[str, list[Any]]:
        """Per channel: mean, min, max, share of exact zeros, and the place (row, column) of the maximum."""
        flat = self.maps.reshape(len(self.maps), -1)
        rows, columns = np.unravel_index(flat.argmax(1), self.maps.shape[1:])
        return {
            "channel": list(range(len(flat))),
            "mean": flat.mean(1).tolist(),
            "min": flat.min(1).tolist(),
            "max": flat.max(1).tolist(),
            "zeros": (flat == 0).mean(1).tolist(),
            "row": rows.tolist(),
            "column": columns.tolist(),
        }

    def peak(self, channel: int) -> tuple[int, int]:
        """Row and column of a channel's strongest response; the first of several."""
        channel = channel_of(self.layer, channel)
        return int(self.table["row"][channel]), int(self.table["column"][channel])

    def box(self, channel: int) -> Box | None:
        """The receptive field of that place, in the net's input; None where it is not known."""
        if self.layer.field is None or not self.layer.spatial:
            return None
        return self.layer.field.box(*self.peak(channel), channel=channel)

    def figure(self, channel: int | None = None, **style: Any) -> Figure:
        return render(self, **style) if channel is None else render_channel(self, channel, **style)


def compute(model: Model, image: Any, layer: str) -> Activations:
    """The outputs of a layer for one picture. Raises Unknown for a layer that the net has not."""
    chosen = model.layer(layer)
    picture = prepare(model, image)
    with model.exclusive() as net:
        _, held = record(net, picture.batch, [chosen.name])
    maps = held[chosen.name][0].float().cpu().numpy()
    if maps.ndim not in (1, 3):
        raise NotSupported(f"Layer {layer!r} gives shape {maps.shape}; maps (C, H, W) or a vector (C,) can be shown.")
    height, width = model.preprocess.size
    return Activations(
        maps=maps.reshape(len(maps), *(maps.shape[1:] or (1, 1))).copy(),
        layer=chosen,
        crop=picture.crop,
        source_box=model.preprocess.source_box((0, 0, height, width), image),
        facts=model.facts(view="activations", layer=chosen.name, **picture.facts),
    )


def render(
    result: Activations,
    *,
    sort: Annotated[str, Choices("index", "mean", "max")] = "index",
    scale: Annotated[str, Choices("layer", "channel", help="one scale for all, or each channel on its own")] = "layer",
    factor: Annotated[int, Range(1, 64, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """All channels as a gallery."""
    style = _checked(render, sort=sort, scale=scale, factor=factor)
    order = np.arange(len(result.maps))
    if style["sort"] != "index":
        order = np.argsort(-np.array(result.table[style["sort"]]), kind="stable")
    panel = _sheet(result.maps[order], [str(k) for k in order], style["scale"], style["factor"], limits_of(result.maps))
    return Figure(
        title=f"{result.layer.name} of {result.facts['model']}: {len(order)} channels, {_size(result)}",
        panels=(panel,),
        columns=1,
        facts={**result.facts, "style": style},
        note=_note(result),
        arrays={"maps": result.maps, "order": order},
        table={name: [column[k] for k in order] for name, column in result.table.items()},
        alt=f"{len(order)} activation maps of layer {result.layer.name}",
    )


def render_channel(
    result: Activations,
    channel: int,
    *,
    opacity: Annotated[float, Range(0, 1)] = 0.6,
    smooth: Annotated[bool, Choices(True, False, help="interpolate between units")] = False,
) -> Figure:
    """One channel large: the picture with the receptive field of the strongest response, the map over the picture at
    its true place, and the map's own pixels."""
    style = _checked(render_channel, opacity=opacity, smooth=smooth)
    channel = channel_of(result.layer, channel)
    values = result.maps[channel]
    scale = scale_of(limits_of(values), "activation")
    row, column = result.peak(channel)
    box = result.box(channel)
    seen = result.crop if box is None else draw_box(result.crop, box, BOX_COLOUR, max(1, result.crop.shape[0] // 112))
    placed, covered = upsample(values, result.layer, result.crop.shape[:2], style["smooth"])
    over = overlay(result.crop, colours_of(placed, scale), style["opacity"] * covered)
    whole = "" if box is None else f"box: what the unit at ({row}, {column}) sees"
    if result.layer.field is not None and result.layer.field.status != Status.EXACT and box is not None:
        whole += " (at most)" if result.layer.field.status == Status.UPPER_BOUND else " (everything)"
    own = enlarge(colours_of(values, scale), max(1, 224 // max(values.shape)))
    zeros = result.table["zeros"][channel]
    return Figure(
        title=f"Channel {channel} of {result.layer.name}, {result.facts['model']}",
        panels=(
            Panel(seen, "Strongest response", whole),
            Panel(over, "Where it responds", scale=scale),
            Panel(own, "Its own pixels", f"{_size(result)}, zeros {zeros:.0%}", scale=scale),
        ),
        facts={**result.facts, "channel": channel, "style": style},
        note=f"Strongest response {values.max():.4g} at row {row}, column {column}; least {values.min():.4g}. {SHARED}",
        arrays={"map": values, "crop": result.crop},
        table=cells(values),
        alt=f"Channel {channel} of layer {result.layer.name} over the picture",
    )


def render_pair(first: Activations, second: Activations, *, count: Annotated[int, Range(1, 64)] = 16) -> Figure:
    """The same channels for two pictures on one scale: those that respond most to either, strongest first."""
    count = _checked(render_pair, count=count)["count"]
    if first.layer.name != second.layer.name or len(first.maps) != len(second.maps):
        layers = f"{first.layer.name!r} and {second.layer.name!r}"
        raise BadValue(f"Two pictures are compared in one layer, not in {layers}.")
    strongest = np.maximum(first.table["max"], second.table["max"])
    order = np.argsort(-strongest, kind="stable")[:count]
    limits = limits_of(np.stack([first.maps[order], second.maps[order]]))
    names = [str(k) for k in order]
    panels = []
    for result in (first, second):
        panels.append(Panel(result.crop, str(result.facts.get("image") or "")))
        panels.append(_sheet(result.maps[order], names, "layer", 1, limits))
    return Figure(
        title=f"Two pictures in {first.layer.name} of {first.facts['model']}",
        panels=tuple(panels),
        columns=2,
        facts={
            **first.facts,
            "second": {key: second.facts[key] for key in ("image", "pixels")},
            "style": {"count": count},
        },
        note=f"One scale for both pictures. {_note(first)}",
        arrays={"first": first.maps, "second": second.maps, "order": order},
        alt=f"Activation maps of two pictures in layer {first.layer.name}",
    )


def _checked(function: Any, **style: Any) -> dict[str, Any]:
    return {name: option.check(style[name]) for name, option in options_of(function).items()}


def _sheet(maps: NDArray[np.float32], names: list[str], scale: str, factor: int, limits: tuple[float, float]) -> Panel:
    shared = scale_of(limits, "activation")
    if scale == "layer":
        tiles = colours_of(maps, shared)
    else:
        tiles = np.stack([colours_of(one, scale_of(limits_of(one), "")) for one in maps])
    columns = max(1, min(len(maps), round(len(maps) ** 0.5 * 1.5)))
    grid = Grid(columns, maps.shape[1] * factor, maps.shape[2] * factor, GAP)
    sheet = contact_sheet(tiles, columns, GAP, factor)
    return Panel(sheet, scale=shared if scale == "layer" else None, names=tuple(names), grid=grid)


def _size(result: Activations) -> str:
    return f"{result.maps.shape[1]} × {result.maps.shape[2]}"


def _note(result: Activations) -> str:
    low, high = limits_of(result.maps)
    note = f"Least {low:.4g}, greatest {high:.4g}, zeros {(result.maps == 0).mean():.0%}."
    if result.layer.spatial and min(result.maps.shape[1:]) < SMALL_MAP:
        note += f" Maps under {SMALL_MAP} × {SMALL_MAP} are hard to interpret."
    return f"{note} {SHARED}"
