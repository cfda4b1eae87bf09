"""What a network is made of, layer by layer, with the sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..figure import Figure
from ..model import Model
from .result import Result

__all__ = ["Anatomy", "compute", "render"]


@dataclass(frozen=True, eq=False)
class Anatomy(Result):
    """`table` has one row a layer call; counts are for one picture, memory in bytes of float32."""

    table: dict[str, list[Any]]
    parameters: int
    buffers: int
    macs: int
    facts: dict[str, Any]

    @property
    def mebibytes(self) -> float:
        """Size of the parameters as float32."""
        return self.parameters * 4 / 2**20

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)


def compute(model: Model) -> Anatomy:
    """Shapes, parameters, MACs, memory, receptive field and stride of every layer call.

    `parameters` counts the whole network, also heads that a pass in eval mode does not reach.
    """
    layers = model.layers
    with model.exclusive() as net:
        parameters = sum(p.numel() for p in net.parameters())
        buffers = sum(b.numel() for b in net.buffers())
    table: dict[str, list[Any]] = {
        "layer": [layer.name for layer in layers],
        "kind": [layer.kind for layer in layers],
        "shape": ["×".join(map(str, layer.shape)) for layer in layers],
        "parameters": [layer.parameters for layer in layers],
        "macs": [layer.macs for layer in layers],
        "memory": [layer.memory for layer in layers],
        "receptive_field": [_pair(layer.receptive_field) for layer in layers],
        "stride": [_pair(layer.stride) for layer in layers],
        "status": [str(layer.field.status) if layer.field else "" for layer in layers],
    }
    facts = model.facts(view="anatomy", parameters=parameters, macs=sum(table["macs"]))
    return Anatomy(table, parameters, buffers, sum(table["macs"]), facts)


def render(result: Anatomy) -> Figure:
    """The table, for CSV and HTML, with the sums under it."""
    return Figure(
        title=f"Anatomy of {result.facts['model']}",
        panels=(),
        facts={**result.facts, "style": {}},
        note=f"{result.parameters:,} parameters ({result.mebibytes:.1f} MiB), {result.macs:,} MACs a picture.",
        table=result.table,
        alt=f"Layers of {result.facts['model']}",
    )


def _pair(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return ""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}×{pair[1]:g}"
