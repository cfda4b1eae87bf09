"""Pictures of one's own for training: a ZIP of class folders, unpacked into the workspace.

A ZIP is somebody's file: nothing of it decides where anything is written, and its size is what comes out of it, not
what it says.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .. import store
from ..data import EXTENSIONS, without_arrays
from ..errors import BadFile, ExplainError, shorten
from ..images import decode
from .folder import root

__all__ = ["MOST_BYTES", "Pictures", "found", "opened", "unpack"]

MOST_BYTES = 200 << 20
MOST_ENTRIES = 20_000
MOST_UNPACKED = 1 << 30
MOST_EACH = 20 << 20  # as of any picture
MOST_RATIO = 100  # how many times larger than the ZIP its pictures may be, beyond SMALL
SMALL = 20 << 20
MOST_KEPT = 20
CARD = "card.json"
_NAME = re.compile(r"[^\W_][\w .,()&+'-]{0,79}")
_REFERENCE = re.compile(r"zip/([0-9a-f]{16})")


@dataclass(frozen=True)
class Pictures:
    """What became of a ZIP: how many pictures each class has, and files that are none, with the reason."""

    reference: str
    name: str
    classes: dict[str, int]
    skipped: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        count = sum(self.classes.values())
        return f"{self.name} · {len(self.classes)} classes, {count:,} pictures"


def found() -> dict[str, Pictures]:
    """All that are kept, the newest first, by reference."""
    cards = sorted((root() / "zips").glob(f"*/{CARD}"), key=_age, reverse=True)
    return {known.reference: known for known in map(_read, cards) if known}


def opened(reference: str) -> Path:
    """The folder of class folders. Raises BadFile where it is not kept any more."""
    match = _REFERENCE.fullmatch(reference)
    known = _read(root() / "zips" / match[1] / CARD) if match else None
    if match is None or known is None:
        raise BadFile(f"The pictures {shorten(reference)} are not kept any more; upload their ZIP again.")
    return root() / "zips" / match[1] / known.name


def unpack(file: BinaryIO, name: str) -> Pictures:
    """Keep the pictures of a ZIP, whose top folders are the classes; one folder around all of them is looked into.

    Raises BadFile: no ZIP, too large, a path that leads out of it, a class without pictures, fewer than two classes.
    """
    file.seek(0, 2)
    size = file.tell()
    if size > MOST_BYTES:
        raise BadFile(f"{shorten(name)} has {size >> 20} MB; a ZIP may have {MOST_BYTES >> 20}.")
    file.seek(0)
    digest = store.sha256(file.read())[:16]
    place = root() / "zips" / digest
    if known := _read(place / CARD):
        return known
    place.parent.mkdir(parents=True, exist_ok=True)
    called = re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:40] or "pictures"
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".unpacking-") as temporary:
        half = Path(temporary) / digest
        try:
            with zipfile.ZipFile(file) as archive:
                classes, skipped = _unpacked(archive, size, half / called, name)
        except ExplainError:
            raise
        except Exception as error:  # zipfile and zlib raise one of a dozen kinds for a damaged or encrypted file
            raise BadFile(f"{shorten(name)} cannot be unpacked: {error}.") from None
        made = Pictures(f"zip/{digest}", called, classes, skipped)
        store.write(half / CARD, json.dumps(asdict(made)))
        shutil.rmtree(place, ignore_errors=True)
        half.replace(place)
    for old in sorted(place.parent.glob(f"*/{CARD}"), key=_age, reverse=True)[MOST_KEPT:]:
        shutil.rmtree(old.parent, ignore_errors=True)
    return made


def _unpacked(archive: zipfile.ZipFile, size: int, folder: Path, name: str) -> tuple[dict[str, int], dict[str, str]]:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise BadFile(f"{shorten(name)} has {len(entries):,} entries; a ZIP may have {MOST_ENTRIES:,}.")
    paths = [_path(entry) for entry in entries]
    pictures = [path for path, entry in zip(paths, entries, strict=True) if _is_picture(path, entry)]
    kept = set(without_arrays([str(path) for path in pictures]))
    pictures = [path for path in pictures if str(path) in kept]
    if not pictures:
        raise BadFile(f"{shorten(name)} has no pictures; their names end in {', '.join(EXTENSIONS)}.")
    # One folder around everything, as file managers make it.
    around = {path.parts[0] for path in pictures}
    depth = 1 if len(around) == 1 and all(len(path.parts) > 2 for path in pictures) else 0
    folders = [path for path, entry in zip(paths, entries, strict=True) if entry.is_dir() and not _hidden(path)]
    classes = _classes(folders, pictures, depth, name)
    counts, skipped, total = dict.fromkeys(classes, 0), dict[str, str](), 0
    for path, entry in zip(paths, entries, strict=True):
        if not _is_picture(path, entry) or str(path) not in kept:
            continue
        content = _content(archive, entry)
        total += len(content)
        if total > MOST_UNPACKED or total > max(SMALL, MOST_RATIO * size):
            raise BadFile(
                f"{shorten(name)} holds far more than its {size:,} bytes: it is not unpacked. At most "
                f"{MOST_UNPACKED >> 30} GB, and {MOST_RATIO} times its size."
            )
        try:
            decode(content, str(path))
        except ExplainError as error:
            skipped[str(path)] = str(error)
            continue
        label = path.parts[depth]
        counts[label] += 1
        to = folder / label / f"{counts[label]:05}{path.suffix.lower()}"
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(content)
    empty = [label for label, count in counts.items() if not count]
    if empty:
        raise BadFile(f"None of the pictures of class {empty[0]!r} in {shorten(name)} can be read.")
    return counts, skipped


def _classes(folders: list[PurePosixPath], pictures: list[PurePosixPath], depth: int, name: str) -> list[str]:
    """The class folders, in their order. Raises BadFile."""
    loose = [path for path in pictures if len(path.parts) < depth + 2]
    if loose:
        raise BadFile(
            f"The picture {str(loose[0])!r} of {shorten(name)} is in no class folder; put each picture into a folder "
            "with the name of its class."
        )
    full = {path.parts[depth] for path in pictures}
    named = full | {path.parts[depth] for path in folders if len(path.parts) > depth}
    for label in sorted(named):
        if not _NAME.fullmatch(label):
            raise BadFile(
                f"{label!r} in {shorten(name)} cannot be the name of a class; use letters, digits and spaces."
            )
        if label not in full:
            raise BadFile(f"The class folder {label!r} of {shorten(name)} has no pictures; add some, or remove it.")
    if len(full) < 2:
        raise BadFile(f"{shorten(name)} has one class, {min(full)!r}; training needs two or more folders of pictures.")
    return sorted(full)


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or re.match("[A-Za-z]:", str(path)):
        raise BadFile(f"The path {shorten(entry.filename)} leads out of the ZIP: it is not unpacked.")
    return path


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _is_picture(path: PurePosixPath, entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not _hidden(path) and path.suffix.lower() in EXTENSIONS


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A member, no more of it than a picture may have whatever the ZIP says of its size."""
    with archive.open(entry) as member:
        content = member.read(MOST_EACH + 1)
    if len(content) > MOST_EACH:
        raise BadFile(f"{shorten(entry.filename)} has more than {MOST_EACH >> 20} MB; a picture may not.")
    return content


def _read(card: Path) -> Pictures | None:
    try:
        return Pictures(**json.loads(card.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
