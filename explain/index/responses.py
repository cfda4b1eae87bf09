"""What a batch's output of one layer comes to: for each image and channel its peak, and what the statistics need.

On a CPU one compiled pass over the memory does it all, which costs a tenth of four passes by torch: reading the
activations of EfficientNet-Lite0 once takes a twentieth of its forward pass. While it has them in the cache it also
scales and clips them, where that is all that the network does to them next.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Responses", "Sought", "Tail", "packed", "respond", "unpacked"]

_second = ThreadPoolExecutor(1, "responses")


class Responses(NamedTuple):
    """Each (N, C): the maximum over positions with the row and column where it first occurs, the minimum, sum and sum
    of squares. A map with a NaN has NaN as its peak.

    The column is found where it is sought, and means nothing elsewhere.
    """

    peak: NDArray[np.float32]
    row: NDArray[np.int32]
    column: NDArray[np.int32]
    least: NDArray[np.float32]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


class Sought(NamedTuple):
    """Which peaks need their column: those above or below a bar of their channel (C,), NaN for all, and all peaks of
    the images drawn (N,). Few of them are ever ranked, and looking costs as much as all the rest."""

    above: NDArray[np.float32]
    below: NDArray[np.float32]
    drawn: NDArray[np.bool_]


class Tail(NamedTuple):
    """What becomes of a value x of channel c: scale[c] x + shift[c], clipped to floor and ceiling."""

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]
    floor: float
    ceiling: float

    def apply(self, output: Tensor) -> None:
        shape = (1, -1, *[1] * (output.dim() - 2))
        scale, shift = (torch.from_numpy(each).to(output).view(shape) for each in (self.scale, self.shift))
        output.mul_(scale).add_(shift).clamp_(self.floor, self.ceiling)


def respond(output: Tensor, sought: Sought | None = None, tail: Tail | None = None) -> Responses:
    """The responses of maps (N, C, H, W) or of a vector (N, C), which the tail then overwrites."""
    maps = _maps(output)
    count, channels = maps.shape[:2]
    if maps.device.type != "cpu":
        found = unpacked(packed(output).cpu().numpy(), tuple(output.shape))
        if tail is not None:
            tail.apply(output)
        return found
    if sought is None:
        everywhere = np.full(channels, np.nan, np.float32)
        sought = Sought(everywhere, everywhere, np.ones(count, np.bool_))
    positions = maps.float().permute(0, 2, 3, 1).contiguous()
    in_place = positions.data_ptr() == maps.data_ptr()
    found = _compiled(positions.numpy(), sought, tail if in_place else None)
    if tail is not None and not in_place:
        tail.apply(output)
    return found


def _compiled(positions: NDArray[np.float32], sought: Sought, tail: Tail | None) -> Responses:
    from .kernels import reduce_positions

    count, channels = positions.shape[0], positions.shape[3]
    kinds = (np.float32, np.int32, np.int32, np.float32, np.float64, np.float64)
    found = [np.empty((count, channels), kind) for kind in kinds]
    none = np.empty(0, np.float32)
    scale, shift, floor, ceiling = tail or Tail(none, none, 0, 0)
    how = sought.above, sought.below, scale, shift, np.float32(floor), np.float32(ceiling)

    def part(some: slice) -> None:
        reduce_positions(positions[some], tuple(array[some] for array in found), sought.drawn[some], how)

    half = (count + 1) // 2 if torch.get_num_threads() > 1 else count
    rest = _second.submit(part, slice(half, None))
    part(slice(half))
    rest.result()
    return Responses(*found)


def packed(output: Tensor) -> Tensor:
    """The responses as bits where the output is, (5, N, C), so that nobody has to wait for them there: see `unpacked`.

    As few operations as can be: a GPU ends each sooner than Python asks for the next.
    """
    flat = _maps(output).float().flatten(2)
    peak, at = flat.max(2)
    found = (peak, flat.amin(2), flat.sum(2), torch.linalg.vector_norm(flat, dim=2), at.int())
    return torch.stack([each.view(torch.int32) for each in found])


def unpacked(bits: NDArray[np.int32], shape: tuple[int, ...]) -> Responses:
    """What `packed` made of an output of this shape, on the CPU."""
    peak, least, total, norm = bits[:4].view(np.float32)
    row, column = np.divmod(bits[4], np.int32(shape[3] if len(shape) == 4 else 1))
    return Responses(peak, row, column, least, total.astype(np.float64), np.square(norm, dtype=np.float64))


def _maps(output: Tensor) -> Tensor:
    return output.detach() if output.dim() == 4 else output.detach()[:, :, None, None]
