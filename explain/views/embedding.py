"""The pictures of an index as points of a map: near where the network, or one of its layers, finds them alike."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..columns import condition_said
from ..errors import BadFile, BadValue, shorten
from ..explorer import Thumbs
from ..figure import VERSION, Figure, Plot, versions
from ..figure.palette import MOST, PALETTES
from ..index import Index
from ..index.search import directions, nearest
from ..isolate import isolate
from ..options import Choices, Range
from ..progress import Progress, unheard
from ..projections.alike import SAME
from ..projections.fidelity import fidelity
from ..projections.picture_map import PictureMap, Placed
from ..projections.projection import PROJECTIONS, Preview, project, unseen
from ..projections.representation import POOLINGS, readable, represent
from ..store import sha256
from .inputs import INDEX, PICTURE, WHERE, EntryName, EntryOptions, Layer, Several
from .parts import map_explorer, map_plot, tensorboard
from .parts.picture import prepare
from .parts.result import Result
from .view import Kept, declared_in, drawn, view

__all__ = ["Embedding", "Placed", "compute", "kept_name", "pack", "project_point", "render", "unpack"]

MADE = 2  # raised when the same options make another map than before, which may have been kept
NEIGHBOURS = 5  # of which fidelity speaks, and among which a new picture is placed
METHOD = EntryName("explain.projections.projection:PROJECTIONS", "what lays out the points: pca, tsne, umap")
OTHERS = Several(PICTURE, least=0, most=20, follows=("model", "picture"), help="pictures to be marked on the map")


@dataclass(frozen=True, eq=False)
class Embedding(PictureMap, Result):
    """A map with its figure."""

    @property
    def caveat(self) -> str:
        return PROJECTIONS[self.facts["method"]].caveat

    @property
    def remarks(self) -> list[str]:
        """What was done otherwise than asked for, and where equal pictures lie."""
        known, count = self.facts, len(self.points)
        distinct, said = known.get("distinct", count), []
        if distinct < count:
            said.append(
                f"{count - distinct:,} of {count:,} pictures are equal to another one for the network, "
                "and lie where it lies."
            )
        if "perplexity_used" in known:
            asked, used = known["options"]["perplexity"], known["perplexity_used"]
            said.append(f"Perplexity {used:.3g} instead of {asked:g}: no more than a third of {distinct - 1:,} others.")
        if "neighbours_used" in known:
            asked, used = known["options"]["neighbours"], known["neighbours_used"]
            said.append(f"{used} neighbours instead of {asked}: there are no more.")
        return said

    @property
    def summary(self) -> str:
        return f"{self.facts['method']}: {len(self.points)} points\n{self.figure().note}"


@view
def compute(
    index: Annotated[Index, INDEX],
    method: Annotated[str, METHOD] = "tsne",
    *,
    layer: Annotated[str | None, Layer("by default the features, which the classifier decides by", url="")] = None,
    pooling: Annotated[str, Choices(*POOLINGS, help="of a layer's maps: averaged over positions, or all values")] = (
        "mean"
    ),
    where: Annotated[str, WHERE] = "",
    count: Annotated[int | None, Range(1, 10**7, help="pictures, at most, drawn by the seed; by default all")] = None,
    measure: Annotated[bool, Choices(True, False, help="how far each point can be trusted")] = True,
    place: Annotated[Sequence[Any], OTHERS] = (),
    progress: Progress = unheard,
    preview: Preview = unseen,
    kept: Kept | None = None,
    **options: Annotated[Any, EntryOptions(METHOD)],
) -> Embedding:
    """A map of the index's pictures by a projection, with that method's options.

    Of the features that the index keeps, or of another layer's output; `place` are pictures to be marked where they
    lie, on maps of features only. What is slow is computed in a process of its own; `preview` hears the points so far.
    Raises Unknown, BadValue.
    """
    if place and layer:
        raise BadValue(f"Pictures can be placed on maps of features, not of layer {layer!r}.")
    given: dict[str, Any] = {"index": index, "method": method, "layer": layer, "pooling": pooling}
    given |= {"where": where, "count": count, "measure": measure, "options": options}
    name = kept_name(given) if kept else ""
    result = _unpacked(index, kept.get(name)) if kept else None
    if result is None:
        result = _mapped(**given, progress=progress, preview=preview)
        if kept:
            kept.put(name, pack(result))
    placed = tuple(project_point(result, picture) for picture in place)
    return replace(result, placed=placed, facts={**result.facts, "place": placed})


def _mapped(
    index: Index,
    method: str,
    layer: str | None,
    pooling: str,
    where: str,
    count: int | None,
    measure: bool,
    options: dict[str, Any],
    progress: Progress,
    preview: Preview,
) -> Embedding:
    images = readable(index)
    if where:
        images = images[np.isin(images, index.rows_where(where))]
    drawn_ones = images[_drawn(len(images), count, options.get("seed", 0))]
    images, vectors = represent(index, layer, pooling, progress, drawn_ones)
    entry = PROJECTIONS[method]

    def steps(done: float, total: float, message: str = "") -> None:
        progress(done, total, "steps")

    if entry.slow:
        preview(project("pca", vectors).points)  # something to look at
        progress(0, 0, "starting")
        found = isolate(
            "explain.projections.projection:project", method, vectors, progress=steps, preview=preview, **options
        )
    else:
        found = project(method, vectors, **options)
    facts = {**found.facts, "versions": versions(*entry.libraries)}
    if layer is None or not index.model.layer(layer).spatial:
        facts["pooling"] = None  # it means nothing
    made = Embedding(index, found.points, images, facts, mean=found.mean, axes=found.axes)
    vectors = vectors if found.first is None else vectors[found.first]  # rounding orders no neighbours
    return _measured(made, vectors, options.get("metric", "euclidean"), progress) if measure else made


def _measured(result: Embedding, vectors: NDArray[np.float32], metric: str, progress: Progress) -> Embedding:
    """The same map with how far it can be trusted, given the vectors it was made of."""
    k = min(NEIGHBOURS, (len(vectors) - 1) // 2)
    found = fidelity(vectors, result.points, k, metric, progress=progress)
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
    metric = result.facts["options"].get("metric", "euclidean") if vector.any() else "euclidean"
    near, _ = nearest(vectors, vector, NEIGHBOURS, metric)
    pair = np.stack([vectors[near[0]], vector]).astype(np.float64)
    first, own = directions(pair) if metric == "cosine" else pair
    if np.linalg.norm(first - own) <= SAME * np.linalg.norm(own):
        where = result.points[near[0]]  # it is one of them
    elif result.axes is not None and result.mean is not None:
        where = (vector - result.mean) @ result.axes
    else:
        where = np.median(result.points[near], axis=0)
    picture = prepare(result.index.model, image)
    return Placed(where.astype(np.float32), result.images[near], Image.fromarray(picture.crop), picture.facts)


@drawn
def render(
    result: Embedding,
    thumbs: Thumbs | None = None,
    *,
    colour: Annotated[
        str,
        Choices(*map_plot.COLOURS, help="class is the label where it is known", more="a column of the pictures' table"),
    ] = "class",
    palette: Annotated[
        str,
        Choices(
            *PALETTES, help=f"of more than ten classes the nine, or up to {MOST}, most frequent have a colour each"
        ),
    ] = PALETTES[0],
    names: Annotated[bool, Choices(True, False, help="class names in the map")] = True,
    legend: Annotated[bool, Choices(True, False, help="class names with counts under it")] = True,
    thumbnails: Annotated[bool, Choices(True, False, help="pictures instead of dots, where there is room")] = False,
    size: Annotated[float, Range(0, 20, help="of a dot in points; 0 fits it to their number")] = 0.0,
    turn: Annotated[float, Range(-180, 180, help="of a map in three dimensions, in degrees")] = 30.0,
    tilt: Annotated[float, Range(-90, 90, help="of a map in three dimensions, in degrees")] = 20.0,
) -> Figure:
    """The map with a point for each picture. `thumbs` are the pictures', in the map's order, where they are at hand."""
    look = map_plot.Look(colour, names, legend, size, turn, tilt, palette)
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
    note += result.remarks
    label, of = PROJECTIONS[known["method"]].label, known.get("layer", "features")
    data = f"{known['data']} with {condition_said(known['where'])}" if known.get("where") else known["data"]
    title = f"{label} of {len(result.points):,} pictures of {data} by {of} of {known['model']}"
    panel: Plot | Any = map_plot.picture_map(result, look, thumbs) if thumbnails else map_plot.plot(result, look)
    arrays: dict[str, NDArray[Any]] = {"points": result.points, "images": result.images}
    arrays |= {name: getattr(result, name) for name in ("trust", "kept") if getattr(result, name) is not None}
    return Figure(
        title=title,
        panels=(panel,),
        columns=1,
        facts=known,
        note=" ".join(note),
        arrays=arrays,
        table=result.table,
        alt=f"{title}, coloured by {map_plot.coloured_by(result, colour)}.",
        bundle=tensorboard.tensorboard(result),
        page=lambda figure: map_explorer.offline(result, thumbs, figure, palette),
    )


# Kept maps -----------------------------------------------------------------------------------------------------------


def kept_name(given: Mapping[str, Any]) -> str:
    """What a map is called among those kept: by all it depends on, which `place` is not. Raises Unknown, BadValue.

    given: by the names of the view's parameters; those left out are their defaults.
    """
    asked = declared_in(__name__).check(given)
    known = asked.pop("index").manifest
    del asked["place"]
    if not asked["where"]:  # as it was before there were conditions
        del asked["where"]
    of = [known.model_digest, known.data_digest, sum(shard.images for shard in known.shards), sorted(asked.items())]
    return f"embedding-{asked['method']}-{sha256(repr([*of, VERSION, MADE]).encode())[:24]}.npz"


def pack(result: Embedding) -> bytes:
    """The map as one file; what the index knows of the pictures is not in it."""
    arrays = {
        name: getattr(result, name)
        for name in ("points", "images", "trust", "kept", "mean", "axes")
        if getattr(result, name) is not None
    }
    facts = {"of": _of(result.index), "facts": result.facts}
    file = io.BytesIO()
    np.savez(file, facts=np.array(json.dumps(facts)), names=np.array(list(arrays)), **arrays)
    return file.getvalue()


def unpack(index: Index, content: bytes) -> Embedding:
    """What `pack` made of a map over this index. Raises BadFile for anything else."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            held = dict(file)
        known, names = json.loads(str(held.pop("facts"))), held.pop("names").tolist()
        made = Embedding(index, facts=dict(known["facts"]), **held)
        fits = set(names) == set(held) and len(made.points) == len(made.images)  # a damaged zip may lack some
        fits = fits and bool(0 <= made.images.min() <= made.images.max() < len(index))
    except Exception as error:
        raise BadFile(f"This is no map that was kept: {shorten(error)}") from error
    if not fits or known["of"] != _of(index):
        raise BadFile("This map is of another index.")
    return made


def _unpacked(index: Index, content: bytes | None) -> Embedding | None:
    """None where it is not kept, or damaged."""
    try:
        return None if content is None else unpack(index, content)
    except BadFile:
        return None


def _of(index: Index) -> list[str]:
    return [index.facts["model_digest"], index.facts["data_digest"]]


def _drawn(total: int, count: int | None, seed: int) -> NDArray[np.int64]:
    if count is None:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])
