"""Which labels and attributes go with which channels of a layer, and which with none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..circuits import weighted
from ..columns import columns_of
from ..errors import NotSupported, Unknown
from ..figure import Figure, Grid, Panel, bars
from ..images import contact_sheet
from ..index import Index
from ..naming import fits, peaks
from ..network.model import Layer
from ..options import Choices, Range
from ..progress import Progress, part, unheard
from .inputs import INDEX, LAYER
from .parts.cut import GAP, GROUND
from .parts.ends import NONE, SIDE, best_tiles
from .parts.result import SHARED, Result
from .view import drawn, view

__all__ = ["ChannelNames", "compute", "render"]

LEAST = 3  # pictures of a group
COLUMNS, GROUPS = 4, 8
INK = (15, 110, 132)
CAVEAT = (
    "A name says which pictures of this set a channel tells apart, not what it looks for: what the pictures of a group "
    "share, a background say, has the same name. A group that no column has can have no name."
)


@dataclass(frozen=True, eq=False)
class ChannelNames(Result):
    """A row of the table is a channel: the group (COLUMN=VALUE) that stands out most, its average precision, what
    chance gives, p over all groups, q over all channels, and whether it is `named`: q at most the rate.

    average_precision (C, G) has all `groups`. tiles (N, h, w, 3): the best patch of those named most surely, `shown`.
    """

    layer: Layer
    average_precision: NDArray[np.float64]
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    chance: NDArray[np.float64]
    table: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    shown: tuple[int, ...]
    facts: dict[str, Any]

    @property
    def summary(self) -> str:
        return "\n".join([self.sentence(), *(f"channel {one:5d}  {self.words(one)}" for one in self.shown)])

    def sentence(self) -> str:
        """How many channels have a name."""
        named, pictures = sum(self.table["named"]), self.facts["looked_at"]
        said = f"{named:,} of {len(self.table['named']):,} channels of {self.layer.name} go with one of "
        return said + f"{len(self.groups):,} groups better than chance, over {pictures:,} pictures."

    def words(self, channel: int) -> str:
        """What goes with one channel; that nothing does, where that is so."""
        row = {name: values[channel] for name, values in self.table.items()}
        said = f"average precision {row['average_precision']:.2f}, by chance {row['chance']:.2f}, p {row['p']:.2g}"
        if not row["named"]:
            return f"no group better than chance among {len(self.table['named']):,} channels (best: {said})"
        return f"{row['group']}: {said}"


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str, LAYER],
    column: Annotated[
        str, Choices("", help="of the pictures' table, label or prediction: its groups", more="; by default all")
    ] = "",
    *,
    rate: Annotated[float, Range(0.001, 0.5, help="of names that may be by chance")] = 0.05,
    pictures: Annotated[int, Range(20, 100_000, help="of the index, spread over it")] = 2000,
    permutations: Annotated[int, Range(100, 100_000, help="of the control")] = 2000,
    count: Annotated[int, Range(1, 48, help="channels shown")] = 12,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of chance")] = 0,
    progress: Progress = unheard,
) -> ChannelNames:
    """Average precision of each channel's strongest response for each group of pictures, against permuted groups; no
    name where chance does as well, by the false discovery rate over the layer (Benjamini and Hochberg 1995).

    By default the groups are the labels, or where there are none the predictions, and those of the pictures' table.
    Raises Unknown for a column that is not there, NotSupported where no group has three pictures.
    """
    model, known = index.model, index.model.layer(layer)
    readable = np.flatnonzero(index.predictions[:, 0] >= 0)
    spread = np.unique(np.linspace(0, max(len(readable) - 1, 0), pictures).round().astype(int))
    numbers, responses = peaks(index, known.name, readable[spread[: len(readable)]], part(progress, 0, 0.8))
    names, members = _groups(index, column, numbers)
    if not names:
        raise NotSupported(f"No group of these pictures has {LEAST} of them or more: there are no names to give.")
    found = fits(responses, members, permutations, seed, part(progress, 0.8, 1))
    named = found.q <= rate
    rows = np.arange(known.channels)
    best = found.average_precision[rows, found.best]
    shown = [int(k) for k in np.lexsort((-best, found.q)) if named[k]][:count]
    own = weighted(model, known.name, index.layers) or known.name
    return ChannelNames(
        layer=known,
        average_precision=found.average_precision,
        groups=tuple(names),
        sizes=tuple(members.sum(0).tolist()),
        chance=found.chance,
        table={
            "channel": rows.tolist(),
            "group": [names[k] for k in found.best],
            "average_precision": best.tolist(),
            "chance": found.chance[found.best].tolist(),
            "p": found.p.tolist(),
            "q": found.q.tolist(),
            "named": named.tolist(),
        },
        tiles=np.concatenate([NONE, *(best_tiles(index, own, k, 1) for k in shown)]),
        shown=tuple(shown),
        facts={"looked_at": len(numbers)},
    )


def _groups(index: Index, column: str, numbers: NDArray[np.int64]) -> tuple[list[str], NDArray[np.bool_]]:
    """Names, and which pictures are in each (N, G); those of some pictures and not of all."""
    said = index.said
    if column and column not in said:
        raise Unknown("column", column, said)
    own = "label" if index.classes else "prediction"
    wanted = [column] if column else [own, *index.columns]
    names, members = [], []
    for name, one in columns_of({name: said[name] for name in wanted}).items():
        for k, group in enumerate(one.groups):
            inside = one.values[numbers] == k
            if LEAST <= inside.sum() < len(numbers):
                names.append(f"{name}={group}")
                members.append(inside)
    return names, np.stack(members, 1) if members else np.zeros((len(numbers), 0), np.bool_)


@drawn
def render(
    result: ChannelNames,
    *,
    factor: Annotated[int, Range(1, 4, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """The best patches of the channels that are named most surely, and how many channels each group names."""
    table, panels = result.table, []
    if result.shown:
        columns = min(COLUMNS, len(result.shown))
        sheet = contact_sheet(result.tiles, columns, GAP, factor, GROUND)
        names = tuple(f"{k}: {_value(table['group'][k])} {table['average_precision'][k]:.2f}" for k in result.shown)
        grid = Grid(columns, SIDE * factor, SIDE * factor, GAP)
        panels.append(
            Panel(sheet, "Named channels", "Below: channel, group, average precision.", names=names, grid=grid)
        )
    counts = dict.fromkeys(result.groups, 0)
    for group, named in zip(table["group"], table["named"], strict=True):
        counts[group] += named
    most = dict(sorted(counts.items(), key=lambda one: -one[1])[:GROUPS])
    return Figure(
        title=f"Names for channels of {result.layer.name}, {result.facts['model']}",
        panels=(*panels, bars("Channels that go with each group", most, "channels", colour=INK)),
        columns=2,
        facts=result.facts,
        note=f"{result.sentence()} {CAVEAT} {SHARED}",
        arrays={"average_precision": result.average_precision, "chance": result.chance},
        table=table,
        alt=f"Channels of {result.layer.name} with the groups of pictures that they go with",
    )


def _value(group: str) -> str:
    return group.partition("=")[2]
