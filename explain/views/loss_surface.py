"""The loss around a network's weights, of one network or of two beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import ImageSet
from ..errors import BadValue, NotSupported
from ..figure import Chart, Figure, Line
from ..figure.palette import CLASSES
from ..network.loss_slice import (
    concave,
    directions,
    finite,
    loss_slice,
    path_directions,
    roughness,
    weights_of,
)
from ..network.model import Model
from ..options import Range
from ..progress import Progress, unheard
from .inputs import IMAGES, MODEL, Several
from .parts.contours import contours
from .parts.result import Result
from .view import drawn, view

__all__ = ["LossSurface", "Slice", "compute", "render"]


class Slice(NamedTuple):
    """Of one network: mean losses (L, L), rows along the second direction; its loss as it is, in the middle."""

    model: str
    losses: NDArray[np.float64]

    @property
    def centre(self) -> float:
        return float(self.losses[len(self.losses) // 2, len(self.losses) // 2])

    @property
    def roughness(self) -> float:
        return roughness(self.losses)

    @property
    def concave(self) -> float:
        return concave(self.losses)

    @property
    def words(self) -> str:
        lowest = float(finite(self.losses).min())
        return (
            f"{self.model}: loss {self.centre:.4g} at its weights, {lowest:.4g} to {finite(self.losses).max():.4g} "
            f"around; roughness {self.roughness:.3f}, bending down at {self.concave:.0%} of places."
        )


@dataclass(frozen=True, eq=False)
class LossSurface(Result):
    """slices: of the model, and of the second where there is one; along (L,): how far the weights are moved, as shares
    of each filter's length. path (T, 2): where the snapshots lie, if there are any; share: of their squared distances
    from the weights, what lies in the plane.
    """

    slices: tuple[Slice, ...]
    along: NDArray[np.float64]
    pictures: int
    snapshots: tuple[str, ...]
    path: NDArray[np.float64]
    share: float
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row a place of each network."""
        rows = [
            (one.model, x, y, float(one.losses[i, j]))
            for one in self.slices
            for i, y in enumerate(self.along.tolist())
            for j, x in enumerate(self.along.tolist())
        ]
        return {name: [row[k] for row in rows] for k, name in enumerate(("model", "first", "second", "loss"))}

    @property
    def measures(self) -> dict[str, Any]:
        return {
            "surfaces": [
                {"model": one.model, "centre": one.centre, "roughness": one.roughness, "concave": one.concave}
                for one in self.slices
            ],
            "pictures": self.pictures,
            "path": [[name, *place] for name, place in zip(self.snapshots, self.path.tolist(), strict=True)],
            "share": self.share,
        }

    @property
    def words(self) -> str:
        said = " ".join(one.words for one in self.slices)
        seen = "Two directions of very many are seen."
        if len(self.path):
            seen = (
                f"The plane is that in which the {len(self.path)} snapshots lie best: it has {self.share:.0%} of their "
                "squared distances. Statistics of batch norms are the last network's everywhere."
            )
        return (
            f"{said} Over {self.pictures} pictures, in eval mode. Roughness is the share of the surface that is no "
            f"quadratic bowl. {seen}"
        )

    @property
    def summary(self) -> str:
        return self.words


@view
def compute(
    model: Annotated[Model, MODEL],
    images: Annotated[ImageSet, IMAGES],
    second: Annotated[Model | None, MODEL] = None,
    snapshots: Annotated[
        Sequence[Model], Several(MODEL, least=0, most=30, help="earlier states of the network, as NAME@EPOCH")
    ] = (),
    *,
    steps: Annotated[int, Range(1, 25, help="from the middle to each side")] = 5,
    reach: Annotated[float, Range(0.001, 5, help="to the side, as a share of each filter's length")] = 1.0,
    count: Annotated[int, Range(1, 2000, help="labelled pictures, drawn by the seed, at most")] = 100,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the pictures and the directions")] = 0,
    progress: Progress = unheard,
) -> LossSurface:
    """Mean cross entropy over a sample, with the weights moved along two random directions in which each filter has the
    length of the network's own (Li et al. 2018); the weights themselves are never written. With snapshots the plane is
    that of their path, the two principal components of how far they are away, and a `reach` of 1 holds all of it.

    Raises BadValue for snapshots of another shape or beside a second network, and where no picture has a label that is
    a class of the network; NotSupported for networks whose scores have no probabilities.
    """
    along = np.linspace(-reach, reach, 2 * steps + 1)
    along[steps] = 0.0
    models = [model] if second is None else [model, second]
    if snapshots and second is not None:
        raise BadValue("Snapshots make a plane of their own: give them, or a second network, not both.")
    found: list[Slice] = []
    chosen: list[int] = []
    pair, path, share = None, np.zeros((0, 2)), 1.0
    if snapshots:
        pair, path, share = path_directions(weights_of(model), [_like(model, one) for one in snapshots], seed)
    for k, one in enumerate(models):
        part = _part(progress, k, len(models))
        chosen, batch, target = _sample(one, images, count, seed)
        with one.exclusive() as net:
            plane = pair or directions(net, seed)
        losses = loss_slice(one, batch, target, along.tolist(), plane, part)
        if np.isnan(losses[steps, steps]):
            raise NotSupported(f"Model {one.name!r} gives no probabilities: its answers have no loss here.")
        found.append(Slice(one.name, losses))
    names = tuple(one.name for one in snapshots)
    return LossSurface(tuple(found), along, len(chosen), names, path, share, facts={"pictures": chosen})


def _like(model: Model, snapshot: Model) -> dict[str, torch.Tensor]:
    """Its weights, of the same names and shapes as the model's."""
    own, found = weights_of(model), weights_of(snapshot)
    if {name: one.shape for name, one in own.items()} != {name: one.shape for name, one in found.items()}:
        raise BadValue(f"{snapshot.name!r} is no snapshot of {model.name!r}: its weights have other names or shapes.")
    return found


def _part(progress: Progress, done: int, parts: int) -> Progress:
    return lambda k, total, message="": progress(done * total + k, parts * total, message)


def _sample(model: Model, images: ImageSet, count: int, seed: int) -> tuple[list[int], torch.Tensor, torch.Tensor]:
    """Numbers of the pictures, the batch, and the right classes by the model's numbers."""
    names = {name: number for number, name in enumerate(model.classes)}
    numbers = np.array([names.get(name, -1) for name in images.classes] or [-1])
    labels = np.full(len(images), -1) if images.labels is None or not images.classes else images.labels
    targets = np.where(labels >= 0, numbers[labels], -1)
    known = np.flatnonzero(targets >= 0)
    if not len(known):
        raise BadValue(f"No picture of {images.name!r} has a label that is a class of {model.name!r}.")
    chosen = np.sort(np.random.default_rng(seed).permutation(known)[:count]).tolist()
    batch = torch.cat([model.batch(images[number]).cpu() for number in chosen])
    return chosen, batch, torch.from_numpy(targets[chosen])


@drawn
def render(result: LossSurface, *, levels: Annotated[int, Range(3, 60, help="lines of equal loss")] = 20) -> Figure:
    """Lines of equal loss around each network, and the loss along both directions, on one scale."""
    low, high = float(result.along[0]), float(result.along[-1])
    middle = len(result.along) // 2
    profiles = [finite(one.losses) for one in result.slices]
    cuts = np.concatenate([np.concatenate([grid[middle], grid[:, middle]]) for grid in profiles])
    margin = 0.05 * max(float(np.ptp(cuts)), 1e-9)
    panels = []
    for k, (one, grid) in enumerate(zip(result.slices, profiles, strict=True)):
        twice = k and one.model == result.slices[0].model
        name = f"{one.model}, the second" if twice else one.model  # panels of a figure are told apart by their titles
        inside = result.path[(np.abs(result.path) <= high).all(1)]
        way = Line("snapshots", np.concatenate([inside, np.zeros((1, 2))]), CLASSES[0], dots=True, width=1.6, size=4)
        here = Line("the network's weights", np.zeros((1, 2)), CLASSES[1], dots=True, size=6)
        panels.append(
            Chart(
                (*contours(result.along, result.along, grid, levels), *([way] if len(inside) else []), here),
                (low, high), (low, high), ("first direction", "second direction"), title=name,
                caption=f"The darker, the lower; roughness {one.roughness:.3f}.", height=0.8,
            )
        )  # fmt: skip
        unit = "share of the plane" if len(result.path) else "share of each filter's length"
        lines = (
            Line("along the first", np.stack([result.along, grid[middle]], 1), CLASSES[0]),
            Line("along the second", np.stack([result.along, grid[:, middle]], 1), CLASSES[2]),
        )
        panels.append(
            Chart(
                lines, (low, high), (float(cuts.min()) - margin, float(cuts.max()) + margin),
                (unit, "loss"), title=f"{name}, through the middle",
                caption=f"{one.centre:.4g} in the middle.", height=0.8,
            )
        )  # fmt: skip
    names = " and ".join(one.model for one in result.slices)
    return Figure(
        title=f"Loss around the weights of {names}",
        panels=tuple(panels),
        columns=2,
        facts=result.facts,
        note=result.words,
        arrays={"along": result.along, "path": result.path}
        | {f"losses_{k}": one.losses for k, one in enumerate(result.slices)},
        table=result.table,
        alt=f"Lines of equal loss around the weights of {names}. {result.words}",
    )
