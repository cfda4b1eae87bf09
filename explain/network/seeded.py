"""Networks with random weights that are the same every time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["seeded"]

_building = threading.Lock()


def seeded(make: Callable[[], Any]) -> Any:
    """What `make` gives with torch's generator at seed 0; the generator is left as it was."""
    with _building, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()
