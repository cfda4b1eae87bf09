"""How trainings went: loss and accuracy by epoch, gradients, weights and steps by layer, and what runs differ in."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..figure import Chart, Figure, Line
from ..figure.palette import CLASSES
from ..images import colour
from ..options import Choices
from ..training.history import Run
from .inputs import RUN, Several
from .parts.result import Result
from .view import drawn, view

__all__ = ["PARTS", "TrainingCurves", "compute", "render"]

PARTS = {
    "curves": "Loss and accuracy",
    "gradients": "Gradients",
    "weights": "Weights",
    "updates": "Steps",
    "dead": "Dead units",
    "differences": "Differences",
}
MOST = len(CLASSES)  # runs: as many as there are colours
MOST_NAMED = 10  # layers in a legend
OF_LAYERS = {
    "gradients": ("gradient", "norm of the gradient", "Gradient by layer"),
    "weights": ("weight", "norm of the weights", "Weights by layer"),
    "updates": ("update", "step as a share of the weights", "Steps of the weights by layer"),
    "dead": ("", "share of dead units", "Units that no picture of a probe makes positive"),
}
SCORES = ("train_accuracy", "validation_accuracy", "test_accuracy")
HELD_OUT = ("test", "validation")  # the better witness first
VANISHING = (
    "Each line is the norm of the loss's gradient by a layer's weights, at the last step of each epoch. Where the "
    "first layers' lie far below the last ones', they hardly learn: the gradient vanishes on its way back."
)


@dataclass(frozen=True, eq=False)
class TrainingCurves(Result):
    """Runs in the order asked for."""

    runs: tuple[Run, ...]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row an epoch and run; numbers of layers are in tables of their own."""
        rows = [(run, row) for run in self.runs for row in run.rows]
        columns = [name for _, row in rows for name in row if name not in ("layers", "dead")]
        table: dict[str, list[Any]] = {"run": [run.name for run, _ in rows]}
        return table | {name: [row.get(name) for _, row in rows] for name in dict.fromkeys(columns)}

    @property
    def differences(self) -> dict[str, list[Any]]:
        """Settings in which the runs differ, and what came out: one row each, one column a run."""
        settings = [_flat(run.recipe) for run in self.runs]
        names = [name for name in dict.fromkeys(name for one in settings for name in one) if name not in _TITLES]
        rows: list[tuple[str, list[Any]]] = [(name, [one.get(name) for one in settings]) for name in names]
        rows = [(name, values) for name, values in rows if any(value != values[0] for value in values)]
        rows.insert(0, ("recipe", [one.get("name", "") for one in settings]))
        rows.insert(1, ("pictures", [run.data for run in self.runs]))
        rows += [
            ("state", [run.state for run in self.runs]),
            ("epochs done", [len(run.rows) for run in self.runs]),
            *[
                (name.replace("_", " "), [_short(run.of_weights(name)) for run in self.runs])
                for name in ("loss", *SCORES)
            ],
            ("first fall of the rate", [_first_fall(run) for run in self.runs]),
            ("seconds", [round(run.seconds, 1) for run in self.runs]),
        ]
        # Columns hold one kind of value; a number and a text do not go together.
        texts = [(name, ["" if value is None else str(value) for value in values]) for name, values in rows]
        texts = [(name, values) for name, values in texts if any(values)]
        columns = {f"{k} {run.name}" if self._twice(run) else run.name: k for k, run in enumerate(self.runs)}
        return {"what": [name for name, _ in texts]} | {
            name: [values[k] for _, values in texts] for name, k in columns.items()
        }

    def _twice(self, run: Run) -> bool:
        return sum(other.name == run.name for other in self.runs) > 1

    @property
    def summary(self) -> str:
        return _said(self)


_TITLES = ("name", "source", "data")


@view
def compute(runs: Annotated[Sequence[Run], Several(RUN, most=MOST)]) -> TrainingCurves:
    """Trainings, as one has them by `open_run`, by their folders, or as models that keep their history.

    Raises BadValue for more than can be told apart, BadFile for what is no training.
    """
    return TrainingCurves(tuple(runs), {})


def _flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Settings with those inside others by a dot; tuples as lists, as they come out of a file."""
    flat: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(recipe)).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = ", ".join(step[0] for step in value) or "none" if name == "augmentation" else value
    return flat


def _first_fall(run: Run) -> str:
    """The epoch of the learning rate's first fall, with the accuracy before it and then."""
    for before, row in zip(run.rows, run.rows[1:], strict=False):
        if row.get("first_fall"):
            score = next((name for name in reversed(SCORES) if name in row and name in before), "")
            gain = f": {name_of(score)} {before[score]:.1%}, then {row[score]:.1%}" if score else ""
            return f"epoch {row['epoch']}{gain}"
    return ""


def name_of(score: str) -> str:
    return score.removesuffix("_accuracy").replace("train", "training")


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


@drawn
def render(result: TrainingCurves, *, part: Annotated[str, Choices(*PARTS, help="what is drawn")] = "curves") -> Figure:
    """Curves by epoch; a chart for each run of what its layers do; or a table of what the runs differ in."""
    names = ", ".join(run.name for run in result.runs)
    table, note = result.table, ""
    panels: list[Chart] = []
    if part == "curves":
        title, note = f"Training of {names}", _said(result)
        panels = _curves(result)
    elif part == "differences":
        title, table = f"What {names} differ in" if len(result.runs) > 1 else f"What {names} is", result.differences
    else:
        title = f"{OF_LAYERS[part][2]}: {names}"
        panels, table = _layers(result, part), _layer_table(result, part)
        if len(panels) == 1:
            panels = [replace(panels[0], height=0.35)]
        note = VANISHING if part == "gradients" else ""
        if not panels:
            note = "Nothing of this has been recorded; it comes with the first epoch."
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=min(3, len(panels)) or 1,
        facts=result.facts,
        note=note,
        table=table,
        alt=f"{title}. {note}",
    )


def _said(result: TrainingCurves) -> str:
    """Where each run is, in a sentence."""
    words = []
    for run in result.runs:
        scores = [f"{name_of(name)} {value:.1%}" for name in SCORES if (value := run.of_weights(name)) is not None]
        told = f"{run.name}: {len(run.rows)} epochs in {run.seconds:,.{0 if run.seconds >= 10 else 1}f} s"
        own = run.own_row.get("epoch", len(run.rows))
        when = f" in epoch {own}, whose weights were kept" if own < len(run.rows) else ""
        words.append(f"{told}, accuracy {', '.join(scores)}{when}." if scores else f"{told}.")
    return " ".join(words)


def _curves(result: TrainingCurves) -> list[Chart]:
    """Loss, accuracy and learning rate; of one run a colour for each set of pictures, of several one for each run."""
    alone = len(result.runs) == 1
    charts = []
    for title, suffix, unit in (("Loss", "loss", "cross entropy"), ("Accuracy", "accuracy", "share right")):
        lines = []
        for k, run in enumerate(result.runs):
            train = run.column("loss" if suffix == "loss" else "train_accuracy")
            held = {name: run.column(f"{name}_{suffix}") for name in HELD_OUT}
            held = {name: points for name, points in held.items() if len(points)}
            if alone:
                lines += _lines({"training": train, **held})
            else:
                best = next(iter(held.values()), None)
                lines += _line("" if best is not None else run.name, train, CLASSES[k], dashed=best is not None)
                lines += [] if best is None else _line(run.name, best, CLASSES[k])
        high = None if suffix == "loss" else 1.0
        caption = "" if alone else "Dashed: the pictures trained on. Solid: those held out, where there are some."
        charts += _chart(title, lines, unit, high, caption)
    rates = [line for k, run in enumerate(result.runs) for line in _rate(run, k, alone)]
    return [*charts, *_rates(rates)]


def _rates(lines: list[Line]) -> list[Chart]:
    """Falls by factors are equal steps on a logarithmic scale; a cosine's end, next to nothing, would be all of it."""
    values = np.concatenate([line.points[:, 1] for line in lines]) if lines else np.ones(1)
    title, unit = "Learning rate", "at the epoch's last step"
    if values.min() > 1e-5 * values.max():
        return _logarithmic(title, lines, unit)
    return _chart(title, lines, unit, None, "")


def _rate(run: Run, k: int, alone: bool) -> list[Line]:
    return _line("learning rate" if alone else run.name, run.column("learning_rate"), CLASSES[k])


def _lines(named: dict[str, NDArray[np.float64]]) -> list[Line]:
    order = ("training", "validation", "test")
    return [line for name, points in named.items() for line in _line(name, points, CLASSES[order.index(name)])]


def _line(name: str, points: NDArray[np.float64], hue: tuple[int, int, int], dashed: bool = False) -> list[Line]:
    """No line where there are no points; with few of them a dot on each."""
    return [Line(name, points, hue, dashed, len(points) <= 20, size=3.0)] if len(points) else []


def _layers(result: TrainingCurves, part: str) -> list[Chart]:
    """A chart for each run that has recorded this, all with the same scale."""
    quantity, unit, _ = OF_LAYERS[part]
    drawn: list[tuple[str, list[Line]]] = []
    for run in result.runs:
        found = run.by_layer(quantity)
        if part in ("gradients", "updates"):  # on a logarithmic scale zero has no place
            found = {name: points[points[:, 1] > 0] for name, points in found.items()}
        hues = colour(np.linspace(0.0, 0.92, max(len(found), 2))[None], "viridis")[0]
        named = _named(list(found))
        lines = [
            line
            for (name, points), hue in zip(found.items(), hues.tolist(), strict=False)
            for line in _line(name if name in named else "", points, tuple(hue))
        ]
        if lines:
            drawn.append((run.name, lines))
    every = [line for _, lines in drawn for line in lines]
    if part in ("gradients", "updates"):
        return [chart for name, lines in drawn for chart in _logarithmic(name, lines, unit, every)]
    high = 1.0 if part == "dead" else None
    return [chart for name, lines in drawn for chart in _chart(name, lines, unit, high, "", every)]


def _named(layers: list[str]) -> set[str]:
    """The layers of a legend: all, or some from the first to the last."""
    picks = np.linspace(0, len(layers) - 1, min(MOST_NAMED, len(layers))).round().astype(int)
    return {layers[k] for k in picks.tolist()}


def _chart(
    title: str, lines: list[Line], unit: str, high: float | None, caption: str, all_lines: list[Line] | None = None
) -> list[Chart]:
    """No chart without lines. Accuracies begin where they are, so that their ends can be told apart."""
    if not lines:
        return []
    values = np.concatenate([line.points[:, 1] for line in all_lines or lines])
    low, top = float(values.min()), float(values.max())
    low = min(0.0, low) if high is None else max(0.0, low - 0.05 * (top - low) - 0.005)
    top = top * 1.03 if high is None else min(high, top + 0.05 * (top - low) + 0.005)
    top = top if top > low else low + 1.0
    return [Chart(tuple(lines), _across(all_lines or lines), (low, top), ("epoch", unit), _epochs(all_lines or lines),
                  title=title, caption=caption)]  # fmt: skip


def _logarithmic(title: str, lines: list[Line], unit: str, all_lines: list[Line] | None = None) -> list[Chart]:
    """The same with powers of ten at equal distances."""
    lines = [line for line in lines if (line.points[:, 1] > 0).all()]
    if not lines:
        return []
    logs = [np.log10(line.points[:, 1]) for line in all_lines or lines]
    low, high = min(float(one.min()) for one in logs), max(float(one.max()) for one in logs)
    if high - low < 1:  # at least one power of ten, and a little around
        low, high = (low + high) / 2 - 0.5, (low + high) / 2 + 0.5
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    step, between = max(1, round((high - low) / 5)), (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(math.floor(low), math.floor(high) + 1, step)
    marks = [(k + math.log10(m), f"{m * 10.0**k:g}") for k in powers for m in between]
    ticks = tuple((at, text) for at, text in marks if low <= at <= high)
    drawn = tuple(
        Line(line.name, np.stack([line.points[:, 0], np.log10(line.points[:, 1])], 1), line.colour, line.dashed,
             line.dots, size=line.size)
        for line in lines
    )  # fmt: skip
    return [Chart(drawn, _across(all_lines or lines), (low, high), ("epoch", unit), _epochs(all_lines or lines), ticks,
                  title=title)]  # fmt: skip


def _across(lines: list[Line]) -> tuple[float, float]:
    last = max(float(line.points[:, 0].max()) for line in lines)
    first = min(float(line.points[:, 0].min()) for line in lines)
    margin = max(0.3, 0.02 * (last - first))
    return first - margin, last + margin


def _epochs(lines: list[Line]) -> tuple[tuple[float, str], ...]:
    """Whole epochs as ticks."""
    last = int(max(float(line.points[:, 0].max()) for line in lines))
    step = next(k * 10**n for n in range(7) for k in (1, 2, 5) if k * 10**n * 8 >= last)
    marks = range(step, last + 1, step) if step > 1 else range(1, last + 1)
    return tuple((float(k), str(k)) for k in marks)


def _layer_table(result: TrainingCurves, part: str) -> dict[str, list[Any]]:
    """One row a run, layer and epoch."""
    quantity = OF_LAYERS[part][0]
    rows = [
        (run.name, name, int(epoch), value)
        for run in result.runs
        for name, points in run.by_layer(quantity).items()
        for epoch, value in points.tolist()
    ]
    return {name: [row[n] for row in rows] for n, name in enumerate(("run", "layer", "epoch", quantity or "dead"))}
