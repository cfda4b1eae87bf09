"""What one visit may hold: bytes in the server's memory, and bytes handed in to the workspace.

Streamlit keeps each uploaded file in memory for as long as a visit lasts. What the app has put on the disk it lets go
here; and a visit that uploads more than MEMORY bytes loses its earliest files, whoever sends them, and is told so. It
keeps the callbacks of every widget that was ever shown, too, with the figures that they are for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from explain.errors import BadValue
from explain.workspace.budget import said

__all__ = ["DISK", "MEMORY", "bound", "handing_in", "leave", "let_go", "overrun"]

MEMORY = 400 << 20
DISK = 2 << 30
_KEPT = "bytes-handed-in"
_bounding = threading.Lock()


class _Bounded:
    """The door by which uploads come in, of a server: the latest of a visit stay, as many as MEMORY has room for."""

    def __init__(self, files: MemoryUploadedFileManager) -> None:
        self._files, self._add, self._lock = files, files.add_file, threading.Lock()
        self.dropped: set[str] = set()  # visits that have lost files and were not told yet

    def __call__(self, session_id: str, file: UploadedFileRec) -> None:
        with self._lock:
            self._add(session_id, file)
            held = list(self._files.file_storage.get(session_id, {}).values())  # in the order they came
            over = sum(len(one.data) for one in held) - MEMORY
            for one in held:
                if over <= 0 or one.file_id == file.file_id:
                    break
                self._files.remove_file(session_id, one.file_id)
                self.dropped.add(session_id)
                over -= len(one.data)


def bound() -> None:
    """Hold all visits of this server to MEMORY, from the first on."""
    files = _files()
    with _bounding:
        if files is not None and not isinstance(files.add_file, _Bounded):
            files.add_file = _Bounded(files)  # type: ignore[method-assign]


def overrun() -> BadValue | None:
    """What to say, once, to a visit whose files were more than are held."""
    context, files = get_script_run_ctx(), _files()
    door = getattr(files, "add_file", None)
    if context is None or not isinstance(door, _Bounded) or context.session_id not in door.dropped:
        return None
    door.dropped.discard(context.session_id)
    return BadValue(
        f"More than {said(MEMORY)} were uploaded in this visit and not kept: the earliest of these files are gone. "
        "Give fewer at a time."
    )


def let_go(uploaded: Iterable[Any]) -> None:
    """Files of widgets that lie on the disk now, or were refused: memory no longer holds them."""
    context, files = get_script_run_ctx(), _files()
    if context is None or files is None:
        return
    for one in uploaded:
        if file_id := getattr(one, "file_id", None):
            files.remove_file(context.session_id, file_id)


def leave() -> None:
    """At the end of a page: what belongs to widgets of pages before it goes, so that a long visit is as large as a
    short one."""
    context = get_script_run_ctx()
    if context is None or context.fragment_ids_this_run:  # the rest of the page is still there
        return
    state = getattr(getattr(context.session_state, "_state", None), "_new_widget_state", None)
    shown = context.shared.widget_ids_this_run.snapshot()
    if state is None:
        return
    for widget in list(getattr(state, "widget_metadata", ())):
        if widget not in shown and widget not in state.states:  # which the browser spoke of: it needs them once more
            state.widget_metadata.pop(widget, None)


@contextmanager
def handing_in(size: int) -> Iterator[None]:
    """Count bytes that this visit keeps in the workspace, if it does. Raises BadValue beyond DISK."""
    kept = st.session_state.get(_KEPT, 0) + size
    if kept > DISK:
        raise BadValue(
            f"This visit has kept {said(kept - size)} of pictures and networks, and may keep {said(DISK)}; "
            f"{said(size)} more do not fit. `python -m explain` has no such limit."
        )
    yield
    st.session_state[_KEPT] = kept


def _files() -> MemoryUploadedFileManager | None:
    context = get_script_run_ctx()
    files = context.uploaded_file_mgr if context else None
    return files if isinstance(files, MemoryUploadedFileManager) else None
