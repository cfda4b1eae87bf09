"""Pictures unlike all others to a network: far from their nearest ones in features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue
from ..figure import Figure
from ..index import Index
from ..mistakes.duplicates import check_same_model
from ..mistakes.intervals import wilson
from ..mistakes.outliers import neighbour_distances
from ..options import Range
from ..progress import Progress, unheard
from .inputs import INDEX
from .parts.result import Result
from .parts.tiles import pictures_table, sheet, tiles_of
from .view import drawn, view

__all__ = ["Outliers", "compute", "render"]


@dataclass(frozen=True, eq=False)
class Outliers(Result):
    """`distances` (N,) of all pictures from their k-th nearest one, NaN of those that have no answer; `rows`: one row
    for each picture beyond `threshold`, the farthest first, of which `tiles` shows the first.

    errors: mistakes and pictures that can be judged, beyond the threshold and below it.
    """

    distances: NDArray[np.float64]
    threshold: float
    rows: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    errors: tuple[tuple[int, int], tuple[int, int]]
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row an outlier."""
        return self.rows

    def sentence(self) -> str:
        """How many, against what, and how often the network errs on them."""
        facts, count = self.facts, len(self.rows["image"])
        of = f"{facts['train']['data']}'s own" if "train" in facts else "all"
        said = f"{count:,} of {facts['images']:,} pictures of {facts['data']} are farther from their "
        said += f"{facts['k']}-th nearest than {facts['usual']:.1%} of {of} pictures (cosine distance "
        said += f"{self.threshold:.3g})."
        (wrong, beyond), (others, below) = self.errors
        if beyond and below:
            low, high = wilson(wrong, beyond)
            said += f" Of these {wrong / beyond:.0%} are mistakes ({low:.0%} to {high:.0%}), else {others / below:.0%}."
        return said

    @property
    def summary(self) -> str:
        rows = zip(*(self.rows[name] for name in ("distance", "file", "prediction")), strict=True)
        return "\n".join([self.sentence(), *(f"{far:8.4f}  {file}  {taken}" for far, file, taken in rows)])


@view
def compute(
    index: Annotated[Index, INDEX],
    train: Annotated[Index | None, INDEX] = None,
    *,
    k: Annotated[int, Range(1, 200, help="which nearest neighbour")] = 50,
    usual: Annotated[float, Range(0.5, 0.9999, help="share of the pictures that are none")] = 0.99,
    count: Annotated[int, Range(0, 120, help="of the outliers as pictures, at most")] = 24,
    progress: Progress | None = None,
) -> Outliers:
    """How far each picture is from its k-th nearest one in features of length one (Sun et al. 2022): among the others
    of the index, or among those of train, an index of the same model, whose pictures are the measure then.

    More than k pictures that are alike are no outliers to each other: give train, or a larger k, where there may be.
    Raises BadValue for an index of another model, and where there is nothing to compare with.
    """
    heard = progress or unheard
    check_same_model(index, train)
    reference = None if train is None else train.features
    distances = neighbour_distances(index.features, reference, k, heard)
    among = distances if reference is None else neighbour_distances(reference, None, k, heard)
    known = among[np.isfinite(among)]
    if not len(known) or not np.isfinite(distances).any():
        raise BadValue(f"The pictures of {index.manifest.data!r} have no others to be compared with.")
    threshold = float(np.quantile(known, usual))
    beyond = np.flatnonzero(distances > threshold)  # NaN is not
    beyond = beyond[np.argsort(-distances[beyond], kind="stable")]
    judged, out = index.right >= 0, np.zeros(len(index), bool)
    out[beyond] = True
    wrong = index.right == 0
    errors = tuple((int((wrong & one).sum()), int((judged & one).sum())) for one in (out, ~out))
    images = beyond.tolist()
    return Outliers(
        distances=distances,
        threshold=threshold,
        rows=pictures_table(index, images, distance=distances[beyond].tolist()),
        tiles=tiles_of(index, images[:count]),
        errors=(errors[0], errors[1]),
        facts={},
    )


@drawn
def render(result: Outliers, *, columns: Annotated[int, Range(1, 24, help="pictures in a row")] = 8) -> Figure:
    """The outliers as pictures, the farthest first, with what they are taken for."""
    title = f"Pictures of {result.facts['data']} unlike the others to {result.facts['model']}"
    rows = list(zip(result.rows["distance"], result.rows["prediction"], strict=True))[: len(result.tiles)]
    names = [f"{far:.3g}, as {taken}" for far, taken in rows]
    return Figure(
        title=title,
        panels=sheet(result.tiles, names, columns=columns),
        columns=1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"tiles": result.tiles, "distances": result.distances},
        table=result.table,
        alt=f"{title}. {result.sentence()}",
    )
