"""Progress of long work: who does it calls `progress(done, total, message)`; what that raises stops the work."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "unheard"]


class Progress(Protocol):
    """Hears how much of the work is done, and what is being done."""

    def __call__(self, done: float, total: float, message: str = "") -> object: ...


def unheard(done: float = 0, total: float = 0, message: str = "") -> None:
    """A listener who does nothing."""
