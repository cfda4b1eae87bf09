"""The strongest paths from pixels to an answer on one picture, a few layers at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution.target import Target, target_of
from ..circuits import named
from ..circuits.paths import Paths, strongest_paths
from ..figure import Chart, Figure, Grid, Line, Panel
from ..images import contact_sheet
from ..index import Index
from ..options import Range
from ..progress import Progress, unheard
from .inputs import INDEX, QUERY, TARGET
from .inputs import Layer as LayerInput
from .parts.cut import GAP, GROUND, pictured
from .parts.ends import NONE, best_tiles
from .parts.result import SHARED, Result
from .view import drawn, view

__all__ = ["PathsResult", "compute", "render", "rows_of"]

UP, DOWN, GREY = (178, 24, 43), (33, 102, 172), (90, 90, 90)
THICK = 4.0  # points, of the strongest edge
LEAST = 0.04  # of the strongest edge of its level: what is fainter is not drawn
CAVEAT = (
    "Parts are slope times value on the linear piece where the network is on this picture, kept at each level for the "
    "largest alone; what a channel does without the others kept, or on other pictures, may differ. Without it is the "
    "whole channel set to zero, and includes ways that are not drawn."
)


@dataclass(frozen=True, eq=False)
class PathsResult(Result):
    """A row of the table is a channel: `level` 1 feeds the start, 2 feeds 1; `part` what it gives to the start through
    the channels that were kept, `effect` the change of the start when it is set to zero. tiles (N, h, w, 3): its best
    patch, a row each. `paths` has the edges and how much was kept at each level."""

    target: Target
    paths: Paths
    tiles: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    names: tuple[str, ...]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        nodes = self.paths.nodes[1:]
        return {
            "level": [one.level for one in nodes],
            "layer": [one.layer for one in nodes],
            "channel": [one.channel for one in nodes],
            "name": list(self.names),
            "part": [one.part for one in nodes],
            "effect": [one.effect for one in nodes],
        }

    @property
    def measures(self) -> dict[str, Any]:
        edges = [list(edge) for edge in self.paths.edges]
        return {**self.table, "edges": edges, "kept": [list(one) for one in self.paths.kept]}

    @property
    def summary(self) -> str:
        rows = zip(*self.table.values(), strict=True)
        return "\n".join(
            f"{level}  {name:32s}  part {part:+.3g}  without it {effect:+.3g}"
            for level, _, _, name, part, effect in rows
        )


@view
def compute(
    index: Annotated[Index, INDEX],
    image: Annotated[Any, QUERY],
    target: Annotated[int | str | None, TARGET] = None,
    unit: Annotated[str | None, LayerInput("start at a channel of this layer instead of a class", url="")] = None,
    *,
    levels: Annotated[int, Range(1, 5, help="convolutions back from the start")] = 3,
    width: Annotated[int, Range(1, 8, help="channels kept at each level")] = 4,
    progress: Progress = unheard,
) -> PathsResult:
    """From a class (by default the predicted one), or a unit's channel averaged over its positions, back through what
    feeds it on this picture. To go on, start at one of the last channels.

    Raises BadValue or BadFile for the picture, NotSupported for a network without layers.
    """
    model = index.model
    picture = pictured(index, image)
    asked = target_of(model, picture.batch, target, unit)
    layer = model.layer(unit).name if unit else None
    with model.exclusive() as net:
        found = strongest_paths(
            model, net, picture.batch, asked.number, layer, levels=levels, width=width, progress=progress
        )
    nodes = found.nodes[1:]
    return PathsResult(
        target=asked,
        paths=found,
        tiles=np.concatenate([NONE, *(best_tiles(index, n.layer, n.channel, 1) for n in nodes)]),
        crop=picture.crop,
        names=tuple(named(model, node.layer, node.channel) for node in nodes),
        facts={"image": picture, "target": asked},
    )


@drawn
def render(
    result: PathsResult,
    *,
    factor: Annotated[int, Range(1, 4, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """The paths as a graph, from left to right, and the best patches of the channels of each level."""
    name, score = result.target.name, result.target.confidence_text
    return Figure(
        title=f"Paths to {name}, {result.facts['model']}",
        panels=(
            Panel(result.crop, f"{name}, {score}", str(result.facts.get("image") or "")),
            _graph(result),
            *(_level(result, level, factor) for level in range(1, 1 + len(result.paths.kept))),
        ),
        columns=2,
        facts=result.facts,
        note=f"{_kept(result)} {CAVEAT} {SHARED}",
        arrays={"tiles": result.tiles},
        table=result.table,
        alt=f"Paths to {name}: channels of {len(result.paths.kept)} levels, with what each gives",
    )


def _level(result: PathsResult, level: int, factor: int) -> Panel:
    rows = rows_of(result, level)
    side = result.tiles.shape[1] * factor
    sheet = contact_sheet(result.tiles[rows], len(rows), GAP, factor, GROUND)
    table = result.table
    names = tuple(f"{_short(result, k)}: {table['part'][k]:+.2g} | {table['effect'][k]:+.2g}" for k in rows)
    layers = ", ".join(dict.fromkeys(table["layer"][k] for k in rows))
    caption = f"Of {layers}. Below each: its part | change without it."
    return Panel(sheet, f"Level {level}", caption, names=names, grid=Grid(len(rows), side, side, GAP))


def rows_of(result: PathsResult, level: int) -> list[int]:
    """The rows of the table of one level."""
    return [k for k, one in enumerate(result.table["level"]) if one == level]


def _short(result: PathsResult, row: int) -> str:
    name, channel = result.names[row], result.table["channel"][row]
    return str(channel) if name == f"{result.table['layer'][row]} {channel}" else name


def _graph(result: PathsResult) -> Chart:
    """Levels from left to right, the start at the right; red adds to it, blue takes away, the thicker the more."""
    nodes, last = result.paths.nodes, len(result.paths.kept)
    at: list[tuple[float, float]] = []
    for level in range(last + 1):
        count = sum(node.level == level for node in nodes)
        at += [(float(last - level), (count - 1) / 2 - k) for k in range(count)]
    most: dict[int, float] = {}  # by level: deeper ones are spread over more channels
    for a, _, part in result.paths.edges:
        most[nodes[a].level] = max(most.get(nodes[a].level, 0.0), abs(part))
    lines = [
        Line("adds" if part > 0 else "takes away", np.array([at[a], at[b]]), UP if part > 0 else DOWN, width=width)
        for a, b, part in sorted(result.paths.edges, key=lambda edge: abs(edge[2]))
        if (width := THICK * abs(part) / most[nodes[a].level]) > THICK * LEAST
    ]
    lines += [Line("", np.array([place]), GREY, dots=True) for place in at]
    labels = [(*at[0], result.target.name), *((*at[k + 1], _short(result, k)) for k in range(len(nodes) - 1))]
    tall = max((sum(node.level == level for node in nodes) for level in range(last + 1)), default=1)
    ticks = tuple((float(last - level), f"level {level}" if level else "start") for level in range(last, -1, -1))
    return Chart(
        tuple(lines),
        (-0.3, last + 1.3),
        (-tall / 2, tall / 2),
        ("from pixels to the answer", ""),
        x_ticks=ticks,
        y_ticks=((0.0, ""),),
        title="Paths",
        caption="Each line is what one channel gives to the next, as far as that reaches the start; at each level the "
        "strongest is as thick.",
        labels=tuple(labels),
    )


def _kept(result: PathsResult) -> str:
    """How much of the sums the drawn channels are."""
    start = result.paths.nodes[0].part
    said = [f"{kept:+.3g} of {every:+.3g} at level {level}" for level, (kept, every) in enumerate(result.paths.kept, 1)]
    return f"{result.target.name} gets {start:.3g}; the channels kept give {', '.join(said)}."
