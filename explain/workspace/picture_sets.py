"""Pictures that visitors of the app hand in: a ZIP, or a folder's files, with a table beside them; kept by a name.

A ZIP is somebody's file: nothing of it decides where anything is written, and its size is what comes out of it, not
what it says. A table's paths are those of the pictures that came with it, never of this machine.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from .. import store
from ..archive import opened as archive_of
from ..archive import part
from ..data import EXTENSIONS, ImageSet, list_images, load_images, without_arrays
from ..data.folders import BESIDE, class_name, why_not
from ..data.tables import TABLES, path_column, read_columns
from ..errors import BadFile, ExplainError, Unknown, shorten
from ..images import decode
from ..images.formats import HEAD
from .budget import room
from .file_names import is_reserved
from .folder import own

__all__ = ["MOST_BYTES", "Pictures", "found", "images_of", "keep", "named", "opened", "remove", "unpack"]

MOST_BYTES = 200 << 20
MOST_ENTRIES = 20_000
MOST_UNPACKED = 1 << 30
MOST_ROWS = 200_000  # of a table, which may name pictures that did not come with it
MOST_EACH = 20 << 20  # as of any picture; of a table too
MOST_RATIO = 100  # how many times larger than the ZIP its pictures may be, beyond SMALL
SMALL = 20 << 20
MOST_KEPT = 200
CARD = "card.json"
_NAME = re.compile(r"[^\W_][\w .,()&+'-]{0,79}")  # without the marks that letters may bear
_JOINERS = "\u200c\u200d"  # between letters of some scripts
_REFERENCE = re.compile(r"zip/([0-9a-f]{16})")


@dataclass(frozen=True)
class Pictures:
    """What became of them: how many each class has, all, and files that are none, with the reason; `label` is the
    column of their table that has the classes."""

    reference: str
    name: str
    classes: dict[str, int]
    skipped: dict[str, str] = field(default_factory=dict)
    count: int = 0
    table: bool = False
    label: str = ""

    def __str__(self) -> str:
        classes = f"{len(self.classes)} classes, " if self.classes else ""
        return f"{self.name} · {classes}{self.count:,} pictures"


class _Member(NamedTuple):
    """A file of those handed in; `read` gives no more than so many bytes of it, whatever a ZIP says of its size."""

    path: PurePosixPath
    read: Any


def found() -> dict[str, Pictures]:
    """All that are kept, the newest first, by reference."""
    cards = sorted((own() / "zips").glob(f"*/{CARD}"), key=_age, reverse=True)
    return {known.reference: known for known in map(_read, cards) if known}


def named() -> dict[str, Pictures]:
    """The same by name."""
    return {known.name: known for known in found().values()}


def opened(reference: str) -> Path:
    """Their folder, or their table in it. Raises BadFile where they are not kept any more."""
    match = _REFERENCE.fullmatch(reference)
    known = _read(own() / "zips" / match[1] / CARD) if match else None
    if match is None or known is None:
        raise BadFile(f"The pictures {shorten(reference)} are not kept any more; upload them again.")
    folder = folder_of(known)
    return folder / f"{known.name}.csv" if known.table else folder


def folder_of(known: Pictures) -> Path:
    """Where they lie."""
    return own() / "zips" / known.reference.partition("/")[2] / known.name


def images_of(reference: str) -> ImageSet:
    """Raises BadFile."""
    place = opened(reference)
    return load_images(place, label=found()[reference].label) if place.suffix else load_images(place)


def remove(reference: str) -> None:
    """Raises BadFile."""
    known = opened(reference)
    shutil.rmtree(known.parents[1] if known.suffix else known.parent, ignore_errors=True)


def unpack(file: BinaryIO, name: str, *, classes: bool = False, label: str = "") -> Pictures:
    """Keep the pictures of a ZIP, whose top folders are the classes; one folder around all of them is looked into.

    classes: each picture has to be in a class folder, of which there are two or more, as training needs them.
    label: the column of its table, if it has one. Raises BadFile: no ZIP, too large, a path that leads out of it, a
    class without pictures, and what a table is refused for.
    """
    file.seek(0, 2)
    size = file.tell()
    if size > MOST_BYTES:
        raise BadFile(f"{shorten(name)} has {size >> 20} MB; a ZIP may have {MOST_BYTES >> 20}.")
    file.seek(0)
    whole = hashlib.sha256()
    while block := file.read(store.BLOCK):
        whole.update(block)
    whole.update(label.encode())
    digest = whole.hexdigest()[:16]
    try:
        with archive_of(file) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise BadFile(f"{shorten(name)} has {len(entries):,} entries; a ZIP may have {MOST_ENTRIES:,}.")
            folders = [_path(entry.filename) for entry in entries if entry.is_dir()]
            members = [_Member(_path(one.filename), _reader(archive, one)) for one in entries if not one.is_dir()]
            return _kept(members, folders, digest, size, name, classes, label)
    except ExplainError:
        raise
    except Exception as error:  # zipfile and zlib raise one of a dozen kinds for a damaged or encrypted file
        raise BadFile(f"{shorten(name)} cannot be unpacked: {error}.") from None


def keep(files: Sequence[Any], name: str, *, label: str = "") -> Pictures:
    """The same of files with `name`, which may be a path within a folder, and `getvalue()`. Raises BadFile."""
    if len(files) > MOST_ENTRIES:
        raise BadFile(f"There are {len(files):,} files; at most {MOST_ENTRIES:,} are taken.")
    members = [_Member(_path(one.name), lambda most, one=one: one.getvalue()[:most]) for one in files]
    size = sum(len(one.getvalue()) for one in files)
    if size > MOST_BYTES:
        raise BadFile(f"{shorten(name)} has {size >> 20} MB; at most {MOST_BYTES >> 20} are taken.")
    parts = sorted(f"{one.name} {store.sha256(one.getvalue())}" for one in files)
    return _kept(members, [], store.sha256("\n".join([*parts, label]).encode())[:16], size, name, False, label)


def _kept(
    members: list[_Member],
    folders: list[PurePosixPath],
    digest: str,
    size: int,
    name: str,
    classes: bool,
    label: str,
) -> Pictures:
    place = own() / "zips" / digest
    known = _read(place / CARD)
    if known and (len(known.classes) > 1 or not classes):
        return known
    if len(sets := named()) >= MOST_KEPT and not known:
        raise BadFile(f"There are {len(sets)} sets of pictures already; remove one, such as {next(reversed(sets))!r}.")
    with store.written(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    wanted = re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:40]
    called = _free_name("pictures" if is_reserved(wanted) or not wanted else wanted)
    with store.written(place), tempfile.TemporaryDirectory(dir=place.parent, prefix=".unpacking-") as temporary:
        half = Path(temporary) / digest
        tables = [one for one in members if one.path.suffix.lower() in TABLES and not _hidden(one.path)]
        if len(tables) > 1:
            raise BadFile(f"{shorten(name)} has {len(tables)} tables; one says what the pictures are.")
        pictures = _Unpacking(half / called, size, name).write(members, folders, classes, bool(tables))
        made = pictures.described(f"zip/{digest}", called)
        if tables:
            made = _with_table(made, tables[0], pictures.places, half / called, label, name)
        store.write(half / CARD, json.dumps(asdict(made)))
        shutil.rmtree(place, ignore_errors=True)
        half.replace(place)
    return made


class _Unpacking:
    """Pictures on their way to a folder, under names of ours."""

    def __init__(self, folder: Path, size: int, name: str) -> None:
        self.folder, self.size, self.name = folder, size, name
        self.counts: dict[str, int] = {}  # by class, "" for none
        self.skipped: dict[str, str] = {}
        self.places: dict[PurePosixPath, str] = {}  # where each lies now

    def described(self, reference: str, called: str) -> Pictures:
        classes = {label: count for label, count in self.counts.items() if label}
        return Pictures(reference, called, classes, self.skipped, sum(self.counts.values()))

    def write(self, members: Iterable[_Member], folders: list[PurePosixPath], strict: bool, flat: bool) -> _Unpacking:
        judged = [(one, why) for one in members if (why := _why_not(one)) != ""]
        kept = set(without_arrays([str(one.path) for one, why in judged if why is None]))
        pictures = [one for one, why in judged if why is None and str(one.path) in kept]
        self.skipped |= {str(one.path): why or BESIDE for one, why in judged if why or str(one.path) not in kept}
        if not pictures:
            ends = f"{shorten(self.name)} has no pictures; their names end in {', '.join(EXTENSIONS)}."
            raise BadFile(f"{ends}{self._first_skipped()}")
        # One folder around everything, as file managers make it.
        around = {one.path.parts[0] for one in pictures}
        deep = len(around) == 1 and all(len(one.path.parts) > 2 for one in pictures)
        depth = 1 if deep or (not strict and len(around) == 1 and all(len(p.path.parts) > 1 for p in pictures)) else 0
        paths = [one.path for one in pictures]
        labels = [] if flat else _classes([one for one in folders if not _hidden(one)], paths, depth, self.name, strict)
        self.counts = dict.fromkeys(labels, 0)
        for at, (path, content) in enumerate(self._contents(pictures)):
            try:
                decode(content, str(path))
            except ExplainError as error:
                self.skipped[str(path)] = str(error)
                continue
            label = path.parts[depth] if labels and len(path.parts) > depth + 1 else ""
            self.counts[label] = self.counts.get(label, 0) + 1
            number = self.counts[label] if label else at + 1
            stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.")[:40]
            to = self.folder / label / f"{number:05}-{stem}{path.suffix.lower()}"
            to.parent.mkdir(parents=True, exist_ok=True)
            with room(len(content), f"a picture of {shorten(self.name)}"):
                to.write_bytes(content)
            self.places[path] = to.relative_to(self.folder).as_posix()
        empty = [label for label, count in self.counts.items() if not count]
        if empty:
            why = self._first_skipped(empty[0])
            raise BadFile(f"None of the pictures of class {empty[0]!r} in {shorten(self.name)} can be read.{why}")
        if not self.places:
            raise BadFile(f"None of the pictures of {shorten(self.name)} can be read.{self._first_skipped()}")
        there = {class_name(one.name) for one in self.folder.iterdir()}
        if lost := [label for label in self.counts if label and label not in there]:
            raise BadFile(
                f"This system keeps no folder {lost[0]!r} apart from others: it takes capitals, or dots and spaces at "
                "the end, for the same. Give the classes other names."
            )
        return self

    def _first_skipped(self, label: str = "") -> str:
        """The first that was left out, of a class or of all, and why."""
        found = (path for path in self.skipped if not label or label in PurePosixPath(path).parts)
        return next((f" {shorten(path)}: {self.skipped[path]}" for path in found), "")

    def _contents(self, pictures: Iterable[_Member]) -> Iterator[tuple[PurePosixPath, bytes]]:
        total = 0
        for path, read in pictures:
            try:
                content = read(MOST_EACH + 1)
            except Exception as error:  # of a dozen kinds, for a member that is damaged or encrypted
                self.skipped[str(path)] = f"It cannot be unpacked: {error}."
                continue
            total += len(content)
            if total > MOST_UNPACKED or total > max(SMALL, MOST_RATIO * self.size):
                raise BadFile(
                    f"{shorten(self.name)} holds far more than its {self.size:,} bytes: it is not unpacked. At most "
                    f"{MOST_UNPACKED >> 30} GB, and {MOST_RATIO} times its size."
                )
            if len(content) > MOST_EACH:
                self.skipped[str(path)] = f"It has more than {MOST_EACH >> 20} MB; a picture may not."
                continue
            yield path, content


def _with_table(
    made: Pictures, table: _Member, places: dict[PurePosixPath, str], folder: Path, label: str, name: str
) -> Pictures:
    """The table with the pictures' paths as they are now, beside them, and what it says of their classes."""
    content = table.read(MOST_EACH + 1)
    if len(content) > MOST_EACH:
        raise BadFile(f"{table.path.name!r} has more than {MOST_EACH >> 20} MB; a table of pictures may not.")
    given = folder / f"given{table.path.suffix.lower()}"
    given.write_bytes(content)
    columns = read_columns(given, MOST_ROWS, MOST_EACH)
    given.unlink()
    paths = path_column(columns, Path(table.path.name))
    by_end = {path.as_posix(): place for path, place in places.items()}
    by_end |= {path.name: place for path, place in places.items()}  # a table often has names only
    beside = table.path.parent
    moved = [
        by_end.get((beside / value).as_posix()) or by_end.get(value) or by_end.get(PurePosixPath(value).name)
        for value in (class_name(str(value)).replace("\\", "/") for value in columns[paths])
    ]
    rows = [k for k, place in enumerate(moved) if place]
    if not rows:
        raise BadFile(f"No row of {table.path.name!r} names a picture of {shorten(name)}; its paths: {paths!r}.")
    if label and label not in columns:
        raise Unknown(f"column of {table.path.name!r}:", label, columns)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for k in rows:
        writer.writerow([moved[k] if key == paths else values[k] for key, values in columns.items()])
    (folder / f"{made.name}.csv").write_bytes(text.getvalue().encode())
    images = load_images(folder / f"{made.name}.csv", image=paths, label=label)
    counts = dict.fromkeys(images.classes, 0)
    for number in [] if images.labels is None else images.labels.tolist():
        if number >= 0:
            counts[images.classes[number]] += 1
    skipped = {**made.skipped}
    if lacking := len(moved) - len(rows):
        skipped[table.path.name] = f"{lacking} of its rows name no picture that came with it"
    return Pictures(made.reference, made.name, counts, skipped, len(rows), True, label)


def _classes(
    folders: list[PurePosixPath], pictures: list[PurePosixPath], depth: int, name: str, strict: bool
) -> list[str]:
    """The class folders, in their order. Raises BadFile."""
    loose = [path for path in pictures if len(path.parts) < depth + 2]
    if loose and strict:
        raise BadFile(
            f"The picture {str(loose[0])!r} of {shorten(name)} is in no class folder; put each picture into a folder "
            "with the name of its class."
        )
    full = {path.parts[depth] for path in pictures if len(path.parts) > depth + 1}
    labels = full | {path.parts[depth] for path in folders if len(path.parts) > depth and strict}
    for label in sorted(labels):
        if not _NAME.fullmatch("".join(c for c in label if unicodedata.category(c)[0] != "M" and c not in _JOINERS)):
            raise BadFile(
                f"{label!r} in {shorten(name)} cannot be the name of a class; use letters, digits and spaces."
            )
        if label not in full:
            raise BadFile(f"The class folder {label!r} of {shorten(name)} has no pictures; add some, or remove it.")
    if strict and len(full) < 2:
        raise BadFile(f"{shorten(name)} has one class, {min(full)!r}; training needs two or more folders of pictures.")
    return sorted(full)


def _free_name(wanted: str) -> str:
    """The name, or with a number where another set has it."""
    taken = {*named(), *list_images()}
    return next(name for k in range(1, MOST_KEPT + 3) if (name := wanted if k == 1 else f"{wanted}-{k}") not in taken)


def _path(text: str) -> PurePosixPath:
    path = PurePosixPath(class_name(text).replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or re.match("[A-Za-z]:", str(path)):
        raise BadFile(f"The path {shorten(text)} leads out of the ZIP: it is not unpacked.")
    return path


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _why_not(one: _Member) -> str | None:
    """As `why_not`, of a file that was handed in."""
    if _hidden(one.path):
        return ""
    named = one.path.suffix.lower() in (*EXTENSIONS, *TABLES)
    try:
        head = b"" if named else one.read(HEAD)
    except Exception:  # of a dozen kinds, for a member that is damaged or encrypted
        head = b""
    return why_not(one.path.name, head)


def _reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    return lambda most: part(archive, entry, most)


def _read(card: Path) -> Pictures | None:
    try:
        return Pictures(**json.loads(card.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
