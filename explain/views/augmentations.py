"""What training sees: pictures beside draws of a plan of augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from ..data import ImageSet, list_images, printable
from ..errors import BadValue, shorten
from ..figure import Figure, Panel
from ..images import Picture, to_bytes
from ..network.model import Preprocess
from ..options import Choices, Option, Range
from ..training.augment import AUGMENTATIONS, Plan, augmented
from .inputs import PICTURES, PLAN, Plain, Several, shown
from .parts.result import Result
from .view import drawn, view

__all__ = ["Augmentations", "compute", "render"]

CAVEAT = "An augmentation should not change what a picture means; look at the draws before you train."
LABELS = Several(Plain(Option("label", str, None)), help="a class for each picture; by default those of the set")
OWN_SIDE, USUAL_SIDE = 256, 128  # the longest that pictures may have to be left as they are, and what others are cut to


@dataclass(frozen=True, eq=False)
class Augmentations(Result):
    """`pictures` (n, H, W, 3) and `drawn` (n, draws, H, W, 3), uint8; `weights` (n, draws, n): how much of the label of
    each picture is in that of a draw. `files` are the pictures' names, `labels` their classes, or their numbers."""

    pictures: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    weights: NDArray[np.float32]
    files: tuple[str, ...]
    labels: tuple[str, ...]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a class of a draw."""
        rows = [
            (k, name, d + 1, label, weight)
            for k, name in enumerate(self.files)
            for d in range(self.drawn.shape[1])
            for label, weight in self.mixture(k, d).items()
        ]
        return {name: [row[n] for row in rows] for n, name in enumerate(("picture", "file", "draw", "label", "weight"))}

    def mixture(self, picture: int, draw: int) -> dict[str, float]:
        """The classes of a draw with their weights, the largest first."""
        found: dict[str, float] = {}
        for label, weight in zip(self.labels, self.weights[picture, draw].tolist(), strict=True):
            if weight > 0:
                found[label] = found.get(label, 0.0) + weight
        return dict(sorted(found.items(), key=lambda item: -item[1]))


@view
def compute(
    images: Annotated[ImageSet | list[Picture], PICTURES],
    plan: Annotated[Plan, PLAN],
    *,
    labels: Annotated[Sequence[str] | None, LABELS] = None,
    count: Annotated[int, Range(1, 32, help="pictures, at most, the first of those given")] = 8,
    draws: Annotated[int, Range(1, 24, help="draws of each picture")] = 6,
    seed: Annotated[int, Range(0, 2**53 - 1, help="of chance")] = 0,
    size: Annotated[int, Range(0, 512, help="side of the square they are cut to; 0 is their own or 128")] = 0,
) -> Augmentations:
    """The first pictures of a set, or of a list, with draws of a plan of augmentations.

    Raises Unknown, BadValue, BadFile, and NotSupported where an augmentation is not for grey pictures.
    """
    some = images[:count]
    if labels is not None and len(labels) < len(some):
        raise BadValue(f"Labels {shorten(labels)} are not one for each of the {len(some)} pictures.")
    batch, chance = _batch(list(some), size), Generator().manual_seed(seed)
    each = torch.eye(len(some))
    made = [augmented(batch, each, plan, chance) for _ in range(draws)]
    known = _classes(some) if labels is None else labels
    return Augmentations(
        pictures=_pixels(batch),
        drawn=np.stack([_pixels(drawn) for drawn, _ in made], 1),
        weights=torch.stack([weights for _, weights in made], 1).numpy(),
        files=tuple(_files(some)),
        labels=tuple(label or f"picture {k + 1}" for k, label in enumerate(known[: len(some)])),
        facts={},
    )


def _files(images: ImageSet | list[Picture]) -> list[str]:
    """What the pictures are called."""
    if not isinstance(images, ImageSet):
        return [shown(str(picture.info.get("name", ""))) for picture in images]
    shipped = f"{images.name}/" if images.name in list_images() else ""
    return [f"{shipped}{printable(Path(file).name)}" for file in images.files]


def _classes(images: ImageSet | list[Picture]) -> list[str]:
    """The pictures' classes, empty where they are not known."""
    if not isinstance(images, ImageSet) or images.labels is None:
        return [""] * len(images)
    return [images.classes[k] if k >= 0 else "" for k in images.labels.tolist()]


def _batch(pictures: list[Picture], size: int) -> Tensor:
    """The pictures (n, C, H, W) in 0..1, all grey ones with one channel, as training takes them."""
    channels = 1 if all(picture.mode == "L" for picture in pictures) else 3
    width, height = pictures[0].size
    own = not size and max(width, height) <= OWN_SIDE and all(picture.size == (width, height) for picture in pictures)
    side = size or USUAL_SIDE
    sides: tuple[tuple[int, int], Any] = ((height, width), (height, width)) if own else ((side, side), side)
    plain = Preprocess(*sides, mean=(0.0,), std=(1.0,), channels=channels)
    return torch.stack([plain.tensor(picture) for picture in pictures])


def _pixels(batch: Tensor) -> NDArray[np.uint8]:
    return to_bytes(batch.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy())


@drawn
def render(
    result: Augmentations,
    *,
    mixtures: Annotated[bool, Choices(True, False, help="the label's weights, where labels mix")] = True,
) -> Figure:
    """A row for each picture: itself, then its draws."""
    steps = [AUGMENTATIONS[name] for name, _ in result.facts["plan"]]
    panels = []
    for k, picture in enumerate(result.pictures):
        panels.append(Panel(picture, result.labels[k], "as it is"))
        for d, pixels in enumerate(result.drawn[k]):
            panels.append(Panel(pixels, f"draw {d + 1}", _mixture(result, k, d) if mixtures else ""))
    said = ", then ".join(step.label for step in steps) or "none"
    harms = list(dict.fromkeys(f"{step.label}: {step.caveat}" for step in steps))
    return Figure(
        title=f"Augmentation: {said}",
        panels=tuple(panels),
        columns=1 + result.drawn.shape[1],
        facts=result.facts,
        note=" ".join([*harms, CAVEAT]),
        arrays={"pictures": result.pictures, "drawn": result.drawn, "weights": result.weights},
        table=result.table,
        alt=f"Each picture beside {result.drawn.shape[1]} draws of: {said}",
    )


def _mixture(result: Augmentations, picture: int, draw: int) -> str:
    found = result.mixture(picture, draw)
    return ", ".join(f"{weight:.0%} {label}" for label, weight in found.items()) if len(found) > 1 else ""
