"""Whether the app's first page opens, without a server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from explain.errors import ExplainError

PATIENCE = 80.0


def opened(progress: Callable[..., Any]) -> str:
    """The first page's title. Raises ExplainError where there is no app, or it says that something is wrong."""
    from streamlit.testing.v1 import AppTest

    progress(0)
    file = Path(__file__).parents[2] / "app.py"
    if not file.is_file():
        raise ExplainError(f"There is no {str(file)!r}; the app comes with the sources, not with the package alone.")
    app = AppTest.from_file(str(file), default_timeout=PATIENCE).run()
    for said in (*app.exception, *app.error):
        raise ExplainError(f"The first page says: {said.value}")
    return str(app.title[0].value) if app.title else ""
