"""Whether probabilities mean what they say: reliability, expected calibration error, temperature (Guo et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from .evidence import Evidence
from .intervals import wilson

__all__ = [
    "Bins",
    "Error",
    "calibration_error",
    "cross_fitted",
    "error_of_a_calibrated_one",
    "error_with_interval",
    "known_scores",
    "merged_scores",
    "noise_of",
    "reliability",
    "sampled",
    "scaled_confidence",
    "temperature",
    "temperature_and_noise",
]

Floats = NDArray[np.float64]
RESAMPLES, AT_ONCE = 1000, 1_000_000
COLDEST, HOTTEST = 0.02, 50.0
ROUNDS, EARLIEST = 60, 5
MOST_SCORES = 50_000_000  # numbers that are held at once


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of equal width from 0 to 1: their edges (B + 1,), how many pictures are in each, their mean confidence and
    accuracy, NaN of none, with the 95 % interval of Wilson; and the bin of each picture (n,)."""

    edges: Floats
    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats
    members: NDArray[np.int64]


class Error(NamedTuple):
    """An expected calibration error with its 95 % interval, and what one without any would show by chance: the mean,
    and what is exceeded once in 20 times."""

    value: float
    low: float
    high: float
    by_chance: float
    by_chance_most: float


def _edges(bins: int) -> Floats:
    return np.arange(bins + 1) / bins


def _places(confidence: Floats, bins: int) -> NDArray[np.int64]:
    """Bins are open on the left, closed on the right, as Guo et al. have them; 0 is in the first."""
    return np.clip(np.searchsorted(_edges(bins), confidence) - 1, 0, bins - 1)


def reliability(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> Bins:
    """Of pictures with the confidence (n,) in [0, 1] of an answer that is right or not (n,)."""
    members = _places(confidence, bins)
    counts = np.bincount(members, minlength=bins)
    with np.errstate(invalid="ignore"):
        sure = np.bincount(members, confidence, minlength=bins) / counts
        hits = np.bincount(members, right, minlength=bins)
        accuracy = hits / counts
    low, high = wilson(hits, counts)
    return Bins(_edges(bins), counts, sure, accuracy, low, high, members)


def calibration_error(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """The mean distance of accuracy from confidence over bins, weighted by how many pictures are in each."""
    off = np.bincount(_places(confidence, bins), right - confidence, minlength=bins)
    return float(np.abs(off).sum() / len(confidence))


def error_with_interval(confidence: Floats, right: NDArray[np.bool_], bins: int = 15, seed: int = 0) -> Error:
    """The error, and between what it may lie, by a bootstrap over pictures: a sample's error is above the true one on
    average, as distances do not cancel, and is so again in samples of the sample. So what 97.5 % of these stay below is
    the upper end, and the lower end as far below the error, which the percentile would often be above the true one.
    """
    value = calibration_error(confidence, right, bins)
    members, off = _places(confidence, bins), right - confidence

    def again(rng: np.random.Generator, rows: int) -> Floats:
        picks = rng.integers(len(off), size=(rows, len(off)))
        return _errors(members[picks], off[picks], bins)

    high = max(float(np.percentile(_drawn(again, len(off), seed), 97.5)), value)
    low, high = max(2 * value - high, 0.0), min(high, 1.0)
    return Error(value, low, high, *error_of_a_calibrated_one(confidence, bins, seed))


def error_of_a_calibrated_one(confidence: Floats, bins: int = 15, seed: int = 0) -> tuple[float, float]:
    """The error that probabilities which mean what they say show on so many pictures: mean and 95th percentile."""
    members = _places(confidence, bins)

    def by_chance(rng: np.random.Generator, rows: int) -> Floats:
        off = (rng.random((rows, len(members))) < confidence) - confidence
        return _errors(np.broadcast_to(members, off.shape), off, bins)

    drawn = _drawn(by_chance, len(members), seed)
    return float(drawn.mean()), float(np.percentile(drawn, 95))


def _drawn(draw: Callable[[np.random.Generator, int], Floats], pictures: int, seed: int) -> Floats:
    """RESAMPLES numbers, as many at a time as there is room for."""
    rng, rows = np.random.default_rng(seed), max(AT_ONCE // pictures, 1)
    return np.concatenate([draw(rng, min(rows, RESAMPLES - done)) for done in range(0, RESAMPLES, rows)])


def _errors(members: NDArray[np.int64], off: Floats, bins: int) -> Floats:
    """The calibration error of each row of pictures (r, n), by their bins and how far off each is."""
    rows, pictures = members.shape
    places = (members + bins * np.arange(rows)[:, None]).ravel()
    sums = np.bincount(places, off.ravel(), minlength=rows * bins).reshape(rows, bins)
    found: Floats = np.abs(sums).sum(1) / pictures
    return found


# Temperature --------------------------------------------------------------------------------------------------------


def temperature(
    scores: Floats,
    labels: NDArray[np.int64],
    counts: Floats | None = None,
    weights: Floats | None = None,
    within: float = 1e-5,
) -> float:
    """What scores (n, C) are divided by so that the mean loss of labels (n,), which are columns, is least: above 1
    where the network is too sure. The loss is convex in 1 / T, so there is one; it lies in 0.02 to 50.

    counts (n, C): how many classes a column stands for, see `merged_scores`. weights (n,): of the pictures. within: of
    1 / T, how near.
    """
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:
        chances = _scaled(scores, 1 / inverse, counts)
        return -float(np.average(chances[rows, labels], weights=weights))

    found = minimize_scalar(loss, bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": within})
    return float(1 / found.x)


def scaled_confidence(scores: Floats, temperature: float, counts: Floats | None = None) -> Floats:
    """The probability (n,) of the likeliest class with scores (n, C) divided by the temperature."""
    confidence: Floats = np.exp(_scaled(scores, temperature, counts).max(1))
    return confidence


def _scaled(scores: Floats, temperature: float, counts: Floats | None) -> Floats:
    """Logarithms of the probabilities of one class of each column."""
    scaled = scores / temperature
    if counts is None:
        found: Floats = log_softmax(scaled, 1)
        return found
    known: Floats = scaled - logsumexp(scaled, 1, b=counts, keepdims=True)
    return known


def merged_scores(
    top: NDArray[np.int64], probabilities: Floats, labels: NDArray[np.int64], own: Floats, classes: int
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Scores (n, 7) where only the likeliest classes (n, 5) and the label's probability own (n,) are known: those,
    the label, and all others as if they were equally likely; the column of each label; and how many classes each
    column stands for, 0 where the label is among the likeliest, or there are no others."""
    n, known = probabilities.shape
    among = top == labels[:, None]
    has = among.any(1)
    columns = np.where(has, among.argmax(1), known)
    others = np.where(has, classes - known, classes - known - 1).astype(np.float64)
    rest = np.maximum(1 - probabilities.sum(1) - np.where(has, 0, own), 1e-12)
    parts = np.column_stack([probabilities, own, rest / np.maximum(others, 1)])
    counts = np.column_stack([np.ones((n, known)), ~has, others])
    return np.log(np.maximum(parts, 1e-30)), columns, counts


def cross_fitted(
    scores: Floats, labels: NDArray[np.int64], counts: Floats | None = None, seed: int = 0
) -> tuple[float, Floats]:
    """The temperature of all pictures, and their confidence (n,) by that of the half to which each does not belong, so
    that what it mends is measured on others than those it was found on."""
    n = len(labels)
    best, confidence = temperature(scores, labels, counts), np.empty(n)
    half = np.random.default_rng(seed).permutation(n) < n // 2
    for own, other in ((half, ~half), (~half, half)):
        if own.any():
            theirs, ours = (None, None) if counts is None else (counts[other], counts[own])
            fitted = temperature(scores[other], labels[other], theirs) if other.any() else best
            confidence[own] = scaled_confidence(scores[own], fitted, ours)
    return best, confidence


def known_scores(known: Evidence) -> tuple[Floats, NDArray[np.int64], Floats | None]:
    """Scores (n, C) with the column of each label: of all classes where they are to be had, else see `merged_scores`,
    with how many classes each column stands for."""
    if known.scores is not None:
        return known.scores, known.labels, None
    return merged_scores(known.top, known.probabilities, known.labels, known.own, len(known.classes))


def temperature_and_noise(
    scores: Floats, labels: NDArray[np.int64], classes: int, counts: Floats | None = None
) -> tuple[float, Floats]:
    """The share of labels that are wrong, and how likely each (n,) is: the likeliest mixture of answers that mean what
    they say at some temperature, and labels drawn among the other classes as the network finds them unlikely.

    A label is then wrong with a share e, and any of the classes - 1 others alike; it is the network's own mistake where
    probabilities at that temperature allow for it. Found by expectation maximisation, from a share of one in twenty.
    Labels mixed up between classes that the network confuses itself are not told from its mistakes.
    """
    rows, noise = np.arange(len(labels)), 0.05
    wrong = np.full(len(labels), noise)
    others = max(classes - 1, 1)
    for k in range(ROUNDS):
        best = temperature(scores, labels, counts, 1 - wrong, 1e-3)
        own = np.exp(_scaled(scores, best, counts)[rows, labels])
        before, clean = noise, (1 - noise) * own
        drawn = noise * (1 - own) / others
        wrong = drawn / np.maximum(clean + drawn, 1e-300)
        noise = float(wrong.mean())
        if k >= EARLIEST and abs(noise - before) < 1e-4 * noise + 1e-6:
            break
    return noise, wrong


def noise_of(known: Evidence) -> tuple[float, Floats]:
    """`temperature_and_noise` by the likeliest classes and the label's probability, in memory that does not grow with
    the classes."""
    scores, labels, counts = merged_scores(known.top, known.probabilities, known.labels, known.own, len(known.classes))
    return temperature_and_noise(scores, labels, len(known.classes), counts)


def sampled(known: Evidence, seed: int = 0) -> Evidence:
    """As many of the pictures, drawn by the seed, as their scores of all classes can be held of."""
    most = max(MOST_SCORES // len(known.classes), 2)
    if len(known) <= most:
        return known
    return known.among(np.sort(np.random.default_rng(seed).permutation(len(known))[:most]))
