"""Pictures of an index, their crops, and what a layer makes of those: the rows that are factorised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadFile, BadValue, NotSupported, enumerate_some
from ..index import Index
from ..network.copying import is_alone
from ..network.layers import of_picture
from ..network.model import Box, Layer, Model
from ..network.trace import reached, record
from ..progress import Progress, unheard

__all__ = ["AT_ONCE", "LEAST", "Pictures", "averages", "crops_of", "layer_for", "maps_of", "pictures_of", "windows"]

AT_ONCE = 16
LEAST = 4  # pictures: of fewer neither halves nor intervals say anything
NEGATIVE = 0.02
"""Of a sum of squares, the most that may be below zero: SiLU and GELU leave less, a plain convolution half."""
TRIED = 2  # pictures by which layers are tried


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures by their numbers in an index: `shown` (n, H, W, 3) to look at, `inputs` (n, C, H, W) of the net on the
    CPU; `targets` (n,), the class predicted for each."""

    numbers: tuple[int, ...]
    shown: NDArray[np.uint8]
    inputs: Tensor
    targets: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def without_inputs(self) -> Pictures:
        """To be kept, without what takes most memory."""
        return replace(self, inputs=self.inputs[:0].clone())


def pictures_of(index: Index, numbers: Sequence[int], most: int) -> Pictures:
    """At most so many of these pictures, evenly spread; without those that can be read no more. Raises BadValue where
    fewer than LEAST are left."""
    spread = np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).round().astype(int)).tolist()
    preprocess, crops, kept = index.model.preprocess, [], []
    for number in (int(numbers[k]) for k in spread):
        with suppress(BadFile):  # gone since
            crops.append(preprocess.crop(index.images[number]))
            kept.append(number)
    if len(kept) < LEAST:
        raise BadValue(f"There are {len(kept)} pictures; what they share is asked of at least {LEAST}.")
    return Pictures(
        tuple(kept),
        np.stack([preprocess.shown(crop) for crop in crops]),
        torch.stack([preprocess.scaled(crop) for crop in crops]),
        tuple(index.predictions[kept, 0].tolist()),
    )


def windows(size: tuple[int, int], share: float) -> list[Box]:
    """Boxes of an input (H, W) whose sides are such a share of its own, row by row; neighbours overlap by half."""
    return [
        (y, x, y + height, x + width) for y, height in _steps(size[0], share) for x, width in _steps(size[1], share)
    ]


def _steps(length: int, share: float) -> list[tuple[int, int]]:
    side = max(1, round(share * length))
    count = math.ceil(2 * (length - side) / side) + 1
    return [(start, side) for start in np.unique(np.linspace(0, length - side, count).round().astype(int)).tolist()]


def crops_of(inputs: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Of each picture of (n, C, H, W) all boxes, one after the other, enlarged to the input's size (n * boxes, ...)."""
    size = (inputs.shape[2], inputs.shape[3])
    cut = [inputs[:, :, y0:y1, x0:x1] for y0, x0, y1, x1 in boxes]
    large = [one if one.shape[2:] == size else F.interpolate(one, size, mode="bilinear") for one in cut]
    return torch.stack(large, 1).flatten(0, 1)


def maps_of(net: nn.Module, layer: str, inputs: Tensor, device: torch.device) -> Tensor:
    """What the layer gives for inputs (N, C, H, W): maps (N, channels, h, w), float32, where the net is."""
    step = 1 if is_alone(net) else AT_ONCE
    with torch.inference_mode(False), torch.no_grad():
        return torch.cat([reached(net, some.to(device), layer).float() for some in torch.split(inputs, step)])


def averages(
    model: Model, net: nn.Module, layer: Layer, inputs: Tensor, boxes: Sequence[Box], progress: Progress = unheard
) -> NDArray[np.float64]:
    """The layer's mean over each crop's map (n * boxes, C), never below zero. Raises NotSupported for values that are
    not finite."""
    rows = []
    for k, one in enumerate(torch.split(inputs, 1)):
        progress(k, len(inputs), "crops")
        maps = maps_of(net, layer.name, crops_of(one, boxes), model.device)
        rows.append(maps.clamp(min=0).mean((2, 3)).cpu())
    found = torch.cat(rows).numpy().astype(np.float64)
    if not np.isfinite(found).all():
        raise NotSupported(f"Layer {layer.name!r} gives values that are not finite for these pictures.")
    return found


def layer_for(model: Model, name: str | None, inputs: Tensor) -> Layer:
    """The layer of that name, or the last that can be factorised. Raises NotSupported for one that gives no maps, or
    values below zero, naming others."""
    able = [one for one in model.scanned if one.spatial and one.units > one.channels]
    if name is None:
        if not (fit := _non_negative(model, able, inputs)):
            raise NotSupported(f"No layer of {model.name!r} gives maps without values below zero.")
        return fit[-1]
    asked = of_picture(model.layer(name))
    if asked not in able:
        raise NotSupported(
            f"Layer {asked.name!r} gives no maps but {asked.shape}: concepts are looked for in a layer with places"
            f"{_such_as(_non_negative(model, able, inputs)[::-1])}."
        )
    if (share := _negative(model, [asked], inputs)[0]) > NEGATIVE:
        others = able[able.index(asked) + 1 :]
        raise NotSupported(
            f"Layer {asked.name!r} gives values below zero ({share:.0%} of the sum of squares), which have no "
            f"non-negative factors; choose a layer after a rectifier{_such_as(_non_negative(model, others, inputs))}."
        )
    return asked


def _non_negative(model: Model, layers: Sequence[Layer], inputs: Tensor) -> list[Layer]:
    return [one for one, share in zip(layers, _negative(model, layers, inputs), strict=True) if share <= NEGATIVE]


def _negative(model: Model, layers: Sequence[Layer], inputs: Tensor) -> list[float]:
    """Of each layer's squared values on some pictures, the share below zero; infinite where they are not finite."""
    with model.exclusive() as net:
        batch = inputs[: 1 if is_alone(net) else TRIED].to(model.device)
        _, held = record(net, batch, [one.name for one in layers])
    squares = [(held[one.name].float(), held[one.name].float().clamp(max=0)) for one in layers]
    shares = [float(below.square().sum() / whole.square().sum().clamp_min(1e-30)) for whole, below in squares]
    return [share if math.isfinite(share) else math.inf for share in shares]


def _such_as(layers: Sequence[Layer]) -> str:
    return f", such as {enumerate_some([one.name for one in layers[:3]])}" if layers else ""
