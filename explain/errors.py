"""Every mistake a user can make is an ExplainError whose message names the bad value and the valid ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["BadFile", "BadValue", "ExplainError", "NotSupported", "Unknown", "reason_of"]


_COMPARED, _COMPARED_LENGTH = 5000, 200  # names, and characters of one, among which a similar one is looked for


class ExplainError(Exception):
    """A mistake a user can cause and mend; the message is one clear sentence."""


class Unknown(ExplainError):
    """A name that is not among the valid ones."""

    def __init__(self, kind: str, value: object, valid: Iterable[object] = (), hint: str = "") -> None:
        names = [str(name) for name in valid]
        # The search is quadratic in the length of a text, which may be anybody's.
        comparable = [name for name in names[:_COMPARED] if len(name) <= _COMPARED_LENGTH]
        close = difflib.get_close_matches(str(value)[:_COMPARED_LENGTH], comparable, n=3, cutoff=0.6)
        message = f"Unknown {kind} {shorten(value)}."
        if close:
            message += f" Did you mean {', '.join(map(repr, close))}?"
        if names and not (close and len(names) > 12):
            message += f" Valid: {enumerate_some(names)}."
        super().__init__(f"{message} {hint}".strip())


class BadValue(ExplainError):
    """A value of the right name but of the wrong type or outside its range."""


class BadFile(ExplainError):
    """A file that cannot be read as what it should be."""


class NotSupported(ExplainError):
    """Something this network or machine cannot do, with the reason."""


def shorten(value: object, limit: int = 80) -> str:
    """The value's repr on one line, cut in the middle when it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit // 2]}...{text[-limit // 2 + 3 :]}"


def reason_of(error: BaseException) -> str:
    """The first line of what somebody else's code raised."""
    return str(error).strip().partition("\n")[0][:160] or type(error).__name__


def enumerate_some(names: list[str], limit: int = 12) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(name if len(name) <= 200 else f"{name[:200]}..." for name in names[:limit]) + more
