"""What a batch's output of one layer comes to: for each image and channel its peak, and what the statistics need.

On a CPU one compiled pass over the memory does it all, which costs a tenth of four passes by torch: reading the
activations of EfficientNet-Lite0 once takes a twentieth of its forward pass. While it has them in the cache it also
scales and clips them, where that is all that the network does to them next.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Responses", "Sought", "Tail", "packed", "respond", "unpacked"]

# Neither NaN nor infinity is assumed away: they are found, counted and ranked last.
_FASTMATH = {"reassoc", "contract", "nsz"}
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
    count, channels = positions.shape[0], positions.shape[3]
    kinds = (np.float32, np.int32, np.int32, np.float32, np.float64, np.float64)
    found = [np.empty((count, channels), kind) for kind in kinds]
    none = np.empty(0, np.float32)
    scale, shift, floor, ceiling = tail or Tail(none, none, 0, 0)
    how = sought.above, sought.below, scale, shift, np.float32(floor), np.float32(ceiling)

    def part(some: slice) -> None:
        _reduce(positions[some], tuple(array[some] for array in found), sought.drawn[some], how)

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


@numba.njit(nogil=True, fastmath=_FASTMATH, cache=True, error_model="numpy")
def _reduce(positions, found, drawn, how):  # type: ignore[no-untyped-def]
    """positions (N, H, W, C), contiguous. Four neighbours at a time, so that the accumulators are touched less often;
    float32 within a row of positions, float64 over the rows. An empty scale leaves the positions as they are."""
    peak, row, column, least, total, squares = found
    above, below, scale, shift, floor, ceiling = how
    count, height, width, channels = positions.shape
    high = np.empty(channels, np.float32)
    low = np.empty(channels, np.float32)
    once = np.empty(channels, np.float32)
    twice = np.empty(channels, np.float32)
    for n in range(count - 1, -1, -1):  # what the network wrote last is still in the cache
        peak[n] = -np.inf
        least[n] = np.inf
        row[n] = 0
        column[n] = 0
        total[n] = 0
        squares[n] = 0
        for i in range(height):
            first = positions[n, i, 0]
            for c in range(channels):
                x = first[c]
                high[c] = x
                low[c] = x
                once[c] = x
                twice[c] = x * x
            j = 1
            while j + 4 <= width:
                p = positions[n, i, j]
                q = positions[n, i, j + 1]
                r = positions[n, i, j + 2]
                s = positions[n, i, j + 3]
                for c in range(channels):
                    a = p[c]
                    b = q[c]
                    d = r[c]
                    e = s[c]
                    ab = a if a > b else b
                    de = d if d > e else e
                    most = ab if ab > de else de
                    high[c] = most if most > high[c] else high[c]
                    ab = a if a < b else b
                    de = d if d < e else e
                    fewest = ab if ab < de else de
                    low[c] = fewest if fewest < low[c] else low[c]
                    once[c] += (a + b) + (d + e)
                    twice[c] += (a * a + b * b) + (d * d + e * e)
                j += 4
            while j < width:
                p = positions[n, i, j]
                for c in range(channels):
                    a = p[c]
                    high[c] = a if a > high[c] else high[c]
                    low[c] = a if a < low[c] else low[c]
                    once[c] += a
                    twice[c] += a * a
                j += 1
            for c in range(channels):
                total[n, c] += once[c]
                squares[n, c] += twice[c]
            here = np.int32(i)
            for c in range(channels):
                least[n, c] = low[c] if low[c] < least[n, c] else least[n, c]
                row[n, c] = here if high[c] > peak[n, c] else row[n, c]
                peak[n, c] = high[c] if high[c] > peak[n, c] else peak[n, c]
        for c in range(channels):
            if drawn[n] or not (peak[n, c] <= above[c] and peak[n, c] >= below[c]):
                for j in range(width):
                    if positions[n, row[n, c], j, c] == peak[n, c]:
                        column[n, c] = j
                        break
        if len(scale):
            for i in range(height):
                for j in range(width):
                    p = positions[n, i, j]
                    for c in range(channels):
                        x = scale[c] * p[c] + shift[c]
                        x = floor if x < floor else x
                        p[c] = ceiling if x > ceiling else x
        for c in range(channels):
            if total[n, c] != total[n, c]:
                peak[n, c] = np.nan
