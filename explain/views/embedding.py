"""The pictures of an index as points of a map: near where the network, or one of its layers, finds them alike."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explain.embedding.picture_map import PictureMap, Placed

from ..embedding.fidelity import fidelity
from ..embedding.projection import PROJECTIONS, Preview, Projection, project, unseen
from ..embedding.representation import represent
from ..errors import BadFile, BadValue, shorten
from ..explorer import Thumbs
from ..figure import Figure, Plot, versions
from ..index import Index
from ..index.search import nearest
from ..isolate import isolate
from ..progress import Progress, unheard
from ..registry import Choices, Range, options_of
from .parts import map_explorer, map_plot, tensorboard
from .parts.result import Result, index_facts, prepare

__all__ = ["CAVEATS", "Embedding", "Placed", "compute", "pack", "project_point", "render", "unpack"]

SAME = 1e-6  # of its length, by which a vector may differ and still be of the same picture
NEIGHBOURS = 5  # of which fidelity speaks, and among which a new picture is placed
LIBRARIES = {"tsne": ("openTSNE",), "umap": ("umap-learn",), "pca": ("scikit-learn",)}
CAVEATS = {
    "pca": "Distances on the map are true as far as these axes go; what they leave out is not seen.",
    "tsne": "Near means alike, but in t-SNE the distance between groups, their size and their density mean little; "
    "another seed or perplexity draws another map.",
    "umap": "Near means alike, but in UMAP the distance between groups, their size and their density mean little; "
    "another seed or number of neighbours draws another map.",
}


@dataclass(frozen=True, eq=False)
class Embedding(PictureMap, Result):
    """A map with its figure."""

    @property
    def caveat(self) -> str:
        return CAVEATS[self.facts["method"]]

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
    progress: Progress = unheard,
    preview: Preview = unseen,
    **options: Any,
) -> Embedding:
    """A map of the index's pictures by a projection: pca, tsne or umap, with that method's options.

    Of the features that the index keeps, or of another layer's output, averaged (pooling="mean") or "flat"; of all
    pictures or of `count` drawn by the seed. measure=False leaves out how far the map can be trusted. All but PCA is
    computed in a process of its own. Raises Unknown, BadValue.
    """
    checked = PROJECTIONS[method].check(options)
    images, vectors = represent(
        index, layer or None, pooling, lambda done, total, _="": progress(done, total, "pictures")
    )
    chosen = _drawn(len(images), count, checked.get("seed", 0))
    images, vectors = images[chosen], vectors[chosen]

    def settles(done: float, total: float, message: str = "") -> None:
        progress(done, total, "steps")

    found: Projection
    if method == "pca":
        found = project(method, vectors, **checked)
    else:
        progress(0, 0, "starting")
        preview(project("pca", vectors).points)  # something to look at
        found = isolate(
            "explain.embedding.projection:project", method, vectors, progress=settles, preview=preview, **checked
        )
    facts = {
        **index_facts(index),
        "view": "embedding",
        **({"layer": layer, "pooling": pooling} if layer else {}),
        **({} if count is None else {"count": len(images)}),
        **found.facts,
    }
    facts["versions"] = {**index.facts["versions"], **versions(*LIBRARIES[method])}
    made = Embedding(index, found.points, images, facts, mean=found.mean, axes=found.axes)
    preview(made.points)
    return measured(made, vectors, progress) if measure else made


def measured(result: Embedding, vectors: NDArray[np.float32], progress: Progress = unheard) -> Embedding:
    """The same map with how far it can be trusted, given the vectors it was made of."""
    metric = result.facts["options"].get("metric", "euclidean")
    k = min(NEIGHBOURS, (len(vectors) - 1) // 2)

    def heard(done: float, total: float, message: str = "") -> None:
        progress(done, total, "points measured")

    found = fidelity(vectors, result.points, k, metric, progress=heard)
    facts = {**result.facts, "trustworthiness": found.trustworthiness, "neighbours_kept": found.share_kept, "k": k}
    return replace(result, trust=found.trust.astype(np.float32), kept=found.kept.astype(np.float32), facts=facts)


def project_point(result: Embedding, image: Any) -> Placed:
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
    picture = prepare(result.index.model, image)
    return Placed(where.astype(np.float32), result.images[near], Image.fromarray(picture.crop), picture.facts)


def render(
    result: Embedding,
    thumbs: Thumbs | None = None,
    *,
    colour: Annotated[str, Choices(*map_plot.COLOURS, help="class is the label where it is known")] = "class",
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
    method = PROJECTIONS[result.facts["method"]]
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
    title = f"{NAMES[method.name]} of {len(result.points):,} pictures of {known['data']} by {of} of {known['model']}"
    panel: Plot | Any = map_plot.plot(result, style)
    if style["thumbnails"]:
        panel = map_plot.picture_map(result, style, thumbs)
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
        alt=f"{title}, coloured by {map_plot.coloured_by(result, style['colour'])}.",
        bundle=tensorboard.tensorboard(result),
        page=lambda: map_explorer.offline(result, thumbs, title, note_text, facts),
    )


NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


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
