"""Words as a line for the shell of this system."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

__all__ = ["line_of"]


def line_of(words: Sequence[str]) -> str:
    """In double quotes on Windows, as both cmd and PowerShell know them."""
    return " ".join(map(_quoted_on_windows, words)) if os.name == "nt" else shlex.join(words)


def _quoted_on_windows(word: str) -> str:
    if re.fullmatch(r"[\w+=:./\\-]+", word, re.ASCII):
        return word
    # Programs there take a backslash as it is, but for those before a quote.
    inside = re.sub(r"(\\+)$", r"\1\1", re.sub(r'(\\*)"', r'\1\1\\"', word))
    return f'"{inside}"'
