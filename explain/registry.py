"""Named functions whose signature is the schema of the app's widgets, the CLI's options and the range checks.

    @METHODS.register
    def smooth_grad(net, layer, batch, target, *, samples: Annotated[int, Range(1, 200)] = 25) -> Tensor:

The keyword-only parameters are the options. Their type, default and Range or Choices are read from the signature once;
nothing about an option is written a second time.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from .errors import BadValue, Unknown, shorten

__all__ = ["Choices", "Entry", "Option", "Range", "Registry", "options_of"]


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Range:
    """Lowest and highest value allowed, both included."""

    low: float
    high: float
    help: str = ""


@dataclass(frozen=True)
class Choices:
    """The values allowed, in the order shown."""

    values: tuple[Any, ...]
    help: str = ""

    def __init__(self, *values: Any, help: str = "") -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "help", help)


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter of a registered function."""

    name: str
    type: type
    default: Any
    bounds: Range | Choices | None = None

    @property
    def help(self) -> str:
        return self.bounds.help if self.bounds else ""

    def check(self, value: Any) -> Any:
        """The value in the option's own type; text is parsed, as the command line and the URL need.

        Raises BadValue naming the option, the value and what is allowed.
        """
        try:
            parsed = self._parse(value)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise BadValue(f"Option {self.name}={shorten(value)} is not {self._wanted()}.") from None
        if isinstance(self.bounds, Range) and not self.bounds.low <= parsed <= self.bounds.high:
            raise BadValue(f"Option {self.name}={parsed} is outside {self.bounds.low} to {self.bounds.high}.")
        if isinstance(self.bounds, Choices) and parsed not in self.bounds.values:
            raise Unknown(f"value for option {self.name}:", value, self.bounds.values)
        return parsed

    def _parse(self, value: Any) -> Any:
        if self.type is bool:
            return _BOOLEANS[str(value).lower()]
        if self.type in (int, float):
            if isinstance(value, bool):
                raise TypeError
            number = float(value)
            if not math.isfinite(number) or (self.type is int and number != int(number)):
                raise ValueError
            return self.type(number)
        return self.type(value)

    def _wanted(self) -> str:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        return names.get(self.type, self.type.__name__)


@dataclass(frozen=True)
class Entry:
    """A registered function with its options; calling it checks them first."""

    name: str
    function: Callable[..., Any]
    options: Mapping[str, Option]
    label: str = ""
    slow: bool = False
    libraries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", self.name.replace("_", " ").capitalize())

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def caveat(self) -> str:
        """What the docstring says beyond its first line: when not to believe it."""
        return " ".join((inspect.getdoc(self.function) or "").partition("\n")[2].split())

    def takes(self, parameter: str) -> bool:
        """Whether the function has use for a parameter; the name of one it ignores begins with an underscore."""
        return parameter in inspect.signature(self.function).parameters

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All options with their defaults, each checked. Raises Unknown or BadValue."""
        for name in given:
            if name not in self.options:
                raise Unknown(f"option of {self.name}", name, self.options, "" if self.options else "It has none.")
        return {name: option.check(given.get(name, option.default)) for name, option in self.options.items()}

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(*args, **self.check(options))


@dataclass
class Registry(Mapping[str, Entry]):
    """Functions of one kind by name, in the order they were registered."""

    kind: str
    _entries: dict[str, Entry] = field(default_factory=dict)

    def register(
        self,
        function: Callable[..., Any] | None = None,
        *,
        label: str = "",
        slow: bool = False,
        libraries: tuple[str, ...] = (),
    ) -> Callable[..., Any]:
        """A decorator, with or without a label; without one the label is made of the function's name.

        What is slow takes more than a moment: it is left to a job or to a process of its own. The libraries are the
        packages that do the work, whose versions belong in the facts.
        """
        if function is None:
            return lambda function: self.register(function, label=label, slow=slow, libraries=libraries)
        name = function.__name__
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = Entry(name, function, options_of(function), label, slow, libraries)
        return function

    def __getitem__(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise Unknown(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """The keyword-only parameters of a function as options."""
    hints = get_type_hints(function, include_extras=True)
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        hint, bounds = hints[name], None
        if get_origin(hint) is Annotated:
            hint, bounds = get_args(hint)[:2]
        options[name] = Option(name, hint, parameter.default, bounds)
    return options
