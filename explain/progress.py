"""Progress of long work."""

from __future__ import annotations

from typing import Any

__all__ = ["unheard"]


def unheard(*_: Any) -> None:
    """A listener who does nothing."""
