"""What a kind of input is, and those that are of nothing in particular: options, several values, measurements."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import BadValue, shorten
from ...options import Choices, Option, Range
from ..facts import Facts

if TYPE_CHECKING:
    from ...index import Index
    from ...network.model import Model

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
    def pictures_beside(self, name: str) -> Iterable[Any]: ...
    def images_beside(self, name: str) -> Any: ...


class Input:
    """A kind of input.

    own: the parameter's name whose facts stand among the figure's own instead of under the parameter's name.
    url: what it is called in the URL, where all pages share one choice. opened: it is a line of its own in Python.
    positional: without a default it needs no flag on the command line. words: how many it takes there.
    follows: names in the URL of what it is of; where they change, it is let go of. in_python: what the library is
    given, where `help`, which is the command line's, says something else.
    """

    metavar: str = "VALUE"
    help: str = ""
    in_python: str = ""
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

    def type_of(self, declared: Any) -> Any:
        """What type checkers are told, for a type that `compute` declares, or a part of it as in `str | None`."""
        return declared

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

    def __init__(self, option: Option, *, url: str = "", follows: tuple[str, ...] = ()) -> None:
        self.option, self.help, self.url, self.follows = option, option.help, url, follows
        self.metavar = {int: "N", float: "X"}.get(option.type, "VALUE")

    def check(self, value: Any, given: Given) -> Any:
        return self.option.check(value)

    def type_of(self, declared: Any) -> Any:
        return self.option.plain if declared is self.option.type else declared

    def text(self, value: Any, given: Given) -> str:
        return f"{value:.12g}" if isinstance(value, float) else str(value)


class MeasuredInput(Input):
    """Numbers that were measured once, such as seconds: the facts hold them, so that a figure shows the same again."""

    hidden = True
    help = "what was measured or answered before, as the facts of a figure have it"

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
        self.in_python = help or self.of.in_python
        self.positional, self.words, self.most, self.least = self.of.positional, "+", most, least
        self.follows = self.of.follows if follows is None else follows

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        parts = [] if text == NONE and not self.least else split(text)
        return self._counted([self.of.parse(part, given, open) for part in parts])

    def check(self, value: Any, given: Given) -> Any:
        many = isinstance(value, Iterable) and not isinstance(value, str | bytes) and not hasattr(value, "tobytes")
        some = list(value) if many else [value]
        return self._counted([self.of.check(one, given) for one in some])

    def type_of(self, declared: Any) -> Any:
        return self.of.type_of(declared)

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
        return joined(self.of.text(one, given) for one in value) or NONE

    def python(self, value: Any, given: Given) -> str:
        return f"[{', '.join(self.of.python(one, given) for one in value)}]"


def literal(value: Any) -> str:
    """As Python has it, texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def split(text: str) -> list[str]:
    try:
        parts = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise BadValue(f"{shorten(text)} is no list with commas: {error}.") from None
    return [part.strip() for part in parts if part.strip()]


def joined(texts: Iterable[str]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(texts)
    return row.getvalue()


def _type_of(bounds: Range | Choices) -> type:
    if isinstance(bounds, Choices):
        return type(bounds.values[0])
    whole = all(isinstance(end, int) or (math.isfinite(end) and end == int(end)) for end in (bounds.low, bounds.high))
    return int if whole else float
