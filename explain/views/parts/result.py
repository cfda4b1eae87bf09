"""What all results share: facts, a figure, and saving it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...columns import condition_said
from ...errors import shorten
from ...figure import Figure, Look, Shown, aligned
from ...index import Index
from ...index.build import default_layers

__all__ = [
    "BOX_COLOUR",
    "EFFECTIVE_COLOUR",
    "SHARED",
    "Result",
    "aligned",
    "cells",
    "index_facts",
    "only",
    "tie",
]

BOX_COLOUR = (255, 64, 64)
EFFECTIVE_COLOUR = (0, 190, 255)  # beside red, told apart by everybody
SHARED = "A single channel seldom stands for one thing: what a network knows is spread over many channels."


_SAID_ELSEWHERE = ("view", "model", "pixels", "number", "target_index", "images", "caveats")
_LONGEST = 40  # characters of a fact in a line


class Result(Shown):
    """The outcome of a view: plain arrays plus `facts`. A notebook shows its figure."""

    facts: dict[str, Any]

    def _line(self) -> str:
        """The view, the network, the main array's shape, and what was asked for, by the facts."""
        of = f" of {self.facts['model']!r}" if "model" in self.facts else ""
        arrays = (f", {name} {one.shape}" for name, one in vars(self).items() if isinstance(one, np.ndarray))
        known = {k: one for k, one in self.facts.items() if one and k not in _SAID_ELSEWHERE and "digest" not in k}
        known = {k: known[k] for k in sorted(known, key=lambda k: k != "verdict")}  # what a long line must not cut off
        said = [f"{k} {shorten(one, _LONGEST)}" for k, one in known.items() if isinstance(one, str | int)]
        said += [f"{len(one)} {k}" for k, one in known.items() if isinstance(one, list)]
        return f"{type(self).__name__}{of}{next(arrays, '')}: {', '.join(said)}"

    def _look(self) -> Look:
        return self.figure()._look()

    def figure(self, *args: Any, **style: Any) -> Figure:
        """The result drawn; the style is that of the view's render function and of `Paper`: width_mm, font_pt, ..."""
        figure: Figure = sys.modules[type(self).__module__].render(self, *args, **style)
        return figure

    @property
    def measures(self) -> Any:
        """What a program wants to know of it."""
        return getattr(self, "table", {})

    @property
    def summary(self) -> str:
        """What a reader of the command line wants to know of it; by default the table is printed."""
        return ""

    def save(self, path: str | Path, **style: Any) -> Path:
        """Draw and write, in the format of the path's extension; style as for `figure`."""
        return self.figure(**style).save(path)


def index_facts(index: Index) -> dict[str, Any]:
    """The facts of an index, with the options that build one like it; its layers where they are not the default."""
    known = index.manifest
    options: dict[str, Any] = {"k": known.k, "seed": known.seed}
    if index.layers != default_layers(index.model):
        options["layers"] = index.layers
    return {**index.facts, "index": options}


def only(facts: dict[str, Any]) -> str:
    """Which of the pictures, where not all are meant."""
    return f", of these only {condition_said(facts['where'])}" if facts.get("where") else ""


def tie(places: int) -> str:
    """Said of a strongest response that several places share, as where a rectifier is full."""
    return f", a tie of {places:,} places" if places > 1 else ""


def cells(values: NDArray[np.float32]) -> dict[str, list[Any]]:
    """A map (h, w) as a table: one row a value."""
    rows, columns = np.indices(values.shape)
    return {"row": rows.ravel().tolist(), "column": columns.ravel().tolist(), "value": values.ravel().tolist()}
