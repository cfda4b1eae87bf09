"""Maps as the embedding page has them: made, or on their way as jobs, with what there is of them meanwhile."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from explain import workspace
from explain.errors import ExplainError
from explain.explorer import Cloud, Thumbs
from explain.index import Index
from explain.projection import PROJECTIONS
from explain.ui import jobs, session
from explain.ui.text import literal
from explain.views import cloud, embedding, neighbours
from explain.views.embedding import Embedding, Placed

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
    """A map of an index by a method; `options` are those of the method, and of which layer."""

    index: Index
    method: str
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return PROJECTIONS[self.method].label

    def made(self, picture: Any = None, called: str = "") -> Embedding | None:
        """The map, if it has been made; with the place of a picture, where the map has one for it."""
        if not workspace.embedding_path(self.index, self.method, **self.options).is_file():
            return None
        if picture is not None:
            return session.cached(_placed, self.index, picture, called=called, method=self.method, **self.options)
        return session.cached(workspace.embed, self.index, self.method, **self.options)

    def job(self) -> jobs.Job:
        """The work that makes it, and shows what there is of it."""
        path = workspace.embedding_path(self.index, self.method, **self.options)
        key = f"map {path}"
        found = jobs.find(key)
        if found and found.state == "done" and not path.is_file():  # it has been removed since
            jobs.forget(key)
        return jobs.start(key, self._make)

    def _make(self, progress: jobs.Progress) -> None:
        stage = Stage("starting", time.monotonic())

        def told(done: int, total: int, what: str, points: Any) -> None:
            nonlocal stage
            since = stage.since if what == stage.what else time.monotonic()
            stage = Stage(what, since, stage.points if points is None else points)
            progress.show(stage)
            progress(done, total)

        workspace.embed(self.index, self.method, report=told, **self.options)

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
            return f"{SILENT.get(self.method, 'at work')}{_seconds(stage)}"
        if not job.done:
            return f"looking for each picture's neighbours{_seconds(stage)}"
        return jobs.describe(job, WORDS.get(stage.what, stage.what))


def _seconds(stage: Any) -> str:
    gone = time.monotonic() - stage.since if isinstance(stage, Stage) else 0.0
    return f" ({jobs.duration(gone)})" if gone >= 2 else ""


def _placed(index: Index, picture: Any, *, called: str, method: str, **options: Any) -> Embedding:
    made: Embedding = session.cached(workspace.embed, index, method, **options)
    try:
        one = embedding.place(made, picture)
    except ExplainError:  # the map is of a layer
        return made
    return replace(made, placed=(Uploaded(**vars(one), called=called) if called else one,))


def titles(wanted: Sequence[Wanted]) -> tuple[str, ...]:
    """What tells the maps apart; nothing where there is one."""
    if len(wanted) == 1:
        return ("",)
    first, second = (one.options for one in wanted)
    names = [name for name in first if first[name] != second.get(name)]
    if not names:
        return tuple(one.name for one in wanted)
    return tuple(", ".join(_said(name, one.options[name]) for name in names) for one in wanted)


def _said(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"not {words}"
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def explored(wanted: Sequence[Wanted], picture: Any, called: str, thumbs: Thumbs | None) -> Cloud:
    """The maps, all made, for the explorer; kept, since its bytes are."""
    maps = tuple((one.method, tuple(one.options.items())) for one in wanted)
    return session.cached(_explored, wanted[0].index, picture or "", maps=maps, called=called, thumbs=_Silent(thumbs))


class _Silent:
    """Thumbnails as a part of a key: there, or not."""

    def __init__(self, thumbs: Thumbs | None) -> None:
        self.thumbs = thumbs

    def __repr__(self) -> str:
        return repr(self.thumbs is not None)


def _explored(index: Index, picture: Any, *, maps: tuple[Any, ...], called: str, thumbs: _Silent) -> Cloud:
    wanted = [Wanted(index, method, dict(options)) for method, options in maps]
    results = tuple(found for one in wanted if (found := one.made(picture or None, called)))
    if not all(result.placed for result in results):
        results = tuple(replace(result, placed=()) if result.placed else result for result in results)
    return cloud.explore(results, titles(wanted), thumbs.thumbs)


def begun(index: Index, thumbs: Thumbs | None) -> Cloud:
    """PCA of the features, for the explorer."""
    return session.cached(_begun, index, thumbs=_Silent(thumbs))


def _begun(index: Index, *, thumbs: _Silent) -> Cloud:
    return cloud.explore((first_picture(index),), ("",), thumbs.thumbs)


def settling(wanted: Sequence[Wanted], thumbs: Thumbs | None) -> Cloud | None:
    """What there is of the maps: those made, the points so far of the others, else PCA's.

    None for maps of a layer that have not begun.
    """
    base = begun(wanted[0].index, thumbs)
    points = []
    for one in wanted:
        made, stage = one.made(), one.job().partial
        if made is not None:
            points.append(made.points)
        elif isinstance(stage, Stage) and stage.points is not None and len(stage.points) == len(base.files):
            points.append(np.asarray(stage.points, np.float32))
        elif one.options.get("layer"):
            return None
        else:
            points.append(base.maps[0])
    return replace(base, titles=titles(wanted), maps=tuple(points))


def first_picture(index: Index) -> Embedding:
    """PCA of the features, which takes no time."""
    return session.cached(embedding.compute, index, "pca", measure=False)


def take(index: Index, number: int) -> None:
    """A picture of the index as the one of all pages; one of the user's own files is kept as an upload."""
    reference = neighbours.reference(index, number)
    if reference is not None:
        session.choose("picture", reference)
        return
    file = Path(index.images.files[number])
    session.take_picture(workspace.keep_upload(file.read_bytes(), file.name), file.name)


def thumbnails(index: Index, images: list[int]) -> tuple[Thumbs | None, jobs.Job]:
    """Thumbnails of those pictures, once their job has made them."""
    job = jobs.start(
        f"thumbnails {index.folder} {index.manifest.data_digest} {len(images)}",
        lambda progress: bool(workspace.thumbnails_of(index, images, progress)),
    )
    return (session.cached(workspace.thumbnails_of, index, images) if job.state == "done" else None), job
