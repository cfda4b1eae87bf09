"""One list of what to fix, in one unit: pictures that are, in expectation, not what they seem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evidence import Evidence
from .labels import LabelErrors
from .slices import Slice

__all__ = ["KINDS", "Fix", "copies", "leaks", "overconfidence", "ranked", "weak_slices", "wrong_labels"]

KINDS = ("label", "copy", "leak", "slice", "calibration")


@dataclass(frozen=True)
class Fix:
    """Something to do: of which kind, in a few words, what and why, about which pictures of the index, the most telling
    first.

    gain: how many pictures it is about in expectation: labels that are wrong, copies that count twice, pictures that
    were trained on, mistakes beyond those that are made elsewhere, answers that are right less often than they claim.
    """

    kind: str
    short: str
    what: str
    why: str
    gain: float
    images: tuple[int, ...]


def ranked(*found: Sequence[Fix]) -> list[Fix]:
    """All of them, the largest gain first; of equal ones in the order given. What gains nothing is left out."""
    every = [fix for some in found for fix in some if fix.gain > 0]
    return sorted(every, key=lambda fix: -fix.gain)


def wrong_labels(known: Evidence, found: LabelErrors, chances: NDArray[np.float64]) -> list[Fix]:
    """Suspected labels, those of one class that look like another one together; chances (n,): how likely each label is
    wrong, see `temperature_and_noise`."""
    pairs: dict[tuple[int, int], list[int]] = {}
    for at in found.suspects.tolist():
        pairs.setdefault((int(known.labels[at]), int(found.confident[at])), []).append(at)
    fixes = []
    for (label, other), places in pairs.items():
        at = np.array(places)
        at = at[np.argsort(-chances[at], kind="stable")]
        names = known.classes[label], known.classes[other]
        why = f"{names[1]!r} has at least the probability that it has where it is the label "
        why += f"({found.thresholds[other]:.0%} on average)"
        what = f"Check the labels of {_some(len(at))} of {names[0]!r} that look like {names[1]!r}"
        short = f"Labels: {names[0]} or {names[1]}?"
        fixes.append(Fix("label", short, what, why, float(chances[at].sum()), tuple(known.images[at].tolist())))
    return fixes


def copies(names: Sequence[str | None], members: Sequence[Sequence[int]]) -> list[Fix]:
    """Groups of pictures of the index (their numbers) that are one picture, with the name of the label of each picture
    of the index. Where labels differ, those that are not the commonest are wrong, whichever is right."""
    fixes = []
    for group in members:
        labels = Counter(names[image] for image in group if names[image] is not None)
        if len(labels) > 1:
            said = ", ".join(f"{count} × {name!r}" for name, count in labels.most_common())
            wrong = sum(labels.values()) - labels.most_common(1)[0][1]
            what = f"Decide on one label for {len(group)} copies of one picture"
            fixes.append(Fix("label", "Labels of copies", what, f"they are labelled {said}", wrong, tuple(group)))
    same = [group for group in members if len({names[image] for image in group} - {None}) <= 1]
    if same:
        extra = sum(len(group) - 1 for group in same)
        what = f"Leave out {_some(extra)} of which there is a copy"
        why = f"{len(same):,} pictures are there several times, and count as often"
        fixes.append(Fix("copy", "Copies", what, why, extra, tuple(image for group in same for image in group[1:])))
    return fixes


def leaks(images: Sequence[int], other: str) -> list[Fix]:
    """Pictures of which the other set has a copy."""
    if not images:
        return []
    what = f"Leave out {_some(len(images))} that {other!r} has too"
    why = "on what was trained on, a network is right by memory"
    return [Fix("leak", "Leaks", what, why, len(images), tuple(images))]


def weak_slices(known: Evidence, found: Sequence[Slice], said: Sequence[tuple[str, str]]) -> list[Fix]:
    """Slices with a name and what the pictures of each share, in words; their mistakes first."""
    fixes = []
    for one, (name, words) in zip(found, said, strict=True):
        order = one.members[np.argsort(known.right[one.members], kind="stable")]
        what = f"Collect more pictures like these {len(order):,}{': ' if words else ''}{words}"
        why = f"error {one.error:.0%} ({one.error_low:.0%} to {one.error_high:.0%}) against {one.rest:.0%} elsewhere"
        fixes.append(Fix("slice", f"Slice: {name}", what, why, one.excess, tuple(known.images[order].tolist())))
    return fixes


def overconfidence(known: Evidence, temperature: float, before: float, by_chance: float, after: float) -> list[Fix]:
    """Probabilities to be scaled, where their error is above what chance would make (95 %) and scaling mends it."""
    if before <= by_chance or after >= before:
        return []
    sure: NDArray[np.intp] = np.argsort(-known.confidence, kind="stable")
    wrong = sure[~known.right[sure]]
    what = f"Divide the scores by {temperature:.2f}"
    why = f"confidence is off by {before:.1%} on average, after it by {after:.1%}"
    short, gain = "Temperature", (before - after) * len(known)
    return [Fix("calibration", short, what, why, gain, tuple(known.images[wrong].tolist()))]


def _some(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"
