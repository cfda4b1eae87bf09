"""Long work, out of the script runs: one job at a time for the whole server, with progress, cancel and its log.

    job = jobs.start(f"index {model.digest} {layer}", lambda progress: build(model, layer, images, progress))
    index = jobs.show(job, "Building the index")  # None until it is there; the page runs again by itself then

Work runs in a thread without a session: it must not touch Streamlit, and takes what it needs as it was when it started.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from explain.errors import ExplainError
from explain.ui import selection, visitor
from explain.ui.text import literal

SAMPLING, WINDOW = 0.25, 10.0  # seconds between the samples a speed is taken from, and how far back they go
LOG_LINES, FINISHED_KEPT = 200, 32
POLL, PATIENCE = 0.5, 3.0  # seconds between looks at a running job, and given to it when the server stops

State = Literal["waiting", "running", "done", "failed", "cancelled"]


class Cancelled(BaseException):
    """The user has cancelled. No Exception, so that work which survives a bad picture does not survive this."""


class Speed:
    """Items a second over the last ten seconds, or between the last two reports where those are rarer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque()

    def saw(self, done: float) -> None:
        now, seen = self._clock(), self._seen
        if seen and done < seen[-1][1]:  # another phase of the work, counted anew
            seen = self._seen = deque()
        if not seen or now - seen[-1][0] >= SAMPLING:
            seen.append((now, done))
            while len(seen) > 2 and now - seen[1][0] >= WINDOW:
                seen.popleft()

    def rate(self) -> float | None:
        seen = self._seen
        if len(seen) < 2:
            return None
        (began, first), (ended, last) = seen[0], seen[-1]
        silence = self._clock() - ended
        return (last - first) / max(ended - began, silence)  # work that hangs is seen to slow down


class Progress:
    """How work reports: `progress(done, total, message)`, where a cancelled job stops, `progress.log(text)`, and
    `progress.show(partial)` for what there is already."""

    def __init__(self, job: "Job") -> None:
        self._job = job

    def __call__(self, done: float, total: float = 0, message: str = "") -> None:
        job = self._job
        job.speed.saw(done)
        job.done, job.total, job.message = done, total, message
        if job.cancelling:
            raise Cancelled

    def show(self, partial: Any) -> None:
        self._job.partial = partial

    def log(self, text: str) -> None:
        # A new list each time: a page may be reading the old one.
        self._job.log = [*self._job.log, *str(text).splitlines()][-LOG_LINES:]


class Job:
    """One piece of work; any session may read it, cancel it, and restart it when it has failed or been cancelled."""

    def __init__(self, key: str, work: Callable[[Progress], Any], queue: "Queue") -> None:
        self.key, self._work, self._queue = key, work, queue
        self.reset()

    def reset(self) -> None:
        self.done = self.total = 0
        self.message, self.error = "", ""
        self.log: list[str] = []
        self.result: Any = None
        self.partial: Any = None  # what there is of the result while the work goes on
        self.cancelling = False
        self.speed = Speed(self._queue.clock)
        self.state: State = "waiting"

    @property
    def active(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def rate(self) -> float | None:
        """Items a second, once it is known."""
        return self.speed.rate() if self.state == "running" else None

    @property
    def seconds_left(self) -> float | None:
        rate = self.rate
        return (self.total - self.done) / rate if rate and self.total >= self.done else None

    @property
    def ahead(self) -> int:
        """How many jobs come before this one."""
        return self._queue.ahead(self)

    def cancel(self) -> None:
        """Waiting work never starts; running work stops at its next report."""
        self._queue.cancel(self)

    def restart(self) -> None:
        """The same work again, if it failed or was cancelled."""
        self._queue.restart(self)

    def run(self) -> None:
        state: State = "failed"
        try:
            self.result, state = self._work(Progress(self)), "done"
            del self._work  # and the network it holds
        except Cancelled:
            state = "cancelled"
        except ExplainError as error:
            self.error = str(error)
        except BaseException as error:
            logging.getLogger(__name__).exception("The job %s failed", self.key)
            self.error = f"{type(error).__name__}: {error}"
        self.state = state  # last, so that whoever sees it finds the result or the error


class Queue:
    """Jobs by key, run one after the other by a thread that lives while there are any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._worker: threading.Thread | None = None

    def start(self, key: str, work: Callable[[Progress], Any]) -> Job:
        """The job of this key, whatever has become of it, or a new one that does this work.

        The latest finished jobs are kept with their results, which had better be small: a path rather than an array.
        """
        key, work = visitor.mine(key), visitor.bound(work)
        with self._lock:
            job = self._jobs.pop(key, None)
            if job is None:
                job = Job(key, work, self)
                self._enqueue(job)
            self._jobs[key] = job  # the latest asked for stands last
            for old in [k for k, other in self._jobs.items() if not other.active and k != key][:-FINISHED_KEPT]:
                del self._jobs[old]
        return job

    def find(self, key: str) -> Job | None:
        return self._jobs.get(visitor.mine(key))

    def forget(self, key: str) -> None:
        """Let go of a finished job, so that its key can be started anew: its result is gone, say."""
        key = visitor.mine(key)
        with self._lock:
            if key in self._jobs and not self._jobs[key].active:
                del self._jobs[key]

    def ahead(self, job: Job) -> int:
        with self._lock:
            return self._waiting.index(job) + (self._running is not None) if job in self._waiting else 0

    def cancel(self, job: Job) -> None:
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = "cancelled"
            elif job.active:
                job.cancelling = True

    def restart(self, job: Job) -> None:
        with self._lock:
            # Another may have taken its place, since only so many finished jobs are kept.
            if job.state in ("failed", "cancelled") and self._jobs.setdefault(job.key, job) is job:
                job.reset()
                self._enqueue(job)

    def stop(self, patience: float = PATIENCE) -> None:
        """Cancel everything, and wait for it a little."""
        for job in list(self._jobs.values()):
            job.cancel()
        if worker := self._worker:
            worker.join(patience)

    def _enqueue(self, job: Job) -> None:
        self._waiting.append(job)
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="explain-jobs", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._running = job = self._waiting.popleft() if self._waiting else None
                if job is None:
                    self._worker = None
                    return
                job.state = "running"
            job.run()


_queue = Queue()
start, find, forget = _queue.start, _queue.find, _queue.forget
# A daemon thread never keeps the server from stopping, but one that is inside torch then makes it abort.
atexit.register(_queue.stop)


def show(job: Job, label: str, unit: str = "pictures") -> Any:
    """The job's result; until then its progress, or why there is none. When it finishes, the page runs once more."""
    if job.active:
        st.fragment(watch, run_every=POLL)(job, label, unit)
    else:
        show_end(job, label)
    return job.result if job.state == "done" else None


def show_end(job: Job, label: str) -> None:
    """Why a job that has ended has no result, and a way to try again; nothing where it has one."""
    if job.state != "done":
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
    fraction = min(job.done / job.total, 1.0) if job.total else 0.0
    text = f"**{literal(label)}**: {literal(describe(job, unit))}"
    bar, button = st.columns([6, 1], vertical_alignment="center")
    bar.progress(fraction, text)
    stopping = "Stopping" if job.cancelling else "Cancel"
    button.button(stopping, key=f"cancel-{job.key}", on_click=job.cancel, disabled=job.cancelling, width="stretch")
    _show_log(job)


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
