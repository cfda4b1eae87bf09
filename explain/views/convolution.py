"""One output of a convolution, step by step: the window it reads times its weights, summed, plus the bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import NotSupported
from ..figure import Figure, Panel, Scale
from ..images import colour, draw_box, enlarge, unit_scale
from ..network.layers import of_picture
from ..network.model import Layer, Model
from ..network.trace import call_of, inputs, record
from ..options import Range
from .inputs import CHANNEL, LAYER, MODEL, PICTURE, POSITION
from .parts.maps import colours_of, limits_of, scale_of
from .parts.picture import prepare
from .parts.result import BOX_COLOUR, Result
from .view import drawn, view

__all__ = ["Convolution", "compute", "render"]

SIDE = 112  # pixels of a small tile
_OTHERWISE = "Layer {!r} does not give what a convolution with its weights gives: it has a way of its own."


class Slice(NamedTuple):
    """What one input channel gives: its number among all that the layer is given, and its part of the sum."""

    channel: int
    window: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def products(self) -> NDArray[np.float64]:
        return self.window * self.weight

    @property
    def sum(self) -> float:
        return float(self.products.sum())


@dataclass(frozen=True, eq=False)
class Convolution(Result):
    """`windows` and `weight` (C, kh, kw): what the output at `position` reads, padding included, and by what it is
    multiplied; `read` are the input channels' numbers. `value` is windows x weight, summed, plus `bias`, in float64;
    `given` is what torch gave there. `before` (h, w) is the input channel that adds most, `after` the output channel.
    """

    windows: NDArray[np.float64]
    weight: NDArray[np.float64]
    read: tuple[int, ...]
    bias: float
    value: float
    given: float
    position: tuple[int, int]
    box: tuple[int, int, int, int]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    crop: NDArray[np.uint8]
    layer: Layer
    channel: int
    facts: dict[str, Any]

    @property
    def slices(self) -> list[Slice]:
        """One an input channel, those that add or take most first."""
        found = [Slice(*one) for one in zip(self.read, self.windows, self.weight, strict=True)]
        return sorted(found, key=lambda one: -abs(one.sum))

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row for each weight, in the order of the input channels."""
        place = np.indices(self.weight.shape).reshape(3, -1)
        return {
            "input channel": [self.read[k] for k in place[0]],
            "row": place[1].tolist(),
            "column": place[2].tolist(),
            "input": self.windows.ravel().tolist(),
            "weight": self.weight.ravel().tolist(),
            "product": (self.windows * self.weight).ravel().tolist(),
        }

    @property
    def measures(self) -> dict[str, Any]:
        slices = [{"input channel": one.channel, "sum": one.sum} for one in self.slices]
        return {"position": self.position, "value": self.value, "torch": self.given, "bias": self.bias, "sums": slices}

    @property
    def words(self) -> str:
        """The sum, its largest terms first."""
        slices = self.slices
        terms = [f"{one.sum:+.4g} (input channel {one.channel})" for one in slices[:3]]
        if rest := slices[3:]:
            terms.append(f"{sum(one.sum for one in rest):+.4g} ({len(rest)} more)")
        return f"{' '.join(terms)} {self.bias:+.4g} (bias) = {self.value:.5g}; torch gives {self.given:.5g}."

    @property
    def summary(self) -> str:
        i, j = self.position
        return f"Channel {self.channel} of {self.layer.name} at row {i}, column {j}: {self.words}"


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    layer: Annotated[str, LAYER],
    channel: Annotated[int, CHANNEL],
    position: Annotated[Sequence[int] | None, POSITION] = None,
) -> Convolution:
    """One output of a convolution on a picture; position None is where the channel responds most.

    Raises NotSupported for a layer that is no two-dimensional convolution.
    """
    known = of_picture(model.layer(layer))
    picture = prepare(model, image)
    with model.exclusive() as net:
        name, call = call_of(net, known.name)
        module = net.get_submodule(name)
        if not isinstance(module, nn.Conv2d):
            convolutions = [one.name for one in model.layers if one.kind.startswith("Conv2d")]
            raise NotSupported(
                f"Layer {layer!r} is a {type(module).__name__}. One output is a window times weights in a convolution: "
                f"{', '.join(convolutions[:8]) or 'this network has none'}."
            )
        met: list[Tensor] = []
        with inputs(net, name, lambda given: met.append(given.detach().clone())):
            _, held = record(net, picture.batch, [known.name])
        before = met[call or 0] if call is not None else met[-1]
        after = held[known.name][0, channel].float().cpu().numpy()
        place = tuple(position or divmod(int(np.nanargmax(after)), after.shape[1]))
        pads = _pads(module, before.shape[2:])
        padded = _padded(module, before, pads)[0].cpu().double().numpy()
        weight = module.weight[channel].detach().cpu().double().numpy()
        bias = 0.0 if module.bias is None else float(module.bias[channel])
        step, dilation, groups = module.stride, module.dilation, module.groups
        of_group = module.out_channels // groups
    first = channel // of_group * weight.shape[0] if groups > 1 else 0
    read = tuple(range(first, first + weight.shape[0]))
    top, left = (int(p) * s for p, s in zip(place, step, strict=True))
    rows = top + dilation[0] * np.arange(weight.shape[1])
    columns = left + dilation[1] * np.arange(weight.shape[2])
    if not (rows[-1] < padded.shape[1] and columns[-1] < padded.shape[2]):
        raise NotSupported(_OTHERWISE.format(layer))
    windows = padded[np.ix_(read, rows, columns)]
    value, given = float((windows * weight).sum() + bias), float(after[int(place[0]), int(place[1])])
    if not np.isclose(value, given, rtol=1e-3, atol=1e-3 * float(np.abs(windows * weight).max(initial=1e-6))):
        raise NotSupported(_OTHERWISE.format(layer))
    strongest = read[int(np.abs((windows * weight).sum((1, 2))).argmax())]
    where = (int(place[0]), int(place[1]))
    box = int(rows[0]) - pads[0], int(columns[0]) - pads[1], int(rows[-1]) - pads[0] + 1, int(columns[-1]) - pads[1] + 1
    return Convolution(
        windows=windows,
        weight=weight,
        read=read,
        bias=bias,
        value=value,
        given=given,
        position=where,
        box=box,
        before=before[0, strongest].float().cpu().numpy(),
        after=after,
        crop=picture.crop,
        layer=known,
        channel=channel,
        facts={"image": picture, "position": where},
    )


def _pads(module: nn.Conv2d, size: Sequence[int]) -> tuple[int, ...]:
    """Rows and columns before, then after: "same" puts the odd one after."""
    reach = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    if type(module).forward is not nn.Conv2d.forward:  # as TensorFlow pads, by the size of what is given
        whole = [-(-n // s) * s - s + r + 1 - n for n, s, r in zip(size, module.stride, reach, strict=True)]
        reach = [max(one, 0) for one in whole]
    elif module.padding != "same":
        given = (0, 0) if isinstance(module.padding, str) else module.padding
        return (*given, *given)
    return reach[0] // 2, reach[1] // 2, reach[0] - reach[0] // 2, reach[1] - reach[1] // 2


def _padded(module: nn.Conv2d, batch: Tensor, pads: Sequence[int]) -> Tensor:
    top, left, bottom, right = pads
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    with torch.no_grad():
        return F.pad(batch, (left, right, top, bottom), mode=mode)


@drawn
def render(
    result: Convolution, *, slices: Annotated[int, Range(1, 8, help="input channels shown, those that add most")] = 3
) -> Figure:
    """The window on its input and the output's place; then window, weights and products of the strongest inputs."""
    shown = result.slices[:slices]
    i, j = result.position
    map_before, map_after = scale_of(limits_of(result.before), "input"), scale_of(limits_of(result.after), "output")
    window = _boxed(result.before, map_before, result.box)
    cell = _boxed(result.after, map_after, (i, j, i + 1, j + 1))
    panels = [
        Panel(result.crop, "What the network saw"),
        Panel(window, f"Input channel {shown[0].channel}", "Red: the window that is read.", map_before),
        Panel(cell, f"Output channel {result.channel}", f"Red: row {i}, column {j}: {result.given:.4g}.", map_after),
    ]
    for one in shown:
        panels += [
            _tile(one.window, f"Window of input channel {one.channel}", "input"),
            _tile(one.weight, "times its weights", "weight"),
            _tile(one.products, "gives the products", "product", f"Sum {one.sum:.4g}."),
        ]
    return Figure(
        title=f"Channel {result.channel} of {result.layer.name} at row {i}, column {j}",
        panels=tuple(panels),
        columns=3,
        facts=result.facts,
        note=result.words,
        arrays={"windows": result.windows, "weight": result.weight, "output": result.after},
        table=result.table,
        alt=f"Window, weights and products of one output of {result.layer.name}",
    )


def _tile(values: NDArray[np.float64], title: str, label: str, caption: str = "") -> Panel:
    limit = float(np.abs(values).max()) or 1.0
    pixels = colour(unit_scale(values.astype(np.float32), -limit, limit), "red-blue")
    return Panel(
        enlarge(pixels, max(1, SIDE // max(values.shape))), title, caption, Scale("red-blue", -limit, limit, label)
    )


def _boxed(values: NDArray[np.float32], scale: Scale | None, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A map enlarged, with a box (y0, x0, y1, x1) of its cells, half open, drawn around; as far as it is on the map."""
    factor = max(1, 2 * SIDE // max(values.shape))
    height, width = values.shape
    y0, x0, y1, x1 = max(box[0], 0), max(box[1], 0), min(box[2], height), min(box[3], width)
    pixels = enlarge(colours_of(values, scale), factor)
    return draw_box(pixels, (y0 * factor, x0 * factor, y1 * factor, x1 * factor), BOX_COLOUR)
