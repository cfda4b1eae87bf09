"""Slices: regions of features and probabilities where a network is wrong more often than elsewhere.

    found = slices(features, probabilities, wrong)

The mistakes of one half of the pictures are clustered (k-means), its right answers too; a picture belongs to what it is
nearest to, and those near to a cluster of mistakes are a slice, right or wrong. The error of each is measured on the
other half, which had no part in finding it: a cluster chosen for its mistakes has many of them by its choice alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq
from scipy.stats import hypergeom, norm

from ..columns import columns_of
from .evidence import Evidence
from .intervals import difference, wilson

__all__ = [
    "Shared",
    "Slice",
    "channels_of",
    "marking",
    "name_of",
    "said_of",
    "shared_by",
    "slices",
    "space_of",
    "weak_slices",
]

Floats = NDArray[np.float64]
DIMENSIONS = 16  # of the features' principal components
PLAIN = 4  # clusters of right answers for each of mistakes
LEAST = 5  # mistakes that a cluster is looked for of, on average
CHANCE = 0.05
MISTAKE = "mistake="
MOST = 64  # classes whose probabilities are looked at, those of most mistakes


@dataclass(frozen=True)
class Slice:
    """members: positions of its pictures, the nearest to its centre first. judged: how many of these are of the half
    that had no part in finding it, `wrong` of them mistakes; error: their share, rest: that of the half's others.
    error_low to error_high and low to high: 95 % intervals of the error and of error - rest. excess: mistakes among all
    members beyond what the rest's error would make.
    """

    members: NDArray[np.int64]
    judged: int
    wrong: int
    error: float
    rest: float
    error_low: float
    error_high: float
    low: float
    high: float

    @property
    def excess(self) -> float:
        return len(self.members) * (self.error - self.rest)


@dataclass(frozen=True)
class Shared:
    """Something that a slice's pictures have in common: a share of them, and of all others."""

    name: str
    share: float
    rest: float


def space_of(features: NDArray[np.floating], probabilities: Floats) -> Floats:
    """Where slices are looked for (n, d): the features' first principal components and the probabilities (n, C), each
    scaled to a variance of one in total, so that neither counts for more."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    # By the covariance, whose size is that of the features, whatever the number of pictures.
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(centred), 1))
    main = centred @ vectors[:, np.argsort(-values)[:DIMENSIONS]]
    parts = [main, probabilities - probabilities.mean(0)]
    return np.hstack([one / max(np.sqrt((one**2).sum(1).mean()), 1e-12) for one in parts])


def slices(space: Floats, wrong: NDArray[np.bool_], count: int = 8, seed: int = 0, least: int = LEAST) -> list[Slice]:
    """At most count slices of pictures in a space (n, d), of which some are wrong (n,): those whose error is above that
    of the rest beyond chance, also when so many are looked at (Bonferroni), by the mistakes that they add.

    least: pictures of the judging half that a slice has at least.
    """
    n = len(space)
    rng = np.random.default_rng(seed)
    finding = np.zeros(n, bool)
    for part in (np.flatnonzero(wrong), np.flatnonzero(~wrong)):  # half of the mistakes in each
        finding[rng.permutation(part)[: len(part) // 2]] = True
    clusters = min(2 * count, int((finding & wrong).sum()) // LEAST)
    if clusters < 1:
        return []
    centres = [
        _centres(space[finding & wrong], clusters, rng),
        _centres(space[finding & ~wrong], clusters * PLAIN, rng),
    ]
    nearest, distances = vq(space, np.vstack(centres))
    z, found = float(norm.isf(CHANCE / 2 / clusters)), []
    for cluster in range(len(centres[0])):
        members = np.flatnonzero(nearest == cluster)
        here, judge = nearest == cluster, ~finding
        of, others = int((here & judge).sum()), int((~here & judge).sum())
        if of < least or not others:
            continue
        hits, other_hits = int((here & judge & wrong).sum()), int((~here & judge & wrong).sum())
        if difference(hits, of, other_hits, others, z)[0] <= 0:
            continue
        ordered = members[np.argsort(distances[members], kind="stable")]
        bounds = *wilson(hits, of), *difference(hits, of, other_hits, others)
        found.append(Slice(ordered, of, hits, hits / of, other_hits / others, *map(float, bounds)))
    return sorted(found, key=lambda one: -one.excess)[:count]


def _centres(points: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Of k-means; fewer where there are fewer points."""
    count = min(count, len(points))
    if count < 1:
        return np.zeros((0, points.shape[1]))
    if count == 1:
        return points.mean(0, keepdims=True)
    centres, names = kmeans2(points, count, iter=30, minit="++", seed=rng)
    kept: Floats = centres[np.bincount(names, minlength=count) > 0]
    return kept


def shared_by(members: NDArray[np.int64], said: dict[str, NDArray[np.object_]], most: int = 3) -> list[Shared]:
    """What a slice's pictures share, by columns (n,) of what is said of each: values whose share among them is above
    that among all others beyond chance, those first that most of them have, lifted most."""
    found: list[tuple[float, Shared]] = []
    for name, values in said.items():
        inside = np.zeros(len(values), bool)
        inside[members] = True
        own, counts = np.unique(values[inside].astype(str), return_counts=True)
        for value, count in zip(own.tolist(), counts.tolist(), strict=True):
            if not value:
                continue
            others = int((values[~inside].astype(str) == value).sum())
            total = count + others
            chance = float(hypergeom.sf(count - 1, len(values), total, len(members))) * len(own) * len(said)
            share, rest = count / len(members), others / max(int((~inside).sum()), 1)
            if chance < CHANCE and share > rest:
                found.append((share - rest, Shared(f"{name}={value}", share, rest)))
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])[:most]]


def marking(
    members: NDArray[np.int64], best: NDArray[np.int64], images: int, most: int = 3
) -> list[tuple[int, int, float]]:
    """Channels that a slice's pictures excite most: (channel, how many of its best pictures are in the slice, how
    likely so many are by chance). best (channels, k): each channel's best pictures, -1 of none. Only what is unlikely
    by chance among so many channels; the unlikeliest first."""
    inside = np.zeros(images + 1, bool)
    inside[members] = True
    there = best >= 0
    hits, drawn = (inside[best] & there).sum(1), there.sum(1)
    chance = hypergeom.sf(hits - 1, images, len(members), drawn)
    order = [k for k in np.argsort(chance, kind="stable").tolist() if chance[k] * len(best) < CHANCE][:most]
    return [(k, int(hits[k]), float(chance[k])) for k in order]


# Of an index ---------------------------------------------------------------------------------------------------------


def weak_slices(known: Evidence, count: int = 8, seed: int = 0) -> list[Slice]:
    """Slices of labelled pictures by their features and the probabilities of their likeliest classes; their members are
    positions among these pictures."""
    if known.right.all() or not known.right.any():
        return []
    met = np.bincount(known.top[~known.right].ravel(), minlength=len(known.classes))
    common = np.argsort(-met, kind="stable")[:MOST]
    place = np.full(len(known.classes), len(common))  # a last column for all others, which is left out
    place[common] = np.arange(len(common))
    chances = np.zeros((len(known), len(common) + 1))
    np.put_along_axis(chances, place[known.top], known.probabilities, 1)
    space = space_of(known.index.features[known.images], chances[:, :-1])
    return slices(space, ~known.right, count, seed)


def name_of(shared: Sequence[Shared]) -> str:
    """What a slice is called: the mistake that a third of its pictures are, else what most of them share."""
    mistakes = [one for one in shared if one.name.startswith(MISTAKE) and one.share >= 1 / 3]
    first = next(iter(mistakes or shared), None)
    return first.name.removeprefix(MISTAKE) if first else "nothing said in common"


def said_of(known: Evidence) -> dict[str, NDArray[np.object_]]:
    """What can be shared by pictures, a column each: label, prediction, which mistake, and groups of their table."""
    names, right = np.array(known.classes, object), known.right
    labels, taken = names[known.labels], names[known.top[:, 0]]
    mistakes = [f"{one} as {other}" if wrong else "" for one, other, wrong in zip(labels, taken, ~right, strict=True)]
    said = {"label": labels, "prediction": taken, MISTAKE[:-1]: np.array(mistakes, object)}
    for name, column in columns_of(known.index.columns).items():
        if column.groups and name not in said:
            groups = np.array([*column.groups, ""], object)
            said[name] = groups[column.values.astype(np.int64)][known.images]
    return said


def channels_of(known: Evidence, one: Slice, most: int = 3) -> list[tuple[str, int, int, int]]:
    """Channels whose best pictures are of a slice more often than by chance: layer, channel, how many of how many of
    its best pictures; the unlikeliest first."""
    index, found = known.index, list[tuple[float, tuple[str, int, int, int]]]()
    total = sum(len(index.summary(layer).ranked["best"].image) for layer in index.layers)
    for layer in index.layers:
        best = index.summary(layer).ranked["best"].image.astype(np.int64)
        for channel, hits, chance in marking(known.images[one.members], best, len(index), most):
            if chance * total < CHANCE:
                found.append((chance, (layer, channel, hits, int((best[channel] >= 0).sum()))))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])[:most]]
