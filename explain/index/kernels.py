"""What the index does for each number of an activation, compiled by numba when it is first needed."""

from __future__ import annotations

import numpy as np

from ..extras import extra
from .bins import NOWHERE, OCTAVES, PER_OCTAVE, SIDE, WITHIN

__all__ = ["add", "count", "offer", "reduce_positions"]

numba = extra("numba")

# Neither NaN nor infinity is assumed away: they are found, counted and ranked last.
FASTMATH = {"reassoc", "contract", "nsz"}


@numba.njit(nogil=True, fastmath=FASTMATH, cache=True, error_model="numpy")
def reduce_positions(positions, found, drawn, how):  # type: ignore[no-untyped-def]
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


@numba.njit(nogil=True, cache=True)
def offer(key, score, place, bar, sign, lots, peaks, rows, columns, images):  # type: ignore[no-untyped-def]
    """Insert a batch's images into each channel's ranking, by the peak times sign or, where that is 0, by lot."""
    channels, k = key.shape
    for n in range(len(images)):
        if sign == 0 and lots[n] <= bar[0]:  # one lot for all channels
            continue
        for c in range(channels):
            peak = peaks[n, c]
            new = sign * peak if sign else lots[n]
            if new != new:
                new = np.float32(-np.inf)
            if new <= bar[c]:
                continue
            slot = k - 1
            # Images come in ascending order, so an equal key stays behind those already there.
            while slot > 0 and (new > key[c, slot - 1] or place[c, slot - 1] == NOWHERE):
                key[c, slot] = key[c, slot - 1]
                score[c, slot] = score[c, slot - 1]
                place[c, slot] = place[c, slot - 1]
                slot -= 1
            key[c, slot] = new
            score[c, slot] = peak
            where = np.int64(rows[n, c]) << 16 | np.int64(columns[n, c])
            place[c, slot] = np.int64(images[n]) << 32 | where
            bar[c] = np.float32(np.nan) if place[c, k - 1] == NOWHERE else key[c, k - 1]


@numba.njit(nogil=True, cache=True)
def count(peaks, bits, leasts, totals, squared, sums):  # type: ignore[no-untyped-def]
    """bits are those of the peaks, float32: the exponent is the octave."""
    total, squares, least, most, silent, broken, counts = sums
    for n in range(peaks.shape[0]):
        for c in range(peaks.shape[1]):
            x = peaks[n, c]
            if x != x:
                broken[c] += 1
                continue
            total[c] += totals[n, c]
            squares[c] += squared[n, c]
            least[c] = min(least[c], leasts[n, c])
            most[c] = max(most[c], x)
            silent[c] += x <= 0
            octave = (bits[n, c] >> 23 & 0xFF) - 127 - OCTAVES[0]
            far = 0
            if octave >= 0:
                far = 1 + octave * PER_OCTAVE
                mantissa = 1 + (bits[n, c] & 0x7FFFFF) * 2.0**-23
                for step in WITHIN:
                    far += mantissa >= step
            far = min(far, SIDE)
            counts[c, SIDE + (far if x > 0 else -far)] += 1


@numba.njit(nogil=True, cache=True)
def add(peaks, slots, sums, missing):  # type: ignore[no-untyped-def]
    for n in range(peaks.shape[0]):
        if slots[n] >= 0:
            for c in range(peaks.shape[1]):
                x = peaks[n, c]
                if x == x:
                    sums[slots[n], c] += x
                else:
                    missing[slots[n], c] += 1
