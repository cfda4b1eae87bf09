"""What concepts are worth, as charts and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...concept_extraction.curves import Curves
from ...figure import RIGHT, UNKNOWN, WRONG, Chart, Line

__all__ = ["curves_chart", "curves_said", "importance_chart"]


def curves_said(curves: Curves) -> str:
    """How the score falls, against orders by chance."""
    areas = curves.areas
    _, low, high = areas["deletion_by_chance"]
    where = "below" if areas["deletion"] < low else "above" if areas["deletion"] > high else "within"
    return (
        f"While they are taken away, the most important first, it is {areas['deletion']:.3g} on average, {where} what "
        f"95 % of orders by chance give ({low:.3g} to {high:.3g})."
    )


def importance_chart(table: Mapping[str, Sequence[Any]]) -> Chart:
    """The total index of each concept with its interval, the first on top."""
    count, lines = len(table["concept"]), []
    for k, y in zip(range(count), range(count, 0, -1), strict=True):
        value, low, high = (table[f"importance{end}"][k] for end in ("", "_low", "_high"))
        raises = table["effect"][k] >= 0
        colour = RIGHT if raises else WRONG
        lines.append(Line("", np.array([[low, y], [high, y]]), colour, width=2.0))
        name = "raises the score" if raises else "lowers the score"
        lines.append(Line(name, np.array([[value, y]]), colour, dots=True))
    return Chart(
        tuple(lines),
        (0.0, 1.03 * max(1.0, *table["importance_high"])),
        (0.4, count + 0.6),
        ("total Sobol index, 95 % interval over pictures", "concept"),
        y_ticks=tuple((float(count - k), str(k + 1)) for k in range(count)),
        title="Importance",
        height=0.5,
    )


def curves_chart(curves: Curves) -> Chart:
    """The mean score as concepts are taken away: in both orders, and by chance."""
    steps = np.arange(len(curves.deletion))
    low, high = np.percentile(curves.deletion_by_chance, [2.5, 97.5], axis=0)

    def points(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([steps, values], 1)

    band = np.stack([low, high], 1)
    lines = (
        Line("orders by chance, 95 %", points(curves.deletion_by_chance.mean(0)), UNKNOWN, dashed=True, band=band),
        Line("most important first (deletion)", points(curves.deletion), WRONG, dots=True),
        Line("most important last (insertion)", points(curves.insertion[::-1]), RIGHT, dots=True),
    )
    every = np.concatenate([low, high, curves.deletion, curves.insertion])
    margin = 0.06 * (float(np.ptp(every)) or 1.0)
    return Chart(
        lines,
        (0.0, float(len(steps) - 1)),
        (float(every.min()) - margin, float(every.max()) + margin),
        ("concepts taken away", "mean score"),
        x_ticks=tuple((float(k), str(k)) for k in steps),
        title="As concepts are taken away",
        caption="From right to left, the upper line is insertion.",
        height=0.5,
    )
