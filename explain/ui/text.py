"""Words as Streamlit shows them."""

from explain.data import printable


def literal(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>$~:" else c for c in printable(str(text))).replace("\n", " ")
