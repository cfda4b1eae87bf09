"""Networks as they lie on Hugging Face's hub: a folder of one's own or a name, and what timm saves in one.

Weights are read as any file nobody vouches for; no code that a folder holds is run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import BadFile, NotSupported, shorten
from ..memory import SHARE, bytes_text, room
from .checkpoint import read_json, read_weights
from .fitting import fit

__all__ = ["TimmFolder", "check_torchs", "folder", "is_timms", "name_of", "timm_classes", "timm_folder", "timm_weights"]

FILES = ["config.json", "preprocessor_config.json", "*.safetensors", "pytorch_model.bin"]
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
PATIENCE = 5
"""Seconds until the hub is taken to be out of reach."""


# ------------------------------------------------------------ where it lies


def folder(name: str) -> Path:
    """The folder itself, or that of a name on the hub: from its cache, else fetched. Raises BadFile, NotSupported."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if os.path.isdir(name):
        if not os.path.isfile(os.path.join(name, "config.json")):
            raise BadFile(f"Folder {shorten(name)} holds no config.json, which timm and transformers write.")
        return Path(name)
    try:
        with contextlib.suppress(LocalEntryNotFoundError):
            cached = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
            if (cached / "config.json").is_file() and any((cached / one).is_file() for one in WEIGHTS):
                return cached
        _reach(name)
        wanted = snapshot_download(name, allow_patterns=FILES, dry_run=True)
        _check_fetched(name, sum(one.file_size or 0 for one in wanted if one.will_download))
        return Path(snapshot_download(name, allow_patterns=FILES))
    except HFValidationError:
        raise BadFile(f"There is no folder {shorten(name)}, and a name on the hub is of the form owner/name.") from None
    except NotSupported:
        raise
    except Exception as error:
        raise NotSupported(
            f"{shorten(name)} is neither a folder nor to be had from the hub: {shorten(str(error).strip(), 160)}."
        ) from error


def name_of(name: str) -> str:
    """For figures and indexes: of a folder the last part of its path, of the hub's all."""
    text = os.path.basename(os.path.abspath(name)) if os.path.isdir(name) else name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "network"


def _reach(what: str) -> None:
    """Raises NotSupported where the hub does not answer; its library would ask for a minute."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        raise NotSupported(f"{what} is not in the cache of Hugging Face's hub, and HF_HUB_OFFLINE is set.")
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:
        raise NotSupported(
            f"{what} is not in the cache of Hugging Face's hub, which cannot be reached ({shorten(str(error), 80)})."
        ) from error


def check_torchs(name: str, url: str, size: int) -> None:
    """Raises NotSupported where a file of torch's cache is still to be fetched, and there is no room for it."""
    if not (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).exists():
        _check_fetched(name, size, torch.hub.get_dir())


def _check_fetched(name: str, size: int, cache: str = "") -> None:
    """Raises NotSupported for files, of so many bytes, that neither fit the disk nor the memory."""
    from huggingface_hub import constants

    folder = Path(cache or constants.HF_HUB_CACHE).absolute()
    disk = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.exists())).free
    for most, where in ((int(SHARE * disk), f"{bytes_text(disk)} of disk"), (room(), "memory")):
        if size > most:
            raise NotSupported(
                f"{shorten(name)} has weights of {bytes_text(size)} to be fetched; {bytes_text(most)}, {SHARE:.0%} of "
                f"the {where} that is free, is the most."
            )


# ------------------------------------------------------------ timm's


@dataclass(frozen=True)
class TimmFolder:
    """What timm saved: an architecture, its arguments, its configuration, its weights."""

    architecture: str
    arguments: dict[str, Any]
    config: dict[str, Any]
    file: Path
    name: str

    def apply(self, net: nn.Module) -> dict[str, Any]:
        """Its weights into the net; what to say of them."""
        fitted = fit(net, read_weights(self.file), self.file.name)
        return {"weights": f"{self.file.name} of {self.name}", "notes": fitted.notes}


def is_timms(saved: Path) -> bool:
    content = read_json(saved / "config.json")
    return "architecture" in content and "pretrained_cfg" in content


def timm_folder(name: str) -> TimmFolder:
    """hf-hub:NAME or local-dir:FOLDER. Raises BadFile, NotSupported."""
    where = name.partition(":")[2]
    saved = folder(where)
    content = read_json(saved / "config.json")
    file = next((saved / one for one in WEIGHTS if (saved / one).is_file()), None)
    try:
        config = dict(content["pretrained_cfg"])
        arguments = {**dict(content.get("model_args") or {}), "num_classes": int(content["num_classes"])}
        architecture = str(content["architecture"])
        if "label_names" in content:
            config["label_names"] = [str(one) for one in content["label_names"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"{shorten(where)}: config.json is not one of timm's: {error!r}.") from None
    if file is None:
        raise BadFile(f"{shorten(where)} holds none of {', '.join(WEIGHTS)}.")
    config = {key: value for key, value in config.items() if value is not None}
    return TimmFolder(architecture, arguments, config, file, name_of(where))


def timm_weights(name: str) -> dict[str, Any]:
    """The file in the hub's cache, as timm's create_model takes it; nothing for those that it has to fetch.

    timm asks the hub about a file that it has, and for a minute where the hub cannot be reached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        return {}
    place, _, revision = config.hf_hub_id.partition("@")
    for file in filter(None, (config.hf_hub_filename, *WEIGHTS)):
        cached = try_to_load_from_cache(place, file, revision=revision or None)
        if isinstance(cached, str):
            return {"pretrained_cfg_overlay": {"file": cached}}
    _reach(f"timm:{name}")
    for file in filter(None, (config.hf_hub_filename, *WEIGHTS)):
        with contextlib.suppress(EntryNotFoundError):
            _check_fetched(
                f"timm:{name}", get_hf_file_metadata(hf_hub_url(place, file, revision=revision or None)).size or 0
            )
            break
    return {}


def timm_classes(config: Mapping[str, Any], count: int) -> list[str]:
    """Names of a network's classes: its own, ImageNet's, or numbers."""
    names = config.get("label_names")
    if isinstance(names, (list, tuple)) and len(names) == count:
        return list(map(str, names))
    if count == 1000:
        return list(_imagenet())
    return [str(i) for i in range(count)]


@cache
def _imagenet() -> tuple[str, ...]:
    from timm.data.imagenet_info import ImageNetInfo

    described = ImageNetInfo()  # reads its tables from files
    return tuple(described.index_to_description(i) for i in range(1000))
