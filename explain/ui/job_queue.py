"""Long work out of the script runs: its jobs by key, in two lanes, with progress, cancel and a log; without Streamlit.

Work runs in a thread of its own: it takes what it needs as it was when it started.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from explain.errors import ExplainError
from explain.progress import wanted

SAMPLING, WINDOW = 0.25, 10.0  # seconds between the samples a speed is taken from, and how far back they go
LOG_LINES, FINISHED_KEPT, UNDONE_KEPT = 200, 32, 4
PATIENCE = 3.0  # seconds given to a running job when the server stops
MOST_OF_A_VISITOR, MOST = 6, 48  # jobs that wait or run; of a visitor's the one that waits longest makes room
LOOK = 1.0  # seconds between looks at who is there
GRACE, SHORT_GRACE = 30.0, 4.0  # that a job goes on with nobody there, as while a page is loaded again; if others wait
BUSY = f"The server has {MOST} jobs to do; try again when some of them are done."

State = Literal["idle", "waiting", "running", "done", "failed", "cancelled"]
Lane = Literal["short", "long"]


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
        job.check()

    def show(self, partial: Any) -> None:
        self._job.partial = partial

    def log(self, text: str) -> None:
        # A new list each time: a page may be reading the old one.
        self._job.log = [*self._job.log, *str(text).splitlines()][-LOG_LINES:]


class Job:
    """One piece of work; any session may read it, cancel it, and restart it when it has failed or been cancelled.

    An idle one is known, and not asked for yet: by a URL alone, say. `visitors` are those who look at it.
    """

    def __init__(self, key: str, work: Callable[[Progress], Any], queue: "Queue", lane: Lane = "long") -> None:
        self.key, self._work, self._queue, self.lane = key, work, queue, lane
        self.visitors: set[str] = set()
        self.label = self.unit = ""  # what it is called where it is shown
        self.place = ("", "")  # the page, and the section of it
        self.reset()

    def reset(self) -> None:
        self.done: float = 0
        self.total: float = 0
        self.message, self.error = "", ""
        self.log: list[str] = []
        self.result: Any = None
        self.partial: Any = None  # what there is of the result while the work goes on
        self.cancelling = self._abandoned = False
        self.seen = self._looked = self._queue.clock()  # when a visitor was there, and when one was looked for
        self.speed = Speed(self._queue.clock)
        self.state: State = "idle"

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

    def begin(self) -> None:
        """Ask for what is idle."""
        self._queue.begin(self)

    def cancel(self) -> None:
        """Waiting work never starts; running work stops at its next report."""
        self._queue.cancel(self)

    def restart(self) -> None:
        """The same work again, if it failed or was cancelled."""
        self._queue.restart(self)

    def is_looked_at(self) -> bool:
        """Whether somebody who wants it has the page open; what is nobody's in particular always is."""
        visitors = self.visitors.copy()
        return not visitors or any(map(self._queue.is_there, visitors))

    def is_abandoned(self) -> bool:
        """Whether all who wanted it have been gone for a while."""
        now = self._queue.clock()
        if now - self._looked >= LOOK and self.visitors:
            self._looked = now
            if self.is_looked_at():
                self.seen = now
            self._abandoned = now - self.seen > (SHORT_GRACE if self._queue.is_awaited(self.lane) else GRACE)
        return self._abandoned

    def check(self) -> None:
        """Raises Cancelled where the work is not wanted any more: at its reports, and while it waits for a network."""
        if self.cancelling or self.is_abandoned():
            raise Cancelled

    def run(self) -> None:
        state: State = "failed"
        try:
            with wanted(self.check):
                self.result, state = self._work(Progress(self)), "done"
            del self._work  # and the network it holds
        except Cancelled:
            state = "cancelled" if self.cancelling else "idle"
        except ExplainError as error:
            self.error = str(error)
        except BaseException as error:
            logging.getLogger(__name__).exception("The job %s failed", self.key)
            self.error = f"{type(error).__name__}: {error}"
        if state == "idle":
            self.reset()
        self.state = state  # last, so that whoever sees it finds the result or the error


class Queue:
    """Jobs by key. Each lane is run one after the other, by a thread that lives while there are any, so that short jobs
    do not wait for long ones; visitors take turns. What nobody waits for any more is let go of."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, is_there: Callable[[str], bool] = lambda visitor: True
    ) -> None:
        """is_there: whether a visitor still has the page open."""
        self.clock, self.is_there = clock, is_there
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._running: dict[Lane, Job] = {}
        self._workers: dict[Lane, threading.Thread] = {}
        self._served: dict[str, int] = {}  # when each visitor's turn was
        self._turn = 0

    def start(
        self, key: str, work: Callable[[Progress], Any], visitor: str = "", lane: Lane = "long", ask: bool = True
    ) -> Job:
        """The job of this key, whatever has become of it, or a new one that does this work, if it is asked for.

        The latest finished jobs are kept with their results, which had better be small: a path rather than an array.
        """
        with self._lock:
            job = self._jobs.pop(key, None) or Job(key, work, self, lane)
            self._jobs[key] = job  # the latest asked for stands last
            job.visitors |= {visitor} if visitor else set()
            job.seen = self.clock()
            if job.state == "idle" and ask:
                self._admit(job)
            ended = {k: other for k, other in self._jobs.items() if not other.active and k != key}
            undone = [k for k, other in ended.items() if other.state != "done"]  # which hold their networks
            for old in {*list(ended)[:-FINISHED_KEPT], *undone[:-UNDONE_KEPT]}:
                del self._jobs[old]
        return job

    def begin(self, job: Job) -> None:
        with self._lock:
            # Another may have taken its place, since only so many are kept.
            if job.state == "idle" and self._jobs.setdefault(job.key, job) is job:
                self._admit(job)

    def at_work(self) -> list[Job]:
        """What runs or waits."""
        with self._lock:
            return [job for job in self._jobs.values() if job.active]

    def find(self, key: str) -> Job | None:
        """The job of this key that somebody has asked for."""
        job = self._jobs.get(key)
        return None if job is None or job.state == "idle" else job

    def forget(self, key: str) -> None:
        """Let go of a finished job, so that its key can be started anew: its result is gone, say."""
        with self._lock:
            if key in self._jobs and not self._jobs[key].active:
                del self._jobs[key]

    def ahead(self, job: Job) -> int:
        with self._lock:
            if job not in self._waiting:
                return 0
            return self._order(job.lane).index(job) + (job.lane in self._running)

    def cancel(self, job: Job) -> None:
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = "cancelled"
            elif job.active:
                job.cancelling = True

    def restart(self, job: Job) -> None:
        with self._lock:
            if job.state in ("failed", "cancelled") and self._jobs.setdefault(job.key, job) is job:
                job.reset()
                self._admit(job)

    def stop(self, patience: float = PATIENCE) -> None:
        """Cancel everything, and wait for it a little."""
        for job in list(self._jobs.values()):
            job.cancel()
        for worker in list(self._workers.values()):
            worker.join(patience)

    def is_awaited(self, lane: Lane) -> bool:
        """Whether work of somebody who is there waits in a lane."""
        return any(job.lane == lane and job.is_looked_at() for job in self._waiting.copy())

    def _admit(self, job: Job) -> None:
        """Let it wait for its turn, unless there is too much to do already."""
        active = [other for other in self._jobs.values() if other.active]
        if len(active) >= MOST:
            job.error = BUSY
            return
        own = [other for other in active if job.visitors and other.visitors and other.visitors <= job.visitors]
        waiting = [other for other in self._waiting if other in own]
        for old in waiting[: max(len(own) + 1 - MOST_OF_A_VISITOR, 0)]:
            self._waiting.remove(old)
            old.reset()
        job.state, job.error = "waiting", ""
        self._waiting.append(job)
        if job.lane not in self._workers:
            thread = threading.Thread(target=self._work, args=(job.lane,), name=f"explain-jobs-{job.lane}", daemon=True)
            self._workers[job.lane] = thread
            thread.start()

    def _order(self, lane: Lane) -> list[Job]:
        """What waits in a lane, in the order in which its turn comes; what only those want who may come back, last."""
        left, served, order = [job for job in self._waiting if job.lane == lane], dict(self._served), list[Job]()
        gone = {job for job in left if not job.is_looked_at()}

        def turn(job: Job) -> tuple[bool, int]:
            return job in gone, min((served.get(one, 0) for one in job.visitors), default=0)

        while left:
            order.append(min(left, key=turn))
            left.remove(order[-1])
            served |= dict.fromkeys(order[-1].visitors, self._turn + len(order))
        return order

    def _next(self, lane: Lane) -> Job | None:
        for job in self._order(lane):
            self._waiting.remove(job)
            if not job.is_abandoned():
                self._turn += 1
                self._served |= dict.fromkeys(job.visitors, self._turn)
                return job
            job.reset()
        return None

    def _work(self, lane: Lane) -> None:
        while True:
            with self._lock:
                self._running.pop(lane, None)
                job = self._next(lane)
                if job is None:
                    del self._workers[lane]
                    self._served = dict(list(self._served.items())[-1000:])
                    return
                self._running[lane], job.state = job, "running"
            job.run()
