"""The channels of a layer that say nothing, or what another says already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ..figure import Figure
from ..index import Index
from ..index.channels import kernel
from ..index.dead_channels import dead, duplicates
from .inputs import INDEX, LAYER
from .parts.result import Result
from .view import drawn, view

__all__ = ["ChannelHealth", "compute", "render"]


@dataclass(frozen=True, eq=False)
class ChannelHealth(Result):
    """`dead` gives channels with the reason, `duplicates` channels with the earlier one that each equals."""

    channels: int
    dead: dict[int, str]
    duplicates: dict[int, int]
    table: dict[str, list[Any]]
    facts: dict[str, Any]

    @property
    def summary(self) -> str:
        rows = zip(self.table["channel"], self.table["kind"], self.table["why"], strict=True)
        return "\n".join([*(f"channel {channel:5d}  {kind}: {why}" for channel, kind, why in rows), self.figure().note])


@view
def compute(index: Annotated[Index, INDEX], layer: Annotated[str, LAYER]) -> ChannelHealth:
    """Dead and duplicate channels of a layer. Raises Unknown for one that is not in the index."""
    known = index.statistics(layer)
    gone, copies = dead(index, layer), duplicates(index, layer)
    told = gone | {channel: f"equal to channel {first}" for channel, first in copies.items()}
    found, numbers = sorted(told), ("mean", "std", "min", "max", "silent")
    table: dict[str, list[Any]] = {
        "channel": found,
        "kind": ["dead" if channel in gone else "duplicate" for channel in found],
        "why": [told[channel] for channel in found],
        **{name: [float(known[name][channel]) for channel in found] for name in numbers},
    }
    compared = "statistics" if kernel(index.model, layer) is None else "weights"
    return ChannelHealth(len(known["mean"]), gone, copies, table, {"compared": compared})


@drawn
def render(result: ChannelHealth) -> Figure:
    """The list, for CSV and HTML, with a sentence under it."""
    return Figure(
        title=f"Dead and duplicate channels of {result.facts['layer']}, {result.facts['model']}",
        panels=(),
        facts=result.facts,
        note=f"{len(result.dead)} dead and {len(result.duplicates)} duplicates of {result.channels} channels, over "
        f"{result.facts['images']:,} pictures of {result.facts['data']}; duplicates by {result.facts['compared']}.",
        table=result.table,
        alt="Dead and duplicate channels",
    )
