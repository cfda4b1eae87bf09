"""What the pictures of a class share at a layer: concepts with their pictures, what each is worth, and how far to
believe it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..attribution.target import Target
from ..concept_extraction import Crop, Found, find, own, pictures_of, strongest
from ..concept_extraction.curves import Curves
from ..errors import BadValue, enumerate_some
from ..figure import Figure, Panel
from ..index import Index
from ..index.references import file_name
from ..network.model import Layer
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX, QUERY, WHERE, TargetInput
from .inputs import Layer as LayerInput
from .parts.concept_charts import curves_chart, curves_said, importance_chart
from .parts.cut import pictured
from .parts.lit import crop_tile, lit, mask_on, row_of, tile
from .parts.result import Result, only
from .view import drawn, view

__all__ = ["Concepts", "OfPicture", "compute", "render"]

LAYER = LayerInput("with maps and nothing below zero; by default the last such", url="")
TARGET = TargetInput("only pictures predicted as this class, by number or name; by default all", url="")
MOST = 12  # crops kept of each
_last: WeakKeyDictionary[Index, tuple[Any, tuple[Found, list[list[Crop]]]]] = WeakKeyDictionary()
"""What was found last in an index: another picture asks which of the same concepts it has."""
Drawing = Callable[..., NDArray[np.uint8]]
CAVEAT = (
    "Crops are lit where the concept is, the line around half of its most. A concept is a direction that the "
    "factorisation found, not a word: what it is of is for you to see. Importance is that of what the concepts hold of "
    "this layer; what none holds stays as it is."
)


@dataclass(frozen=True, eq=False)
class OfPicture:
    """Which concepts a picture has: `tile` and `masks` (k, h, w) as those of crops; `score` of the class `name`."""

    tile: NDArray[np.uint8]
    masks: NDArray[np.float32]
    name: str
    score: float


@dataclass(frozen=True, eq=False)
class Concepts(Result):
    """k concepts of n pictures at a layer of C channels, the most important first.

    `directions` (k, C) of length 1; `coefficients` (n, k) of the pictures `numbers` of the index, averages of `maps`
    (n, k, h, w); `crop_coefficients` (M, k). `tiles` and `masks`, within 0 to 1, are of each concept's strongest crops,
    whose `rows` say which picture each is of. `held`: of the sum of squares of the layer's values, the share that the
    concepts hold in the crops, and in the pictures.

    In the table `importance` is the total Sobol index, `effect` what the score loses without the concept, `pictures`
    the share that has it: where it is half as strong as anywhere; `stability` the mean cosine with what is found anew,
    `control` the greatest such number where channels are shuffled, so that nothing goes together.
    """

    layer: Layer
    numbers: tuple[int, ...]
    directions: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    crop_coefficients: NDArray[np.float32]
    maps: NDArray[np.float32]
    tiles: tuple[NDArray[np.uint8], ...]
    masks: tuple[NDArray[np.float32], ...]
    rows: dict[str, list[Any]]
    table: dict[str, list[Any]]
    curves: Curves
    score: float
    without: float
    held: tuple[float, float]
    of_picture: OfPicture | None
    facts: dict[str, Any]

    @property
    def measures(self) -> dict[str, Any]:
        own = {"picture_class": self.of_picture.name, "picture_score": self.of_picture.score} if self.of_picture else {}
        held = {"held_in_crops": self.held[0], "held_in_pictures": self.held[1]}
        whole = {"score": self.score, "score_without": self.without}
        return {"concepts": self.table, "crops": self.rows, "areas": self.curves.areas, **held, **whole, **own}

    def sentence(self) -> str:
        """What they are, how much of the layer and of the score they hold, and what the curves say."""
        said = f"{len(self.directions)} concepts of {len(self.numbers):,} pictures at {self.layer.name}, the most "
        said += f"important first. They hold {self.held[0]:.0%} of what the layer gives for crops, by its squares, and "
        said += f"{self.held[1]:.0%} of what it gives for the pictures, place by place; without all of them the mean "
        said += f"score goes from {self.score:.3g} to {self.without:.3g}. "
        return said + curves_said(self.curves)

    @property
    def summary(self) -> str:
        lines = [self.sentence(), *(f"{k + 1}: {_words(self, k)}" for k in range(len(self.directions)))]
        return "\n".join([*lines, *([_picture_said(self)] if self.of_picture else [])])


@view
def compute(
    index: Annotated[Index, INDEX],
    layer: Annotated[str | None, LAYER] = None,
    target: Annotated[int | str | None, TARGET] = None,
    image: Annotated[Any, QUERY] = None,
    where: Annotated[str, WHERE] = "",
    *,
    count: Annotated[int, Range(1, 30, help="concepts")] = 8,
    pictures: Annotated[int, Range(4, 400, help="looked at, at most; evenly spread over those meant")] = 48,
    window: Annotated[float, Range(0.1, 1, help="of crops: their sides, as a share of the picture's")] = 0.5,
    masks: Annotated[int, Choices(16, 32, 64, 128, 256, help="designs of a picture for the Sobol indices")] = 32,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of chance")] = 0,
    progress: Progress = unheard,
) -> Concepts:
    """What pictures share at a layer, by non-negative factorisation of its activations on their crops (CRAFT: Fel et
    al. 2023), each concept with its importance to the score of the predicted class.

    target: only pictures that are predicted as this class; without it each picture's score is that of its own class.
    layer: by default the last with maps and nothing below zero. image: a picture whose concepts are told too. Raises
    NotSupported for a layer with values below zero, BadValue for fewer than four pictures, Unknown for a class.
    """
    model = index.model
    number = None if target is None else model.target(target, None)
    meant = tuple(_meant(index, number, where))
    asked = meant, layer, pictures, count, window, masks, seed
    known, made = _last.get(index, (None, None))
    if made is None or known != asked:
        looked_at = pictures_of(index, meant, pictures)
        whole = find(model, looked_at, layer, count, window, masks, seed, progress)
        crops = strongest(model, whole, MOST)
        made = replace(whole, pictures=looked_at.without_inputs()), crops
        _last[index] = asked, made
    found, crops = made
    sizes = np.array([max([float(one.map.max()) for one in some], default=0.0) or 1.0 for some in crops])
    shown = [[crop_tile(found.pictures.shown[one.row], one.box) for one in some] for some in crops]
    size = found.pictures.shown.shape[1:3]
    masks_of = [[mask_on(one.map / most, found.layer, size) for one in some]
                for some, most in zip(crops, sizes, strict=True)]  # fmt: skip
    table = _table(found)
    facts: dict[str, Any] = {"layer": found.layer.name}
    of_picture = None
    if number is not None:
        facts["target"] = Target(number, model.classes[number], float(found.scores.mean()), None)
    if image is not None:
        facts["image"] = picture = pictured(index, image)
        mine = own(model, found, picture.batch, number)
        table |= {"in_picture": mine.maps.mean((1, 2)).tolist(), "effect_on_picture": mine.losses.tolist()}
        scaled = mine.maps / sizes[:, None, None]
        spots = [mask_on(one, found.layer, picture.crop.shape[:2]) for one in scaled]
        of_picture = OfPicture(tile(picture.crop), np.array(spots), model.classes[mine.target], mine.score)
    return Concepts(
        layer=found.layer,
        numbers=found.pictures.numbers,
        directions=found.factors.directions.astype(np.float32),
        coefficients=found.coefficients,
        crop_coefficients=found.factors.coefficients.astype(np.float32),
        maps=found.maps,
        tiles=tuple(np.array(some) for some in shown),
        masks=tuple(np.array(some) for some in masks_of),
        rows=_rows(index, crops),
        table=table,
        curves=found.curves,
        score=float(found.scores.mean()),
        without=float(found.without.mean()),
        held=(1 - found.missed[0], 1 - found.missed[1]),
        of_picture=of_picture,
        facts=facts,
    )


def _meant(index: Index, target: int | None, where: str) -> list[int]:
    """The numbers of the pictures asked about. Raises BadValue for a class that none of them is predicted as."""
    said = index.predictions[:, 0]
    numbers = [k for k in (index.rows_where(where) if where else range(len(index))) if said[k] >= 0]
    if target is None:
        return numbers
    mine = [k for k in numbers if said[k] == target]
    if not mine:
        classes, counts = np.unique(said[numbers], return_counts=True)
        often = [index.model.classes[k] for k in classes[np.argsort(-counts, kind="stable")]]
        raise BadValue(
            f"None of these pictures is predicted as {index.model.classes[target]!r}; they are predicted as "
            f"{enumerate_some(often) or 'nothing'}."
        )
    return mine


def _table(found: Found) -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = {"concept": list(range(1, len(found) + 1))}
    for name, means in (("importance", found.importance), ("effect", found.effects)):
        for end in ("value", "low", "high"):
            table[name if end == "value" else f"{name}_{end}"] = [getattr(one, end) for one in means]
    return {
        **table,
        "pictures": found.present.mean(0).tolist(),
        "stability": found.stability.values.tolist(),
        "control": [found.stability.control] * len(found),
        "stable": found.stability.stable.tolist(),
    }


def _rows(index: Index, crops: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """One row a crop."""
    every = [(concept, rank, one) for concept, some in enumerate(crops, 1) for rank, one in enumerate(some, 1)]
    return {
        "concept": [concept for concept, _, _ in every],
        "rank": [rank for _, rank, _ in every],
        "image": [one.number for _, _, one in every],
        "file": [file_name(index, index.images.files[one.number]) for _, _, one in every],
        "label": [index.label(one.number) for _, _, one in every],
        "prediction": [index.prediction(one.number) for _, _, one in every],
        **{edge: [one.box[n] for _, _, one in every] for n, edge in enumerate(("y0", "x0", "y1", "x1"))},
        "coefficient": [one.coefficient for _, _, one in every],
    }


@drawn
def render(
    result: Concepts,
    *,
    shown: Annotated[int, Range(1, 12, help="crops of each concept")] = 5,
    opacity: Annotated[float, Range(0, 1, help="of what covers the places where the concept is not")] = 0.75,
    factor: Annotated[int, Range(1, 16, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """Each concept's strongest crops, lit where it is; the importance of each, and the score as concepts are taken away
    or put in; where a picture is asked about, where it has each."""
    of = f" of {result.facts['target']!r}" if result.facts.get("target") else ""
    title = f"Concepts{of} at {result.layer.name}, {result.facts['model']}"
    title += f", on {result.facts['data']}{only(result.facts)}"
    drawing = partial(lit, opacity=opacity, factor=factor)
    panels = [_crops(result, k, shown, drawing) for k in range(len(result.directions)) if len(result.tiles[k])]
    own_panel = (_own(result, shown, drawing),) if result.of_picture else ()
    return Figure(
        title=title,
        panels=(*panels, importance_chart(result.table), curves_chart(result.curves), *own_panel),
        columns=2,
        facts=result.facts,
        note=f"{result.sentence()} {CAVEAT}",
        arrays={
            "directions": result.directions,
            "coefficients": result.coefficients,
            "crop_coefficients": result.crop_coefficients,
            "maps": result.maps,
        },
        table=result.table,
        alt=f"{len(panels)} concepts, each with its strongest crops, lit where the concept is",
    )


def _crops(result: Concepts, k: int, shown: int, drawing: Drawing) -> Panel:
    both = zip(result.tiles[k][:shown], result.masks[k][:shown], strict=True)
    image, grid = row_of([drawing(tile, mask) for tile, mask in both], shown)
    rows = [row for row, concept in enumerate(result.rows["concept"]) if concept == k + 1][:shown]
    names = tuple(_named(result.rows["label"][row], result.rows["prediction"][row]) for row in rows)
    return Panel(image, f"Concept {k + 1}", _words(result, k), names=names, grid=grid)


def _named(label: str | None, prediction: str | None) -> str:
    return str(prediction) if label in (None, prediction) else f"{label} as {prediction}"


def _own(result: Concepts, shown: int, drawing: Drawing) -> Panel:
    mine = result.of_picture
    assert mine is not None
    plain = drawing(mine.tile, np.ones_like(mine.masks[0]), opacity=0.0)
    names = ("the picture", *(f"{k}: {value:+.2f}" for k, value in enumerate(result.table["effect_on_picture"], 1)))
    image, grid = row_of([plain, *(drawing(mine.tile, mask) for mask in mine.masks)], shown)
    title = f"Which it has: {result.facts.get('image') or 'the picture'}"
    return Panel(image, title, _picture_said(result), names=names, grid=grid)


def _picture_said(result: Concepts) -> str:
    """What the picture's score loses without the concepts that move it most."""
    mine, losses = result.of_picture, result.table["effect_on_picture"]
    assert mine is not None
    most = max(map(abs, losses))
    first = [k for k in sorted(range(len(losses)), key=lambda k: -abs(losses[k])) if abs(losses[k]) > 0.1 * most][:3]
    said = "; ".join(f"without concept {k + 1} it changes by {-losses[k]:+.2g}" for k in first)
    return f"The score of {mine.name!r} is {mine.score:.3g}; {said or 'no concept moves it'}. Under each: what it adds."


def _words(result: Concepts, k: int) -> str:
    """What one concept is worth, and how far it is to be believed."""
    value = {name: column[k] for name, column in result.table.items()}
    said = "Total Sobol index {importance:.2f} ({importance_low:.2f} to {importance_high:.2f}). ".format(**value)
    said += f"Without it the score changes by {-value['effect']:+.2g} ({-value['effect_high']:+.2g} to "
    said += f"{-value['effect_low']:+.2g}). In {value['pictures']:.0%} of the pictures. "
    if value["stable"]:
        return said + "Found again: cosine {stability:.2f}, in noise {control:.2f}.".format(**value)
    return said + "Unstable: found again at cosine {stability:.2f}, in noise at {control:.2f}.".format(**value)
