"""Which channels of a layer are relevant for a class, beside those that are active on its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution.composites import COMPOSITES
from ..attribution.target import Target, target_of
from ..errors import BadValue, enumerate_some
from ..figure import Chart, Figure, Grid, Line, Panel, bars
from ..images import contact_sheet, overlay
from ..index import Index, Row
from ..network.model import Layer
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX, LAYER, QUERY, TARGET
from .parts.cut import GAP, GROUND, Cuts, blank, cut, pictured, sight
from .parts.ends import SIDE, fitted
from .parts.maps import colours_of, limits_of, scale_of
from .parts.relevance import OnPictures, on_picture, on_pictures
from .parts.result import SHARED, Result
from .view import drawn, view

__all__ = ["RelevantPatches", "compute", "render"]

COLUMNS = 2  # of maps on the picture
FEW = 8
INK, ACTIVE, REST = (178, 24, 43), (33, 102, 172), (150, 150, 150)
CAVEAT = (
    "Relevance is a share of the score by LRP's rules, not an effect: what the score loses without the channel may be "
    "another, and other rules give other numbers. The surest pictures of a class are not its typical ones."
)


@dataclass(frozen=True, eq=False)
class RelevantPatches(Result):
    """A row of the table is a channel. `relevance`: what it gets of a picture's relevance at the layer, summed over its
    positions, as a share of the sizes of all channels' sums, averaged over the class's pictures; `activation`: the mean
    of its maximum on the same pictures. Ranks begin at 1.

    `shown` are the `count` most relevant channels, then those of the most active that are not among them. `cuts` has
    their patches, ranked by "relevance" among the class's pictures and by "activation" among all of the index.
    `agreement`: Spearman's correlation of relevance and activation over the channels, None where one is constant.
    On a picture, `maps` (K, H, W) is the relevance of its pixels by each of `own` channels alone, `shares` theirs of
    the layer's, and `crop` what the network saw.
    """

    layer: Layer
    target: Target
    table: dict[str, list[Any]]
    shown: tuple[int, ...]
    count: int
    cuts: Cuts
    images: tuple[int, ...]
    agreement: float | None
    maps: NDArray[np.float32]
    own: tuple[int, ...]
    shares: tuple[float, ...]
    crop: NDArray[np.uint8] | None
    facts: dict[str, Any]

    @property
    def relevant_only(self) -> list[int]:
        """Channels among the `count` most relevant that are not among as many most active."""
        return _first(self.table, "relevance_rank", "activation_rank", self.count)

    @property
    def active_only(self) -> list[int]:
        """The other way round."""
        return _first(self.table, "activation_rank", "relevance_rank", self.count)

    @property
    def measures(self) -> dict[str, Any]:
        found = {"agreement": self.agreement, "relevant_only": self.relevant_only, "active_only": self.active_only}
        return {**self.table, **found, "own": list(self.own), "shares": list(self.shares)}

    @property
    def summary(self) -> str:
        rows = [{name: values[channel] for name, values in self.table.items()} for channel in self.shown]
        return "\n".join(
            f"channel {row['channel']:5d}  relevance {row['relevance']:+7.2%} (rank {row['relevance_rank']})  "
            f"activation {row['activation']:.4g} (rank {row['activation_rank']})"
            for row in rows
        )


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str, LAYER],
    target: Annotated[int | str | None, TARGET] = None,
    image: Annotated[Any, QUERY] = None,
    *,
    count: Annotated[int, Range(1, 12, help="channels of each kind")] = 4,
    patches: Annotated[int, Range(1, 12, help="of each channel")] = 4,
    pictures: Annotated[int, Range(1, 512, help="that the network takes for the class, surest first")] = 32,
    composite: Annotated[str, Choices(*COMPOSITES, help="LRP's rule at convolutions")] = "epsilon_plus",
    progress: Progress = unheard,
) -> RelevantPatches:
    """Concept-conditional relevance (Achtibat et al. 2023): channels and patches by their share of a class's score.

    The class is by default the picture's likeliest, or without one that which the network sees most in the index.
    Raises Unknown for a layer that the index has not, BadValue for a class that it sees in no picture of the index,
    NotSupported for a network that LRP has no rules for.
    """
    index.summary(layer)
    model, known = index.model, index.model.layer(layer)
    picture = None if image is None else pictured(index, image)
    asked = None if picture is None else target_of(model, picture.batch, target)
    number = asked.number if asked is not None else _class(index, target)
    found = on_pictures(index, known.name, _surest(index, number, pictures), number, composite, progress)
    own = None if picture is None else on_picture(model, known.name, picture.batch, number, count, composite)
    table = _table(found)
    relevant, active = (np.argsort(table[name])[:count].tolist() for name in ("relevance_rank", "activation_rank"))
    shown = tuple(dict.fromkeys([*relevant, *active]))
    if asked is None:
        sure = float(np.mean(index.probabilities[list(found.images), 0]))
        asked = Target(number, model.classes[number], sure, sure)
    return RelevantPatches(
        layer=known,
        target=asked,
        table=table,
        shown=shown,
        count=count,
        cuts=cut(index, known, _ranked(index, known, found, shown, patches)),
        images=found.images,
        agreement=_agreement(table),
        maps=np.zeros((0, *model.preprocess.size), np.float32) if own is None else own.maps,
        own=() if own is None else own.channels,
        shares=() if own is None else own.shares,
        crop=None if picture is None else picture.crop,
        facts={
            "target": asked,
            "looked_at": len(found.images),
            "score": float(found.scores.mean()),
            "arrived": float(found.arrived.mean()),
            **({} if picture is None else {"image": picture}),
        },
    )


def _class(index: Index, target: int | str | None) -> int:
    seen = index.predictions[:, 0]
    if target is not None and target != "":
        return index.model.target(target, None)
    if not (seen >= 0).any():
        raise BadValue("The network gives no answer to any picture of this index; name a class.")
    return int(np.bincount(seen[seen >= 0]).argmax())


def _surest(index: Index, number: int, most: int) -> list[int]:
    """Pictures whose likeliest class it is, the likeliest first."""
    seen = index.predictions[:, 0]
    among = np.flatnonzero(seen == number)
    if not len(among):
        names = [index.model.classes[k] for k in np.unique(seen[seen >= 0]).tolist()]
        raise BadValue(
            f"The network sees {index.model.classes[number]!r} in no picture of this index; what it sees is "
            f"{enumerate_some(names) or 'nothing'}."
        )
    order = np.argsort(-index.probabilities[among, 0], kind="stable")[:most]
    return [int(k) for k in among[order]]


def _table(found: OnPictures) -> dict[str, list[Any]]:
    relevance, activation = found.shares.mean(0), found.peaks.mean(0)
    return {
        "channel": list(range(len(relevance))),
        "relevance": relevance.tolist(),
        "relevance_rank": _ranks(relevance),
        "activation": activation.tolist(),
        "activation_rank": _ranks(activation),
    }


def _ranks(values: NDArray[np.float64]) -> list[int]:
    """From 1, the largest first; of equal ones the smaller channel."""
    ranks = np.empty(len(values), int)
    ranks[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return [int(k) for k in ranks]


def _first(table: dict[str, list[Any]], one: str, other: str, count: int) -> list[int]:
    rows = sorted(zip(table[one], table[other], table["channel"], strict=True))[:count]
    return [channel for _, rank, channel in rows if rank > count]


def _agreement(table: dict[str, list[Any]]) -> float | None:
    from scipy.stats import spearmanr

    if len(set(table["relevance"])) < 2 or len(set(table["activation"])) < 2:
        return None
    return float(spearmanr(table["relevance"], table["activation"]).statistic)


def _ranked(
    index: Index, layer: Layer, found: OnPictures, channels: Sequence[int], count: int
) -> list[tuple[int, str, int, Row]]:
    """Each channel's patches by relevance, where it has any, then by activation, as `cut` takes them."""
    rows: list[tuple[int, str, int, Row]] = []
    for channel in channels:
        shares = found.shares[:, channel]
        order = [int(k) for k in np.argsort(-shares, kind="stable")[:count] if shares[k] > 0]
        for rank, k in enumerate(order, 1):
            place = int(found.rows[k, channel]), int(found.columns[k, channel])
            box = layer.field.box(*place, channel=channel) if layer.field is not None and layer.spatial else None
            image, score = found.images[k], float(shares[k])
            row = Row(image, score, place, box, index.label(image), index.prediction(image), index)
            rows.append((channel, "relevance", rank, row))
        best = index.top(layer.name, channel, "best", count)
        rows += [(channel, "activation", rank, row) for rank, row in enumerate(best, 1)]
    return rows


@drawn
def render(
    result: RelevantPatches,
    *,
    opacity: Annotated[float, Range(0, 1, help="of the maps over the picture")] = 0.7,
    factor: Annotated[int, Range(1, 4, help="whole-number enlargement of the patches")] = 1,
) -> Figure:
    """All channels by relevance and activation; the maps of those most relevant on the picture; then a row a channel,
    its patches by relevance beside those by activation."""
    name, table = result.target.name, result.table
    top = {
        f"channel {k}": 100 * table["relevance"][k] for k in result.shown if table["relevance_rank"][k] <= result.count
    }
    panels: list[Panel | Chart] = [_scatter(result), bars("Most relevant", top, "% of relevance", colour=INK)]
    if result.crop is not None:
        panels += _pictured(result, result.crop, opacity)
    for channel in result.shown:
        panels += [_patches(result, channel, ranking, factor) for ranking in ("relevance", "activation")]
    return Figure(
        title=f"Relevant for {name} at {result.layer.name}, {result.facts['model']}",
        panels=tuple(panels),
        columns=2,
        facts=result.facts,
        note=f"{_sentence(result)} {sight(result.layer, result.cuts.size)} {CAVEAT} {SHARED}",
        arrays={"patches": result.cuts.tiles, "maps": result.maps},
        table=table,
        alt=f"Channels of {result.layer.name} by relevance for {name} and by activation, with patches of each",
    )


def _scatter(result: RelevantPatches) -> Chart:
    table = result.table
    points = np.stack([np.array(table["activation"]), 100 * np.array(table["relevance"])], 1)
    relevant, active = (
        [k for k in result.shown if table[name][k] <= result.count] for name in ("relevance_rank", "activation_rank")
    )
    rest = [k for k in table["channel"] if k not in result.shown]
    lines = [
        Line(name, points[rows], colour, dots=True, width=0.0, size=size)
        for name, rows, colour, size in (
            ("other channels", rest, REST, 3.0),
            (f"{result.count} most active", active, ACTIVE, 6.0),
            (f"{result.count} most relevant", relevant, INK, 4.0),
        )
        if rows
    ]
    agreement = "none, as one is constant" if result.agreement is None else f"{result.agreement:.2f}"
    return Chart(
        tuple(lines),
        _wide(points[:, 0]),
        _wide(points[:, 1]),
        ("activation: its maximum, mean of the pictures", "relevance, % of the layer's"),
        title="Relevance and activation of every channel",
        caption=f"Correlation of their ranks (Spearman): {agreement}.",
        labels=tuple((float(points[k, 0]), float(points[k, 1]), str(k)) for k in result.shown),
    )


def _wide(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _pictured(result: RelevantPatches, crop: NDArray[np.uint8], opacity: float) -> list[Panel]:
    scale = scale_of(limits_of(result.maps), "relevance of a pixel, raw units")
    tiles = np.stack([overlay(crop, colours_of(one, scale), opacity) for one in result.maps])
    names = tuple(f"channel {k}: {share:+.1%}" for k, share in zip(result.own, result.shares, strict=True))
    columns = min(COLUMNS, len(tiles))
    grid = Grid(columns, crop.shape[0], crop.shape[1], GAP)
    caption = "Of the score, only what comes by this channel. Below each: its share of the layer's relevance."
    return [
        Panel(crop, f"{result.target.name}, {result.target.confidence_text}", str(result.facts.get("image") or "")),
        Panel(contact_sheet(tiles, columns, GAP, 1, GROUND), "By its channels", caption, scale, names, grid),
    ]


def _patches(result: RelevantPatches, channel: int, ranking: str, factor: int) -> Panel:
    numbers, table = result.cuts.where(channel=channel, ranking=ranking), result.table
    if ranking == "relevance":
        title = f"Channel {channel} by relevance, of rank {table['relevance_rank'][channel]}"
        caption = f"On pictures seen as {result.target.name}; below, its share of relevance."
    else:
        title = f"Channel {channel} by activation, of rank {table['activation_rank'][channel]}"
        caption = "On all pictures of the index; below, its strongest response."
    tiles = [fitted(tile) for tile in result.cuts.drawn(numbers)]
    scores = [result.cuts.table["score"][k] for k in numbers]
    names = tuple(f"{one:.1%}" if ranking == "relevance" else f"{one:.3g}" for one in scores)
    if not tiles:
        tiles, names, caption = [blank(SIDE, SIDE)], ("none",), "Nowhere is anything of it relevant for the class."
    columns = result.facts["patches"]
    sheet = contact_sheet(np.stack(tiles), columns, GAP, factor, GROUND)
    return Panel(sheet, title, caption, names=names, grid=Grid(columns, SIDE * factor, SIDE * factor, GAP))


def _sentence(result: RelevantPatches) -> str:
    """Which pictures were looked at, and what the two orders disagree about."""
    count, what = result.facts["looked_at"], f"of {result.facts['data']} seen as {result.target.name}"
    said = [f"Over {count:,} pictures {what}, the surest first."]
    if count < FEW:
        many = "One picture" if count == 1 else f"{count} pictures"
        said = [f"{many} {what}: so few say little of the class."]
    for channels, words in (
        (result.relevant_only, "most relevant and not among the most active"),
        (result.active_only, "most active and not among the most relevant"),
    ):
        if channels:
            said.append(f"Of {result.count}, {words}: {', '.join(map(str, channels))}.")
    if not result.relevant_only:
        said.append(f"The {result.count} most relevant channels are the most active.")
    score, arrived = result.facts["score"], result.facts["arrived"]
    said.append(
        f"Of a mean score of {score:.3g}, {arrived:.3g} arrives at the layer by LRP's rules; biases, damping and what "
        "goes past the layer make the difference. Shares are of what arrives."
    )
    return " ".join(said)
