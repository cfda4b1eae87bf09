"""Facts out of a file that anybody may have written: each is checked before it is used, none is taken for a path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BadValue, shorten

__all__ = ["Facts"]

LONGEST, MOST, LARGEST = 2000, 100_000, 1 << 53  # of a text, of a list, of a number's size


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

    def plain(self, name: str) -> Any:
        """Text, a number, true or false."""
        value = self.all.get(name)
        return value if isinstance(value, bool) else self._checked(name, str | int | float, "text or a number")

    def part(self, name: str) -> Facts:
        return Facts(self._checked(name, Mapping, "names with values")) if self.has(name) else Facts({})

    def numbers(self, name: str) -> list[int]:
        return [Facts({name: one}).number(name) for one in self.several(name)]

    def floats(self, name: str) -> list[float]:
        """Of a list, all of them finite."""
        found = [Facts({name: one})._checked(name, int | float, "a number") for one in self.several(name)]
        if not all(map(math.isfinite, found)):
            raise BadValue(f"{shorten(name)} in the facts holds a number that is not finite.")
        return [float(one) for one in found]

    def texts(self, name: str) -> list[str]:
        return [Facts({name: one}).text(name) for one in self.several(name)]

    def lists(self, name: str) -> list[Sequence[Any]]:
        """Of a list, which holds lists."""
        return [Facts({name: one}).several(name) for one in self.several(name)]

    def options(self, name: str) -> dict[str, Any]:
        """Plain values by name."""
        found = Facts({str(key): value for key, value in self.part(name).all.items()})
        return {key: found.plain(key) for key in found.all}

    def several(self, name: str, most: int = MOST) -> Sequence[Any]:
        found = self.all.get(name)
        if not isinstance(found, list | tuple) or len(found) > most:
            raise BadValue(f"The facts lack {name!r}, or it is not a list of at most {most} entries.")
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
