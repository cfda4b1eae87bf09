"""What is made once and kept for all visitors, within so many bytes: what nobody asked about for longest goes first."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from explain import memory
from explain.data import ImageSet
from explain.index import Index
from explain.network.model import Model
from explain.progress import patiently

__all__ = ["Shelf", "size_of"]


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Any = None
        self.size: int | None = None  # until it is made


class Shelf:
    """Values by a text that says all that they depend on.

    most: bytes; share: of the memory that is free when the first is made, where that is less. What was asked for last
    always stays.
    """

    def __init__(
        self,
        most: float = math.inf,
        size: Callable[[Any], int] | None = None,
        gone: Callable[[Any], object] = lambda _value: None,
        share: float | None = None,
    ) -> None:
        self._most, self._share, self._size, self._gone = most, share, size or size_of, gone
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of this key, which is made where it is not there; one visitor makes it, the others wait."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with patiently(entry.lock):
            if entry.size is None:
                try:
                    entry.value = make()
                    entry.size = self._size(entry.value)
                except BaseException:  # a rerun of the page, too
                    self.drop(lambda other: other == key)
                    raise
        self._trim(key, entry)
        return entry.value

    def drop(self, those: Callable[[str], bool]) -> None:
        """Let go of the values of those keys."""
        with self._lock:
            for key in list(filter(those, self._entries)):
                del self._entries[key]

    def __contains__(self, key: str) -> bool:
        """Whether it is made."""
        entry = self._entries.get(key)
        return entry is not None and entry.size is not None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        with self._lock:
            return sum(entry.size or 0 for entry in self._entries.values())

    def _trim(self, key: str, made: _Entry) -> None:
        gone = []
        with self._lock:
            if self._share is not None:
                self._most, self._share = min(self._most, self._share * memory.free()), None
            self._entries[key] = made  # which may have gone while it was made
            total = sum(entry.size or 0 for entry in self._entries.values())
            for old, entry in list(self._entries.items()):
                if total <= self._most:
                    break
                if entry is not made and entry.size is not None:
                    total -= entry.size
                    gone.append(entry.value)
                    del self._entries[old]
        for value in gone:
            self._gone(value)


def size_of(value: Any) -> int:
    """About how many bytes a result holds; networks, indexes and sets of pictures are others' and count nothing."""
    total, seen, waiting = 0, set[int](), [value]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, Model, Index, ImageSet, torch.nn.Module)):
            continue
        seen.add(id(one))
        total += 56  # a small object
        if isinstance(one, (str, bytes, bytearray)):
            total += len(one)
        elif isinstance(one, np.memmap):
            continue  # is in its file
        elif isinstance(one, np.ndarray) and isinstance(one.base, np.ndarray):
            waiting.append(one.base)  # which is held as a whole
        elif isinstance(one, (np.ndarray, torch.Tensor)):
            total += one.nbytes
            waiting += one.flat if isinstance(one, np.ndarray) and one.dtype.kind == "O" else ()
        elif isinstance(one, Image.Image):
            total += one.width * one.height * len(one.getbands())
            waiting.append(one.info)
        elif isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting += one
        elif not callable(one):
            waiting += vars(one).values() if hasattr(one, "__dict__") else ()
            waiting += [getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)]
    return total
