"""How much better than pixels a network's features know what a picture shows: two measurements over an index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile, BadValue, NotSupported, Unknown, shorten
from ..images import mirrored
from .index import SPACES, Index, Space
from .search import nearest, nearest_all, squared_norms

__all__ = ["agreement", "labelled", "mirror_ranks"]


def agreement(
    index: Index,
    k: int = 5,
    space: Space = "features",
    metric: str = "euclidean",
    images: int | Sequence[int] | None = None,
    seed: int = 0,
) -> float:
    """The share of the k nearest neighbours with the query's label: over all labelled images, over as many as `images`
    says, drawn by the seed, or over those whose numbers it gives.

    Neighbours are sought among the labelled images that could be read. Raises NotSupported where there are fewer than
    two, BadValue for a number that is none of them.
    """
    vectors = _vectors(index, space)
    known = labelled(index)
    known = known[np.isfinite(vectors[known]).all(1)]  # not those that are gone since
    if len(known) < 2:
        raise NotSupported(f"Agreement needs two labelled images at least; this index has {len(known)}.")
    labels, vectors = index.labels[known], vectors if len(known) == len(vectors) else vectors[known]
    if images is None or (isinstance(images, int) and images >= len(known)):
        found, _ = nearest_all(vectors, vectors, k, metric, exclude_self=True)
        return float((labels[found] == labels[:, None]).mean())
    chosen = np.random.default_rng(seed).permutation(known)[:images] if isinstance(images, int) else np.array(images)
    if not len(chosen):
        raise BadValue("There are no images to measure agreement over; give at least one.")
    if wrong := set(chosen.tolist()) - set(known.tolist()):
        raise BadValue(f"Image {min(wrong)} is not a labelled one of the index's {len(index)}, or it is gone.")
    norms, shares = squared_norms(vectors), []
    for at in np.searchsorted(known, chosen):
        found, _ = nearest(vectors, vectors[at], k, metric, norms=norms, exclude=int(at))
        shares.append((labels[found] == labels[at]).mean())
    return float(np.mean(shares))


def labelled(index: Index) -> NDArray[np.int64]:
    """The numbers of the images that have a label and could be read."""
    return np.flatnonzero((index.labels >= 0) & (index.predictions[:, 0] >= 0)) if index.classes else np.zeros(0, int)


def mirror_ranks(
    index: Index, count: int = 100, space: Space = "features", metric: str = "euclidean", seed: int = 0
) -> NDArray[np.int64]:
    """How near its mirror image is to a picture: for `count` pictures drawn by the seed, the rank (count,) that their
    left-right mirrored copies would have among all other images of the index; 1 is the nearest.

    The lecture's remark as a test: a mirrored picture shows the same, but has other pixels in other places.
    """
    vectors = _vectors(index, space)
    sound = np.flatnonzero(index.predictions[:, 0] >= 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise BadValue(f"count={shorten(count)} is not a whole number of at least 1.")
    norms, ranks = squared_norms(vectors), list[int]()
    for at in np.random.default_rng(seed).permutation(sound).tolist():
        if len(ranks) == count:
            break
        try:
            picture = mirrored(index.images[at])
        except BadFile:  # gone since
            continue
        copy = index.vector(picture, space)
        _, others = nearest(vectors, vectors[at], len(vectors), metric, norms=norms, exclude=at)
        _, own = nearest(copy[None], vectors[at], 1, metric)
        ranks.append(1 + int(np.searchsorted(others, own[0])))  # as many as are truly nearer stand before it
    return np.array(ranks, np.int64)


def _vectors(index: Index, space: Space) -> NDArray[np.float32]:
    if space not in SPACES:
        raise Unknown("space", space, SPACES)
    return index.features if space == "features" else index.pixels
