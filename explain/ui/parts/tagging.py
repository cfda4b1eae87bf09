"""Pictures that were picked: a tag for them, or these alone on all pages."""

from collections.abc import Sequence

import streamlit as st

from explain.columns import condition_of
from explain.index import Index
from explain.ui import selection
from explain.views.inputs import WHERE
from explain.workspace import tags

__all__ = ["offer_tags", "tags_said"]


def offer_tags(index: Index, numbers: Sequence[int], key: str, alone: bool = False) -> None:
    """alone: with a button for these pictures alone, wherever some of a set can be asked for."""
    numbers = [int(one) for one in numbers]
    these = "this picture" if len(numbers) == 1 else f"these {len(numbers):,} pictures"
    with st.container(horizontal=True):
        with st.popover(f"Tag {these}", icon=":material/label:"):
            _choose_tag(index, numbers, key)
        if alone:
            condition = condition_of(numbers)
            long = len(condition) > tags.LONGEST
            help = "They are too many to be named in an address." if long else "On all pages of pictures."
            if st.button("Only these", key=f"only-{key}", icon=":material/filter_alt:", disabled=long, help=help):
                selection.choose(WHERE.url, condition)
                selection.again()


def tags_said(index: Index, number: int) -> str:
    """The tags of a picture in words; nothing where it has none."""
    found = [name for name, numbers in tags.tags_of(index).items() if number in numbers]
    return f"Tags: {', '.join(found)}." if found else ""


def _choose_tag(index: Index, numbers: list[int], key: str) -> None:
    known = tags.tags_of(index)
    name = st.selectbox(
        "Tag",
        list(known),
        index=None,
        placeholder="a new one, or one there is",
        accept_new_options=True,
        key=f"tag-{key}",
    )
    if not name:
        return
    bearing = set(known.get(name, ())) & set(numbers)
    if len(bearing) < len(numbers) and st.button("Tag", key=f"put-{key}", type="primary"):
        tags.tag(index, name, numbers)
        selection.again()
    if bearing and st.button(f"Take it off {len(bearing):,}", key=f"off-{key}"):
        tags.untag(index, name, numbers)
        selection.again()
