"""What a table's column says of pictures: a group each, or a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadValue, Unknown, shorten

__all__ = ["Column", "by_column", "columns_of", "extended", "rows_where", "slices_of"]

FEW = 12  # numbers so few of which there are may be groups, as shifts and folds are
MOST_GROUPS = 100  # beyond, as with identifiers, a colour tells nothing


@dataclass(frozen=True, eq=False)
class Column:
    """values (N,): numbers into `groups`, -1 where unknown; or, without groups, numbers, NaN where unknown."""

    name: str
    values: NDArray[np.float64]
    groups: tuple[str, ...] = ()

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many pictures each group has."""
        return np.bincount(self.values[self.values >= 0].astype(np.int64), minlength=len(self.groups))

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest number."""
        return float(np.nanmin(self.values)), float(np.nanmax(self.values))


def extended(
    table: Mapping[str, list[Any]], columns: Mapping[str, Sequence[Any]], rows: Sequence[int]
) -> dict[str, list[Any]]:
    """A view's table of pictures with what their own table says of each, by their numbers in it."""
    own = {f"{name} (table)" if name in table else name: values for name, values in columns.items()}
    return {**table, **{name: [values[row] for row in rows] for name, values in own.items()}}


def by_column(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as a table: a column for each name that any of them has, None where one has it not."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def columns_of(columns: Mapping[str, Sequence[Any]]) -> dict[str, Column]:
    """Those of a table by which pictures can be coloured and filtered; texts that all differ are left out."""
    found = {name: _column(str(name), values) for name, values in columns.items()}
    return {name: column for name, column in found.items() if column is not None}


def rows_where(columns: Mapping[str, Sequence[Any]], condition: str) -> list[int]:
    """Which rows a condition COLUMN=VALUE holds for. Raises BadValue, Unknown."""
    name, equals, value = condition.partition("=")
    if not equals:
        raise BadValue(f"where={shorten(condition)} is not of the form COLUMN=VALUE, such as {next(iter(columns))}=...")
    if name not in columns:
        raise Unknown("column for where:", name, columns)
    texts = [_text(one) for one in columns[name]]
    rows = [k for k, text in enumerate(texts) if text == value.strip()]
    if not rows:
        raise Unknown(f"value of {name!r} for where:", value, sorted(set(texts)))
    return rows


def slices_of(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """The conditions that columns of groups offer."""
    return [f"{name}={group}" for name, column in columns_of(columns).items() for group in column.groups]


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _column(name: str, values: Sequence[Any]) -> Column | None:
    texts = list(map(_text, values))
    met = set(filter(None, texts))
    numbers = {text: _number(text) for text in met}
    if not met:
        return None
    if all(math.isfinite(number) for number in numbers.values()) and len(met) > FEW:
        return Column(name, np.array([numbers.get(text, math.nan) for text in texts]))
    if len(met) > MOST_GROUPS:
        return None
    whole = all(math.isfinite(number) for number in numbers.values())
    groups = tuple(sorted(met, key=(lambda text: (numbers[text], text)) if whole else None))
    place = {text: k for k, text in enumerate(groups)}
    return Column(name, np.array([place.get(text, -1) for text in texts], np.float64), groups)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
