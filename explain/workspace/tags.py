"""Tags: names that a user gives to pictures of a set, for all networks that look through it.

A figure says which pictures it is of by their numbers, not by a tag: it is the same when the tag has changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import store
from ..errors import BadValue, shorten
from ..index import Index
from .folder import own

__all__ = ["LONGEST", "tag", "tags_of", "untag"]

MOST = 100  # tags of a set
LONGEST = 16_000  # signs of a condition that names pictures one by one: the page's address has to carry it
_NAME = re.compile(r"[^\W_][\w .,()&+'-]{0,39}")


def tags_of(index: Index) -> dict[str, list[int]]:
    """Which pictures bear each tag, by their numbers; tags by name, without those that none of them bears."""
    known = _read(index)
    place = {file: number for number, file in enumerate(index.images.files)} if known else {}
    found = {name: sorted(place[file] for file in files if file in place) for name, files in known.items()}
    return {name: found[name] for name in sorted(found) if found[name]}


def tag(index: Index, name: str, numbers: Iterable[int]) -> None:
    """Raises BadValue for a name that is none, or where there are too many."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise BadValue(f"{shorten(name)} is no name for a tag: up to 40 letters, digits, blanks and . , ( ) & + ' -.")
    _change(index, name, lambda known, files: known | files, numbers)


def untag(index: Index, name: str, numbers: Iterable[int]) -> None:
    """A tag that no picture bears any more is gone."""
    _change(index, name, lambda known, files: known - files, numbers)


def _change(index: Index, name: str, change: Any, numbers: Iterable[int]) -> None:
    path, files = _path(index), {index.images.files[number] for number in numbers}
    with store.lock(path.parent):
        known = _read(index)
        known[name] = sorted(change(set(known.get(name, ())), files))
        kept = {name: files for name, files in known.items() if files}
        if len(kept) > MOST:
            raise BadValue(f"A set has up to {MOST} tags; take one off all its pictures first.")
        store.write(path, json.dumps({"set": index.manifest.data, "tags": kept}) + "\n")


def _read(index: Index) -> dict[str, list[str]]:
    try:
        tags = json.loads(_path(index).read_text("utf-8"))["tags"]
        return {str(name): [str(file) for file in files] for name, files in tags.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none yet, or somebody wrote something else
        return {}


def _path(index: Index) -> Path:
    known = index.manifest
    return own() / "tags" / f"{store.sha256(repr([known.data, known.root]).encode())[:24]}.json"
