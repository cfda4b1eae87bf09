"""Weights out of a pickle that somebody vouches for: read where it can do no harm to this process, kept as safetensors.

Unpickling runs what the file says. So it is only for who starts a command, and says that the file may be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadFile, BadValue, shorten
from ..isolate import Crashed, isolate
from ..progress import Progress, unheard
from .checkpoint import choose

__all__ = ["as_safetensors"]

DEEPEST = 4


def as_safetensors(path: Path, entry: str = "") -> Path:
    """The weights of a pickled checkpoint or module as a safetensors file beside it. Raises BadFile, BadValue.

    entry: which of the file's several, as FILE#ENTRY names them.
    """
    if not path.is_file():
        raise BadFile(f"There is no file {shorten(str(path))} to be trusted.")
    out = path.with_suffix(".safetensors")
    if out == path or out.exists():
        raise BadValue(f"{out.name!r} is there already, beside {path.name!r}; use it, or move it away.")
    try:
        isolate(f"{__name__}:convert", str(path.resolve()), str(out.resolve()), entry)
    except Crashed as error:
        raise BadFile(f"{path.name!r} cannot be unpickled: {error}") from None
    return out


def convert(path: str, out: str, entry: str, progress: Progress = unheard) -> None:
    """What runs in the process of its own."""
    import sys

    from safetensors.torch import save_file

    sys.path.insert(0, str(Path.cwd()))  # where the classes of a pickled network are looked for
    name = repr(Path(path).name)
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever a pickle raises
        reason = shorten(str(error).strip().partition("\n")[0], 200)
        raise BadFile(f"{name} cannot be unpickled: {type(error).__name__}: {reason}.") from None
    tensors = choose(_plain(content), name, entry)
    save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, out, {"format": "pt"})


def _plain(content: Any, depth: int = 0) -> Any:
    """State dicts in the place of modules; what is neither, and no tensor, is left out."""
    if isinstance(content, nn.Module):
        return dict(content.state_dict())
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return content
    plain = {key: _plain(value, depth + 1) for key, value in content.items() if isinstance(key, str)}
    return {key: value for key, value in plain.items() if isinstance(value, (Tensor, Mapping))}
