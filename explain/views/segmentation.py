"""Which class a network predicts at each place of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from ..figure import Figure, Panel, Pixels, Scale, bars
from ..figure.palette import OTHER, class_colours
from ..images import colour, overlay
from ..network.heads import labels_of
from ..network.model import Model
from ..options import Range
from .inputs import MODEL, PICTURE
from .parts.picture import prepare
from .parts.result import Result
from .view import drawn, view

__all__ = ["Segmentation", "compute", "render"]

NOTHING = (235, 235, 235)


@dataclass(frozen=True, eq=False)
class Segmentation(Result):
    """`labels` (H, W) are numbers of classes, -1 where the only class is not; `chances` (H, W) their probabilities.

    `crop` is the picture that the network saw; `classes` are its classes' names.
    """

    labels: NDArray[np.int64]
    chances: NDArray[np.float32]
    crop: Pixels
    classes: tuple[str, ...]
    facts: dict[str, Any]

    @cached_property
    def present(self) -> list[int]:
        """The classes that are predicted somewhere, the largest first."""
        counts = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]]

    @property
    def shares(self) -> dict[str, float]:
        """How much of the picture each class has that is predicted somewhere, the largest first."""
        return {self.classes[k]: float((self.labels == k).mean()) for k in self.present}

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a class; `probability` is the mean over its places."""
        return {
            "class": list(self.shares),
            "share": list(self.shares.values()),
            "probability": [float(self.chances[self.labels == k].mean()) for k in self.present],
        }


@view
def compute(model: Annotated[Model, MODEL], image: Annotated[Any, PICTURE]) -> Segmentation:
    """The likeliest class at each place, of networks that give maps of classes: at the resolution of those maps, each
    place as many pixels large as it is. Raises NotSupported for other networks."""
    model.check_maps()
    picture = prepare(model, image)
    chances = model.chances_by_place(picture.batch)
    size = picture.crop.shape[:2]
    labels, likeliest = labels_of(chances)[:, None].float(), chances.amax(1, keepdim=True)
    if len(model.classes) == 1:
        likeliest = likeliest.maximum(1 - likeliest)  # of what is not the class that it is not
    labels, likeliest = (F.interpolate(one, size, mode="nearest-exact")[0, 0] for one in (labels, likeliest))
    return Segmentation(labels.long().numpy(), likeliest.numpy(), picture.crop, model.classes, {"image": picture})


@drawn
def render(
    result: Segmentation,
    *,
    opacity: Annotated[float, Range(0, 1, help="of the classes over the picture")] = 0.7,
    count: Annotated[int, Range(1, 50, help="classes in the legend, at most, the largest first")] = 12,
) -> Figure:
    """The picture, the classes over it, how probable they are, and how much of the picture each has."""
    shares = result.shares
    colours, _ = class_colours(np.arange(len(shares), 0, -1), "many")  # the largest have their own
    grey = int((colours == OTHER).all(1).sum())
    by_label = np.full((len(result.classes) + 1, 3), NOTHING, np.uint8)  # the last is -1
    by_label[result.present] = colours
    sure = Scale("viridis", 0.0, 1.0, "probability of the class predicted")
    legend = {name: 100 * share for name, share in list(shares.items())[:count]} or {"nothing": 100.0}
    more = len(shares) - len(legend)
    return Figure(
        title=f"What {result.facts['model']} predicts where",
        panels=(
            Panel(result.crop, "What the network saw"),
            Panel(overlay(result.crop, by_label[result.labels], opacity), "The likeliest class"),
            Panel(colour(result.chances, sure.cmap), "How probable it is", scale=sure),
            bars(
                "Share of the picture",
                legend,
                "%",
                colour=colours[: len(legend)] if shares else NOTHING,
                unit="%",
                caption=f"and {more} more" if more > 0 else "",
            ),
        ),
        columns=2,
        facts=result.facts,
        note=f"{len(shares)} of {len(result.classes)} classes are predicted somewhere."
        + (f" The {grey} smallest are light grey." if grey else ""),
        arrays={"labels": result.labels, "chances": result.chances, "crop": result.crop},
        table=result.table,
        alt=f"Classes over the picture: {', '.join(f'{name} {share:.0f} %' for name, share in legend.items())}",
    )
