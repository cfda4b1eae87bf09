"""Labels that are likely wrong, by confident learning (Northcutt et al. 2021, "Confident Learning: Estimating
Uncertainty in Dataset Labels", JAIR 70), from the five likeliest classes and the label's own probability.

A class is confident for a picture where its probability reaches the mean that pictures labelled so have; of several the
likeliest counts. Pictures whose confident class is another than their label are suspects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LabelErrors", "confident_learning"]

Floats = NDArray[np.float64]
NOBODY, UNDECIDED = -1, -2
ROUNDING = 1e-6  # of float32 probabilities against a mean of them


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """What confident learning finds among n pictures.

    thresholds (C,): the mean probability of a class over pictures labelled so; infinite where there are none.
    confident (n,): each picture's confident class; -1 where none is, -2 where the likeliest classes do not tell.
    joint (C, C): pictures of each label (row) by confident class. margin (n,): the label's probability less that of the
    likeliest other class. suspects: positions of the pictures whose label is likely wrong, the lowest margin first.
    """

    thresholds: Floats
    confident: NDArray[np.int64]
    joint: NDArray[np.int64]
    margin: Floats
    suspects: NDArray[np.int64]

    @property
    def undecided(self) -> int:
        """Pictures of which the likeliest classes do not tell which one is confident."""
        return int((self.confident == UNDECIDED).sum())

    def noise(self, labels: NDArray[np.int64]) -> Floats:
        """The share (C, C) of all pictures that have one label and truly are of another class, as estimated: the joint
        scaled so that each label has as many as there are, and all add up to one."""
        counts = np.bincount(labels, minlength=len(self.joint)).astype(np.float64)
        rows = self.joint.sum(1)
        scaled = self.joint * (counts / np.maximum(rows, 1))[:, None]
        np.fill_diagonal(scaled, np.where(rows, scaled.diagonal(), counts))
        whole: Floats = scaled / scaled.sum()
        return whole


def confident_learning(
    labels: NDArray[np.int64], top: NDArray[np.int64], probabilities: Floats, own: Floats, classes: int
) -> LabelErrors:
    """Of pictures with labels (n,), their likeliest classes (n, k) with their probabilities, likeliest first, and the
    label's probability (n,). With k = classes it is the paper's; with fewer it is the same but for what is undecided.

    A class that is not among the k is at most as likely as the last of them, and as what is left of one.
    """
    n, k = top.shape
    thresholds = np.full(classes, np.inf)
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, own, minlength=classes)
    thresholds[counts > 0] = sums[counts > 0] / counts[counts > 0]
    reached = probabilities >= thresholds[top] - ROUNDING
    first = reached.argmax(1)
    confident = np.where(reached.any(1), top[np.arange(n), first], NOBODY)

    # The label itself may be confident without being among the likeliest, and another class, which nobody knows.
    hidden = np.flatnonzero(confident == NOBODY)
    labelled = ~(top[hidden] == labels[hidden, None]).any(1)
    reaches = labelled & (own[hidden] >= thresholds[labels[hidden]] - ROUNDING)
    confident[hidden[reaches]] = labels[hidden[reaches]]
    if k < classes:
        rest = 1 - probabilities[hidden].sum(1) - np.where(labelled, own[hidden], 0)
        most = np.minimum(probabilities[hidden, -1], np.maximum(rest, 0))
        least = _least_elsewhere(thresholds, top[hidden], labels[hidden])
        unknown = (most >= least - ROUNDING) & ~(reaches & (own[hidden] >= most))
        confident[hidden[unknown]] = UNDECIDED

    joint = np.zeros((classes, classes), np.int64)
    known = confident >= 0
    np.add.at(joint, (labels[known], confident[known]), 1)
    other = np.where(top[:, 0] == labels, probabilities[:, 1] if k > 1 else 0.0, probabilities[:, 0])
    margin = own - other
    suspects = np.flatnonzero(known & (confident != labels))
    return LabelErrors(thresholds, confident, joint, margin, suspects[np.argsort(margin[suspects], kind="stable")])


def _least_elsewhere(thresholds: Floats, top: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
    """For each picture the lowest threshold of the classes that are neither among its likeliest nor its label."""
    order = np.argsort(thresholds, kind="stable")
    found = np.full(len(top), np.inf)
    open_ = np.ones(len(top), bool)
    for one in order[: top.shape[1] + 2].tolist():  # so many are enough for one of them to be elsewhere
        here = open_ & ~(top == one).any(1) & (labels != one)
        found[here] = thresholds[one]
        open_ &= ~here
    return found
