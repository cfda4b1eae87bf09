"""What views ask for: a kind of input is one codec between what people write and what `compute` takes.

    def compute(index: Annotated[Index, INDEX], layer: Annotated[str, LAYER], *, k: Annotated[int, Range(1, 50)] = 8)

Each knows its text (command line, URL), its facts (read with their digests checked), its Python, and what it depends
on: `given` holds the values of the parameters before it. What has only a Range or Choices is an option.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import BadFile, BadValue, Unknown, shorten
from ..registry import Choices, Option, Range
from .facts import Facts

if TYPE_CHECKING:
    from ..index import Index
    from ..network.model import Model

__all__ = [
    "CHANNEL",
    "IMAGES",
    "INDEX",
    "LAYER",
    "MEASURED",
    "MODEL",
    "PICTURE",
    "PICTURES",
    "PLAN",
    "POSITION",
    "QUERY",
    "RUN",
    "TARGET",
    "Channel",
    "EntryName",
    "EntryOptions",
    "Input",
    "Layer",
    "Opener",
    "Plain",
    "Several",
]

Given = Mapping[str, Any]
LARGEST = 1 << 20  # characters of what was measured
NONE = "none"


class Opener(Protocol):
    """Opens by name what inputs speak of; `given_*` are what the user has put in the place of names. Raises
    ExplainError."""

    given_model: Model | None
    given_index: Index | None
    given_images: Sequence[Any]

    def model(self, name: str) -> Any: ...
    def index(self, name: str) -> Any: ...
    def picture(self, name: str) -> Any: ...
    def images(self, name: str) -> Any: ...
    def knows_images(self, name: str) -> bool: ...
    def run(self, name: str) -> Any: ...
    def knows_run(self, name: str) -> bool: ...
    def knows_model(self, name: str) -> bool: ...
    def knows_picture(self, name: str) -> bool: ...
    def find_index(self, facts: Facts, model: Model) -> Index: ...


class Input:
    """A kind of input.

    own: the parameter's name whose facts stand among the figure's own instead of under the parameter's name.
    url: what it is called in the URL, where all pages share one choice. opened: it is a line of its own in Python.
    positional: without a default it needs no flag on the command line. words: how many it takes there.
    follows: names in the URL of what it is of; where they change, it is let go of.
    """

    metavar: str = "VALUE"
    help: str = ""
    own: str = ""
    url: str = ""
    opened: bool = False
    positional: bool = False
    hidden: bool = False
    words: int | str | None = None
    follows: tuple[str, ...] = ()

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        """The value that a text means, as the command line and the URL have it."""
        return self.check(text, given)

    def check(self, value: Any, given: Given) -> Any:
        """The value as `compute` takes it."""
        return value

    def facts(self, value: Any, given: Given) -> Any:
        """What has to be known of it, as JSON."""
        return value

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """The value that these facts are of; they stand under the name, or among the others for `own`."""
        return self.check(facts.plain(name), given)

    def present(self, facts: Facts, name: str) -> bool:
        """Whether the facts speak of it."""
        return facts.has(name)

    def text(self, value: Any, given: Given) -> str:
        """What `parse` reads."""
        return str(value)

    def python(self, value: Any, given: Given) -> str:
        """An expression for it."""
        return literal(value)


class Plain(Input):
    """An option: what it may be stands in its Range or Choices."""

    def __init__(self, option: Option) -> None:
        self.option, self.help = option, option.help
        self.metavar = {int: "N", float: "X"}.get(option.type, "VALUE")

    def check(self, value: Any, given: Given) -> Any:
        return self.option.check(value)

    def text(self, value: Any, given: Given) -> str:
        return f"{value:.12g}" if isinstance(value, float) else str(value)


class ModelInput(Input):
    metavar, own, url, opened, positional = "MODEL", "model", "model", True, True
    follows = ("model",)  # a second one
    help = "a name from `models`, torchvision:NAME, timm:NAME, a folder or a checkpoint"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.model(text)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"model": value.name, "model_digest": value.digest}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Model:
        """Raises Unknown, or BadValue where it has other weights now."""
        facts = facts if name == self.own else facts.part(name)
        return _model_of(facts, open)

    def text(self, value: Any, given: Given) -> str:
        return str(getattr(value, "name", value))

    def python(self, value: Any, given: Given) -> str:
        return f"explain.load_model({literal(self.text(value, given))})"


class IndexInput(Input):
    metavar, own, url, opened, positional = "INDEX", "index", "index", True, True
    help = "the folder of an index, or the name of one in the workspace"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.index(text)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        from .parts.result import index_facts

        return index_facts(value)

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadValue or BadFile where there is none of this model over these pictures."""
        if open.given_index is not None:
            if problem := other_index(facts, open.given_index.manifest, len(open.given_index)):
                raise BadValue(problem)
            return open.given_index
        return open.find_index(facts, _model_of(facts, open))

    def text(self, value: Any, given: Given) -> str:
        return str(value.folder.name if value.folder.parent.name == "indexes" else value.folder)

    def python(self, value: Any, given: Given) -> str:
        return f"explain.open_index({literal(self.text(value, given))})"


class PictureInput(Input):
    metavar, own, url, opened, positional = "IMAGE", "image", "picture", True, True
    follows: tuple[str, ...] = ("model",)
    help = "a file, or SET/NUMBER such as photos/0"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.picture(text)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        from .parts.result import prepare

        known = value if hasattr(value, "facts") else prepare(_model(given), value)
        return dict(known.facts)

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadFile where it is not kept, BadValue where it was another."""
        return self._picture(facts if name == self.own else facts.part(name), _model(given), open)

    def present(self, facts: Facts, name: str) -> bool:
        return facts.has(name) if name != self.own else facts.has("pixels") or facts.has("number")

    def _picture(self, facts: Facts, model: Model | None, open: Opener) -> Any:
        name, digest = facts.text("image") if facts.has("image") else "", facts.text("pixels")
        for one in open.given_images:
            if hasattr(one, "files"):  # a set
                continue
            found = _covered(facts, one)
            if pixels_of(model, found) == digest:
                return _named(found, name)
        if not open.knows_picture(name):
            what = f"the picture {shorten(name)}" if name else "a picture without a name"
            if open.given_images:
                raise BadValue(f"The figure was made of {what}, with other pixels than those of the picture given.")
            raise BadFile(f"The figure was made of {what}, which is not kept here; give the picture's file as image.")
        found = _covered(facts, open.picture(name))
        if pixels_of(model, found) != digest:
            raise BadValue(f"The figure was made with another picture than {shorten(name)} is now.")
        return found

    def text(self, value: Any, given: Given) -> str:
        return _name_of(value)

    def python(self, value: Any, given: Given) -> str:
        opened = f"explain.open_picture({literal(_name_of(value))})"
        covered = getattr(value, "info", {}).get("covered")
        return f"explain.cover({opened}, {covered['boxes']!r}, {literal(covered['fill'])})" if covered else opened


class QueryInput(PictureInput):
    """A picture of the index, by its number there, or any other; one that is in the index is its number."""

    url, follows = "query", ("model", "index", "picture")
    help = "a number of the index, a file, or SET/NUMBER such as photos/0"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return self.check(text if text.isdecimal() else open.picture(text), given)

    def check(self, value: Any, given: Given) -> Any:
        from ..index.lookup import index_of

        if "covered" in getattr(value, "info", {}):
            return value
        number = index_of(given["index"], value)
        return value if number is None else number

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        if not facts.has("number"):
            return super().read(facts, name, given, open)
        index, number = given["index"], facts.number("number")
        known = 0 <= number < len(index)
        if known and facts.has("pixels") and pixels_of(index.model, index.images[number]) != facts.text("pixels"):
            raise BadValue(f"The figure was made with another picture than number {number} of the index is now.")
        return self.check(number, given)

    def text(self, value: Any, given: Given) -> str:
        from ..index.lookup import reference

        if isinstance(value, int):
            return reference(given["index"], value) or str(value)
        return _name_of(value)

    def python(self, value: Any, given: Given) -> str:
        return str(value) if isinstance(value, int) else super().python(value, given)


class Layer(Input):
    """A layer of the model, or of the index's; of another parameter's model where `of` names it."""

    metavar, help, url, follows = "LAYER", "a name that `anatomy` lists", "layer", ("model",)

    def __init__(self, help: str = "", *, of: str = "", url: str = "layer") -> None:
        self.of, self.url, self.help = of, url, help or self.help

    def check(self, value: Any, given: Given) -> Any:
        if value in (None, ""):
            return None
        if self.of and given[self.of] is None:
            raise BadValue(f"A layer of the {self.of} model was given, {shorten(value)}, but no {self.of} model.")
        return _model(given, self.of).layer(str(value)).name


class Channel(Input):
    """A channel of the layer that another parameter names."""

    metavar, help, url, follows = "CHANNEL", "a number from 0", "channel", ("model", "layer")

    def __init__(self, help: str = "", *, of: str = "layer") -> None:
        self.of, self.help = of, help or self.help

    def check(self, value: Any, given: Given) -> int:
        from ..network.layers import channel_of

        number: int = channel_of(_model(given).layer(given[self.of]), value)
        return number


class PositionInput(Input):
    metavar, help, words = "N", "row and column; by default its strongest response", "+"
    follows = ("model", "layer", "channel")

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return self.check(text.split(","), given) if text else None

    def check(self, value: Any, given: Given) -> tuple[int, ...]:
        layer = _model(given).layer(given["layer"])
        size = layer.shape[1:]
        try:
            place = tuple(int(k) for k in value)
        except (TypeError, ValueError):
            place = (-1,)
        if len(place) != len(size) or not all(0 <= k < n for k, n in zip(place, size, strict=True)):
            ends = f"from {(0,) * len(size)} to {tuple(n - 1 for n in size)}"
            valid = ends if size else "(): it gives a vector"
            raise BadValue(f"Position {shorten(value)} of layer {layer.name!r} is not {valid}.")
        return place

    def facts(self, value: Any, given: Given) -> list[int]:
        return list(value)

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        return self.check(facts.numbers(name), given)

    def text(self, value: Any, given: Given) -> str:
        return ",".join(map(str, value))


class TargetInput(Input):
    """A class, or a channel where a unit is asked about; compute says which it was: a Target."""

    metavar, own, follows = "CLASS", "target", ("model",)
    help = "a class by number or name, or a unit's channel; by default the likeliest"

    def __init__(self, help: str = "", *, url: str = "target") -> None:
        self.url, self.help = url, help or self.help

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"target": value.name, "target_index": value.number}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> int:
        _model(given)  # without it a number says nothing
        return (facts if name == self.own else facts.part(name)).number("target_index")

    def present(self, facts: Facts, name: str) -> bool:
        return facts.has("target_index" if name == self.own else name)

    def text(self, value: Any, given: Given) -> str:
        return str(value.number if hasattr(value, "number") else value)

    def python(self, value: Any, given: Given) -> str:
        return repr(value.number if hasattr(value, "number") else value)


class RunInput(Input):
    metavar, help, positional = "RUN", "a training of the workspace, its folder, or a model with a history", True

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.run(text)

    def check(self, value: Any, given: Given) -> Any:
        from ..training.history import run_of

        return run_of(value)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"name": value.name, "digest": value.digest}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises Unknown, or BadValue where it went on since."""
        facts = facts.part(name)
        if not open.knows_run(facts.text("name")):
            raise Unknown("training in the facts:", facts.text("name"))
        found = open.run(facts.text("name"))
        if found.digest != facts.text("digest"):
            said = shorten(found.name)
            raise BadValue(f"The training {said} is another now, or has gone on since the figure was made.")
        return found

    def text(self, value: Any, given: Given) -> str:
        folder = getattr(value, "folder", None)
        return str(folder if folder and folder.parent.name != "runs" else getattr(value, "name", value))

    def python(self, value: Any, given: Given) -> str:
        return f"explain.open_run({literal(self.text(value, given))})"


class ImagesInput(Input):
    """A set of pictures, whose facts are its name and digest."""

    metavar, own, opened, positional = "DATA", "images", True, True
    help = "a name from `data`, a folder, or a picture"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.images(text)

    def check(self, value: Any, given: Given) -> Any:
        from ..data import ImageSet, load_images

        return value if isinstance(value, ImageSet) else load_images(value)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"data": value.name, "data_digest": value.digest}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadFile where it is no set known by name, BadValue where its pictures are others now."""
        facts = facts if name == self.own else facts.part(name)
        wanted, digest = facts.text("data"), facts.text("data_digest")
        for one in open.given_images:
            if getattr(one, "digest", "") == digest:
                return one
        if not open.knows_images(wanted):
            raise BadFile(f"The figure was made of the pictures {shorten(wanted)}, which are not kept here; give them.")
        found = open.images(wanted)
        if found.digest != digest:
            raise BadValue(f"The figure was made with other pictures than {shorten(wanted)} has now.")
        return found

    def text(self, value: Any, given: Given) -> str:
        return str(value.root or value.name)

    def python(self, value: Any, given: Given) -> str:
        return f"explain.load_images({literal(self.text(value, given))})"


class PicturesInput(ImagesInput):
    """A set of pictures, or several pictures, as a list; without a network."""

    own, help = "", "a name from `data`, a folder, or pictures with commas between"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        names = _split(text)
        if len(names) == 1 and not open.knows_picture(names[0]):
            return self.check(open.images(names[0]), given)
        return self.check([open.picture(name) for name in names], given)

    def check(self, value: Any, given: Given) -> Any:
        found = [_opened(one) for one in value] if isinstance(value, list | tuple) else super().check(value, given)
        if not len(found):
            raise BadValue("There are no pictures; give at least one.")
        return found

    def facts(self, value: Any, given: Given) -> Any:
        if not isinstance(value, list):
            return super().facts(value, given)
        return [{"image": shown(_name_of(one)), "pixels": pixels_of(None, one)} for one in value]

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadFile where they are not kept, BadValue where they are others now."""
        if isinstance(facts.all.get(name), Mapping):
            return super().read(facts, name, given, open)
        return [PICTURE._picture(Facts(one), None, open) for one in facts.several(name, 1000)]

    def text(self, value: Any, given: Given) -> str:
        return _joined(map(_name_of, value)) if isinstance(value, list) else super().text(value, given)

    def python(self, value: Any, given: Given) -> str:
        if not isinstance(value, list):
            return super().python(value, given)
        return f"[{', '.join(PICTURE.python(one, given) for one in value)}]"


class PlanInput(Input):
    """Augmentations in their order, each with its options: "crop:padding=8,fill=reflect,flip", or "none"."""

    metavar, positional, words = "HOW", True, "+"
    help = "augmentations in their order, each NAME or NAME:OPTION=VALUE,...; none for nothing"

    def parse(self, text: str, given: Given, open: Opener | None = None) -> Any:
        steps: list[tuple[str, dict[str, str]]] = []
        for part in map(str.strip, text.split(",")):
            name, _, option = part.partition(":")
            if steps and "=" in name:  # another option of the one before
                name, option = "", part
            if name and name != "none":
                steps.append((name, {}))
            if option and steps:
                key, _, value = option.partition("=")
                steps[-1][1][key.strip()] = value.strip()
        return self.check(steps, given)

    def check(self, value: Any, given: Given) -> Any:
        from ..training.augment import check_plan

        return check_plan(value)

    def facts(self, value: Any, given: Given) -> list[Any]:
        return [[name, dict(options)] for name, options in value]

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        pairs = facts.lists(name)
        steps = [Facts({"name": one[0], "options": one[1]} if len(one) == 2 else {}) for one in pairs]
        return self.check([(step.text("name"), step.options("options")) for step in steps], given)

    def text(self, value: Any, given: Given | None = None) -> str:
        steps = []
        for name, options in self._changed(value):
            said = ",".join(f"{key}={one:.12g}" if isinstance(one, float) else f"{key}={one}" for key, one in options)
            steps.append(f"{name}:{said}" if said else name)
        return ",".join(steps) or "none"

    def python(self, value: Any, given: Given | None = None) -> str:
        steps = [
            f"({literal(name)}, {dict(options)!r})" if options else literal(name)
            for name, options in self._changed(value)
        ]
        return f"[{', '.join(steps)}]"

    def _changed(self, plan: Any) -> list[tuple[str, list[tuple[str, Any]]]]:
        """Each step with those options that are not their defaults."""
        from ..training.augment import AUGMENTATIONS

        return [
            (name, [(key, one) for key, one in options.items() if one != AUGMENTATIONS[name].options[key].default])
            for name, options in self.check(plan, {})
        ]


class EntryName(Input):
    """The name of an entry in a registry, which `where` ("package.module:NAME") leads to when it is needed."""

    metavar = "NAME"

    def __init__(self, where: str, help: str = "", *, url: str = "") -> None:
        self.where, self.help, self.url = where, help or "a wrong name lists them all", url

    @property
    def registry(self) -> Mapping[str, Any]:
        module, _, name = self.where.partition(":")
        found: Mapping[str, Any] = getattr(import_module(module), name)
        return found

    def check(self, value: Any, given: Given) -> str:
        name: str = self.registry[value].name
        return name


class EntryOptions(Input):
    """The options of an entry, which are the catch-all of `compute`; where several are named, as "entry.option"."""

    metavar, help = "KEY=VALUE", "an option of the method"

    def __init__(self, entry: EntryName, of: str = "method") -> None:
        self.entry, self.of = entry, of

    def options(self, given: Given) -> dict[str, Option]:
        """Those that there are, by what they are called here."""
        names = given[self.of]
        if isinstance(names, str):
            return dict(self.entry.registry[names].options)
        found = {name: self.entry.registry[name].options for name in names}
        return {f"{name}.{key}": option for name, own in found.items() for key, option in own.items()}

    def check(self, value: Any, given: Given) -> dict[str, Any]:
        options, names = self.options(given), given[self.of]
        for name in value:
            if name not in options:
                of = names if isinstance(names, str) else ", ".join(names)
                raise Unknown(f"option of {of}", name, options, "" if options else "It has none.")
        return {name: option.check(value.get(name, option.default)) for name, option in options.items()}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> dict[str, Any]:
        return self.check(facts.options(name), given)


class MeasuredInput(Input):
    """Numbers that were measured once, such as seconds: the facts hold them, so that a figure shows the same again."""

    hidden = True

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        value = facts.all.get(name)
        try:
            size = len(json.dumps(value, default=str))
        except ValueError:  # a number of thousands of digits
            size = LARGEST + 1
        if size > LARGEST:
            raise BadValue(f"{shorten(name)} in the facts is too large.")
        return value


class Several(Input):
    """Several values of one kind, with commas between them in a text; what has one inside stands in double quotes.

    least, most: how many; of none at all the text is "none". follows, help: where they are not those of the kind.
    """

    def __init__(
        self,
        of: Input | Range | Choices,
        *,
        url: str = "",
        most: int = 1000,
        least: int = 1,
        follows: tuple[str, ...] | None = None,
        help: str = "",
    ) -> None:
        self.of = of if isinstance(of, Input) else Plain(Option("value", _type_of(of), None, of))
        self.metavar, self.help, self.url = self.of.metavar, help or self.of.help, url
        self.positional, self.words, self.most, self.least = self.of.positional, "+", most, least
        self.follows = self.of.follows if follows is None else follows

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        parts = [] if text == NONE and not self.least else _split(text)
        return self._counted([self.of.parse(part, given, open) for part in parts])

    def check(self, value: Any, given: Given) -> Any:
        many = isinstance(value, Iterable) and not isinstance(value, str | bytes) and not hasattr(value, "tobytes")
        some = list(value) if many else [value]
        return self._counted([self.of.check(one, given) for one in some])

    def _counted(self, values: list[Any]) -> list[Any]:
        if not self.least <= len(values) <= self.most:
            raise BadValue(f"{len(values)} values of {self.metavar} were given; it takes {self.least} to {self.most}.")
        return values

    def facts(self, value: Any, given: Given) -> list[Any]:
        return [self.of.facts(one, given) for one in value]

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        each = (Facts({"each": one}) for one in facts.several(name, self.most))
        return [self.of.read(one, "each", given, open) for one in each]

    def text(self, value: Any, given: Given) -> str:
        return _joined(self.of.text(one, given) for one in value) or NONE

    def python(self, value: Any, given: Given) -> str:
        return f"[{', '.join(self.of.python(one, given) for one in value)}]"


MODEL, INDEX, PICTURE, QUERY = ModelInput(), IndexInput(), PictureInput(), QueryInput()
LAYER, CHANNEL, POSITION, TARGET = Layer(), Channel(), PositionInput(), TargetInput()
RUN, IMAGES, MEASURED = RunInput(), ImagesInput(), MeasuredInput()
PICTURES, PLAN = PicturesInput(), PlanInput()


def shown(name: str) -> str:
    """A picture's name as facts have it: a reference, or a file's name, as where that lies is nobody's business."""
    from ..data import list_images

    return name if name.partition("/")[0] in ("upload", *list_images()) else Path(name).name


def literal(value: Any) -> str:
    """As Python has it, texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def other_index(facts: Facts, known: Any, images: int) -> str:
    """How an index, by its manifest, is another than the one that the facts are of; empty when it is not."""
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


def pixels_of(model: Model | None, image: Any) -> str:
    """The digest of the pixels that the net sees of a picture; without one, of all."""
    from ..store import sha256

    if model is None:
        return sha256(repr((image.mode, image.size)).encode() + image.tobytes())
    return sha256(model.preprocess.crop(image).tobytes())


def _model_of(facts: Facts, open: Opener) -> Model:
    name, digest = facts.text("model"), facts.text("model_digest")
    given = open.given_model
    if given is None and open.given_index is not None:
        given = open.given_index.model
    if given is not None and given.digest == digest:
        return given
    if open.knows_model(name):
        found: Model = open.model(name)
        if found.digest == digest:
            return found
    elif given is None:
        raise Unknown("model in the facts:", name, (), "Give the model that the figure was made with.")
    which = "the one given" if given is not None else "those it has here"
    raise BadValue(
        f"The figure was made with other weights of {shorten(name)} than {which}; give the model it was made with."
    )


def _model(given: Given, of: str = "") -> Model:
    """The model among the values before; another parameter's where `of` names it."""
    if of:
        found: Model = given[of]
    elif "index" in given:
        found = given["index"].model
    else:
        found = given["model"]
    return found


def _covered(facts: Facts, image: Any) -> Any:
    """The picture with the parts covered that were covered in the figure."""
    if not facts.has("covered"):
        return image
    from ..images import cover

    covered = facts.part("covered")
    boxes = [Facts({"box": box}).numbers("box") for box in covered.several("boxes")]
    return cover(image, boxes, covered.text("fill"))


def _named(image: Any, name: str) -> Any:
    """The picture under the name it had, so that the figure says the same."""
    if hasattr(image, "info"):
        image = image.copy()
        image.info["name"] = name
    return image


def _name_of(image: Any) -> str:
    if isinstance(image, str | Path):
        return str(image)
    return str(getattr(image, "facts", {}).get("image") or getattr(image, "info", {}).get("name", ""))


def _opened(image: Any) -> Any:
    """Any picture upright, by the name that it has."""
    from ..images import as_image

    found = as_image(image)
    if isinstance(image, str | Path):
        found.info["name"] = str(image)
    return found


def _split(text: str) -> list[str]:
    try:
        parts = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise BadValue(f"{shorten(text)} is no list with commas: {error}.") from None
    return [part.strip() for part in parts if part.strip()]


def _joined(texts: Iterable[str]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(texts)
    return row.getvalue()


def _type_of(bounds: Range | Choices) -> type:
    if isinstance(bounds, Choices):
        return type(bounds.values[0])
    whole = all(isinstance(end, int) or (math.isfinite(end) and end == int(end)) for end in (bounds.low, bounds.high))
    return int if whole else float
