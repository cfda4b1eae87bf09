"""What is kept of a layer over many images, in memory that does not grow with their number; two of them merge into one.

Merging is associative and its order does not matter: that one property gives resuming, growing, and several processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import NotSupported
from .bins import NOWHERE, SIDE
from .responses import Responses, Sought, Tail, respond

__all__ = ["RANKINGS", "Ranked", "RankingName", "Summary", "merge"]

RankingName = Literal["best", "lowest", "random"]
RANKINGS: tuple[RankingName, ...] = get_args(RankingName)


@dataclass(eq=False)
class Ranked:
    """The first k images of each channel by a key, greatest first, (C, k): score, image, and the score's position.

    Where there are fewer images the rest has image NOBODY. A NaN score ranks last; ties go to the smaller image.
    place is image << 32 | row << 16 | column: one number to move where an image is inserted.
    """

    key: NDArray[np.float32]
    score: NDArray[np.float32]
    place: NDArray[np.int64]

    @staticmethod
    def empty(channels: int, k: int) -> Ranked:
        shape = (channels, k)
        key, score = np.full(shape, -np.inf, np.float32), np.full(shape, np.nan, np.float32)
        return Ranked(key, score, np.full(shape, NOWHERE, np.int64))

    @property
    def image(self) -> NDArray[np.int64]:
        return self.place >> 32

    @property
    def row(self) -> NDArray[np.int64]:
        return self.place >> 16 & 0xFFFF

    @property
    def column(self) -> NDArray[np.int64]:
        return self.place & 0xFFFF

    @property
    def bar(self) -> NDArray[np.float32]:
        """(C,), what the next image's key must exceed; NaN while there is room."""
        return np.where(self.place[:, -1] == NOWHERE, np.float32(np.nan), self.key[:, -1])


@dataclass(eq=False)
class Summary:
    """One layer over some images; C channels, `positions` in each map.

    total, squares, least, most   (C,) over all positions of all images; a map with a NaN counts in `broken` alone
    counts                        (C, B) histogram of the images' peaks, between `edges()`
    silent                        (C,) images in which the channel stays at or below zero
    groups, members               (M,) the classes met, and their images
    peaks                         (M, C) sum of the images' peaks for each class
    missing                       (M, C) images of each class that are broken in the channel, and not in that sum
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
    missing: NDArray[np.int32]

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
            counts=np.zeros((channels, 2 * SIDE + 1), np.uint32),
            silent=np.zeros(channels, np.int64),
            broken=np.zeros(channels, np.int64),
            groups=np.zeros(0, np.int64),
            members=np.zeros(0, np.int64),
            peaks=np.zeros((0, channels), np.float32),
            missing=np.zeros((0, channels), np.int32),
        )

    def add(
        self, output: Tensor, images: NDArray[np.int32], lots: NDArray[np.float32], tail: Tail | None = None
    ) -> NDArray[np.float32]:
        """Take in a batch's output (N, C, H, W) or (N, C); returns its peaks (N, C). The tail then overwrites it.

        images (N,) are ascending numbers, lots (N,) what the random ranking goes by.
        """
        if output.shape[:2] != (len(images), len(self.total)):
            raise NotSupported(
                f"A layer gave {tuple(output.shape)} for {len(images)} pictures of {len(self.total)} channels."
            )
        best, lowest, drawn = (self.ranked[kind].bar for kind in RANKINGS)
        found = respond(output, Sought(best, -lowest, ~(lots <= drawn[0])), tail)
        self.count(found, int(np.prod(output.shape[2:])), images, lots)
        return found.peak

    def count(self, found: Responses, positions: int, images: NDArray[np.int32], lots: NDArray[np.float32]) -> None:
        """The same of responses that are there already, with all their columns. Raises NotSupported for those of other
        pictures or channels: compiled code reads what it is told is there."""
        from . import kernels  # numba, which only an index needs

        if any(one.shape != (len(images), len(self.total)) for one in found) or len(lots) != len(images):
            raise NotSupported(f"{found.peak.shape} responses are not those of {len(images)} x {len(self.total)}.")
        for kind, sign in zip(RANKINGS, (1, -1, 0), strict=True):
            held = self.ranked[kind]
            kernels.offer(
                held.key, held.score, held.place, held.bar, sign, lots, found.peak, found.row, found.column, images
            )
        self.images += len(images)
        self.positions = positions
        sums = self.total, self.squares, self.least, self.most, self.silent, self.broken, self.counts
        kernels.count(found.peak, found.peak.view(np.int32), found.least, found.total, found.squares, sums)

    def add_classes(self, peaks: NDArray[np.float32], classes: NDArray[np.int64]) -> None:
        """Count the peaks (N, C) of a batch towards the images' classes (N,); -1 is none."""
        from . import kernels

        known = {group: slot for slot, group in enumerate(self.groups.tolist())}
        slots = np.array([known.setdefault(group, len(known)) if group >= 0 else -1 for group in classes.tolist()])
        fresh = len(known) - len(self.groups)
        if fresh:
            self.groups = np.array(list(known), np.int64)
            self.members = np.pad(self.members, (0, fresh))
            self.peaks = np.pad(self.peaks, ((0, fresh), (0, 0)))
            self.missing = np.pad(self.missing, ((0, fresh), (0, 0)))
        np.add.at(self.members, slots[slots >= 0], 1)
        kernels.add(peaks, slots, self.peaks, self.missing)

    def renumbered(self, images: NDArray[np.int64]) -> Summary:
        """The same with image number n called images[n]."""
        ranked = {}
        for kind, one in self.ranked.items():
            real = one.place != NOWHERE
            place = one.place.copy()
            place[real] = images[one.image[real]] << 32 | place[real] & 0xFFFFFFFF
            ranked[kind] = replace(one, place=place)
        return replace(self, ranked=ranked)


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
    # In ascending order, so that the order of the parts does not show.
    whole.groups = np.unique(np.concatenate([part.groups for part in parts]))
    whole.members = np.zeros(len(whole.groups), np.int64)
    whole.peaks = np.zeros((len(whole.groups), len(whole.total)), np.float32)
    whole.missing = np.zeros_like(whole.peaks, np.int32)
    for part in parts:
        at = np.searchsorted(whole.groups, part.groups)
        whole.members[at] += part.members
        whole.peaks[at] += part.peaks
        whole.missing[at] += part.missing
    return whole


def _first(k: int, *parts: Ranked) -> Ranked:
    joined = {name: np.concatenate([getattr(part, name) for part in parts], 1) for name in vars(parts[0])}
    order = np.lexsort((joined["place"], -joined["key"]), axis=1)[:, :k]
    return Ranked(**{name: np.take_along_axis(array, order, 1) for name, array in joined.items()})
