"""Pictures that an optimiser makes for what excites channels most, beside the real patches that do, and how far to
believe them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..activation_maximization import Spectrum, ascend, spectrum_of, usual_spectrum
from ..activation_maximization.ascent import size_for
from ..activation_maximization.judgement import judge
from ..activation_maximization.objective import OBJECTIVES, raised
from ..errors import BadFile, NotSupported
from ..figure import Figure, Grid, Panel
from ..images import contact_sheet, resize, to_bytes
from ..index import Index
from ..index.dead_channels import dead
from ..network.model import Layer, Model
from ..options import Choices, Range
from ..progress import Progress, part, unheard
from .inputs import CHANNEL, INDEX, LAYER, EntryName, EntryOptions, Several
from .parts.cut import GAP, GROUND, cut, extent, sight
from .parts.result import SHARED, Result
from .view import drawn, view

__all__ = ["FeatureVisualization", "compute", "render"]

METHOD = EntryName(
    "explain.activation_maximization.parametrization:PARAMETRIZATIONS", "what is moved: all of a picture, or its phases"
)
AT_ONCE, AT_ONCE_SIDE = 16, 128  # pictures of this side, or fewer of more pixels
REAL = 4  # best patches beside each
PICTURES = 200  # of the index, whose spectrum is taken
CAVEAT = (
    "An optimiser finds what excites a channel most, which no picture of the world may be: hence the real ones beside "
    "it; and a network can be built so that it shows anything here (Geirhos et al. 2024)."
)


@dataclass(frozen=True, eq=False)
class FeatureVisualization(Result):
    """`values` (N, C, H, W) as drawn, before mean and std, and `pixels` (N, H, W, 3) to look at: a row of the table
    each, `facets` for each channel, one after the other.

    In the table `peak` is the channel's greatest response to the picture, `best_real` that to any picture of the index,
    `above` and `up_to` the shares of the index's pictures that respond less, and no more; `shifted` and `jpeg` the peak
    after a shift by an eighth and after JPEG; `natural_way` how alike its way through the layers before is to that of
    the real pictures that excite the channel most: 1 as those among each other, 0 as to others. `ways` has it layer by
    layer (L, N).
    """

    values: NDArray[np.float32]
    pixels: NDArray[np.uint8]
    tiles: tuple[NDArray[np.uint8], ...]
    layer: Layer
    channels: tuple[int, ...]
    dead: dict[int, str]
    table: dict[str, list[Any]]
    ways: NDArray[np.float64]
    way_layers: tuple[str, ...]
    facts: dict[str, Any]

    @property
    def summary(self) -> str:
        lines = [_words(self, row) for row in range(len(self.pixels))]
        named = [f"channel {channel:5d}  {said}" for channel, said in zip(self.table["channel"], lines, strict=True)]
        return "\n".join([*named, *(f"channel {one:5d}  cannot be drawn: {why}" for one, why in self.dead.items())])


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str, LAYER],
    channels: Annotated[Sequence[int], Several(CHANNEL, most=64)],
    method: Annotated[str, METHOD] = "fourier",
    *,
    objective: Annotated[str, Choices(*OBJECTIVES, help="in the whole picture, or in its middle")] = "channel",
    negative: Annotated[bool, Choices(True, False, help="what makes the channel least")] = False,
    facets: Annotated[int, Range(1, 6, help="pictures a channel, each kept unlike the others")] = 1,
    side: Annotated[int | None, Range(16, 512, help="pixels a side, by default 128 where the network takes it")] = None,
    steps: Annotated[int, Range(8, 4096, help="of the optimiser")] = 256,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of chance")] = 0,
    progress: Progress = unheard,
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> FeatureVisualization:
    """What channels of a layer look for, as pictures made by gradient ascent (Olah et al. 2017).

    Frequencies and colours begin as strong as in the index's own pictures, and with method "maco" stay so (Fel et al.
    2023). Raises Unknown for a layer that the index has not, NotSupported where all channels are dead, BadValue for a
    size that the network does not take.
    """
    index.summary(layer)
    model, known = index.model, index.model.layer(layer)
    gone = {channel: why for channel, why in dead(index, layer).items() if channel in channels}
    living = [channel for channel in dict.fromkeys(channels) if channel not in gone]
    if not living:
        said = ", ".join(f"{channel} ({why})" for channel, why in gone.items())
        raise NotSupported(f"Dead channels of {layer!r} cannot be drawn: {said}.")
    wanted = [channel for channel in living for _ in range(facets)]
    with model.exclusive() as net:
        sides = size_for(model, net, known.name, side)
        spectrum = _spectrum(index, sides)
        at_once = max(1, AT_ONCE * AT_ONCE_SIDE**2 // (sides[0] * sides[1]))
        parts, most = [], max(1, at_once // facets) * facets
        for start in range(0, len(wanted), most):
            own = wanted[start : start + most]
            score = raised(own, objective, -1 if negative else 1, facets)
            told = part(progress, start / len(wanted), (start + len(own)) / len(wanted))
            some = ascend(
                net,
                model.preprocess,
                known.name,
                score,
                spectrum,
                len(own),
                parametrization=method,
                options=options,
                steps=steps,
                seed=seed + start,
                progress=told,
            )
            parts.append(some)
        made = spectrum.as_drawn(torch.cat(parts)).cpu()
        judged = judge(index, net, known.name, wanted, made, negative)
    pixels = _looked_at(model, made.numpy())
    ranking = "lowest" if negative else "best"
    firsts = range(0, len(wanted), facets)
    positions = judged.columns.pop("position")
    return FeatureVisualization(
        values=made.numpy(),
        pixels=pixels,
        tiles=tuple(_tiles(index, known, wanted[k], ranking, pixels[k], positions[k]) for k in firsts),
        layer=known,
        channels=tuple(living),
        dead=gone,
        table={"channel": wanted, "facet": [k % facets for k in range(len(wanted))], **judged.columns},
        ways=judged.ways,
        way_layers=judged.layers,
        facts={
            "channels": tuple(dict.fromkeys(channels)),
            **({"side": sides[0]} if sides[0] == sides[1] else {}),  # else it is the network's own
        },
    )


@drawn
def render(
    result: FeatureVisualization,
    *,
    beside: Annotated[bool, Choices(True, False, help="the real patches that excite it most")] = True,
    factor: Annotated[int, Range(1, 16, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """A row a channel: what was made, and what the strongest unit sees of it beside what it sees of real pictures."""
    panels, facets = [], result.facts["facets"]
    for k, channel in enumerate(result.channels):
        first = k * facets
        peaks = [f"{value:.3g}" for value in result.table["peak"][first : first + facets]]
        panels.append(
            _sheet(result.pixels[first : first + facets], f"Channel {channel}", peaks, factor, _words(result, first))
        )
        if beside:
            tiles = result.tiles[k]
            names = ["made", *["real"] * (len(tiles) - 1)]
            enlarged = max(1, result.pixels.shape[1] * factor // max(tiles.shape[1:3]))
            panels.append(_sheet(tiles, "What its strongest unit sees", names, enlarged, ""))
    return Figure(
        title=f"What excites channels of {result.layer.name}, {result.facts['model']}",
        panels=tuple(panels),
        columns=2 if beside else min(len(panels), 4),
        facts=result.facts,
        note=f"{sight(result.layer, result.pixels.shape[1:3])} {_dead(result)}{CAVEAT} {SHARED}",
        arrays={"values": result.values, "ways": result.ways},
        table=result.table,
        alt=f"Pictures made for {len(result.channels)} channels of {result.layer.name}, a row each",
    )


def _sheet(tiles: NDArray[np.uint8], title: str, names: Sequence[str], factor: int, caption: str) -> Panel:
    grid = Grid(len(tiles), tiles.shape[1] * factor, tiles.shape[2] * factor, GAP)
    return Panel(contact_sheet(tiles, len(tiles), GAP, factor, GROUND), title, caption, names=tuple(names), grid=grid)


def _words(result: FeatureVisualization, row: int) -> str:
    """How far to believe it."""
    value = {name: column[row] for name, column in result.table.items()}
    if result.facts["negative"]:
        said = f"It brings the channel to {value['peak']:.3g}, the real picture that does so most to "
        said += f"{value['lowest_real']:.3g}."
    else:
        said = f"It excites the channel to {value['peak']:.3g}, more than {_share(value['above'])} real pictures do, "
        said += f"the best of them to {value['best_real']:.3g}."
    said += (
        f" Shifted: {value['shifted']:.3g}{'' if value['jpeg'] is None else '; as JPEG: {jpeg:.3g}'.format(**value)}."
    )
    way = value["natural_way"]
    if way is not None:
        said += f" Its way there: {way:.2g}, where 1 is the way of real pictures that excite it, 0 that of others"
        said += ": it takes neither." if way < 0 else "."
    elif len(result.ways):
        said += " Whether it takes a natural way there can't be told from these pictures."
    return said


def _share(above: float) -> str:
    """Rounded down: "all" are all."""
    return "all" if above == 1 else f"{int(above * 100)}% of the"


def _dead(result: FeatureVisualization) -> str:
    return "".join(f"Channel {channel} cannot be drawn: {why}. " for channel, why in result.dead.items())


def _spectrum(index: Index, sides: tuple[int, int]) -> Spectrum:
    """Of pictures spread over the index; a usual one where none is left."""
    found = []
    for number in np.unique(np.linspace(0, len(index) - 1, PICTURES).round().astype(int)).tolist():
        with suppress(BadFile):  # gone since
            found.append(index.images[number])
    preprocess = index.model.preprocess
    known = spectrum_of(found, preprocess, sides) if found else usual_spectrum(preprocess, sides)
    return known.to(index.model.device)


def _looked_at(model: Model, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(N, H, W, 3)."""
    found = []
    for one in values.transpose(0, 2, 3, 1):
        if values.shape[1] in (1, 3) and one.min() >= 0 and one.max() <= 1:
            found.append(np.broadcast_to((one * 255).round().astype(np.uint8), (*one.shape[:2], 3)))
        else:
            found.append(model.preprocess.shown(one))
    return np.stack(found)


def _tiles(
    index: Index, layer: Layer, channel: int, ranking: Any, picture: NDArray[np.uint8], position: tuple[int, int] | None
) -> NDArray[np.uint8]:
    """What the strongest unit sees: of the made picture, then of the real ones, all at one scale."""
    rows = index.top(layer.name, channel, ranking, min(REAL, index.k))
    real = cut(index, layer, ((channel, ranking, rank, row) for rank, row in enumerate(rows, 1))).tiles
    height, width = extent(layer, index.model.preprocess.size)
    sides = picture.shape[:2]
    if position is None or layer.field is None or height >= sides[0] or width >= sides[1]:
        return np.stack([picture, *(_as_large(one, sides) for one in real)])
    box = layer.field.box(*position)
    y, x = (min(max(low, 0), side - most) for low, side, most in zip(box[:2], sides, (height, width), strict=True))
    return np.concatenate([picture[None, y : y + height, x : x + width], real])


def _as_large(tile: NDArray[np.uint8], sides: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(to_bytes(resize(tile.transpose(2, 0, 1) / 255, sides).transpose(1, 2, 0)))
