"""What a notebook is."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["in_notebook", "shell"]


def shell() -> Any:
    """IPython's, where it runs this process; else None. IPython is not imported for it."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if ask is None else ask()


def in_notebook() -> bool:
    """Whether what is shown goes to a notebook, and not to a terminal."""
    return getattr(shell(), "kernel", None) is not None
