"""Writes README.md's table of views from VIEWS; a test fails when it is not as this writes it."""

from pathlib import Path

from explain.views import VIEWS

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- views -->\n", "<!-- /views -->"


def table() -> str:
    """One row a view: its name in all doors, what it is for, what it is asked, how it can be drawn, its page."""
    rows = ["| view | | asked | drawn | page |", "|---|---|---|---|---|"]
    for name, view in VIEWS.items():
        asked = ", ".join(key for key, one in view.parameters.items() if not one.kind.hidden)
        rows.append(f"| `{name}` | {view.summary} | {asked} | {', '.join(view.style) or '-'} | {view.page or '-'} |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """The README with the table as it is now."""
    before, _, rest = text.partition(START)
    return before + START + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
