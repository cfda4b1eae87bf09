"""Where the pages' scripts lie, whichever app.py has been started: a clone's, or that of the installed package."""

from pathlib import Path

__all__ = ["script"]

_PAGES = Path(__file__).parent / "pages"


def script(page: str) -> Path:
    """For st.Page, st.page_link and st.switch_page."""
    return _PAGES / f"{page}.py"
