"""What training sees: pictures beside draws of a plan of augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Generator, Tensor

from ..data import ImageSet, list_images, load_images
from ..errors import BadValue, shorten
from ..figure import Figure, Panel
from ..figure.facts import versions
from ..images import as_image, to_bytes
from ..network.model import Preprocess
from ..registry import Range, options_of
from ..store import sha256
from ..training.augment import AUGMENTATIONS, augmented, check_plan
from .parts.result import Result

__all__ = ["Augmentations", "compute", "render"]

CAVEAT = "An augmentation should not change what a picture means; look at the draws before you train."
OWN_SIDE, USUAL_SIDE = 256, 128  # the longest that pictures may have to be left as they are, and what others are cut to


@dataclass(frozen=True, eq=False)
class Augmentations(Result):
    """`pictures` (n, H, W, 3) and `drawn` (n, draws, H, W, 3), uint8; `weights` (n, draws, n): how much of the label of
    each picture is in that of a draw. `labels` are the pictures' classes, or their numbers."""

    pictures: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    weights: NDArray[np.float32]
    labels: tuple[str, ...]
    facts: dict[str, Any]

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)

    def mixture(self, picture: int, draw: int) -> dict[str, float]:
        """The classes of a draw with their weights, the largest first."""
        found: dict[str, float] = {}
        for label, weight in zip(self.labels, self.weights[picture, draw].tolist(), strict=True):
            if weight > 0:
                found[label] = found.get(label, 0.0) + weight
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def compute(
    images: str | Path | ImageSet | Sequence[Any],
    plan: Sequence[Any],
    labels: Sequence[str] | None = None,
    *,
    count: Annotated[int, Range(1, 32, help="pictures, the first of the set")] = 8,
    draws: Annotated[int, Range(1, 24, help="draws of each picture")] = 6,
    seed: Annotated[int, Range(0, 2**53, help="of chance")] = 0,
    size: Annotated[int, Range(0, 512, help="side of the square they are cut to; 0 is their own or 128")] = 0,
) -> Augmentations:
    """The first pictures of a set, or of a list, with draws of a plan (see `check_plan`).

    labels: a class for each picture; else those of the set. Raises Unknown, BadValue, BadFile, and NotSupported where
    an augmentation is not for grey pictures.
    """
    given = {"count": count, "draws": draws, "seed": seed, "size": size}
    checked = {name: option.check(given[name]) for name, option in options_of(compute).items()}
    steps = check_plan(plan)
    pictures, names, known = _chosen(images, checked["count"])
    known = known if labels is None else _classes(labels, len(pictures))
    batch, chance = _batch(pictures, checked["size"]), Generator().manual_seed(checked["seed"])
    each = torch.eye(len(pictures))
    made = [augmented(batch, each, steps, chance) for _ in range(checked["draws"])]
    return Augmentations(
        pictures=_pixels(batch),
        drawn=np.stack([_pixels(drawn) for drawn, _ in made], 1),
        weights=torch.stack([weights for _, weights in made], 1).numpy(),
        labels=tuple(label or f"picture {k + 1}" for k, label in enumerate(known)),
        facts={
            "view": "augmentations",
            "images": names,
            "labels": known,
            "pixels": sha256(_pixels(batch).tobytes()),
            "plan": [[name, options] for name, options in steps],
            **{name: checked[name] for name in ("draws", "seed", "size")},
            "versions": versions(),
        },
    )


def _chosen(images: Any, count: int) -> tuple[list[Image], list[str], list[str]]:
    """The first pictures with their names and, where they are known, their classes."""
    if isinstance(images, Sequence) and not isinstance(images, str | ImageSet):
        some = images[:count]
        if any(not isinstance(image, str | Path) for image in some):
            pictures = [as_image(image) for image in some]
            return pictures, [_name(str(picture.info.get("name", ""))) for picture in pictures], [""] * len(pictures)
    found = load_images(images, count)
    if not len(found):
        raise BadValue("There are no pictures; give at least one.")
    shipped = f"{found.name}/" if found.name in list_images() else ""
    names = [f"{shipped}{Path(file).name}" for file in found.files]
    numbers = [-1] * len(found) if found.labels is None else found.labels.tolist()
    return list(found), names, [found.classes[k] if k >= 0 else "" for k in numbers]


def _name(name: str) -> str:
    """A reference as it is; of a file its name only."""
    return name if name.partition("/")[0] in ("upload", *list_images()) else Path(name).name


def _classes(labels: Sequence[str], count: int) -> list[str]:
    if isinstance(labels, str) or len(labels) < count:
        raise BadValue(f"Labels {shorten(labels)} are not one for each of the {count} pictures.")
    return [str(label) for label in labels[:count]]


def _batch(pictures: list[Image], size: int) -> Tensor:
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


def render(result: Augmentations, *, mixtures: bool = True) -> Figure:
    """A row for each picture: itself, then its draws; `mixtures` writes the label's weights where labels mix."""
    style = {"mixtures": options_of(render)["mixtures"].check(mixtures)}
    steps = [AUGMENTATIONS[name] for name, _ in result.facts["plan"]]
    panels = []
    for k, picture in enumerate(result.pictures):
        panels.append(Panel(picture, result.labels[k], "as it is"))
        for d, drawn in enumerate(result.drawn[k]):
            panels.append(Panel(drawn, f"draw {d + 1}", _mixture(result, k, d) if style["mixtures"] else ""))
    said = ", then ".join(step.label for step in steps) or "none"
    harms = list(dict.fromkeys(f"{step.label}: {step.caveat}" for step in steps))
    return Figure(
        title=f"Augmentation: {said}",
        panels=tuple(panels),
        columns=1 + result.drawn.shape[1],
        facts={**result.facts, "style": style},
        note=" ".join([*harms, CAVEAT]),
        arrays={"pictures": result.pictures, "drawn": result.drawn, "weights": result.weights},
        table=_table(result),
        alt=f"Each picture beside {result.drawn.shape[1]} draws of: {said}",
    )


def _mixture(result: Augmentations, picture: int, draw: int) -> str:
    found = result.mixture(picture, draw)
    return ", ".join(f"{weight:.0%} {label}" for label, weight in found.items()) if len(found) > 1 else ""


def _table(result: Augmentations) -> dict[str, list[Any]]:
    """One row a class of a draw."""
    rows = [
        (k, name, d + 1, label, weight)
        for k, name in enumerate(result.facts["images"])
        for d in range(result.drawn.shape[1])
        for label, weight in result.mixture(k, d).items()
    ]
    return {name: [row[n] for row in rows] for n, name in enumerate(("picture", "file", "draw", "label", "weight"))}
