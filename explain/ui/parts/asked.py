"""A view's result by a job, where it takes longer than a page may."""

from typing import Any

from explain.progress import listening
from explain.ui import caches, jobs
from explain.views import View

__all__ = ["ask", "is_asked"]


def is_asked(view: View, given: dict[str, Any]) -> bool:
    """Whether the result is there, or on its way."""
    return jobs.find(_key(view, given)) is not None


def ask(view: View, given: dict[str, Any], label: str, unit: str) -> Any:
    """The view's result by a job; None until it is there."""
    asked = view.flat(given)

    def work(progress: jobs.Progress) -> Any:
        if view.takes("progress"):
            return view(**asked, progress=progress)
        with listening(progress):
            return view(**asked)

    return jobs.show(jobs.start(_key(view, given), work), label, unit)


def _key(view: View, given: dict[str, Any]) -> str:
    return f"{view.name} {caches.identity(**view.flat(given))}"
