"""Training pictures behind a prediction: proponents and opponents, by the last layer's gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..attribution.target import Target
from ..errors import BadValue, NotSupported
from ..figure import Figure
from ..index import Index
from ..mistakes import influence
from ..mistakes.evidence import Evidence, evidence, has_seen, last_layer_scores
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX, QUERY, TARGET, Several
from .parts.cut import pictured
from .parts.result import Result
from .parts.tiles import pictures_table, sheet, tiles_of
from .view import drawn, view

__all__ = ["METHODS", "Influence", "compute", "render"]

METHODS = {
    "tracin": "product of the last layer's gradients",
    "influence_function": "product of the last layer's gradients by the inverse second derivative",
}
SNAPSHOTS = "indexes of the same pictures by snapshots of the training, such as RUN@2, over which tracin is summed"
ROWS = 8192  # pictures whose scores of all classes are held at a time
MOST = 200_000_000  # numbers that an influence function holds
LAST = "Of the last layer alone: what a picture taught the layers before it is not in it."


@dataclass(frozen=True, eq=False)
class Influence(Result):
    """`values` (n,): the influence of each of the pictures `images` (n,), above 0 where training on it lowers the loss
    of the class asked about. `rows`: the strongest proponents, then the strongest opponents; `tiles` show them, `tile`
    the picture asked about."""

    values: NDArray[np.float64]
    images: NDArray[np.int64]
    rows: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    tile: NDArray[np.uint8]
    prediction: str
    probability: float
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a picture shown."""
        return self.rows

    def sentence(self) -> str:
        """What was asked, by what, and what it does not say."""
        facts = self.facts
        said = f"Influence of {len(self.images):,} pictures of {facts['data']} on {facts['target']!r}, to which the "
        said += f"network gives {self.probability:.1%}: {METHODS[facts['method']]}"
        said += f", summed over {1 + len(facts['snapshots'])} snapshots." if facts.get("snapshots") else "."
        if facts.get("trained_on") is False:
            said += f" The network was not trained on {facts['data']}: this is what they would teach it."
        strong = np.abs(self.values)
        if strong.sum() > 0:
            half = int(np.searchsorted(np.cumsum(np.sort(strong)[::-1]), strong.sum() / 2)) + 1
            said += f" Half of all influence is that of {half:,} pictures."
        return f"{said} {LAST}"

    @property
    def summary(self) -> str:
        rows = zip(*(self.rows[name] for name in ("influence", "file", "label")), strict=True)
        return "\n".join([self.sentence(), *(f"{value:11.4g}  {file}  {label}" for value, file, label in rows)])


@view
def compute(
    index: Annotated[Index, INDEX],
    image: Annotated[Any, QUERY],
    target: Annotated[int | str | None, TARGET] = None,
    snapshots: Annotated[Sequence[Index] | None, Several(INDEX, help=SNAPSHOTS)] = None,
    *,
    method: Annotated[str, Choices(*METHODS)] = "tracin",
    damping: Annotated[float, Range(1e-8, 10, help="of influence_function: the L2 penalty of the training")] = 1e-3,
    count: Annotated[int, Range(1, 40, help="proponents, and opponents")] = 8,
    progress: Progress | None = None,
) -> Influence:
    """Which pictures of an index, that of the training pictures, speak for a class of a picture and which against it,
    were the last layer trained on them: TracIn (Pruthi et al. 2020) or influence functions (Koh and Liang 2017).

    target: by default the picture's label where the index has it, else what the network says. A picture of the index is
    left out itself. With snapshots, TracIn is the sum over these and the index's own network, each weighing alike.

    Raises BadValue for snapshots over other pictures, NotSupported for a network whose scores are not a layer's of the
    features that are kept.
    """
    heard = progress or unheard
    known = evidence(index, "", "Influence")
    number = image if type(image) is int else None
    picture = pictured(index, image)
    features, chances = _asked(index, number, image)
    labelled = number is not None and index.truth[number] >= 0
    if target is None:
        target = int(index.truth[number]) if labelled else int(chances.argmax())
    wanted = index.model.target(target, image if number is None else index.images[number])
    known = known if number is None else known.among(np.flatnonzero(known.images != number))
    every = [index, *(snapshots or ())]
    parts = [known, *(_of_same(one, index, known.images) for one in every[1:])]
    if snapshots and method != "tracin":
        raise BadValue("Influence is summed over snapshots by method='tracin' alone; leave the snapshots out.")
    common = reduce(np.intersect1d, [part.images for part in parts])
    known = known.among(np.searchsorted(known.images, common))
    if method == "tracin":
        values = np.zeros(len(common))
        for done, (one, part) in enumerate(zip(every, parts, strict=True)):
            heard(done, len(every), "gradients")
            asked = (features, chances) if one is index else _asked(one, number, image)
            values += _by_gradients(part.among(np.searchsorted(part.images, common)), *asked, wanted)
    else:
        own = influence.residuals(chances[None], np.array([wanted]))[0]
        values = _by_curvature(known, features, own, damping, _has_bias(index), heard)
    order = np.argsort(-values, kind="stable")
    first = [k for k in order[:count] if values[k] > 0]
    last = [k for k in order[::-1][:count] if values[k] < 0]
    chosen = np.array([*first, *last], np.int64)
    images = known.images[chosen].tolist()
    sides = ["proponent"] * len(first) + ["opponent"] * len(last)
    classes, seen, best = index.model.classes, has_seen(index), int(chances.argmax())
    said = Target(wanted, classes[wanted], float(np.log(max(chances[wanted], 1e-300))), float(chances[wanted]))
    return Influence(
        values=values,
        images=known.images,
        rows=pictures_table(index, images, side=sides, influence=values[chosen].tolist()),
        tiles=tiles_of(index, images),
        tile=picture.crop,
        prediction=classes[best],
        probability=float(chances[wanted]),
        facts={"image": picture, "target": said, **({} if seen is None else {"trained_on": seen})},
    )


def _asked(index: Index, number: int | None, image: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features (D,) and probabilities (C,) of the picture asked about."""
    if number is None:
        model = index.model
        chances = model.chances(model.scores(image).double())[0].numpy()
        return index.embed(image).astype(np.float64), chances
    if index.predictions[number, 0] < 0:
        why = index.skipped.get(index.images.files[number], "it could not be read")
        raise BadValue(f"Image {number} has no prediction: {why}")
    return index.features[number].astype(np.float64), _known(last_layer_scores(index, np.array([number])))[0]


def _known(scores: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Probabilities of all classes by their logarithms."""
    if scores is None:
        raise NotSupported(
            "Influence needs scores that are a layer's answer to the features before it; what comes after those that "
            "this index keeps is more than that."
        )
    return np.exp(scores)


def _chances(known: Evidence) -> NDArray[np.float64]:
    return _known(known.scores)


def _has_bias(index: Index) -> bool:
    with index.model.exclusive() as net:
        return getattr(net.get_submodule(index.manifest.head), "bias", None) is not None


def _of_same(index: Index, first: Index, images: NDArray[np.int64]) -> Evidence:
    """What another index says of these pictures. Raises BadValue where it is over others."""
    if index.manifest.data_digest != first.manifest.data_digest or index.model.classes != first.model.classes:
        raise BadValue(
            f"The index of {index.manifest.model!r} over {index.manifest.data!r} is over other pictures or classes "
            f"than that of {first.manifest.model!r}; snapshots are summed over the same."
        )
    known = evidence(index, "", "Influence")
    return known.among(np.flatnonzero(np.isin(known.images, images)))


def _by_gradients(
    known: Evidence, features: NDArray[np.float64], chances: NDArray[np.float64], wanted: int
) -> NDArray[np.float64]:
    """TracIn by one network, some pictures at a time."""
    own, bias = influence.residuals(chances[None], np.array([wanted]))[0], _has_bias(known.index)
    parts = [np.zeros(0)]
    for start in range(0, len(known), ROWS):
        some = known.among(np.arange(start, min(start + ROWS, len(known))))
        errors = influence.residuals(_chances(some), some.labels)
        parts.append(influence.tracin(known.index.features[some.images], errors, features, own, bias))
    return np.concatenate(parts)


def _by_curvature(
    known: Evidence,
    features: NDArray[np.float64],
    own: NDArray[np.float64],
    damping: float,
    bias: bool,
    progress: Progress,
) -> NDArray[np.float64]:
    if len(known) * (len(known.classes) + len(features)) > MOST:
        raise NotSupported(
            f"The second derivatives of {len(known):,} pictures, {len(features):,} features and "
            f"{len(known.classes):,} classes need too much memory; method='tracin' does not."
        )
    chances = _chances(known)
    errors = influence.residuals(chances, known.labels)
    inputs = known.index.features[known.images]
    return influence.influence_function(inputs, chances, errors, features, own, damping, bias, progress)


@drawn
def render(result: Influence, *, columns: Annotated[int, Range(1, 20, help="pictures in a row")] = 8) -> Figure:
    """Proponents above, opponents below, the strongest first, each with its label and its influence."""
    asked = result.facts["image"] or "the picture"
    title = f"Training pictures behind {result.facts['target']!r} of {asked}, {result.facts['model']}"
    panels: list[Any] = []
    for side, words in (("proponent", "Proponents: training on them speaks for"), ("opponent", "Opponents: against")):
        here = [k for k, one in enumerate(result.rows["side"]) if one == side]
        names = [f"{result.rows['label'][k]}, {result.rows['influence'][k]:.3g}" for k in here]
        panels += sheet(result.tiles[here], names, f"{words} {result.facts['target']!r}", columns=columns)
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"values": result.values, "images": result.images},
        table=result.table,
        alt=f"{title}. {result.sentence()}",
    )
