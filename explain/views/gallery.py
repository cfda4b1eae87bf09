"""The maps of one method for many pictures: those of a set, or the mistakes that the network is surest of."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..attribution.target import NowhereError, Target, class_of, layer_for, target_within
from ..columns import extended, rows_where
from ..data import ImageSet
from ..errors import BadFile, BadValue, NotSupported, shorten
from ..figure import VERSION, Figure, Grid, Panel, Pixels
from ..images import contact_sheet, png
from ..network.model import Model
from ..options import Choices, Range
from ..progress import Progress, unheard
from ..store import sha256
from ..trust import CHECKED
from .inputs import IMAGES, MODEL, REGION, EntryOptions, Layer, TargetInput
from .parts.picture import PreparedPicture, prepare
from .parts.result import Result, aligned, only
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
from .parts.truth import truth_of
from .view import Kept, drawn, view

__all__ = ["Gallery", "Tile", "compute", "render"]

WHICH = {
    "first": "the first pictures",
    "spread": "pictures spread evenly over the set",
    "mistakes": "the mistakes it is surest of",
}
AT_ONCE, CHUNK = 32, 512  # pictures that are predicted in one pass, and kept in one file
SHEET = 12_000_000  # pixels of a contact sheet, about: beyond, its tiles shrink
GAP, GROUND = 4, (255, 255, 255)
NAMED = 10  # unreadable files, at most
ASKED = TargetInput("a class by number or name, for all pictures; by default each one's likeliest", url="")


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture's number in the set, its file, its label where it has one, and which class of the network that is, what
    the network says, and the map."""

    number: int
    file: str
    label: str | None
    truth: str | None
    said: Target
    map: SaliencyMap

    @property
    def wrong(self) -> bool:
        return self.truth not in (None, self.said.name)

    @property
    def name(self) -> str:
        """What the network says; in brackets what it is, where that is something else."""
        return f"{self.said.name} ({self.truth})" if self.wrong else self.said.name


@dataclass(frozen=True, eq=False)
class Gallery(Result):
    """`tiles` in the order asked for; `unreadable` files were left out, and those `without` the class in question."""

    tiles: tuple[Tile, ...]
    unreadable: tuple[str, ...]
    without: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a picture; `min` and `max` are the raw values of its map."""
        ranges = [one.map.range for one in self.tiles]
        table: dict[str, list[Any]] = {
            "picture": [one.number for one in self.tiles],
            "file": [one.file for one in self.tiles],
            "label": [one.label for one in self.tiles],
            "prediction": [one.said.name for one in self.tiles],
            "confidence": [one.said.probability for one in self.tiles],
            "target": [one.map.target.name for one in self.tiles],
            "probability": [one.map.target.probability for one in self.tiles],
            "min": [low for low, _ in ranges],
            "max": [high for _, high in ranges],
        }
        return extended(table, self.columns, table["picture"])

    @property
    def summary(self) -> str:
        lines = [f"{file}: could not be read" for file in self.unreadable]
        lines += [f"{file}: the class is predicted nowhere" for file in self.without]
        return "\n".join([aligned(self.table), *lines])


@view
def compute(
    model: Annotated[Model, MODEL],
    images: Annotated[ImageSet, IMAGES],
    method: Annotated[str, METHOD] = "grad_cam",
    *,
    which: Annotated[str, Choices(*WHICH, help="mistakes: those it is surest of, of pictures with labels")] = "first",
    count: Annotated[int, Range(1, 1000, help="pictures, at most")] = 24,
    target: Annotated[int | str | None, ASKED] = None,
    layer: Annotated[str | None, Layer("for methods that look into one", url="")] = None,
    region: Annotated[Any, REGION] = None,
    where: Annotated[str, Choices("", help="COLUMN=VALUE: only these pictures", more="of label or their table")] = "",
    progress: Progress = unheard,
    kept: Kept | None = None,
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> Gallery:
    """The maps of some pictures of a set, each for its own predicted class, or all for one class.

    `region` as saliency takes it: the same box or mask on all, or on each where its class is predicted. What is
    finished is `kept`, so that work which was interrupted goes on where it was. Files that cannot be read, and pictures
    on which the class is predicted nowhere, are left out and said. Raises BadFile where none can be read, BadValue for
    mistakes of pictures without labels, NotSupported where there is no mistake.
    """
    wanted = None if target in (None, "") else model.target(target, None)
    place = layer_for(model, layer) if CHECKED[method].takes("layer") else None
    labels = truth_of(model, images)
    some = rows_where(said_of(images), where, len(images)) if where else None
    numbers: Sequence[int] = range(len(images)) if some is None else some
    if which == "spread":
        places = np.unique(np.linspace(0, len(numbers) - 1, count).round().astype(int)).tolist()
        numbers = [numbers[place] for place in places]
    elif which == "mistakes":
        numbers = _mistakes(model, images, labels, numbers, progress, kept)
    numbers = numbers[:count]
    tiles, unreadable, without, why = [], [], [], None
    extent = None if region is None else REGION.text(region, {"model": model})
    for done, number in enumerate(numbers):
        file = images.called(number)
        progress(done, len(numbers), file)
        try:
            picture = prepare(model, images[number])
        except BadFile:
            unreadable.append(file)
            continue
        of = [model.digest, picture.facts["pixels"], method, sorted(options.items()), wanted, place, extent, VERSION]
        still = partial(_still, progress, done, len(numbers), file)
        make = partial(_made, model, picture, method, options, wanted, place, region, still)
        try:
            said, one = _remembered(picture, method, f"map-{sha256(repr(of).encode())[:32]}.npz", make, kept)
        except NowhereError as error:
            without.append(file)
            why = error
            continue
        label = None if images.labels is None or images.labels[number] < 0 else images.classes[images.labels[number]]
        truth = model.classes[labels[number]] if labels[number] >= 0 else None
        tiles.append(Tile(number, file, label, truth, said, one))
    if not tiles and why is not None and not unreadable:
        raise why
    if not tiles:
        raise BadFile(f"None of the pictures of {images.name!r} can be read: {_some(unreadable)}.")
    progress(len(numbers), len(numbers), "done")
    return Gallery(
        tiles=tuple(tiles),
        unreadable=tuple(unreadable),
        without=tuple(without),
        columns=images.columns,
        facts={
            "target": None if wanted is None else Target(wanted, model.classes[wanted], 0.0, None),
            "layer": place,
            "pictures": [one.number for one in tiles],
        },
    )


def said_of(images: ImageSet) -> dict[str, Sequence[Any]]:
    """By what some of the pictures can be meant: their label, and their table."""
    if images.labels is None:
        return dict(images.columns)
    return {**images.columns, "label": [images.classes[k] if k >= 0 else None for k in images.labels.tolist()]}


def _still(progress: Progress, at: int, of: int, file: str, done: float, total: float, message: str = "") -> None:
    """While a picture's map is made, its work is told as the gallery's."""
    progress(at, of, file)


def _mistakes(
    model: Model,
    images: ImageSet,
    labels: NDArray[np.int64],
    among: Sequence[int],
    progress: Progress,
    kept: Kept | None,
) -> list[int]:
    """Those of the pictures that the network takes for something else, the surest first."""
    known = np.asarray(among, int)
    known = known[labels[known] >= 0]
    if not len(known):
        raise BadValue(
            f"The pictures of {images.name!r} have no labels that are classes of {model.name!r}; a mistake is a "
            "prediction that differs from the label."
        )
    found = []
    for start in range(0, len(known), CHUNK):
        some = known[start : start + CHUNK].tolist()
        of = [model.digest, images.digest, some, VERSION]
        name = f"predictions-{sha256(repr(of).encode())[:32]}.npy"
        made = _array(kept.get(name), (2, len(some))) if kept is not None else None
        if made is None:

            def predicted(done: int, start: int = start) -> None:
                progress(start + done, len(known), "predicted, to find the mistakes")

            made = _predicted(model, images, some, predicted)
            if kept is not None:
                kept.put(name, _npy(made))
        found.append(made)
    said, sure = np.concatenate(found, 1)
    wrong = np.flatnonzero((said >= 0) & (said != labels[known]))
    if not len(wrong):
        raise NotSupported(f"{model.name!r} makes no mistake on the {len(known):,} pictures of {images.name!r}.")
    return [int(k) for k in known[wrong[np.argsort(-sure[wrong], kind="stable")]]]


def _predicted(
    model: Model, images: ImageSet, numbers: Sequence[int], on_batch: Callable[[int], object]
) -> NDArray[np.float64]:
    """The likeliest class of each picture, -1 of one that cannot be read, and its probability (2, N)."""
    found = np.full((2, len(numbers)), -1.0)
    for start in range(0, len(numbers), AT_ONCE):
        on_batch(start)
        pictures = {}
        for k in range(start, min(start + AT_ONCE, len(numbers))):
            try:
                pictures[k] = images[numbers[k]]
            except BadFile:
                continue
        if pictures:
            best = model.chances(model.scores(list(pictures.values()))).max(1)
            found[0, list(pictures)], found[1, list(pictures)] = best.indices.numpy(), best.values.numpy()
    return found


def _made(
    model: Model,
    picture: PreparedPicture,
    method: str,
    options: Mapping[str, Any],
    wanted: int | None,
    layer: str | None,
    region: Any,
    progress: Progress,
) -> tuple[Target, SaliencyMap]:
    """What the network says of a picture, and the map."""
    scores = model.ask(picture.batch)[0]
    said = class_of(model, scores, int(scores.argmax()))
    if region is None:
        within, target = model, said if wanted is None else class_of(model, scores, wanted)
    else:
        within, target = target_within(model, picture.batch, wanted, None, region)
        said = target if wanted is None else said
    return said, make_map(ask(within, picture, target, method, options, layer), picture, target, progress)


# What is kept --------------------------------------------------------------------------------------------------------


def _remembered(
    picture: PreparedPicture,
    method: str,
    name: str,
    make: Callable[[], tuple[Target, SaliencyMap]],
    kept: Kept | None,
) -> tuple[Target, SaliencyMap]:
    content = kept.get(name) if kept is not None else None
    if content:
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                said, target = (Target(*one) for one in json.loads(str(file["card"])))
                return said, SaliencyMap(method, file["raw_map"], target, None, picture.crop)
        except Exception:  # damaged, by whatever: numpy and zipfile raise a dozen kinds
            pass
    said, made = make()
    if kept is not None:
        file = io.BytesIO()
        np.savez(file, raw_map=made.raw_map, card=np.array(json.dumps([said, made.target])))
        kept.put(name, file.getvalue())
    return said, replace(made, expected_sum=None)


def _array(content: bytes | None, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """None where it is damaged."""
    try:
        found: NDArray[np.float64] = np.load(io.BytesIO(content or b""), allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    return found if found.shape == shape else None


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


# Drawn ---------------------------------------------------------------------------------------------------------------


@drawn
def render(
    result: Gallery,
    *,
    mode: Annotated[str, MODE] = "absolute",
    opacity: Annotated[float, OPACITY] = 0.5,
    clip: Annotated[float, CLIP] = 99.5,
    colours: Annotated[str, COLOURS] = "inferno",
    scale: Annotated[str, Choices("each", "all", help="maps that have one scale")] = "each",
    pair: Annotated[bool, Choices(True, False, help="the picture itself beside each map")] = False,
    columns: Annotated[int, Range(1, 40, help="pictures in a row, of which a pair is two")] = 6,
) -> Figure:
    """A contact sheet of the maps over their pictures. Its zip has each of them as a file of its own, in the network's
    input size: the picture with the map as PNG, the raw values as NPY, and the table."""
    maps = [one.map for one in result.tiles]
    shared = scale_for(maps, mode, clip, colours) if scale == "all" else None

    def over(one: SaliencyMap) -> Pixels:
        own = shared if scale == "all" else scale_for([one], mode, clip, colours)
        made = draw(one, own, mode, opacity)[1]
        return np.concatenate([one.crop, made], 1) if pair else made

    def overlaid(one: SaliencyMap) -> bytes:
        return png(over(one))

    height, width = maps[0].crop.shape[0], maps[0].crop.shape[1] * (2 if pair else 1)
    factor = min(1.0, (SHEET / (len(maps) * height * width)) ** 0.5)
    tiles = np.stack([_shrunk(over(one), factor) for one in maps])
    columns = min(max(1, columns // 2) if pair else columns, len(tiles))
    label, data, model = maps[0].label, result.facts["data"], result.facts["model"]
    whose = {
        "first": f"the first {len(tiles)} pictures of {data}",
        "spread": f"{len(tiles)} pictures of {data}",
        "mistakes": f"the {len(tiles)} mistakes that {model} is surest of, on {data}",
    }[result.facts["which"]]
    asked = f", for {maps[0].target.name}" if "target" in result.facts else ""
    title = f"{label} on {whose}{only(result.facts)}{asked}{_within(result.facts)}"
    table = result.table
    files: dict[str, Callable[[], bytes] | bytes] = {}
    for k, one in enumerate(result.tiles, 1):
        name = f"{k:04}-{re.sub(r'[^A-Za-z0-9]+', '-', Path(one.file).stem).strip('-')[:60]}"
        files |= {f"{name}.png": partial(overlaid, one.map), f"{name}.npy": partial(_npy, one.map.heat)}
    figure = Figure(
        title=title,
        panels=(
            Panel(
                contact_sheet(tiles, columns, GAP, background=GROUND),
                scale=shared,
                names=tuple(f"{one.said.confidence_text} {one.name}" for one in result.tiles),
                grid=Grid(columns, tiles.shape[1], tiles.shape[2], GAP),
            ),
        ),
        columns=1,
        facts=result.facts,
        note=_note(result, scale, asked),
        arrays={"maps": np.stack([one.raw_map for one in maps]), "pictures": np.array(table["picture"])},
        table=table,
        alt=f"Contact sheet: {title}",
    )
    return replace(figure, bundle={**files, "maps.csv": partial(figure.encode, "csv")})


def _within(facts: Mapping[str, Any]) -> str:
    region = facts.get("region")
    return "" if region is None else f", {'where it is predicted' if isinstance(region, str) else 'within a region'}"


def _note(result: Gallery, scale: str, asked: str) -> str:
    sure = any(one.said.probability is not None for one in result.tiles)
    words = f"Under each map stands {'how sure the network is, and of what' if sure else 'the score, and of what'}"
    words += "; in brackets what it is." if any(one.wrong for one in result.tiles) else "."
    words += f" All maps are{asked}." if asked else " Each map is for the class that the network sees."
    empty = sum(one.map.range[1] <= 0 for one in result.tiles)
    words += f" No positive evidence: {empty} of {len(result.tiles)} maps." if empty else ""
    words += " One scale for all." if scale == "all" else " Each has a scale of its own."
    if result.unreadable:
        files = "One file" if len(result.unreadable) == 1 else f"{len(result.unreadable)} files"
        words += f" {files} could not be read: {_some(result.unreadable)}."
    if result.without:
        words += f" Left out, as the class is predicted nowhere on them: {_some(result.without)}."
    return f"{words} {CAVEAT}"


def _shrunk(tile: Pixels, factor: float) -> Pixels:
    if factor == 1:
        return tile
    height, width = (max(1, round(side * factor)) for side in tile.shape[:2])
    return np.asarray(Image.fromarray(tile).resize((width, height), Image.Resampling.BOX))


def _some(files: Sequence[str]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return ", ".join(shorten(file) for file in files[:NAMED]) + more
