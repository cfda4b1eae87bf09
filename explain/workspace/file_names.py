"""Names of files that every system takes: Windows has the strictest rules, and macOS shares that of capitals."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["is_reserved", "same_name"]

_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


def is_reserved(name: str) -> bool:
    """Whether Windows takes it for a device, or for another name, as it drops dots and spaces at the end."""
    return _DEVICES.fullmatch(name) is not None or name.endswith((".", " "))


def same_name(name: str) -> str:
    """One text for all names that some file system takes for the same: in capitals or not, in any form of Unicode."""
    return unicodedata.normalize("NFC", name.casefold())
