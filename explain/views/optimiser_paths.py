"""Where optimisers go on a surface: paths by torch's own steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadValue
from ..figure import Chart, Figure, Line
from ..figure.palette import CLASSES
from ..options import Choices, Range
from ..progress import Progress, unheard
from ..training.descent import RULES, SURFACES, Descent, bowl, follow
from .inputs import Several
from .parts.contours import contours
from .parts.result import Result, aligned
from .view import drawn, view

__all__ = ["OptimiserPaths", "compute", "film", "render"]

# Where each begins, and the part of it that is drawn.
STARTS = {"bowl": (1.0, -2.0), "saddle": (1.0, 0.0), "monkey saddle": (0.9, 0.0), "two wells": (-1.6, 0.5)}
WINDOWS = {
    "bowl": ((-1.5, 1.5), (-2.4, 2.4)),
    "saddle": ((-1.5, 1.5), (-1.5, 1.5)),
    "monkey saddle": ((-1.2, 1.2), (-1.2, 1.2)),
    "two wells": ((-2.0, 2.4), (-1.2, 1.2)),
}
FRAME, LAST = 150, 2000  # milliseconds that a frame of a film stands, and the last
CELLS = 121  # along a side of the grid of heights
OF_NETWORKS = (
    "A network's loss has millions of such axes: most of its level places are saddles, and the noise of mini-batches "
    "leads away from them. Which optimiser is first here says little there: adaptive ones need less tuning, and plain "
    "descent that is tuned often ends better."
)
COMPARED = ("gd", "momentum", "adagrad", "rmsprop", "adam")


@dataclass(frozen=True, eq=False)
class OptimiserPaths(Result):
    """descents: by optimiser, a path (steps + 1, 2) with what it holds at the end; values: the heights along each.

    x (X,), y (Y,), heights (Y, X): the surface.
    """

    surface: str
    descents: dict[str, Descent]
    values: dict[str, NDArray[np.float64]]
    rates: dict[str, float]
    steps: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    heights: NDArray[np.float64]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row a step of each optimiser."""
        rows = [
            (name, k, *point, value)
            for name, descent in self.descents.items()
            for k, (point, value) in enumerate(zip(descent.path.tolist(), self.values[name].tolist(), strict=True))
        ]
        return {key: [row[k] for row in rows] for k, key in enumerate(("optimiser", "step", "x", "y", "value"))}

    @property
    def ends(self) -> dict[str, list[Any]]:
        """A row an optimiser: its rate, how far it went, where it ended, and the squared gradients that it holds."""
        rows = []
        for name, (path, squares) in self.descents.items():
            held = "" if squares is None else ", ".join(f"{one:.3g}" for one in squares)
            moved = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
            x, y = path[-1].tolist()
            rows.append((RULES[name].label, self.rates[name], len(path) - 1, moved, x, y, self.values[name][-1], held))
        names = ("optimiser", "rate", "steps", "way", "x", "y", "value", "squares held")
        return {
            name: [row[k] if k in (0, 7) else f"{round(float(row[k]), 4) + 0.0:g}" for row in rows]
            for k, name in enumerate(names)
        }

    @property
    def measures(self) -> dict[str, Any]:
        return {
            name: {
                "rate": self.rates[name],
                "end": path[-1].tolist(),
                "value": float(self.values[name][-1]),
                "squares": None if squares is None else squares.tolist(),
            }
            for name, (path, squares) in self.descents.items()
        }

    @property
    def words(self) -> str:
        """Where each is in the end, lowest first, and who left for good."""
        order = sorted(self.descents, key=lambda name: self.values[name][-1])
        gone = [name for name in order if len(self.descents[name].path) <= self.steps]
        said = [f"{RULES[name].label} {_place(self.descents[name].path[-1])}" for name in order if name not in gone]
        lost = f" Left for good: {', '.join(RULES[name].label for name in gone)}." if gone else ""
        return f"After {self.steps} steps, lowest first: {'; '.join(said) or 'nobody here'}.{lost}"

    @property
    def summary(self) -> str:
        return f"{aligned(self.ends)}\n{self.words}"


def _place(point: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{round(one, 3) + 0.0:g}" for one in point.tolist()) + ")"


@view
def compute(
    surface: Annotated[
        str, Choices(*SURFACES, help="bowl: a quadratic; two wells: a shallow one before a deep one")
    ] = "two wells",
    optimisers: Annotated[Sequence[str], Several(Choices(*RULES, help="whose paths"), most=len(RULES))] = COMPARED,
    *,
    rates: Annotated[
        Sequence[float],
        Several(Range(1e-6, 10), least=0, most=len(RULES), help="one for all or one each; none: one that suits each"),
    ] = (),
    steps: Annotated[int, Range(1, 2000)] = 200,
    x: Annotated[
        float | None, Range(-3, 3, help="of the start; none: where the surface is known for something")
    ] = None,
    y: Annotated[float | None, Range(-3, 3, help="of the start")] = None,
    condition: Annotated[float, Range(1, 1000, help="of the bowl: largest curvature through smallest")] = 20.0,
    momentum: Annotated[float, Range(0, 0.999, help="share of the last step that momentum takes again")] = 0.9,
    noise: Annotated[float, Range(0, 10, help="deviation of one picture's gradient; 16 have a quarter")] = 1.0,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the noise")] = 0,
) -> OptimiserPaths:
    """Steps of torch's optimisers on a function of two numbers, in float64, from one start.

    A path ends early where it leads away without end. Raises BadValue where rates are neither one nor one each.
    """
    names = list(dict.fromkeys(optimisers))
    if len(rates) not in (0, 1, len(names)):
        raise BadValue(f"{len(rates)} rates for {len(names)} optimisers: give none, one for all, or one each.")
    each = [RULES[name].rate for name in names] if not rates else list(rates) * (len(names) if len(rates) == 1 else 1)
    function = bowl(condition) if surface == "bowl" else SURFACES[surface]
    start = (STARTS[surface][0] if x is None else x, STARTS[surface][1] if y is None else y)
    descents = {}
    for name, rate in zip(names, each, strict=True):
        rule = RULES[name]
        options = {"momentum": momentum} if rule.momentum else {}
        descents[name] = follow(
            function, rule.optimiser, start, rate, steps, noise=noise * rule.noise, seed=seed, **options
        )
    return OptimiserPaths(
        surface,
        descents,
        {name: _heights(function, path.T) for name, (path, _) in descents.items()},
        dict(zip(names, each, strict=True)),
        steps,
        *_surface(function, WINDOWS[surface], start),
        facts={"x": start[0], "y": start[1]},
    )


def _heights(function: Any, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """At points (2, ...)."""
    found: NDArray[np.float64] = function(torch.from_numpy(np.ascontiguousarray(at))).numpy()
    return found


def _surface(
    function: Any, window: tuple[tuple[float, float], tuple[float, float]], start: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Its window, enlarged so that the start lies within."""
    x, y = (
        np.linspace(min(low, at - 0.2), max(high, at + 0.2), CELLS)
        for (low, high), at in zip(window, start, strict=True)
    )
    return x, y, _heights(function, np.stack(np.meshgrid(x, y)))


@drawn
def render(
    result: OptimiserPaths,
    *,
    levels: Annotated[int, Range(3, 60, help="lines of equal height")] = 18,
    until: Annotated[int, Range(0, 2000, help="steps drawn; 0: all")] = 0,
) -> Figure:
    """The paths over lines of equal height, a dot where each is; and the heights along them by step."""
    count = min(until or result.steps, result.steps)
    (left, right), (low, high) = (result.x[[0, -1]].tolist(), result.y[[0, -1]].tolist())
    lines, ends, falls, shown = contours(result.x, result.y, result.heights, levels), [], [], []
    for k, (name, (path, _)) in enumerate(result.descents.items()):
        colour, label = CLASSES[k], RULES[name].label
        drawn_path = _within(path[: count + 1], (left, right), (low, high))
        lines.append(Line(label, drawn_path, colour, width=1.6))
        ends.append(Line(label, drawn_path[-1:], colour, dots=True, size=5))
        values = result.values[name][: count + 1]
        values = np.clip(values, result.heights.min(), result.heights.max())
        shown.append(values)
        falls.append(Line(label, np.stack([np.arange(len(values)), values], 1), colour))
    start = next(iter(result.descents.values())).path[:1]
    lines += [*ends, Line("start", start, (0, 0, 0), dots=True, size=5)]
    every = np.concatenate(shown)
    margin = 0.05 * max(float(np.ptp(every)), 1e-9)
    paths = Chart(
        tuple(lines), (left, right), (low, high), ("x", "y"), title="Paths",
        caption="Grey: lines of equal height, the lower the darker. Whoever leaves is cut at the edge.", height=0.75,
    )  # fmt: skip
    fall = Chart(
        tuple(falls), (0.0, float(max(count, 1))), (float(every.min()) - margin, float(every.max()) + margin),
        ("step", "value"), title="Value by step", height=0.75,
    )  # fmt: skip
    return Figure(
        title=f"Optimisers on the {result.surface}",
        panels=(paths, fall),
        columns=2,
        facts=result.facts,
        note=f"{result.words} {OF_NETWORKS}",
        arrays={name: path for name, (path, _) in result.descents.items()},
        table=result.table,
        alt=f"Paths of {len(result.descents)} optimisers over the contours of the {result.surface}. {result.words}",
    )


def film(result: OptimiserPaths, frames: int = 24, *, progress: Progress = unheard) -> bytes:
    """A GIF of the paths as they are walked, which begins again at its end. The steps between two frames grow: most
    happens in the beginning."""
    share = np.linspace(0.0, 1.0, frames + 1)[1:] ** 2
    drawn_until = np.unique(np.ceil(share * result.steps).astype(int)).tolist()
    pictures = []
    for k, until in enumerate(drawn_until):
        progress(k, len(drawn_until), "drawing")
        content = render(result, until=until).encode("png", width_mm=180, dpi=90)
        pictures.append(Image.open(BytesIO(content)).convert("P", palette=Image.Palette.ADAPTIVE))
    times = [FRAME] * (len(pictures) - 1) + [LAST]
    file = BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=times, loop=0, disposal=2)
    return file.getvalue()


def _within(path: NDArray[np.float64], across: tuple[float, float], up: tuple[float, float]) -> NDArray[np.float64]:
    """Up to the first point outside, which is moved onto the edge along the last step."""
    low, high = np.array([across[0], up[0]]), np.array([across[1], up[1]])
    outside = ((path < low) | (path > high)).any(1)
    if not outside.any():
        return path
    first = int(outside.argmax())
    before, after = path[first - 1], path[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(after > high, (high - before) / (after - before), (low - before) / (after - before))
    shares = np.where((after > high) | (after < low), shares, 1.0)
    return np.concatenate([path[:first], [before + float(shares.min()) * (after - before)]])
