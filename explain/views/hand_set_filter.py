"""What a filter set by hand answers to a line drawn by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import conv2d

from ..figure import Figure
from ..options import Choices, Range
from .parts.numbers import number_cells
from .parts.result import Result, cells
from .view import drawn, view

__all__ = ["HandSetFilter", "compute", "render"]

LINES = ("falling", "rising", "across", "upright")


@dataclass(frozen=True, eq=False)
class HandSetFilter(Result):
    """picture (side, side) of zeros and ones, weights (3, 3), response (side, side): torch's convolution, zeros around.

    on_line: where the picture is 1.
    """

    line: str
    filter: str
    picture: NDArray[np.float64]
    weights: NDArray[np.float64]
    response: NDArray[np.float64]
    facts: dict[str, Any]

    @property
    def on_line(self) -> NDArray[np.bool_]:
        return self.picture > 0

    @property
    def peaks(self) -> NDArray[np.bool_]:
        """Where the response is largest; nowhere if it is nowhere above zero."""
        top = self.response.max()
        return np.asarray((self.response == top) & (top > 0))

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row a place."""
        held = cells(self.response.astype(np.float32))
        return {**held, "picture": self.picture.astype(int).ravel().tolist()}

    @property
    def words(self) -> str:
        top, off = float(self.response.max()), float(self.response[~self.on_line].max())
        where = "on the line only" if not (self.peaks & ~self.on_line).any() else "beside the line as well"
        return (
            f"The largest response is {top:g}, at {int(self.peaks.sum())} places, {where}; beside it at most {off:g}. "
            "Weights add up to zero, so that an even area gives nothing."
        )

    @property
    def summary(self) -> str:
        return self.words


def _line(kind: str, side: int) -> NDArray[np.float64]:
    """Zeros (side, side) with a line of ones through the middle; falling goes down and to the right."""
    drawn_line = np.zeros((side, side))
    along, middle = np.arange(side), side // 2
    rows = {"falling": along, "rising": side - 1 - along, "across": np.full(side, middle), "upright": along}[kind]
    columns = np.full(side, middle) if kind == "upright" else along
    drawn_line[rows, columns] = 1
    return drawn_line


@view
def compute(
    line: Annotated[str, Choices(*LINES, help="what is drawn; falling: down and to the right")] = "falling",
    filter: Annotated[str, Choices(*LINES, help="which line the filter is for")] = "falling",
    *,
    side: Annotated[int, Range(5, 15, help="of the picture")] = 9,
) -> HandSetFilter:
    """A 3 x 3 filter, 2 along its line and -1 elsewhere, over a picture with one line; by torch's convolution."""
    picture, weights = _line(line, side), 3 * _line(filter, 3) - 1
    batch, bank = torch.from_numpy(picture)[None, None], torch.from_numpy(weights)[None, None]
    response = conv2d(batch, bank, padding=1)[0, 0].numpy()
    return HandSetFilter(line, filter, picture, weights, response, facts={})


@drawn
def render(result: HandSetFilter) -> Figure:
    """The picture, the filter, and the response with its largest values framed."""
    return Figure(
        title=f"A filter for {result.filter} lines on a line that is {result.line}",
        panels=(
            number_cells(result.picture, "Picture"),
            number_cells(result.weights, "Filter"),
            number_cells(result.response, "Response", marked=result.peaks, caption="Framed: the largest."),
        ),
        columns=3,
        facts=result.facts,
        note=result.words,
        arrays={"picture": result.picture, "filter": result.weights, "response": result.response},
        table=result.table,
        alt=f"A drawn line, a filter and its response. {result.words}",
    )
