"""Near duplicates: pictures near in features, of which the pixels say whether they are the same picture.

Near in features is alike to the network, as two different shirts may be. The check compares thumbnails: their
correlation, which brightness and contrast do not change, also mirrored and shifted by a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import BadFile, BadValue
from ..index import Index
from ..index.index import PIXELS
from ..index.search import directions, nearest_all, squared_norms
from ..progress import Progress, unheard

__all__ = ["Pairs", "Same", "check_same_model", "correlations", "groups", "near_pairs", "same_pictures"]

QUERIES = 1024  # at a time, so that there is progress
SHIFTS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
PAIRS = 2048  # of thumbnails at a time


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows first (p,) of the vectors and second (p,) of the others with their distances (p,), nearest first; `typical`
    is the median distance of a row from its nearest."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distances: NDArray[np.float64]
    typical: float

    def __len__(self) -> int:
        return len(self.first)

    def among(self, chosen: NDArray[np.intp]) -> Pairs:
        return Pairs(self.first[chosen], self.second[chosen], self.distances[chosen], self.typical)


def near_pairs(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32] | None = None,
    near: float = 1.0,
    k: int = 5,
    metric: str = "cosine",
    progress: Progress = unheard,
) -> Pairs:
    """Pairs of rows of vectors (N, D) and of others (M, D), or of the vectors themselves, that are at most `near` times
    as far from each other as a row is from its nearest one, by the median; of each row the k nearest.

    Exact copies are always among them. Rows that hold NaN are near to nothing.
    """
    alone = others is None
    against = vectors if others is None else others
    norms = squared_norms(against)
    sound = np.flatnonzero(np.isfinite(vectors).all(1))
    first, second, far, closest = [], [], [], []
    for start in range(0, len(sound), QUERIES):
        progress(start, len(sound), "pictures")
        rows = sound[start : start + QUERIES]
        ids, distances = nearest_all(against, vectors[rows], k + alone, metric, norms=norms)
        known = np.isfinite(distances)
        if alone:  # by identity: a copy is as near as the row itself
            known &= ids != rows[:, None]
        here = np.repeat(rows, ids.shape[1]).reshape(ids.shape)
        closest.append(np.where(known, distances, np.inf).min(1, initial=np.inf))
        first.append(here[known])
        second.append(ids[known])
        far.append(distances[known])
    nearest = np.concatenate([np.zeros(0), *closest])
    nearest = nearest[np.isfinite(nearest)]
    typical = float(np.median(nearest)) if len(nearest) else 0.0
    a, b = (np.concatenate([np.zeros(0, np.int64), *part]) for part in (first, second))
    distances = np.concatenate([np.zeros(0), *far])
    if alone:  # each pair once, though both rows may have found it
        a, b = np.minimum(a, b), np.maximum(a, b)
        _, once = np.unique(a * len(vectors) + b, return_index=True)
        a, b, distances = a[once], b[once], distances[once]
    order = np.lexsort((b, a, distances))
    found = Pairs(a, b, distances, typical).among(order)
    return found.among(np.flatnonzero(found.distances <= max(near * typical, 1e-9)))


def correlations(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How alike thumbnails (p, h, w, c) are, from -1 to 1, and whether mirrored: the highest correlation of the pixels
    within the border, as they are, mirrored, and shifted by one pixel. Two flat pictures are alike by 1 where they have
    one colour, else by 0; NaN where a thumbnail is."""
    found = np.full(len(first), -np.inf)
    turned = np.zeros(len(first), bool)
    for start in range(0, len(first), PAIRS):
        some = slice(start, start + PAIRS)
        whole = second[some]
        ours = [_standardised(_window(first[some], y, x)) for y, x in SHIFTS]
        for mirrored, theirs in enumerate((whole, whole[:, :, ::-1])):
            vectors, means, flat = _standardised(_window(theirs, 0, 0))
            for others, their_means, their_flat in ours:
                alike = np.einsum("nd,nd->n", vectors, others).astype(np.float64)
                same = np.abs(means - their_means) < 1 / 255
                alike = np.where(flat & their_flat, same, np.where(flat | their_flat, 0, alike))
                alike[np.isnan(means) | np.isnan(their_means)] = np.nan
                better = alike > found[some] + 1e-6
                turned[some] = np.where(better, bool(mirrored), turned[some])
                found[some] = np.where(better | np.isnan(alike), alike, found[some])
    return found, turned


def _window(tiles: NDArray[np.float32], y: int, x: int) -> NDArray[np.float32]:
    """All but one pixel at each border, of tiles that were moved by so many; all of what is too small for that."""
    height, width = tiles.shape[1:3]
    rows = slice(1 + y, height - 1 + y) if height > 2 else slice(None)
    columns = slice(1 + x, width - 1 + x) if width > 2 else slice(None)
    return tiles[:, rows, columns]


def _standardised(
    tiles: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Vectors (p, d) of mean zero and length one, the means (p,), and which tiles are flat, whose vectors are zero."""
    rows = tiles.reshape(len(tiles), -1)
    means = rows.mean(1)
    centred: NDArray[np.float32] = rows - means[:, None]
    lengths = np.sqrt(np.einsum("nd,nd->n", centred, centred))
    flat = lengths < 1e-3
    centred /= np.where(flat, 1, lengths)[:, None]
    centred[flat] = 0
    return centred, means, flat


def groups(first: NDArray[np.int64], second: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The group (count,) of each row, where pairs belong together; -1 of rows that are in none. Larger ones first."""
    links = coo_array((np.ones(len(first), np.int8), (first, second)), (count, count))
    _, names = connected_components(links, directed=False)
    sizes = np.bincount(names, minlength=1)
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return np.where(sizes[names] > 1, place[names], -1)


@dataclass(frozen=True, eq=False)
class Same:
    """Pairs whose pixels agree, the most alike first, with the correlation (p,) of their thumbnails and whether one is
    mirrored; `near` pairs were looked at, of which `unread` cannot be read any more."""

    pairs: Pairs
    correlation: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    near: int
    unread: int


def same_pictures(
    index: Index,
    other: Index | None = None,
    near: float = 2.0,
    correlation: float = 0.99,
    k: int = 5,
    space: str = "features",
    progress: Progress = unheard,
) -> Same:
    """Pictures of an index that are there more than once, or that another index of the same model has too: near in
    features, see `near_pairs`, and alike in pixels, see `correlations`.

    In the space "pixels" they are near in thumbnails of mean zero, for which all pictures are read; "both" has the
    pairs of both. Raises BadValue for an index of another model.
    """
    check_same_model(index, other)
    found = _near(index, other, near, k, space, progress)
    if other is None:
        first = second = _Thumbnails.of(index, np.concatenate([found.first, found.second]), progress)
    else:
        first, second = _Thumbnails.of(index, found.first, progress), _Thumbnails.of(other, found.second, progress)
    alike, mirrored = correlations(first[found.first], second[found.second])
    kept = np.flatnonzero(alike >= correlation - 1e-9)  # NaN is not
    kept = kept[np.lexsort((found.distances[kept], -alike[kept].round(6)))]
    return Same(found.among(kept), alike[kept], mirrored[kept], len(found), int(np.isnan(alike).sum()))


def _near(index: Index, other: Index | None, near: float, k: int, space: str, progress: Progress) -> Pairs:
    """Pairs with their distances in features, wherever they were found."""
    parts = []
    if space != "pixels":
        theirs = None if other is None else other.features
        parts.append(near_pairs(index.features, theirs, near, k, progress=progress))
    if space != "features":
        theirs = None if other is None else _centred(other.pixels)
        parts.append(near_pairs(_centred(index.pixels), theirs, near, k, progress=progress))
    if len(parts) == 1 and space == "features":
        return parts[0]
    pairs = np.unique(np.concatenate([np.stack([one.first, one.second], 1) for one in parts]), axis=0)
    first = directions(index.features[pairs[:, 0]])
    second = directions((index if other is None else other).features[pairs[:, 1]])
    distances = ((first - second) ** 2).sum(1) / 2
    order = np.argsort(distances, kind="stable")
    return Pairs(pairs[:, 0], pairs[:, 1], distances, parts[0].typical).among(order)


def _centred(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return pixels - pixels.mean(1, keepdims=True)


def check_same_model(index: Index, other: Index | None) -> None:
    """Raises BadValue where features are not of one model."""
    if other is not None and other.manifest.model_digest != index.manifest.model_digest:
        raise BadValue(
            f"The index over {other.manifest.data!r} is of {other.manifest.model!r}, that over "
            f"{index.manifest.data!r} of {index.manifest.model!r} with other weights; features are compared of one "
            "model's."
        )


@dataclass(frozen=True, eq=False)
class _Thumbnails:
    """What the net sees of some pictures, small, by their numbers, which ascend; NaN of what cannot be read any more.

    They are read one by one: only those of candidates, where `Index.pixels` has all.
    """

    images: NDArray[np.int64]
    tiles: NDArray[np.float32]

    @classmethod
    def of(cls, index: Index, images: NDArray[np.int64], progress: Progress) -> _Thumbnails:
        images, rows = np.unique(images), list[NDArray[np.float32] | None]()
        height, width = index.model.preprocess.size
        share = min(1, PIXELS / max(height, width))
        size = max(1, round(height * share)), max(1, round(width * share))
        for k, image in enumerate(images.tolist()):
            if k % 64 == 0:
                progress(k, len(images), "pixels")
            try:
                rows.append(index.vector(index.images[image], "pixels").reshape(*size, -1))
            except BadFile:
                rows.append(None)
        bands = index.model.preprocess.channels
        blank = np.full(next((row.shape for row in rows if row is not None), (*size, bands)), np.nan, np.float32)
        return cls(images, np.stack([blank, *(blank if row is None else row for row in rows)])[1:])

    def __getitem__(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.tiles[np.searchsorted(self.images, numbers)]
