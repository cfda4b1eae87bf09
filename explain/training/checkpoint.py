"""Where a run is, in one file that is whole or not there: what a training needs to go on as if never interrupted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from .. import store
from ..errors import BadFile

__all__ = ["load", "save"]

NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Keep tensors and plain values. The file before stays until this one is complete. Raises BadFile."""
    content = io.BytesIO()
    torch.save(state, content)
    body = content.getvalue()
    store.write(folder / NAME, store.sha256(body).encode() + body)


def load(folder: Path) -> dict[str, Any] | None:
    """What was kept, on the CPU; None where there is nothing. Raises BadFile for a damaged file."""
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadFile(f"{str(folder / NAME)!r} cannot be read: {error.strerror or error}.") from error
    digest, body = content[:64], content[64:]
    if store.sha256(body).encode() != digest:  # of zips with a flipped bit, one in five loads
        raise BadFile(f"{str(folder / NAME)!r} is damaged; begin again with resume=False, or restore it.")
    found: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return found
