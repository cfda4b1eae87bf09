"""Index: what one pass over an ImageSet left, read from its folder piece by piece, each checked before it is used."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..columns import RIGHT, rows_where, slices_of
from ..data import ImageSet, known_as, named_images
from ..errors import BadFile, BadValue, ExplainError, Unknown, shorten
from ..figure import Look, Shown
from ..images import SCALES
from ..network.features import vector
from ..network.model import Box, Layer, Model
from ..network.trace import inputs
from ..network.zoo import load_model
from ..progress import Progress, heard
from .bins import NOBODY, edges
from .build import gather, join, summarised
from .files import Arrays, Manifest, lines_of, read_arrays, read_manifest, summaries_of
from .search import MetricName, nearest, squared_norms
from .summary import RANKINGS, RankingName, Summary

__all__ = ["SPACES", "Index", "Neighbour", "Row", "merge_indexes", "open_index"]

Space = Literal["features", "pixels"]
SPACES: tuple[Space, ...] = get_args(Space)
SLICES_KEPT = 16  # rankings among some of the pictures, which take a pass over them
PIXELS = 32  # longest side of a picture in pixel space


class Neighbour(NamedTuple):
    image: int
    distance: float


@dataclass(frozen=True)
class Row:
    """An image that a channel ranks: its place in the ImageSet, the channel's maximum on it and where (row, column).

    box is what that unit sees, in the net's input; source_box the same in the picture; None where it is not known.
    """

    image: int
    score: float
    position: tuple[int, int]
    box: Box | None
    label: str | None
    prediction: str | None
    _index: Index = field(repr=False, compare=False)

    @cached_property
    def source_box(self) -> Box | None:
        if self.box is None:
            return None
        return self._index.model.preprocess.source_box(self.box, self._index.images[self.image])


class Index(Shown):
    """The index in a folder. Images are named by their position in `images`."""

    def __init__(self, folder: str | Path, model: Model | None = None, images: ImageSet | None = None) -> None:
        """images: those it is over, where they are a dataset of your own. Raises BadFile for a damaged folder, or an
        index of another model or of other pictures than those given."""
        self.folder, self._given = Path(folder), images
        self.manifest: Manifest = read_manifest(self.folder)
        if model is not None:
            self.model = self._same(model)

    def _line(self) -> str:
        return f"Index of {self.manifest.model!r} over {len(self)} images of {self.manifest.data!r}"

    def _look(self) -> Look:
        """What it is of, and how many units a channel of each layer keeps."""
        known = self.manifest
        told = {
            "model": known.model,
            "images": f"{len(self):,} of {known.data}",
            "skipped": len(self.skipped),
            "classes": len(self.classes),
            "layers": ", ".join(self.layers),
            "images kept a channel": self.k,
        }
        return Look(repr(self), table={"": list(told), "index": list(told.values())})

    def __len__(self) -> int:
        return sum(shard.images for shard in self.manifest.shards)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds once all of it has been asked for: its files, their rows in order, and `pixels`."""
        known, preprocess = self.manifest, self.model.preprocess
        summaries = [known.merged] if known.merged else [shard.summary for shard in known.shards]
        sides = [min(side, PIXELS) for side in preprocess.size]
        seen = 4 * len(self) * preprocess.channels * math.prod(sides)
        return sum(file.size for file in summaries) + 2 * sum(shard.rows.size for shard in known.shards) + seen

    @property
    def k(self) -> int:
        """Pictures kept for each channel and ranking."""
        return self.manifest.k

    @property
    def layers(self) -> list[str]:
        """Names of the indexed layers, in execution order."""
        return list(self.manifest.layers)

    @property
    def facts(self) -> dict[str, Any]:
        """Model, pictures, their digests, and the versions it was built with."""
        known = self.manifest
        data = {"data": known.data, "data_digest": known.data_digest, "images": len(self)}
        return {"model": known.model, "model_digest": known.model_digest, **data, "versions": known.versions}

    @cached_property
    def model(self) -> Model:
        """The model it was made with, loaded by its name unless one was given."""
        try:
            found = load_model(self.manifest.model)
        except ExplainError:
            raise BadFile(
                f"The index {str(self.folder)!r} was made with {self.manifest.model!r}, which no name leads to here; "
                "open it with that model: open_index(folder, model), or --model."
            ) from None
        return self._same(found)

    def _same(self, model: Model) -> Model:
        if model.digest != self.manifest.model_digest:
            raise BadFile(
                f"The index {str(self.folder)!r} was made with other weights than those of {model.name!r}; open it "
                "with the model it was made with, or build it again."
            )
        return model

    # ------------------------------------------------------------ images

    @cached_property
    def images(self) -> ImageSet:
        """The pictures, in the order by which the index names them. Reading one that is gone, or is another than when
        it was indexed, raises BadFile, which says so."""
        names = self._column("names")
        known = self.manifest
        name = known_as(known.data) if known.root is None else None
        whole = named_images(name) if name and self._given is None else self._given
        if whole is not None and whole.files[: len(names)] == tuple(names):
            return whole.head(len(names))
        if self._given is not None:
            raise BadFile(f"The index {str(self.folder)!r} is over other pictures than those of {self._given.name!r}.")
        return ImageSet(
            name=known.data,
            files=tuple(names),
            labels=self.labels if known.grouped == "label" else None,
            classes=tuple(known.classes) if known.grouped == "label" else (),
            root=None if known.root is None else Path(known.root),
            source=None if known.root or name else _Elsewhere(known.data, len(names)),
            columns=self.columns,
            states=tuple(self._column("identities")),
        )

    @cached_property
    def said(self) -> dict[str, Sequence[Any]]:
        """All that is said of the pictures by which some of them can be meant: label, prediction, whether it is right,
        a table's columns."""
        numbers = range(len(self))
        own: dict[str, Sequence[Any]] = {"prediction": [self.prediction(number) for number in numbers]}
        if self.classes:
            own["label"] = [self.label(number) for number in numbers]
        right = [None if one < 0 else bool(one) for one in self.right.tolist()]
        judged = {} if set(right) == {None} else {RIGHT: right}
        return {**judged, **self.columns, **own}

    @cached_property
    def slices(self) -> list[str]:
        """The conditions that columns of groups offer, as `rows_where` reads them."""
        seen = np.unique(self.predictions[:, 0])
        own = [f"prediction={self.model.classes[k]}" for k in seen.tolist() if k >= 0]
        labels = np.unique(self.labels).tolist() if self.classes else []
        if RIGHT not in self.columns:
            own = [*(f"{RIGHT}={bool(one)}" for one in np.unique(self.right).tolist() if one >= 0), *own]
        return [*slices_of(self.columns), *(f"label={self.classes[k]}" for k in labels if k >= 0), *own]

    def rows_where(self, condition: str) -> list[int]:
        """The numbers of the pictures that COLUMN=VALUE holds for. Raises BadValue, Unknown."""
        return rows_where(self.said, condition, len(self))

    def judges(self, condition: str) -> bool:
        """Whether a condition says if the network is right: a table's own column of that name is something else."""
        return condition.startswith(f"{RIGHT}=") and RIGHT not in self.columns

    @cached_property
    def columns(self) -> dict[str, tuple[Any, ...]]:
        """What else a table said of the pictures, N values a column; None where an index that was merged had none."""
        if not any("columns" in rows for rows in self._rows):
            return {}
        table = [json.loads(line) if line else {} for line in self._column("columns")]
        return {
            name: tuple(row.get(name) for row in table) for name in dict.fromkeys(key for row in table for key in row)
        }

    @property
    def classes(self) -> list[str]:
        """Names of the classes that `labels` number."""
        return self.manifest.classes if self.manifest.grouped == "label" else []

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,), -1 where unknown."""
        return self._table("labels")

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """(N,), each label as a class of the model; -1 where there is none, or the model has no class of that name."""
        number = {name: k for k, name in enumerate(self.model.classes)}
        own = np.array([*(number.get(name, -1) for name in self.classes), -1])
        return own[self.labels] if self.classes else np.full(len(self), -1)

    @cached_property
    def right(self) -> NDArray[np.int8]:
        """(N,), 1 where the likeliest class is the label, 0 where not, -1 where that cannot be judged: the picture has
        no answer, or a label that `truth` has not."""
        guesses = self.predictions[:, 0]
        return np.where((self.truth < 0) | (guesses < 0), -1, self.truth == guesses).astype(np.int8)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(N, D), the vector before the classifier; NaN for the pictures of `skipped`."""
        return self._table("features")

    @cached_property
    def predictions(self) -> NDArray[np.int32]:
        """(N, 5), the model's likeliest classes, likeliest first; -1 for pictures that could not be read, or to which
        it gives no numbers."""
        return self._table("classes")

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """(N, 5), of those classes."""
        return self._table("probabilities")

    @cached_property
    def loss(self) -> NDArray[np.float32]:
        """(N,), cross entropy where the label is a class of the model, else NaN."""
        return self._table("loss")

    @cached_property
    def skipped(self) -> dict[str, str]:
        """Pictures that could not be read, or to which the model gives no numbers, and what was left out of their
        folder, by its path, with the reason."""
        found = zip(self._column("names"), self._column("errors"), strict=True)
        return {**{name: error for name, error in found if error}, **self.manifest.skipped}

    def label(self, image: int) -> str | None:
        """The name of a picture's class; None where it is not known."""
        number = int(self.labels[image])
        return self.classes[number] if self.classes and number >= 0 else None

    def prediction(self, image: int) -> str | None:
        """The likeliest class of a picture by name; None where the model gave no numbers."""
        number = int(self.predictions[image, 0])
        return self.model.classes[number] if number >= 0 else None

    @cached_property
    def _rows(self) -> list[Arrays]:
        return [read_arrays(self.folder, shard.rows) for shard in self.manifest.shards]

    @cached_property
    def _positions(self) -> NDArray[np.int64]:
        """The images' numbers in the order of the rows."""
        return self._merged["positions"] if self._merged else np.arange(len(self))

    def _table(self, name: str) -> NDArray[Any]:
        parts = [rows[name] for rows in self._rows]
        if parts[0].ndim == 2:  # where no picture of a shard could be read, it is not known how wide a row is
            width = max(part.shape[1] for part in parts)
            parts = [part if part.shape[1] else np.full((len(part), width), np.nan, part.dtype) for part in parts]
        rows = np.concatenate(parts)
        ordered = np.empty_like(rows)
        ordered[self._positions] = rows
        return ordered

    def _column(self, name: str) -> list[str]:
        lines = [line for rows in self._rows for line in _lines(rows, name)]
        ordered = [""] * len(lines)
        for position, line in zip(self._positions.tolist(), lines, strict=True):
            ordered[position] = line
        return ordered

    # ------------------------------------------------------------ channels

    @cached_property
    def _merged(self) -> Arrays | None:
        return None if self.manifest.merged is None else read_arrays(self.folder, self.manifest.merged)

    @cached_property
    def _summaries(self) -> dict[str, Summary]:
        if self._merged:
            return summaries_of(self._merged, self.layers)
        # An interrupted pass: what its complete shards come to, their images in the order of the rows.
        return gather(self.manifest, self.folder, {name: n for n, name in enumerate(self._column("names"))})[0]

    def summary(self, layer: str) -> Summary:
        """Raises Unknown for a layer that was not indexed."""
        if layer not in self.manifest.layers:
            raise Unknown("layer of this index", layer, self.layers)
        return self._summaries[layer]

    def among(self, layer: str, where: str, progress: Progress | None = None) -> Index:
        """This index with that layer alone, and with what only the pictures of a condition COLUMN=VALUE say of it.

        They go through the network once more, since an index keeps the first of all pictures alone. Raises BadValue,
        Unknown.
        """
        self.summary(layer)
        if (found := self._slices.get((layer, where))) is None:
            numbers = [k for k in self.rows_where(where) if self.predictions[k, 0] >= 0]
            if not numbers:
                raise BadValue(f"None of the pictures of where={shorten(where)} could be read.")
            known = self.manifest
            found = copy.copy(self)
            found.manifest = replace(known, layers={layer: known.layers[layer]})
            with heard(progress, "among", "images") as told:
                summary = summarised(self.model, self.images, layer, numbers, k=self.k, seed=known.seed, progress=told)
            found.__dict__["_summaries"] = {layer: summary}
            self._slices[layer, where] = found
            for old in list(self._slices)[:-SLICES_KEPT]:
                self._slices.pop(old, None)
        return found

    @cached_property
    def _slices(self) -> dict[tuple[str, str], Index]:
        return {}

    def top(self, layer: str, channel: int, ranking: RankingName = "best", count: int | None = None) -> list[Row]:
        """The images a channel ranks first: "best" by its maximum, "lowest", or k at "random" to show the spread.

        An image appears once; ties go to the smaller row, column and image number.
        """
        if ranking not in RANKINGS:
            raise Unknown("ranking", ranking, RANKINGS)
        ranked = self.summary(layer).ranked[ranking]
        if isinstance(channel, bool) or not isinstance(channel, int | np.integer) or not 0 <= channel < len(ranked.key):
            raise BadValue(f"Channel {shorten(channel)} of layer {layer!r} is not one of 0 to {len(ranked.key) - 1}.")
        known = self.model.layer(layer)
        columns = zip(
            *(getattr(ranked, name)[channel].tolist() for name in ("image", "score", "row", "column")), strict=True
        )
        return [
            Row(
                image,
                score,
                (row, column),
                _box(known, channel, row, column),
                self.label(image),
                self.prediction(image),
                self,
            )
            for image, score, row, column in list(columns)[:count]
            if image != NOBODY
        ]

    def statistics(self, layer: str) -> dict[str, NDArray[Any]]:
        """Per channel: mean, std, min and max over all positions of all images but those in which it has a NaN, which
        are counted in `broken`; `silent`, of these images the share in which it stays at or below zero."""
        known = self.summary(layer)
        sound = np.maximum(known.images - known.broken, 0)
        images = np.where(sound > 0, sound, np.nan)
        count = images * known.positions
        mean = known.total / count
        return {
            "mean": mean,
            "std": np.sqrt(np.maximum(known.squares / count - mean**2, 0)),
            "min": known.least,
            "max": known.most,
            "silent": known.silent / images,
            "broken": known.broken,
        }

    def histogram(self, layer: str, channel: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Edges (B + 1,) and counts (B,) of a channel's maxima over the images; the outer bins are open."""
        counts = self.summary(layer).counts[channel]
        return edges(), counts

    def class_means(self, layer: str) -> tuple[list[str], NDArray[np.int64], NDArray[np.float32]]:
        """Classes met (true ones where labels are known, else predicted), and for each class and channel how many
        images it has, without those in which the channel has a NaN, and the mean of their maxima; NaN of none."""
        known = self.summary(layer)
        names = [self.manifest.classes[group] for group in known.groups]
        images = known.members[:, None] - known.missing
        counted = np.where(images > 0, images, np.nan).astype(np.float32)
        return names, images, np.asarray(np.divide(known.peaks, counted), np.float32)

    # ------------------------------------------------------------ neighbours

    def neighbours(
        self,
        image: Any,
        k: int = 8,
        space: Space = "features",
        metric: MetricName = "euclidean",
        among: Sequence[int] | None = None,
    ) -> list[Neighbour]:
        """The k nearest pictures, nearest first, to one of the index (its number; it is left out itself) or another.

        among: only of these numbers. What could not be read is near to nothing.
        """
        if space not in SPACES:
            raise Unknown("space", space, SPACES)
        vectors = self.features if space == "features" else self.pixels
        own = isinstance(image, int | np.integer) and not isinstance(image, bool)
        if own and not 0 <= image < len(self):
            raise BadValue(f"Image {image} is not in this index; it has 0 to {len(self) - 1}.")
        query = vectors[image] if own else self.vector(image, space)
        if among is None:
            found = nearest(vectors, query, k, metric, norms=self._norms(space), exclude=int(image) if own else None)
        else:
            numbers = np.array([one for one in among if not own or one != image], np.int64)
            places, distances = nearest(vectors[numbers], query, k, metric)
            found = numbers[places], distances
        return [Neighbour(int(at), float(far)) for at, far in zip(*found, strict=True) if np.isfinite(far)]

    def vector(self, image: Any, space: Space = "features") -> NDArray[np.float32]:
        """Any picture in one of the two spaces, (D,)."""
        if space not in SPACES:
            raise Unknown("space", space, SPACES)
        return self.embed(image) if space == "features" else self._pixels(image)

    def embed(self, image: Any) -> NDArray[np.float32]:
        """The features (D,) of any picture."""
        taken: list[torch.Tensor] = []
        batch = self.model.batch(image)
        with self.model.exclusive() as net, inputs(net, self.manifest.head, taken.append), torch.inference_mode():
            net(batch)
        return vector(taken[-1])[0].cpu().numpy()

    @cached_property
    def pixels(self) -> NDArray[np.float32]:
        """(N, D), what the net sees of each picture, averaged down to at most 32 pixels a side, in 0..1 (floats in
        their own units); NaN for those of `skipped` and `gone`. Not kept on the disk: read at first use."""
        return self._seen[0]

    @property
    def has_pixels(self) -> bool:
        """Whether they have been read: what asks for them then takes no time."""
        return "_seen" in self.__dict__

    @property
    def gone(self) -> dict[str, str]:
        """Pictures that cannot be read any more, as they were removed or have changed since, with the reason; found by
        reading all, as `pixels` does."""
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[NDArray[np.float32], dict[str, str]]:
        found, gone = [], {}
        with heard(None, "pixels", "images") as progress:
            for k in range(len(self)):
                if k % 64 == 0:
                    progress(k, len(self), "pixels")
                try:
                    found.append(self._pixels(self.images[k]) if self.predictions[k, 0] >= 0 else self._blank)
                except BadFile as error:
                    found.append(self._blank)
                    gone[self.images.files[k]] = str(error)
        return np.stack(found), gone

    @cached_property
    def _blank(self) -> NDArray[np.float32]:
        height, width = self.model.preprocess.size
        return np.full_like(self._pixels(Image.new("RGB", (width, height))), np.nan)

    def _pixels(self, image: Any) -> NDArray[np.float32]:
        preprocess = self.model.preprocess
        crop = preprocess.planes(preprocess.crop(image))  # so that bands, and grey in each, are in one space
        height, width = crop.shape[:2]
        share = min(1, PIXELS / max(height, width))
        size = max(1, round(width * share)), max(1, round(height * share))
        kind = crop.dtype if crop.dtype == np.uint8 else np.float32
        planes = (np.ascontiguousarray(crop[..., c], kind) for c in range(crop.shape[2]))
        bands = (Image.fromarray(plane).resize(size, Image.Resampling.BOX) for plane in planes)
        scale = np.float32(SCALES[crop.dtype.name])
        return np.stack([np.asarray(band, np.float32) for band in bands], -1).ravel() / scale

    def _norms(self, space: str) -> NDArray[np.float64]:
        if space not in self._known_norms:
            self._known_norms[space] = squared_norms(self.features if space == "features" else self.pixels)
        return self._known_norms[space]

    @cached_property
    def _known_norms(self) -> dict[str, NDArray[np.float64]]:
        """By space; they go with the index, as a cache of the method would not."""
        return {}


class _Elsewhere(Sequence[Any]):
    """The pictures of a dataset of the user's own, to which no file leads."""

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count = name, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Elsewhere(self._name, len(range(self._count)[index]))
        raise BadFile(
            f"Picture {index} is of the dataset {self._name!r}, which no file leads to; give it: open_index(folder, "
            "images=dataset), or name it in explain.toml."
        )


def open_index(path: str | Path, model: Model | None = None, images: ImageSet | None = None) -> Index:
    """An index by its folder. Raises BadFile."""
    return Index(path, model, images)


def merge_indexes(
    folders: Sequence[str | Path], out: str | Path, model: Model | None = None, progress: Progress | None = None
) -> Index:
    """One index of several, of the same model, layers and options over different images, numbered in that order."""
    with heard(progress, "merge_indexes", "files") as told:
        join([Path(folder) for folder in folders], Path(out), told)
    return Index(out, model)


def _box(layer: Layer, channel: int, row: int, column: int) -> Box | None:
    if layer.field is None or not layer.spatial:
        return None
    return layer.field.box(row, column, channel=channel)


def _lines(rows: Arrays, name: str) -> list[str]:
    """A column of a shard; empty lines where it has none, as a shard of pictures without a table."""
    return lines_of(rows[name]) if name in rows else [""] * len(rows["labels"])
