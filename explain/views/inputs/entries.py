"""What is registered elsewhere, by name, and its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal

from ...errors import BadValue, Unknown, shorten
from ...options import Option
from ..facts import Facts
from .kind import Given, Input, Opener


class EntryName(Input):
    """The name of an entry in a registry, which `where` ("package.module:NAME") leads to when it is needed.

    The registered function does as well: the names that are known beforehand are a type, and a user's own is not among
    them.
    """

    metavar = "NAME"

    def __init__(self, where: str, help: str = "", *, url: str = "") -> None:
        self.where, self.help, self.url = where, help or "a wrong name lists them all", url

    @property
    def registry(self) -> Mapping[str, Any]:
        module, _, name = self.where.partition(":")
        found: Mapping[str, Any] = getattr(import_module(module), name)
        return found

    def check(self, value: Any, given: Given) -> str:
        if not callable(value):
            return str(self.registry[value].name)
        entry = self.registry[getattr(value, "__name__", shorten(value))]
        if entry.function is not value:
            raise BadValue(f"{shorten(value)} is not the function that is registered as {entry.name!r}.")
        return str(entry.name)

    @property
    def names(self) -> Any:
        """Those that there are now, as a type."""
        return Literal[tuple(self.registry)]

    def type_of(self, declared: Any) -> Any:
        return self.names | Callable[..., Any] if declared is str else declared


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
