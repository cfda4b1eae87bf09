"""What a batch costs: memory on the GPU and seconds, by its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import torch

from ..errors import BadValue
from ..figure import RIGHT, WRONG, Chart, Figure, Line
from ..network.batch_costs import PATIENCE, SIZES, estimated_mebibytes, time_and_peak
from ..network.model import Model
from ..options import Choices, Range
from ..progress import Progress, unheard
from .facts import Facts
from .inputs import MEASURED, MODEL, Several
from .parts.result import Result, aligned
from .view import drawn, view

__all__ = ["ESTIMATED", "BatchCosts", "Costs", "compute", "render"]

ESTIMATED = "estimated, no GPU here"
ON_GPU = "measured on the GPU"


@dataclass(frozen=True)
class Costs:
    """By size: MiB, as `how` they were found, beside the estimate, and the fastest of three runs in seconds; `refused`
    says what did not fit or was not tried."""

    device: str
    how: str
    refused: str
    sizes: list[int]
    mebibytes: list[float]
    estimates: list[float]
    seconds: list[float]


@dataclass(frozen=True, eq=False)
class BatchCosts(Result):
    """What batches of the model cost; the facts hold it, so that a figure drawn again shows the same."""

    costs: Costs
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a size."""
        costs = self.costs
        return {
            "batch": costs.sizes,
            "mebibytes": [round(value, 2) for value in costs.mebibytes],
            "estimate": [round(value, 2) for value in costs.estimates],
            "seconds": costs.seconds,
            "pictures_a_second": [round(n / spent, 1) for n, spent in zip(costs.sizes, costs.seconds, strict=True)],
        }

    @property
    def words(self) -> str:
        what = "one training step's forward and backward pass" if self.facts["training"] else "one forward pass"
        return f"Of {what}. Memory {self.costs.how}; without the optimiser's own. {self.costs.refused}".strip()

    @property
    def summary(self) -> str:
        return f"{aligned(self.table)}\n{self.words}"


@view
def compute(
    model: Annotated[Model, MODEL],
    sizes: Annotated[Sequence[int], Several(Range(1, 65_536, help="pictures a batch"), most=50)] = SIZES,
    *,
    training: Annotated[bool, Choices(True, False, help="with gradients of all weights, as in training")] = False,
    measured: Annotated[Any, MEASURED] = None,
    progress: Progress | None = None,
) -> BatchCosts:
    """Batches of empty pictures, one size after the other, on the model's device.

    Memory is the peak that torch allocates on CUDA, everything there included; elsewhere it is estimated: weights and
    the largest layer's input and output, or in training weights, gradients and all activations. What was measured
    before is taken as it was. Raises BadValue where not one batch fits.
    """
    if measured is None:
        costs = _measure(model, sorted(set(sizes)), training, progress or unheard)
    else:
        costs = _known(Facts(measured))
    return BatchCosts(costs, {"measured": asdict(costs)})


def _measure(model: Model, sizes: Sequence[int], training: bool, progress: Progress) -> Costs:
    on_gpu, refused = model.device.type == "cuda", ""
    rows: list[tuple[int, float, float, float]] = []
    for k, size in enumerate(sizes):
        progress(k, len(sizes), f"a batch of {size}")
        try:
            spent, peak = time_and_peak(model, size, training)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            refused = f"A batch of {size} does not fit into the GPU's memory."
            break
        estimate = estimated_mebibytes(model, size, training)
        rows.append((size, peak if on_gpu else estimate, estimate, spent))
        if spent > PATIENCE and size < sizes[-1]:
            refused = f"Larger batches than {size} were not tried: that one took {spent:.1f} s."
            break
    if not rows:
        raise BadValue(refused)
    done, mebibytes, estimates, seconds = map(list, zip(*rows, strict=True))
    return Costs(str(model.device), ON_GPU if on_gpu else ESTIMATED, refused, done, mebibytes, estimates, seconds)


def _known(facts: Facts) -> Costs:
    """What was measured before. Raises BadValue."""
    device, how, refused = (facts.text(name) for name in ("device", "how", "refused"))
    mebibytes, estimates, seconds = (facts.floats(name) for name in ("mebibytes", "estimates", "seconds"))
    sizes = facts.numbers("sizes")
    counts = {len(values) for values in (sizes, mebibytes, estimates, seconds)}
    if not sizes or len(counts) > 1 or min(*sizes, *seconds) <= 0:
        raise BadValue("What was measured is not a number of each kind for each size of batch.")
    return Costs(device, how, refused, sizes, mebibytes, estimates, seconds)


@drawn
def render(result: BatchCosts) -> Figure:
    """Memory and time over the size of the batch."""
    costs = result.costs
    sizes = np.array(costs.sizes, np.float64)
    charts = []
    for values, title, colour in (
        (costs.mebibytes, f"Memory, MiB ({costs.how})", RIGHT),
        (costs.seconds, f"Seconds a batch, measured on {costs.device}", WRONG),
    ):
        points = np.stack([sizes, np.array(values)], 1)
        ticks = tuple((float(size), str(size)) for size in costs.sizes)
        charts.append(
            Chart(
                (Line("", points, colour, dots=True, width=2.0),),
                (0.0, float(sizes.max()) * 1.03),
                (0.0, 1.1 * max(values)),
                ("pictures a batch", ""),
                x_ticks=ticks,
                title=title,
            )
        )
    title = f"Batches of {result.facts['model']}"
    return Figure(
        title=title,
        panels=tuple(charts),
        columns=2,
        facts=result.facts,
        note=result.words,
        table=result.table,
        alt=f"{title}. {result.words}",
    )
