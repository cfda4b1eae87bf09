"""The files of an index: a manifest, and what it names, each file by its content and with its checksum.

A file is complete or absent, and no file is ever changed: the manifest is replaced last, so whoever reads it meets one
whole state. What is damaged is noticed before a byte of it is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import store
from ..errors import BadFile
from .summary import RANKINGS, Ranked, Summary

__all__ = [
    "FORMAT",
    "MANIFEST",
    "OWN",
    "File",
    "Manifest",
    "Shard",
    "lines_of",
    "read_arrays",
    "read_manifest",
    "summaries_of",
    "summary_arrays",
    "text_array",
    "write_arrays",
]

FORMAT = 2
MANIFEST = "manifest.json"
OWN = re.compile(r"(rows|summary|merged)-[0-9a-f]{16}\.safetensors|manifest\.json")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class File:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Shard:
    """Some images of the index: `rows` holds one row an image, `summary` each layer's Summary over them."""

    images: int
    rows: File
    summary: File


@dataclass(frozen=True)
class Manifest:
    """layers: name -> shape (C, H, W) or (C,); head: the layer whose input the features are; grouped: by "label" or
    "prediction"; merged: the summary over all shards, once the pass is complete; skipped: what lay beside the pictures
    and was left out, unreadable: pictures that could not be read, each by its path with the reason."""

    model: str
    model_digest: str
    data: str
    root: str | None
    classes: list[str]
    layers: dict[str, list[int]]
    head: str
    grouped: str
    k: int
    seed: int
    versions: dict[str, str]
    data_digest: str = ""
    shards: list[Shard] = field(default_factory=list)
    merged: File | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def files(self) -> set[str]:
        shards = [file.name for shard in self.shards for file in (shard.rows, shard.summary)]
        return {MANIFEST, *shards, *([self.merged.name] if self.merged else [])}

    @property
    def request(self) -> tuple[Any, ...]:
        """What a pass depends on besides the images: shards of one index agree in it."""
        return self.model_digest, self.layers, self.head, self.grouped, self.k, self.seed, self.format

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1)
        store.write(folder / MANIFEST, f"{store.sha256(text.encode())}\n{text}")


def read_manifest(folder: Path) -> Manifest:
    """Raises BadFile where there is none, or a damaged one, or one of another version."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{str(folder)!r} is no index: {MANIFEST} cannot be read ({error.strerror or error}).") from None
    digest, _, text = content.partition(b"\n")
    if digest != store.sha256(text).encode():
        raise BadFile(f"The index {str(folder)!r} is damaged: {MANIFEST} is not what was written; build it again.")
    card = json.loads(text)
    if card.get("format") != FORMAT:
        raise BadFile(f"The index {str(folder)!r} has format {card.get('format')!r}; this version reads {FORMAT}.")
    card["shards"] = [
        Shard(shard["images"], File(**shard["rows"]), File(**shard["summary"])) for shard in card["shards"]
    ]
    card["merged"] = card["merged"] and File(**card["merged"])
    return Manifest(**card)


def write_arrays(folder: Path, kind: str, arrays: Arrays) -> File:
    """Raises BadFile when there is no room."""
    from safetensors.numpy import save

    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = hashlib.sha256(content).hexdigest()
    name = f"{kind}-{digest[:16]}.safetensors"
    store.write(folder / name, content)
    return File(name, len(content), digest)


def read_arrays(folder: Path, file: File) -> Arrays:
    """Raises BadFile for a missing or damaged file, before anything in it is believed."""
    from safetensors.numpy import load

    path = folder / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadFile(f"The index lacks {str(path)!r} ({error.strerror or error}); build it again.") from None
    if len(content) != file.size or hashlib.sha256(content).hexdigest() != file.sha256:
        raise BadFile(f"{str(path)!r} is damaged: it is not what was written; build the index again.")
    return load(content)


def text_array(lines: list[str]) -> NDArray[np.uint8]:
    """Lines of text, of any file names, as an array."""
    return np.frombuffer(json.dumps(lines).encode(), np.uint8)


def lines_of(array: NDArray[np.uint8]) -> list[str]:
    return list(json.loads(array.tobytes()))


def summary_arrays(summaries: dict[str, Summary]) -> Arrays:
    """Summaries by layer, in layers' order, as named arrays."""
    arrays: Arrays = {}
    for number, summary in enumerate(summaries.values()):
        for name, value in vars(summary).items():
            if name != "ranked" and (name != "missing" or summary.broken.any()):
                arrays[f"{number}.{name}"] = np.asarray(value)
        for kind, ranked in summary.ranked.items():
            arrays |= {f"{number}.{kind}.{name}": array for name, array in vars(ranked).items()}
    return arrays


def summaries_of(arrays: Arrays, layers: list[str]) -> dict[str, Summary]:
    fields = ("total", "squares", "least", "most", "counts", "silent", "broken", "groups", "members", "peaks")
    ranks = ("key", "score", "place")
    return {
        layer: Summary(
            arrays[f"{n}.images"].item(),
            arrays[f"{n}.positions"].item(),
            {kind: Ranked(*(arrays[f"{n}.{kind}.{name}"] for name in ranks)) for kind in RANKINGS},
            *(arrays[f"{n}.{name}"] for name in fields),
            missing=arrays[f"{n}.missing"] if f"{n}.missing" in arrays else _missing(arrays, n),
        )
        for n, layer in enumerate(layers)
    }


def _missing(arrays: Arrays, n: int) -> NDArray[np.int32]:
    """Where they were not written there are none; indexes of before did not count them: there all may be."""
    broken, members = arrays[f"{n}.broken"], arrays[f"{n}.members"]
    return np.where(broken > 0, members[:, None], 0).astype(np.int32)
