"""PROJECTIONS: feature vectors as points of a map in two or three dimensions.

Each is called with at least three vectors (N, D), finite, no two of them alike and the largest number about 1; with how
often each was there (N,); with a `progress` and a `preview`, which hears the points so far. It returns points (N, 2) or
(N, 3) and what is to be known of them. The same vectors, options and seed give the same on one machine.

openTSNE and umap-learn do the work: openTSNE is several times faster than scikit-learn's t-SNE at the same quality.
It gets exact neighbours from us, sooner than its own approximate search finds them.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue
from ..extras import Extra, extra
from ..index.search import directions, nearest_all
from ..options import Choices, Range
from ..progress import Progress, unheard
from ..registry import Registry
from .alike import first_alike

__all__ = ["PROJECTIONS", "Preview", "Projection", "cores", "project", "unseen"]

PROJECTIONS = Registry("projection")
Floats = NDArray[np.float32]
Counts = NDArray[np.int64]
Preview = Callable[[Any], object]  # hears the points so far
LEAST = 3
EXAGGERATED = 250  # iterations of t-SNE in which clusters form, before those asked for
EVERY = 25  # iterations between previews
COMPONENTS = 50  # what "PCA first" keeps
# Pictures up to which the tree (Barnes and Hut) repels: at 10,000 twice as fast on two cores as openTSNE's own choice
# of the grid, whose Fourier transforms grow with the map and use one core.
TREE = 20_000
_EXACT = 2_000  # rows or columns up to which PCA is exact


class Projection(NamedTuple):
    """Points (N, 2) or (N, 3), and facts: the options used and what the method says of the map.

    A linear one also has its mean (D,) and axes (D, 2) or (D, 3): `(vector - mean) @ axes` is the place of any vector.
    first: (N,), for each vector the number of the first one that is the same but for rounding, and has the same place.
    """

    points: Floats
    facts: dict[str, Any]
    mean: Floats | None = None
    axes: Floats | None = None
    first: NDArray[np.int64] | None = None


Metric = Annotated[str, Choices("euclidean", "cosine", help="what makes two feature vectors near")]
Seed = Annotated[int, Range(0, 2**31 - 1, help="the same seed gives the same map")]
First = Annotated[bool, Choices(True, False, help=f"reduce to {COMPONENTS} principal components before")]


def unseen(points: Any) -> None:
    """A preview that nobody looks at."""


def project(
    method: str, vectors: NDArray[Any], progress: Progress = unheard, preview: Preview = unseen, **options: Any
) -> Projection:
    """The map of vectors (N, ...), those of one picture flattened.

    Raises Unknown or BadValue for a method, an option or vectors that it cannot map.
    """
    chosen = PROJECTIONS[method]
    checked = chosen.check(options)
    with np.errstate(over="ignore"):
        vectors = np.asarray(vectors, np.float32).reshape(len(vectors), math.prod(np.shape(vectors)[1:]))
    if len(vectors) < LEAST:
        raise BadValue(f"A map needs at least {LEAST} pictures; there are {len(vectors)}.")
    if wrong := int((~np.isfinite(vectors).all(1)).sum()):
        raise BadValue(f"The features of {wrong:,} of {len(vectors):,} pictures are not finite numbers of float32.")
    cosine = checked.get("metric") == "cosine"
    some = directions(vectors).astype(np.float32) if cosine else vectors
    varies = some.max(0) > some.min(0)
    if not varies.any():
        raise BadValue(f"The {len(vectors)} feature vectors are all equal: there is nothing to map.")
    some = some[:, varies]
    power = int(np.frexp(np.abs(some).max())[1])
    some = np.ldexp(some, -power)  # all digits stay, and no square overflows or vanishes
    first = first_alike(some)
    distinct, place, times = np.unique(first, return_inverse=True, return_counts=True)
    if len(distinct) < LEAST:
        raise BadValue(
            f"Of {len(vectors)} pictures' feature vectors {len(distinct)} differ{' in direction' if cosine else ''} by "
            f"more than rounding; a map needs at least {LEAST}."
        )
    some = some if len(distinct) == len(some) else some[distinct]
    found = chosen.function(some, times, progress, lambda points: preview(points[place]), **checked)
    points = found.points[place]
    axes = None
    if found.axes is not None:
        points, axes = np.ldexp(points, power), np.zeros((len(varies), found.axes.shape[1]), np.float32)
        axes[varies] = found.axes
    if wrong := int((~np.isfinite(points).all(1)).sum()):
        raise BadValue(f"{chosen.label} has no finite place for {wrong:,} of {len(points):,} pictures.")
    facts = {"method": method, "options": checked, **found.facts}
    if len(distinct) < len(vectors):
        facts["distinct"] = len(distinct)
    return Projection(np.ascontiguousarray(points, np.float32), facts, vectors.mean(0, np.float64), axes, first)


@PROJECTIONS.register(label="PCA", libraries=("scikit-learn",))
def pca(
    vectors: Floats,
    times: Counts,
    progress: Progress,
    _preview: Preview,
    *,
    dimensions: Annotated[int, Choices(2, 3, help="of the map")] = 2,
) -> Projection:
    """The directions of greatest variance (Pearson 1901); each one's largest weight is positive.

    Distances on the map are true as far as these axes go; what they leave out is not seen.
    """
    points, shares, axes = _principal(vectors, dimensions, times)
    progress(1, 1)
    return Projection(points, {"explained_variance": [float(share) for share in shares]}, axes=axes)


@PROJECTIONS.register(label="t-SNE", slow=True, libraries=("openTSNE",))
def tsne(
    vectors: Floats,
    _times: Counts,
    progress: Progress,
    preview: Preview,
    *,
    perplexity: Annotated[float, Range(2, 500, help="neighbours of a picture, about; at most a third of all")] = 30.0,
    iterations: Annotated[int, Range(50, 5000, help="of the descent, after the early exaggeration")] = 500,
    metric: Metric = "euclidean",
    pca_first: First = True,
    seed: Seed = 0,
) -> Projection:
    """Near pictures stay near (van der Maaten 2008), from a start by PCA (Kobak and Berens 2019).

    Near means alike, but in t-SNE the distance between groups, their size and their density mean little; another seed
    or perplexity draws another map.
    """
    TSNE = extra("openTSNE").TSNE
    PrecomputedNeighbors = extra("openTSNE.nearest_neighbors").PrecomputedNeighbors
    vectors, facts = _reduced(vectors, pca_first)
    used = min(perplexity, (len(vectors) - 1) / 3)
    if used < perplexity:
        facts["perplexity_used"] = used
    total, met = EXAGGERATED + iterations, 0

    def seen(_iteration: int, _error: float, embedding: Any) -> None:
        nonlocal met
        met += EVERY
        progress(min(met, total), total)
        preview(np.asarray(embedding, np.float32))

    progress(0, total)
    near = _neighbours(vectors, min(len(vectors) - 1, int(3 * used)), metric)
    # The start takes two principal components.
    vectors = vectors if vectors.shape[1] > 1 else np.pad(vectors, ((0, 0), (0, 1)))
    found = TSNE(
        perplexity=used,
        neighbors=PrecomputedNeighbors(*near),
        early_exaggeration_iter=EXAGGERATED,
        n_iter=iterations,
        n_jobs=cores(),
        random_state=seed,
        negative_gradient_method="bh" if len(vectors) <= TREE else "fft",
        callbacks=seen,
        callbacks_every_iters=EVERY,
    ).fit(vectors)
    return Projection(np.asarray(found, np.float32), facts | {"divergence": float(f"{found.kl_divergence:.4g}")})


@PROJECTIONS.register(label="UMAP", slow=True, libraries=("umap-learn",))
def umap(
    vectors: Floats,
    _times: Counts,
    progress: Progress,
    preview: Preview,
    *,
    neighbours: Annotated[int, Range(2, 200, help="pictures that count as a neighbourhood, at most all others")] = 15,
    spread: Annotated[float, Range(0.0, 1.0, help="how near pictures may come on the map")] = 0.1,
    metric: Metric = "euclidean",
    pca_first: First = False,
    seed: Seed = 0,
) -> Projection:
    """Neighbourhoods as a graph, laid out (McInnes et al. 2018).

    Near means alike, but in UMAP the distance between groups, their size and their density mean little; another seed
    or number of neighbours draws another map.
    """
    UMAP = _compiled_once("umap").UMAP
    vectors, facts = _reduced(vectors, pca_first)
    used = min(neighbours, len(vectors) - 1)
    if used < neighbours:
        facts["neighbours_used"] = used
    progress(0, 1)
    # The spectral start needs more pictures than dimensions to begin with.
    start = "spectral" if len(vectors) > 2 * LEAST else "random"
    others, distances = _neighbours(vectors, used, metric)
    itself = np.arange(len(vectors))[:, None]  # umap-learn counts a picture among its neighbours
    near = np.hstack([itself, others])[:, :used], np.pad(distances, ((0, 0), (1, 0)))[:, :used].astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed leaves it one thread, and that it cannot place new pictures
        found = UMAP(n_neighbors=used, min_dist=spread, init=start, random_state=seed, precomputed_knn=near)
        points = found.fit_transform(vectors)
    progress(1, 1)
    preview(points)
    return Projection(points, facts)


def _compiled_once(package: str) -> Any:
    """umap-learn, whose functions each process compiles anew for a dozen seconds, unless numba keeps them on a disk."""
    found = extra(package)
    for name in ("layouts", "umap_", "utils"):
        for one in vars(import_module(f"{package}.{name}")).values():
            if hasattr(one, "enable_caching"):
                with suppress(RuntimeError):  # there is no place that can be written to
                    one.enable_caching()
    return found


def cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _neighbours(vectors: Floats, count: int, metric: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and distances of each vector's nearest others; for the cosine the vectors are directions."""
    near, distances = nearest_all(vectors, vectors, count, exclude_self=True)
    return near, distances**2 / 2 if metric == "cosine" else distances


def _reduced(vectors: Floats, wanted: bool) -> tuple[Floats, dict[str, Any]]:
    count = min(COMPONENTS, len(vectors) - 1, vectors.shape[1])
    if not wanted or count == vectors.shape[1]:
        return vectors, {}
    reduced, shares, _ = _principal(vectors, count)
    return reduced, {"components": count, "components_variance": float(shares.sum())}


def _principal(vectors: Floats, count: int, times: Counts | None = None) -> tuple[Floats, NDArray[np.float64], Floats]:
    """The first components (N, count), zero where there are fewer, their shares of the variance, axes (D, count).

    times: how often each vector counts, by default once.
    """
    PCA = extra("sklearn.decomposition", Extra("scikit-learn", "embed", "PCA, t-SNE and UMAP")).PCA
    all_of_them = vectors if times is None or times.max() == 1 else np.repeat(vectors, times, 0)
    rows, columns = all_of_them.shape
    few = min(count, rows, columns)
    solver = "covariance_eigh" if columns <= _EXACT else "full" if rows <= _EXACT else "randomized"
    found = PCA(few, svd_solver=solver, random_state=0, iterated_power=7).fit(all_of_them.astype(np.float64))
    points, axes = np.zeros((len(vectors), count), np.float32), np.zeros((columns, count), np.float32)
    points[:, :few] = found.transform(vectors.astype(np.float64))
    axes[:, :few] = found.components_.T
    return points, np.pad(found.explained_variance_ratio_, (0, count - few)), axes
