"""Which methods give a map of a picture, with no more passes than are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..errors import ExplainError, NotSupported
from ..network.trace import calls
from ..progress import Progress
from ..registry import Entry
from .question import Question

__all__ = ["admit"]


def admit(
    net: nn.Module, question: Question, entries: Sequence[Entry], most: int | None, progress: Progress
) -> tuple[list[Entry], dict[str, str]]:
    """Methods that give a map of the first picture with at most so many passes; and why others do not."""
    admitted, refused = [], {}
    for k, entry in enumerate(entries):
        progress(k, len(entries), f"trying {entry.label}")
        try:
            with _limited(net, most):
                heat = replace(question, entry=entry, options=entry.check({})).answer(net)
            if not np.isfinite(heat).all():
                raise NotSupported("It gives values that are not finite for this network.")
            admitted.append(entry)
        except _TooMany:
            refused[entry.name] = f"It needs more than {most} passes a map; name it to have it measured."
        except ExplainError as error:
            refused[entry.name] = str(error)
    if not admitted:
        raise NotSupported(f"No method applies. {' '.join(f'{name}: {why}' for name, why in refused.items())}")
    return admitted, refused


class _TooMany(Exception):
    """A method has used up its passes."""


@contextmanager
def _limited(net: nn.Module, most: int | None) -> Iterator[None]:
    """While open, the net takes so many pictures and no more."""
    taken = 0

    def count(_name: str, _call: int, output: Any) -> None:
        nonlocal taken
        taken += len(output) if isinstance(output, Tensor) else 1
        if most is not None and taken > most:
            raise _TooMany

    with calls(net, [""], count):
        yield
