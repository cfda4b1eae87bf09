"""Trainings as one looks back at them: each epoch's numbers, out of a run's folder or a model's card."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile
from ..figure import Look, Shown
from ..network.checkpoint import read_json
from ..network.model import Model
from ..store import sha256
from .record import read_run

__all__ = ["Run", "kept_row", "run_of"]


@dataclass(frozen=True, eq=False)
class Run(Shown):
    """One training: `rows`, one an epoch, as it wrote them, its recipe's settings, and the accuracy of what came out,
    by set of pictures. `folder` is where it lies, if it is no model's."""

    name: str
    state: str
    message: str
    recipe: dict[str, Any]
    data: str
    rows: list[dict[str, Any]]
    accuracy: dict[str, float]
    folder: Path | None = None

    def _line(self) -> str:
        return f"Run {self.name!r}: {self.state}, {len(self.rows)} epochs on {self.data!r}"

    def _look(self) -> Look:
        names = dict.fromkeys(name for row in self.rows for name in row if isinstance(row[name], int | float))
        return Look(repr(self), table={name: [row.get(name) for row in self.rows] for name in names})

    @property
    def digest(self) -> str:
        """What tells this history from another, or from itself some epochs later."""
        return sha256(json.dumps([self.recipe, self.rows, self.accuracy], sort_keys=True).encode())

    @property
    def seconds(self) -> float:
        return float(sum(row.get("seconds", 0.0) for row in self.rows))

    @property
    def own_row(self) -> dict[str, Any]:
        """The row of the epoch whose weights it has."""
        return kept_row(self.rows, self.recipe.get("patience") if self.state == "done" else 0)

    def of_weights(self, name: str) -> float | None:
        """The value of a column in the epoch whose weights it has, or of what came out."""
        return self.own_row.get(name, self.accuracy.get(name.removesuffix("_accuracy")))

    def column(self, name: str) -> NDArray[np.float64]:
        """(n, 2): epochs and the values there, of the epochs that have a finite one."""
        pairs = [(row["epoch"], row[name]) for row in self.rows if name in row and math.isfinite(row[name])]
        return np.array(pairs, np.float64).reshape(-1, 2)

    def by_layer(self, quantity: str) -> dict[str, NDArray[np.float64]]:
        """Epochs and values (n, 2) of each layer in their order; "" for the dead units of each rectifier."""
        found: dict[str, list[tuple[float, float]]] = {}
        for row in self.rows:
            parts = row.get("dead", {}) if not quantity else row.get("layers", {})
            for name, value in parts.items():
                number = value if not quantity else value.get(quantity, math.nan)
                if math.isfinite(number):
                    found.setdefault(name, []).append((row["epoch"], number))
        return {name: np.array(pairs, np.float64) for name, pairs in found.items()}


def kept_row(rows: Sequence[dict[str, Any]], patience: int | None) -> dict[str, Any]:
    """Of a training that is over, the epoch whose weights were kept: with patience that of the least validation loss,
    else the last; empty where there is none."""
    if not rows:
        return {}
    return min(rows, key=lambda row: row.get("validation_loss", math.inf)) if patience else rows[-1]


def run_of(source: str | Path | Model | Run) -> Run:
    """A training by its folder, or of a model. Raises BadFile for a folder without one, or with a damaged one, and for
    a model without a history."""
    if isinstance(source, Run):
        return source
    folder = None
    if isinstance(source, Model):
        rows = source.about.get("history")
        if not isinstance(rows, list) or not rows:
            raise BadFile(f"Model {source.name!r} has no history; it was not trained here.")
        card = {**source.about, "state": "done"}
        name = source.name
    else:
        folder = Path(source).resolve()
        card, name = read_run(folder), folder.name
        made = folder / "model.json"
        card["accuracy"] = read_json(made).get("accuracy") if made.is_file() else None
    try:
        rows, data = [dict(row) for row in card["history"]], card.get("data") or {}
        if any(not isinstance(row["epoch"], int) for row in rows):
            raise TypeError("epoch")
        accuracy = {str(key): float(value) for key, value in (card.get("accuracy") or {}).items()}
        said = str(card["state"]), str(card.get("message", ""))
        return Run(name, *said, dict(card["recipe"]), str(data.get("name", "")), rows, accuracy, folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadFile(f"The run {name!r} is damaged: {error!r}.") from None
