"""What each channel of a layer does with a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NotSupported
from ..figure import Figure, Grid, Panel
from ..images import contact_sheet, draw_box, enlarge, overlay
from ..network.geometry import Status
from ..network.layers import channel_of, of_picture
from ..network.model import Box, Layer, Model
from ..network.strongest import Strongest, strongest
from ..network.trace import record
from ..options import Choices, Range
from .inputs import LAYER, MODEL, PICTURE
from .parts.maps import colours_of, limits_of, scale_of, upsample
from .parts.picture import PreparedPicture, prepare
from .parts.result import BOX_COLOUR, SHARED, Result, cells, tie
from .view import drawn, view

__all__ = ["Activations", "compute", "render"]

GAP = 1
SMALL_MAP = 8
MEANING = "What a map means is not exactly known: a name for it is a guess to be tested."


@dataclass(frozen=True, eq=False)
class Activations(Result):
    """`maps` (C, H, W), float32, raw; a layer without maps gives (C, 1, 1). `crop` is the picture the net saw, and
    `places` where each channel responds most.

    second: the same layer for another picture, to stand beside this.
    """

    maps: NDArray[np.float32]
    places: Strongest
    layer: Layer
    crop: NDArray[np.uint8]
    facts: dict[str, Any]
    second: Activations | None = None

    @cached_property
    def table(self) -> dict[str, list[Any]]:
        """Per channel: mean, min, max, share of exact zeros, the place (row, column) of the maximum, and how many
        places share it."""
        flat = self.maps.reshape(len(self.maps), -1)
        return {
            "channel": list(range(len(flat))),
            "mean": flat.mean(1).tolist(),
            "min": flat.min(1).tolist(),
            "max": flat.max(1).tolist(),
            "zeros": (flat == 0).mean(1).tolist(),
            "row": self.places.rows.tolist(),
            "column": self.places.columns.tolist(),
            "ties": self.places.ties.tolist(),
        }

    @cached_property
    def strongest_first(self) -> list[int]:
        """Channels by their maximum; of those that share it, as under a rectifier with a ceiling, by their mean."""
        strength = list(zip(self.table["max"], self.table["mean"], strict=True))
        return sorted(range(len(strength)), key=strength.__getitem__, reverse=True)

    def peak(self, channel: int) -> tuple[int, int]:
        """Row and column of a channel's strongest response; of several the one that is most before the rectifier."""
        channel = channel_of(self.layer, channel)
        return int(self.table["row"][channel]), int(self.table["column"][channel])

    def box(self, channel: int) -> Box | None:
        """The receptive field of that place, in the net's input; None where it is not known."""
        if self.layer.field is None or not self.layer.spatial:
            return None
        return self.layer.field.box(*self.peak(channel), channel=channel)

    @property
    def summary(self) -> str:
        """The channels that respond most."""
        strongest = np.argsort(-np.array(self.table["max"]), kind="stable")[:10]
        lines = (f"channel {k:5d}  max {self.table['max'][k]:.4g}" for k in strongest)
        return "\n".join([f"{self.layer.name}: maps {self.maps.shape}", *lines])


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    layer: Annotated[str, LAYER],
    second: Annotated[Any, PICTURE] = None,
) -> Activations:
    """The outputs of a layer for one picture; beside those for a second. Raises NotSupported where they are no maps."""
    chosen = of_picture(model.layer(layer))
    pictures = {"image": prepare(model, image)}
    if second is not None:
        pictures["second"] = prepare(model, second)
    first, *others = (_maps(model, picture, chosen) for picture in pictures.values())
    return replace(first, facts=pictures, second=others[0] if others else None)


def _maps(model: Model, picture: PreparedPicture, layer: Layer) -> Activations:
    with model.exclusive() as net:
        _, held = record(net, picture.batch, [layer.name])
        maps = held[layer.name][0].float().cpu().numpy()
        if maps.ndim not in (1, 3):
            said = f"gives shape {maps.shape}; maps (C, H, W) or a vector (C,) can be shown"
            raise NotSupported(f"Layer {layer.name!r} {said}.")
        maps = maps.reshape(len(maps), *(maps.shape[1:] or (1, 1))).copy()
        places = strongest(net, picture.batch, layer.name, maps)
    return Activations(maps, places, layer, picture.crop, picture.facts)


@drawn
def render(
    result: Activations,
    *,
    sort: Annotated[str, Choices("index", "mean", "max")] = "index",
    scale: Annotated[
        str,
        Choices("auto", "layer", "channel", help="one for all, or one a channel: auto where values have signs"),
    ] = "auto",
    factor: Annotated[int, Range(1, 64, help="whole-number enlargement of the pixels")] = 1,
    channel: Annotated[int | None, Range(0, 1_000_000, help="one channel large instead of all")] = None,
    opacity: Annotated[float, Range(0, 1, help="of one channel's map on the picture")] = 0.6,
    smooth: Annotated[bool, Choices(True, False, help="interpolate between units of one channel")] = False,
    count: Annotated[int, Range(1, 64, help="channels of two pictures, at most")] = 16,
) -> Figure:
    """All channels as a gallery; one channel large; or two pictures, with the channels that respond most to either.

    Raises BadValue for a channel that the layer has not.
    """
    if channel is not None:
        return _channel(result, channel_of(result.layer, channel), opacity, smooth)
    if result.second is not None:
        return _pair(result, result.second, count)
    if scale == "auto":  # what is far below zero in one channel would leave the others one colour
        scale = "channel" if result.maps.min() < 0 else "layer"
    order = np.arange(len(result.maps))
    if sort != "index":
        order = np.argsort(-np.array(result.table[sort]), kind="stable")
    return Figure(
        title=f"{result.layer.name} of {result.facts['model']}: {len(order)} channels, {_size(result)}",
        panels=(_sheet(result.maps[order], [str(k) for k in order], scale, factor, limits_of(result.maps)),),
        columns=1,
        facts=result.facts,
        note=_note(result) if scale == "layer" else f"Each channel has its own scale. {_note(result)}",
        arrays={"maps": result.maps, "order": order},
        table={name: [column[k] for k in order] for name, column in result.table.items()},
        alt=f"{len(order)} activation maps of layer {result.layer.name}",
    )


def _channel(result: Activations, channel: int, opacity: float, smooth: bool) -> Figure:
    """The picture with the receptive field of the strongest response, the map over the picture at its true place, and
    the map's own pixels; a second picture in a row below, on the same scale."""
    both = [one for one in (result, result.second) if one]
    limits = limits_of(np.stack([one.maps[channel] for one in both]))
    arrays: dict[str, NDArray[Any]] = {}
    panels: list[Panel] = []
    notes = []
    for one, which in zip(both, ("", "second "), strict=False):
        values, (row, column) = one.maps[channel], one.peak(channel)
        said = f"strongest response {values.max():.4g} at row {row}, column {column}{tie(one.places.ties[channel])}; "
        said += f"least {values.min():.4g}."
        notes.append(said.capitalize() if len(both) == 1 else f"{(which or 'first ').capitalize()}picture: {said}")
        arrays |= {f"{which}map": values, f"{which}crop": one.crop}
        panels += _large(one, channel, limits, opacity, smooth)
    return Figure(
        title=f"Channel {channel} of {result.layer.name}, {result.facts['model']}",
        panels=tuple(panels),
        facts=result.facts,
        note=" ".join([*notes, MEANING, SHARED]),
        arrays=arrays,
        table=cells(result.maps[channel]),
        alt=f"Channel {channel} of layer {result.layer.name} over the picture",
    )


def _large(
    result: Activations, channel: int, limits: tuple[float, float], opacity: float, smooth: bool
) -> tuple[Panel, ...]:
    values, scale = result.maps[channel], scale_of(limits, "activation")
    row, column = result.peak(channel)
    box, field = result.box(channel), result.layer.field
    seen = result.crop if box is None else draw_box(result.crop, box, BOX_COLOUR, max(1, result.crop.shape[0] // 112))
    placed, covered = upsample(values, result.layer, result.crop.shape[:2], smooth)
    over = overlay(result.crop, colours_of(placed, scale), opacity * covered)
    whole = "" if box is None else f"box: what the unit at ({row}, {column}) sees"
    if field is not None and field.status != Status.EXACT and box is not None:
        whole += " (at most)" if field.status == Status.UPPER_BOUND else " (everything)"
    own = enlarge(colours_of(values, scale), max(1, 224 // max(values.shape)))
    zeros = result.table["zeros"][channel]
    return (
        Panel(seen, "Strongest response", whole),
        Panel(over, "Where it responds", scale=scale),
        Panel(own, "Its own pixels", f"{_size(result)}, zeros {zeros:.0%}", scale=scale),
    )


def _pair(first: Activations, second: Activations, count: int) -> Figure:
    """The same channels for two pictures on one scale: those that respond most to either, strongest first."""
    strongest = np.maximum(first.table["max"], second.table["max"])
    order = np.argsort(-strongest, kind="stable")[:count]
    limits = limits_of(np.stack([first.maps[order], second.maps[order]]))
    names = [str(k) for k in order]
    panels = []
    for result in (first, second):
        covered = ", covered" if "covered" in result.facts else ""
        panels.append(Panel(result.crop, f"{result.facts.get('image') or ''}{covered}"))
        panels.append(_sheet(result.maps[order], names, "layer", 1, limits, wide=1))  # as tall as the picture
    return Figure(
        title=f"Two pictures in {first.layer.name} of {first.facts['model']}",
        panels=tuple(panels),
        columns=2,
        facts=first.facts,
        note=f"One scale for both pictures. {_note(first)}",
        arrays={"first": first.maps, "second": second.maps, "order": order},
        alt=f"Activation maps of two pictures in layer {first.layer.name}",
    )


def _sheet(
    maps: NDArray[np.float32], names: list[str], scale: str, factor: int, limits: tuple[float, float], wide: float = 1.5
) -> Panel:
    shared = scale_of(limits, "activation")
    if scale == "layer":
        tiles = colours_of(maps, shared)
    else:
        tiles = np.stack([colours_of(one, scale_of(limits_of(one), "")) for one in maps])
    columns = max(1, min(len(maps), round(len(maps) ** 0.5 * wide)))
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
    return f"{note} {MEANING} {SHARED}"
