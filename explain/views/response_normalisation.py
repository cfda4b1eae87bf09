"""Response normalisation on numbers: what goes in, what is summed around it, what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadValue
from ..figure import Figure
from ..nets.layers import IntraChannelNorm, lrn
from ..options import Choices, Range
from .parts.numbers import number_cells
from .parts.result import Result
from .view import drawn, view

__all__ = ["ResponseNormalisation", "compute", "render"]

CHANNELS, SIDE = 10, 7
SMALLEST, LARGEST = 10, 60
WAYS = {"across": "across channels", "within": "within a channel"}


@dataclass(frozen=True, eq=False)
class ResponseNormalisation(Result):
    """before, sums, after (H, W): what torch is given, the squares summed in each neighbourhood, and what torch gives;
    (1, C) across channels. around: the neighbourhood of `place`. by_hand is the formula in float64, `slide` the
    slide's, whose neighbourhood is one map larger where n is even."""

    way: str
    size: int
    place: tuple[int, int]
    before: NDArray[np.float64]
    around: NDArray[np.bool_]
    sums: NDArray[np.float64]
    after: NDArray[np.float64]
    by_hand: NDArray[np.float64]
    slide: NDArray[np.float64]
    alpha: float
    beta: float
    k: float
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row a value."""
        rows, columns = np.indices(self.before.shape).reshape(2, -1).tolist()
        places = {"channel": columns} if self.way == "across" else {"row": rows, "column": columns}
        parts = {
            "input": self.before,
            "sum of squares": self.sums,
            "output": self.after,
            "by the formula": self.by_hand,
        }
        return places | {name: part.ravel().tolist() for name, part in parts.items()}

    @property
    def words(self) -> str:
        """The chosen value's sum, step by step, and torch's convention."""
        a, total, out = (float(part[self.place]) for part in (self.before, self.sums, self.after))
        where = f"Channel {self.place[1]}" if self.way == "across" else f"Row {self.place[0]}, column {self.place[1]}"
        said = f"{where}: {a:g} / ({self.k:g} + {self.alpha:g} · {total:g})^{self.beta:g} = {out:.5g}, as torch gives."
        if self.way == "within":
            return said
        said += f" torch divides alpha by n, so its module was given {self.size} · {self.alpha:g}."
        if self.size % 2 == 0:
            said += (
                f" n is even: the slide's formula spans {self.size + 1} maps and gives {self.slide[self.place]:.5g}."
            )
        return said

    @property
    def summary(self) -> str:
        return self.words


@view
def compute(
    size: Annotated[int, Range(1, 9, help="n, how many are summed; within a channel the side of a square")] = 5,
    *,
    way: Annotated[str, Choices(*WAYS, help="neighbours in other channels, or around it in its own")] = "across",
    alpha: Annotated[float, Range(0, 1, help="of the formula")] = 1e-4,
    beta: Annotated[float, Range(0, 5)] = 0.75,
    k: Annotated[float, Range(0.001, 100)] = 2.0,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the numbers")] = 0,
) -> ResponseNormalisation:
    """a / (k + alpha · sum of squares)^beta (Krizhevsky et al. 2012), by torch's module and by the formula.

    Across channels of 10 at one place, within a channel of 7 x 7. Raises BadValue for an even size within a channel,
    whose square has no middle.
    """
    if way == "within" and size % 2 == 0:
        raise BadValue(f"size={size} is even: a square around a place has an odd side, such as 3 or 5.")
    shape = (1, CHANNELS) if way == "across" else (SIDE, SIDE)
    before = np.random.default_rng(seed).integers(SMALLEST, LARGEST, shape).astype(float)
    place = shape[0] // 2, shape[1] // 2
    low, high = size // 2, (size - 1) // 2  # torch's neighbourhood: of an even one the larger half is before
    rows = (0, 0) if way == "across" else (low, high)
    sums = _summed(before, rows, (low, high))
    wide = _summed(before, rows, (low, low))
    module = lrn(size, alpha, beta, k) if way == "across" else IntraChannelNorm(size, alpha, beta, k)
    given = torch.from_numpy(before)
    batch = given.reshape(1, CHANNELS, 1, 1) if way == "across" else given[None, None]
    after = module(batch).numpy().reshape(shape)
    i, j = np.indices(shape)
    around = (i >= place[0] - rows[0]) & (i <= place[0] + rows[1]) & (j >= place[1] - low) & (j <= place[1] + high)
    by_hand, slide = (before / (k + alpha * total) ** beta for total in (sums, wide))
    return ResponseNormalisation(
        way, size, place, before, around, sums, after, by_hand, slide, alpha, beta, k, facts={}
    )


def _summed(values: NDArray[np.float64], rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.float64]:
    """Squares around each place: so many before and after it, as far as there are any."""
    padded = np.pad(values**2, (rows, columns))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (sum(rows) + 1, sum(columns) + 1))
    return np.asarray(windows.sum((2, 3)))


@drawn
def render(result: ResponseNormalisation) -> Figure:
    """Input with one neighbourhood framed, the sums, and the output."""
    across = result.way == "across"
    axes, chosen = ("channel" if across else "column", ""), np.zeros(result.before.shape, bool)
    chosen[result.place] = True
    unit = "maps" if across else "places"
    panels = (
        number_cells(
            result.before, "Input", marked=result.around, axes=axes, named=not across,
            caption=f"Framed: the {int(result.around.sum())} {unit} that are summed for the one framed below.",
        ),
        number_cells(result.sums, "Sum of squares around each", marked=chosen, axes=axes, named=not across),
        number_cells(result.after, "Output", marked=chosen, axes=axes, named=not across),
    )  # fmt: skip
    return Figure(
        title=f"Response normalisation {WAYS[result.way]}, n = {result.size}",
        panels=panels,
        columns=1 if across else 3,
        facts=result.facts,
        note=result.words,
        arrays={"input": result.before, "sums": result.sums, "output": result.after},
        table=result.table,
        alt=f"Input, sums of squares and output of response normalisation {WAYS[result.way]}",
    )
