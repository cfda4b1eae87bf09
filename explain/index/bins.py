"""How an index's numbers are laid out: the bins of its histograms, and what stands where there is no picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOBODY", "NOWHERE", "OCTAVES", "PER_OCTAVE", "SIDE", "WITHIN", "edges"]

NOBODY = np.iinfo(np.int32).max
# Bins of the histograms: the same for every channel, so that they add up; four an octave of either sign, one for zero.
OCTAVES, PER_OCTAVE = (-6, 10), 4
SIDE = (OCTAVES[1] - OCTAVES[0]) * PER_OCTAVE
WITHIN = 2.0 ** (np.arange(1, PER_OCTAVE) / PER_OCTAVE)
NOWHERE = int(NOBODY) << 32


def edges() -> NDArray[np.float64]:
    """The bins' edges (B + 1,); the outer two are infinite."""
    side = 2.0 ** (OCTAVES[0] + np.arange(SIDE) / PER_OCTAVE)
    return np.concatenate([[-np.inf], -side[::-1], side, [np.inf]])
