"""Labels that are likely wrong, by confident learning over an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..figure import WRONG, Figure, bars
from ..index import Index
from ..mistakes.calibration import noise_of
from ..mistakes.evidence import evidence, has_seen
from ..mistakes.labels import confident_learning
from ..options import Choices, Range
from .inputs import INDEX, WHERE
from .parts.result import Result, only
from .parts.tiles import pictures_table, sheet, tiles_of
from .view import drawn, view

__all__ = ["PARTS", "LabelErrors", "compute", "render"]

PARTS = {"pictures": "The likeliest", "pairs": "By class"}
MOST_BARS = 20
LEARNED = {
    True: "The network was trained on these pictures with these labels, and has learned wrong ones too: it finds fewer "
    "than there are. Train it on other pictures, or on parts in turn, to find the rest.",
    None: "If it was trained on these pictures, it has learned their wrong labels too, and finds fewer than there are.",
    False: "",
}


@dataclass(frozen=True, eq=False)
class LabelErrors(Result):
    """`suspects`: one row a picture whose label is likely wrong, the likeliest first, with what it looks like and the
    margin: the label's probability less that of the likeliest other class; and how likely it is wrong, by a mixture of
    answers that mean what they say and of random labels, of which `random` is the share. `tiles` (n, h, w, 3)
    are of the first.

    `thresholds`: the mean probability of each class over the pictures labelled so. `noise` (C, C): the estimated share
    of all pictures that have one label (row) and are of another class. undecided: pictures of which five likeliest
    classes do not tell.
    """

    suspects: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    classes: tuple[str, ...]
    thresholds: dict[str, float]
    noise: NDArray[np.float64]
    random: float
    judged: int
    undecided: int
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a suspect."""
        return self.suspects

    @property
    def pairs(self) -> dict[str, list[Any]]:
        """One row for each class and another one that some of its labels likely stand for, the most pictures first."""
        share = self.noise.copy()
        np.fill_diagonal(share, 0)
        labels, truly = share.nonzero()
        order = np.argsort(-share[labels, truly], kind="stable")
        met = list(zip(self.suspects["label"], self.suspects["looks like"], strict=True))
        names = [(self.classes[labels[k]], self.classes[truly[k]]) for k in order]
        return {
            "label": [one for one, _ in names],
            "looks like": [other for _, other in names],
            "suspects": [met.count(pair) for pair in names],
            "estimated": (share[labels[order], truly[order]] * self.judged).tolist(),
        }

    def sentence(self) -> str:
        """How many, of how many, and what that is worth."""
        count = len(self.suspects["image"])
        estimated = 1 - float(self.noise.trace())
        said = f"{count:,} of {self.judged:,} labels are suspected. A suspect may as well be a mistake of the network: "
        said += f"confident learning, which counts these too, estimates that {estimated:.1%} of all labels are wrong; "
        said += f"where mistakes are allowed for as the network's own probabilities do, {self.random:.1%} are left."
        if self.undecided:
            said += f" Of {self.undecided:,} pictures the five likeliest classes do not tell."
        return " ".join(filter(None, [said, LEARNED[self.facts.get("trained_on")]]))

    @property
    def measures(self) -> dict[str, Any]:
        return {"suspects": self.suspects, "pairs": self.pairs, "thresholds": self.thresholds, "random": self.random}

    @property
    def summary(self) -> str:
        rows = zip(*(self.suspects[name] for name in ("file", "label", "looks like", "margin")), strict=True)
        lines = [f"{file}: {label}, looks like {other}, margin {margin:.3f}" for file, label, other, margin in rows]
        more = [f"and {len(lines) - MOST_BARS:,} more"] if len(lines) > MOST_BARS else []
        return "\n".join([self.sentence(), *lines[:MOST_BARS], *more])


@view
def compute(
    index: Annotated[Index, INDEX],
    *,
    count: Annotated[int, Range(0, 120, help="of the suspects as pictures, at most")] = 24,
    where: Annotated[str, WHERE] = "",
) -> LabelErrors:
    """Confident learning (Northcutt et al. 2021) by the probabilities that an index holds: a label is suspected where
    another class has at least the probability that it has on average over the pictures labelled so.

    The probability of the label is always known; of classes beyond the five likeliest no more than what is left, which
    nearly always decides. Raises BadValue where no picture has a label of the model's, NotSupported for outputs that
    are no probabilities of classes of which one is right.
    """
    known = evidence(index, where, "Confident learning")
    names = known.classes
    found = confident_learning(known.labels, known.top, known.probabilities, known.own, len(names))
    at, (random, chances) = found.suspects, noise_of(known)
    images = known.images[at].tolist()
    table = pictures_table(
        index,
        images,
        **{
            "looks like": [names[k] for k in found.confident[at].tolist()],
            "of label": known.own[at].tolist(),
            "margin": found.margin[at].tolist(),
            "wrong": chances[at].tolist(),
        },
    )
    seen = has_seen(index)
    return LabelErrors(
        suspects=table,
        tiles=tiles_of(index, images[:count]),
        classes=names,
        thresholds={name: value for name, value in zip(names, found.thresholds.tolist(), strict=True) if value <= 1},
        noise=found.noise(known.labels),
        random=random,
        judged=len(known),
        undecided=found.undecided,
        facts={} if seen is None else {"trained_on": seen},
    )


@drawn
def render(result: LabelErrors, *, part: Annotated[str, Choices(*PARTS, help="what is drawn")] = "pictures") -> Figure:
    """The likeliest suspects as pictures, or how many labels of which class are likely another's."""
    data = f"{result.facts['data']}{only(result.facts)}"
    title = f"Suspected labels of {data}, by {result.facts['model']}"
    if part == "pictures":
        table = result.suspects
        rows = zip(table["label"][: len(result.tiles)], table["looks like"], strict=False)
        panels: tuple[Any, ...] = sheet(result.tiles, [f"{label}, looks like {other}" for label, other in rows])
    else:
        table = result.pairs
        pairs = list(zip(*table.values(), strict=True))[:MOST_BARS]
        values = {f"{label} is {other} ({count} suspects)": share for label, other, count, share in pairs}
        panels = (bars("Labels that are likely another class", values, "pictures, estimated", colour=WRONG),)
        panels = panels if values else ()
    return Figure(
        title=title,
        panels=panels,
        columns=1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"tiles": result.tiles} if part == "pictures" else {"noise": result.noise},
        table=table,
        alt=f"{title}. {result.sentence()}",
    )
