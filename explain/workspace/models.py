"""Models by name: those shipped, and those trained here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import BadValue, Unknown
from ..network import zoo
from ..network.model import Model, Preprocess
from ..project import FILE, project
from ..shipped import shipped_models
from ..training.history import Run, run_of
from .folder import own
from .model_names import list_models, list_runs

__all__ = ["load_model", "model_folder", "open_run", "run_folder"]

_TRAINED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:@(\d{1,4}))?")


def open_run(name: str | Path) -> Run:
    """A training of the workspace by name, a shipped model's by the model's name, or one by its folder.

    Raises Unknown, and BadFile for a damaged one or a model without a history.
    """
    known = list_runs()
    if str(name) in known:
        return run_of(known[str(name)])
    if str(name) in list_models():
        return run_of(load_model(str(name)))
    if Path(name).is_dir():
        return run_of(name)
    raise Unknown("training", str(name), known, "A training's folder works too.")


def run_folder(recipe: str) -> Path:
    """A folder for a new training, called after its recipe."""
    taken = {*list_runs(), *shipped_models()}
    names = (f"{recipe}-{k}" for k in itertools.count(1))
    return own() / "runs" / next(name for name in names if name not in taken)


def model_folder(name: str) -> Path | None:
    """Where a model trained here lies; NAME@EPOCH is a snapshot of it. None for other names."""
    match = _TRAINED.fullmatch(name)
    if match is None or match[1] in shipped_models():
        return None
    folder = own() / "runs" / match[1]
    if not match[2] and not (folder / "model.json").is_file():
        folder = own() / "models" / match[1]
    if match[2]:
        folder = folder / "snapshots" / f"{int(match[2]):04}"
    return folder if (folder / "model.json").is_file() else None


def load_model(
    name: str | Path | nn.Module,
    weights: str | Path | None = None,
    device: str = "auto",
    *,
    architecture: str | nn.Module | None = None,
    classes: Sequence[str] | Mapping[int, str] | None = None,
    preprocess: Preprocess | Mapping[str, Any] | None = None,
    output: str | int | None = None,
    arguments: Mapping[str, Any] | None = None,
    code: bool = True,
) -> Model:
    """A model ready to be asked.

    name: one of list_models(), also NAME@EPOCH for a snapshot of one trained here; `torchvision:NAME`, `timm:NAME` or
    `hf:NAME` with published weights, or with `?weights=random`; an architecture of NETS, also with options as in
    `resnet?depth=50`; a folder with model.json, or as timm and transformers save one; a checkpoint file, with
    `architecture` saying what it belongs to; a factory of your own, `package.module:name` or `file.py:name`, which
    gives a torch.nn.Module; or such a module, as `wrap` takes it.
    weights: a checkpoint file, instead of those that the name brings.
    architecture: of a checkpoint or of a folder that was saved: a name, a factory or a module.
    classes: names, for a head of another size than the architecture's own.
    preprocess, output: as in `wrap`; of a Preprocess some fields may be given, such as {"mean": ..., "std": ...}.
    arguments: of the factory.
    code: whether a name may be a factory's, which runs Python of yours.
    Raises ExplainError for an unknown name, weights that do not fit, or a network that does not classify pictures.
    """
    own = None if isinstance(name, (nn.Module, Path)) else project().models.get(name)
    if own is not None and architecture is None:
        if any(one is not None for one in (weights, classes, preprocess, output, arguments)):
            raise BadValue(f"Model {name!r} is what {FILE} says; change it there.")
        return zoo.load_model(**own, device=device, code=True).renamed(str(name), project=FILE)
    known = None if isinstance(name, nn.Module) else model_folder(str(name))
    if known is None and architecture is None and isinstance(name, str) and zoo.is_nobody(name):
        raise Unknown("model", name, list_models(), zoo.HINT)
    return zoo.load_model(
        known or name,
        weights,
        device,
        architecture=architecture,
        classes=classes,
        preprocess=preprocess,
        output=output,
        arguments=arguments,
        code=code,
    )
