"""All that an index knows of one channel, what it does on one picture, and what the prediction is without it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile, NotSupported
from ..figure import Chart, Figure, Grid, Line, Panel, Scale
from ..images import contact_sheet, enlarge, overlay, to_bytes, unit_scale
from ..index import RANKINGS, Index
from ..index.channels import Kernel, kernel, replaced
from ..index.dead_channels import dead
from ..network.model import Layer, Model
from ..network.trace import record
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import CHANNEL, INDEX, LAYER, QUERY, WHERE
from .parts import effective
from .parts.cut import GAP, GROUND, Cuts, cut, pictured, printed, row_panel, sight
from .parts.maps import colours_of, limits_of, scale_of, upsample
from .parts.picture import PreparedPicture
from .parts.result import SHARED, Result, only
from .view import drawn, view

__all__ = ["Channel", "Classes", "compute", "parts", "render"]

COUNT = 9
MOST_SLICES = 256
SHARE = 0.01  # of a layer's channels: what counts as being on top for a class
STEPS = 56  # bars of the histogram
SIDE = 224  # pixels of the filter
INK, ZERO = (15, 110, 132), (200, 60, 60)


@dataclass(frozen=True)
class Classes:
    """The classes met, those the channel answers to most first; `means` are of the images' strongest responses.

    `on_top` classes have this channel among the `top` (1 %) of the layer that answer to them most.
    """

    names: tuple[str, ...]
    images: tuple[int, ...]
    means: tuple[float, ...]
    predicted: bool
    on_top: int
    top: int


@dataclass(frozen=True, eq=False)
class Channel(Result):
    """`numbers` are mean, std, min, max, silent (share of images) over the data; `before` and `after` the likeliest
    classes of the picture as it is and with the channel set to `value`, `left` what the first of `before` keeps; `map`
    (h, w) its response to that picture, `crop`; `edges`, `counts` and `ends` speak of its strongest responses."""

    layer: Layer
    channel: int
    dead: str
    numbers: dict[str, float]
    cuts: Cuts
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    response_range: tuple[float, float]
    classes: Classes
    kernel: Kernel | None
    looks_at_pixels: bool
    crop: NDArray[np.uint8]
    map: NDArray[np.float32]
    value: float
    before: list[tuple[str, float]]
    after: list[tuple[str, float]]
    left: float
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        return self.cuts.columns()

    @property
    def measures(self) -> dict[str, Any]:
        columns = (self.classes.names, self.classes.images, self.classes.means)
        classes = list(zip(*columns, strict=True))
        return {**self.numbers, "dead": self.dead, "classes": classes, "before": self.before, "after": self.after}

    @property
    def summary(self) -> str:
        return self.figure().note


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str, LAYER],
    channel: Annotated[int, CHANNEL],
    image: Annotated[Any, QUERY] = None,
    replace: Annotated[
        str, Choices("mean", "zero", help="what the channel is set to: its mean over the data")
    ] = "mean",
    where: Annotated[str, WHERE] = "",
    *,
    progress: Progress | None = None,
) -> Channel:
    """One channel over the index, and on a picture: any, the number of an indexed one, or by default its best.

    Raises Unknown for a layer that the index has not, BadValue or BadFile for the picture.
    """
    index.summary(layer)
    index = index.among(layer, where, progress or unheard) if where else index
    model = index.model
    known = model.layer(layer)
    numbers = {name: float(values[channel]) for name, values in index.statistics(layer).items()}
    why = dead(index, layer).get(channel, "")
    ranked = {kind: index.top(layer, channel, kind, COUNT) for kind in RANKINGS}
    if not ranked["best"]:
        raise NotSupported("No picture of this index could be read: there is nothing to say of its channels.")
    rows = ((channel, kind, rank, row) for kind in RANKINGS for rank, row in enumerate(ranked[kind], 1))
    picture = _picture(index, [row.image for row in ranked["best"]] if image is None else image)
    value = numbers["mean"] if replace == "mean" else 0.0
    if not math.isfinite(value):
        raise NotSupported(f"Channel {channel} of layer {layer!r} has no mean: it is not a number on every picture.")
    responses, before, after = _ablated(model, picture, layer, channel, value)
    edges, counts = index.histogram(layer, channel)
    own = kernel(model, layer)
    weighted = [one.name for one in model.layers if one.parameters]
    likeliest = int(before.argmax())
    return Channel(
        layer=known,
        channel=channel,
        dead=why,
        numbers=numbers,
        cuts=effective.locate(model, known, cut(index, known, () if why else rows)),
        edges=edges,
        counts=np.asarray(counts, np.int64),
        response_range=(ranked["lowest"][0].score, ranked["best"][0].score),
        classes=_classes(index, layer, channel),
        kernel=None if own is None else Kernel(own.weight[channel], own.bias[channel], own.groups),
        looks_at_pixels=bool(weighted) and weighted[0] == layer,
        crop=picture.crop,
        map=responses,
        value=value,
        before=_likeliest(model, before),
        after=_likeliest(model, after),
        left=float(after[likeliest]),
        facts={"image": picture, "value": value},
    )


def _picture(index: Index, image: Any) -> PreparedPicture:
    """The picture asked for; of several numbers the first that can still be read."""
    if isinstance(image, list):
        for number in image[:-1]:
            try:
                return _picture(index, number)
            except BadFile:
                continue
        image = image[-1]
    return pictured(index, image)


def _ablated(
    model: Model, picture: PreparedPicture, layer: str, channel: int, value: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The channel's map (h, w), and the classes' probabilities with it and without."""
    with model.exclusive() as net:
        scores, held = record(net, picture.batch, [layer])
        with replaced(net, layer, {channel: value}):
            without, _ = record(net, picture.batch, [])
    before, after = (model.chances(s[0].float().cpu()).numpy() for s in (scores, without))
    responses = held[layer][0, channel].float().cpu().numpy()
    return responses.reshape(responses.shape if responses.ndim == 2 else (1, -1)).copy(), before, after


def _likeliest(model: Model, probabilities: NDArray[np.float32]) -> list[tuple[str, float]]:
    order = np.argsort(-probabilities, kind="stable")[:5]
    return [(model.classes[k], float(probabilities[k])) for k in order]


def _classes(index: Index, layer: str, channel: int) -> Classes:
    names, images, means = index.class_means(layer)
    order = np.argsort(-means[:, channel], kind="stable")
    order = order[np.isfinite(means[order, channel])]  # of a class whose pictures it has no number on there is none
    top = max(1, round(SHARE * means.shape[1]))
    better = (means > means[:, channel : channel + 1]).sum(1)
    return Classes(
        names=tuple(names[k] for k in order),
        images=tuple(int(images[k, channel]) for k in order),
        means=tuple(float(means[k, channel]) for k in order),
        predicted=not index.classes,
        on_top=int((better < top).sum()),
        top=top,
    )


@drawn
def render(
    result: Channel, *, opacity: Annotated[float, Range(0, 1, help="of the map on the picture")] = 0.6
) -> Figure:
    """Its best, random and lowest patches; where it responds on the picture and how much over the data, its filter."""
    sheets = [
        row_panel(result.cuts, numbers, 3, f"{kind.capitalize()} patches", factor=printed(result.cuts))
        for kind in ("best", "random", "lowest")
        if (numbers := result.cuts.where(ranking=kind))
    ]
    panels: list[Panel | Chart] = [*sheets, _fires(result, opacity), _bars(result)]
    if result.kernel is not None:
        panels.append(_filter(result.kernel, result.looks_at_pixels))
    mean, std, low, high, silent = (result.numbers[name] for name in ("mean", "std", "min", "max", "silent"))
    name, p = result.before[0]
    other = result.after[0][0]
    turned = "" if other == name else f", so that {other} is likeliest"
    note = f"Dead on these pictures: {result.dead}. " if result.dead else f"{_sight(result)} "
    note += (
        f"Mean {mean:.4g}, std {std:.4g}, from {low:.4g} to {high:.4g}; above 0 in {1 - silent:.0%} of the "
        f"pictures{only(result.facts)}. "
        f"Without it (set to {_value(result)}) {name} goes from {p:.1%} to {result.left:.1%}{turned}. "
        f"{_preference(result.classes)} {SHARED}"
    )
    filled = np.flatnonzero(result.counts)
    shown = slice(int(filled[0]), int(filled[-1]) + 1) if len(filled) else slice(0, 1)
    arrays: dict[str, NDArray[Any]] = {
        "patches": result.cuts.tiles,
        "map": result.map,
        "edges": result.edges[shown.start : shown.stop + 1],
        "counts": result.counts[shown],
    }
    if result.kernel is not None:
        arrays["weight"] = result.kernel.weight
    return Figure(
        title=f"Channel {result.channel} of {result.layer.name}, {result.facts['model']}",
        panels=tuple(panels),
        columns=3,
        facts=result.facts,
        note=note,
        arrays=arrays,
        table=result.table,
        alt=f"Channel {result.channel} of layer {result.layer.name}: patches, responses, filter",
    )


def parts(figure: Figure) -> tuple[Figure, Figure]:
    """Its charts, and its panels besides the patches, where those are shown in another way."""
    charts = tuple(panel for panel in figure.panels if isinstance(panel, Chart))
    panels = tuple(panel for panel in figure.panels if isinstance(panel, Panel) and not panel.names)
    return replace(figure, panels=charts), replace(figure, panels=panels)


def _sight(result: Channel) -> str:
    if "effective_box" not in result.cuts.table:
        return sight(result.layer, result.cuts.size)
    return effective.describe(result.layer, result.cuts)


def _value(result: Channel) -> str:
    return f"its mean, {result.value:.4g}" if result.facts["replace"] == "mean" else "0"


def _preference(classes: Classes) -> str:
    kind = "predicted classes" if classes.predicted else "classes"
    first = ", ".join(f"{name} {mean:.3g}" for name, mean in list(zip(classes.names, classes.means, strict=True))[:3])
    channels = "the strongest channel" if classes.top == 1 else f"among the {classes.top} strongest channels"
    return f"Answers most to {first}; {channels} of its layer for {classes.on_top} of {len(classes.names)} {kind}."


def _fires(result: Channel, opacity: float) -> Panel:
    scale = scale_of(limits_of(result.map), "response")
    placed, covered = upsample(result.map, result.layer, (result.crop.shape[0], result.crop.shape[1]), smooth=False)
    over = overlay(result.crop, colours_of(placed, scale), opacity * covered)
    return Panel(over, "Where it responds", str(result.facts.get("image") or ""), scale)


def _spread(result: Channel) -> tuple[tuple[float, float], NDArray[np.float64]]:
    """The strongest responses' least and greatest, and how many pictures have theirs in equal steps between them: the
    index counts in octaves, so a wide bin is shared out over its steps."""
    filled = np.flatnonzero(result.counts)
    if not len(filled):
        return (0.0, 0.0), np.zeros(1)
    edges = np.clip(result.edges[filled[0] : filled[-1] + 2], *result.response_range)
    below = np.concatenate([[0], np.cumsum(result.counts[filled[0] : filled[-1] + 1])])
    if not edges[0] < edges[-1]:
        return result.response_range, np.array([below[-1]], np.float64)
    return result.response_range, np.diff(np.interp(np.linspace(edges[0], edges[-1], STEPS + 1), edges, below))


def _bars(result: Channel) -> Chart:
    """How many pictures have which strongest response; zero is a red line."""
    (low, high), counts = _spread(result)
    margin = 0.5 * (abs(low) or 1.0) if not low < high else 0.0  # all the same: one bar in the middle
    low, high, top = low - margin, high + margin, float(counts.max()) * 1.05 or 1.0
    edges = np.linspace(low, high, len(counts) + 1)
    lines = [
        Line("", np.array([(left, 0), (right, 0), (right, count), (left, count)]), INK, filled=True)
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    if low < 0 < high:
        lines.append(Line("zero", np.array([(0.0, 0.0), (0.0, top)]), ZERO, dashed=True))
    return Chart(
        tuple(lines),
        (low, high),
        (0.0, top),
        ("strongest response in a picture", "pictures"),
        title="Responses over the data",
        caption=f"{int(result.counts.sum()):,} pictures.",
    )


def _filter(own: Kernel, looks_at_pixels: bool) -> Panel:
    weight = own.weight
    limit = float(np.abs(weight).max())
    if limit == 0:
        limit = 1.0
    bar = Scale("grey", -limit, limit, "weight")
    if looks_at_pixels and weight.ndim == 3 and len(weight) == 3:
        pixels = to_bytes(unit_scale(weight.transpose(1, 2, 0), -limit, limit))
        return Panel(enlarge(pixels, max(1, SIDE // max(pixels.shape[:2]))), "Its filter", _bias(own), bar)
    slices = weight.reshape(len(weight), *(weight.shape[1:] if weight.ndim == 3 else (1, -1)))
    each = "1 slice, for the one channel" if len(slices) == 1 else f"{len(slices)} slices, one for each channel"
    caption = f"{each} it reads. {_bias(own)}"
    if len(slices) > MOST_SLICES:
        strongest = np.argsort(-np.square(slices).sum((1, 2)), kind="stable")[:MOST_SLICES]
        caption = f"The {MOST_SLICES} strongest of {caption}"
        slices = slices[np.sort(strongest)]
    columns = math.ceil(math.sqrt(len(slices) * slices.shape[1] / slices.shape[2]))
    factor = max(1, SIDE // (columns * (slices.shape[2] + 1)))
    gap = GAP if slices.shape[1] > 1 or slices.shape[2] > 1 else 0
    grey = to_bytes(unit_scale(slices, -limit, limit))[..., None].repeat(3, -1)
    grid = Grid(columns, slices.shape[1] * factor, slices.shape[2] * factor, gap)
    return Panel(contact_sheet(grey, columns, gap, factor, GROUND), "Its filter", caption, bar, grid=grid)


def _bias(own: Kernel) -> str:
    return f"Bias {float(own.bias):.3g}."
