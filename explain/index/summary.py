"""What is kept of a layer over many images, in memory that does not grow with their number; two of them merge into one.

Merging is associative and its order does not matter: that one property gives resuming, growing, and several processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .responses import columns, respond

__all__ = ["NOBODY", "RANKINGS", "Ranked", "Summary", "edges", "merge"]

RANKINGS = ("best", "lowest", "random")
NOBODY = np.iinfo(np.int32).max
# Bins of the histograms: the same for every channel, so that they add up; four an octave of either sign, one for zero.
OCTAVES, PER_OCTAVE = (-6, 10), 4
_SIDE = (OCTAVES[1] - OCTAVES[0]) * PER_OCTAVE


@dataclass(eq=False)
class Ranked:
    """The first k images of each channel by a key, greatest first, (C, k): score, image, and the score's position.

    Where there are fewer images the rest has image NOBODY. A NaN score ranks last; ties go to the smaller image.
    """

    key: NDArray[np.float32]
    score: NDArray[np.float32]
    image: NDArray[np.int32]
    row: NDArray[np.int16]
    column: NDArray[np.int16]

    @staticmethod
    def empty(channels: int, k: int) -> Ranked:
        shape = (channels, k)
        place = np.zeros((2, *shape), np.int16)
        key, score = np.full(shape, -np.inf, np.float32), np.full(shape, np.nan, np.float32)
        return Ranked(key, score, np.full(shape, NOBODY, np.int32), place[0], place[1])


@dataclass(eq=False)
class Summary:
    """One layer over some images; C channels, `positions` in each map.

    total, squares, least, most   (C,) over all positions of all images; a map with a NaN counts in `broken` alone
    counts                        (C, B) histogram of the images' peaks, between `edges()`
    silent                        (C,) images in which the channel stays at or below zero
    groups, members               (M,) the classes met, and their images
    peaks                         (M, C) sum of the images' peaks for each class
    """

    images: int
    positions: int
    ranked: dict[str, Ranked]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    least: NDArray[np.float32]
    most: NDArray[np.float32]
    counts: NDArray[np.uint32]
    silent: NDArray[np.int64]
    broken: NDArray[np.int64]
    groups: NDArray[np.int64]
    members: NDArray[np.int64]
    peaks: NDArray[np.float32]

    @staticmethod
    def empty(channels: int, k: int) -> Summary:
        return Summary(
            images=0,
            positions=0,
            ranked={kind: Ranked.empty(channels, k) for kind in RANKINGS},
            total=np.zeros(channels),
            squares=np.zeros(channels),
            least=np.full(channels, np.inf, np.float32),
            most=np.full(channels, -np.inf, np.float32),
            counts=np.zeros((channels, 2 * _SIDE + 1), np.uint32),
            silent=np.zeros(channels, np.int64),
            broken=np.zeros(channels, np.int64),
            groups=np.zeros(0, np.int64),
            members=np.zeros(0, np.int64),
            peaks=np.zeros((0, channels), np.float32),
        )

    def add(self, output: Tensor, images: NDArray[np.int32], lots: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in a batch's output (N, C, H, W) or (N, C); returns its peaks (N, C).

        images (N,) are ascending numbers, lots (N,) what the random ranking goes by.
        """
        found = respond(output)
        broken = np.isnan(found.peak)
        keys = {
            "best": np.where(broken, -np.inf, found.peak),
            "lowest": np.where(broken, -np.inf, -found.peak),
            "random": np.broadcast_to(lots[:, None], found.peak.shape),
        }
        for kind, ranked in self.ranked.items():
            key = np.ascontiguousarray(keys[kind], np.float32)
            _offer(
                ranked.key, ranked.score, ranked.image, ranked.row, ranked.column, key, found.peak, found.row, images
            )
            channel, slot = np.nonzero(ranked.column < 0)  # newly taken in: the column is looked up for these alone
            if len(channel):
                image = np.searchsorted(images, ranked.image[channel, slot])
                ranked.column[channel, slot] = columns(output, image, channel, ranked.row[channel, slot])
        sound = ~broken
        self.images += len(images)
        self.positions = int(np.prod(output.shape[2:]))
        self.total += np.where(sound, found.total, 0).sum(0)
        self.squares += np.where(sound, found.squares, 0).sum(0)
        self.least = np.fmin(self.least, np.where(sound, found.least, np.inf).min(0))
        self.most = np.fmax(self.most, np.where(sound, found.peak, -np.inf).max(0))
        _tally(found.peak, self.counts)
        self.silent += (found.peak <= 0).sum(0)
        self.broken += broken.sum(0)
        return found.peak

    def add_classes(self, peaks: NDArray[np.float32], classes: NDArray[np.int64]) -> None:
        """Count the peaks (N, C) of a batch towards the images' classes (N,); -1 is none."""
        peaks, known = np.nan_to_num(peaks, nan=0), classes >= 0
        self._join(*_by_class(classes[known], np.ones(known.sum(), np.int64), peaks[known]))

    def renumbered(self, images: NDArray[np.int64]) -> Summary:
        """The same with image number n called images[n]."""
        ranked = {}
        for kind, one in self.ranked.items():
            real = one.image != NOBODY
            image = (
                np.where(real, images[np.where(real, one.image, 0)], NOBODY).astype(np.int32)
                if len(images)
                else one.image
            )
            ranked[kind] = replace(one, image=image)
        return replace(self, ranked=ranked)

    def _join(self, groups: NDArray[np.int64], members: NDArray[np.int64], peaks: NDArray[np.float32]) -> None:
        self.groups, self.members, self.peaks = _by_class(
            np.concatenate([self.groups, groups]),
            np.concatenate([self.members, members]),
            np.concatenate([self.peaks, peaks]),
        )


def merge(parts: Iterable[Summary], k: int) -> Summary:
    """One layer's summaries over disjoint images, as if all had been met in one pass."""
    parts = list(parts)
    whole = Summary.empty(len(parts[0].total), k)
    for part in parts:
        for kind in RANKINGS:
            whole.ranked[kind] = _first(k, whole.ranked[kind], part.ranked[kind])
        whole.images += part.images
        whole.positions = max(whole.positions, part.positions)
        for name in ("total", "squares", "counts", "silent", "broken"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        whole.least, whole.most = np.fmin(whole.least, part.least), np.fmax(whole.most, part.most)
        whole._join(part.groups, part.members, part.peaks)
    return whole


def edges() -> NDArray[np.float64]:
    """The bins' edges (B + 1,); the outer two are infinite."""
    side = 2.0 ** (OCTAVES[0] + np.arange(_SIDE) / PER_OCTAVE)
    return np.concatenate([[-np.inf], -side[::-1], side, [np.inf]])


def _first(k: int, *parts: Ranked) -> Ranked:
    joined = {name: np.concatenate([getattr(part, name) for part in parts], 1) for name in vars(parts[0])}
    order = np.lexsort((joined["image"], -joined["key"]), axis=1)[:, :k]
    return Ranked(**{name: np.take_along_axis(array, order, 1) for name, array in joined.items()})


def _by_class(
    groups: NDArray[np.int64], members: NDArray[np.int64], peaks: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    found, which = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(found), peaks.shape[1]), np.float32)
    np.add.at(sums, which, peaks)
    counts = np.zeros(len(found), np.int64)
    np.add.at(counts, which, members)
    return found, counts, sums


@numba.njit(nogil=True, cache=True)
def _offer(key, score, image, row, column, keys, peaks, rows, images):  # type: ignore[no-untyped-def]
    """Insert a batch's images into each channel's ranking; what comes in has column -1."""
    channels, k = key.shape
    for n in range(len(images)):
        for c in range(channels):
            new = keys[n, c]
            if not (new > key[c, k - 1] or image[c, k - 1] == NOBODY):
                continue
            slot = k - 1
            # Images come in ascending order, so an equal key stays behind those already there.
            while slot > 0 and (new > key[c, slot - 1] or image[c, slot - 1] == NOBODY):
                key[c, slot] = key[c, slot - 1]
                score[c, slot] = score[c, slot - 1]
                image[c, slot] = image[c, slot - 1]
                row[c, slot] = row[c, slot - 1]
                column[c, slot] = column[c, slot - 1]
                slot -= 1
            key[c, slot] = new
            score[c, slot] = peaks[n, c]
            image[c, slot] = images[n]
            row[c, slot] = rows[n, c]
            column[c, slot] = -1


@numba.njit(nogil=True, cache=True)
def _tally(peaks, counts):  # type: ignore[no-untyped-def]
    for n in range(peaks.shape[0]):
        for c in range(peaks.shape[1]):
            x = peaks[n, c]
            if x != x:
                continue
            size = abs(x)
            far = 0
            if size >= 2.0 ** OCTAVES[0]:
                octaves = min(np.log2(size), 64.0) - OCTAVES[0]
                far = 1 + min(int(octaves * PER_OCTAVE), _SIDE - 1)
            counts[c, _SIDE + (far if x > 0 else -far)] += 1
