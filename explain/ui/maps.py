"""Maps as the embedding page has them: made, or on their way as jobs, with what there is of them meanwhile."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from explain import workspace
from explain.errors import ExplainError
from explain.explorer import Thumbs
from explain.index import Index
from explain.ui import jobs, session
from explain.views import embedding
from explain.views.embedding import Embedding, Placed


@dataclass(frozen=True)
class Wanted:
    """A map of an index by a method; `options` are those of the method, and of which layer."""

    index: Index
    method: str
    options: dict[str, Any]

    @property
    def title(self) -> str:
        """What tells it from another one of the same method."""
        given = {name: value for name, value in self.options.items() if name not in ("layer", "pooling")}
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given.items())

    def made(self) -> Embedding | None:
        """The map, if it has been made."""
        if not workspace.embedding_path(self.index, self.method, **self.options).is_file():
            return None
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
        def told(done: int, total: int, what: str, points: Any) -> None:
            if points is not None:
                progress.show(points)
            progress(done, total, what)

        workspace.embed(self.index, self.method, report=told, **self.options)

    def settling(self, job: jobs.Job, first: Embedding | None) -> Embedding | None:
        """What there is of it: the points so far, else PCA's."""
        if job.partial is None or first is None or len(job.partial) != len(first.images):
            return first
        return replace(first, points=job.partial, facts={**first.facts, "method": self.method})

    def place(self, picture: Any) -> Placed | None:
        """Where another picture lies; None on maps that have no place for it."""
        return session.cached(_place, self.index, picture, method=self.method, **self.options)


def _place(index: Index, picture: Any, *, method: str, **options: Any) -> Placed | None:
    try:
        return embedding.place(workspace.embed(index, method, **options), picture)
    except ExplainError:
        return None


def first_picture(index: Index) -> Embedding:
    """PCA of the features, which takes no time."""
    return session.cached(embedding.compute, index, "pca", measure=False)


def keep(index: Index, number: int) -> str:
    """A picture of the user's own index kept as an upload, so that all pages can open it; returns its reference."""
    file = Path(index.images.files[number])
    return workspace.keep_upload(file.read_bytes(), file.name)


def thumbnails(index: Index, images: list[int]) -> tuple[Thumbs | None, jobs.Job]:
    """Thumbnails of those pictures, once their job has made them."""
    job = jobs.start(
        f"thumbnails {index.folder} {index.manifest.data_digest} {len(images)}",
        lambda progress: bool(workspace.thumbnails_of(index, images, progress)),
    )
    return (session.cached(workspace.thumbnails_of, index, images) if job.state == "done" else None), job
