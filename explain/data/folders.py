"""What lies in a folder of pictures: the files, their classes, and what is left out, with the reason."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import BadFile, shorten
from ..images.formats import ENDINGS, HEAD, left_out

__all__ = [
    "BESIDE",
    "EXTENSIONS",
    "Listing",
    "class_name",
    "common_folder",
    "listing",
    "path_below",
    "printable",
    "why_not",
    "without_arrays",
]

EXTENSIONS = (*(ending for endings in ENDINGS.values() for ending in endings), ".npy")
BESIDE = "Arrays beside pictures are taken for masks or features of them."
_PLAIN = (".txt", ".json", ".xml", ".csv", ".tsv", ".yaml", ".yml", ".md", ".html", ".py")
"""Endings of text that often lies beside pictures, a file for each: not looked into."""


class Listing(NamedTuple):
    """Pictures of no class first, then those of each class in turn; `sizes` says how many."""

    files: list[str]
    sizes: list[int]
    classes: list[str]
    skipped: dict[str, str]


def listing(root: Path) -> Listing:
    """Pictures below a folder, sorted by path; .npy where there are no others. Links are followed, each folder once for
    a class, but for those that lead to where they are. Raises BadFile for a folder that cannot be read or has none."""
    skipped: dict[str, str] = {}
    try:
        around = {_place(folder) for folder in (root.resolve(), *root.resolve().parents)}
        here = _Folder(root, skipped)
    except OSError as error:
        raise BadFile(f"The folder {shorten(str(root))} cannot be read: {error.strerror or error}.") from None
    groups: dict[str, list[str]] = {}
    for folder in here.folders:
        group = groups.setdefault(class_name(folder.name), [])
        group += _below(folder.path, around, skipped)
    everything = [*here.files, *(file for group in groups.values() for file in group)]
    kept = set(without_arrays(everything))
    skipped |= {file: BESIDE for file in everything if file not in kept}
    loose = [file for file in here.files if file in kept]
    found = {name: files for name, group in groups.items() if (files := [file for file in group if file in kept])}
    if not found and not loose:
        first = next((f" Left out is {shorten(os.path.basename(one))}: {why}" for one, why in skipped.items()), "")
        raise BadFile(
            f"The folder {shorten(str(root))} has no pictures; their names end in {', '.join(EXTENSIONS)}.{first}"
        )
    if found:  # the others would be classes too
        for name in groups.keys() - found.keys():
            skipped.setdefault(str(root / name), "The folder has no pictures.")
    files = [*loose, *(file for group in found.values() for file in group)]
    return Listing(files, [len(loose), *map(len, found.values())], list(found), skipped)


def without_arrays(files: Sequence[str]) -> Sequence[str]:
    """Picture files without .npy, which beside other pictures are masks or features of these; all where there is no
    other."""
    return [file for file in files if not file.lower().endswith(".npy")] or files


def why_not(name: str, head: bytes) -> str | None:
    """Why a file is left out, by its name and first bytes; None for a picture, and empty for what is none."""
    if name.startswith(".") or name.lower().endswith(_PLAIN):
        return ""
    return None if name.lower().endswith(EXTENSIONS) else left_out(name, head)


def path_below(file: str, root: str | Path) -> str:
    """A file's way from a folder, with slashes on every system; of what no way leads to, an address or what lies on
    another of Windows' drives, all of it."""
    if "://" in file:
        return file
    try:
        return Path(os.path.relpath(file, root)).as_posix()
    except ValueError:
        return Path(file).as_posix()


def common_folder(files: Iterable[str | Path]) -> Path | None:
    """The nearest folder around all files; None where they lie on several of Windows' drives."""
    try:
        return Path(os.path.commonpath({os.path.dirname(os.path.abspath(file)) for file in files}))
    except ValueError:
        return None


def printable(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 as \\xNN, other halves of characters as \\uNNNN."""
    try:
        return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:
        return name.encode(errors="backslashreplace").decode()


def class_name(name: str) -> str:
    """A folder's or a label's name as that of a class: in one form of Unicode, as file systems differ in theirs."""
    return unicodedata.normalize("NFC", printable(name))


class _Folder:
    """The pictures in a folder, and the folders in it. Raises OSError."""

    def __init__(self, path: str | Path, skipped: dict[str, str]) -> None:
        with os.scandir(path) as entries:
            found = sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
        self.folders: list[os.DirEntry[str]] = []
        self.files: list[str] = []
        for one in found:
            if _is(one.is_dir):
                self.folders.append(one)
            elif (why := _judged(one)) is None:
                self.files.append(one.path)
            elif why:
                skipped[one.path] = why


def _judged(entry: os.DirEntry[str]) -> str | None:
    """As `why_not`, of a file that may be a link to nothing, or no file at all."""
    named = entry.name.lower().endswith(EXTENSIONS)
    if not _is(entry.is_file):
        return "It is a link to nothing." if entry.is_symlink() else "It is no regular file." if named else ""
    if named:
        return None
    if entry.name.lower().endswith(_PLAIN):
        return ""
    try:
        with open(entry.path, "rb", buffering=0) as file:
            head = file.read(HEAD) or b""
    except OSError:
        head = b""
    return why_not(entry.name, head)


def _is(what: Callable[[], bool]) -> bool:
    try:
        return what()
    except OSError:  # a link that leads to itself, or where nobody may look
        return False


def _below(top: str, around: set[tuple[int, int]], skipped: dict[str, str]) -> Iterator[str]:
    """The pictures below a folder: in it, then in its folders, then behind its links."""
    seen = set(around)
    coming, links = [top], list[str]()
    while coming or links:
        path = coming.pop() if coming else links.pop(0)
        try:
            place = _place(path)
            if place in seen:
                skipped[path] = "It is a link to a folder that is looked into already."
                continue
            seen.add(place)
            folder = _Folder(path, skipped)
        except OSError as error:
            skipped[path] = f"The folder cannot be read: {error.strerror or error}."
            continue
        yield from folder.files
        coming += [one.path for one in reversed(folder.folders) if not one.is_symlink()]
        links += [one.path for one in folder.folders if one.is_symlink()]


def _place(folder: str | Path) -> tuple[int, int]:
    """By what a folder is the same whatever way leads to it. Raises OSError."""
    known = os.stat(folder)
    return known.st_dev, known.st_ino
