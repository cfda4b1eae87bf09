"""Where the browser fetches a file: the store behind st.image, in which bytes stay as they are."""

import streamlit as st
from streamlit import runtime

__all__ = ["address"]


def address(content: bytes, kind: str, place: str) -> str:
    """The content's address for a component; `place` says who shows it. Empty where no server runs."""
    if not runtime.exists():
        return ""
    base = st.get_option("server.baseUrlPath").strip("/")
    url = runtime.get_instance().media_file_mgr.add(content, kind, place)
    return f"/{base}{url}" if base else url
