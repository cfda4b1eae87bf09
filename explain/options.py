"""Options: what a parameter may be stands in its annotation, and is checked where a value comes in.

k: Annotated[int, Range(1, 50, help="how many neighbours")] = 8
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .errors import BadValue, Unknown, shorten

__all__ = ["Choices", "Option", "Range", "options_of"]


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Range:
    """Lowest and highest value allowed, both included."""

    low: float
    high: float
    help: str = ""


@dataclass(frozen=True)
class Choices:
    """The values allowed, in the order shown; `more` says in words what else is, which shows only later."""

    values: tuple[Any, ...]
    help: str = ""
    more: str = ""

    def __init__(self, *values: Any, help: str = "", more: str = "") -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "help", help)
        object.__setattr__(self, "more", more)


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter of a registered function."""

    name: str
    type: type
    default: Any
    bounds: Range | Choices | None = None
    optional: bool = False  # None, or no text, is a value too

    @classmethod
    def of(cls, name: str, hint: Any, default: Any) -> Option:
        """As an annotation says: int, int | None, Annotated[int, Range(1, 9)]."""
        bounds = None
        if get_origin(hint) is Annotated:
            hint, bounds = get_args(hint)[:2]
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        if len(kinds) == 1 and len(get_args(hint)) == 2:
            return cls(name, kinds[0], default, bounds, optional=True)
        return cls(name, hint, default, bounds)

    @property
    def help(self) -> str:
        return self.bounds.help if self.bounds else ""

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @property
    def allowed(self) -> str:
        """Its valid values in words."""
        if isinstance(self.bounds, Range):
            return f"{self.bounds.low:,} to {self.bounds.high:,}"
        if self.bounds is None or self.type is bool:
            return ""
        return ", ".join(filter(None, [*map(str, self.bounds.values), self.bounds.more]))  # no text says nothing

    @property
    def said(self) -> str:
        """What it is for, its valid values and its default, in words."""
        usual = "" if self.default in (None, "") or self.required else f"by default {self.default}"
        return "; ".join(part for part in (self.help, self.allowed, usual) if part)

    @property
    def plain(self) -> Any:
        """Its type, without None; with the values that it may have, where they are few."""
        if not isinstance(self.bounds, Choices) or self.bounds.more or self.type is bool:
            return self.type
        return Literal[self.bounds.values]

    @property
    def annotation(self) -> Any:
        """Its type."""
        return self.plain | None if self.optional else self.plain

    def check(self, value: Any) -> Any:
        """The value in the option's own type; text is parsed, as the command line and the URL need.

        Raises BadValue naming the option, the value and what is allowed.
        """
        if self.optional and value in (None, ""):
            return None
        try:
            parsed = self._parse(value)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise BadValue(f"Option {self.name}={shorten(value)} is not {self._wanted()}.") from None
        if isinstance(self.bounds, Range) and not self.bounds.low <= parsed <= self.bounds.high:
            raise BadValue(f"Option {self.name}={parsed} is outside {self.bounds.low} to {self.bounds.high}.")
        if isinstance(self.bounds, Choices) and not self.bounds.more and parsed not in self.bounds.values:
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


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """The keyword-only parameters of a function as options."""
    hints = get_type_hints(function, include_extras=True)
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            options[name] = Option.of(name, hints[name], parameter.default)
    return options
