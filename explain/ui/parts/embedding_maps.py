"""Maps as the browser of pictures has them: made, or on their way as jobs, with what there is of them meanwhile."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from explain import workspace
from explain.data import printable
from explain.explorer import Cloud, Thumbs
from explain.index import Index, references
from explain.projections.picture_map import Placed
from explain.projections.projection import PROJECTIONS
from explain.store import sha256
from explain.ui import caches, dropped, jobs, selection
from explain.ui.text import literal
from explain.views import VIEWS
from explain.views.embedding import Embedding, kept_name
from explain.views.parts import map_explorer
from explain.workspace.kept import Kept

VIEW = VIEWS["embedding"]
WORDS = {
    "pictures": "pictures through the network",
    "steps": "steps",
    "points measured": "points measured, how far the map can be trusted",
}
SILENT = {"umap": "laying out the pictures, silent until that is done; the first map also prepares its code"}


@dataclass(frozen=True)
class Stage:
    """What a map's job is at, since when, and the points there are so far."""

    what: str
    since: float
    points: Any = None


@dataclass(frozen=True)
class Uploaded(Placed):
    """A picture by the name that its file had."""

    called: str = ""

    @property
    def name(self) -> str:
        return self.called[:24]


@dataclass(frozen=True)
class Wanted:
    """A map, by what the view is given for it; pictures to be placed come later."""

    given: dict[str, Any]

    @property
    def name(self) -> str:
        return PROJECTIONS[self.given["method"]].label

    def made(self, place: Sequence[Any] = ()) -> Embedding | None:
        """The map, if it has been made, with these pictures on it."""
        if kept_name(self.given) not in Kept():
            return None
        made: Embedding = caches.computed(VIEW, {**self.given, "place": place})
        return made

    def job(self) -> jobs.Job:
        """The work that makes it, and shows what there is of it."""
        name = kept_name(self.given)
        found = jobs.find(name)
        if found and found.state == "done" and name not in Kept():  # it has been removed since
            jobs.forget(name)
        return jobs.start(name, self._make, "short" if self.given["method"] == "pca" else "long")

    def _make(self, progress: jobs.Progress) -> None:
        stage = Stage("starting", time.monotonic())

        def heard(done: int, total: int, what: str) -> None:
            nonlocal stage
            if what != stage.what:
                stage = replace(stage, what=what, since=time.monotonic())
            progress.show(stage)
            progress(done, total)

        def seen(points: Any) -> None:
            nonlocal stage
            stage = replace(stage, points=points)

        VIEW(**VIEW.flat(self.given), progress=heard, preview=seen, kept=Kept())

    def watch(self, job: jobs.Job) -> None:
        """How far its job is, and a way to cancel it."""
        bar, button = st.columns([6, 1], vertical_alignment="center")
        fraction = min(job.done / job.total, 1.0) if job.total > 1 else 0.0
        bar.progress(fraction, f"**{self.name}**: {literal(self._told(job))}")
        words = "Stopping" if job.cancelling else "Cancel"
        button.button(words, key=f"cancel-{job.key}", on_click=job.cancel, disabled=job.cancelling, width="stretch")

    def _told(self, job: jobs.Job) -> str:
        stage = job.partial
        if not isinstance(stage, Stage) or stage.what == "starting" or not job.total:
            return jobs.describe(job, "steps") if job.ahead else f"starting{_seconds(stage)}"
        if job.total == 1:
            return f"{SILENT.get(self.given['method'], 'at work')}{_seconds(stage)}"
        if not job.done:
            return f"looking for each picture's neighbours{_seconds(stage)}"
        return jobs.describe(job, WORDS.get(stage.what, stage.what))


def _seconds(stage: Any) -> str:
    gone = time.monotonic() - stage.since if isinstance(stage, Stage) else 0.0
    return f" ({jobs.duration(gone)})" if gone >= 2 else ""


def titles(wanted: Sequence[Wanted]) -> tuple[str, ...]:
    """What tells the maps apart; nothing where there is one."""
    if len(wanted) == 1:
        return ("",)
    first, second = (one.given["options"] for one in wanted)
    names = [name for name in first if first[name] != second[name]]
    if not names:
        return tuple(one.name for one in wanted)
    return tuple(", ".join(_said(name, options[name]) for name in names) for options in (first, second))


def _said(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"not {words}"
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def explored(wanted: Sequence[Wanted], place: Sequence[Any], thumbs: Thumbs | None, palette: str) -> Cloud:
    """The maps, all made, for the explorer; kept, since its bytes are. Uploads have the names of their files."""
    names = dropped.uploaded()
    called = [names.get(str(one.info.get("name", "")), "") for one in place]
    maps = [list(one.given.items()) for one in wanted]
    index = wanted[0].given["index"]
    silent = _Silent(thumbs)
    found: Cloud = caches.cached(_explored, index, list(place), called, maps=maps, thumbs=silent, palette=palette)
    return found


class _Silent:
    """Thumbnails as a part of a key: there, or not."""

    def __init__(self, thumbs: Thumbs | None) -> None:
        self.thumbs = thumbs

    def __repr__(self) -> str:
        return repr(self.thumbs is not None)


def _explored(
    index: Index,
    place: list[Any],
    called: list[str],
    *,
    maps: list[list[tuple[str, Any]]],
    thumbs: _Silent,
    palette: str,
) -> Cloud:
    wanted = [Wanted(dict(one)) for one in maps]
    results = [_named(found, called) for one in wanted if (found := one.made(place))]
    return map_explorer.explore(tuple(results), titles(wanted), thumbs.thumbs, palette)


def _named(result: Embedding, called: list[str]) -> Embedding:
    placed = zip(result.placed, called, strict=True)
    return replace(result, placed=tuple(Uploaded(**vars(one), called=name) if name else one for one, name in placed))


def begun(index: Index, where: str, thumbs: Thumbs | None, palette: str) -> Cloud:
    """PCA of the features, for the explorer."""
    found: Cloud = caches.cached(_begun, index, where=where, thumbs=_Silent(thumbs), palette=palette)
    return found


def _begun(index: Index, *, where: str, thumbs: _Silent, palette: str) -> Cloud:
    return map_explorer.explore((first_picture(index, where),), ("",), thumbs.thumbs, palette)


def settling(wanted: Sequence[Wanted], thumbs: Thumbs | None, palette: str) -> Cloud | None:
    """What there is of the maps: those made, the points so far of the others, else PCA's.

    None for maps of a layer that have not begun.
    """
    base = begun(wanted[0].given["index"], wanted[0].given["where"], thumbs, palette)
    points = []
    for one in wanted:
        made, stage = one.made(), one.job().partial
        if made is not None and len(made.points) == len(base.files):
            points.append(made.points)
        elif isinstance(stage, Stage) and stage.points is not None and len(stage.points) == len(base.files):
            points.append(np.asarray(stage.points, np.float32))
        elif one.given["layer"]:
            return None
        else:
            points.append(base.maps[0])
    return replace(base, titles=titles(wanted), maps=tuple(points))


def first_picture(index: Index, where: str) -> Embedding:
    """PCA of the features, which takes no time."""
    first: Embedding = caches.computed(VIEW, {"index": index, "method": "pca", "where": where, "measure": False})
    return first


def take(index: Index, number: int) -> None:
    """A picture of the index as the one of all pages; one of the user's own files is kept as an upload."""
    reference = references.reference(index, number)
    if reference is not None:
        selection.choose("picture", reference)
        return
    name = printable(Path(index.images.files[number]).name)
    dropped.take_picture(workspace.keep_upload(index.images.encoded(number), name), name)


def thumbnails(index: Index, images: list[int]) -> tuple[Thumbs | None, jobs.Job]:
    """Thumbnails of those pictures, once their job has made them."""
    job = jobs.start(
        f"thumbnails {index.folder} {index.manifest.data_digest} {sha256(repr(images).encode())}",
        lambda progress: bool(workspace.thumbnails_of(index, images, progress)),
        "short",
    )
    return (caches.cached(workspace.thumbnails_of, index, images) if job.state == "done" else None), job
