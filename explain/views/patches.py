"""What excites the channels of a layer in a set of pictures: for each, the patches it responds to most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue
from ..figure import Figure, Grid, Panel
from ..images import contact_sheet
from ..index import RANKINGS, Index
from ..index.dead_channels import dead
from ..index.places import first_places
from ..index.summary import RankingName
from ..network.model import Layer
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import CHANNEL, INDEX, LAYER, WHERE, Several
from .parts.cut import GAP, GROUND, Cuts, blank, cut, printed, row_panel, sight
from .parts.result import SHARED, Result, only
from .view import drawn, view

__all__ = ["Patches", "classes", "compute", "describe", "render", "wall"]

COUNT, WALL_SIDE = 9, 128
MEANING = {
    "best": "the pictures it responds to most, strongest first",
    "lowest": "the pictures it responds to least, least first",
    "random": "pictures drawn at random, whatever it does on them",
}
SPREAD = "The best patches are a channel's extremes; compare random ones before you name it."


@dataclass(frozen=True, eq=False)
class Patches(Result):
    """`cuts` has the tiles and their table, channel by channel; `dead` the reason for channels that have none,
    `most` the strongest response of each to any picture."""

    cuts: Cuts
    layer: Layer
    channels: tuple[int, ...]
    ranking: str
    count: int
    dead: dict[int, str]
    most: dict[int, float]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        return self.cuts.columns()

    @property
    def measures(self) -> dict[str, Any]:
        return {"patches": self.table, "dead": self.dead}

    @property
    def summary(self) -> str:
        columns = (self.table[name] for name in ("channel", "score", "row", "column", "file", "prediction"))
        lines = [
            f"channel {channel:5d}  {score:9.4g} at ({row}, {column})  {file}, seen as {prediction}"
            for channel, score, row, column, file, prediction in zip(*columns, strict=True)
        ]
        lines += [f"channel {channel:5d}  dead on these pictures: {why}" for channel, why in self.dead.items()]
        return "\n".join(lines)


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str, LAYER],
    channels: Annotated[Sequence[int], Several(CHANNEL, most=10_000)],
    ranking: Annotated[str, Choices(*RANKINGS)] = "best",
    count: Annotated[int | None, Range(1, 100, help="patches a channel, by default 9 or what the index keeps")] = None,
    where: Annotated[str, WHERE] = "",
    per_picture: Annotated[int, Range(1, 16, help="most patches from one picture, of the best")] = 1,
    *,
    progress: Progress | None = None,
) -> Patches:
    """Up to `count` patches of each channel: nine, or as many as the index keeps.

    Among the pictures of a condition alone, which go through the network once more. So do the best pictures for more
    than one patch `per_picture`; two of a picture have less than half of the smaller in common. Raises Unknown for a
    layer that the index has not, BadValue for a count beyond what it keeps, or several patches that are not the best.
    """
    index.summary(layer)
    if per_picture > 1 and ranking != "best":
        raise BadValue(f"per_picture={per_picture} is for ranking='best', not {ranking!r}, which ranks whole pictures.")
    index = index.among(layer, where, progress or unheard) if where else index
    known, chosen = index.model.layer(layer), tuple(dict.fromkeys(channels))
    if (count or 0) > index.k:
        raise BadValue(f"count={count} is not from 1 to {index.k}, which this index keeps.")
    count = count or min(COUNT, index.k)
    gone = {channel: why for channel, why in dead(index, layer).items() if channel in chosen}
    greatest = index.statistics(layer)["max"]
    living = [channel for channel in chosen if channel not in gone]
    if per_picture > 1:
        found = first_places(index, layer, living, count, per_picture, progress or unheard)
    else:
        found = {channel: index.top(layer, channel, cast(RankingName, ranking), count) for channel in living}
    rows = ((channel, ranking, rank, row) for channel in living for rank, row in enumerate(found[channel], 1))
    return Patches(
        cuts=cut(index, known, rows),
        layer=known,
        channels=chosen,
        ranking=ranking,
        count=count,
        dead=gone,
        most={channel: float(greatest[channel]) for channel in chosen},
        facts={"channels": chosen, "count": count},
    )


@drawn
def render(
    result: Patches,
    *,
    whole: Annotated[bool, Choices(True, False, help="whole pictures, with the box drawn")] = False,
    factor: Annotated[int, Range(1, 64, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """One row a channel, first to last in the ranking, with the value under each patch."""
    factor = factor if whole else printed(result.cuts, factor)
    panels = []
    for channel in result.channels:
        numbers = result.cuts.where(channel=channel)
        title = f"Channel {channel}{_warning(result, channel)}"
        panels.append(row_panel(result.cuts, numbers, result.count, title, whole, factor))
    return Figure(
        title=f"{result.layer.name} of {result.facts['model']}: {result.ranking} patches",
        panels=tuple(panels),
        columns=1,
        facts=result.facts,
        note=describe(result),
        arrays={"patches": result.cuts.tiles},
        table=result.table,
        alt=f"Patches of {len(result.channels)} channels of layer {result.layer.name}, one row each",
    )


def wall(result: Patches, *, whole: bool = False) -> tuple[Panel, list[str], list[int]]:
    """The same as one contact sheet to click, `count` tiles a row: the panel, the values, and each tile's channel.

    Tiles are averaged down to at most WALL_SIDE pixels: the sheet goes to a browser.
    """
    tiles, names, values, owners = [], [], [], []
    table = result.cuts.table
    side = result.cuts.pictures.shape[1:3] if whole else result.cuts.tiles.shape[1:3]
    empty = blank(*side)
    for channel in result.channels:
        numbers = result.cuts.where(channel=channel)
        tiles += [*result.cuts.drawn(numbers, whole), *[empty] * (result.count - len(numbers))]
        names += [f"{channel} · {classes(table['label'][k], table['prediction'][k])}" for k in numbers]
        values += [f"{table['score'][k]:.3g}" for k in numbers]
        rest = f"dead: {result.dead[channel]}" if channel in result.dead else "no more pictures"
        names += [f"{channel} · {rest}"] * (result.count - len(numbers))
        values += [""] * (result.count - len(numbers))
        owners += [channel] * result.count
    small = _shrunk(np.stack(tiles), -(-max(side) // WALL_SIDE))
    sheet = contact_sheet(small, result.count, GAP, 1, GROUND)
    grid = Grid(result.count, small.shape[1], small.shape[2], GAP)
    return Panel(sheet, names=tuple(names), grid=grid), values, owners


def _shrunk(tiles: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    if factor == 1:
        return tiles
    n, height, width, _ = tiles.shape
    rows, columns = max(1, height // factor), max(1, width // factor)
    size = min(rows * factor, height), min(columns * factor, width)
    cells = tiles[:, : size[0], : size[1]].reshape(n, rows, size[0] // rows, columns, size[1] // columns, 3)
    small: NDArray[np.uint8] = np.round(cells.mean((2, 4), dtype=np.float32)).astype(np.uint8)
    return small


def describe(result: Patches) -> str:
    """What the tiles are, and how far to trust them."""
    missing = result.cuts.missing
    gone = f" {len(missing)} pictures can no longer be read, such as {missing[0]}." if missing else ""
    count = "one channel" if len(result.channels) == 1 else "a channel a row"
    data = f"{result.facts['data']}, {result.facts['images']:,} pictures{only(result.facts)}"
    shown = f"{count.capitalize()}: {MEANING[result.ranking]} ({data})."
    return f"{sight(result.layer, result.cuts.size)} {shown}{_several(result)}{gone}{_ties(result)} {SPREAD} {SHARED}"


def _several(result: Patches) -> str:
    most = result.facts["per_picture"]
    if most == 1 or result.layer.field is None or not result.layer.spatial:
        return ""
    return f" Up to {most} patches are of one picture, where two of them have less than half of the smaller in common."


def _ties(result: Patches) -> str:
    """Where a rectifier is full, many pictures and places are as strong: which come first says nothing."""
    places = zip(result.cuts.table["channel"], result.cuts.table["score"], strict=True)
    if result.ranking == "random" or max(Counter(places).values(), default=0) < 2:
        return ""
    return " Equal values are a tie: the first row, column and picture come first."


def _warning(result: Patches, channel: int) -> str:
    if channel in result.dead:
        return f": dead on these pictures, {result.dead[channel]}"
    return ": never above 0" if result.most[channel] <= 0 else ""


def classes(label: str | None, prediction: str | None) -> str:
    """True and predicted class in words; a question mark where only the network says so."""
    if prediction is None:  # the network's answer is not a number
        return f"{label or 'unlabelled'}, no answer"
    if label is None:
        return f"{prediction}?"
    return label if label == prediction else f"{label}, seen as {prediction}"
