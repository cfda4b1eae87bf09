"""The names of the networks and trainings that are here. What only lists them loads no torch."""

from __future__ import annotations

from pathlib import Path

from ..project import project
from ..shipped import shipped_models
from ..training import RUN_FILE
from .folder import own

__all__ = ["list_kept_models", "list_models", "list_runs"]


def list_models() -> list[str]:
    """Names of the models that need no download: those of explain.toml, shipped, uploaded and trained here;
    `torchvision:NAME` and `timm:NAME` work as well."""
    finished = [name for name, folder in list_runs().items() if (folder / "model.json").is_file()]
    return list(dict.fromkeys([*project().models, *shipped_models(), *list_kept_models(), *finished]))


def list_kept_models() -> dict[str, Path]:
    """Folders of uploaded networks by name, the newest first."""
    cards = (own() / "models").glob("*/model.json")
    return {card.parent.name: card.parent for card in sorted(cards, key=lambda card: -card.stat().st_mtime)}


def list_runs() -> dict[str, Path]:
    """Trainings of the workspace by name, finished or not, the newest first."""
    folders = [path.parent for path in (own() / "runs").glob(f"*/{RUN_FILE}")]
    return {folder.name: folder for folder in sorted(folders, key=_last_written, reverse=True)}


def _last_written(folder: Path) -> float:
    try:
        return (folder / RUN_FILE).stat().st_mtime
    except FileNotFoundError:  # just removed
        return 0.0
