"""Long work on pages: jobs that are shared by all sessions, with progress and cancel.

    job = jobs.start(f"index {model.digest} {layer}", lambda progress: build(model, layer, images, progress))
    index = jobs.show(job, "Building the index")  # None until it is there; the page runs again by itself then

Work runs in a thread without a session: it must not touch Streamlit.
"""

import atexit
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explain.ui import selection, toasts, visitor
from explain.ui.job_queue import Job, Lane, Progress, Queue
from explain.ui.navigation import FIRST, script
from explain.ui.text import literal

__all__ = [
    "Job",
    "Progress",
    "at_work",
    "describe",
    "duration",
    "find",
    "forget",
    "of_server",
    "show",
    "show_at_work",
    "show_end",
    "start",
    "watch",
]

POLL = 0.5  # seconds between looks at a running job
GLANCE = 2.0  # seconds between looks at those that other pages show
ASKED = "This takes longer than a page may, so that it is not started by a link alone."


def _is_there(session: str) -> bool:
    """Whether a session's page is open."""
    return not runtime.exists() or bool(runtime.get_instance().is_active_session(session))


_queues: list[Queue] = []


def of_server(is_there: Callable[[str], bool] = _is_there) -> Queue:
    """A queue whose jobs every page speaks of, and that ends with the server."""
    _queues.append(Queue(is_there=is_there))
    # A daemon thread never keeps the server from stopping, but one that is inside torch then makes it abort.
    atexit.register(_queues[-1].stop)
    return _queues[-1]


_queue = of_server()


def start(key: str, work: Callable[[Progress], Any], lane: Lane = "long") -> Job:
    """The job of this key. A new one waits for a click where the page was opened by its address alone: a link is
    followed by anybody, and by machines."""
    context = get_script_run_ctx()
    session, ask = context.session_id if context else "", not selection.is_by_address()
    return _queue.start(visitor.mine(key), visitor.bound(work), session, lane, ask)


def find(key: str) -> Job | None:
    """The job of this key that somebody has asked for."""
    return _queue.find(visitor.mine(key))


def forget(key: str) -> None:
    """Let go of a finished job, so that its key can be started anew: its result is gone, say."""
    _queue.forget(visitor.mine(key))


def show(job: Job, label: str, unit: str = "pictures") -> Any:
    """The job's result; until then its progress, or why there is none. When it finishes, the page runs once more."""
    if job.active:
        st.fragment(watch, run_every=POLL)(job, label, unit)
    else:
        show_end(job, label)
    return job.result if job.state == "done" else None


def show_end(job: Job, label: str) -> None:
    """Why a job has no result, and a way to start it or to try again; nothing where it has one."""
    if job.state == "idle":
        if job.error:
            st.warning(literal(job.error), icon=":material/hourglass:")
        st.button(label, key=f"begin-{job.key}", on_click=job.begin, icon=":material/play_arrow:", help=ASKED)
    elif job.state != "done":
        if job.state == "failed":
            st.error(f"{literal(label)}: {literal(job.error)}", icon=":material/error:")
        else:
            st.info(f"{literal(label)}: cancelled.", icon=":material/cancel:")
        st.button("Try again", key=f"again-{job.key}", on_click=job.restart, icon=":material/refresh:")
        _show_log(job)


def watch(job: Job, label: str, unit: str) -> None:
    """A job's progress, in a fragment that runs again and again; when it finishes, the page runs once more."""
    if not job.active:
        selection.again()
    job.label, job.unit, job.place = label, unit, _place()
    fraction = min(job.done / job.total, 1.0) if job.total else 0.0
    text = f"**{literal(label)}**: {literal(describe(job, unit))}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(fraction, text)
        stopping = "Stopping" if job.cancelling else "Cancel"
        st.button(stopping, key=f"cancel-{job.key}", on_click=job.cancel, disabled=job.cancelling)
    _show_log(job)


def at_work() -> list[Job]:
    """What runs or waits for this visitor and is shown on some page, whichever."""
    return [job for queue in _queues for job in queue.at_work() if job.label and visitor.mine(job.key) == job.key]


def show_at_work() -> None:
    """In the sidebar: what is at work for this visitor, so that it is not out of sight on other pages."""
    known = at_work()
    if not known:
        return

    def glance() -> None:
        ended = [job for job in known if not job.active]
        for job in (one for one in ended if one.place != _place()):  # its own page shows it
            how = "ready" if job.state == "done" else job.state
            toasts.add(f"{literal(job.label)}: {how}.", "notifications")
        if ended or len(at_work()) != len(known):
            selection.again()
        st.caption(f"**At work: {len(known)}**")
        for job in known:
            fraction = min(job.done / job.total, 1.0) if job.total else 0.0
            st.progress(fraction, f"{literal(job.label)}: {literal(describe(job, job.unit))}")
            if job.place != _place():
                key = f"go-to-{job.key}"
                if st.button("Go there", key=key, type="tertiary", icon=":material/arrow_forward:"):
                    page, section = job.place
                    if section:
                        selection.choose("section", section)
                    st.switch_page(script(page or FIRST))

    st.fragment(glance, run_every=GLANCE)()


def _place() -> tuple[str, str]:
    """The page that is shown, and its section."""
    state = st.session_state
    section = state.selection.get("section", "") if "section" in state.get("used", ()) else ""
    return state.get("page", ""), str(section)


def _show_log(job: Job) -> None:
    if job.log:
        with st.expander("Log"):
            st.code("\n".join(job.log), None, height=200)


def describe(job: Job, unit: str) -> str:
    """For instance: 1,234 of 10,000 pictures · 85 a second · 1 min 40 s left."""
    if ahead := job.ahead:
        return f"waiting for {ahead} other job{'s' if ahead > 1 else ''} to finish"
    if not (job.done or job.total or job.message):
        return "starting"
    rate, left = job.rate, job.seconds_left
    parts = [f"{job.done:,} of {job.total:,} {unit}" if job.total else f"{job.done:,} {unit}"]
    if rate:
        parts.append(f"{rate:,.0f} a second" if rate >= 1 else f"{rate * 60:.2g} a minute")
    if left is not None:
        parts.append(f"{duration(left)} left")
    return " · ".join([*parts, job.message] if job.message else parts)


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
