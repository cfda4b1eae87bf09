"""redraw: a figure again from the facts inside an exported one, as each view's compute and render made it.

    redraw(read_facts("cat.png")).save("cat.pdf")

A new view is one function `(facts, open) -> Figure` in VIEWS. Facts are written by others: each is checked before it is
used, none is taken for a path, and what is loaded is compared with the digests that the facts name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from ..data import list_images
from ..embedding.projection import PROJECTIONS
from ..errors import BadFile, BadValue, ExplainError, Unknown, shorten
from ..figure import Figure
from ..images import cover
from ..index import Index, read_manifest
from ..nets import NETS
from ..network.model import Model
from ..network.zoo import list_models
from ..registry import options_of
from ..store import sha256
from ..views import (
    activations,
    anatomy,
    augmentations,
    channel,
    channel_health,
    compare,
    confusion,
    embedding,
    filters,
    hierarchy,
    lectures,
    neighbours,
    output_size,
    patches,
    saliency,
    training_curves,
    trust,
    unit,
)
from .indexes import list_indexes
from .kept import embed
from .models import list_runs, load_model, model_folder
from .pictures import open_picture

__all__ = ["VIEWS", "Facts", "Opener", "find_index", "is_model_name", "is_reference", "redraw"]

LONGEST, MOST, LARGEST = 2000, 100_000, 1 << 53  # of a text, of a list, of a number's size
MOST_MAPS = 100  # of a grid: each is computed
MOST_PLACED = 20
OF_TRUST = ("portions", "check_seed", "stages", "progress")
_FAMILY = re.compile(r"(torchvision|timm):[\w.-]+")


def redraw(facts: Mapping[str, Any], *, model: Any = None, index: Any = None, image: Any = None) -> Figure:
    """The figure that these facts are of.

    model, index, image: where the facts do not lead to them: a Model or its name; an Index or its folder; a picture,
    its path, or several. Raises ExplainError for facts that are not a view's, and where something was another then.
    """
    return Opener(model, index, image).redraw(facts)


@dataclass(frozen=True)
class Facts:
    """Facts whose values come out as the kind asked for, or not at all. Raises BadValue."""

    all: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.all, Mapping):
            raise BadValue(f"Facts are names with values, not a {type(self.all).__name__}.")

    def has(self, name: str) -> bool:
        return self.all.get(name) is not None

    def text(self, name: str) -> str:
        return str(self._checked(name, str, "text"))

    def number(self, name: str) -> int:
        return int(self._checked(name, int, "a whole number"))

    def part(self, name: str) -> Facts:
        return Facts(self._checked(name, Mapping, "names with values")) if self.has(name) else Facts({})

    def numbers(self, name: str) -> list[int]:
        return [Facts({name: one}).number(name) for one in self._list(name)]

    def texts(self, name: str) -> list[str]:
        return [Facts({name: one}).text(name) for one in self._list(name)]

    def options(self, name: str) -> dict[str, Any]:
        """Plain values by name: text, numbers, true or false."""
        found = {str(key): value for key, value in self.part(name).all.items()}
        for key, value in found.items():
            if not isinstance(value, bool):
                Facts(found)._checked(key, str | int | float, "text, a number, true or false")
        return found

    def style(self, render: Callable[..., Figure]) -> dict[str, Any]:
        """The recorded style, of those that the function has; it checks their values."""
        style, valid = self.options("style"), options_of(render)
        for name in style:
            if name not in valid:
                raise Unknown("style in the facts:", name, valid)
        return style

    def _list(self, name: str) -> Sequence[Any]:
        found = self.all.get(name)
        if not isinstance(found, list | tuple) or len(found) > MOST:
            raise BadValue(f"The facts lack {name!r}, or it is not a list of at most {MOST} entries.")
        return found

    def _checked(self, name: str, kind: Any, wanted: str) -> Any:
        value = self.all.get(name)
        if value is None:
            raise BadValue(f"The facts lack {name!r}: they are not of a figure that this version can draw again.")
        size = len(value) / LONGEST if isinstance(value, str) else 0.0
        if isinstance(value, int):
            size = abs(value) / LARGEST if value.bit_length() < 64 else 2.0  # repr of a huge one would raise
        if size > 1:
            raise BadValue(f"{shorten(name)} in the facts is too large.")
        if not isinstance(value, kind) or isinstance(value, bool):
            plain = isinstance(value, str | int | float)
            said = shorten(value) if plain else f"a {type(value).__name__}"  # who knows what is in it
            raise BadValue(f"{shorten(name)} in the facts is {said}, not {wanted}.")
        return value


class Opener:
    """What figures are drawn from again, each loaded once: what is given first, else what the facts lead to."""

    def __init__(self, model: Any = None, index: Any = None, image: Any = None) -> None:
        self._index: Index | None = Index(index) if isinstance(index, str | Path) else index
        self._model: Model | None = load_model(str(model)) if isinstance(model, str | Path) else model
        many = image if isinstance(image, list | tuple) else [] if image is None else [image]
        self._images = [open_picture(str(one)) if isinstance(one, str | Path) else one for one in many]
        self._models: dict[str, Model] = {}
        self._indexes: dict[Path, Index] = {}

    def redraw(self, facts: Mapping[str, Any]) -> Figure:
        """The figure of these facts. Raises ExplainError."""
        checked = Facts(facts)
        name = checked.text("view")
        if name not in VIEWS:
            raise Unknown("view in the facts:", name, VIEWS)
        return VIEWS[name](checked, self)

    def model(self, facts: Facts) -> Model:
        """Raises Unknown, or BadValue where it has other weights now."""
        name, digest = facts.text("model"), facts.text("model_digest")
        given = self._model if self._index is None or self._model is not None else self._index.model
        if given is not None and given.digest == digest:
            return given
        if is_model_name(name):
            if name not in self._models:
                self._models[name] = load_model(name)
            if self._models[name].digest == digest:
                return self._models[name]
        elif given is None:
            raise Unknown("model in the facts:", name, list_models(), "Give the model that the figure was made with.")
        which = "the one given" if given is not None else "those it has here"
        raise BadValue(
            f"The figure was made with other weights of {shorten(name)} than {which}; give the model it was made with."
        )

    def picture(self, facts: Facts, model: Model) -> Any:
        """The picture that the net saw. Raises BadFile where it is not kept, BadValue where it was another."""
        name, digest = facts.text("image") if facts.has("image") else "", facts.text("pixels")
        for given in self._images:
            found = _covered(facts, given)
            if _pixels(model, found) == digest:
                return _named(found, name)
        if not is_reference(name):
            what = f"the picture {shorten(name)}" if name else "a picture without a name"
            if self._images:
                raise BadValue(f"The figure was made of {what}, with other pixels than those of the picture given.")
            raise BadFile(f"The figure was made of {what}, which is not kept here; give the picture's file as image.")
        found = _covered(facts, open_picture(name))
        if _pixels(model, found) != digest:
            raise BadValue(f"The figure was made with another picture than {shorten(name)} is now.")
        return found

    def pictures(self, names: Sequence[str]) -> list[Any]:
        """The pictures of these names, or those given where they are as many. Raises BadFile for one not kept."""
        options_of(augmentations.compute)["count"].check(len(names))
        if len(self._images) == len(names):
            return [_named(image, name) for image, name in zip(self._images, names, strict=True)]
        for name in names:
            if not is_reference(name):
                raise BadFile(
                    f"The figure was made of {len(names)} pictures; {shorten(name)} is not kept here: give the "
                    "files of all as image, in their order."
                )
        return [open_picture(name) for name in names]

    def index(self, facts: Facts) -> Index:
        """Raises BadValue or BadFile where there is none of this model over these pictures."""
        model = self.model(facts)
        if self._index is not None:
            if problem := _other(facts, self._index.manifest, len(self._index)):
                raise BadValue(problem)
            return self._index
        folder = find_index(facts, model)[1]
        if folder not in self._indexes:
            self._indexes[folder] = Index(folder, model)
        return self._indexes[folder]

    def run(self, facts: Facts) -> training_curves.Run:
        """A training of the workspace, or a model's history. Raises Unknown, or BadValue where it went on since."""
        name = facts.text("name")
        if name in (known := list_runs()):
            found = training_curves.run_of(known[name])
        elif self._model is not None and self._model.name == name:
            found = training_curves.run_of(self._model)
        elif name in list_models():
            found = training_curves.run_of(load_model(name))
        else:
            raise Unknown("training in the facts:", name, known)
        if found.digest != facts.text("digest"):
            raise BadValue(f"The training {shorten(name)} is another now, or has gone on since the figure was made.")
        return found

    def query(self, facts: Facts, index: Index) -> Any:
        """The picture that an index was asked about: its number there, or another picture."""
        if not facts.has("number"):
            return self.picture(facts, index.model)
        number = facts.number("number")
        known = 0 <= number < len(index)
        if known and facts.has("pixels") and _pixels(index.model, index.images[number]) != facts.text("pixels"):
            raise BadValue(f"The figure was made with another picture than number {number} of the index is now.")
        return number


def is_model_name(name: str) -> bool:
    """Whether a model is known by this name alone: nothing that facts say is taken for a path."""
    lecture = name.partition("?")[0] in NETS and "/" not in name
    own = model_folder(name) is not None
    return name in list_models() or own or lecture or _FAMILY.fullmatch(name) is not None


def is_reference(name: str) -> bool:
    """Whether a picture is kept by this name: of a shipped set, or an upload."""
    family, _, key = name.partition("/")
    return bool(key) and family in ("upload", *list_images())


def find_index(facts: Facts, model: Model) -> tuple[str, Path]:
    """The index of the workspace that the facts are of: its name among `indexes(model)`, and its folder.

    Raises BadFile with the command that builds it, BadValue where it is over other pictures now.
    """
    data, problems = facts.text("data"), []
    for name, folder in list_indexes(model).items():
        try:
            known = read_manifest(folder)
        except ExplainError:  # removed, or being written
            continue
        if known.data == data:
            problem = _other(facts, known, sum(shard.images for shard in known.shards))
            if not problem:
                return name, folder
            problems.append(problem)
    if problems:
        raise BadValue(f"{problems[0]} Build one like it: {_command(facts, model)}")
    raise BadFile(
        f"There is no index of {model.name!r} over {shorten(data)} in the workspace; build it: {_command(facts, model)}"
    )


def _other(facts: Facts, known: Any, images: int) -> str:
    """How an index is another than the one that the facts are of; empty when it is not."""
    options = facts.part("index")
    if known.model_digest != facts.text("model_digest"):
        return f"The index over {known.data!r} was made with other weights than the figure."
    if known.data_digest != facts.text("data_digest") or images != facts.number("images"):
        return f"The figure was made with other pictures than the index over {known.data!r} has now."
    for name in ("k", "seed"):
        if options.has(name) and options.number(name) != getattr(known, name):
            return f"The index over {known.data!r} has {name}={getattr(known, name)}, not {options.number(name)}."
    if options.has("layers") and options.texts("layers") != list(known.layers):
        return f"The index over {known.data!r} has other layers than the figure's."
    return ""


def _command(facts: Facts, model: Model) -> str:
    """The command line of an index like the one that the facts are of."""
    data, options = facts.text("data"), facts.part("index")
    parts = ["python -m explain index", model.name, data if data in list_images() else "FOLDER"]
    if facts.has("images"):
        parts += ["--limit", str(facts.number("images"))]
    for name, flag, usual in (("k", "-k", 16), ("seed", "--seed", 0)):
        if options.has(name) and options.number(name) != usual:
            parts += [flag, str(options.number(name))]
    if options.has("layers"):
        parts += ["--layers", *options.texts("layers")[:50]]
    return " ".join(parts)


def _pixels(model: Model, image: Any) -> str:
    return sha256(model.preprocess.crop(image).tobytes())


def _covered(facts: Facts, image: Any) -> Any:
    """The picture with the parts covered that were covered in the figure."""
    if not facts.has("covered"):
        return image
    covered = facts.part("covered")
    boxes = [Facts({"box": box}).numbers("box") for box in covered._list("boxes")]
    return cover(image, boxes, covered.text("fill"))


def _named(image: Any, name: str) -> Any:
    """The picture under the name it had, so that the figure says the same."""
    if isinstance(image, Image.Image):
        image = image.copy()
        image.info["name"] = name
    return image


# Views ---------------------------------------------------------------------------------------------------------------


def _anatomy(facts: Facts, open: Opener) -> Figure:
    return anatomy.render(anatomy.compute(open.model(facts)), **facts.style(anatomy.render))


def _augmentations(facts: Facts, open: Opener) -> Figure:
    names, labels = facts.texts("images"), facts.texts("labels")
    plan = [_step(step) for step in facts._list("plan")]
    numbers = {name: facts.number(name) for name in ("draws", "seed", "size")}
    result = augmentations.compute(open.pictures(names), plan, labels, count=len(names), **numbers)
    if result.facts["pixels"] != facts.text("pixels"):
        raise BadValue(f"The figure was made with other pictures than {shorten(names)} are now.")
    return augmentations.render(result, **facts.style(augmentations.render))


def _step(step: Any) -> tuple[str, dict[str, Any]]:
    """A name with options."""
    parts = Facts({"step": step})._list("step")
    if len(parts) != 2:
        raise BadValue("A step of the plan in the facts is not a name with options.")
    return Facts({"name": parts[0]}).text("name"), Facts({"options": parts[1]}).options("options")


def _compare(facts: Facts, open: Opener) -> Figure:
    result = compare.compute(open.model(facts), open.model(facts.part("second")))
    return compare.render(result, **facts.style(compare.render))


def _output_size(facts: Facts, _: Opener) -> Figure:
    given, valid = facts.options("options"), options_of(output_size.compute)
    for name in given:
        if name not in valid:
            raise Unknown("option in the facts:", name, valid)
    return output_size.render(output_size.compute(**given), **facts.style(output_size.render))


def _lectures(facts: Facts, _: Opener) -> Figure:
    return lectures.render(lectures.compute(facts.text("table")), **facts.style(lectures.render))


def _filters(facts: Facts, open: Opener) -> Figure:
    result, style = filters.compute(open.model(facts), facts.text("layer")), facts.style(filters.render)
    if not facts.has("second"):
        return filters.render(result, **style)
    other = facts.part("second")
    return filters.render_pair(result, filters.compute(open.model(other), other.text("layer")), **style)


def _activations(facts: Facts, open: Opener) -> Figure:
    model, layer = open.model(facts), facts.text("layer")
    result = activations.compute(model, open.picture(facts, model), layer)
    if facts.has("second"):
        other = activations.compute(model, open.picture(facts.part("second"), model), layer)
        return activations.render_pair(result, other, **facts.style(activations.render_pair))
    if facts.has("channel"):
        style = facts.style(activations.render_channel)
        return activations.render_channel(result, facts.number("channel"), **style)
    return activations.render(result, **facts.style(activations.render))


def _saliency(facts: Facts, open: Opener) -> Figure:
    if not facts.has("grid"):
        return saliency.render(_map(facts, open), **facts.style(saliency.render))
    rows = [Facts({"row": row})._list("row") for row in facts._list("grid")]
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows) or len(rows) * len(rows[0]) > MOST_MAPS:
        raise BadValue(f"The grid in the facts is not rows of as many maps each, at most {MOST_MAPS} in all.")
    maps = [[_map(Facts({**facts.all, **Facts(cell).all}), open) for cell in row] for row in rows]
    style = facts.options("style")
    return saliency.render_grid(maps, **style)


def _map(facts: Facts, open: Opener) -> saliency.Saliency:
    """A saliency map, without a drawing."""
    model = open.model(facts)
    layer, unit = (facts.text(name) if facts.has(name) else None for name in ("layer", "unit"))
    target, method = facts.number("target_index"), facts.text("method")
    return saliency.compute(model, open.picture(facts, model), method, target, layer, unit, **_options(facts))


def _trust(facts: Facts, open: Opener) -> Figure:
    model = open.model(facts)
    layer, unit = (facts.text(name) if facts.has(name) else None for name in ("layer", "unit"))
    asked = facts.text("method"), facts.number("target_index"), layer, unit
    options = _options(facts) | {name: facts.number(name) for name in ("portions", "check_seed")}
    options["stages"] = facts.text("stages")
    result = trust.compute(model, open.picture(facts, model), *asked, **options)
    return trust.render(result, **facts.style(trust.render))


def _unit(facts: Facts, open: Opener) -> Figure:
    model = open.model(facts)
    where = facts.text("layer"), facts.number("channel"), facts.numbers("position"), facts.text("method")
    result = unit.compute(model, open.picture(facts, model), *where, **_options(facts))
    return unit.render(result, **facts.style(unit.render))


def _options(facts: Facts) -> dict[str, Any]:
    """Options of a method, which is given by position: a name of the function's own would be given twice."""
    options = facts.options("options")
    for name in ("model", "image", "method", "target", "layer", "unit", "channel", "position", *OF_TRUST):
        if name in options:
            raise BadValue(f"{name!r} is no option of a method, as the facts have it.")
    return options


def _patches(facts: Facts, open: Opener) -> Figure:
    result = patches.compute(
        open.index(facts), facts.text("layer"), facts.numbers("channels"), facts.text("ranking"), facts.number("count")
    )
    return patches.render(result, **facts.style(patches.render))


def _channel(facts: Facts, open: Opener) -> Figure:
    index = open.index(facts)
    picture = open.query(facts, index)
    result = channel.compute(index, facts.text("layer"), facts.number("channel"), picture, facts.text("replace"))
    return channel.render(result, **facts.style(channel.render))


def _channel_health(facts: Facts, open: Opener) -> Figure:
    return channel_health.render(
        channel_health.compute(open.index(facts), facts.text("layer")), **facts.style(channel_health.render)
    )


def _confusion(facts: Facts, open: Opener) -> Figure:
    pictures = facts.numbers("pictures") if facts.has("pictures") else None
    result = confusion.compute(open.index(facts), pictures, count=facts.number("count"))
    return confusion.render(result, **facts.style(confusion.render))


def _hierarchy(facts: Facts, open: Opener) -> Figure:
    index = open.index(facts)
    result = hierarchy.compute(index, open.query(facts, index), facts.number("channels"))
    return hierarchy.render(result, **facts.style(hierarchy.render))


def _neighbours(facts: Facts, open: Opener) -> Figure:
    index = open.index(facts)
    result = neighbours.compute(index, open.query(facts, index), k=facts.number("k"), metric=facts.text("metric"))
    return neighbours.render(result, **facts.style(neighbours.render))


def _embedding(facts: Facts, open: Opener) -> Figure:
    index, method = open.index(facts), facts.text("method")
    options = PROJECTIONS[method].check(facts.options("options"))
    if facts.has("layer"):
        options |= {"layer": facts.text("layer"), "pooling": facts.text("pooling")}
    if facts.has("count"):
        options["count"] = facts.number("count")
    result = embed(index, method, **options)
    placed = facts.all.get("placed", [])
    if not isinstance(placed, list) or len(placed) > MOST_PLACED:
        raise BadValue(f"'placed' in the facts is not a list of at most {MOST_PLACED} pictures.")
    pictures = [open.picture(Facts(one), index.model) for one in placed]
    marked = tuple(embedding.project_point(result, picture) for picture in pictures)
    return embedding.render(replace(result, placed=marked), **facts.style(embedding.render))


def _training_curves(facts: Facts, open: Opener) -> Figure:
    runs = [open.run(Facts(one)) for one in facts._list("runs")[: training_curves.MOST + 1]]
    return training_curves.render(training_curves.compute(*runs), **facts.style(training_curves.render))


VIEWS: dict[str, Callable[[Facts, Opener], Figure]] = {
    "activations": _activations,
    "anatomy": _anatomy,
    "compare": _compare,
    "output_size": _output_size,
    "augmentations": _augmentations,
    "channel_health": _channel_health,
    "channel": _channel,
    "confusion": _confusion,
    "embedding": _embedding,
    "filters": _filters,
    "hierarchy": _hierarchy,
    "lectures": _lectures,
    "neighbours": _neighbours,
    "patches": _patches,
    "saliency": _saliency,
    "training_curves": _training_curves,
    "trust": _trust,
    "unit": _unit,
}
