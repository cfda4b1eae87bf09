"""Near duplicates within an index, and pictures that two indexes share, as a train-test leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..figure import Figure
from ..index import Index
from ..index.references import file_name
from ..mistakes.duplicates import groups, same_pictures
from ..options import Choices, Range
from ..progress import Progress, unheard
from .inputs import INDEX
from .parts.result import Result
from .parts.tiles import sheet, tiles_of
from .view import drawn, view

__all__ = ["Duplicates", "compute", "render"]

PAIRS_A_ROW = 4
SPACES = ("features", "pixels", "both")


@dataclass(frozen=True, eq=False)
class Duplicates(Result):
    """`pairs`: one row a pair, the most alike first: the numbers and files of both, labels, the distance in features
    and the correlation of the thumbnails, and the group of pictures that belong together. `tiles` (2 n, h, w, 3) are of
    the first n pairs, side by side.

    near: pairs that were near in features. unread: of them those whose pictures cannot be read any more.
    """

    pairs: dict[str, list[Any]]
    tiles: NDArray[np.uint8]
    near: int
    unread: int
    facts: dict[str, Any]

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a pair."""
        return self.pairs

    @property
    def across(self) -> bool:
        """Whether they are pairs of two indexes."""
        return "train" in self.facts

    def sentence(self) -> str:
        """How many there are, and how many of them have other labels."""
        pairs, facts = self.pairs, self.facts
        count, total = len(pairs["image"]), f"{facts['images']:,} pictures of {facts['data']}"
        labels = list(zip(pairs["label"], pairs["other label"], strict=True))
        other = sum(None not in pair and pair[0] != pair[1] for pair in labels)
        if self.across:
            concerned = len(set(pairs["image"]))
            said = f"{concerned:,} of {total} ({concerned / facts['images']:.1%}) are in {facts['train']['data']} too"
        else:
            concerned = len({*pairs["image"], *pairs["other"]})
            said = f"{concerned:,} of {total} are there more than once, in {len(set(pairs['group'])):,} groups"
        said += f"; {other:,} of {count:,} pairs have different labels" if labels else ""
        where = "features or pixels" if facts["space"] == "both" else facts["space"]
        said += f". Of {self.near:,} pairs near in {where}, those whose thumbnails correlate by "
        said += f"{facts['correlation']:g} or more."
        return said + (f" {self.unread:,} could not be read." if self.unread else "")

    @property
    def summary(self) -> str:
        rows = zip(*(self.pairs[name] for name in ("file", "other file", "correlation")), strict=True)
        return "\n".join([self.sentence(), *(f"{one}  {other}  {alike:.3f}" for one, other, alike in rows)])


@view
def compute(
    index: Annotated[Index, INDEX],
    train: Annotated[Index | None, INDEX] = None,
    *,
    near: Annotated[
        float, Range(0, 100, help="how far, as a multiple of the median distance of nearest neighbours")
    ] = 2.0,
    correlation: Annotated[float, Range(0, 1, help="of the thumbnails, at least")] = 0.99,
    space: Annotated[str, Choices(*SPACES, help="where near pictures are sought; pixels reads all")] = "features",
    k: Annotated[int, Range(1, 50, help="nearest pictures of each that are looked at")] = 5,
    count: Annotated[int, Range(0, 60, help="pairs as pictures, at most")] = 16,
    progress: Progress | None = None,
) -> Duplicates:
    """Pictures of the index that are there more than once; with train, an index of the same model over other pictures,
    those that are in both.

    Pairs are sought in features, so they may be resized, compressed or brightened; the thumbnails of each pair decide.
    Sought in pixels too, copies are found that the network takes for other pictures.

    Raises BadValue for an index of another model.
    """
    other = index if train is None else train
    found = same_pictures(index, train, near, correlation, k, space, progress or unheard)
    a, b, alike = found.pairs.first, found.pairs.second, found.correlation
    offset = 0 if train is None else len(index)
    belongs = groups(a, b + offset, len(index) + (0 if train is None else len(train)))
    files, theirs = index.images.files, other.images.files
    pairs = {
        "image": a.tolist(),
        "other": b.tolist(),
        "file": [file_name(index, files[one]) for one in a],
        "other file": [file_name(other, theirs[one]) for one in b],
        "label": [index.label(one) for one in a],
        "other label": [other.label(one) for one in b],
        "distance": found.pairs.distances.tolist(),
        "correlation": alike.tolist(),
        "mirrored": found.mirrored.tolist(),
        "group": belongs[a].tolist(),
    }
    tiles = np.stack([tiles_of(index, a[:count].tolist()), tiles_of(other, b[:count].tolist())], 1)
    return Duplicates(pairs, tiles.reshape(-1, *tiles.shape[2:]), found.near, found.unread, facts={})


@drawn
def render(
    result: Duplicates,
    *,
    pairs_a_row: Annotated[int, Range(1, 12, help="of the pairs of pictures")] = PAIRS_A_ROW,
) -> Figure:
    """Each pair side by side, the most alike first, with its correlation and its labels."""
    of = f"between {result.facts['data']} and {result.facts['train']['data']}" if result.across else "within "
    title = f"Near duplicates {of}{'' if result.across else result.facts['data']}, by {result.facts['model']}"
    names: list[str] = []
    rows = list(zip(*(result.pairs[name] for name in ("label", "other label", "correlation")), strict=True))
    for label, other, alike in rows[: len(result.tiles) // 2]:
        names += [_said(label), f"{_said(other)}, {alike:.3f}".removeprefix(", ")]
    pairs = [f"{k}: {one} and {other}" for k, (one, other) in enumerate(_twos(names), 1)]
    caption = f"Pairs side by side, row by row. {'; '.join(pairs)}."
    return Figure(
        title=title,
        panels=sheet(result.tiles, names, columns=2 * pairs_a_row, caption=caption),
        columns=1,
        facts=result.facts,
        note=result.sentence(),
        arrays={"tiles": result.tiles},
        table=result.table,
        alt=f"{title}. {result.sentence()}",
    )


def _said(label: str | None) -> str:
    return label or "unlabelled"


def _twos(names: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(names[::2], names[1::2], strict=True))
