"""Named functions whose signature is the schema of the app's widgets, the CLI's options and the range checks.

    @METHODS.register
    def smooth_grad(net, layer, batch, target, *, samples: Annotated[int, Range(1, 200)] = 25) -> Tensor:

The keyword-only parameters are the options. Their type, default and Range or Choices are read from the signature once;
nothing about an option is written a second time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import Unknown
from .options import Option, options_of

__all__ = ["Entry", "Registry"]


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
