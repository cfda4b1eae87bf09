"""Everything that is measured of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from ..errors import NotSupported
from ..network.model import Model
from ..progress import Progress, part, unheard
from .consistency import Completeness, Spread, closed, completeness, others_of
from .consistency import spread as spread_of
from .curves import Curve, answers, curves, edges_like, faithfulness_estimate, moved
from .question import Floats, Heat, Question, phase, private, spearman
from .verdict import Verdict, judge
from .weights import STAGES, Stage, check_control, randomisation, relabelled, untrained

__all__ = ["ORDERS", "Trust", "check"]

MOVED = 3
"""Places that a map is moved to by chance; their mean is what chance finds."""


@dataclass(frozen=True, eq=False)
class Trust:
    """What was measured of one map. `deletion` and `insertion` hold curves for the orders in ORDERS.

    against: the map has no signs, and marks what speaks against a target that is improbable here; its orders are then
    the reverse. best: the method whose map gains most, of this one and a few of other kinds. scale: of the curves'
    values. estimate: the faithfulness estimate. agreement: rank correlations of absolute values with other methods'
    maps. relabelled: the map of a control that was trained on shuffled labels, where one was given.
    """

    heat: Heat
    deletion: Mapping[str, tuple[Curve, ...]]
    insertion: Mapping[str, tuple[Curve, ...]]
    estimate: float
    stages: tuple[Stage, ...]
    untrained: tuple[tuple[float, float], ...]
    completeness: Completeness | None
    spread: Spread | None
    agreement: Mapping[str, float]
    refused: Mapping[str, str]
    best: str
    against: bool
    scale: float
    relabelled: Stage | None = None

    @property
    def left(self) -> tuple[float, float]:
        """What remains of the map, absolute and signed, when all weights are others: mean rank correlations."""
        absolute, signed = np.mean(self.untrained, 0).tolist()
        return absolute, signed

    def areas(self, order: str) -> tuple[float, float]:
        """Mean areas under deletion and insertion."""
        return tuple(float(np.mean([c.area for c in of[order]])) for of in (self.deletion, self.insertion))  # type: ignore[return-value]

    def gains(self, order: str) -> Floats:
        """Insertion less deletion, for each curve of an order: the higher, the sooner it finds what counts."""
        return _gains(self.deletion[order], self.insertion[order])

    def gain(self, order: str) -> float:
        """Its mean."""
        return float(self.gains(order).mean())

    @property
    def room(self) -> float:
        """What can be found: how much more the best map known gains than chance."""
        return self.gain("best") - self.gain("moved")

    @property
    def found(self) -> float:
        """The share of it that this map finds; 0 of chance, or where there is nothing to find, below 0 of a map that
        marks anything else."""
        return (self.gain("map") - self.gain("moved")) / self.room if self.room > 0 else 0.0

    @property
    def score(self) -> float:
        """Whether the map marks what counts: 1 at best, 0 of chance. By its order, or by its order and its values
        together: in photographs hiding a few scattered pixels anywhere may do more than the values say. A map that is
        judged by what speaks against its target has to do both."""
        order = min(max(self.found, 0.0), 1.0)
        both = (order + self.estimate) / 2
        return both if self.against else max(order, both)

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Every number by its name."""
        found = {"score": self.score, "share found": self.found, "faithfulness estimate": self.estimate}
        for order, name in ORDERS.items():
            found[f"deletion area, {name}"], found[f"insertion area, {name}"] = self.areas(order)
            found[f"insertion less deletion, {name}"] = self.gain(order)
            if len(self.gains(order)) > 1:
                found[f"insertion less deletion, {name}, standard deviation"] = float(self.gains(order).std(ddof=1))
        for k, stage in enumerate(self.stages, 1):
            found[f"rank correlation, stage {k}, absolute"] = stage.absolute
            found[f"rank correlation, stage {k}, signed"] = stage.signed
            if stage.ssim is not None:
                found[f"SSIM, stage {k}"] = stage.ssim
        found["rank correlation, untrained, absolute"], found["rank correlation, untrained, signed"] = self.left
        if self.relabelled:
            found["rank correlation, shuffled labels, absolute"] = self.relabelled.absolute
            found["rank correlation, shuffled labels, signed"] = self.relabelled.signed
            if self.relabelled.ssim is not None:
                found["SSIM, shuffled labels"] = self.relabelled.ssim
        if self.completeness:
            found["sum of the map"], found["promised sum"] = self.completeness.total, self.completeness.expected_sum
            found["completeness gap"] = self.completeness.gap
        if self.spread:
            found[f"highest pixels in common over {self.spread.count} {self.spread.over}s"] = self.spread.in_common
        found |= {f"rank correlation with {name}": value for name, value in self.agreement.items()}
        return found

    @cached_property
    def verdict(self) -> Verdict:
        return judge(self)


ORDERS = {"map": "the map", "moved": "the map moved by chance", "edges": "edges", "best": "the best map known"}
"""The orders in which pixels are replaced."""


def check(
    question: Question,
    *,
    steps: int = 12,
    seed: int = 0,
    cascading: bool = True,
    most: int = STAGES,
    control: Model | None = None,
    progress: Progress = unheard,
) -> Trust:
    """Everything of one map. The weights are randomised in so many stages at most, with 0 only as a whole, which is
    enough for the verdict. control: the same network, trained on shuffled labels. `progress` hears how many percent
    are done, and of what; what it raises stops the check.

    Raises ExplainError where the method refuses this network, or the control is another.
    """
    if control is not None:
        check_control(question.model, control)

    def percent(done: float, total: float, message: str = "") -> None:
        progress(int(100 * done / total), 100, message)

    percent(0, 1, "copying the network")
    net = private(question.model)
    with phase(percent, 1, 3, 100, "the map"):
        heat = question.answer(net)
    if not np.isfinite(heat).all():
        raise NotSupported(
            f"Method {question.entry.name!r} gives values that are not finite for this network and picture."
        )
    net = net.to(memory_format=torch.channels_last)  # on a CPU half the time
    large, chance = question.large(heat), np.random.default_rng(seed)
    is_chance = not question.unit and question.model.head.has_chances
    against = is_chance and bool(large.min() >= 0) and _is_improbable(net, question)
    order = -large if against else large
    others, refused = others_of(net, question, part(percent, 3, 18, 100))
    orders = {
        "map": [order],
        "moved": [moved(order, chance) for _ in range(MOVED)],
        "edges": [edges_like(question, large)],
        "others": [*others.values()],
    }
    with phase(percent, 18, 56, 100, "deletion and insertion"):
        found = curves(net, question, [one for some in orders.values() for one in some], steps)
    with phase(percent, 56, 60, 100, "groups of pixels alone"):
        estimate = faithfulness_estimate(net, question, order)
    taken = [iter(each) for each in found]
    deletion, insertion = ({name: tuple(next(t) for _ in some) for name, some in orders.items()} for t in taken)
    gains = dict(zip((question.entry.name, *others), _gains(_best_of(deletion), _best_of(insertion)), strict=True))
    best = max(gains, key=lambda name: gains[name])
    at = list(gains).index(best)
    for curves_of in (deletion, insertion):
        curves_of["best"] = (_best_of(curves_of)[at],)
        del curves_of["others"]
    values = np.concatenate([curve.values for some in deletion.values() for curve in some])
    complete = completeness(net, question, heat)
    complete = complete and closed(net, question, complete)
    spread = spread_of(net, question, heat, part(percent, 60, 72, 100))
    agreed = {name: spearman(np.abs(large), np.abs(other)) for name, other in others.items()}
    by_lot = None if control is None else relabelled(control, question, heat)
    # Last, since they spoil the copy.
    by_stage: tuple[Stage, ...] = ()
    if most:
        told = part(percent, 72, 90, 100)
        by_stage = randomisation(net, question, heat, seed=seed, cascading=cascading, most=most, progress=told)
    strangers = untrained(net, question, heat, seed=seed, progress=part(percent, 90, 100, 100))
    percent(1, 1, "done")
    return Trust(
        large,
        deletion,
        insertion,
        estimate,
        by_stage,
        strangers,
        complete,
        spread,
        agreed,
        refused,
        best=best,
        against=against,
        scale=1.0 if is_chance else float(np.ptp(values)),
        relabelled=by_lot,
    )


def _is_improbable(net: nn.Module, question: Question) -> bool:
    """Whether the picture shows something else, so that a map without signs is taken to mark what speaks against the
    target: another class is likelier, and the target is rather absent than there."""
    chances = answers(net, question, 1, lambda _start, _stop: question.batch)[0]
    return bool(chances[question.target] < min(0.5, chances.max()))


Found = Mapping[str, tuple[Curve, ...]]


def _gains(deletion: Sequence[Curve], insertion: Sequence[Curve]) -> Floats:
    return np.array([into.area - out.area for into, out in zip(insertion, deletion, strict=True)])


def _best_of(curves_of: Found) -> tuple[Curve, ...]:
    """The candidates for the best: this map, and others'."""
    return *curves_of["map"], *curves_of["others"]
