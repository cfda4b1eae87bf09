"""Concepts of some pictures at a layer, by how much of the score each is worth, most first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ..network.model import Box, Layer, Model
from ..progress import Progress, part, unheard
from ..trust.bootstrap import Mean
from .crops import Pictures, averages, layer_for, maps_of, windows
from .curves import Curves, plan
from .factorise import Factorisation, factorise, unexplained
from .importance import designs, effects, jansen, total_indices
from .masked import Masked
from .rest import Rest
from .stability import Stability, stability

__all__ = ["Found", "Own", "find", "own"]

WORTH = 0.2  # of the most that a crop has of a concept: with less, one isn't shown for it
PRESENT = 0.5
"""A picture has a concept where its strongest place reaches this share of the strongest of all pictures."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """k concepts of n pictures, the most important first. `factors` are of the crops, whose picture `owners` (M,) and
    box in it `boxes` tell; `maps` (n, k, h, w) the coefficients at each place; `scores` (n,) the pictures' own,
    `without` (n,) with all concepts taken away, `losses` (n, k) what the score loses without each; `missed` the share
    of the sum of squares that is in no concept, of the crops' rows and of the pictures' maps."""

    layer: Layer
    pictures: Pictures
    boxes: tuple[Box, ...]
    factors: Factorisation
    owners: NDArray[np.int64]
    maps: NDArray[np.float32]
    scores: Floats
    without: Floats
    losses: Floats
    importance: list[Mean]
    effects: list[Mean]
    curves: Curves
    stability: Stability
    missed: tuple[float, float]

    def __len__(self) -> int:
        return len(self.factors)

    @property
    def coefficients(self) -> NDArray[np.float32]:
        """(n, k), the mean over each picture's places."""
        return np.asarray(self.maps.mean((2, 3)))

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n, k), which pictures have which concept."""
        peaks = self.maps.max((2, 3))
        return np.asarray((peaks >= PRESENT * peaks.max(0)) & (peaks > 0))

    def best(self, concept: int, count: int) -> list[int]:
        """The crops with most of a concept, at most one of a picture, and none with next to nothing of it."""
        order = np.argsort(-self.factors.coefficients[:, concept], kind="stable")
        first = np.unique(self.owners[order], return_index=True)[1]
        found = order[np.sort(first)][:count]
        values = self.factors.coefficients[:, concept]
        return [int(k) for k in found if values[k] > 0 and values[k] >= WORTH * values[order[0]]]


def find(
    model: Model,
    pictures: Pictures,
    layer: str | None,
    count: int,
    window: float,
    points: int,
    seed: int,
    progress: Progress = unheard,
) -> Found:
    """`count` concepts of pictures at a layer (None: the last that can be), by crops whose sides are `window` of the
    input's, with `points` masks of each picture for their importance. Raises NotSupported, BadValue, Unknown."""
    known = layer_for(model, layer, pictures.inputs)
    boxes = tuple(windows((pictures.inputs.shape[2], pictures.inputs.shape[3]), window))
    owners = np.repeat(np.arange(len(pictures)), len(boxes))
    with model.exclusive() as net:
        rows = averages(model, net, known, pictures.inputs, boxes, part(progress, 0, 0.35))
        factors = factorise(rows, count, seed)
        rest = Rest(net, known.name)
        terms, losses, maps, size, missed, scores, without = [], [], [], 0.0, 0.0, [], []
        alone = np.concatenate([np.ones((1, len(factors))), 1 - np.eye(len(factors)), np.zeros((1, len(factors)))])
        for k, one in _each(model, net, rest, pictures, factors.directions, part(progress, 0.35, 0.65)):
            asked = np.concatenate([alone, designs(len(factors), points, seed + k)])
            values = one.scores(asked)[:, pictures.targets[k]]
            scores.append(values[0])
            without.append(values[len(alone) - 1])
            losses.append(values[0] - values[1 : len(alone) - 1])
            terms.append(jansen(values[len(alone) :], len(factors)))
            maps.append(one.maps)
            size, missed = size + one.size, missed + one.missed
        changes, variances = (np.array(each) for each in zip(*terms, strict=True))
        importance = total_indices(type(terms[0])(changes, variances), seed)
        order = np.argsort([-one.value for one in importance], kind="stable")
        factors, lost = factors.only(order), np.array(losses)[:, order]
        importance = [importance[k] for k in order]
        effect = effects(lost, seed)
        steps = plan(_raising_first(importance, effect), seed)
        sums = np.zeros(len(steps.masks))
        for k, one in _each(model, net, rest, pictures, factors.directions, part(progress, 0.65, 0.85)):
            sums += one.scores(steps.masks)[:, pictures.targets[k]]
    return Found(
        layer=known,
        pictures=pictures,
        boxes=boxes,
        factors=factors,
        owners=owners,
        maps=np.array(maps, np.float32)[:, order],
        scores=np.array(scores),
        without=np.array(without),
        losses=lost,
        importance=importance,
        effects=effect,
        curves=steps.curves(sums / len(pictures)),
        stability=stability(rows, owners, factors.directions, seed, part(progress, 0.85, 1)),
        missed=(unexplained(rows, factors.coefficients, factors.directions), missed / max(size, 1e-300)),
    )


@dataclass(frozen=True, eq=False)
class Own:
    """Which concepts one picture has: `maps` (k, h, w), and what the score of `target` loses without each (k,)."""

    maps: NDArray[np.float32]
    losses: Floats
    target: int
    score: float
    missed: float


def own(model: Model, found: Found, batch: Tensor, target: int | None = None) -> Own:
    """The concepts that were found in a picture (1, C, H, W), by default for the class that is predicted for it."""
    count = len(found)
    with model.exclusive() as net:
        output = maps_of(net, found.layer.name, batch, model.device)
        one = Masked(net, Rest(net, found.layer.name), batch, output, found.factors.directions)
        scores = one.scores(np.concatenate([np.ones((1, count)), 1 - np.eye(count)]))
    chosen = int(scores[0].argmax()) if target is None else target
    values = scores[:, chosen]
    return Own(
        maps=one.maps.astype(np.float32),
        losses=values[0] - values[1:],
        target=chosen,
        score=float(values[0]),
        missed=one.missed / max(one.size, 1e-300),
    )


def _each(
    model: Model, net: nn.Module, rest: Rest, pictures: Pictures, directions: Floats, progress: Progress
) -> Iterator[tuple[int, Masked]]:
    for k in range(len(pictures)):
        progress(k, len(pictures), "masks")
        picture = pictures.inputs[k : k + 1].to(model.device)
        yield k, Masked(net, rest, picture, maps_of(net, rest.layer, picture, model.device), directions)


def _raising_first(importance: list[Mean], effect: list[Mean]) -> NDArray[np.int64]:
    """By importance, what raises the score before what lowers it: a total index has no sign, and taking away what
    speaks against the class raises the score."""
    signed = [one.value if own.value >= 0 else -one.value for one, own in zip(importance, effect, strict=True)]
    return np.argsort([-value for value in signed], kind="stable")
