"""What a network is made of, layer by layer, with the sums; where it all is; how far its units see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..figure import RIGHT, UNKNOWN, WRONG, Chart, Figure, Line, bars
from ..network.costs import QUANTITIES, Share, activations, neurons, shares
from ..network.layers import FLOAT_BYTES, ITSELF
from ..network.model import Layer, Model
from ..options import Choices
from .inputs import MODEL
from .parts.result import Result, aligned
from .view import drawn, view

__all__ = ["CAVEAT", "PARTS", "Anatomy", "compute", "render"]

PARTS = {"layers": "Layers", "shares": "Where it all is", "field": "Receptive field"}
CAVEAT = (
    "Multiply-accumulates (MACs) of convolutions, matrix products and attention, as a pass executes them; some call "
    "twice as many FLOPs. What is computed outside layers, such as attention between its projections, has rows of its "
    "own at the end. "
    "Activation memory: outputs of convolutions, fully connected layers, poolings and normalisations, and the picture; "
    "a ReLU writes over its input. Memory of what is computed outside layers, such as a residual's sum, is not counted."
)


@dataclass(frozen=True, eq=False)
class Anatomy(Result):
    """`table` has one row a layer call; counts are for one picture, memory in bytes of float32.

    activations: values held for one picture. joined: beside these, what the layers of dense blocks are given: all maps
    before them, joined. seen: name, side of the receptive field, step, both in pixels, in order.
    """

    table: dict[str, list[Any]]
    parameters: int
    buffers: int
    macs: int
    activations: int
    joined: int
    neurons: int
    shares: tuple[Share, ...]
    seen: tuple[tuple[str, float, float], ...]
    size: tuple[int, int]
    facts: dict[str, Any]

    @property
    def mebibytes(self) -> float:
        """Size of the parameters as float32."""
        return self.parameters * 4 / 2**20

    @property
    def words(self) -> list[str]:
        """Where parameters, computation and memory are."""
        return [share.words for share in self.shares]

    @property
    def summary(self) -> str:
        return "\n".join([aligned(self.table), self.sums, *self.words])

    @property
    def sums(self) -> str:
        return (
            f"{self.parameters:,} parameters ({self.mebibytes:.1f} MiB), {self.macs:,} MACs and "
            f"{self.activations:,} values ({self.memory():.1f} MiB) a picture, {self.neurons:,} neurons.{self._dense}"
        )

    @property
    def _dense(self) -> str:
        if not self.joined:
            return ""
        return (
            f" Each layer of a dense block is given all maps before it: joined anew for each, they are {self.joined:,} "
            f"values ({self.joined * FLOAT_BYTES / 2**20:.1f} MiB) more, which a training holds or makes a second time."
        )

    def memory(self, pictures: int = 1) -> float:
        """MiB of activations in float32 for a batch of so many pictures."""
        return pictures * self.activations * FLOAT_BYTES / 2**20


@view
def compute(model: Annotated[Model, MODEL]) -> Anatomy:
    """Shapes, parameters, MACs, memory, traffic, receptive field and stride of every layer call, and their sums.

    `parameters` counts the whole network, also heads that a pass in eval mode does not reach.
    """
    layers = model.layers
    with model.exclusive() as net:
        parameters = sum(p.numel() for p in net.parameters())
        buffers = sum(b.numel() for b in net.buffers())
        blocks = [name for name, module in net.named_modules() if type(module).__name__.endswith("DenseBlock")]
    table = layers.table
    for row in model.outside:
        own = {"layer": row.name, "kind": row.kind, "parameters": row.parameters, "macs": row.macs}
        for key, column in table.items():
            column.append(own.get(key, _NOTHING.get(key, 0)))
    size = model.preprocess.size
    entering = model.preprocess.channels * size[0] * size[1]
    return Anatomy(
        table,
        parameters,
        buffers,
        sum(table["macs"]),
        activations(layers, entering),
        _joined(layers, blocks),
        neurons(layers),
        shares(layers, [row for row in model.outside if row.macs or row.name == ITSELF]),
        tuple(filter(None, map(_seen, layers))),
        size,
        facts={"parameters": parameters, "macs": sum(table["macs"])},
    )


def _joined(layers: Sequence[Layer], blocks: Sequence[str]) -> int:
    """Values that the dense blocks of these names give to their parts, each by its first layer."""
    first: dict[str, Layer] = {}
    for block in blocks:
        for layer in layers:
            if layer.name.startswith(f"{block}."):
                first.setdefault(f"{block}.{layer.name.removeprefix(f'{block}.').partition('.')[0]}", layer)
    return sum(layer.taken for layer in first.values())


_NOTHING = {"shape": "", "receptive_field": "", "stride": "", "status": "outside layers"}


@drawn
def render(result: Anatomy, *, part: Annotated[str, Choices(*PARTS)] = "layers") -> Figure:
    """The table with the sums under it; bars of where it all is; or how the receptive field grows."""
    name = result.facts["model"]
    title, note, table = f"Anatomy of {name}", result.sums, result.table
    panels: tuple[Chart, ...] = ()
    if part == "shares":
        title, note, table = f"Where it all is in {name}", " ".join(result.words), _share_table(result)
        panels = _shares(result)
    elif part == "field":
        title, note, table = f"Receptive field in {name}", _extent(result), _seen_table(result)
        panels = (_growth(result),)
    return Figure(
        title=title,
        panels=panels,
        columns=2 if len(panels) > 1 else 1,
        facts=result.facts,
        note=note,
        table=table,
        alt=f"{title}. {note}",
    )


def _shares(result: Anatomy) -> tuple[Chart, ...]:
    """By kind of layer and by single layer, for each quantity that there is."""
    charts = []
    for share in result.shares:
        if share.total:
            said = QUANTITIES[share.quantity].capitalize()
            charts.append(bars(f"{said} by kind of layer", _percent(share.families), "", colour=RIGHT, unit="%"))
            charts.append(bars(f"{said}: the largest layers", _percent(share.largest), "", colour=WRONG, unit="%"))
    return tuple(charts)


def _percent(parts: dict[str, float]) -> dict[str, float]:
    return {name: 100 * share for name, share in parts.items()}


def _growth(result: Anatomy) -> Chart:
    seen = result.seen or (("input", 1.0, 1.0),)
    place = np.arange(len(seen), dtype=np.float64)
    sides, steps = np.array([row[1] for row in seen]), np.array([row[2] for row in seen])
    reach = max(len(seen) - 1.0, 1.0)
    limit = float(max(result.size))
    lines = (
        Line("the whole input", np.array([[0.0, limit], [reach, limit]]), UNKNOWN, dashed=True),
        Line("step from one unit to the next", np.stack([place, steps], 1), WRONG),
        Line("receptive field", np.stack([place, sides], 1), RIGHT, dots=len(seen) < 60, width=2.0),
    )
    top = 1.05 * max(limit, float(sides.max()))
    ticks = tuple((float(k), name) for k, (name, _, _) in enumerate(seen))
    return Chart(lines, (0.0, reach), (0.0, top), ("layer", "side, pixels of the input"), x_ticks=ticks, height=0.42)


def _extent(result: Anatomy) -> str:
    if not result.seen:
        return "No layer of this network has a receptive field: each unit sees the whole input."
    name, side, step = result.seen[-1]
    words = f"A unit of {name}, the last with a field of its own, sees {side:g} × {side:g} pixels, {step:g} apart. "
    over = [layer for layer, extent, _ in result.seen if extent >= max(result.size)]
    words += f"From {over[0]} on it is as large as the input. " if over else "It never covers the input. "
    return words + "Of branches the largest counts; behind global pooling and fully connected layers all is seen."


def _share_table(result: Anatomy) -> dict[str, list[Any]]:
    rows = [
        (share.quantity, by, name, value)
        for share in result.shares
        for by, parts in (("kind", share.families), ("layer", share.largest))
        for name, value in parts.items()
    ]
    names = ("quantity", "by", "name", "share")
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def _seen_table(result: Anatomy) -> dict[str, list[Any]]:
    return {name: [row[k] for row in result.seen] for k, name in enumerate(("layer", "field", "step"))}


def _seen(layer: Layer) -> tuple[str, float, float] | None:
    """The larger side; None where a unit sees everything or nothing."""
    if layer.receptive_field is None or layer.stride is None:
        return None
    side, step = max(layer.receptive_field), max(layer.stride)
    return (layer.name, side, step) if math.isfinite(side) and math.isfinite(step) else None
