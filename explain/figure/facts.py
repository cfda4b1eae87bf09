"""Facts: what reproduces a figure, as text for every format and as one line for its reader."""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import BadValue
from ..version import __version__

VERSION = __version__
MOST_FACTS = 4 << 20  # characters: several times what any view writes

Facts = Mapping[str, Any]


def versions(*also: str) -> dict[str, str]:
    """Versions for the facts, and of packages also asked for, without importing them; those missing are left out."""
    found = {"explain": VERSION}
    for name in ("torch", "torchvision", "numpy", "pillow", "captum", *also):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def facts_json(facts: Facts) -> str:
    """ASCII that is also inert inside HTML and XML, so that one text fits every format.

    Raises BadValue for more than MOST_FACTS, which would not be read again.
    """
    text = json.dumps(_plain(facts), ensure_ascii=True)
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    if len(text) > MOST_FACTS:
        raise BadValue(f"A figure has {len(text):,} characters of facts; at most {MOST_FACTS:,} are saved.")
    return text


def _plain(value: Any) -> Any:
    """The value as JSON knows it; what JSON does not know, as text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def facts_line(facts: Facts) -> str:
    """The facts a reader of the figure wants first, on one line."""
    parts = []
    options = facts.get("options")
    options = options if isinstance(options, Mapping) else {}
    for key in ("model", "data", "layer", "method", "target", "region", "seed", "trustworthiness"):
        value = facts.get(key)
        value = value.get("name") if isinstance(value, Mapping) else value
        if value is None or value == "" or (key == "seed" and key in options and facts.get("method")):
            continue
        given = ", ".join(f"{name} {_short(option)}".replace("_", " ") for name, option in options.items())
        parts.append(f"{key} {_short(value)}" + (f" ({given})" if key == "method" and given else ""))
    known = facts.get("versions")
    return ", ".join([*parts, f"explain {(known if isinstance(known, Mapping) else {}).get('explain', VERSION)}"])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
