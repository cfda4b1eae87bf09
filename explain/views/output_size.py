"""How large the output of a convolution or pooling is, what it costs, and a drawing of where its windows lie."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue
from ..figure import Figure, Panel
from ..lectures.arithmetic import conv_macs, conv_parameters, output_size, same_padding
from ..options import Choices, Range
from .parts.result import Result
from .view import drawn, view

__all__ = ["OutputSize", "compute", "render"]

MOST_CELLS = 160  # along a side of a drawing; more are too small to be seen
INPUT, PADDING, TAPS, SKIPPED, REST, OUTPUT = (
    (143, 190, 230),
    (222, 222, 222),
    (230, 120, 20),
    (250, 205, 150),
    (196, 60, 60),
    (60, 150, 120),
)
LINE = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class OutputSize(Result):
    """What is asked about, then what comes out: `exact` is a fraction where the windows do not fit; `floored` is what
    torch makes of it.

    same: the padding that keeps the size at a stride of 1; None where there is none. rest: rows of the padded input
    that no window reaches.
    """

    size: int
    window: int
    stride: int
    padding: int
    dilation: int
    in_channels: int
    out_channels: int
    groups: int
    bias: bool
    exact: Fraction
    facts: dict[str, Any]

    @property
    def fits(self) -> bool:
        return self.exact.denominator == 1

    @property
    def floored(self) -> int:
        return int(self.exact)

    @property
    def reach(self) -> int:
        """The side of the window with the gaps that the dilation leaves."""
        return self.dilation * (self.window - 1) + 1

    @property
    def rest(self) -> int:
        return (self.size + 2 * self.padding - self.reach) % self.stride

    @property
    def same(self) -> int | None:
        even = self.dilation * (self.window - 1) % 2
        return None if even else same_padding(self.window, self.dilation)

    @property
    def parameters(self) -> int:
        return conv_parameters(self.window, self.in_channels, self.out_channels, self.bias, self.groups)

    @property
    def macs(self) -> int:
        return conv_macs(self.window, self.in_channels, self.out_channels, self.floored, self.groups)

    @property
    def mixed(self) -> str:
        """For instance: 2 1/3."""
        whole, part = divmod(self.exact, 1)
        return str(whole) if not part else f"{whole} {part}"

    @property
    def words(self) -> str:
        """What comes out, whether it fits, and which padding keeps the size."""
        shape = f"({self.size} + 2·{self.padding} − {self.reach}) / {self.stride} + 1 = {self.mixed}"
        if self.fits:
            said = f"{shape}: the output is {self.floored} × {self.floored}."
        else:
            of = " of the padded input" if self.padding else ""
            lines = "row and column" if self.rest == 1 else f"{self.rest} rows and columns"
            said = (
                f"{shape}: does not fit. torch rounds down to {self.floored} × {self.floored} and never looks at the "
                f"last {lines}{of}."
            )
        if self.same is None:
            return f"{said} No padding keeps the size: the window is even."
        return f"{said} A padding of {self.same} with stride 1 keeps the size."

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row."""
        row = {
            **{name: value for name, value in vars(self).items() if name not in ("exact", "facts")},
            "output": self.mixed,
            "fits": self.fits,
            "torch": self.floored,
            "same_padding": self.same,
            "parameters": self.parameters,
            "macs": self.macs,
        }
        return {name: [value] for name, value in row.items()}

    @property
    def measures(self) -> dict[str, Any]:
        return {name: value for name, (value,) in self.table.items()}

    @property
    def summary(self) -> str:
        return f"{self.words}\n{self.parameters:,} parameters, {self.macs:,} MACs"


@view
def compute(
    *,
    size: Annotated[int, Range(1, 100_000, help="side of the square input")] = 7,
    window: Annotated[int, Range(1, 10_000, help="side of the filter or pooling window")] = 3,
    stride: Annotated[int, Range(1, 10_000)] = 1,
    padding: Annotated[int, Range(0, 10_000, help="zeros on each side")] = 0,
    dilation: Annotated[int, Range(1, 10_000, help="step between the filter's weights")] = 1,
    in_channels: Annotated[int, Range(1, 100_000)] = 3,
    out_channels: Annotated[int, Range(1, 100_000, help="filters")] = 64,
    groups: Annotated[int, Range(1, 100_000)] = 1,
    bias: Annotated[bool, Choices(True, False)] = True,
) -> OutputSize:
    """One convolution, by formulas alone; for a pooling only the sizes count.

    Raises BadValue where not one window fits, or the channels do not divide into the groups.
    """
    if in_channels % groups or out_channels % groups:
        raise BadValue(f"groups={groups} does not divide {in_channels} input and {out_channels} output channels.")
    exact = output_size(size, window, stride, padding, dilation)
    sides = size, window, stride, padding, dilation
    return OutputSize(*sides, in_channels, out_channels, groups, bias, exact, facts={})


@drawn
def render(result: OutputSize) -> Figure:
    """Padded input with the first window, and the output with the cell that this window makes."""
    n, f = result.size, result.window
    title = f"{n} × {n}, window {f} × {f}, stride {result.stride}, padding {result.padding}"
    if result.dilation > 1:
        title += f", dilation {result.dilation}"
    note = f"{result.words} {result.parameters:,} parameters, {result.macs:,} MACs."
    side = n + 2 * result.padding
    panels: tuple[Panel, ...] = ()
    if side <= MOST_CELLS:
        grey = ", grey padding" if result.padding else ""
        red = "; red is never looked at" if result.rest else ""
        orange = "orange the first window" + (", pale what it skips" if result.dilation > 1 else "")
        pitch = max(4, 480 // side)
        panels = (
            Panel(_drawn(_before(result), pitch), f"Input {n} × {n}", f"Blue input{grey}, {orange}{red}."),
            Panel(
                _drawn(_after(result), pitch),
                f"Output {result.floored} × {result.floored}",
                "Orange: what the first window gives." if result.fits else f"Exactly {result.mixed}: does not fit.",
            ),
        )
    else:
        note += f" Nothing is drawn: {side} cells are more than {MOST_CELLS}."
    return Figure(
        title=title,
        panels=panels,
        columns=2,
        facts=result.facts,
        note=note,
        table=result.table,
        alt=f"{title}. {note}",
    )


def _before(result: OutputSize) -> NDArray[np.uint8]:
    """The colour of each cell of the padded input, (H, H, 3)."""
    side, pad, reach = result.size + 2 * result.padding, result.padding, result.reach
    cells = np.full((side, side, 3), PADDING, np.uint8)
    cells[pad : pad + result.size, pad : pad + result.size] = INPUT
    if result.rest:
        cells[-result.rest :], cells[:, -result.rest :] = REST, REST
    cells[:reach, :reach] = SKIPPED
    cells[: reach : result.dilation, : reach : result.dilation] = TAPS
    return cells


def _after(result: OutputSize) -> NDArray[np.uint8]:
    """The output among as many cells as the input has, so that both are drawn to one scale."""
    side = result.size + 2 * result.padding
    cells = np.full((side, side, 3), LINE, np.uint8)
    cells[: result.floored, : result.floored] = OUTPUT
    cells[0, 0] = TAPS
    return cells


def _drawn(cells: NDArray[np.uint8], pitch: int) -> NDArray[np.uint8]:
    """Squares with a line between them."""
    pixels = cells.repeat(pitch, 0).repeat(pitch, 1)
    pixels[::pitch], pixels[:, ::pitch] = LINE, LINE
    return np.pad(pixels, ((0, 1), (0, 1), (0, 0)), constant_values=255)
