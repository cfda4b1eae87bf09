"""Weights from a file nobody vouches for: what does not fit the network exactly is refused, with the reason.

Nothing here runs code from the file (safetensors, or torch's weights_only loader), and no arithmetic touches a tensor
before its shape, its storage and its dtype were compared with the network's own.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadFile, enumerate_some, shorten

__all__ = ["apply_weights", "read_weights"]

LARGEST_FILE = 8 << 30
MOST_TENSORS = 20_000
LARGEST_HEADER = 50 << 20
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or a saved state dict, by name. Raises BadFile."""
    name = repr(path.name)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadFile(f"Cannot read weights {shorten(str(path))}: {reason}.") from None
    if not path.is_file() or size == 0:
        raise BadFile(f"Weights {name} are {'empty' if path.is_file() else 'no file'}.")
    if size > LARGEST_FILE:
        raise BadFile(f"Weights {name} have {size >> 20} MiB; at most {LARGEST_FILE >> 20} MiB are read.")
    try:
        if _is_safetensors(path, size):
            from safetensors.torch import load_file

            tensors: Any = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if "GLOBAL" in str(error):  # how torch's loader calls a class or function that a pickle names
            raise BadFile(
                f"Weights {name} hold a pickled object, and loading it would run code from the file; "
                "save `model.state_dict()` instead, best as safetensors."
            ) from None
        raise BadFile(f"Weights {name} are neither safetensors nor a state dict saved by torch.") from None
    return _plain(tensors, name)


def _is_safetensors(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    if len(start) < 9 or start[8:] != b"{":
        return False
    header = struct.unpack("<Q", start[:8])[0]
    if header > min(size, LARGEST_HEADER):
        raise BadFile("the header is longer than the file")
    return True


def _plain(tensors: Any, name: str) -> dict[str, Tensor]:
    for key in _WRAPPERS:
        if isinstance(tensors, Mapping) and isinstance(tensors.get(key), Mapping):
            tensors = tensors[key]
            break
    if not isinstance(tensors, Mapping) or not tensors:
        raise BadFile(f"Weights {name} hold a {type(tensors).__name__}, not a state dict of tensors by name.")
    if len(tensors) > MOST_TENSORS:
        raise BadFile(f"Weights {name} hold {len(tensors)} tensors; at most {MOST_TENSORS} are read.")
    for key, tensor in tensors.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise BadFile(f"Weights {name}: entry {shorten(key)} is a {type(tensor).__name__}, not a tensor.")
    if all(key.startswith("module.") for key in tensors):  # saved from DataParallel
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    return dict(tensors)


def apply_weights(net: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a net whose every name, shape and kind of number they match. Raises BadFile, net untouched."""
    own = net.state_dict()
    needed = {key for key in own if not key.endswith("num_batches_tracked")}
    missing, surplus = sorted(needed - weights.keys()), sorted(weights.keys() - own.keys())
    if missing or surplus:
        parts = [f"{len(missing)} missing ({enumerate_some(missing, 3)})"] * bool(missing)
        parts += [f"{len(surplus)} not the network's ({enumerate_some(surplus, 3)})"] * bool(surplus)
        raise BadFile(f"Weights {source!r} are for another architecture: {'; '.join(parts)}.")
    for key, tensor in weights.items():
        wanted = own[key]
        if tensor.shape != wanted.shape:
            raise BadFile(
                f"Weights {source!r}: {key!r} has shape {tuple(tensor.shape)}, the network's is {tuple(wanted.shape)}."
            )
        if (
            tensor.is_meta
            or tensor.layout != torch.strided
            or tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size()
        ):
            raise BadFile(f"Weights {source!r}: {key!r} claims more numbers than the file holds.")
        if tensor.is_floating_point() != wanted.is_floating_point() or tensor.is_complex():
            raise BadFile(f"Weights {source!r}: {key!r} is {tensor.dtype}, the network's is {wanted.dtype}.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BadFile(f"Weights {source!r}: {key!r} has values that are not finite (NaN or infinity).")
    net.load_state_dict({**own, **weights})


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises BadFile."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"Cannot read {shorten(str(path))}: {error}.") from None
    if not isinstance(content, dict):
        raise BadFile(f"{shorten(str(path))} holds a {type(content).__name__}, not an object.")
    return content
