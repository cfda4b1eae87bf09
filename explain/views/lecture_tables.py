"""The lectures' tables beside ours, what differs marked, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ..figure import RIGHT, WRONG, Chart, Figure, Line, Look
from ..lectures import slides
from ..lectures.tables import LISTED, MAKERS, TABLES, Row, complexity_points, point_rows
from ..options import Choices
from ..progress import Progress, unheard
from .parts.result import Result, aligned
from .view import drawn, view

__all__ = ["LectureTables", "compute", "render"]


@dataclass(frozen=True, eq=False)
class LectureTables(Result):
    """One of TABLES. points: of the chart, (name, MACs, parameters, top-5 error, by the lectures)."""

    name: str
    rows: tuple[Row, ...]
    points: tuple[tuple[str, int, int, float, bool], ...]
    facts: dict[str, Any]

    @property
    def title(self) -> str:
        return TABLES[self.name]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a number."""
        named = {name: [row[k] for row in self.rows] for k, name in enumerate(Row._fields)}
        return {"what": named.pop("what"), "network": named.pop("network"), **named}

    @property
    def across(self) -> dict[str, list[str]]:
        """Rows by networks: the slide's number and ours, where it has one; a ≠ where they differ. LISTED row by row."""
        if self.name in LISTED:
            return {
                "": [row.what for row in self.rows],
                "the slide": [row.slide for row in self.rows],
                "right": [row.ours for row in self.rows],
                "why": [row.why for row in self.rows],
                "where": [row.cite for row in self.rows],
            }
        networks = list(dict.fromkeys(row.network for row in self.rows))
        cells = {(row.what, row.network): _cell(row) for row in self.rows}
        whats = list(dict.fromkeys(row.what for row in self.rows))
        return {"": whats} | {name: [cells.get((what, name), "") for what in whats] for name in networks}

    def _look(self) -> Look:
        return replace(super()._look(), table=self.across)

    @property
    def differences(self) -> list[Row]:
        return [row for row in self.rows if row.same is False]

    @property
    def words(self) -> str:
        """How many numbers were compared, and what is to be known of the table."""
        compared = sum(row.same is not None for row in self.rows)
        count = len(self.differences)
        said = f"{compared} numbers compared, {count or 'none'} {'differs' if count == 1 else 'differ'}. "
        return (said if compared else "") + slides.NOTES[self.name]

    @property
    def why(self) -> list[str]:
        """Of what differs, a line each."""
        return [f"{row.network}, {row.what}: {row.slide} ≠ {row.ours}. {row.why}" for row in self.differences]

    @property
    def summary(self) -> str:
        if self.name in LISTED:
            said = [f"{row.what} ({row.cite}): {row.slide}\n    right: {row.ours}\n    {row.why}" for row in self.rows]
            return "\n".join([*said, self.words])
        return "\n".join([aligned(self.across), self.words, *self.why])


def _cell(row: Row) -> str:
    if not row.slide:
        return row.ours
    if not row.ours:
        return f"{row.slide} (slide)"
    return f"{row.slide} ≠ {row.ours}" if row.same is False else f"{row.slide} · {row.ours}"


@view
def compute(table: Annotated[str, Choices(*TABLES)] = "six", *, progress: Progress = unheard) -> LectureTables:
    """One of TABLES. Networks are built and run without memory for their values; each is counted once."""
    points = tuple(complexity_points(progress)) if table == "complexity" else ()
    rows = tuple(point_rows(points) if points else MAKERS[table](progress))
    return LectureTables(table, rows, points, facts={})


@drawn
def render(result: LectureTables) -> Figure:
    """The table; for "complexity" a chart of it."""
    differing = " ".join(
        f"{row.network}, {row.what}: {row.slide} on the slide, {row.ours} counted. {row.why}"
        for row in result.differences
    )
    return Figure(
        title=result.title,
        panels=(_bubbles(result),) if result.points else (),
        columns=1,
        facts=result.facts,
        note=f"{result.words} {differing}".strip(),
        table=result.table,
        alt=f"{result.title}. {result.words}",
    )


def _bubbles(result: LectureTables) -> Chart:
    """Top-5 error over MACs; a dot's area is the number of parameters, the largest at the bottom."""
    lines, labels = [], []
    for name, macs, parameters, error, lectured in sorted(result.points, key=lambda point: -point[2]):
        x = float(np.log10(macs))
        colour, said = (WRONG, "one crop, by the lectures") if lectured else (RIGHT, "torchvision's weights")
        size = float(1.5 * np.sqrt(parameters / 1e6))
        lines.append(Line(said, np.array([[x, error]]), colour, dots=True, size=size))
        labels.append((x, error, name))
    ticks = tuple((float(np.log10(g * 1e9)), f"{g:g}G") for g in (0.5, 1, 2, 5, 10, 20))
    errors = [point[3] for point in result.points]
    return Chart(
        tuple(lines),
        (8.7, 10.45),
        (0.0, 1.1 * max(errors)),
        ("MACs a picture", "top-5 error, %"),
        x_ticks=ticks,
        labels=tuple(labels),
        caption="The area of a dot is the number of parameters.",
        height=0.55,
    )
