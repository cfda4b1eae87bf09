"""One pass over the images, in shards: each is complete on the disk before the next begins.

The network is a private copy, so that the app can use its own meanwhile; pictures are read
by threads a batch ahead.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import store
from ..data import ImageSet
from ..errors import BadFile, BadValue, ExplainError, NotSupported, reason_of, shorten
from ..extras import extra
from ..figure import versions
from ..network.exact import exact
from ..network.features import head, vector
from ..network.layers import Layer
from ..network.model import Model
from ..network.trace import call_of, calls, inputs
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
from .fused import noise_for, private
from .responses import Responses, packed, unpacked
from .summary import Summary, merge

__all__ = ["build", "default_layers", "gather", "join", "summarised"]

_Read = tuple[int, Tensor | ExplainError, str]  # a picture, and what `identity` says of the file that it was
_Batch = tuple[list[_Read], Tensor | None]
_counters = ThreadPoolExecutor(4, "counts")  # one thread counts more slowly than a GPU answers
SHARD = 512  # images in a shard, at most
READINGS = 3  # of a file that changes meanwhile
PATIENCE = 60.0  # seconds a shard may take: what an interruption can cost
INPUT = 16 * 3 * 224 * 224
TOP = 5
UNREADABLE = -1
NO_ANSWER = "the network's answer to it is not a number"


def default_layers(model: Model) -> list[str]:
    """The output of every convolution that depends on the picture; for a net without, every layer of vectors."""
    convolutions = [layer.name for layer in model.layers if "Conv" in layer.kind and layer.spatial and layer.field]
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
    workers: int | None = None,
    resume: bool = True,
    progress: Progress = unheard,
) -> None:
    """Make the index of images in folder, or bring the one there up to date.

    progress(done, total, message) is called after every batch; whatever it raises ends the pass, and what is complete
    stays usable. Raises BadValue when folder holds an index of something else.
    """
    batch, workers = _pace(model, batch, workers)
    for name, value in {"k": k, "batch": batch, "workers": workers}.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
            raise BadValue(f"{name}={shorten(value)} is not a whole number from 1 to 4096.")
    if not len(images):
        raise BadValue(f"The image set {images.name!r} is empty; an index needs at least one picture.")
    wanted = [_indexable(model, name) for name in (default_layers(model) if layers is None else layers)]
    try:
        source = _Pass(model, {layer.name: layer for layer in wanted}, images, k, seed)
    except (RuntimeError, TypeError, AttributeError) as error:  # of a stranger's network, which cannot be copied, say
        raise NotSupported(f"No index can be made of model {model.name!r}: {reason_of(error)}.") from error
    misfits = source.misfits()
    if layers is not None and misfits:
        raise NotSupported(f"An index cannot take layer {next(iter(misfits))!r}: {next(iter(misfits.values()))}.")
    for name, why in misfits.items():
        progress(0, len(images), f"without layer {name}: {why}")
    source.keep(layer for layer in wanted if layer.name not in misfits)
    if not source.layers and layers is None:  # then what comes as vectors
        source.keep(layer for layer in model.layers if len(layer.shape) == 1 and layer.parts == 1)
        misfits = source.misfits()
        source.keep([layer for layer in source.layers.values() if layer.name not in misfits])
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
            summaries, positions, unreadable = gather(manifest, folder, names)
            merged = write_arrays(folder, "merged", summary_arrays(summaries) | {"positions": positions})
            manifest = replace(manifest, merged=merged, data_digest=images.digest, unreadable=unreadable)
            manifest.write(folder)
            store.sweep(folder, OWN, manifest.files)
        elif manifest != read_manifest(folder):  # what was left out is other now
            manifest.write(folder)
    progress(len(images), len(images), "complete")


def summarised(
    model: Model,
    images: ImageSet,
    layer: str,
    numbers: Sequence[int],
    *,
    k: int,
    seed: int,
    progress: Progress = unheard,
) -> Summary:
    """What is kept of a layer over some of the images, by their numbers, which ascend; nothing is written."""
    batch, workers = _pace(model)
    source = _Pass(model, {layer: _indexable(model, layer)}, images, k, seed)
    loaded, parts, done = _Loader(images, model, workers, batch), [], 0

    def counted(done: float, total: float, message: str = "") -> object:
        return progress(done, len(numbers), message)

    while done < len(numbers):
        _, found, taken = source.shard(loaded, list(numbers[done:]), batch, done, counted)
        parts.append(found[layer].renumbered(np.array(numbers[done : done + taken], np.int64)))
        done += taken
    return merge(parts, k)


def _pace(model: Model, batch: int | None = None, workers: int | None = None) -> tuple[int, int]:
    """Pictures in a batch, and threads that read them."""
    if model.behaviour.alone:
        batch = 1  # pictures of a batch would change each other
    if batch is None:  # as many small pictures as make the work of 16 large ones, of 128 on a GPU
        least = 16 if model.device.type == "cpu" else 128
        size = model.preprocess.channels * math.prod(model.preprocess.size)
        batch = min(max(INPUT * least // 16 // size, least), 256)
    if workers is None:  # a CPU that computes has no more to spare
        workers = 2 if model.device.type == "cpu" else min(os.cpu_count() or 2, 16)
    return batch, workers


def join(folders: Sequence[Path], out: Path, progress: Progress = unheard) -> None:
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
        files = [folder / name for folder, m in zip(folders, manifests, strict=True) for name in m.files - {MANIFEST}]
        for done, file in enumerate(sorted(files)):
            progress(done, len(files), "copied")
            store.write(out / file.name, file.read_bytes())
        skipped = {file: why for manifest in manifests for file, why in manifest.skipped.items()}
        data = " + ".join(m.data for m in manifests)
        whole = replace(manifests[0], data=data, shards=shards, merged=None, skipped=skipped)
        summaries, positions, unreadable = gather(whole, out, {name: number for number, name in enumerate(names)})
        merged = write_arrays(out, "merged", summary_arrays(summaries) | {"positions": positions})
        whole = replace(whole, merged=merged, data_digest="", unreadable=unreadable)
        whole.write(out)
        store.sweep(out, OWN, whole.files)


def _indexable(model: Model, name: str) -> Layer:
    layer = model.layer(name)
    if len(layer.shape) not in (1, 3):
        raise NotSupported(f"Layer {name!r} gives {layer.shape}; an index takes maps (C, H, W) or vectors (C,).")
    return layer


def _misfit(output: Any, shape: tuple[int, ...]) -> str:
    if not isinstance(output, Tensor):
        return f"it gives a {type(output).__name__}, not one tensor"
    if tuple(output.shape) != shape:
        return f"for {shape[0]} pictures it gives {tuple(output.shape)}, not {shape}"
    return "" if output.is_floating_point() else f"it gives {output.dtype}, which is not ranked"


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
    return replace(found, classes=fresh.classes, data=fresh.data, root=fresh.root, skipped=fresh.skipped)


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
            images.identity(at) == identity and _label(images, at) == label
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


def gather(
    manifest: Manifest, folder: Path, positions: dict[str, int]
) -> tuple[dict[str, Summary], NDArray[np.int64], dict[str, str]]:
    """The summaries over all shards, with images by their position; those positions in the order of the rows; and what
    could not be read, with the reason."""
    parts: dict[str, Summary] = {}
    places = [np.zeros(0, np.int64)]
    unreadable: dict[str, str] = {}
    for shard in manifest.shards:
        rows = read_arrays(folder, shard.rows)
        names = lines_of(rows["names"])
        unreadable |= {name: why for name, why in zip(names, lines_of(rows["errors"]), strict=True) if why}
        places.append(np.array([positions[name] for name in names], np.int64))
        for layer, part in summaries_of(read_arrays(folder, shard.summary), list(manifest.layers)).items():
            part = part.renumbered(places[-1])
            parts[layer] = merge([parts[layer], part], manifest.k) if layer in parts else part
    return parts, np.concatenate(places), unreadable


def _label(images: ImageSet, at: int) -> int:
    return -1 if images.labels is None else int(images.labels[at])


def _lot(name: str, seed: int) -> float:
    """The image's lot in the random ranking: the same wherever and whenever it is met."""
    return int(store.sha256(f"{seed}\0{name}".encode(errors="surrogatepass"))[:6], 16) / 16**6


class _Loader:
    """Pictures as tensors, in order, read by threads up to two batches ahead."""

    def __init__(self, images: ImageSet, model: Model, workers: int, batch: int) -> None:
        self.images, self.preprocess, self.workers, self.ahead = images, model.preprocess, workers, 2 * batch

    def __call__(self, positions: Sequence[int]) -> Iterator[_Read]:
        with ThreadPoolExecutor(self.workers, "pictures") as pool:
            coming = iter(positions)
            pending = deque((at, pool.submit(self._read, at)) for at in islice(coming, self.ahead))
            try:
                while pending:
                    at, read = pending.popleft()
                    pending.extend((at, pool.submit(self._read, at)) for at in islice(coming, 1))
                    yield at, *read.result()
            finally:
                for _, read in pending:
                    read.cancel()

    def _read(self, at: int) -> tuple[Tensor | ExplainError, str]:
        """A picture, and what its file was before and after: of one that changes meanwhile nothing is believed."""
        now = self.images.identity(at)
        for _ in range(READINGS):
            before, picture = now, self._tensor(at)
            now = self.images.identity(at)
            if now == before:
                return picture, now
        file = shorten(self.images.files[at])
        return BadFile(f"{file} changed while it was read; make the index again when nobody writes to it."), ""

    def _tensor(self, at: int) -> Tensor | ExplainError:
        try:
            return self.preprocess.tensor(self.images[at])
        except ExplainError as error:
            return error
        except Exception as error:  # one picture that nobody thought of is not to cost the others
            return BadFile(f"{shorten(self.images.files[at])} cannot be prepared: {reason_of(error)}.")


@dataclass(eq=False)
class _Pass:
    """A private copy of the network with everything that listens to it."""

    model: Model
    layers: dict[str, Layer]
    images: ImageSet
    k: int
    seed: int

    def __post_init__(self) -> None:
        extra("numba")  # before anything that takes long
        size = (self.model.preprocess.channels, *self.model.preprocess.size)
        with self.model.exclusive() as net:
            self.head = head(net, torch.zeros(1, *size, device=self.model.device, dtype=torch.float32))
            try:
                self.net, self.layout, self.tails = private(net, self.layers, size)
            except Exception as error:  # whatever a module's own copying raises
                raise NotSupported(
                    f"Model {self.model.name!r} cannot be copied, as an index needs: {reason_of(error).rstrip('.')}."
                ) from error
        self.labelled = self.images.labels is not None and bool(self.images.classes)
        names = {name: number for number, name in enumerate(self.model.classes)}
        # Where the data's classes are the model's, a label has a loss.
        self.classes = np.array([names.get(name, -1) for name in self.images.classes] or [-1])

    @cached_property
    def by_module(self) -> dict[str, dict[int | None, str]]:
        """The layers' names by their module and call."""
        found: dict[str, dict[int | None, str]] = {}
        for name in self.layers:
            module, call = call_of(self.net, name)
            found.setdefault(module, {})[call] = name
        return found

    def keep(self, layers: Iterable[Layer]) -> None:
        """These layers, and no others."""
        self.layers = {layer.name: layer for layer in layers}
        self.__dict__.pop("by_module", None)

    def misfits(self) -> dict[str, str]:
        """Layers that do not give one output a picture, of the kind that is counted here, and why."""
        noise = noise_for(self.net, (self.model.preprocess.channels, *self.model.preprocess.size))
        by_module, found = self.by_module, {}

        def on_output(module: str, call: int, output: Any) -> None:
            wanted = by_module[module]
            name = wanted.get(call, wanted.get(None))
            if name is not None and (why := _misfit(output, (len(noise), *self.layers[name].shape))):
                found[name] = why

        with ExitStack() as stack:
            stack.enter_context(exact(self.model.device))
            stack.enter_context(torch.inference_mode())
            stack.enter_context(calls(self.net, by_module, on_output))
            self.net(noise.contiguous(memory_format=self.layout))
        return found

    def manifest(self) -> Manifest:
        return Manifest(
            model=self.model.name,
            model_digest=self.model.digest,
            data=self.images.name,
            skipped=dict(self.images.skipped),
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
        identities: list[str] = []
        rows: list[tuple[Tensor, Tensor]] = []
        read: list[int] = []
        ended: Callable[[], tuple[Tensor, Tensor]] | None = None
        count, ends = 0, time.monotonic() + PATIENCE
        coming = loaded(positions)
        batches = self._batches(coming, batch)
        for pictures, stacked in batches:
            good = [(at, tensor) for at, tensor, _ in pictures if isinstance(tensor, Tensor)]
            errors |= {at: str(error) for at, error, _ in pictures if not isinstance(error, Tensor)}
            identities += [identity for _, _, identity in pictures]
            if stacked is not None:
                numbers = np.arange(count, count + len(pictures), dtype=np.int32)[
                    [isinstance(t, Tensor) for _, t, _ in pictures]
                ]
                begun = self._batch(summaries, stacked, numbers, good)
                if ended is not None:  # on a GPU this one runs while what the last one found is counted
                    rows.append(ended())
                ended = begun
                read += [at for at, _ in good]
            count += len(pictures)
            progress(done + count, len(self.images), f"{len(errors)} unreadable" if errors else "")
            if time.monotonic() > ends:
                break
        batches.close()
        coming.close()  # type: ignore[attr-defined]
        if ended is not None:
            rows.append(ended())
        return self._rows(positions[:count], identities, read, rows, errors), summaries, count

    def _batches(self, coming: Iterator[_Read], batch: int) -> Generator[_Batch, None, None]:
        """So many pictures at a time, and those that could be read as one tensor; for a GPU one batch ahead."""
        cuda = self.model.device.type == "cuda"

        def stacked() -> Iterator[_Batch]:
            while pictures := list(islice(coming, batch)):
                good = [tensor for _, tensor, _ in pictures if isinstance(tensor, Tensor)]
                # From memory that is not paged, nobody waits for the way to the GPU.
                out = torch.empty(len(good), *good[0].shape, pin_memory=True) if good and cuda else None
                yield pictures, torch.stack(good, out=out) if good else None

        if not cuda:
            yield from stacked()
            return
        source = stacked()
        with ThreadPoolExecutor(1, "batches") as pool:
            ahead = pool.submit(next, source, None)
            while (found := ahead.result()) is not None:
                ahead = pool.submit(next, source, None)
                yield found

    def _batch(
        self,
        summaries: dict[str, Summary],
        pictures: Tensor,
        numbers: NDArray[np.int32],
        good: list[tuple[int, Any]],
    ) -> Callable[[], tuple[Tensor, Tensor]]:
        """Send a batch through the net; what comes back waits for it, and gives features and scores."""
        lots = np.array([_lot(self.images.files[at], self.seed) for at, _ in good], np.float32)
        peaks: dict[str, NDArray[np.float32]] = {}
        later = _Later()
        by_module = self.by_module
        taken: list[Tensor] = []
        device = self.model.device

        def seen(module: str, call: int, output: Any) -> None:
            wanted = by_module[module]
            name = wanted.get(call, wanted.get(None))
            if name is None:
                return
            if device.type == "cpu":
                peaks[name] = summaries[name].add(output, numbers, lots, self.tails.get(name))
            else:
                later.add(name, output)

        with ExitStack() as stack:
            stack.enter_context(exact(device))
            stack.enter_context(torch.inference_mode())
            stack.enter_context(calls(self.net, by_module, seen))
            stack.enter_context(inputs(self.net, self.head, lambda value: taken.append(vector(value))))
            sent = pictures.to(device, non_blocking=True)
            scores = self.net(sent.contiguous(memory_format=self.layout)).float()
            if not taken:
                raise NotSupported(
                    f"Layer {self.head!r}, before which features are kept, is not called for these pictures; the "
                    "network takes another way for some."
                )
            features = taken[-1]
            if device.type != "cpu":
                later.send(features, scores)

        def ended() -> tuple[Tensor, Tensor]:
            ours, theirs = (features, scores) if device.type == "cpu" else later.received()
            if self.labelled:
                classes = np.array([_label(self.images, at) for at, _ in good])
            else:
                classes = np.where(self.answered(theirs), theirs.argmax(1), -1)

            def count(name: str, found: Responses, positions: int) -> None:
                summaries[name].count(found, positions, numbers, lots)
                summaries[name].add_classes(found.peak, classes)

            for name, each in peaks.items():
                summaries[name].add_classes(each, classes)
            for counted in [_counters.submit(count, *each) for each in later.found()]:
                counted.result()
            return ours, theirs

        return ended

    def answered(self, scores: Tensor) -> NDArray[np.bool_]:
        """To which pictures (N,) the network gives numbers."""
        return (~self.model.chances(scores).isnan().any(1)).numpy()

    def _rows(
        self,
        positions: list[int],
        identities: list[str],
        read: list[int],
        rows: list[tuple[Tensor, Tensor]],
        errors: dict[int, str],
    ) -> Arrays:
        """One row an image; NaN and class -1 where the picture could not be read, or has no answer."""
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
            "identities": text_array(identities),
        }
        if self.images.columns:
            arrays["columns"] = text_array([self.images.row(p) for p in positions])
        if rows:
            scores = torch.cat([score for _, score in rows])
            sound = self.answered(scores)
            errors = errors | dict.fromkeys(np.array(read)[~sound].tolist(), NO_ANSWER)
            at, features, scores = at[sound], features[sound], scores[torch.from_numpy(sound)]
            best = self.model.chances(scores).topk(top)
            arrays["features"][at] = features
            arrays["classes"][at], arrays["probabilities"][at] = best.indices.numpy(), best.values.numpy()
            target = torch.from_numpy(np.where(labels[at] >= 0, self.classes[labels[at]], -1))
            loss = self.model.head.loss(scores, target.clamp(min=0))
            arrays["loss"][at] = torch.where(target >= 0, loss, torch.nan).numpy()
        return arrays | {"errors": text_array([errors.get(p, "") for p in positions])}


class _Later:
    """What a batch leaves on another device than the CPU, fetched in one piece."""

    def __init__(self) -> None:
        self._names: list[tuple[str, tuple[int, ...]]] = []
        self._parts: list[Tensor] = []

    def add(self, name: str, output: Tensor) -> None:
        self._names.append((name, tuple(output.shape)))
        self._parts.append(packed(output))

    def send(self, *wholes: Tensor) -> None:
        """Start fetching all that was added, and these tensors behind it."""
        self._shapes = [tuple(whole.shape) for whole in wholes]
        behind = [whole.float().contiguous().view(torch.int32) for whole in wholes]
        content = torch.cat([part.flatten() for part in (*self._parts, *behind)])
        self._event = torch.cuda.Event() if content.is_cuda else None  # type: ignore[no-untyped-call]
        self._content = torch.empty(content.shape, dtype=torch.int32, pin_memory=content.is_cuda)
        self._content.copy_(content, non_blocking=content.is_cuda)
        if self._event:
            self._event.record()
        self._parts.clear()

    def received(self) -> list[Tensor]:
        """The tensors behind, once they are here."""
        if self._event:
            self._event.synchronize()
        sizes = [math.prod(shape) for shape in self._shapes]
        behind = self._content[len(self._content) - sum(sizes) :].clone().split(sizes)  # type: ignore[no-untyped-call]
        return [part.view(torch.float32).view(shape) for part, shape in zip(behind, self._shapes, strict=True)]

    def found(self) -> Iterator[tuple[str, Responses, int]]:
        """Name, responses and positions of each layer; after `received`."""
        start = 0
        for name, shape in self._names:
            size = 5 * shape[0] * shape[1]
            bits = self._content[start : start + size].view(5, *shape[:2]).numpy()
            yield name, unpacked(bits, shape), math.prod(shape[2:])
            start += size
