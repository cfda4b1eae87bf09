"""Networks that visitors of the app handed in as checkpoints: checked, named, and kept as folders."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadFile, BadValue, Unknown, shorten
from ..isolate import isolate
from ..network import zoo
from ..network.model import Model
from ..network.sources import is_public
from ..project import FILE, project
from ..shipped import shipped_models
from .file_names import is_reserved, same_name
from .folder import delete, own
from .model_names import list_kept_models

__all__ = ["keep_model", "remove_model"]

MOST_KEPT = 200
SECONDS = 60  # for reading a checkpoint
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def keep_model(
    content: bytes,
    file: str,
    architecture: str,
    name: str,
    *,
    classes: Sequence[str] | None = None,
    preprocess: Mapping[str, Any] | None = None,
    output: str | None = None,
) -> Model:
    """The network of a checkpoint that somebody uploaded, once it fits its architecture and answers; kept by its name.

    Raises ExplainError, and then keeps nothing.
    """
    if not _NAME.fullmatch(name):
        raise BadValue(f"The name {shorten(name)} is not of letters, digits, '.', '_' and '-', 60 at most.")
    if is_reserved(name):
        raise BadValue(f"The name {shorten(name)} cannot be a folder's on Windows; choose another.")
    if name in shipped_models() or name in project().models:
        where = FILE if name in project().models else "what is shipped"
        raise BadValue(f"{name!r} is the name of a network of {where}; choose another.")
    if not is_public(architecture):
        hint = f"Is it torchvision:{architecture} or timm:{architecture}?" if _NAME.fullmatch(architecture) else ""
        raise BadValue(f"{shorten(architecture)} is no architecture by name. {hint}".rstrip())
    known = list_kept_models()
    if name not in known and (other := next((one for one in known if same_name(one) == same_name(name)), None)):
        raise BadValue(f"There is a network {other!r}, and some systems take {name!r} for the same name.")
    if len(known) >= MOST_KEPT and name not in known:
        raise BadValue(
            f"There are {len(known)} networks already; remove one of them, such as {next(reversed(known))!r}."
        )
    with tempfile.TemporaryDirectory(prefix="explain-") as folder:
        path, plain = Path(folder) / _file_name(file), Path(folder) / "plain" / _file_name(file)
        plain.parent.mkdir()
        path.write_bytes(content)
        notes = isolate("explain.network.checkpoint:as_plain", str(path), str(plain), progress=_patience(path.name))
        model = zoo.load_model(plain, architecture=architecture, classes=classes, preprocess=preprocess, output=output)
        model = model.renamed(name)
        if notes:
            model = model.renamed(notes=[*notes, *model.about.get("notes", ())])
        try:
            zoo.save_model(model, own() / "models" / name)
        except BadFile:  # half of it is no network
            if name not in list_kept_models():
                delete(own() / "models" / name)
            raise
    return model


def _file_name(file: str) -> str:
    """What an upload is called here, in characters that every system allows."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "-", Path(file).name)[-80:].rstrip(". ") or "weights"


def _patience(file: str) -> Callable[..., None]:
    """Progress that ends what takes too long."""
    end = time.monotonic() + SECONDS

    def progress(*_: object) -> None:
        if time.monotonic() > end:
            raise BadFile(f"Reading {shorten(file)} takes longer than {SECONDS} seconds; save its state dict alone.")

    return progress


def remove_model(name: str) -> None:
    """Raises Unknown."""
    known = list_kept_models()
    if name not in known:
        raise Unknown("model that was uploaded:", name, known)
    shutil.rmtree(known[name], ignore_errors=True)
