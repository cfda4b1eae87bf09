"""How far one method can be trusted on one picture, in numbers."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from torch import nn

from .consistency import completeness
from .curves import Curve, curves
from .question import Question, likeness

__all__ = ["measure"]


def measure(net: nn.Module, randomised_net: nn.Module, question: Question, portions: int) -> dict[str, float]:
    """One method on one picture."""
    question = replace(question, options=question.entry.check({}))
    start = time.perf_counter()
    heat = question.answer(net)
    seconds = time.perf_counter() - start
    large = question.large(heat)
    (deleted,), (inserted,) = curves(net, question, [large], portions)
    whole = float(deleted.values[0])
    # Above the whole picture's there is nothing more to find; else one unsure picture would outweigh all others.
    deletion, insertion = (Curve((curve.values / whole).clip(max=1)).area for curve in (deleted, inserted))
    other = question.large(np.nan_to_num(question.answer(randomised_net)))
    complete = completeness(net, question, heat)
    return {
        "score": insertion - deletion,
        "deletion": deletion,
        "insertion": insertion,
        "untrained": likeness(large, other),
        "untrained_absolute": likeness(np.abs(large), np.abs(other)),
        **({"gap": complete.gap} if complete else {}),
        "seconds": seconds,
    }
