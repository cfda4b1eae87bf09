"""Facts: what reproduces a figure, as text for every format and as one line for its reader."""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

VERSION = "0.1.0"

Facts = Mapping[str, Any]


def versions() -> dict[str, str]:
    """Versions for the facts, without importing the packages."""
    found = {"explain": VERSION}
    for name in ("torch", "torchvision", "numpy", "pillow", "captum"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def facts_json(facts: Facts) -> str:
    """ASCII that is also inert inside HTML and XML, so that one text fits every format."""
    text = json.dumps(_plain(facts), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


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
    for key in ("model", "data", "layer", "method", "target", "seed"):
        value = facts.get(key)
        value = value.get("name") if isinstance(value, Mapping) else value
        parts += [] if value is None or value == "" else [f"{key} {value}"]
    known = facts.get("versions")
    return ", ".join([*parts, f"explain {(known if isinstance(known, Mapping) else {}).get('explain', VERSION)}"])
