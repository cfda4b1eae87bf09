"""Readers that fail in each way that tests/fuzzing.py looks for, but for a file as it was; and one that is fine."""

import os
import time
from pathlib import Path

from fuzzing import Target

from explain.errors import BadFile

FILE = b"a file of 24 characters."


def fine(content: bytes, folder: Path) -> None:
    assert not list(folder.iterdir())
    if content != FILE:
        raise BadFile("as it should be")


def raising(content: bytes, _: Path) -> None:
    if content != FILE:
        raise KeyError("missing")


def growing(content: bytes, _: Path) -> None:
    if content != FILE:
        bytearray(b"x") * (300 << 20)


def slow(content: bytes, _: Path) -> None:
    if content != FILE:
        time.sleep(0.3)


def hanging(content: bytes, _: Path) -> None:
    if content != FILE:
        time.sleep(600)


def dying(content: bytes, _: Path) -> None:
    if content != FILE:
        os._exit(3)


TARGETS = {
    # Only what is to be found slow has a limit that a loaded machine could pass by itself.
    one.__name__: Target(lambda: [FILE], one, memory=200, seconds=0.2 if one is slow else 60)
    for one in (fine, raising, growing, slow, hanging, dying)
}
