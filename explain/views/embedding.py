"""The pictures of an index as points of a map: near where the network, or one of its layers, finds them alike."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..apart import apart
from ..errors import BadFile, BadValue, shorten
from ..explorer import Thumbs
from ..fidelity import fidelity
from ..figure import Figure, Plot, versions
from ..index import Index
from ..projection import PROJECTIONS, Projection, project
from ..registry import Choices, Range, options_of
from ..representation import represent
from ..search import nearest
from . import cloud
from .result import Result, asked, file_name, seen

__all__ = ["Embedding", "Placed", "compute", "pack", "place", "render", "unpack"]

SAME = 1e-6  # of its length, by which a vector may differ and still be of the same picture
NEIGHBOURS = 5  # of which fidelity speaks, and among which a new picture is placed
Report = Callable[[int, int, str, Any], object]  # done, total, what of, points so far or None


@dataclass(frozen=True, eq=False)
class Placed:
    """Another picture on the map: its place, the numbers of the index's pictures nearest to it, and which it is."""

    place: NDArray[np.float32]
    nearest: NDArray[np.int64]
    picture: Image.Image
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        return Path(self.facts["image"]).name[:24] if self.facts["image"] else "your picture"


@dataclass(frozen=True, eq=False)
class Embedding(Result):
    """Points (N, 2) or (N, 3) of the pictures that could be read; `images` are their numbers in the index (N,).

    trust, kept (N,): how far each point's neighbours on the map are its true ones (`fidelity`); None if not measured.
    mean (D,), axes (D, 2 or 3): of a linear map, where any vector lies: (vector - mean) @ axes.
    """

    index: Index
    points: NDArray[np.float32]
    images: NDArray[np.int64]
    facts: dict[str, Any]
    trust: NDArray[np.float32] | None = None
    kept: NDArray[np.float32] | None = None
    mean: NDArray[np.float32] | None = None
    axes: NDArray[np.float32] | None = None
    placed: tuple[Placed, ...] = ()

    @cached_property
    def files(self) -> tuple[str, ...]:
        return tuple(file_name(self.index, self.index.images.files[k]) for k in self.images.tolist())

    @cached_property
    def labels(self) -> list[str | None]:
        return [self.index.label(k) for k in self.images.tolist()]

    @cached_property
    def predictions(self) -> list[str]:
        return [self.index.prediction(k) or "" for k in self.images.tolist()]

    @cached_property
    def right(self) -> list[bool | None]:
        """Whether the prediction is the label; None where there is none, or none that the model knows."""
        known = set(self.index.model.classes)
        pairs = zip(self.labels, self.predictions, strict=True)
        return [None if label not in known else label == predicted for label, predicted in pairs]

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(N,), the probability of each prediction."""
        first: NDArray[np.float32] = self.index.probabilities[self.images, 0]
        return first

    @cached_property
    def table(self) -> dict[str, list[Any]]:
        """One row a picture."""
        columns = {
            "image": self.images.tolist(),
            "file": list(self.files),
            "label": self.labels,
            "prediction": self.predictions,
            "right": self.right,
            "confidence": self.confidence.tolist(),
            **{axis: self.points[:, k].tolist() for axis, k in zip("xyz", range(self.points.shape[1]), strict=False)},
        }
        for name in ("trust", "kept"):
            if getattr(self, name) is not None:
                columns[name] = getattr(self, name).tolist()
        return columns

    @property
    def caveat(self) -> str:
        return PROJECTIONS[self.facts["method"]].caveat

    def figure(self, thumbs: Thumbs | None = None, **style: Any) -> Figure:
        return render(self, thumbs, **style)


def compute(
    index: Index,
    method: str = "tsne",
    *,
    layer: str | None = None,
    pooling: str = "mean",
    count: int | None = None,
    measure: bool = True,
    report: Report = lambda *_: None,
    **options: Any,
) -> Embedding:
    """A map of the index's pictures by one of PROJECTIONS (pca, tsne, umap), with that method's options.

    Of the features that the index keeps, or of another layer's output, averaged (pooling="mean") or "flat"; of all
    pictures or of `count` drawn by the seed. measure=False leaves out how far the map can be trusted. What is slow is
    computed in a process of its own. Raises Unknown, BadValue.
    """
    entry = PROJECTIONS[method]
    checked = entry.check(options)
    images, vectors = represent(
        index, layer or None, pooling, lambda done, total: report(done, total, "pictures", None)
    )
    chosen = _drawn(len(images), count, checked.get("seed", 0))
    images, vectors = images[chosen], vectors[chosen]

    def settles(done: int, total: int, points: Any) -> None:
        report(done, total, "steps", points)

    found: Projection
    if not entry.slow:
        found = project(method, vectors, **checked)
    else:
        report(0, 0, "starting", project("pca", vectors).points)  # something to look at
        found = apart("explain.projection:project", method, vectors, report=settles, **checked)
    facts = {
        **asked(index),
        "view": "embedding",
        **({"layer": layer, "pooling": pooling} if layer else {}),
        **({} if count is None else {"count": len(images)}),
        **found.facts,
    }
    facts["versions"] = {**index.facts["versions"], **versions(*entry.libraries)}
    made = Embedding(index, found.points, images, facts, mean=found.mean, axes=found.axes)
    return measured(made, vectors, report) if measure else made


def measured(result: Embedding, vectors: NDArray[np.float32], report: Report = lambda *_: None) -> Embedding:
    """The same map with how far it can be trusted, given the vectors it was made of."""
    metric = result.facts["options"].get("metric", "euclidean")
    k = min(NEIGHBOURS, (len(vectors) - 1) // 2)

    def told(done: int, total: int) -> None:
        report(done, total, "points measured", result.points)

    found = fidelity(vectors, result.points, k, metric, report=told)
    facts = {**result.facts, "trustworthiness": found.trustworthiness, "neighbours_kept": found.share_kept, "k": k}
    return replace(result, trust=found.trust.astype(np.float32), kept=found.kept.astype(np.float32), facts=facts)


def place(result: Embedding, image: Any) -> Placed:
    """Where a picture lies: one of the index's at its point; another exactly for PCA, else at the median of its five
    nearest neighbours' points.

    Only for maps of the features that the index keeps. Raises BadValue.
    """
    if "layer" in result.facts:
        raise BadValue(f"Pictures can be placed on maps of features, not of layer {result.facts['layer']!r}.")
    vector = result.index.embed(image)
    vectors = result.index.features[result.images]
    metric = result.facts["options"].get("metric", "euclidean")
    near, distances = nearest(vectors, vector, NEIGHBOURS, metric)
    if distances[0] <= SAME * np.linalg.norm(vector):
        where = result.points[near[0]]  # it is one of them
    elif result.axes is not None and result.mean is not None:
        where = (vector - result.mean) @ result.axes
    else:
        where = np.median(result.points[near], axis=0)
    picture = seen(result.index.model, image)
    return Placed(where.astype(np.float32), result.images[near], Image.fromarray(picture.crop), picture.facts)


def render(
    result: Embedding,
    thumbs: Thumbs | None = None,
    *,
    colour: Annotated[str, Choices(*cloud.COLOURS, help="class is the label where it is known")] = "class",
    names: Annotated[bool, Choices(True, False, help="class names in the map")] = True,
    legend: Annotated[bool, Choices(True, False, help="class names with counts under it")] = True,
    thumbnails: Annotated[bool, Choices(True, False, help="pictures instead of dots, where there is room")] = False,
    size: Annotated[float, Range(0, 20, help="of a dot in points; 0 fits it to their number")] = 0.0,
    turn: Annotated[float, Range(-180, 180, help="of a map in three dimensions, in degrees")] = 30.0,
    tilt: Annotated[float, Range(-90, 90, help="of a map in three dimensions, in degrees")] = 20.0,
) -> Figure:
    """The map with a point for each picture. `thumbs` are the pictures', in the map's order, where they are at hand."""
    given = {
        "colour": colour,
        "names": names,
        "legend": legend,
        "thumbnails": thumbnails,
        "size": size,
        "turn": turn,
        "tilt": tilt,
    }
    style = {name: option.check(given[name]) for name, option in options_of(render).items()}
    known = result.facts
    note = [result.caveat]
    if "explained_variance" in known:
        shares = " + ".join(f"{share:.1%}" for share in known["explained_variance"])
        note.append(f"Explained variance {shares}.")
    if "components" in known:
        note.append(f"Of {known['components']} principal components ({known['components_variance']:.1%} of variance).")
    if "trustworthiness" in known:
        kept = f"{known['neighbours_kept']:.0%} of {known['k']} nearest neighbours kept"
        note.append(f"Trustworthiness {known['trustworthiness']:.3f}, {kept}.")
    facts = {**known, "style": style}
    if result.placed:
        facts["placed"] = [one.facts for one in result.placed]
    of = known.get("layer", "features")
    label = PROJECTIONS[known["method"]].label
    title = f"{label} of {len(result.points):,} pictures of {known['data']} by {of} of {known['model']}"
    panel: Plot | Any = cloud.plot(result, style)
    if style["thumbnails"]:
        panel = cloud.picture_map(result, style, thumbs)
    arrays: dict[str, NDArray[Any]] = {"points": result.points, "images": result.images}
    arrays |= {name: getattr(result, name) for name in ("trust", "kept") if getattr(result, name) is not None}
    note_text = " ".join(note)
    return Figure(
        title=title,
        panels=(panel,),
        columns=1,
        facts=facts,
        note=note_text,
        arrays=arrays,
        table=result.table,
        alt=f"{title}, coloured by {cloud.coloured_by(result, style['colour'])}.",
        bundle=cloud.tensorboard(result),
        page=lambda: cloud.offline(result, thumbs, title, note_text, facts),
    )


# Kept maps -----------------------------------------------------------------------------------------------------------


def pack(result: Embedding) -> bytes:
    """The map as one file; what the index knows of the pictures is not in it."""
    arrays = {
        name: getattr(result, name)
        for name in ("points", "images", "trust", "kept", "mean", "axes")
        if getattr(result, name) is not None
    }
    file = io.BytesIO()
    np.savez(file, facts=np.array(json.dumps(result.facts)), names=np.array(list(arrays)), **arrays)
    return file.getvalue()


def unpack(index: Index, content: bytes) -> Embedding:
    """What `pack` made of a map over this index. Raises BadFile for anything else."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            held = dict(file)
        facts, names = json.loads(str(held.pop("facts"))), held.pop("names").tolist()
        whole = {name: facts[name] for name in ("model_digest", "data_digest")}
        made = Embedding(index, facts=facts, **held)
        fits = set(names) == set(held) and len(made.points) == len(made.images)  # a damaged zip may lack some
        fits = fits and bool(0 <= made.images.min() <= made.images.max() < len(index))
    except Exception as error:
        raise BadFile(f"This is no map that was kept: {shorten(error)}") from error
    if not fits or whole != {name: index.facts[name] for name in whole}:
        raise BadFile("This map is of another index.")
    return made


def _drawn(total: int, count: int | None, seed: int) -> NDArray[np.int64]:
    if count is None:
        return np.arange(total)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise BadValue(f"count={shorten(count)} is not a whole number of at least 1.")
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])
