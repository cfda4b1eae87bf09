"""Pictures inside other files: shards of WebDataset (tar), and rows of Parquet and Arrow, as Hugging Face's datasets
keep them. One is named CONTAINER!MEMBER, and read from its place without the others."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile, BadValue, Unknown, shorten
from ..extras import extra
from ..images.formats import HEAD
from .folders import EXTENSIONS, class_name, common_folder, why_not
from .image_sets import ImageSet
from .tables import LABELS, labels_of

__all__ = ["CONTAINERS", "content", "from_rows", "from_tars", "is_inside", "load"]

MARK = "!"
MOST_EACH = 256 << 20  # as of the largest pictures
TARS, ROWS = (".tar",), (".parquet", ".arrow")
CONTAINERS = (*TARS, *ROWS)
SPLITS = ("train", "validation", "valid", "test")


def is_inside(file: str) -> bool:
    return MARK in file and file.rpartition(MARK)[0].lower().endswith(CONTAINERS)


def content(file: str) -> bytes:
    """The bytes of a picture that is named so. Raises BadFile."""
    container, _, member = file.rpartition(MARK)
    try:
        changed = os.stat(container).st_mtime_ns
        if container.lower().endswith(TARS):
            start, size = _members(container, changed)[member]
            if size > MOST_EACH:
                raise ValueError(f"it has more than {MOST_EACH >> 20} MB")
            with open(container, "rb") as opened:
                opened.seek(start)
                return opened.read(size)
        column, _, row = member.rpartition("/")
        cell = _rows(container, changed, column)[int(row)].as_py()
        return bytes(cell["bytes"] if isinstance(cell, dict) else cell)
    except (OSError, KeyError, IndexError, ValueError, TypeError, tarfile.TarError) as error:
        raise BadFile(f"{shorten(member)} of {os.path.basename(container)!r} cannot be read: {error}.") from None


def load(source: str | Path, image: str = "", label: str = "", split: str = "") -> ImageSet | None:
    """The pictures in a container, a folder of them, or `hf:OWNER/NAME` in the cache of Hugging Face's hub; None for
    anything else. Raises BadFile, BadValue, Unknown."""
    text = str(source)
    place = _cached(text.removeprefix("hf:")) if text.startswith("hf:") else Path(source)
    shards = _shards(place, split)
    if not shards:
        return None
    name = text.rpartition("/")[2] if text.startswith("hf:") else place.resolve().stem
    name = f"{name}-{split}" if split else name
    tars = [one for one in shards if one.suffix.lower() in TARS]
    return from_tars(tars, name) if tars else from_rows(shards, name, image, label)


def _shards(place: Path, split: str) -> list[Path]:
    """The containers at a place, of one split where their names say which. A folder with pictures of its own, and a
    table that only names pictures, are none."""
    if os.path.isfile(place):
        return [place] if _holds(place) else []
    if not os.path.isdir(place) or any(path.suffix.lower() in EXTENSIONS for path in place.rglob("*")):
        return []
    found = [path for path in place.rglob("*") if path.is_file() and _holds(path)]
    found.sort(key=lambda path: path.parts)  # paths themselves have another order on Windows
    named = {path: _split_of(path.relative_to(place).as_posix()) for path in found}
    known = [one for one in SPLITS if one in named.values()]
    if split and split not in known:
        raise Unknown(f"split of {place.name!r}:", split, known)
    if len(known) > 1 and not split:
        raise BadValue(f"{place.name!r} has the splits {', '.join(known)}; say which, as split={known[0]!r}.")
    return [path for path in found if not split or named[path] == split]


def _holds(path: Path) -> bool:
    """Whether it is a container of pictures."""
    if path.suffix.lower() not in ROWS:
        return path.suffix.lower() in TARS
    try:
        with _reading(path):
            return any(_is_picture(one.type) for one in _schema(path))
    except BadFile:  # it is said of the set what is wrong with it, or when it is read
        return True


def _split_of(path: str) -> str:
    return next((one for one in SPLITS if one in path.lower()), "")


def _cached(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, repo_type="dataset", local_files_only=True))
    except Exception as error:  # of many kinds, for names and for what is not there
        raise BadFile(
            f"The dataset {shorten(name)} is not in the cache of Hugging Face's hub; fetch it with "
            f"`hf download --repo-type dataset {name}`."
        ) from error


# ------------------------------------------------------------ tars


def from_tars(shards: Sequence[Path], name: str) -> ImageSet:
    """Samples KEY.jpg of WebDataset's shards, with the class of KEY.cls or of KEY.json, and what else KEY.json says.

    Raises BadFile where none has pictures.
    """
    files: list[str] = []
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for shard in shards:
        sample: dict[str, dict[str, Any]] = {}
        pictures: dict[str, str] = {}
        try:
            members = _members(str(shard), os.stat(shard).st_mtime_ns)
        except (OSError, tarfile.TarError, ValueError) as error:
            skipped[str(shard)] = f"The shard {shard.name!r} cannot be read: {error}."
            continue
        for member, (start, size) in members.items():
            (key, ending), file = _key(member), f"{shard}{MARK}{member}"
            if ending in ("cls", "json", "txt"):
                try:
                    sample.setdefault(key, {}).update(_told(ending, content(file)))
                except (ValueError, RecursionError, BadFile) as error:
                    skipped[file] = f"What it says of a picture cannot be read: {error}."
                continue
            named = f".{ending.rpartition('.')[2]}" in EXTENSIONS
            why = None if named else why_not(member.rpartition("/")[2], _head(shard, start, size))
            if why is None and pictures.setdefault(key, member) != member:
                why = f"Its sample has another picture, {shorten(pictures[key])}."
            if why:
                skipped[file] = why
        files += [f"{shard}{MARK}{member}" for member in pictures.values()]
        rows += [sample.get(key, {}) for key in pictures]
    if not files:
        first = next(iter(skipped.values()), "WebDataset's samples are KEY.jpg, KEY.png and the like.")
        raise BadFile(f"There are no pictures in {name!r}: {first}")
    columns = {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    return _image_set(name, files, columns, shards, (), skipped)


def _head(shard: Path, start: int, size: int) -> bytes:
    try:
        with open(shard, "rb") as opened:
            opened.seek(start)
            return opened.read(min(size, HEAD))
    except OSError:
        return b""


def _key(member: str) -> tuple[str, str]:
    """As WebDataset takes a name apart: what stands before the first dot of the file's name, and behind it."""
    folder, slash, last = member.rpartition("/")
    stem, _, ending = last.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _told(ending: str, told: bytes) -> dict[str, Any]:
    text = told.decode("utf-8", "replace").strip()
    if ending != "json":
        return {"label" if ending == "cls" else "txt": text}
    found = json.loads(text)
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {"json": text}


@lru_cache(maxsize=64)
def _members(container: str, _changed: int) -> dict[str, tuple[int, int]]:
    """Where each file of a tar begins, and its size."""
    try:
        with tarfile.open(container, "r:") as archive:
            return {one.name: (one.offset_data, one.size) for one in archive if one.isfile()}
    except OverflowError:
        raise ValueError("a size in it is larger than any file") from None


# ------------------------------------------------------------ rows


def from_rows(tables: Sequence[Path], name: str, image: str = "", label: str = "") -> ImageSet:
    """Rows of Parquet or Arrow that hold pictures themselves, as bytes or {bytes, path}; names of classes are those
    that `datasets` keeps in the file. Raises BadFile where none can be read, Unknown."""
    files: list[str] = []
    skipped: dict[str, str] = {}
    columns: dict[str, list[Any]] = {}
    names: Sequence[str] = ()
    for table in tables:
        try:
            with _reading(table):
                schema = _schema(table)
                held = [one.name for one in schema if _is_picture(one.type)]
                others = [one.name for one in schema if not _is_picture(one.type)]
        except BadFile as error:
            skipped[str(table)] = str(error)
            continue
        if image and image not in held:
            raise Unknown(f"column of pictures of {table.name!r}:", image, held)
        if not held:
            raise BadFile(f"{table.name!r} has no column that holds pictures (binary, or bytes and path).")
        with _reading(table):
            rest = _table(table, others or held[:1])
            told = {other: rest.column(other).to_pylist() for other in others}
        files += [f"{table}{MARK}{image or held[0]}/{k}" for k in range(rest.num_rows)]
        for other, values in told.items():
            columns.setdefault(other, []).extend(values)
        called = label or next((key for key in columns if key.lower() in LABELS), "")
        if called and called not in columns:
            raise Unknown(f"column of {table.name!r} for label:", called, columns)
        try:
            names = _names_of(schema, called) or names
        except (ValueError, RecursionError) as error:
            skipped[f"{table}{MARK}classes"] = f"The names of classes in {table.name!r} cannot be read: {error}."
        if called and called != "label":
            columns["label"] = columns.pop(called)
    if not files and skipped:
        raise BadFile(next(iter(skipped.values())))
    return _image_set(name, files, columns, tables, names, skipped)


def _names_of(schema: Any, column: str) -> list[str]:
    """The names of classes that `datasets` keeps in a file for a column of numbers; none where it says none. Raises
    ValueError, RecursionError where that is damaged."""
    found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features", column, "names"):
        if not isinstance(found, dict):
            raise ValueError(f"{shorten(str(found))} is no description of columns")
        found = found.get(key) or {}
    if found and not (isinstance(found, list) and all(isinstance(name, str) for name in found)):
        raise ValueError(f"{shorten(str(found))} are no names")
    return list(found)


def _is_picture(kind: Any) -> bool:
    pa = extra("pyarrow")
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bool(binary or (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What pyarrow finds wrong with a file as BadFile: also names and texts that are not UTF-8, first where they are
    asked for."""
    pa = extra("pyarrow")
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadFile(f"{path.name!r} cannot be read: {shorten(str(error), 120)}.") from None


def _table(path: Path, columns: list[str]) -> Any:
    """Some columns: of an Arrow file read where they lie."""
    parquet = extra("pyarrow.parquet")
    with _reading(path):
        if path.suffix.lower() != ".arrow":
            return parquet.read_table(path, columns=columns)
        found = _arrow(path).read_all()
        found.validate(full=True)  # what is damaged would lead out of the file, and end the process
        return found.select(columns)


def _schema(path: Path) -> Any:
    parquet = extra("pyarrow.parquet")
    with _reading(path):
        return _arrow(path).schema if path.suffix.lower() == ".arrow" else parquet.read_schema(path)


def _arrow(path: Path) -> Any:
    pa = extra("pyarrow")
    source = pa.memory_map(str(path))
    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid:  # written with a footer
        return pa.ipc.open_file(source)


@lru_cache(maxsize=8)
def _rows(container: str, _changed: int, column: str) -> Any:
    return _table(Path(container), [column]).column(column)


def _image_set(
    name: str,
    files: list[str],
    columns: dict[str, list[Any]],
    places: Iterable[Path],
    names: Sequence[str],
    skipped: dict[str, str],
) -> ImageSet:
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    if (given := columns.pop("label", None)) is not None:
        numbers = [-1 if one is None else one for one in given]
        if names and all(isinstance(one, int) for one in numbers):  # numbers into these
            if wrong := next((one for one in numbers if not -1 <= one < len(names)), None):
                raise BadFile(f"{name!r} says class {wrong} of a picture, and names {len(names)} classes.")
            labels, classes = np.array(numbers, np.int64), tuple(map(class_name, names))
        else:
            labels, classes = labels_of(given)
    kept = {key: tuple(values) for key, values in columns.items()}
    return ImageSet(name, tuple(files), labels, classes, root=common_folder(places), columns=kept, skipped=skipped)
