"""One picture under corruptions: what the network says of each, and what its answer rests on before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..attribution.target import Target, class_of, layer_for
from ..corruption import CORRUPTIONS, corrupt, numbers_of
from ..figure import Figure, Panel
from ..network.model import Model
from ..options import Range
from ..progress import Progress, part, unheard
from ..trust import CHECKED
from ..trust.question import highest_in_common, likeness
from .inputs import LAYER, MODEL, PICTURE, Several
from .parts.corrupted import CORRUPTION, crop_of, in_order, input_of
from .parts.picture import PreparedPicture, prepare
from .parts.result import Result
from .parts.saliency_map import METHOD, MODE, OPACITY, SaliencyMap, ask, draw, make_map, scale_for
from .view import drawn, view

__all__ = ["Corrupted", "Corruptions", "compute", "render"]

NONE = "none"


@dataclass(frozen=True, eq=False)
class Corrupted:
    """A corruption, "none" of the picture as it is; what the network says, and how sure it then is of what it said of
    the picture as it is; and the map of that answer, where one was asked for."""

    name: str
    pixels: np.ndarray[Any, np.dtype[np.uint8]]
    said: Target
    before: Target
    map: SaliencyMap | None

    @property
    def label(self) -> str:
        return "As it is" if self.name == NONE else CORRUPTIONS[self.name].label


@dataclass(frozen=True, eq=False)
class Corruptions(Result):
    """`each`, the picture as it is first."""

    each: tuple[Corrupted, ...]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a corruption. `same` is whether the answer is the same; with maps `likeness` is the rank correlation
        with the first, and `highest` the share of its highest twentieth that is kept."""
        first = self.each[0]
        table: dict[str, list[Any]] = {
            "corruption": [one.name for one in self.each],
            "prediction": [one.said.name for one in self.each],
            "probability": [one.said.probability for one in self.each],
            "before": [one.before.name for one in self.each],
            "probability_before": [one.before.probability for one in self.each],
            "same": [one.said.number == first.said.number for one in self.each],
        }
        maps = [one.map for one in self.each if one.map is not None]
        if maps:
            table["likeness"] = [likeness(maps[0].heat, one.heat) for one in maps]
            table["highest"] = [highest_in_common(maps[0].heat, one.heat) for one in maps]
        return table

    def sentence(self) -> str:
        """How many answers stay."""
        first, others = self.each[0], self.each[1:]
        kept = sum(one.said.number == first.said.number for one in others)
        said = f"{first.said.name} ({first.said.confidence_text}) stays the answer under {kept} of {len(others)} "
        return f"{said}corruptions of severity {self.facts['severity']}, by the numbers of {self.facts['numbers']}."


@view
def compute(
    model: Annotated[Model, MODEL],
    image: Annotated[Any, PICTURE],
    corruptions: Annotated[Sequence[str] | None, Several(CORRUPTION)] = None,
    *,
    severity: Annotated[int, Range(1, 5, help="how strong they are")] = 3,
    method: Annotated[str | None, METHOD] = None,
    layer: Annotated[str | None, LAYER] = None,
    seed: Annotated[int, Range(0, 2**31 - 1, help="of chance in the corruptions")] = 0,
    progress: Progress = unheard,
) -> Corruptions:
    """A picture under corruptions as in ImageNet-C (Hendrycks and Dietterich 2019), in the network's own crop; with a
    method also the map of the answer that the picture has as it is, on each.

    Raises NotSupported for networks of other than grey or coloured pictures.
    """
    named = list(dict.fromkeys(in_order() if corruptions is None else corruptions))
    picture = prepare(model, image)
    crop = crop_of(model, image)
    place = layer_for(model, layer) if method and CHECKED[method].takes("layer") else None
    found: list[Corrupted] = []
    for k, name in enumerate([NONE, *named]):
        progress(k, 1 + len(named), name)
        changed = crop if name == NONE else corrupt(crop, name, severity, seed=seed)
        one = PreparedPicture(np.asarray(changed.convert("RGB")), input_of(model, [changed]), picture.facts)
        scores = model.ask(one.batch)[0]
        said = class_of(model, scores, int(scores.argmax()))
        before = class_of(model, scores, found[0].said.number) if found else said
        heat = None
        if method:
            question = ask(model, one, before, method, CHECKED[method].check({}), place)
            heat = make_map(question, one, before, part(progress, k, k + 1, 1 + len(named)))
        found.append(Corrupted(name, one.crop, said, before, heat))
    progress(1, 1, "done")
    return Corruptions(tuple(found), {"image": picture, "layer": place, "numbers": numbers_of(crop.size)})


@drawn
def render(
    result: Corruptions, *, mode: Annotated[str, MODE] = "absolute", opacity: Annotated[float, OPACITY] = 0.5
) -> Figure:
    """Each picture with the answer under it, and its map beside it; all maps have one scale."""
    maps = [one.map for one in result.each if one.map is not None]
    scale = scale_for(maps, mode, 99.5, "inferno") if maps else None
    panels = []
    for one in result.each:
        answer = f"{one.said.name}, {one.said.confidence_text}"
        panels.append(Panel(one.pixels, one.label, answer))
        if one.map is not None:
            words = f"{one.map.label} of {one.before.name}, {one.before.confidence_text}"
            panels.append(Panel(draw(one.map, scale, mode, opacity)[1], "", words, scale))
    name = result.facts.get("image") or "a picture"
    title = f"What {result.facts['model']} says of {name}, corrupted"
    return Figure(
        title=title,
        panels=tuple(panels),
        columns=min(4, len(panels)),
        facts=result.facts,
        note=result.sentence(),
        arrays={"pictures": np.stack([one.pixels for one in result.each])}
        | ({"maps": np.stack([one.raw_map for one in maps])} if maps else {}),
        table=result.table,
        alt=f"{title}. {result.sentence()}",
    )
