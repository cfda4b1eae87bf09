"""A condition on an index's pictures, and the pass through the network that it takes the first time."""

from explain.columns import condition_said
from explain.index import Index
from explain.ui import caches, choices, jobs
from explain.views import View

__all__ = ["choose_among", "looked_through"]


def choose_among(view: View, index: Index, layer: str) -> str | None:
    """Which pictures are meant, empty for all; None while they go through the network once more, which is a job."""
    where = choices.among(view, index)
    return where if not where or looked_through(index, layer, where) else None


def looked_through(index: Index, layer: str, where: str) -> bool:
    key = f"among {caches.identity(index)} {layer} {where}"
    return bool(
        jobs.show(jobs.start(key, lambda progress: bool(index.among(layer, where, progress))), condition_said(where))
    )
