"""What a table's column says of pictures: a group each, or a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BadValue, Unknown, shorten

__all__ = [
    "PICTURES",
    "RIGHT",
    "Column",
    "by_column",
    "columns_of",
    "condition_of",
    "condition_said",
    "extended",
    "rows_where",
    "slices_of",
]

FEW = 12  # numbers so few of which there are may be groups, as shifts and folds are
MOST_GROUPS = 100  # beyond, as with identifiers, a colour tells nothing
RIGHT = "right"
"""The column of whether the network is right, where a table has none of that name."""
PICTURES = "pictures"
"""The column that stands for the pictures' own numbers: pictures=3,17,40-60."""
_SPAN = re.compile(r"(\d{1,12})(?:-(\d{1,12}))?")


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


def rows_where(columns: Mapping[str, Sequence[Any]], condition: str, count: int) -> list[int]:
    """Which of `count` rows a condition COLUMN=VALUE holds for. Raises BadValue, Unknown."""
    name, equals, value = condition.partition("=")
    if not equals:
        example = next(iter(columns), PICTURES)
        raise BadValue(f"where={shorten(condition)} is not of the form COLUMN=VALUE, such as {example}=...")
    if name == PICTURES and PICTURES not in columns:
        return _numbered(value, count)
    if name not in columns:
        raise Unknown("column for where:", name, columns)
    texts = [_text(one) for one in columns[name]]
    rows = [k for k, text in enumerate(texts) if text == value.strip()]
    if not rows:
        raise Unknown(f"value of {name!r} for where:", value, sorted(set(texts)))
    return rows


def condition_of(rows: Iterable[int]) -> str:
    """The condition that holds for these rows alone, one after the other where they are."""
    spans: list[list[int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return f"{PICTURES}=" + ",".join(f"{low}-{high}" if high > low else str(low) for low, high in spans)


def condition_said(condition: str) -> str:
    """A condition as a figure says it: pictures that were named one by one are counted."""
    name, _, value = condition.partition("=")
    spans = [_SPAN.fullmatch(part.strip()) for part in value.split(",")] if name == PICTURES else [None]
    if not all(spans) or len(spans) < 4:
        return condition
    count = sum(int(one[2] or one[1]) - int(one[1]) + 1 for one in spans if one)
    return f"{count:,} chosen pictures"


def slices_of(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """The conditions that columns of groups offer."""
    return [f"{name}={group}" for name, column in columns_of(columns).items() for group in column.groups]


def _numbered(value: str, count: int) -> list[int]:
    rows: set[int] = set()
    for part in value.split(","):
        match = _SPAN.fullmatch(part.strip())
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not low <= high < count:
            raise BadValue(
                f"where={PICTURES}={shorten(value)}: {shorten(part)} is no number of a picture and no range of them, "
                f"such as 3,17,40-60; there are 0 to {count - 1:,}."
            )
        rows.update(range(low, high + 1))
    return sorted(rows)


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
