"""Where the pages' scripts lie, whichever app.py has been started: a clone's, or that of the installed package."""

from pathlib import Path

__all__ = ["FIRST", "script"]

FIRST = "start"
"""The page that opens where none is named."""
_PAGES = Path(__file__).parent / "pages"


def script(page: str) -> Path:
    """For st.Page, st.page_link and st.switch_page."""
    return _PAGES / f"{page}.py"
