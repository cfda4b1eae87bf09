"""A view's result by a job, where it takes longer than a page may."""

from typing import Any

from explain.ui import caches, jobs
from explain.views import View

__all__ = ["ask"]


def ask(view: View, given: dict[str, Any], label: str, unit: str) -> Any:
    """The view's result by a job; None until it is there."""
    work = view.flat(given)
    job = jobs.start(f"{view.name} {caches.identity(**work)}", lambda progress: view(**work, progress=progress))
    return jobs.show(job, label, unit)
