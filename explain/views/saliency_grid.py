"""Saliency maps side by side: methods by classes, on one picture or two, of one network or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from ..attribution.target import Target, layer_for, target_within
from ..errors import BadValue, NotSupported
from ..figure import Figure, Panel
from ..network.model import Model
from ..options import Choices
from ..progress import Progress, unheard
from ..trust import CHECKED
from .inputs import MODEL, PICTURE, REGION, TARGET, EntryOptions, Layer, Several
from .parts.picture import PreparedPicture, prepare
from .parts.result import Result, aligned
from .parts.saliency_map import (
    CAVEAT,
    CLIP,
    COLOURS,
    METHOD,
    MODE,
    OPACITY,
    SaliencyMap,
    ask,
    draw,
    make_map,
    scale_for,
)
from .view import drawn, view

__all__ = ["Column", "SaliencyGrid", "compute", "render"]

MOST = 100  # maps: each is computed
IN_A_ROW = 4


class Column(NamedTuple):
    """Of which network and picture the maps below each other are."""

    model: str
    image: str
    covered: bool


class _Asked(NamedTuple):
    """What the maps of a column are asked."""

    model: Model
    picture: PreparedPicture
    target: Target
    layer: str | None
    unit: str | None

    @property
    def column(self) -> Column:
        facts = self.picture.facts
        return Column(self.model.name, facts["image"], "covered" in facts)


@dataclass(frozen=True, eq=False)
class SaliencyGrid(Result):
    """`rows` of maps, one a column, each row by another method; `refused` says why other methods have none."""

    rows: tuple[tuple[SaliencyMap, ...], ...]
    columns: tuple[Column, ...]
    refused: dict[str, str]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a map."""
        every = [(one, column) for row in self.rows for one, column in zip(row, self.columns, strict=True)]
        return {
            "method": [one.method for one, _ in every],
            "model": [column.model for _, column in every],
            "image": [column.image for _, column in every],
            "target": [one.target.name for one, _ in every],
            "score": [one.target.score for one, _ in every],
            "min": [one.range[0] for one, _ in every],
            "max": [one.range[1] for one, _ in every],
        }

    @property
    def summary(self) -> str:
        return "\n".join([aligned(self.table), *(f"{name}: {why}" for name, why in self.refused.items())])


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    methods: Annotated[Sequence[str], Several(METHOD, url="saliency.method", most=MOST)],
    targets: Annotated[Sequence[Any] | None, Several(TARGET, url="target", most=MOST)] = None,
    layer: Annotated[str | None, Layer("for methods that look into one", url="")] = None,
    unit: Annotated[str | None, Layer("explain channels of this layer instead of classes", url="")] = None,
    region: Annotated[Any, REGION] = None,
    second: Annotated[Any, PICTURE] = None,
    second_model: Annotated[Model | None, MODEL] = None,
    progress: Progress = unheard,
    **options: Annotated[Any, EntryOptions(METHOD, of="methods")],
) -> SaliencyGrid:
    """A row a method; a column a target, by default the predicted one. With a second picture, or a second model, each
    target has a column more, about it.

    A class that the second model lacks is its predicted one there, and layers are its own. `region` is what
    `saliency` takes, for every column. A method that refuses one of
    the maps is left out with its reason. Raises NotSupported where all do, BadValue for more than 100 maps.
    """
    if second is not None and second_model is not None:
        raise BadValue("A second picture and a second model were given; maps stand beside those of one of them.")
    count = len(methods) * len(targets or [None]) * (1 if second is None and second_model is None else 2)
    if count > MOST:
        raise BadValue(f"These are {count} maps; at most {MOST} stand side by side.")
    picture = prepare(model, image)
    other = prepare(model, second) if second is not None else None
    theirs = prepare(second_model, image) if second_model is not None else None
    found, columns = [], list[_Asked]()
    for target in targets or [None]:
        within, asked = target_within(model, picture.batch, target, unit, region)
        found.append(asked)
        columns.append(_Asked(within, picture, asked, layer, unit))
        if other is not None:
            within, asked = target_within(model, other.batch, target, unit, region)
            columns.append(_Asked(within, other, asked, layer, unit))
        elif second_model is not None and theirs is not None:
            where = region and REGION.check(region, {"model": second_model})  # its input may have another size
            known = target is not None and not unit and asked.name in second_model.classes
            within, asked = target_within(second_model, theirs.batch, asked.name if known else None, None, where)
            columns.append(_Asked(within, theirs, asked, None, None))
    rows, refused = _rows(methods, columns, options, progress)
    looks = any(CHECKED[method].takes("layer") for method in methods)
    return SaliencyGrid(
        rows=rows,
        columns=tuple(one.column for one in columns),
        refused=refused,
        facts={
            "image": picture,
            "second": other,
            "targets": found if targets else None,  # left open, those of a second picture are its own
            "layer": layer_for(model, layer, unit) if looks else None,
            "explained": [one.target.name for one in columns],
        },
    )


def _rows(
    methods: Sequence[str], columns: Sequence[_Asked], options: dict[str, Any], progress: Progress
) -> tuple[tuple[tuple[SaliencyMap, ...], ...], dict[str, str]]:
    rows, refused, made = [], dict[str, str](), 0

    def within(done: float, total: float, message: str = "") -> None:
        progress(int(100 * (made + done / total) / (len(methods) * len(columns))), 100, message)

    for method in methods:
        own = {key.partition(".")[2]: value for key, value in options.items() if key.partition(".")[0] == method}
        row = []
        for model, picture, target, layer, unit in columns:
            within(0, 1, f"{CHECKED[method].label} for {target.name}")
            try:
                question = ask(model, picture, target, method, own, layer, unit)
                row.append(make_map(question, picture, target, within))
            except NotSupported as error:
                refused[method] = str(error)
            made += 1
        if method not in refused:
            rows.append(tuple(row))
    if not rows:
        raise NotSupported(" ".join(f"{CHECKED[method].label}: {why}" for method, why in refused.items()))
    return tuple(rows), refused


@drawn
def render(
    result: SaliencyGrid,
    *,
    mode: Annotated[str, MODE] = "absolute",
    opacity: Annotated[float, OPACITY] = 0.5,
    clip: Annotated[float, CLIP] = 99.5,
    colours: Annotated[str, COLOURS] = "inferno",
    scale: Annotated[str, Choices("row", "all", help="maps that have one scale")] = "row",
) -> Figure:
    """The maps over their pictures. Methods have units of their own, so a row shares a scale by default."""
    every = [one for row in result.rows for one in row]
    labels = list(dict.fromkeys(one.label for one in every))
    names = list(dict.fromkeys(one.target.name for one in every))
    panels = []
    for row in result.rows:
        shared = scale_for(every if scale == "all" else row, mode, clip, colours)
        for one, column in zip(row, result.columns, strict=True):
            said = "" if len(names) > 1 else f"{one.target.name} "
            empty = "" if one.range[1] > 0 else ", no positive evidence"
            panels.append(
                Panel(
                    draw(one, shared, mode, opacity)[1],
                    _title(result, one, column, labels, names),
                    f"{said}{one.target.confidence_text}{empty}",
                    shared,
                )
            )
    what = labels[0] if len(labels) == 1 else f"{len(labels)} methods"
    whom = names[0] if len(names) == 1 else f"{len(names)} {'channels' if 'unit' in result.facts else 'classes'}"
    left_out = "".join(f" Without {CHECKED[name].label}: {why}" for name, why in result.refused.items())
    alone = len(result.columns) == 1  # a map a method: beside each other
    each = "all" if scale == "all" or len(result.rows) == 1 else "each map" if alone else "each row"
    crops = {id(one.crop): one.crop for one in result.rows[0]}
    return Figure(
        title=f"{what} for {whom}",
        panels=tuple(panels),
        columns=min(len(panels), IN_A_ROW) if alone else len(result.columns),
        facts=result.facts,
        note=f"One scale for {each}. {CAVEAT}{left_out}",
        arrays={f"heat_{k}": one.heat for k, one in enumerate(every)}
        | {"crop" if k == 0 else f"crop_{k}": crop for k, crop in enumerate(crops.values())},
        table=result.table,
        alt=f"Maps by {', '.join(labels)} for {', '.join(names)}",
    )


def _title(result: SaliencyGrid, one: SaliencyMap, column: Column, labels: list[str], names: list[str]) -> str:
    """What tells this map from the others."""
    columns = result.columns
    parts = [one.label] if len(labels) > 1 else []
    parts += [one.target.name] if len(names) > 1 else []
    if len({each.model for each in columns}) > 1:
        parts.append(column.model)
    if len({each.image for each in columns}) > 1:
        parts.append(column.image)
    if len({each.covered for each in columns}) > 1:
        parts.append("covered" if column.covered else "as it is")
    return " · ".join(parts) or one.target.name
