"""Image sets of tables (CSV, Parquet)."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile, BadValue, Unknown, shorten
from ..extras import extra
from .folders import EXTENSIONS, class_name, without_arrays
from .image_sets import ImageSet
from .remote import is_remote

__all__ = ["TABLES", "from_table", "labels_of", "path_column", "read_columns"]

TABLES = (".csv", ".tsv", ".parquet")
MOST_ROWS, MOST_COLUMNS, MOST_BYTES = 5_000_000, 10_000, 2 << 30
_BATCH = 1024  # rows of Parquet that are unpacked at once
LOOKED_AT = 20  # rows by which a column of paths is told
PATHS = ("path", "url", "image", "file", "filename", "file_name", "image_path", "img", "filepath")
LABELS = ("label", "class", "target", "category")
SPLITS = ("split", "set", "subset", "fold")


def from_table(
    path: str | Path, image: str = "", label: str = "", split: str = "", root: str | Path | None = None, name: str = ""
) -> ImageSet:
    """The pictures that a table's rows name, with its other columns.

    image, label: columns; by default those that are called so, or hold paths of pictures. split: only the rows whose
    column of that name ("split", or "COLUMN=VALUE") has this value. root: what paths are below, by default the table's
    folder. Raises BadFile, BadValue, Unknown.
    """
    table = Path(path)
    columns = read_columns(table)
    folder = Path(root) if root is not None else table.resolve().parent
    if split:
        columns = _rows_of(columns, split, table)
    paths = path_column(columns, table, image)
    labelled = _column(columns, label, LABELS, table, "label")
    given = [str(value).strip() for value in columns[paths]]
    strange = next((one for one in given if "://" in one and not is_remote(one)), None)
    if strange:
        raise BadValue(f"{table.name!r} names addresses such as {shorten(strange)}; http, https and paths are read.")
    files = tuple(one if os.path.isabs(one) or is_remote(one) else _below(folder, one) for one in given)
    missing = [one for one, file in zip(given, files, strict=True) if not is_remote(file) and not os.path.isfile(file)]
    if not files or len(missing) == len(files):
        example = f", such as {shorten(missing[0])}" if missing else ""
        raise BadFile(f"None of the {len(files)} pictures of {table.name!r} is below {shorten(str(folder))}{example}.")
    labels, classes = labels_of(columns[labelled]) if labelled else (None, ())
    others = {key: tuple(values) for key, values in columns.items() if key not in (paths, labelled)}
    return ImageSet(name or table.stem, files, labels, classes, root=folder, columns=others)


def _below(folder: Path, file: str) -> str:
    """The path of a file that a table names, which may have been written on Windows."""
    place = str(folder / file)
    return place if "\\" not in file or os.path.isfile(place) else str(folder / file.replace("\\", "/"))


def read_columns(table: Path, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> dict[str, list[Any]]:
    """A table's columns by name, of so many rows and bytes, unpacked, at most. Raises BadFile."""
    try:
        if table.stat().st_size > most_bytes:
            raise BadFile(f"{table.name!r} has {table.stat().st_size >> 20} MiB; at most {most_bytes >> 20} are read.")
        if table.suffix.lower() == ".parquet":
            return _parquet(table, most_rows, most_bytes)
        with table.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4096)
            file.seek(0)
            between = "\t" if table.suffix.lower() == ".tsv" else ";" if sample.count(";") > sample.count(",") else ","
            rows = csv.reader(file, delimiter=between)
            names = [name.strip() for name in next(rows, [])]
            if len(names) > MOST_COLUMNS:
                raise BadFile(f"{table.name!r} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
            read = [row for row, _ in zip(rows, range(most_rows + 1), strict=False) if row]
            _check_rows(len(read), most_rows, table)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise BadFile(f"The table {table.name!r} cannot be read: {error}.") from None
    if not names or len(set(names)) < len(names) or not read:
        raise BadFile(f"The table {table.name!r} needs a first row of different names, and rows below it.")
    short = next((k for k, row in enumerate(read) if len(row) != len(names)), None)
    if short is not None:
        raise BadFile(f"Row {short + 2} of {table.name!r} has {len(read[short])} cells, its head {len(names)}.")
    return {name: list(column) for name, column in zip(names, zip(*read, strict=True), strict=True)}


def _check_rows(count: int, most: int, table: Path) -> None:
    if count > most:
        raise BadFile(f"{table.name!r} has more than {most:,} rows, the most that are read.")


def _parquet(table: Path, most_rows: int, most_bytes: int) -> dict[str, list[Any]]:
    """What it says of its own size is looked at, and how large its columns are once a text that is repeated, which
    Parquet keeps once, is as often in memory."""
    parquet, ArrowException = extra("pyarrow.parquet"), extra("pyarrow").ArrowException
    try:
        with parquet.ParquetFile(table) as file:  # Windows removes no file that is open
            _check_rows(file.metadata.num_rows, most_rows, table)
            if file.metadata.num_columns > MOST_COLUMNS:
                raise BadFile(f"{table.name!r} has {file.metadata.num_columns:,} columns; at most {MOST_COLUMNS:,}.")
            groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
            size, columns = sum(group.total_byte_size for group in groups), dict[str, list[Any]]()
            for batch in file.iter_batches(_BATCH) if size <= most_bytes else ():
                size += batch.nbytes + 8 * batch.num_rows * batch.num_columns
                if size > most_bytes:
                    break
                for name, values in zip(batch.schema.names, batch.columns, strict=True):
                    columns.setdefault(name, []).extend(values.to_pylist())
    except (ArrowException, OSError, ValueError) as error:
        raise BadFile(f"The table {table.name!r} cannot be read: {shorten(str(error))}.") from None
    if size > most_bytes:
        raise BadFile(f"{table.name!r} unpacks to more than {most_bytes >> 20} MiB, the most that are read.")
    return columns


def _rows_of(columns: Mapping[str, list[Any]], split: str, table: Path) -> dict[str, list[Any]]:
    name, _, value = split.rpartition("=")
    column = _column(columns, name, SPLITS, table, "split")
    if not column:
        raise BadValue(f"{table.name!r} has no column {' or '.join(SPLITS)}; say which, as split='COLUMN={value}'.")
    rows = [k for k, one in enumerate(columns[column]) if str(one) == value]
    if not rows:
        raise Unknown(f"{column} of {table.name!r}:", value, sorted(set(map(str, columns[column]))))
    return {key: [values[k] for k in rows] for key, values in columns.items()}


def _column(columns: Mapping[str, Any], named: str, usual: Sequence[str], table: Path, what: str) -> str:
    """The column asked for, or the one that is called so; none for neither."""
    if named:
        if named not in columns:
            raise Unknown(f"column of {table.name!r} for {what}:", named, columns)
        return named
    return next((key for word in usual for key in columns if key.lower() == word), "")


def path_column(columns: Mapping[str, list[Any]], table: Path, named: str = "") -> str:
    """The column of a table that has the pictures' paths, by its name or by what it holds. Raises Unknown, BadValue."""
    if called := _column(columns, named, PATHS, table, "image"):
        return called
    found: dict[str, str] = {}
    for key, values in columns.items():
        if all(str(value).lower().endswith(EXTENSIONS) or is_remote(str(value)) for value in values[:LOOKED_AT]):
            found.setdefault(str(values[0]), key)
    for one in without_arrays(list(found)):  # a column of .npy beside one of pictures is of features, say
        return found[one]
    raise BadValue(
        f"{table.name!r} has no column of paths that is known; say which, as image=, of {', '.join(columns)}."
    )


def labels_of(values: Sequence[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Numbers and names; a row without one has -1. Names that are numbers are in the order of the numbers."""
    texts = ["" if value is None else class_name(str(value).strip()) for value in values]
    names = {text for text in texts if text}
    whole = all(len(text) < 20 and text.removeprefix("-").isdecimal() for text in names)
    classes = tuple(sorted(names, key=(lambda text: (int(text), text)) if whole else None))
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number.get(text, -1) for text in texts], np.int64), classes
