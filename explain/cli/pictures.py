"""What a command is given for pictures: one, or many, which become a set."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..errors import BadValue
from .command import model_options

if TYPE_CHECKING:
    from ..data import ImageSet
    from ..images import Picture
    from ..workspace.opener import Opener

__all__ = ["MORE", "images_of", "is_many", "opener", "say_skipped"]

STDIN = "-"
MORE = "an address, or - for standard input; several of them, a folder or a set"
SAID = 20  # files that were skipped, on standard error


def is_many(words: Sequence[str]) -> bool:
    """Whether these are several pictures, or one word that is a folder, a set or a table of them."""
    from ..data import is_set

    return len(words) > 1 or is_set(words[0])


def images_of(words: Sequence[str], read: Callable[[str], Any]) -> ImageSet:
    """The set that is meant by these words; `read` opens one picture by its name."""
    from ..data import ImageSet, is_set, load_images

    if len(words) == 1 and is_set(words[0]):
        return load_images(words[0])
    if all(os.path.isfile(word) and not is_set(word) for word in words):
        return load_images(list(words))
    members = [member for word in words for member in _members(word, read)]
    return ImageSet("pictures", tuple(name for name, _ in members), source=_Opened([one for _, one in members]))


def say_skipped(skipped: Mapping[str, str]) -> None:
    from ..data import printable

    for file, reason in list(skipped.items())[:SAID]:
        print(f"explain: skipped {printable(file)}: {reason}", file=sys.stderr)
    if (more := len(skipped) - SAID) > 0:
        print(f"explain: and {more:,} more; --json lists all", file=sys.stderr)


def opener(given: argparse.Namespace, model: str | None = None, index: Any = None, image: Any = None) -> Opener:
    """What opens by name, also what comes by standard input."""
    from ..workspace.opener import Opener

    class Reader(Opener):
        def picture(self, name: str) -> Any:
            return _from_stdin() if name == STDIN else super().picture(name)

    return Reader(model, index, image, **model_options(given))


def _members(word: str, read: Callable[[str], Any]) -> list[tuple[str, Callable[[], Picture]]]:
    """The pictures that a word means: the name and how it is opened of each."""
    from ..data import is_remote, is_set, load_images
    from ..data.folders import path_below

    if not is_set(word):
        if not (word == STDIN or is_remote(word) or os.path.isfile(word)):
            read(word)  # what does not exist is said before any work
        name = Path(word).name if os.path.isfile(word) else word.rpartition("://")[2]
        return [(name, lambda: read(word))]
    images = load_images(word)
    root, called = images.root, Path(word.rpartition(":")[2]).resolve().name
    names = [path_below(file, root) if root else file for file in images.files]
    return [(f"{called}/{name}", lambda number=number: images[number]) for number, name in enumerate(names)]  # type: ignore[misc]


class _Opened(Sequence["Picture"]):
    """Pictures that are opened when they are asked for."""

    def __init__(self, members: Sequence[Callable[[], Picture]]) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> _Opened: ...
    def __getitem__(self, index: int | slice) -> Picture | _Opened:
        return _Opened(self._members[index]) if isinstance(index, slice) else self._members[index]()


def _from_stdin() -> Picture:
    """Raises BadFile, BadValue."""
    from ..images import MAX_BYTES, decode

    if sys.stdin is None or sys.stdin.isatty():
        raise BadValue("Nothing comes by standard input; `-` is a picture that does: cat cat.jpg | explain ... -")
    picture = decode(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
    picture.info["name"] = "standard input"
    return picture
