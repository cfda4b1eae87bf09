"""Who is asking: on a shared server (`explain serve --shared`) a visitor, else the one person whose workspace it is.

A visitor is who has signed in, where the server's secrets name a provider; else a browser, by the cookie that the
server gave it, or where it takes none this session. Their name is a digest: it opens nothing that it is written beside.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explain import store
from explain.errors import BadValue, NotSupported
from explain.ui.text import literal
from explain.workspace import folder

__all__ = ["COOKIE", "DAYS", "admit", "bound", "is_shared", "mine", "owner", "show"]

COOKIE = "explain_visitor"
DAYS = 90  # that a browser is known without a visit, and what it handed in is kept
WHO = 32  # hex digits of a visitor's name
is_shared = folder.is_shared


def owner() -> str:
    """The visitor's name. Raises NotSupported outside a session, and before one has signed in where one has to."""
    if get_script_run_ctx(suppress_warning=True) is None:
        raise NotSupported("Nobody is asking: this work was started without saying for whom.")
    if _signs_in():
        if not st.user.is_logged_in:
            raise NotSupported("Sign in first.")
        return f"user-{store.sha256(repr((st.user.get('iss'), st.user.get('sub'))).encode())[:WHO]}"
    # Whatever stands in the cookie is digested: what a browser says never is a path, and a folder's name no cookie.
    state = st.session_state
    if "explain-visitor" not in state:
        given = st.context.cookies.get(COOKIE, "")
        state["explain-visitor"] = given if len(given) >= WHO else secrets.token_urlsafe(32)
    return f"browser-{store.sha256(state['explain-visitor'].encode())[:WHO]}"


folder.visitors(owner)


def bound(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work for whoever asks now, in a thread without a session."""
    if not is_shared():
        return work
    place = folder.own()

    def asked(*args: Any) -> Any:
        with folder.within(place):
            return work(*args)

    return asked


def mine(key: str) -> str:
    """A key of work that no other visitor sees, cancels or gets the result of."""
    whose = f"{folder.own().name} " if is_shared() else ""
    return key if key.startswith(whose) else whose + key


def admit() -> None:
    """Let the visitor in, or ask them to sign in and end the run there."""
    if not is_shared():
        return
    if _signs_in() and not st.user.is_logged_in:
        st.title("explain")
        st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")
        st.stop()
    if "admitted" not in st.session_state:
        st.session_state.admitted = True
        if (place := folder.own()).is_dir():
            os.utime(place)
        _forget_gone()


def show() -> None:
    """In the sidebar, whose things these are and how to be rid of them."""
    if not is_shared():
        return
    with st.sidebar, st.popover("Yours alone", icon=":material/lock:"):
        if _signs_in():
            st.markdown(f"Signed in as **{literal(str(st.user.get('email') or st.user.get('name') or 'you'))}**.")
            kept = "pictures, networks and trainings are found again when you sign in"
        else:
            kept = f"this browser finds them again by a cookie, for {DAYS} days after the last visit"
        st.caption(f"No other visitor sees, opens or removes what you hand in or train; {kept}.")
        if st.button("Remove all of it", icon=":material/delete:"):
            _remove_all()
            st.rerun()
        if _signs_in():
            st.button("Sign out", on_click=st.logout, icon=":material/logout:")


def _remove_all() -> None:
    """Raises BadValue while a training of theirs is at work."""
    place = folder.own()
    for run in (place / "runs").glob("*"):
        if store.locked(run):
            raise BadValue(f"{run.name!r} is at work; cancel it first.")
    shutil.rmtree(place, ignore_errors=True)
    for name in ("names", "selection", "report-unkept", "report-figures", "report-removed"):
        st.session_state.pop(name, None)
    st.query_params.clear()


def _forget_gone() -> None:
    """What belonged to browsers whose cookies have ended; never one visitor's because others came."""
    place = folder.root() / "visitors"
    folder.prune(place, most=10**9, days=DAYS, pattern="browser-*")


def _signs_in() -> bool:
    """Whether the server's secrets name a provider of sign-in."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:  # no secrets at all
        return False
