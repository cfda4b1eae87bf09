"""What a batch costs: memory on the GPU and seconds, by its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from ..errors import BadValue
from ..figure import RIGHT, WRONG, Chart, Figure, Line
from ..network.batch_costs import PATIENCE, SIZES, check_size, estimated_mebibytes, time_and_peak
from ..network.model import Model
from ..progress import Progress, unheard
from ..registry import Choices, options_of
from .parts.result import Result

__all__ = ["ESTIMATED", "BatchCosts", "compute", "render"]

ESTIMATED = "estimated, no GPU here"
MEASURED = "measured on the GPU"


@dataclass(frozen=True, eq=False)
class BatchCosts(Result):
    """By size: MiB, as `how` they were found, and the fastest of three runs in seconds; `refused` says what did not
    fit or was not tried."""

    sizes: tuple[int, ...]
    mebibytes: tuple[float, ...]
    estimates: tuple[float, ...]
    seconds: tuple[float, ...]
    how: str
    refused: str
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a size."""
        return {
            "batch": list(self.sizes),
            "mebibytes": [round(value, 2) for value in self.mebibytes],
            "estimate": [round(value, 2) for value in self.estimates],
            "seconds": list(self.seconds),
            "pictures_a_second": [
                round(size / seconds, 1) for size, seconds in zip(self.sizes, self.seconds, strict=True)
            ],
        }

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)


def compute(
    model: Model,
    sizes: Sequence[int] = SIZES,
    *,
    training: Annotated[bool, Choices(True, False, help="with gradients of all weights, as in training")] = False,
    progress: Progress | None = None,
) -> BatchCosts:
    """Batches of empty pictures, one size after the other, on the model's device.

    Memory is the peak that torch allocates on CUDA, everything there included; elsewhere it is estimated: weights and
    the largest layer's input and output, or in training weights, gradients and all activations. Raises BadValue.
    """
    progress = progress or unheard
    training = options_of(compute)["training"].check(training)
    asked = [check_size(size) for size in sizes]
    if not asked:
        raise BadValue("There are no batch sizes; give at least one.")
    measured = model.device.type == "cuda"
    done: list[int] = []
    mebibytes, estimates, seconds, refused = [], [], [], ""
    for k, size in enumerate(sorted(set(asked))):
        progress(k, len(set(asked)), f"a batch of {size}")
        try:
            spent, peak = time_and_peak(model, size, training)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            refused = f"A batch of {size} does not fit into the GPU's memory."
            break
        estimate = estimated_mebibytes(model, size, training)
        done.append(size)
        estimates.append(estimate)
        mebibytes.append(peak if measured else estimate)
        seconds.append(spent)
        if spent > PATIENCE and size < max(asked):
            refused = f"Larger batches than {size} were not tried: that one took {spent:.1f} s."
            break
    if not done:
        raise BadValue(refused)
    facts = model.facts(
        view="batch_costs",
        sizes=done,
        training=training,
        device=str(model.device),
        how=MEASURED if measured else ESTIMATED,
    )
    return BatchCosts(
        tuple(done), tuple(mebibytes), tuple(estimates), tuple(seconds), str(facts["how"]), refused, facts
    )


def render(result: BatchCosts) -> Figure:
    """Memory and time over the size of the batch."""
    sizes = np.array(result.sizes, np.float64)
    charts = []
    for values, title, colour in (
        (result.mebibytes, f"Memory, MiB ({result.how})", RIGHT),
        (result.seconds, f"Seconds a batch, measured on {result.facts['device']}", WRONG),
    ):
        points = np.stack([sizes, np.array(values)], 1)
        top = 1.1 * max(values)
        ticks = tuple((float(size), str(size)) for size in result.sizes)
        charts.append(
            Chart(
                (Line("", points, colour, dots=True, width=2.0),),
                (0.0, float(sizes.max()) * 1.03),
                (0.0, top),
                ("pictures a batch", ""),
                x_ticks=ticks,
                title=title,
            )
        )
    what = "one training step's forward and backward pass" if result.facts["training"] else "one forward pass"
    note = f"Of {what}. Memory {result.how}; without the optimiser's own. {result.refused}".strip()
    title = f"Batches of {result.facts['model']}"
    return Figure(
        title=title,
        panels=tuple(charts),
        columns=2,
        facts={**result.facts, "style": {}},
        note=note,
        table=result.table,
        alt=f"{title}. {note}",
    )
