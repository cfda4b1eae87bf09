"""Do maps help people to tell when a network is wrong? The lectures ask for user studies; this one is small.

A participant sees pictures, each with what the network says and with or without a map, and guesses whether the network
is right. Maps help if guesses with them hit more often than those without, and than always saying the likelier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.stats import binomtest

from ..errors import BadValue, shorten
from ..figure import Figure
from ..index import Index
from ..index.references import file_name
from ..options import Choices, Range
from .inputs import INDEX, MEASURED, EntryName
from .parts.result import Result
from .view import drawn, view

__all__ = ["Answer", "Rate", "Study", "Trial", "compute", "rates", "render", "trials", "verdict"]

METHOD = EntryName("explain.attribution:METHODS", "whose maps are shown")


@dataclass(frozen=True)
class Trial:
    """A picture of an index, whether its map is shown, and whether the network is right about it."""

    image: int
    with_map: bool
    right: bool


@dataclass(frozen=True)
class Answer:
    """What a participant guessed of a trial, and after how many seconds."""

    trial: Trial
    guess: bool
    seconds: float

    @property
    def hit(self) -> bool:
        return self.guess == self.trial.right


@dataclass(frozen=True)
class Rate:
    """Hits among guesses, with the 95 % interval of Wilson (1927)."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        if not self.count:
            return 0.0, 1.0
        found = binomtest(self.hits, self.count).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        if not self.count:
            return "no answers yet"
        low, high = self.interval
        return f"{self.hits} of {self.count} ({self.value:.0%}, 95 % interval {low:.0%} to {high:.0%})"


@dataclass(frozen=True, eq=False)
class Study(Result):
    """The trials in the order they are asked, the files of their pictures, and the answers to the first of them."""

    trials: tuple[Trial, ...]
    files: tuple[str, ...]
    answers: tuple[Answer, ...]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a trial. Where there is no answer yet, nothing says what is right: it is still to be asked."""
        rest = [None] * (len(self.trials) - len(self.answers))
        return {
            "number": [trial.image for trial in self.trials],
            "file": list(self.files),
            "map_shown": [trial.with_map for trial in self.trials],
            "network_right": [a.trial.right for a in self.answers] + rest,
            "guessed_right": [a.guess for a in self.answers] + rest,
            "hit": [a.hit for a in self.answers] + rest,
            "seconds": [a.seconds for a in self.answers] + rest,
        }


@view
def compute(
    index: Annotated[Index, INDEX],
    *,
    method: Annotated[str, METHOD] = "gradient",
    count: Annotated[int, Range(2, 200, help="of pictures, at most")] = 20,
    seed: Annotated[int, Range(0, 2**31 - 1, help="by which they are drawn")] = 0,
    even: Annotated[bool, Choices(True, False, help="half of them mistakes, else as many as chance brings")] = True,
    answers: Annotated[Any, MEASURED] = (),
) -> Study:
    """The pictures to ask about, every second one with its map, and the answers given to the first of them, each
    whether the network is guessed to be right and after how many seconds.

    Raises BadValue where labels or mistakes are lacking, and for what are no answers.
    """
    planned = tuple(trials(index, count, seed, even))
    given = tuple(Answer(trial, *_answer(one)) for trial, one in zip(planned, _listed(answers, planned), strict=False))
    files = tuple(file_name(index, index.images.files[trial.image]) for trial in planned)
    return Study(planned, files, given, {"answers": [(one.guess, one.seconds) for one in given]})


def _listed(answers: Any, planned: Sequence[Trial]) -> Sequence[Any]:
    if not isinstance(answers, list | tuple) or len(answers) > len(planned):
        raise BadValue(f"The answers are no list of at most {len(planned)}, which were asked.")
    return answers


def _answer(given: Any) -> tuple[bool, float]:
    """The facts of a file may have been written by anybody."""
    pair = isinstance(given, list | tuple) and len(given) == 2
    if not pair or not isinstance(given[0], bool) or not isinstance(given[1], int | float) or not 0 <= given[1] < 1e9:
        raise BadValue(f"An answer is true or false and seconds, not {shorten(given)}.")
    return given[0], round(float(given[1]), 1)


@drawn
def render(result: Study) -> Figure:
    """The table, to be saved as CSV, with the rates and what they say."""
    told = "; ".join(f"{name}: {rate}" for name, rate in rates(result.answers).items())
    return Figure(
        title=f"A study with {result.facts['method']} maps: {result.facts['model']} on {result.facts['data']}",
        panels=(),
        facts=result.facts,
        note=f"{told[:1].upper()}{told[1:]}. {verdict(result.answers)}",
        table=result.table,
        alt="Answers to a study",
    )


def trials(index: Index, count: int, seed: int, even: bool) -> list[Trial]:
    """Pictures drawn by chance, every second one with its map; `even`: as many mistakes as right ones.

    Raises BadValue where labels or mistakes are lacking.
    """
    right = index.right
    known, wrong = np.flatnonzero(right >= 0), np.flatnonzero(right == 0)
    if not len(known):
        raise BadValue(
            f"The pictures of {index.manifest.data!r} have no labels among the network's classes, so nobody knows when "
            "it is wrong; index a folder with one folder a class, named as the network names them."
        )
    if not 0 < len(wrong) < len(known):
        raise BadValue(f"The network is {'never' if not len(wrong) else 'always'} wrong on {index.manifest.data!r}.")
    rng = np.random.default_rng(seed)
    if even:
        parts = [
            rng.permutation(wrong)[: count // 2],
            rng.permutation(np.flatnonzero(right == 1))[: count - count // 2],
        ]
        chosen = rng.permutation(np.concatenate(parts))
    else:
        chosen = rng.permutation(known)[:count]
    # Half of the right and half of the wrong ones have maps, so that neither tells the other.
    with_map = np.zeros(len(chosen), bool)
    for kind in (0, 1):
        same = rng.permutation(np.flatnonzero(right[chosen] == kind))
        with_map[same[: (len(same) + kind) // 2]] = True
    return [Trial(int(k), bool(shown), bool(right[k] == 1)) for k, shown in zip(chosen, with_map, strict=True)]


def rates(answers: Sequence[Answer]) -> dict[str, Rate]:
    """Hits with maps, without them, and those of somebody who always says what is more frequent."""
    groups = {
        "with the map": [a for a in answers if a.trial.with_map],
        "without": [a for a in answers if not a.trial.with_map],
    }
    found = {name: Rate(sum(a.hit for a in group), len(group)) for name, group in groups.items()}
    right = sum(a.trial.right for a in answers)
    return found | {"always the same guess": Rate(max(right, len(answers) - right), len(answers))}


def verdict(answers: Sequence[Answer]) -> str:
    """What these answers say, in words."""
    found = rates(answers)
    shown, plain, base = found.values()
    if min(shown.count, plain.count) < 5:
        return "Too few answers to say anything."
    if shown.interval[0] > max(plain.value, base.value):
        return "With the map the guesses hit more often than without it and than always guessing the same."
    if shown.interval[1] < plain.value:
        return "With the map the guesses hit less often than without it: it misleads."
    return "These answers do not show that the map helps: its interval holds what one reaches without it."
