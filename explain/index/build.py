"""One pass over the images, in shards: each is complete on the disk before the next begins.

The network is a private copy, so that the app can use its own meanwhile; pictures are read
by threads a batch ahead.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import store
from ..data import ImageSet
from ..errors import BadFile, BadValue, ExplainError, NotSupported, shorten
from ..figure import versions
from ..network.features import head, vector
from ..network.layers import Layer
from ..network.model import Model
from ..network.trace import calls, inputs, split
from ..progress import Progress, unheard
from .files import (
    MANIFEST,
    OWN,
    Arrays,
    File,
    Manifest,
    Shard,
    lines_of,
    read_arrays,
    read_manifest,
    summaries_of,
    summary_arrays,
    text_array,
    write_arrays,
)
from .fused import private
from .summary import Summary, merge

__all__ = ["build", "default_layers", "gather", "join"]

SHARD = 512  # images in a shard, at most
PATIENCE = 60.0  # seconds a shard may take: what an interruption can cost
INPUT = 16 * 3 * 224 * 224
TOP = 5
UNREADABLE = -1


def default_layers(model: Model) -> list[str]:
    """Every convolution's output; for a net without, every layer of vectors."""
    convolutions = [layer.name for layer in model.layers if "Conv" in layer.kind and layer.spatial]
    return convolutions or [layer.name for layer in model.layers if len(layer.shape) == 1]


def build(
    model: Model,
    images: ImageSet,
    folder: Path,
    layers: Sequence[str] | None = None,
    *,
    k: int = 16,
    seed: int = 0,
    batch: int | None = None,
    workers: int = 2,
    resume: bool = True,
    progress: Progress = unheard,
) -> None:
    """Make the index of images in folder, or bring the one there up to date.

    progress(done, total, message) is called after every batch; whatever it raises ends the pass, and what is complete
    stays usable. Raises BadValue when folder holds an index of something else.
    """
    if batch is None:  # as many small pictures as make the work of 16 large ones
        batch = min(max(INPUT // (model.preprocess.channels * math.prod(model.preprocess.size)), 16), 256)
    for name, value in {"k": k, "batch": batch, "workers": workers}.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
            raise BadValue(f"{name}={shorten(value)} is not a whole number from 1 to 4096.")
    if not len(images):
        raise BadValue(f"The image set {images.name!r} is empty; an index needs at least one picture.")
    wanted = [_indexable(model, name) for name in (default_layers(model) if layers is None else layers)]
    source = _Pass(model, {layer.name: layer for layer in wanted}, images, k, seed)
    manifest = source.manifest()
    with store.lock(folder, lambda: progress(0, len(images), "waiting for another process to finish this index")):
        manifest = _resumed(manifest, folder) if resume else manifest
        store.sweep(folder, OWN, manifest.files | _named(folder))  # what is being replaced stays until it is
        kept, todo = _plan(manifest, images, folder)
        manifest = replace(manifest, shards=list(kept))
        done = sum(shard.images for shard in kept)
        loaded = _Loader(images, model, workers, batch)
        for chunk in todo:
            while chunk:
                rows, summary, taken = source.shard(loaded, chunk, batch, done, progress)
                files = write_arrays(folder, "rows", rows), write_arrays(folder, "summary", summary_arrays(summary))
                # What was merged before no longer speaks for all shards.
                shards = [*manifest.shards, Shard(taken, *files)]
                manifest = replace(manifest, shards=shards, merged=None, data_digest="")
                manifest.write(folder)
                done, chunk = done + taken, chunk[taken:]
        if todo or manifest.data_digest != images.digest or not _sound(folder, manifest.merged):
            names = {name: number for number, name in enumerate(images.files)}
            summaries, positions = gather(manifest, folder, names)
            arrays = summary_arrays(summaries) | {"positions": positions}
            manifest = replace(manifest, merged=write_arrays(folder, "merged", arrays), data_digest=images.digest)
            manifest.write(folder)
            store.sweep(folder, OWN, manifest.files)
    progress(len(images), len(images), "complete")


def join(folders: Sequence[Path], out: Path) -> None:
    """One index of several, of the same model, layers and options, over different images."""
    manifests = [read_manifest(folder) for folder in folders]
    if not manifests:
        raise BadValue("There is no index to merge; give the folders of at least one.")
    for folder, manifest in zip(folders, manifests, strict=True):
        if (*manifest.request, manifest.classes) != (*manifests[0].request, manifests[0].classes):
            raise BadValue(f"The index {str(folder)!r} is of another model, layers, classes or options than the first.")
    shards = [shard for manifest in manifests for shard in manifest.shards]
    rows = [read_arrays(folder, s.rows) for folder, m in zip(folders, manifests, strict=True) for s in m.shards]
    names = [name for each in rows for name in lines_of(each["names"])]
    if len(set(names)) < len(names):
        raise BadValue("The indexes share images; each image may be in one of them only.")
    with store.lock(out):
        for folder, manifest in zip(folders, manifests, strict=True):
            for name in sorted(manifest.files - {MANIFEST}):
                store.write(out / name, (folder / name).read_bytes())
        whole = replace(manifests[0], data=" + ".join(m.data for m in manifests), shards=shards, merged=None)
        summaries, positions = gather(whole, out, {name: number for number, name in enumerate(names)})
        merged = write_arrays(out, "merged", summary_arrays(summaries) | {"positions": positions})
        whole = replace(whole, merged=merged, data_digest="")
        whole.write(out)
        store.sweep(out, OWN, whole.files)


def _indexable(model: Model, name: str) -> Layer:
    layer = model.layer(name)
    if len(layer.shape) not in (1, 3):
        raise NotSupported(f"Layer {name!r} gives {layer.shape}; an index takes maps (C, H, W) or vectors (C,).")
    return layer


def _resumed(fresh: Manifest, folder: Path) -> Manifest:
    """The manifest in folder if it goes on with the same pass, else the fresh one."""
    if not (folder / MANIFEST).exists():
        return fresh
    try:
        found = read_manifest(folder)
    except BadFile:  # damaged: nothing in it is believed
        return fresh
    if found.request != fresh.request:
        raise BadValue(
            f"{str(folder)!r} holds an index of {found.model!r} with other weights, layers or options; choose another "
            "folder, or build without resume to replace it."
        )
    return replace(found, classes=fresh.classes, data=fresh.data, root=fresh.root)


def _named(folder: Path) -> set[str]:
    try:
        return read_manifest(folder).files
    except BadFile:
        return set()


def _plan(manifest: Manifest, images: ImageSet, folder: Path) -> tuple[list[Shard], list[list[int]]]:
    """The shards that still hold, and the positions of the images to go over, in shards."""
    position = {name: number for number, name in enumerate(images.files)}
    if len(position) < len(images):
        raise BadValue(f"The image set {images.name!r} names a file twice; an index takes each image once.")
    kept, todo, seen = [], [], set()
    for shard in manifest.shards:
        try:
            rows = read_arrays(folder, shard.rows)
            read_arrays(folder, shard.summary)
        except BadFile:
            continue  # its images count as new
        names, identities = lines_of(rows["names"]), lines_of(rows["identities"])
        here = [position[name] for name in names if name in position]
        seen.update(here)
        labels = rows["labels"].tolist()
        same = len(here) == len(names) and all(
            _identity(images, at) == identity and _label(images, at) == label
            for at, identity, label in zip(here, identities, labels, strict=True)
        )
        if same:
            kept.append(shard)
        elif here:
            todo.append(sorted(here))
    new = [at for at in range(len(images)) if at not in seen]
    todo += [new[first : first + SHARD] for first in range(0, len(new), SHARD)]
    return kept, todo


def _sound(folder: Path, file: File | None) -> bool:
    try:
        return file is not None and bool(read_arrays(folder, file))
    except BadFile:
        return False


def gather(manifest: Manifest, folder: Path, positions: dict[str, int]) -> tuple[dict[str, Summary], NDArray[np.int64]]:
    """The summaries over all shards, with images by their position, and those positions in the order of the rows."""
    parts: dict[str, Summary] = {}
    places = [np.zeros(0, np.int64)]
    for shard in manifest.shards:
        names = lines_of(read_arrays(folder, shard.rows)["names"])
        places.append(np.array([positions[name] for name in names], np.int64))
        for layer, part in summaries_of(read_arrays(folder, shard.summary), list(manifest.layers)).items():
            part = part.renumbered(places[-1])
            parts[layer] = merge([parts[layer], part], manifest.k) if layer in parts else part
    return parts, np.concatenate(places)


def _identity(images: ImageSet, at: int) -> str:
    try:
        return images.identity(at)
    except BadFile:
        return "gone"


def _label(images: ImageSet, at: int) -> int:
    return -1 if images.labels is None else int(images.labels[at])


def _lot(name: str, seed: int) -> float:
    """The image's lot in the random ranking: the same wherever and whenever it is met."""
    return int(store.sha256(f"{seed}\0{name}".encode(errors="surrogatepass"))[:6], 16) / 16**6


class _Loader:
    """Pictures as tensors, in order, read by threads up to two batches ahead."""

    def __init__(self, images: ImageSet, model: Model, workers: int, batch: int) -> None:
        self.images, self.preprocess, self.workers, self.ahead = images, model.preprocess, workers, 2 * batch

    def __call__(self, positions: Sequence[int]) -> Iterator[tuple[int, Tensor | ExplainError]]:
        with ThreadPoolExecutor(self.workers, "pictures") as pool:
            coming = iter(positions)
            pending = deque((at, pool.submit(self._read, at)) for at in islice(coming, self.ahead))
            try:
                while pending:
                    at, read = pending.popleft()
                    pending.extend((at, pool.submit(self._read, at)) for at in islice(coming, 1))
                    yield at, read.result()
            finally:
                for _, read in pending:
                    read.cancel()

    def _read(self, at: int) -> Tensor | ExplainError:
        try:
            return self.preprocess.tensor(self.images[at])
        except ExplainError as error:
            return error


@dataclass(eq=False)
class _Pass:
    """A private copy of the network with everything that listens to it."""

    model: Model
    layers: dict[str, Layer]
    images: ImageSet
    k: int
    seed: int

    def __post_init__(self) -> None:
        size = (self.model.preprocess.channels, *self.model.preprocess.size)
        with self.model.exclusive() as net:
            self.head = head(net, torch.zeros(1, *size, device=self.model.device))
            self.net, self.layout, self.tails = private(net, self.layers, size)
        self.labelled = self.images.labels is not None and bool(self.images.classes)
        names = {name: number for number, name in enumerate(self.model.classes)}
        # Where the data's classes are the model's, a label has a loss.
        self.classes = np.array([names.get(name, -1) for name in self.images.classes] or [-1])

    def manifest(self) -> Manifest:
        return Manifest(
            model=self.model.name,
            model_digest=self.model.digest,
            data=self.images.name,
            root=None if self.images.root is None else str(self.images.root),
            classes=list(self.images.classes if self.labelled else self.model.classes),
            layers={name: list(layer.shape) for name, layer in self.layers.items()},
            head=self.head,
            grouped="label" if self.labelled else "prediction",
            k=self.k,
            seed=self.seed,
            versions=versions(),
        )

    def shard(
        self, loaded: _Loader, positions: list[int], batch: int, done: int, progress: Progress
    ) -> tuple[Arrays, dict[str, Summary], int]:
        """The rows and summaries of the first images of positions, until they or the patience end; and how many."""
        summaries = {name: Summary.empty(layer.channels, self.k) for name, layer in self.layers.items()}
        errors: dict[int, str] = {}
        rows: list[tuple[Tensor, Tensor]] = []
        read: list[int] = []
        count, ends = 0, time.monotonic() + PATIENCE
        coming = loaded(positions)
        while pictures := list(islice(coming, batch)):
            good = [(at, tensor) for at, tensor in pictures if isinstance(tensor, Tensor)]
            errors |= {at: str(error) for at, error in pictures if not isinstance(error, Tensor)}
            if good:
                numbers = np.arange(count, count + len(pictures), dtype=np.int32)[
                    [isinstance(t, Tensor) for _, t in pictures]
                ]
                rows.append(self._batch(summaries, torch.stack([tensor for _, tensor in good]), numbers, good))
                read += [at for at, _ in good]
            count += len(pictures)
            progress(done + count, len(self.images), f"{len(errors)} unreadable" if errors else "")
            if time.monotonic() > ends:
                break
        coming.close()  # type: ignore[attr-defined]
        return self._rows(positions[:count], read, rows, errors), summaries, count

    def _batch(
        self,
        summaries: dict[str, Summary],
        batch: Tensor,
        numbers: NDArray[np.int32],
        good: list[tuple[int, Any]],
    ) -> tuple[Tensor, Tensor]:
        lots = np.array([_lot(self.images.files[at], self.seed) for at, _ in good], np.float32)
        peaks: dict[str, NDArray[np.float32]] = {}
        by_module: dict[str, dict[int | None, str]] = {}
        for name in self.layers:
            module, call = split(name)
            by_module.setdefault(module, {})[call] = name
        taken: list[Tensor] = []

        def seen(module: str, call: int, output: Any) -> None:
            wanted = by_module[module]
            name = wanted.get(call, wanted.get(None))
            if name is not None:
                peaks[name] = summaries[name].add(output, numbers, lots, self.tails.get(name))

        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(calls(self.net, by_module, seen))
            stack.enter_context(inputs(self.net, self.head, lambda value: taken.append(vector(value))))
            batch = batch.to(self.model.device).contiguous(memory_format=self.layout)
            scores = self.net(batch).float()
        if self.labelled:
            classes = np.array([_label(self.images, at) for at, _ in good])
        else:
            classes = scores.argmax(1).cpu().numpy()
        for name, found in peaks.items():
            summaries[name].add_classes(found, classes)
        return taken[-1].cpu(), scores.cpu()

    def _rows(
        self, positions: list[int], read: list[int], rows: list[tuple[Tensor, Tensor]], errors: dict[int, str]
    ) -> Arrays:
        """One row an image; NaN and class -1 where the picture could not be read."""
        n, top = len(positions), min(TOP, len(self.model.classes))
        at = np.searchsorted(positions, read)
        labels = np.array([_label(self.images, p) for p in positions])
        features = torch.cat([row for row, _ in rows]).numpy() if rows else np.zeros((0, 0), np.float32)
        arrays: Arrays = {
            "features": np.full((n, features.shape[1]), np.nan, np.float32),
            "classes": np.full((n, top), UNREADABLE, np.int32),
            "probabilities": np.full((n, top), np.nan, np.float32),
            "loss": np.full(n, np.nan, np.float32),
            "labels": labels,
            "names": text_array([self.images.files[p] for p in positions]),
            "identities": text_array([_identity(self.images, p) for p in positions]),
            "errors": text_array([errors.get(p, "") for p in positions]),
        }
        if rows:
            scores = torch.cat([score for _, score in rows])
            best = scores.softmax(1).topk(top)
            arrays["features"][at] = features
            arrays["classes"][at], arrays["probabilities"][at] = best.indices.numpy(), best.values.numpy()
            target = torch.from_numpy(np.where(labels[at] >= 0, self.classes[labels[at]], -1))
            loss = nn.functional.cross_entropy(scores, target.clamp(min=0), reduction="none")
            arrays["loss"][at] = torch.where(target >= 0, loss, torch.nan).numpy()
        return arrays
