"""From low to high: one picture in early, middle and late layers, beside what the strongest channels there like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import NotSupported
from ..figure import Figure, Grid, Panel
from ..images import contact_sheet, draw_box, enlarge, overlay, to_bytes, unit_scale
from ..index import Index
from ..index.channels import Kernel, kernel
from ..index.dead_channels import dead
from ..network.model import Layer, Model
from ..network.strongest import Strongest, strongest
from ..network.trace import record
from ..options import Range
from .inputs import INDEX, QUERY
from .parts import effective
from .parts.cut import GAP, GROUND, Cuts, blank, cut, pictured
from .parts.maps import colours_of, limits_of, scale_of, upsample
from .parts.result import BOX_COLOUR, SHARED, Result
from .view import drawn, view

__all__ = ["Hierarchy", "Level", "compute", "levels_of", "render"]

SQUARE = 2  # patches a side, of each channel
SIDE = 224  # least pixels of a drawn map
PAPER = (255, 255, 255)
NAMES = {1: ("Layer",), 2: ("Early", "Late"), 3: ("Early", "Middle", "Late")}


@dataclass(frozen=True, eq=False)
class Level:
    """`channels` of a layer that respond most to the picture, strongest first, their `maps` (c, h, w), float32, raw,
    the row and column where each does most, and their best patches in the index. `half`: so many of the layer's
    channels give half of all it responds, the sum of their strongest responses above zero."""

    name: str
    layer: Layer
    channels: tuple[int, ...]
    maps: NDArray[np.float32]
    places: tuple[tuple[int, int], ...]
    cuts: Cuts
    half: int


@dataclass(frozen=True, eq=False)
class Hierarchy(Result):
    """`crop` is the picture the net saw, `filters` the weights of its first convolution, `first`; None without one."""

    crop: NDArray[np.uint8]
    first: Layer | None
    filters: Kernel | None
    levels: tuple[Level, ...]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row a patch: level, layer, channel, its strongest response to the picture, and what is known of the patch.

        What only some levels have, an effective box, is None elsewhere.
        """
        parts = []
        for level in self.levels:
            peaks = dict(zip(level.channels, level.maps.max((1, 2)).tolist(), strict=True))
            columns = level.cuts.columns()
            count = len(level.cuts)
            own = {"level": [level.name.lower()] * count, "layer": [level.layer.name] * count}
            parts.append({**own, **columns, "response": [peaks[channel] for channel in columns["channel"]]})
        names = dict.fromkeys(name for part in parts for name in part)
        return {
            name: [value for part in parts for value in part.get(name, [None] * len(part["level"]))] for name in names
        }

    @property
    def summary(self) -> str:
        return "\n".join(
            f"{level.name}: {level.layer.name}  channel {channel:5d}  max {own.max():.4g}"
            for level in self.levels
            for channel, own in zip(level.channels, level.maps, strict=True)
        )


@view
def compute(
    index: Annotated[Index, INDEX],
    image: Annotated[Any, QUERY],
    *,
    channels: Annotated[int, Range(1, 6, help="of each layer, those that respond most")] = 3,
) -> Hierarchy:
    """The first, the middle and the last layer of the index that have maps, on any picture or a numbered one of it.

    Dead channels are passed over. Raises BadValue or BadFile for the picture, NotSupported for an index without maps.
    """
    model = index.model
    layers = levels_of(index.model, index.layers)
    picture = pictured(index, image)
    with model.exclusive() as net:
        _, held = record(net, picture.batch, [layer.name for layer in layers])
        maps = [held[layer.name][0].float().cpu().numpy().copy() for layer in layers]
        places = [strongest(net, picture.batch, layer.name, own) for layer, own in zip(layers, maps, strict=True)]
    first = next((layer for layer in model.layers if "Conv" in layer.kind and layer.spatial), None)
    levels = [
        _level(index, name, layer, own, place, channels)
        for name, layer, own, place in zip(NAMES[len(layers)], layers, maps, places, strict=True)
    ]
    return Hierarchy(
        crop=picture.crop,
        first=first,
        filters=None if first is None else kernel(model, first.name),
        levels=tuple(levels),
        facts={"image": picture, "layers": [layer.name for layer in layers]},
    )


def levels_of(model: Model, layers: Sequence[str]) -> list[Layer]:
    """Up to three of these layers, by depth. One that gives a number a channel, such as a pooled one, has no maps."""
    order = _depths(model)
    known = sorted((model.layer(name) for name in layers), key=lambda layer: order[layer.name])
    mapped = [layer for layer in known if layer.spatial and max(layer.shape[1:]) > 1]
    if not mapped:
        raise NotSupported(f"None of these layers has maps: {', '.join(layers)}.")
    return [mapped[k] for k in sorted({0, (len(mapped) - 1) // 2, len(mapped) - 1})]


def _depths(model: Model) -> dict[str, int]:
    """Layers by execution order; a block comes with the last layer in it."""
    order = {layer.name: number for number, layer in enumerate(model.layers)}
    for block in model.blocks:
        inside = [number for name, number in order.items() if name.startswith(f"{block.name.partition(':')[0]}.")]
        order[block.name] = max(inside, default=len(order))
    return order


def _level(index: Index, name: str, layer: Layer, maps: NDArray[np.float32], places: Strongest, count: int) -> Level:
    peaks = np.nan_to_num(maps.max((1, 2)), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    gone = dead(index, layer.name)
    chosen = [int(c) for c in np.argsort(-peaks, kind="stable") if c not in gone][:count]
    rows = (
        (channel, "best", rank, row)
        for channel in chosen
        for rank, row in enumerate(index.top(layer.name, channel, "best", SQUARE**2), 1)
    )
    falling = np.sort(np.maximum(peaks, 0))[::-1].astype(np.float64)
    return Level(
        name=name,
        layer=layer,
        channels=tuple(chosen),
        maps=maps[chosen],
        places=tuple((int(places.rows[k]), int(places.columns[k])) for k in chosen),
        cuts=effective.locate(index.model, layer, cut(index, layer, rows)),
        half=int((np.cumsum(falling) < falling.sum() / 2).sum()) + 1 if falling[0] > 0 else 0,
    )


@drawn
def render(result: Hierarchy, *, opacity: Annotated[float, Range(0, 1, help="of the maps")] = 0.7) -> Figure:
    """The picture with the first filters, then a row a layer: each channel's map on the picture, and its patches."""
    panels = [_row(result, level, opacity) for level in result.levels]
    arrays: dict[str, NDArray[Any]] = {"crop": result.crop}
    if result.filters is not None:
        arrays["filters"] = result.filters.weight
    for level in result.levels:
        arrays |= {f"{level.name.lower()} maps": level.maps, f"{level.name.lower()} patches": level.cuts.tiles}
    looks = any("effective_box" in level.cuts.table for level in result.levels)
    data = f"{result.facts['data']}, {result.facts['images']:,} pictures"
    name = result.facts.get("image")
    return Figure(
        title=f"From low to high: {f'{name} through ' if name else ''}{result.facts['model']}",
        panels=(_start(result, panels[0].image.shape[1]), *panels),
        columns=1,
        facts=result.facts,
        note=(
            "In each row the channels that respond most to the picture, strongest first: where each responds (red box: "
            f"what its strongest unit sees), and beside it the {SQUARE**2} patches it likes best ({data}); "
            "chequered grey is outside the picture. "
            f"{'Blue box: at least 95 % of the squared gradient, where a unit that may see everything looks. ' * looks}"
            "A channel of a later layer is rarely about one thing, whatever its best patches share. "
            f"{SHARED}"
        ),
        arrays=arrays,
        table=result.table,
        alt="The picture, the first filters, then maps and patches of an early, a middle and a late layer",
    )


def _row(result: Hierarchy, level: Level, opacity: float) -> Panel:
    """One tile a channel: the map over the picture, and its patches in a square."""
    crop = result.crop
    factor = max(1, -(-SIDE // max(crop.shape[:2])))
    height, width = crop.shape[0] * factor, crop.shape[1] * factor
    scale = scale_of(limits_of(level.maps), "response") if level.channels else None
    tiles, names = [], []
    for channel, own, (i, j) in zip(level.channels, level.maps, level.places, strict=True):
        placed, covered = upsample(own, level.layer, (crop.shape[0], crop.shape[1]), smooth=False)
        over = overlay(crop, colours_of(placed, scale), opacity * covered)
        if level.layer.field is not None:
            over = draw_box(over, level.layer.field.box(i, j, channel), BOX_COLOUR, max(1, len(crop) // 75))
        square = _square(level.cuts, level.cuts.where(channel=channel), (height, width))
        tiles.append(np.concatenate([enlarge(over, factor), np.full((height, GAP, 3), GROUND, np.uint8), square], 1))
        names.append(f"channel {channel}: {own.max():.3g}")
    if not tiles:
        tiles, names = [blank(height, 2 * width + GAP)], ["all channels are dead on these pictures"]
    gap = max(4, width // 28)
    grid = Grid(len(tiles), height, 2 * width + GAP, gap)
    sees = level.layer.receptive_field
    reach = "a unit sees the whole input" if sees is None else "a unit sees {:g} × {:g} pixels".format(*sees)
    if sees is not None and max(sees) > max(crop.shape[:2]):
        reach += ", more than there are: the rest is padding"
    count = level.layer.channels
    spread = f" It takes {level.half:,} of them to make up half of the layer's response." if level.half else ""
    return Panel(
        contact_sheet(np.stack(tiles), len(tiles), gap, 1, PAPER),
        f"{level.name}: {level.layer.name}, {reach}",
        f"The strongest {len(level.channels)} of {count:,} channels.{spread}",
        scale,
        tuple(names),
        grid,
    )


def _square(cuts: Cuts, numbers: list[int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Patches in a square of this size, whatever their own."""
    height, width = (side // SQUARE - GAP // 2 for side in size)
    tiles = [_fitted(tile, height, width) for tile in cuts.drawn(numbers)]
    square = np.full((*size, 3), GROUND, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = (at * (side + GAP) for at, side in zip(divmod(k, SQUARE), (height, width), strict=True))
        square[y : y + height, x : x + width] = tile
    return square


def _fitted(tile: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """In the middle of (height, width), as large as fits; each pixel covers its true share, however odd the factor."""
    scale = min(height / tile.shape[0], width / tile.shape[1])
    fitted = max(1, round(tile.shape[0] * scale)), max(1, round(tile.shape[1] * scale))
    whole = enlarge(tile, max(1, int(np.ceil(scale))))
    small = np.asarray(Image.fromarray(whole).resize(fitted[::-1], Image.Resampling.BOX))
    out = np.full((height, width, 3), GROUND, np.uint8)
    y, x = (height - fitted[0]) // 2, (width - fitted[1]) // 2
    out[y : y + fitted[0], x : x + fitted[1]] = small
    return out


def _start(result: Hierarchy, width: int) -> Panel:
    """The picture, and to its right as many of the first filters as there is room for."""
    picture = enlarge(result.crop, max(1, -(-SIDE // max(result.crop.shape[:2]))))
    height, gap = len(picture), max(4, picture.shape[1] // 28)
    paper = np.full((height, max(width - 2 * gap, picture.shape[1]), 3), PAPER, np.uint8)
    paper[:, : picture.shape[1]] = picture
    if result.filters is None or result.first is None:
        return Panel(paper, "What the network saw")
    tiles = _pixels(result.filters.weight)
    room = paper.shape[1] - picture.shape[1] - gap
    factor, columns, rows = _arranged(len(tiles), tiles.shape[1:3], (height, room))
    sheet = contact_sheet(tiles[: columns * rows], columns, GAP, factor, PAPER)[GAP:, GAP:][:height, :room]
    paper[: sheet.shape[0], picture.shape[1] + gap :][:, : sheet.shape[1]] = sheet
    shown = "the" if columns * rows >= len(tiles) else f"{columns * rows} of the"
    return Panel(
        paper,
        f"What the network saw, and {shown} {len(tiles)} filters of {result.first.name}",
        "Zero is mid-grey; the ends are each filter's own largest absolute weight.",
    )


def _pixels(weight: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(K, h, w, 3): in colour where a filter reads three channels, else the mean over those it reads."""
    planes = weight if weight.shape[1] == 3 else weight.mean(1, keepdims=True).repeat(3, 1)
    limits = np.abs(planes).max((1, 2, 3))
    scaled = [
        unit_scale(plane, -limit or -1.0, limit or 1.0)
        for plane, limit in zip(planes.transpose(0, 2, 3, 1), limits.tolist(), strict=True)
    ]
    return to_bytes(np.stack(scaled))


def _arranged(count: int, tile: tuple[int, ...], room: tuple[int, int]) -> tuple[int, int, int]:
    """The greatest whole factor at which so many tiles fit into the room, and their columns and rows."""
    columns, rows = 1, 1
    for factor in range(max(1, room[0] // tile[0]), 0, -1):
        columns = max(1, (room[1] + GAP) // (tile[1] * factor + GAP))
        rows = max(1, (room[0] + GAP) // (tile[0] * factor + GAP))
        if columns * rows >= count:
            rows = -(-count // columns)
            return factor, -(-count // rows), rows
    return 1, columns, rows
