"""The explorer as a Streamlit component: the numbers travel once, as files with content-hashed addresses."""

import base64
import binascii
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ..explorer import CSS, HTML, SCRIPT, Cloud, describe
from .component import nothing
from .media import address

_mount = st.components.v2.component("explain_explorer", html=HTML, css=CSS, js=SCRIPT)


class Choice(NamedTuple):
    opened: int | None  # the point opened in this run
    picked: NDArray[np.int64]  # the points picked now, in rising order


def explorer(cloud: Cloud, *, key: str, alt: str, colour: str | None = None, opened: int | None = None) -> Choice:
    """Show the cloud; return the point the user has just opened, once, and those that are picked.

    Pass the choice back as `opened`: one that differs from the one passed before moves the ring. `colour` is what the
    dots are coloured by at first ("label", "prediction", "verdict", "confidence", "trust" or "kept"); the user may
    choose another. Make a cloud once and keep it: what travels is worked out once for each.
    """
    before = st.session_state.get(key) or {}
    data = describe(
        cloud,
        lambda file, kind, name: address(file, kind, f"explorer-{key}-{name}"),
        alt,
        colour=colour,
        opened=None if opened is None else int(opened),
        picked=before.get("picked"),  # for an explorer that comes back; one that is there knows better
    )
    answer = _mount(key=key, data=data, on_opened_change=nothing, on_picked_change=nothing)
    return Choice(_opened(answer.get("opened"), cloud), _picked(answer.get("picked"), cloud))


def _opened(said: Any, cloud: Cloud) -> int | None:
    """The browser may speak of pictures that have just been replaced."""
    if not isinstance(said, dict) or said.get("of") != cloud.identity:
        return None
    index = said.get("index")
    return index if type(index) is int and 0 <= index < len(cloud.files) else None


def _picked(said: Any, cloud: Cloud) -> NDArray[np.int64]:
    """The numbers of the bits that are set, the lowest first in each byte; none unless all is as it should be."""
    nothing = np.empty(0, np.int64)
    if not isinstance(said, dict) or said.get("of") != cloud.identity or not isinstance(said.get("bits"), str):
        return nothing
    count = len(cloud.files)
    size = -(-count // 8)
    if len(said["bits"]) != 4 * -(-size // 3):
        return nothing
    try:
        mask = base64.b64decode(said["bits"], validate=True)
    except (binascii.Error, ValueError):
        return nothing
    if len(mask) != size:
        return nothing
    numbers = np.flatnonzero(np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")).astype(np.int64)
    return numbers if not len(numbers) or numbers[-1] < count else nothing
