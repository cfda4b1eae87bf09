"""The report that a visitor of the app collects, one for all of their pages, visits and tabs, and those put aside.

Each is its report.json in the visitor's part of the workspace, written with each change: a page loaded anew, a link
opened in another tab and a server that ends lose nothing. The one at work is the one changed last.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import store
from ..errors import ExplainError
from ..figure import VERSION
from ..figure.facts import facts_json
from .folder import delete, own, prune
from .report import FORMAT, read_json

__all__ = ["Item", "KeptReport", "begin_report", "change_report", "forget_report", "kept_report", "kept_reports"]

MOST_KEPT = 50
TITLE = "What the network sees"


@dataclass(frozen=True)
class Item:
    """A figure of a report: the facts that draw it, its title, what is said under it, and what its files are called.

    key: by which it is known as long as it is there.
    """

    facts: Mapping[str, Any]
    title: str
    caption: str
    name: str
    key: str

    def entitled(self, title: str) -> Item:
        """With another title, which is drawn; none for an empty one."""
        before = self.facts.get("paper", {})
        paper = {name: value for name, value in before.items() if name not in ("title", "title_text")}
        paper |= {"title_text": title} if title else {"title": False}
        return replace(self, title=title, facts={**self.facts, "paper": paper})


@dataclass(frozen=True)
class KeptReport:
    """Its figures in their order; when it was changed last, in seconds since 1970."""

    title: str = TITLE
    items: tuple[Item, ...] = ()
    changed: float = 0.0


def kept_reports() -> dict[str, KeptReport]:
    """By name, the latest first."""
    found = {}
    for path in (own() / "reports").glob("*.json"):
        try:
            status = path.stat()
            found[path.stem] = _read(str(path), status.st_mtime_ns, status.st_size)
        except (OSError, ExplainError):  # removed just now, or none of ours
            continue
    return dict(sorted(found.items(), key=lambda one: -one[1].changed))


def kept_report() -> KeptReport:
    """The one at work."""
    return next(iter(kept_reports().values()), KeptReport())


def change_report(change: Callable[[KeptReport], KeptReport]) -> KeptReport:
    """Change the one at work, as nobody else does meanwhile. Raises BadFile, and Full where there is no room."""
    with store.lock(own() / "reports"):
        name, report = next(iter(kept_reports().items()), (secrets.token_hex(8), KeptReport()))
        changed = change(report)
        _write(name, changed)
        return changed


def begin_report(name: str | None = None) -> None:
    """Put the one at work aside: an empty one is at work, or the one of this name again."""
    kept = kept_reports()
    with store.lock(own() / "reports"):
        _write(name or secrets.token_hex(8), kept.get(name, KeptReport()) if name else KeptReport())


def forget_report(name: str) -> None:
    delete(_path(name))


def _write(name: str, report: KeptReport) -> None:
    entries = [{**vars(one), "facts": json.loads(facts_json(one.facts))} for one in report.items]
    content = {"explain": VERSION, "report": FORMAT, "title": report.title, "changed": time.time(), "entries": entries}
    path = store.write(_path(name), json.dumps(content) + "\n")
    prune(path.parent, MOST_KEPT, pattern="*.json")


@lru_cache(200)
def _read(path: str, _changed: int, _size: int) -> KeptReport:
    content = Path(path).read_bytes()
    title, entries = read_json(content)
    given = json.loads(content)
    items = []
    for place, (one, whole) in enumerate(zip(entries, given["entries"], strict=True)):
        # An earlier version wrote neither title nor key.
        title_of, key = whole.get("title", one["caption"]), whole.get("key", f"{place}")
        items.append(Item(one["facts"], str(title_of), one["caption"], one["name"], str(key)))
    changed = given.get("changed")
    changed = changed if isinstance(changed, float) else Path(path).stat().st_mtime
    return KeptReport(title, tuple(items), changed)


def _path(name: str) -> Path:
    return own() / "reports" / f"{name}.json"
