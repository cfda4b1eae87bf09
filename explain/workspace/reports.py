"""Reports that visitors of the app collect, each as its report.json: a reload, or a server that ends, loses none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import store
from ..errors import ExplainError
from .folder import delete, own, prune
from .report import Report, read_json

__all__ = ["KeptReport", "forget_report", "keep_report", "kept_reports"]

MOST_KEPT = 50


@dataclass(frozen=True)
class KeptReport:
    """Name, caption and facts of each figure; when it was changed last, in seconds since 1970."""

    title: str
    entries: list[dict[str, Any]]
    changed: float


def keep_report(name: str, report: Report) -> None:
    """As it is now; one without figures is forgotten. Raises BadFile, and Full where there is no room."""
    path = _path(name)
    if report.entries:
        store.write(path, report.json())
        prune(path.parent, MOST_KEPT)
    else:
        forget_report(name)


def kept_reports() -> dict[str, KeptReport]:
    """By name, the latest first."""
    found = {}
    for path in (own() / "reports").glob("*.json"):
        try:
            found[path.stem] = KeptReport(*read_json(path), path.stat().st_mtime)
        except (OSError, ExplainError):  # removed just now, or none of ours
            continue
    return dict(sorted(found.items(), key=lambda one: -one[1].changed))


def forget_report(name: str) -> None:
    delete(_path(name))


def _path(name: str) -> Path:
    return own() / "reports" / f"{name}.json"
