"""What averaging is worth: several networks, and ten crops of each picture, by the accuracy of their mean answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data import ImageSet
from ..errors import BadValue, NotSupported
from ..figure import RIGHT, UNKNOWN, Figure, bars
from ..network.model import Model
from ..options import Range
from ..progress import Progress, unheard
from ..training.averaging import averaged, crop_chances
from .inputs import IMAGES, MODEL, Several
from .parts.result import Result, aligned
from .parts.truth import truth_of
from .view import drawn, view

__all__ = ["Ensemble", "Member", "compute", "render"]

MOST = 10
AT_ONCE = 16  # pictures, of ten crops each


class Member(NamedTuple):
    """Shares of the pictures that are right: whole, by the mean answer of their crops, and by one crop on average."""

    name: str
    whole: float
    crops: float | None
    one_crop: float | None


@dataclass(frozen=True, eq=False)
class Ensemble(Result):
    """`members` one by one; `together`, their mean answer; `pictures`, how many were asked about."""

    members: tuple[Member, ...]
    together: Member
    pictures: int
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """A row a network, and one of all together where there are several."""
        rows = [*self.members, *([self.together] if len(self.members) > 1 else [])]
        names = {"network": "name", "whole picture": "whole", "crops averaged": "crops", "one crop": "one_crop"}
        found = {said: [getattr(row, name) for row in rows] for said, name in names.items()}
        return found if self.together.crops is not None else {key: found[key] for key in ("network", "whole picture")}

    @property
    def measures(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "rows": self.table}

    @property
    def words(self) -> str:
        said = []
        if len(self.members) > 1:
            mean = float(np.mean([one.whole for one in self.members]))
            said.append(
                f"{len(self.members)} networks together are right about {self.together.whole:.1%} of {self.pictures:,} "
                f"pictures, each of them about {mean:.1%} on average."
            )
        for one in self.members:
            if one.crops is not None and one.one_crop is not None:
                said.append(
                    f"{one.name}: {one.whole:.1%} of whole pictures, {one.crops:.1%} by the mean of ten crops, "
                    f"{one.one_crop:.1%} by one of them on average."
                )
        return " ".join(said or [f"{self.together.name}: {self.together.whole:.1%} of {self.pictures:,} pictures."])

    @property
    def summary(self) -> str:
        cells = {
            key: [f"{one:.4f}" if isinstance(one, float) else str(one) for one in column]
            for key, column in self.table.items()
        }
        return f"{aligned(cells)}\n{self.words}"


@view
def compute(
    models: Annotated[Sequence[Model], Several(MODEL, most=MOST)],
    images: Annotated[ImageSet, IMAGES],
    *,
    margin: Annotated[int, Range(0, 256, help="pixels that a picture is enlarged by for ten crops; 0: no crops")] = 4,
    count: Annotated[int, Range(1, 10_000, help="labelled pictures, drawn by the seed, at most")] = 200,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of the pictures")] = 0,
    progress: Progress = unheard,
) -> Ensemble:
    """Accuracy of networks one by one and of the mean of their probabilities; the same with ten crops of each picture.

    Raises BadValue where their classes differ or no picture has a label among them, NotSupported for networks without
    probabilities.
    """
    for model in models:
        if not model.head.has_chances or model.head.is_segmentation:
            raise NotSupported(
                f"Model {model.name!r} gives no probabilities of classes, so there is nothing to average."
            )
    averaged(models, images[0])  # says whether they have the same classes
    truth = truth_of(models[0], images)
    known = np.flatnonzero(truth >= 0)
    if not len(known):
        raise BadValue(f"No picture of {images.name!r} has a label that is a class of {models[0].name!r}.")
    chosen = np.sort(np.random.default_rng(seed).permutation(known)[:count])
    right = [_Right(bool(margin)) for _ in (*models, None)]
    for start in range(0, len(chosen), AT_ONCE):
        progress(start, len(chosen), "asking the networks")
        numbers = chosen[start : start + AT_ONCE]
        some, wanted = [images[int(k)] for k in numbers], torch.from_numpy(truth[numbers])
        whole = [model.chances(model.scores(some)) for model in models]
        crops = [crop_chances(model, some, margin) for model in models] if margin else []
        for k in range(len(models)):
            right[k].add(whole[k], crops[k] if margin else None, wanted)
        right[-1].add(torch.stack(whole).mean(0), torch.stack(crops).mean(0) if margin else None, wanted)
    names = [*(model.name for model in models), "all together"]
    *members, together = (one.member(name, len(chosen)) for one, name in zip(right, names, strict=True))
    return Ensemble(tuple(members), together, len(chosen), facts={})


class _Right:
    """Counts of right answers."""

    def __init__(self, cropped: bool) -> None:
        self.cropped, self.whole, self.crops, self.each = cropped, 0, 0, 0.0

    def add(self, whole: Tensor, crops: Tensor | None, wanted: Tensor) -> None:
        self.whole += _hits(whole, wanted)
        if crops is not None:
            self.crops += _hits(crops.mean(0), wanted)
            self.each += _hits(crops, wanted) / len(crops)

    def member(self, name: str, pictures: int) -> Member:
        found = (self.crops / pictures, self.each / pictures) if self.cropped else (None, None)
        return Member(name, self.whole / pictures, *found)


def _hits(chances: Tensor, wanted: Tensor) -> int:
    return int((chances.argmax(-1) == wanted).sum())


@drawn
def render(result: Ensemble) -> Figure:
    """Bars of the accuracy: whole pictures, and crops where they were asked about."""
    table = result.table
    titles = [name for name in table if name != "network"]
    names = table["network"]
    hue = np.array([RIGHT] * len(result.members) + [UNKNOWN] * (len(names) - len(result.members)), np.uint8)
    panels = [
        bars(title.capitalize(), {name: 100 * value for name, value in zip(_apart(names), table[title], strict=True)},
             "", colour=hue, unit="%")
        for title in titles
    ]  # fmt: skip
    return Figure(
        title=f"Averages over {result.pictures:,} pictures",
        panels=tuple(panels),
        columns=len(panels),
        facts=result.facts,
        note=result.words,
        table=table,
        alt=result.words,
    )


def _apart(names: Sequence[str]) -> list[str]:
    """The same network twice has two bars."""
    return [name if names.index(name) == k else f"{name} ({k + 1})" for k, name in enumerate(names)]
