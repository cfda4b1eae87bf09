"""Weights from a file nobody vouches for, as tensors by name.

Nothing here runs code from the file (safetensors, or torch's weights_only loader), and no arithmetic touches a tensor:
`fitting` compares shapes, storage and dtypes with a network's own first. What was chosen in a file that holds more than
weights is said in `Weights.notes`.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..archive import opened
from ..errors import BadFile, Unknown, enumerate_some, shorten
from ..progress import Progress, unheard

__all__ = ["Weights", "as_plain", "choose", "read_json", "read_weights"]

LARGEST_FILE = 8 << 30
MOST_TENSORS = 20_000
LARGEST_HEADER = 8 << 20
LARGEST_JSON = 16 << 20
MOST_SHARED = 4  # times that a file's bytes may be used again, as tied weights are
ROOM = 2 << 30  # bytes for torch itself
DEEPEST = 3  # mappings within mappings in which weights are looked for
_KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "module",
    "weights",
    "params",
    "student",
    "teacher",
)
"""Under which programs save weights, those that are asked about first come first."""
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged)(_|$)")
_WAY = "save `model.state_dict()` instead, best as safetensors"


class Weights(dict[str, Tensor]):
    """Tensors by name. `notes` say what was chosen and left out, each a sentence."""

    def __init__(self, tensors: Mapping[str, Tensor], notes: Iterable[str] = ()) -> None:
        super().__init__(tensors)
        self.notes = list(notes)


def read_weights(path: Path) -> Weights:
    """The tensors of a safetensors file or a saved state dict, by name. FILE#KEY says which of a file's several are
    meant. Raises BadFile, Unknown."""
    entry = ""
    if "#" in path.name and not os.path.exists(path):
        path, entry = path.with_name(path.name.rpartition("#")[0]), path.name.rpartition("#")[2]
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
    if other := _other_format(path):
        raise BadFile(f"Weights {name} are {other}.")
    try:
        if _is_safetensors(path, size):
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            _check_zip(path, size)
            with torch.serialization.safe_globals(_harmless()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except BadFile as error:
        raise BadFile(f"Weights {name} cannot be read: {error}; {_WAY}.") from None
    except Exception as error:
        if "GLOBAL" in str(error):  # how torch's loader calls a class or function that a pickle names
            named = re.search(r"GLOBAL ([\w.]{1,100})", str(error))
            which = f" ({named[1]})" if named else ""
            raise BadFile(
                f"Weights {name} hold a pickled object{which}, and loading it would run code from the file; {_WAY}; of "
                "one that you trust, --trust-file on the command line writes it so."
            ) from None
        raise BadFile(f"Weights {name} are neither safetensors nor a state dict saved by torch.") from None
    return choose(content, name, entry)


def _harmless() -> list[Any]:
    """What training programs put beside the weights, and what builds nothing but itself."""
    scalars = [np.dtype, np.float64(0).__reduce__()[0], *(type(np.dtype(kind)) for kind in "fdiqlLQ?")]
    return [argparse.Namespace, *_paths(), *scalars]


def _paths() -> list[tuple[type, str]]:
    """Paths as any system and version of Python pickles them: as what they say, since no system has another's files."""
    kinds = {"Posix": pathlib.PurePosixPath, "Windows": pathlib.PureWindowsPath}
    modules, names = ("pathlib", "pathlib._local"), ("{}Path", "Pure{}Path")
    return [(kind, f"{m}.{n.format(system)}") for system, kind in kinds.items() for m in modules for n in names]


def _other_format(path: Path) -> str:
    """What a file is that holds no weights by name, with the way in; nothing for others."""
    with path.open("rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n" or path.suffix in (".h5", ".hdf5"):
        return "of Keras (HDF5); save the PyTorch network's state dict, there is no way from Keras"
    if path.suffix == ".onnx":
        return (
            "an ONNX graph; give explain.wrap the PyTorch network that it was made of, or what onnx2torch makes of it"
        )
    if start[:4] == b"PK\x03\x04":
        try:
            with opened(path) as archive:
                names = archive.namelist()
        except Exception:  # damaged, which loading it says
            return ""
        if any(name.endswith("constants.pkl") for name in names):
            return (
                "TorchScript; give explain.wrap what torch.jit.load makes of it, or a state dict with its architecture"
            )
        if any(
            name.endswith(("archive_format", "serialized_exported_program.json", "models/model.json")) for name in names
        ):
            return "an exported program (.pt2), which torch opens unsafely; save the network's state dict"
        if "config.json" in names or any(name.endswith(".weights.h5") for name in names):
            return "of Keras; save the PyTorch network's state dict, there is no way from Keras"
    return ""


def _is_safetensors(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    if len(start) < 9 or start[8:] != b"{":
        return False
    header = struct.unpack("<Q", start[:8])[0]
    if header > min(size, LARGEST_HEADER):
        raise BadFile("its header is longer than the file, or than that of any network")
    return True


def as_plain(path: str, out: str, progress: Progress = unheard) -> list[str]:
    """Write the weights of a file that a stranger made to another as safetensors, and return their notes: Windows
    refuses to write over what is mapped, as safetensors are that are read.

    To be called in a process of its own: unpickling may take any memory and time, though it runs no code of the file.
    Raises BadFile.
    """
    from safetensors.torch import save_file

    progress(0, 1, "reading the weights")  # from now on, who called is asked whether to go on
    size = os.path.getsize(path)
    _limit_memory(size)
    weights = read_weights(Path(path))
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if claimed > MOST_SHARED * size:
        raise BadFile(f"Weights {Path(path).name!r} claim more numbers than the file holds.")
    try:
        save_file({key: tensor.detach().clone().contiguous() for key, tensor in weights.items()}, out)
    except Exception as error:  # sparse, quantised, or on no device
        raise BadFile(f"Weights {Path(path).name!r} are no plain tensors ({shorten(str(error))}); {_WAY}.") from None
    return weights.notes


def _limit_memory(size: int) -> None:
    """Of this process: what it has, and some times what the file may become; where the system has such a limit."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = ROOM + 2 * MOST_SHARED * size
    with suppress(ValueError, OSError):  # macOS may refuse it
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))


def _check_zip(path: Path, size: int) -> None:
    """Raises for a saved state dict that unpacks to more than its size: torch stores, and takes what a member says."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4":
            return
        with opened(file) as archive:
            entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise BadFile("its members are compressed, which torch never does")
    if sum(entry.file_size for entry in entries) > size:
        raise BadFile("its members are larger than itself")


def choose(content: Any, name: str, entry: str) -> Weights:
    """The weights in what a file holds: itself, or those under one of its keys. Raises BadFile, Unknown."""
    notes = []
    if isinstance(content, Mapping) and not _is_state_dict(content):
        found = _found(content)
        if entry and entry not in found:
            raise Unknown(f"weights in {name}:", entry, found)
        plain = [key for key in found if not _AVERAGED.search(key.rpartition(".")[2])]
        if found:
            key = entry or min(plain or found, key=_order)
            content = found[key]
            others = [one for one in found if one != key and not one.startswith(f"{key}.")]
            if others or not plain:
                kind = ", an average over the training (EMA)" if _AVERAGED.search(key.rpartition(".")[2]) else ""
                there = f" {name[1:-1]}#{others[0]} takes {enumerate_some(others, 3)}." if others else ""
                notes.append(f"Weights are those under {key!r}{kind}.{there}")
    if not isinstance(content, Mapping) or not content:
        raise BadFile(f"Weights {name} hold a {type(content).__name__}, not a state dict of tensors by name.")
    if len(content) > MOST_TENSORS:
        raise BadFile(f"Weights {name} hold {len(content)} tensors; at most {MOST_TENSORS} are read.")
    tensors = {}
    for key, value in content.items():
        if isinstance(key, str) and isinstance(value, Tensor):
            tensors[key] = value
        elif not (isinstance(key, str) and key.endswith("_extra_state")):
            raise BadFile(f"Weights {name}: entry {shorten(key)} is a {type(value).__name__}, not a tensor.")
    if all(key.startswith("module.") for key in tensors):  # saved from DataParallel
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    return Weights(tensors, notes)


def _is_state_dict(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) and value.dim() for value in content.values())


def _found(
    content: Mapping[Any, Any], before: str = "", depth: int = 0, seen: set[int] | None = None
) -> dict[str, Mapping[Any, Any]]:
    """The state dicts within, by their keys. What holds none is looked into once, wherever it is met."""
    found: dict[str, Mapping[Any, Any]] = {}
    seen = set() if seen is None else seen
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Mapping) or key.startswith("optim") or id(value) in seen:
            continue
        if _is_state_dict(value):
            found[f"{before}{key}"] = value
            continue
        seen.add(id(value))
        if depth < DEEPEST:
            found |= _found(value, f"{before}{key}.", depth + 1, seen)
    if not found and not before:  # such as {"model": [..]}, which is told by what it holds
        found = {key: content[key] for key in _KEYS if isinstance(content.get(key), (Mapping, list))}
    return found


def _order(key: str) -> int:
    last = key.rpartition(".")[2]
    return _KEYS.index(last) if last in _KEYS else len(_KEYS)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises BadFile."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ValueError(f"it has more than {LARGEST_JSON >> 20} MB")
        content = json.loads(path.read_text("utf-8-sig"))  # editors on Windows begin a file with a mark
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"Cannot read {shorten(str(path))}: {error}.") from None
    if not isinstance(content, dict):
        raise BadFile(f"{shorten(str(path))} holds a {type(content).__name__}, not an object.")
    return content
