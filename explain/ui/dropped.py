"""Files that a visitor drops: pictures, figures of ours, and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from explain import workspace
from explain.data import EXTENSIONS
from explain.errors import BadFile, ExplainError, shorten
from explain.figure import read_facts
from explain.images import MAX_BYTES
from explain.ui import visit
from explain.ui.selection import choose
from explain.workspace import uploads


def upload(label: str, types: list[str]) -> ExplainError | None:
    """A place to drop a picture, which becomes the selected one; returns why the last file was refused, once."""
    state = st.session_state
    # A new key after each file, so that the same one can be given again.
    key = f"upload{state.setdefault('turn', 0)}"
    st.file_uploader(label, types, key=key, on_change=_take_upload, args=(key,), max_upload_size=MAX_BYTES >> 20)
    refused: ExplainError | None = state.pop("refused", None)
    return refused


def _take_upload(key: str) -> None:
    """Runs before the page does, so that the page runs once, with the new picture."""
    state = st.session_state
    file = state.get(key)  # of its own turn: a run that another one overtakes hears of a file twice
    if file is None:
        return
    try:
        if file.size > MAX_BYTES:  # the server takes what a ZIP may have, whatever the field says
            raise BadFile(f"{shorten(file.name)} has {file.size >> 20} MB; {MAX_BYTES >> 20} are the most.")
        content = file.getvalue()
        if facts := _facts_in(content, file.name):
            state.dropped = facts
        else:
            with visit.handing_in(len(content)):
                take_picture(workspace.keep_upload(content, file.name), file.name)
    except ExplainError as error:
        state.refused = error
    state.turn += 1  # last: until then a run that another one overtakes is done once more
    visit.let_go([file])


def given(label: str, types: list[str], name: str, take: Callable[[Any], object]) -> ExplainError | None:
    """A place to drop another kind of file, which is handed on; returns why the last one was refused, once."""
    state = st.session_state
    key = f"{name}{state.setdefault(f'turn-{name}', 0)}"

    def changed() -> None:
        file = state.get(key)
        if file is None:
            return
        try:
            with visit.handing_in(file.size):
                take(file)
        except ExplainError as error:
            state[f"refused-{name}"] = error
        state[f"turn-{name}"] += 1
        visit.let_go([file])

    st.file_uploader(label, types, key=key, on_change=changed)
    refused: ExplainError | None = state.pop(f"refused-{name}", None)
    return refused


def _facts_in(content: bytes, name: str) -> dict[str, Any] | None:
    """The facts of a figure of ours; None for a picture. Raises BadFile for what cannot be a picture."""
    try:
        return read_facts(content, name)
    except ExplainError:
        if name.lower().endswith(EXTENSIONS) and not content.startswith(b"%PDF"):
            return None
        raise BadFile(f"There are no facts of explain in {name!r}; only figures saved here can be opened.") from None


def dropped() -> dict[str, Any] | None:
    """The facts of the figure uploaded last, until they are `done`."""
    facts: dict[str, Any] | None = st.session_state.get("dropped")
    return facts


def done() -> None:
    st.session_state.pop("dropped", None)


def take_picture(reference: str, name: str) -> None:
    """Choose a picture that has been kept as an upload, under the name of its file."""
    st.session_state.names = {**uploaded(), reference: name}
    choose("picture", reference)


def uploaded() -> dict[str, str]:
    """This visitor's uploads: reference -> the file's name."""
    names: dict[str, str] = st.session_state.get("names", {})
    return names


def still_used() -> None:
    """This visitor is here: what was uploaded in this visit is not what is unused."""
    uploads.still_used(uploaded())
