"""How a network holds out against corrupted and shifted pictures, and which of its layers move first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..corruption import CORRUPTIONS, GROUPS, LEVELS, corrupt, numbers_of, reach_of, shifted
from ..data import ImageSet
from ..errors import BadFile, BadValue, enumerate_some
from ..figure import RIGHT, WRONG, Chart, Figure, Grid, Line, Panel, Pixels, bars
from ..figure.chart import Ticks
from ..figure.palette import CLASSES, UNKNOWN
from ..images import colour, contact_sheet
from ..network.drift import Drift, comparable
from ..network.model import Layer, Model, Preprocess
from ..network.trace import record
from ..options import Choices, Range
from ..progress import Progress, unheard
from ..trust.bootstrap import Mean, drawn_anew, wilson
from .inputs import IMAGES, LAYER, MODEL, Several
from .parts.corrupted import CORRUPTION, crop_of, in_order, input_of
from .parts.result import Result
from .parts.truth import truth_of
from .view import drawn, view

__all__ = ["PARTS", "Robustness", "compute", "render"]

PARTS = {
    "accuracy": "Accuracy by severity",
    "errors": "Corruption errors",
    "layers": "Which layers move",
    "channels": "Which channels move",
    "pictures": "A picture, corrupted",
}
AT_ONCE, HELD = 32, 256 << 20  # pictures in one pass, at most, and bytes of activations that are held for them
SIDE, GAP, GROUND = 112, 2, (206, 210, 216)
SHIFT = "shift"


class Change(NamedTuple):
    """A corruption with its severity, or a shift by so many pixels to the right."""

    name: str
    by: int

    @property
    def said(self) -> str:
        if self.name == SHIFT:
            return f"Shifted by {self.by}"
        return f"{CORRUPTIONS[self.name].label}, severity {self.by}"


@dataclass(frozen=True, eq=False)
class Robustness(Result):
    """Of one network, or of two where there is a baseline, the first axis of what is right: `clean` (M, N), `right` (M,
    corruptions, severities, N) and `moved` (M, shifts, N); `flips` (M, N) is for each picture the share of steps of one
    pixel at which the answer changes.

    `drift` (layers, corruptions, severities) is of the first network, and `channel_drift` (channels, corruptions,
    severities) of one of its layers; both as network.drift says, and empty where they were not asked for. `tiles`
    (corruptions, 1 + severities, h, w, 3) are one picture. `judged` says what right means.
    """

    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    clean: NDArray[np.bool_]
    right: NDArray[np.bool_]
    shifts: tuple[int, ...]
    moved: NDArray[np.bool_]
    flips: NDArray[np.float64]
    layers: tuple[str, ...]
    drift: NDArray[np.float64]
    channel_drift: NDArray[np.float64]
    tiles: Pixels
    judged: str
    left_out: int
    facts: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the networks."""
        second = self.facts.get("baseline")
        return (self.facts["model"], second["model"]) if second else (self.facts["model"],)

    @property
    def images(self) -> int:
        return int(self.clean.shape[1])

    def accuracy(self, right: NDArray[np.bool_]) -> Mean:
        """Of pictures (N,), with Wilson's 95 % interval."""
        return wilson(int(right.sum()), len(right))

    @cached_property
    def errors(self) -> dict[str, list[Any]]:
        """One row a corruption, then their mean: the error over all severities; with a baseline also the corruption
        error, which is the sum of errors over that of the baseline's, and the relative one, of what is added to the
        errors on clean pictures. Each with the 95 % interval by drawing pictures anew."""
        found: dict[str, list[Any]] = {"corruption": [*self.corruptions, "mean"]}
        columns = {"error": _errors(self.right, self.clean)}
        if len(self.names) > 1:
            columns["ce"] = _corruption_errors(self.right)
            columns["relative_ce"] = _corruption_errors(self.right, self.clean)
        for name, (values, samples) in columns.items():
            with np.errstate(invalid="ignore"):
                low, high = np.percentile(samples, [2.5, 97.5], axis=1)  # NaN where a baseline makes no error
            for suffix, part in (("", values), ("_low", low), ("_high", high)):
                found[name + suffix] = [value if math.isfinite(value) else None for value in part.tolist()]
        return found

    @property
    def first(self) -> str:
        """The layer that has moved the most at the mildest severity."""
        return self.layers[int(self.drift[:, :, 0].mean(1).argmax())] if self.layers else ""

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a corruption and severity, and a shift."""
        rows = [("none", 0, self.clean)]
        for c, name in enumerate(self.corruptions):
            rows += [(name, level, self.right[:, c, s]) for s, level in enumerate(self.severities)]
        rows += [(SHIFT, by, self.moved[:, k]) for k, by in enumerate(self.shifts)]
        table: dict[str, list[Any]] = {
            "corruption": [name for name, _, _ in rows],
            "severity": [by for _, by, _ in rows],
            "pictures": [self.images] * len(rows),
        }
        for k in range(len(self.names)):
            means = [self.accuracy(right[k]) for _, _, right in rows]
            for part in Mean._fields:
                column = "accuracy" if part == "value" else f"accuracy_{part}"
                table["baseline_" * (k > 0) + column] = [getattr(mean, part) for mean in means]
        return table

    @property
    def layer_table(self) -> dict[str, list[Any]]:
        """One row a layer, corruption and severity."""
        return _long("layer", self.layers, self.drift, self)

    @property
    def channel_table(self) -> dict[str, list[Any]]:
        """One row a channel, corruption and severity; channels in which all pictures are alike have no number."""
        return _long("channel", range(len(self.channel_drift)), self.channel_drift, self)

    @property
    def measures(self) -> dict[str, Any]:
        rows = {"accuracy": self.table, "errors": self.errors, "first_layer": self.first}
        return {**rows, "flip_probability": self.flips.mean(1).tolist() if self.shifts else None}

    def sentence(self) -> str:
        """What came out, in words."""
        clean, worst = self.accuracy(self.clean[0]), self.right[0].mean((1, 2))
        low = self.corruptions[int(worst.argmin())]
        known = "right" if self.judged == "labels" else "of the same answer as on the picture itself"
        said = f"{self.names[0]} is {known} on {clean.value:.1%} of {self.images:,} pictures, and on "
        said += f"{self.right[0].mean():.1%} of them corrupted; worst with {CORRUPTIONS[low].label.lower()} "
        said += f"({worst.min():.1%})."
        ce = self.errors.get("ce", [None])[-1]
        if ce is not None:
            low_ce, high_ce = self.errors["ce_low"][-1], self.errors["ce_high"][-1]
            within = "" if low_ce is None else f" ({low_ce:.1%} to {high_ce:.1%})"  # the baseline may make no error
            said += f" Mean corruption error {ce:.1%}{within} of that of {self.names[1]}."
        if self.shifts:
            said += f" One pixel to the side changes {self.flips[0].mean():.1%} of its answers."
        if self.first:
            said += f" {self.first} moves first."
        if self.left_out:
            said += f" {self.left_out:,} pictures could not be read."
        return said

    @property
    def summary(self) -> str:
        lines = [self.sentence()]
        for k, name in enumerate(self.names):
            lines.append(f"{name}: accuracy by severity")
            for c, corruption in enumerate(self.corruptions):
                by = "  ".join(f"{value:.3f}" for value in self.right[k, c].mean(1).tolist())
                lines.append(f"  {corruption:20}  {by}")
        return "\n".join(lines)


def _long(what: str, names: Sequence[Any], values: NDArray[np.float64], of: Robustness) -> dict[str, list[Any]]:
    rows = [
        (name, corruption, level, float(values[n, c, s]))
        for n, name in enumerate(names)
        for c, corruption in enumerate(of.corruptions)
        for s, level in enumerate(of.severities)
    ]
    columns = {name: [row[k] for row in rows] for k, name in enumerate((what, "corruption", "severity"))}
    return {**columns, "drift": [row[3] if math.isfinite(row[3]) else None for row in rows]}


Sampled = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Values (corruptions + 1,), the last the mean of the others, and those of resamples (corruptions + 1, RESAMPLES)."""


def _errors(right: NDArray[np.bool_], clean: NDArray[np.bool_]) -> Sampled:
    """The first network's, as shares of all answers."""
    wrong = 1.0 - right[0].mean(1)
    return _with_mean(wrong.mean(1), wrong @ drawn_anew(wrong.shape[1], 0) / wrong.shape[1])


def _corruption_errors(right: NDArray[np.bool_], clean: NDArray[np.bool_] | None = None) -> Sampled:
    """The first network's errors over the second's; of what is added to those on clean pictures, where these are
    given."""
    wrong = 1.0 - right.mean(2)  # networks, corruptions, pictures
    if clean is not None:
        wrong = wrong - (1.0 - clean[:, None])
    drawn = wrong @ drawn_anew(wrong.shape[2], 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _with_mean(wrong[0].sum(1) / wrong[1].sum(1), drawn[0] / drawn[1])


def _with_mean(values: NDArray[np.float64], samples: NDArray[np.float64]) -> Sampled:
    return np.append(values, values.mean()), np.vstack([samples, samples.mean(0)])


# Measured ------------------------------------------------------------------------------------------------------------


@view
def compute(
    model: Annotated[Model, MODEL],
    images: Annotated[ImageSet, IMAGES],
    *,
    baseline: Annotated[Model | None, MODEL] = None,
    corruptions: Annotated[Sequence[str] | None, Several(CORRUPTION)] = None,
    severities: Annotated[Sequence[int] | None, Several(Range(1, 5, help="by default all five"), most=5)] = None,
    shifts: Annotated[bool, Choices(True, False, help="whether pictures are shifted to the sides, too")] = True,
    count: Annotated[int, Range(1, 10_000, help="pictures, drawn by the seed, at most")] = 200,
    drifting: Annotated[int, Range(0, 10_000, help="of them, those for which layers are followed; 0 for none")] = 50,
    layer: Annotated[str | None, LAYER] = None,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the pictures and of chance in the corruptions")] = 0,
    progress: Progress = unheard,
) -> Robustness:
    """What a network says of pictures that are corrupted as in ImageNet-C, at each severity, and shifted as in
    ImageNet-P (Hendrycks and Dietterich 2019): in its own crop, by the numbers that fit its size.

    Where pictures have labels that are its classes, these tell what is right; else its answer on the picture itself.
    The layer is the one whose channels are followed, by default the one that moves first. Raises NotSupported for
    networks of other than grey or coloured pictures, BadValue and BadFile where there are no pictures.
    """
    named = tuple(dict.fromkeys(in_order() if corruptions is None else corruptions))
    levels = tuple(sorted(set(LEVELS if severities is None else severities)))
    networks = [model] if baseline is None else [model, baseline]
    truth = np.stack([truth_of(one, images) for one in networks])
    judged = "labels" if (truth >= 0).all(0).any() else "answers"
    able = np.flatnonzero((truth >= 0).all(0)) if judged == "labels" else np.arange(len(images))
    if not len(able):
        raise BadValue(f"There are no pictures in {images.name!r}.")
    chosen = able[np.random.default_rng(seed).permutation(len(able))[:count]].tolist()
    reach = min(reach_of(one.preprocess.size) for one in networks)
    sides = tuple(range(-reach, reach + 1)) if shifts else ()
    changes = [Change(name, level) for name in named for level in levels]
    followed = _followed(model, layer) if drifting > 1 else []
    found = _measured(networks, images, chosen, [*changes, *(Change(SHIFT, by) for by in sides)],
                      followed, drifting, seed, progress)  # fmt: skip
    right = found.answers == (truth[:, found.read] if judged == "labels" else found.answers[:, 0])[:, None]
    moved = found.answers[:, 1 + len(changes) :]
    shape = (len(named), len(levels))
    by_layer = found.drift.layers() if found.drift.pictures > 1 else {}
    drift = np.array([shares.reshape(shape) for shares in by_layer.values()]).reshape(-1, *shape)
    if by_layer:
        layer = layer or list(by_layer)[int(drift[:, :, 0].mean(1).argmax())]
    tiles = [[_changed(found.first, Change(name, level), seed) for level in (0, *levels)] for name in named]
    return Robustness(
        corruptions=named,
        severities=levels,
        clean=right[:, 0],
        right=right[:, 1 : 1 + len(changes)].reshape(len(networks), *shape, -1),
        shifts=sides,
        moved=right[:, 1 + len(changes) :],
        flips=(moved[:, 1:] != moved[:, :-1]).mean(1) if len(sides) > 1 else np.zeros((len(networks), len(found.read))),
        layers=tuple(by_layer),
        drift=drift,
        channel_drift=found.drift.channels(layer).T.reshape(-1, *shape) if layer and by_layer else drift[:0],
        tiles=_tiles(tiles),
        judged=judged,
        left_out=len(chosen) - len(found.read),
        facts={"layer": layer, "pictures": sorted(found.read), "numbers": numbers_of(model.preprocess.size)},
    )


def _followed(model: Model, layer: str | None) -> list[Layer]:
    """Raises BadValue where the layer is none of them."""
    able = comparable(model.layers)
    names = [one.name for one in able]
    if layer and layer not in names:
        raise BadValue(f"Layer {layer!r} only passes on, or is a block; choose one of {enumerate_some(names)}.")
    return able


class Measured(NamedTuple):
    """`answers` (networks, 1 + changes, N) are the likeliest classes, of the pictures as they are first."""

    read: list[int]
    first: Image.Image
    answers: NDArray[np.int64]
    drift: Drift


def _measured(
    networks: Sequence[Model],
    images: ImageSet,
    chosen: Sequence[int],
    changes: Sequence[Change],
    followed: Sequence[Layer],
    drifting: int,
    seed: int,
    progress: Progress,
) -> Measured:
    """Some pictures at a time, under all changes. Raises BadFile where none can be read."""
    at_once = min(AT_ONCE, max(1, HELD // (8 * sum(layer.units for layer in followed) or 1)))
    read: list[int] = []
    answers, first, drift = [], None, Drift(sum(change.name != SHIFT for change in changes))
    for start in range(0, len(chosen), at_once):
        some = dict(_readable(images, chosen[start : start + at_once]))
        if not some:
            continue
        crops = [[crop_of(model, picture) for picture in some.values()] for model in networks]
        first = first or crops[0][0]
        left = max(0, drifting - len(read))  # pictures for which layers are still to be followed
        places = [layer.name for layer in followed] if left else []
        said, held = _asked(networks[0], crops[0], places)
        drift.see({name: values[:left] for name, values in held.items()})
        found = [[said, *(_asked(model, own)[0] for model, own in zip(networks[1:], crops[1:], strict=True))]]
        for k, change in enumerate(changes):
            progress(start + len(some) * k / len(changes), len(chosen), change.said)
            corrupted: dict[Any, list[Image.Image]] = {}  # networks that see the same see the same corrupted
            row = []
            for n, model in enumerate(networks):
                seen = _seen(model.preprocess)
                if seen not in corrupted:
                    corrupted[seen] = [_changed(crop, change, seed) for crop in crops[n]]
                said, held = _asked(model, corrupted[seen], places if n == 0 and change.name != SHIFT else ())
                drift.compare(k, {name: values[:left] for name, values in held.items()})
                row.append(said)
            found.append(row)
        read += some
        answers.append(np.array(found).swapaxes(0, 1))
    if first is None:
        raise BadFile(f"None of the pictures of {images.name!r} can be read.")
    progress(len(chosen), len(chosen), "done")
    return Measured(read, first, np.concatenate(answers, 2), drift)


def _readable(images: ImageSet, numbers: Sequence[int]) -> Iterator[tuple[int, Any]]:
    for number in numbers:
        with suppress(BadFile):
            yield number, images[number]


def _seen(preprocess: Preprocess) -> tuple[Any, ...]:
    """What crops depend on."""
    return preprocess.size, preprocess.resize, preprocess.interpolation, preprocess.channels == 3


def _changed(crop: Image.Image, change: Change, seed: int) -> Image.Image:
    return shifted(crop, change.by) if change.name == SHIFT else corrupt(crop, change.name, change.by, seed=seed)


def _asked(
    model: Model, crops: Sequence[Image.Image], places: Sequence[str] = ()
) -> tuple[NDArray[np.int64], dict[str, Tensor]]:
    """The likeliest classes (N,), and what the layers of these names give."""
    batch = input_of(model, crops)
    if not places:
        return model.ask(batch).argmax(1).numpy(), {}
    with model.exclusive() as net:
        each = [record(net, some, places) for some in torch.split(batch, 1 if model.behaviour.alone else len(batch))]
    scores = torch.cat([scores for scores, _ in each]).float().cpu()
    return scores.argmax(1).numpy(), {name: torch.cat([held[name] for _, held in each]) for name in places}


def _tiles(rows: Sequence[Sequence[Image.Image]]) -> Pixels:
    """(rows, columns, h, w, 3), shrunk to what a sheet has room for."""
    width, height = rows[0][0].size
    scale = min(1.0, SIDE / max(width, height))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = [[one if scale == 1 else one.resize(size, Image.Resampling.BOX) for one in row] for row in rows]
    return np.stack([np.stack([np.asarray(one.convert("RGB")) for one in row]) for row in small])


# Drawn ---------------------------------------------------------------------------------------------------------------


@drawn
def render(
    result: Robustness,
    *,
    part: Annotated[str, Choices(*PARTS)] = "accuracy",
    most: Annotated[int, Range(1, 200, help="channels, those that move farthest")] = 20,
) -> Figure:
    """Accuracy by severity, errors by corruption, how far layers and channels move, or one picture corrupted."""
    data = f"{result.images:,} pictures of {result.facts['data']}"
    arrays: dict[str, NDArray[Any]] = {"clean": result.clean, "right": result.right}
    table, columns = result.table, 1
    panels: Sequence[Chart | Panel]
    note = result.sentence()
    if part == "accuracy":
        title, panels, columns = f"{result.facts['model']} under corruption, on {data}", _curves(result), 3
    elif part == "errors":
        title, table = f"What corrupts {result.facts['model']} most, on {data}", result.errors
        panels, columns = _ranked(result), 2
    elif part == "layers":
        title, table = f"Which layers of {result.facts['model']} move first", result.layer_table
        panels, columns, arrays = _by_layer(result), 2, {"drift": result.drift}
        note = f"{note} {DRIFT}" if panels else f"No layers were followed; ask with drifting of 2 or more. {note}"
    elif part == "channels":
        title = f"Which channels of {result.facts.get('layer', 'no layer')} of {result.facts['model']} move first"
        table, panels, arrays = result.channel_table, _by_channel(result, most), {"drift": result.channel_drift}
        note = f"{note} {DRIFT}" if panels else f"No layers were followed; ask with drifting of 2 or more. {note}"
    else:
        title, panels, columns = f"What {result.facts['model']} is shown", _strips(result), 3
        levels = ", ".join(map(str, (0, *result.severities)))
        note = f"Severity {levels}, by the numbers of {result.facts['numbers']}, whose pictures are nearest in size."
        arrays = {"tiles": result.tiles}
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=columns,
        facts=result.facts,
        note=note,
        arrays=arrays,
        table=table,
        alt=f"{title}. {note}",
    )


DRIFT = (
    "How far a layer moves is the mean distance between what a picture and its corrupted copy excite in it, as a share "
    "of the mean distance between two pictures: at 1 a copy is as far away as another picture."
)


def _curves(result: Robustness) -> list[Chart]:
    """A chart of the mean, one for each kind of corruption, and one of shifts; a baseline is dashed."""
    levels = np.array([0, *result.severities])
    ticks = tuple((float(level), str(level)) for level in levels)
    right = np.concatenate([result.clean[:, None], result.right.mean(1)], 1)  # networks, severities, pictures
    ends = np.percentile(right @ drawn_anew(result.images, 0) / result.images, [2.5, 97.5], axis=2)
    charts = [_chart("All corruptions", _compared(result, levels, right.mean(2), ends), "severity", levels, ticks)]
    known = {name for group in GROUPS.values() for name in group}
    for title, group in {**GROUPS, "others": tuple(name for name in result.corruptions if name not in known)}.items():
        lines, shown = [], [name for name in group if name in result.corruptions]
        for k, name in enumerate(shown):
            c, hue = result.corruptions.index(name), CLASSES[k % len(CLASSES)]
            every = np.concatenate([result.clean[:, None], result.right[:, c]], 1)
            means = [result.accuracy(one) for one in every[0]]
            beside = levels + 0.05 * (k - (len(shown) - 1) / 2)  # so that intervals are told apart
            for x, mean in list(zip(beside, means, strict=True))[1:]:
                lines.append(Line("", np.array([[x, mean.low], [x, mean.high]]), hue, width=0.7))
            for n, values in enumerate(every.mean(2)):
                label = CORRUPTIONS[name].label if n == 0 else ""
                lines.append(Line(label, np.column_stack([beside, values]), hue, n > 0))
        if lines:
            charts.append(_chart(title.capitalize(), lines, "severity", levels, ticks))
    if result.shifts:
        sides = np.array(result.shifts)
        shares = [[result.accuracy(one) for one in each] for each in result.moved]
        ends = np.array([[(mean.low, mean.high) for mean in each] for each in shares]).transpose(2, 0, 1)
        charts.append(
            _chart("Shifts", _compared(result, sides, result.moved.mean(2), ends), "pixels to the right", sides)
        )
    return charts


def _compared(
    result: Robustness, x: NDArray[Any], values: NDArray[np.float64], ends: NDArray[np.float64]
) -> list[Line]:
    """A line a network with its interval; these lie under all lines. values (networks, x), ends (2, networks, x)."""
    lines, bands = [], []
    for n, (name, hue) in enumerate(zip(result.names, (RIGHT, WRONG), strict=False)):
        points = np.column_stack([x, values[n]])
        bands.append(Line("", points, hue, n > 0, band=ends[:, n].T))
        lines.append(Line(name, points, hue, n > 0))
    return [*bands, *lines]


def _chart(title: str, lines: list[Line], across: str, x: NDArray[Any], ticks: Ticks = ()) -> Chart:
    margin = 0.03 * (x[-1] - x[0])
    reach = (float(x[0] - margin), float(x[-1] + margin))
    return Chart(tuple(lines), reach, (0.0, 1.0), (across, "share right"), ticks, SHARES, title)


SHARES = tuple((share / 4, f"{25 * share}%") for share in range(5))


def _ranked(result: Robustness) -> list[Chart]:
    """A row a corruption, the worst on top, each a dot on its interval."""
    errors = result.errors
    titles = {"error": ("Error over all severities", "share wrong", RIGHT)}
    if len(result.names) > 1:
        of = f"share of the errors of {result.names[1]}"
        titles["ce"] = ("Corruption error", of, RIGHT)
        titles["relative_ce"] = ("Relative corruption error: beyond clean pictures", of, WRONG)
    order = sorted(range(len(result.corruptions)), key=lambda c: -errors["error"][c])
    rows = [len(result.corruptions), *order]  # the mean first
    charts = []
    for name, (title, across, hue) in titles.items():
        lines, ticks, ends = [], [], [0.0, 1.0 if name != "error" else 0.0]
        for place, c in zip(range(len(rows), 0, -1), rows, strict=True):
            label = "mean" if c == len(result.corruptions) else CORRUPTIONS[errors["corruption"][c]].label
            ticks.append((float(place), label))
            value, low, high = (errors[name + end][c] for end in ("", "_low", "_high"))
            if None not in (low, high):
                lines.append(Line("", np.array([[low, place], [high, place]]), hue))
                ends += [low, high]
            if value is not None:
                lines.append(Line("", np.array([[value, place]]), hue, dots=True))
                ends.append(value)
        if name != "error":
            lines.insert(0, Line("", np.array([[1.0, 0.4], [1.0, len(rows) + 0.6]]), UNKNOWN, True))
        reach = max(ends) - min(ends) or 1.0
        x = (min(ends) - 0.02 * reach, max(ends) + 0.04 * reach)
        charts.append(
            Chart(tuple(lines), x, (0.4, len(rows) + 0.6), (across, ""), (), tuple(ticks), title,
                  height=0.1 + 0.05 * len(rows))
        )  # fmt: skip
    return charts


def _by_layer(result: Robustness) -> list[Chart]:
    """From the first layer to the last: a line a severity, and at the mildest a line a kind of corruption."""
    if not result.layers:
        return []
    at = np.arange(1, len(result.layers) + 1)
    named = np.unique(np.linspace(0, len(at) - 1, min(8, len(at))).round().astype(int)).tolist()
    ticks = tuple((float(at[k]), result.layers[k]) for k in named)
    hues = colour(np.linspace(0.85, 0.1, len(result.severities))[None], "viridis")[0].tolist()
    dots = len(at) <= 30
    mean = result.drift.mean(1)  # layers, severities
    levels = [
        Line(f"severity {level}", np.column_stack([at, mean[:, s]]), tuple(hues[s]), dots=dots)
        for s, level in enumerate(result.severities)
    ]
    kinds = []
    for hue, (group, names) in zip(CLASSES, GROUPS.items(), strict=False):
        numbers = [c for c, name in enumerate(result.corruptions) if name in names]
        if numbers:
            values = result.drift[:, numbers, 0].mean(1)
            kinds.append(Line(group, np.column_stack([at, values]), hue, dots=dots))
    mildest = f"By kind of corruption, severity {result.severities[0]}"
    return [
        Chart(tuple(lines), (0.5, len(at) + 0.5), (0.0, top), ("layer", "distance moved"), ticks, title=title)
        for title, lines in (("By severity, mean of the corruptions", levels), (mildest, kinds))
        if lines
        for top in [1.05 * max(float(line.points[:, 1].max()) for line in lines) or 1.0]
    ]


def _by_channel(result: Robustness, most: int) -> list[Chart]:
    mean = result.channel_drift[:, :, 0].mean(1)
    order = [k for k in np.argsort(-mean, kind="stable").tolist() if math.isfinite(mean[k])]
    if not order:
        return []
    shown = {f"channel {k}": float(mean[k]) for k in order[:most]}
    title = f"Severity {result.severities[0]}, mean of the corruptions"
    left = len(mean) - len(shown)
    caption = f"The {len(shown)} of {len(mean):,} channels that move farthest; the CSV has all." if left else ""
    return [bars(title, shown, "distance moved", colour=RIGHT, caption=caption)]


def _strips(result: Robustness) -> list[Panel]:
    """A strip a corruption, from the picture as it is to the severest."""
    columns, height, width = result.tiles.shape[1:4]
    grid = Grid(columns, height, width, GAP)
    return [
        Panel(contact_sheet(tiles, columns, GAP, background=GROUND), CORRUPTIONS[name].label, grid=grid)
        for name, tiles in zip(result.corruptions, result.tiles, strict=True)
    ]
