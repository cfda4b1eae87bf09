"""Which saliency methods can be trusted on a network: the same measurements over a sample of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution.passes import generator
from ..attribution.target import layer_for, target_of
from ..data import ImageSet
from ..errors import BadValue
from ..figure import Chart, Figure, Line
from ..figure.palette import RIGHT, UNKNOWN, WRONG
from ..network.model import Model
from ..options import Range
from ..progress import Progress, unheard
from ..trust import CHECKED, EDGES, WEIGHTS, Question, private, randomise, stages_of
from ..trust.admission import admit
from ..trust.bootstrap import Mean, bootstrap
from ..trust.measurement import measure
from .facts import Facts
from .inputs import IMAGES, MEASURED, MODEL, Layer, Several
from .parts.picture import prepare
from .parts.result import Result
from .parts.saliency_map import METHOD
from .view import drawn, view

__all__ = ["MEASURES", "Leaderboard", "Row", "compute", "render"]

PASSES = 200
"""Pictures that a method may send through the network for one map, to be measured without being asked for by name: a
score takes 2 x portions of its own."""
MEASURES = {
    "score": "insertion less deletion",
    "deletion": "deletion area",
    "insertion": "insertion area",
    "untrained": "rank correlation with an untrained network's map",
    "untrained_absolute": "the same without signs",
    "gap": "completeness gap",
    "seconds": "seconds a map",
}
SHOWN = ("score", "deletion", "insertion", "untrained")  # on the command line


@dataclass(frozen=True, eq=False)
class Row:
    """A method with what was measured of each picture, by the names in MEASURES."""

    method: str
    values: dict[str, NDArray[np.float64]]
    seed: int

    @property
    def label(self) -> str:
        return CHECKED[self.method].label

    @cached_property
    def means(self) -> dict[str, Mean]:
        """Intervals by drawing pictures anew, with replacement."""
        return {name: bootstrap(values, self.seed) for name, values in self.values.items()}

    @property
    def ignores(self) -> bool:
        """Whether its maps hardly depend on the weights."""
        return self.means["untrained"].value > WEIGHTS


@dataclass(frozen=True, eq=False)
class Leaderboard(Result):
    """Methods, best first; those that ignore the weights come last, whatever their score. `refused` says why others
    were not measured."""

    rows: tuple[Row, ...]
    refused: dict[str, str]
    facts: dict[str, Any]

    @cached_property
    def table(self) -> dict[str, list[Any]]:
        """One row a method; means, and where they may lie."""
        columns: dict[str, list[Any]] = {
            "rank": list(range(1, len(self.rows) + 1)),
            "method": [row.method for row in self.rows],
            "ignores_weights": [row.ignores for row in self.rows],
        }
        for name in MEASURES:
            for part in Mean._fields:
                column = name if part == "value" else f"{name}_{part}"
                columns[column] = [getattr(row.means[name], part) if name in row.means else None for row in self.rows]
        return columns

    @property
    def measures(self) -> dict[str, Any]:
        return {"methods": self.table, "refused": self.refused}

    @property
    def summary(self) -> str:
        """The ranking, and why others are not in it."""
        lines = [" " * 5 + f"{'method':20}" + "".join(f"  {name:>24}" for name in SHOWN)]
        for k, row in enumerate(self.rows, 1):
            means = (row.means[name] for name in SHOWN)
            cells = "".join(f"  {f'{one.value:.3f} ({one.low:.3f} to {one.high:.3f})':>24}" for one in means)
            lines.append(f"{k:3}  {row.method:20}{cells}")
        return "\n".join([*lines, *(f"     {name}: {why}" for name, why in self.refused.items())])


@view
def compute(
    model: Annotated[Model, MODEL],
    images: Annotated[ImageSet, IMAGES],
    methods: Annotated[Sequence[str] | None, Several(METHOD)] = None,
    *,
    count: Annotated[int, Range(2, 10_000, help="pictures, drawn by the seed, at most")] = 20,
    portions: Annotated[int, Range(2, 500, help="in which pixels are replaced")] = 16,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the pictures and of the weights put in")] = 0,
    layer: Annotated[str | None, Layer("for methods that look into one", url="")] = None,
    measured: Annotated[Any, MEASURED] = None,
    progress: Progress = unheard,
) -> Leaderboard:
    """Methods with their default options, each for the predicted class, ranked by insertion less deletion area, both as
    shares (at most 1) of the probability that the class has on the whole picture.

    Without `methods` all that are quick and apply, and "edges" as a control. What `progress` raises stops the work.
    Seconds that were measured before, and reasons of methods that had been left out, are taken as they were.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:count]).tolist()
    if len(chosen) < 2:
        raise BadValue(f"There is {len(chosen)} picture in {images.name!r}; intervals need at least 2.")
    place, net = layer_for(model, layer), private(model)
    named = [CHECKED[name] for name in dict.fromkeys(CHECKED if methods is None else methods)]
    first = _question(model, images[chosen[0]], place)
    most = PASSES if methods is None else None
    whole = len(named) * (1 + len(chosen))
    entries, refused = admit(net, first, named, most, lambda k, _, message="": progress(k, whole, message))
    total = len(named) + len(entries) * len(chosen)
    found: dict[str, dict[str, list[float]]] = {entry.name: {name: [] for name in MEASURES} for entry in entries}
    for done, number in enumerate(chosen):
        question = _question(model, images[number], place)
        stranger = private(model)
        names = [name for group in stages_of(stranger, question.batch) for name in group]
        randomise(stranger, names, generator(seed + number))
        for k, entry in enumerate(entries):
            progress(len(named) + done * len(entries) + k, total, entry.label)
            for name, value in measure(net, stranger, replace(question, entry=entry), portions).items():
                found[entry.name][name].append(value)
    progress(total, total, "done")
    if measured is not None:
        refused = _remembered(Facts(measured), found)
    rows = [
        Row(name, {measure: np.array(values) for measure, values in of.items() if values}, seed)
        for name, of in found.items()
    ]
    facts = {
        "methods": [entry.name for entry in entries],
        "layer": place,
        "measured": {"seconds": {name: of["seconds"] for name, of in found.items()}, "refused": refused},
        "pictures": chosen,
    }
    return Leaderboard(tuple(sorted(rows, key=lambda row: (row.ignores, -row.means["score"].value))), refused, facts)


def _question(model: Model, image: Any, layer: str) -> Question:
    """Of a picture's predicted class, still without a method."""
    batch = prepare(model, image).batch
    return Question(model, EDGES, {}, batch, target_of(model, batch, None).number, layer)


def _remembered(measured: Facts, found: Mapping[str, dict[str, list[float]]]) -> dict[str, str]:
    """Puts the seconds measured before in the place of those found; why methods had been left out. Raises BadValue."""
    seconds = measured.part("seconds")
    for name, of in found.items():
        each = [Facts({"seconds": one}).plain("seconds") for one in seconds.several(name)]
        if len(each) != len(of["seconds"]) or not all(type(one) in (int, float) and 0 <= one < 1e9 for one in each):
            raise BadValue(f"The seconds of {name!r} in the facts are not those of {len(of['seconds'])} pictures.")
        of["seconds"] = [float(one) for one in each]
    refused = measured.part("refused")
    return {CHECKED[name].name: refused.text(name) for name in refused.all}


@drawn
def render(result: Leaderboard) -> Figure:
    """Scores, and what is left of each method's maps on untrained networks, with 95 % intervals over the pictures."""
    count, data = len(result.facts["pictures"]), result.facts["data"]
    title = f"Saliency methods for {result.facts['model']}, on {count} pictures of {data}"
    return Figure(
        title=title,
        panels=(
            _ranked(result, ["score"], "Insertion less deletion: higher is better", "share of the class's probability"),
            _ranked(
                result,
                ["untrained_absolute", "untrained"],
                "What ignores the weights: lower is better",
                "rank correlation with untrained networks",
                WEIGHTS,
            ),
        ),
        columns=2,
        facts=result.facts,
        note=_note(result),
        arrays={f"{row.method}_{name}": values for row in result.rows for name, values in row.values.items()},
        table=result.table,
        alt=f"{title}. Best first: {', '.join(row.label for row in result.rows)}.",
    )


def _note(result: Leaderboard) -> str:
    caught = [row.label for row in result.rows if row.ignores]
    note = "95 % intervals, by drawing pictures anew. "
    if caught:
        note += f"Last, whatever their score: {', '.join(caught)}, whose maps hardly change with the weights. "
    if result.refused:
        names = ", ".join(CHECKED[name].label for name in result.refused)
        note += f"Not measured, being slow or not applicable: {names}."
    return note.strip()


def _ranked(result: Leaderboard, names: Sequence[str], title: str, across: str, limit: float | None = None) -> Chart:
    """A line a method, the best on top, its mean a dot on its interval."""
    count = len(result.rows)
    looks = {"score": ("", RIGHT), "untrained": ("as it is", RIGHT), "untrained_absolute": ("without signs", WRONG)}
    shifts = {"score": 0.0, "untrained": -0.1, "untrained_absolute": 0.1}  # so that both are seen
    lines, every = [], [0.0]
    for name in names:
        label, colour = looks[name]
        for place, row in enumerate(result.rows):
            mean, y = row.means[name], count - place + shifts[name]
            lines.append(Line("", np.array([[mean.low, y], [mean.high, y]]), colour))
            lines.append(Line(label, np.array([[mean.value, y]]), colour, dots=True))
            every += [mean.low, mean.high]
    low, high = min(every) - 0.03, max(*every, 1.0 if limit else 0.0) + 0.03
    if limit:
        lines.insert(0, Line("limit", np.array([[limit, 0.4], [limit, count + 0.6]]), UNKNOWN, dashed=True))
    ticks = tuple((float(count - place), row.label) for place, row in enumerate(result.rows))
    height = max(0.4, min(1.6, 0.085 * (count + 1)))
    return Chart(tuple(lines), (low, high), (0.4, count + 0.6), (across, ""), y_ticks=ticks, title=title, height=height)
