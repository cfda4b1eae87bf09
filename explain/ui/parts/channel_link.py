"""The way from a channel among others to its own page."""

import streamlit as st

from explain.ui.navigation import script

__all__ = ["link_to_channel"]


def link_to_channel(number: int | str) -> None:
    st.page_link(script("channel"), label=f"All of channel {number}", icon=":material/filter_center_focus:")
