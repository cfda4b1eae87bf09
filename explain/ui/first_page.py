"""Whether the app's first page opens, without a server."""

from collections.abc import Callable
from typing import Any

from explain.errors import ExplainError
from explain.shipped import shipped

PATIENCE = 80.0


def opened(progress: Callable[..., Any]) -> str:
    """The first page's title. Raises ExplainError where there is no app, or it says that something is wrong."""
    from streamlit.testing.v1 import AppTest

    progress(0)
    app = AppTest.from_file(str(shipped("app.py")), default_timeout=PATIENCE).run()
    for said in (*app.exception, *app.error):
        raise ExplainError(f"The first page says: {said.value}")
    return str(app.title[0].value) if app.title else ""
