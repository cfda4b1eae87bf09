"""Networks that a user's own Python makes: `package.module:name` or `path/to/file.py:name`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ..errors import BadValue, shorten
from ..own_code import run
from .model import Model

__all__ = ["make"]


def make(text: str, arguments: Mapping[str, Any] | None = None) -> tuple[nn.Module | Model, dict[str, Any]]:
    """A network by the name of what makes it, and where it is from. Raises Unknown, BadFile, BadValue."""
    made, about = run(text, arguments, ready=(nn.Module, Model))
    if not isinstance(made, (nn.Module, Model)):
        raise BadValue(f"{shorten(text)} gives a {type(made).__name__}, not a torch.nn.Module.")
    return made, about
