"""Two networks side by side: their sums, and at which size of maps their parameters and computation are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..figure import RIGHT, WRONG, Chart, Figure, Line
from ..network.costs import activations, family, neurons
from ..network.layers import FLOAT_BYTES
from ..network.model import Layer, Model
from .inputs import MODEL
from .parts.result import Result, aligned
from .view import drawn, view

__all__ = ["Comparison", "compute", "render"]

VECTORS = "vectors"
_BAR = 0.17  # half of a bar, in rows


@dataclass(frozen=True, eq=False)
class Comparison(Result):
    """sums: by name, of each of the two. stages: by size of maps, the finest first: layers with weights, parameters and
    MACs of each of the two."""

    names: tuple[str, str]
    sums: dict[str, tuple[float, float]]
    stages: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]]
    facts: dict[str, Any]

    @property
    def words(self) -> str:
        """By how much they differ."""
        said = []
        for what in ("parameters", "MACs", "activations"):
            first, second = self.sums[what]
            if first and second:
                more, less = self.names if first >= second else self.names[::-1]
                ratio = max(first, second) / min(first, second)
                times = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
                said.append(f"{more} has {times} times the {what} of {less}")
        return "; ".join(said) + "." if said else ""

    @property
    def table(self) -> dict[str, list[Any]]:
        """The sums, then the stages, one row each."""
        rows: list[tuple[str, float, float]] = [(what, *pair) for what, pair in self.sums.items()]
        for stage, (first, second) in self.stages.items():
            for k, what in enumerate(("layers with weights", "parameters", "MACs")):
                rows.append((f"{what}, {stage}", first[k], second[k]))
        name, other = self.names
        headings = "what", name, other if name != other else f"{other} again"
        return {heading: [row[k] for row in rows] for k, heading in enumerate(headings)}

    @property
    def summary(self) -> str:
        return f"{aligned(self.table)}\n{self.words}"


@view
def compute(model: Annotated[Model, MODEL], second: Annotated[Model, MODEL]) -> Comparison:
    """The same counts as `anatomy`, for both."""
    both = (model, second)
    sums = [_sums(one) for one in both]
    stages = [_stages(one.layers) for one in both]
    every = sorted({*stages[0], *stages[1]}, reverse=True)
    nothing = (0, 0, 0)
    return Comparison(
        (model.name, second.name),
        {what: (sums[0][what], sums[1][what]) for what in sums[0]},
        {_named(side): (stages[0].get(side, nothing), stages[1].get(side, nothing)) for side in every},
        facts={},
    )


def _sums(model: Model) -> dict[str, float]:
    layers = model.layers
    with model.exclusive() as net:
        parameters = sum(p.numel() for p in net.parameters())
    height, width = model.preprocess.size
    values = activations(layers, model.preprocess.channels * height * width)
    moved = sum(layer.moved for layer in layers)
    macs = sum(layer.macs for layer in (*layers, *model.outside))
    return {
        "input side": height,
        "parameters": parameters,
        "MiB of parameters": round(parameters * FLOAT_BYTES / 2**20, 2),
        "MACs": macs,
        "activations": values,
        "MiB of activations": round(values * FLOAT_BYTES / 2**20, 2),
        "bytes moved": moved,
        "MACs a byte": round(macs / moved, 2) if moved else 0.0,
        "neurons": neurons(layers),
        "convolutions": sum(family(layer.kind) == "convolutions" for layer in layers),
        "fully connected layers": sum(family(layer.kind) == "fully connected layers" for layer in layers),
    }


def _stages(layers: Sequence[Layer]) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Layers with weights, parameters and MACs by height and width of the maps; (0, 0) for vectors."""
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for layer in layers:
        side = (layer.shape[1], layer.shape[2]) if layer.spatial else (0, 0)
        weighted, parameters, macs = found.get(side, (0, 0, 0))
        found[side] = (weighted + (layer.macs > 0), parameters + layer.parameters, macs + layer.macs)
    return {side: counts for side, counts in found.items() if any(counts)}


def _named(side: tuple[int, int]) -> str:
    return f"{side[0]}×{side[1]}" if side != (0, 0) else VECTORS


@drawn
def render(result: Comparison) -> Figure:
    """Bars of parameters and of MACs at each size of maps."""
    title = f"{result.names[0]} and {result.names[1]}"
    return Figure(
        title=title,
        panels=(_pairs(result, 1, "Parameters"), _pairs(result, 2, "MACs a picture")),
        columns=2,
        facts=result.facts,
        note=f"{result.words} Bars are the sums of all layers whose output has that height and width.",
        table=result.table,
        alt=f"{title}. {result.words}",
    )


def _pairs(result: Comparison, which: int, title: str) -> Chart:
    """Two bars a stage, the first network's above."""
    count, lines = len(result.stages), []
    highest = max(1, *(counts[which] for pair in result.stages.values() for counts in pair))
    scale, unit = next(((s, u) for s, u in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if highest >= s), (1.0, ""))
    for k, pair in enumerate(result.stages.values()):
        for counts, shift, colour, name in zip(pair, (_BAR, -_BAR), (RIGHT, WRONG), result.names, strict=True):
            y, value = count - k + shift, counts[which] / scale
            corners = [(0.0, y - _BAR), (value, y - _BAR), (value, y + _BAR), (0.0, y + _BAR)]
            lines.append(Line(name, np.array(corners), colour, filled=True))
    rows = tuple((float(count - k), stage) for k, stage in enumerate(result.stages))
    return Chart(
        tuple(lines),
        (0.0, highest / scale * 1.02),
        (0.4, count + 0.6),
        (unit, ""),
        y_ticks=rows,
        title=title,
        height=0.1 + 0.11 * count,
    )
