"""Which earlier channels feed a channel, or which later ones it feeds: by their weights, by what taking them away does,
and on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..circuits import Edge, Edges, incoming, named, outgoing, surest, weighted
from ..figure import Chart, Figure, Grid, Line, Panel, Scale
from ..images import colour, contact_sheet, unit_scale
from ..index import Index
from ..network.model import Layer
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import CHANNEL, INDEX, LAYER, QUERY
from .parts.cut import GAP, GROUND, pictured
from .parts.ends import NONE, SIDE, best_tiles, fitted
from .parts.result import SHARED, Result
from .view import drawn, view

__all__ = ["Wiring", "compute", "render", "rows_of"]

OWN = 8
INK, ZERO = (15, 110, 132), (128, 128, 128)
GROUPS = {"excites": "excitatory", "inhibits": "inhibitory", "effect": "little by weight, much by effect"}
CAVEAT = (
    "Weights are those of a copy of the network in which nothing between the two layers bends: activations are passed "
    "as they are, maxima are means. Whether an edge matters on real pictures is what taking the channel away shows: "
    "set to its mean, it is missed in all ways, not in this one alone; directly is with all other channels held."
)


@dataclass(frozen=True, eq=False)
class Wiring(Result):
    """A row of the table is an edge, its other end `layer` and `channel`: `weight` is what the positive or the negative
    entries of its kernel (`kernels`, by row) sum up to, whichever is more, `rank` its place by that; `effect` the mean
    change of the fed channel, with its 95 % interval from `low` to `high`, on the `pictures` that excite it, when the
    one that feeds it is set to its mean: `expected` is what the weights foresee, `direct` what is left where nothing
    works through other channels; `part` what the one gives to the other on the picture.

    tiles (N, h, w, 3): the best patch of each other end; `own` this channel's best ones. `agreement`: Spearman's
    correlation of the sizes of weight and effect over the edges. `response` is the sum of all parts and of `rest` on
    the picture, for what feeds a channel; `silent` its response with all that feeds it at zero.
    """

    layer: Layer
    channel: int
    kernels: tuple[NDArray[np.float32], ...]
    tiles: NDArray[np.uint8]
    own: NDArray[np.uint8]
    table: dict[str, list[Any]]
    layers: tuple[str, ...]
    of: int
    agreement: float | None
    response: float | None
    rest: float | None
    silent: float | None
    facts: dict[str, Any]

    @property
    def measures(self) -> dict[str, Any]:
        return {
            **self.table,
            "agreement": self.agreement,
            "response": self.response,
            "rest": self.rest,
            "silent": self.silent,
        }

    @property
    def disagree(self) -> list[int]:
        """Rows whose effect is surely against what the weights foresee."""
        rows = zip(*(self.table[name] for name in ("expected", "low", "high")), strict=True)
        return [k for k, (one, low, high) in enumerate(rows) if one is not None and (low > 0 > one or high < 0 < one)]

    @property
    def summary(self) -> str:
        return "\n".join(_words(self, row) for row in range(len(self.kernels)))


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str, LAYER],
    channel: Annotated[int, CHANNEL],
    image: Annotated[Any, QUERY] = None,
    direction: Annotated[str, Choices("in", "out", help="what feeds the channel, or what it feeds")] = "in",
    *,
    count: Annotated[int, Range(1, 12, help="edges of each kind")] = 4,
    pictures: Annotated[int, Range(2, 64, help="that excite the fed channel, on which effects are measured")] = 8,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the intervals")] = 0,
    progress: Progress = unheard,
) -> Wiring:
    """Expanded weights (Voss et al. 2021, "Visualizing Weights") between a channel and the nearest convolutions, each
    edge verified by ablation. On a picture: any, the number of an indexed one, or by default its best.

    Raises Unknown for a layer that the network has not, NotSupported for one that nothing feeds, or that feeds nothing.
    """
    model = index.model
    known = model.layer(layer)
    picture = pictured(index, _default(index, layer, channel) if image is None else image)
    find = incoming if direction == "in" else outgoing
    with model.exclusive() as net:
        found = find(
            index,
            net,
            known.name,
            channel,
            picture.batch,
            count=count,
            pictures=pictures,
            seed=seed,
            progress=progress,
        )
    whole = found.whole
    return Wiring(
        layer=known,
        channel=channel,
        kernels=tuple(one.kernel for one in found.edges),
        tiles=np.concatenate([NONE, *(best_tiles(index, one.layer, one.channel, 1) for one in found.edges)]),
        own=best_tiles(index, known.name, channel, OWN),
        table=_table(index, found),
        layers=found.layers,
        of=found.of,
        agreement=_agreement(found.edges),
        response=None if whole is None else whole.response,
        rest=None if whole is None else whole.rest,
        silent=None if whole is None else whole.silent,
        facts={"image": picture},
    )


def _default(index: Index, layer: str, channel: int) -> Any:
    known = weighted(index.model, layer, index.layers)
    if known is None:
        best = surest(index, layer, channel, 1)
    else:
        best = [row.image for row in index.top(known, channel, "best", 1)]
    return best[0] if best else 0  # of a channel that is no number on any picture there is no best


def _table(index: Index, found: Edges) -> dict[str, list[Any]]:
    edges = found.edges
    sizes = [-1.0 if one.effect is None else abs(one.effect.value) for one in edges]
    return {
        "layer": [one.layer for one in edges],
        "channel": [one.channel for one in edges],
        "name": [named(index.model, one.layer, one.channel) for one in edges],
        "group": ["effect" if e.chosen_by == "effect" else "excites" if e.weight > 0 else "inhibits" for e in edges],
        "weight": [one.weight for one in edges],
        "rank": [one.rank for one in edges],
        "expected": [one.expected for one in edges],
        "direct": [None if one.effect is None else one.effect.direct for one in edges],
        "effect": [None if one.effect is None else one.effect.value for one in edges],
        "low": [None if one.effect is None else one.effect.low for one in edges],
        "high": [None if one.effect is None else one.effect.high for one in edges],
        "rank_by_effect": [None if s < 0 else 1 + sum(other > s for other in sizes) for s in sizes],
        "pictures": [one.pictures for one in edges],
        "part": [one.part for one in edges],
    }


def _agreement(edges: Sequence[Edge]) -> float | None:
    """Spearman's, of how large weights are and what is changed without them."""
    from scipy.stats import spearmanr

    known = [(abs(one.weight), abs(one.effect.value)) for one in edges if one.effect is not None]
    if len(known) < 3 or any(len(set(values)) < 2 for values in zip(*known, strict=True)):
        return None
    return float(spearmanr(*zip(*known, strict=True)).statistic)


@drawn
def render(
    result: Wiring,
    *,
    factor: Annotated[int, Range(1, 4, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """The channel's best patch; exciting, then inhibiting edges, each with its kernel above the other end's best patch;
    weights against effects."""
    limit = max((float(np.abs(one).max()) for one in result.kernels), default=0.0) or 1.0
    scale = Scale("red-blue", -limit, limit, "weight")
    own = _row(result.own, [""] * len(result.own), f"Channel {result.channel}", "Its best patches.", None, factor)
    sheets = [_sheet(result, rows, scale, factor) for rows in rows_of(result)]
    panels: list[Panel | Chart] = [own, *sheets]
    if any(one is not None for one in result.table["effect"]):
        panels.append(_against(result))
    into = result.facts["direction"] == "in"
    said = f"What feeds channel {result.channel} of {result.layer.name}"
    if not into:
        said = f"What channel {result.channel} of {result.layer.name} feeds"
    return Figure(
        title=f"{said}, {result.facts['model']}",
        panels=tuple(panels),
        columns=2,
        facts=result.facts,
        note=" ".join(said for said in (_sum(result), _verdict(result), CAVEAT, SHARED) if said),
        arrays={"tiles": result.tiles, **{f"kernel_{k}": one for k, one in enumerate(result.kernels)}},
        table=result.table,
        alt=f"{said}: kernels with the best patch of each, and weights against measured effects",
    )


def rows_of(result: Wiring) -> list[list[int]]:
    """The rows of the table of each sheet: exciting, inhibiting ones, and what only its effect chose."""
    kinds = result.table["group"]
    found = ([k for k, one in enumerate(kinds) if one == group] for group in GROUPS)
    return [rows for rows in found if rows]


def _sheet(result: Wiring, rows: Sequence[int], scale: Scale, factor: int) -> Panel:
    kernels = [fitted(colour(unit_scale(result.kernels[k], scale.low, scale.high), scale.cmap)) for k in rows]
    tiles = np.concatenate([np.stack(kernels), result.tiles[list(rows)]])
    effects = [result.table["effect"][k] for k in rows]
    names = [
        *(_short(result, k) for k in rows),
        *(
            f"{result.table['weight'][k]:+.2g}" + ("" if e is None else f" | {e:+.2g}")
            for k, e in zip(rows, effects, strict=True)
        ),
    ]
    title = GROUPS[result.table["group"][rows[0]]]
    ends = [result.table["name"][k] for k in rows]
    caption = f"{', '.join(ends)}." if len(result.layers) > 1 else f"Of {result.layers[0]}."
    caption += " Below: weight | change without it."
    return _row(tiles, names, title.capitalize(), caption, scale, factor, len(rows))


def _row(
    tiles: NDArray[np.uint8],
    names: Sequence[str],
    title: str,
    caption: str,
    scale: Scale | None,
    factor: int,
    columns: int = 4,
) -> Panel:
    grid = Grid(columns, SIDE * factor, SIDE * factor, GAP)
    return Panel(contact_sheet(tiles, columns, GAP, factor, GROUND), title, caption, scale, tuple(names), grid)


def _short(result: Wiring, row: int) -> str:
    """Under a tile: the layer is said in the caption."""
    name, channel = result.table["name"][row], result.table["channel"][row]
    return str(channel) if name == f"{result.table['layer'][row]} {channel}" else str(name)


def _words(result: Wiring, row: int) -> str:
    value = {name: column[row] for name, column in result.table.items()}
    said = f"{value['name']}: weight {value['weight']:+.3g} (rank {value['rank']} of {result.of:,})"
    if value["effect"] is not None:
        said += f", without it {value['effect']:+.3g} [{value['low']:+.3g}, {value['high']:+.3g}], "
        said += f"of which direct {value['direct']:+.3g}, foreseen {value['expected']:+.3g}"
    return f"{said}; here {value['part']:+.3g}."


def _against(result: Wiring) -> Chart:
    """A dot an edge, with the interval of its effect; on the dashed line weights foresee all of it."""
    rows = [k for k, one in enumerate(result.table["effect"]) if one is not None]
    expected, effect, low, high = (
        np.array([result.table[name][k] for k in rows], np.float64) for name in ("expected", "effect", "low", "high")
    )
    x, y = _around(expected), _around(np.concatenate([low, high]))
    ends = max(x[0], y[0]), min(x[1], y[1])
    lines = [
        Line("", np.array([(x[0], 0), (x[1], 0)]), ZERO, width=0.6),
        Line("", np.array([(0, y[0]), (0, y[1])]), ZERO, width=0.6),
        Line("as foreseen", np.stack([ends, ends], 1), ZERO, dashed=True, width=0.8),
        *(Line("", np.array([(w, a), (w, b)]), INK, width=0.8) for w, a, b in zip(expected, low, high, strict=True)),
        *(Line("measured", np.array([point]), INK, dots=True) for point in zip(expected, effect, strict=True)),
    ]
    labels = tuple((w, e, _short(result, k)) for w, e, k in zip(expected, effect, rows, strict=True))
    pictures = sorted({result.table["pictures"][k] for k in rows})
    return Chart(
        tuple(lines),
        x,
        y,
        ("change that the weights foresee", "change without it"),
        title="Foreseen and measured",
        caption=f"On {' to '.join(map(str, dict.fromkeys((pictures[0], pictures[-1]))))} pictures that excite the fed "
        "channel; lines are 95 % intervals.",
        labels=labels,
    )


def _around(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    margin = 0.08 * ((high - low) or 1.0)
    return low - margin, high + margin


def _verdict(result: Wiring) -> str:
    effects = result.table["effect"]
    unknown = sum(one is None for one in effects)
    said = ""
    if unknown:
        said = f"Of {unknown} of {len(effects)} edges no effect was measured: the index has no two pictures that "
        said += "excite the fed channel."
    if result.agreement is None:
        return said
    said += f" How large weights are and what is changed without them: Spearman's correlation {result.agreement:.2f}."
    against = result.disagree
    if against:
        names = ", ".join(str(result.table["name"][k]) for k in against)
        said += f" Taking away does the opposite of what the weights foresee: {names}."
    first = result.table["rank_by_effect"].index(1)
    strongest = min(range(len(result.kernels)), key=lambda k: result.table["rank"][k])
    if first != strongest:
        said += f" Most by effect is {result.table['name'][first]}, most by weight {result.table['name'][strongest]}."
    return said.strip()


def _sum(result: Wiring) -> str:
    """How the parts add up on the picture."""
    if result.response is None or result.rest is None or result.silent is None:
        return ""
    parts = result.response - result.rest
    said = (
        f"On this picture its strongest unit gives {result.response:.3g}: {parts:.3g} from the {result.of:,} channels "
        f"of {', '.join(result.layers)}, {0.0 if abs(result.rest) < 1e-5 * abs(parts) else result.rest:.3g} from biases"
    )
    if abs(result.rest - result.silent) > 1e-3 * max(abs(result.response), abs(result.rest), 1e-6):
        said += f" and from what bends between (with all of them at zero it gives {result.silent:.3g})"
    return f"{said}."
