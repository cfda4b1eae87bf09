"""A view's result by a job, where it takes longer than a page may."""

from typing import Any

from explain.progress import listening
from explain.ui import caches, jobs
from explain.views import View

__all__ = ["ask"]


def ask(view: View, given: dict[str, Any], label: str, unit: str) -> Any:
    """The view's result by a job; None until it is there."""
    asked = view.flat(given)

    def work(progress: jobs.Progress) -> Any:
        if view.takes("progress"):
            return view(**asked, progress=progress)
        with listening(progress):
            return view(**asked)

    return jobs.show(jobs.start(f"{view.name} {caches.identity(**asked)}", work), label, unit)
