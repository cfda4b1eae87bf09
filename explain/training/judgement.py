"""What the numbers of a training must not hide: nothing held out, no better than chance, better before.

for one in remarks(run, classes=10):
    print(one.level, one.words)
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from .history import Run

__all__ = ["Remark", "remarks"]

HELD_OUT = ("test_accuracy", "validation_accuracy")  # the better witness first
PICTURES = 1000  # held out, where it is not known how many
ERRORS = 3.0  # standard errors that are chance
BY_HEART = 0.1  # how far the training pictures' accuracy may be above that of others


class Remark(NamedTuple):
    """What is to be said, and how loudly."""

    level: Literal["error", "warning", "info"]
    words: str


def remarks(run: Run, classes: int, pictures: int = PICTURES) -> list[Remark]:
    """The gravest first; none for a training without epochs. `pictures` is how many were held out."""
    if not run.rows:
        return []
    column = next((name for name in HELD_OUT if run.of_weights(name) is not None), "")
    if not column:
        return [
            Remark(
                "error",
                "No pictures were held out: its accuracy on those it has learned says nothing of others. "
                "Keep some for validation.",
            )
        ]
    what, reached = column.removesuffix("_accuracy"), float(run.of_weights(column) or 0.0)
    found, chance = [], 1 / max(classes, 1)
    margin = ERRORS * math.sqrt(chance * (1 - chance) / pictures)
    if reached <= chance + margin:
        found.append(
            Remark(
                "error",
                f"{reached:.1%} on its {what} pictures is what guessing among {classes} classes gives ({chance:.1%}): "
                "it has learned nothing that holds for others. Another learning rate, or more epochs?",
            )
        )
    scored = [row for row in run.rows if column in row]
    if scored:
        best, kept = max(scored, key=lambda row: float(row[column])), run.own_row
        behind = float(best[column]) - float(kept.get(column, reached))
        words = (
            f"Best epoch: {best['epoch']} ({what} {best[column]:.1%}). Its weights are those of epoch {kept['epoch']}"
        )
        words += f" ({kept[column]:.1%})." if column in kept else "."
        if behind > ERRORS * math.sqrt(reached * (1 - reached) / pictures):
            found.append(Remark("warning", f"{words} It was better before: stop early, or keep the best."))
        else:
            found.append(Remark("info", words))
    learned = run.of_weights("train_accuracy")
    if learned is not None and learned - reached > BY_HEART:
        found.append(
            Remark(
                "warning",
                f"{learned:.1%} of the pictures it learned from are right and {reached:.1%} of the {what} pictures: it "
                "knows its own by heart. Augmentation, weight decay or more pictures help.",
            )
        )
    order = ("error", "warning", "info")
    return sorted(found, key=lambda one: order.index(one.level))
