"""Long work: its states, its speed, one at a time, and what a page shows of it."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from streamlit.testing.v1 import AppTest

from explain.errors import ExplainError
from explain.progress import patiently
from explain.ui import job_queue, jobs

MOST_WAIT = 10


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    queue = job_queue.Queue(clock)
    yield queue
    queue.stop()


class Gate:
    """Work that reports each number it is given, and ends when it is given None."""

    def __init__(self, total: int = 10) -> None:
        self.total, self.todo, self.told = total, [], threading.Condition()
        self.cleaned = 0

    def __call__(self, progress: jobs.Progress):
        try:
            while True:
                with self.told:
                    while not self.todo:
                        self.told.wait(0.002)
                        if progress._job.cancelling:  # so that it ends although nobody gives it more
                            progress(progress._job.done, self.total)
                    number = self.todo.pop(0)
                if number is None:
                    return "result"
                if isinstance(number, BaseException):
                    raise number
                progress(number, self.total, f"at {number}")
        finally:
            self.cleaned += 1

    def give(self, *numbers) -> None:
        with self.told:
            self.todo.extend(numbers)
            self.told.notify_all()


def wait(condition) -> None:
    deadline = time.monotonic() + MOST_WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def ended(job: jobs.Job) -> str:
    wait(lambda: not job.active)
    return job.state


def test_from_waiting_to_done(queue):
    gate = Gate()
    job = queue.start("a", gate)
    assert job.state in ("waiting", "running")
    assert job.result is None
    gate.give(3)
    wait(lambda: job.done == 3)
    assert (job.state, job.total, job.message, job.ahead) == ("running", 10, "at 3", 0)
    gate.give(10, None)
    assert ended(job) == "done"
    assert (job.result, job.error, job.done) == ("result", "", 10)
    assert queue.start("a", pytest.fail) is job, "a key's job is done once"
    assert queue.find("a") is job
    assert queue.find("b") is None
    job.restart()
    assert job.state == "done"
    queue.forget("a")
    again = queue.start("a", lambda progress: 2)
    assert again is not job
    assert (ended(again), again.result) == ("done", 2)


def test_speed_and_time_left(queue, clock):
    gate = Gate(1000)
    job = queue.start("a", gate)

    def report(done, seconds):
        clock.now += seconds
        gate.give(done)
        wait(lambda: job.done == done)

    report(200, 0)  # resumed: what was done before says nothing about the speed
    assert (job.rate, job.seconds_left) == (None, None)
    report(210, 1)
    assert (job.rate, job.seconds_left) == (10, 79)
    report(211, 0.01)
    assert job.rate == pytest.approx(10), "single reports do not make it jump"
    for _ in range(30):
        report(job.done + 20, 1)
    assert job.rate == pytest.approx(20), "the beginning is forgotten"
    clock.now += 9
    assert job.rate == pytest.approx(20)
    clock.now += 31
    assert job.rate == pytest.approx(5.5), "and falls while nothing comes"
    report(0, 1)
    assert job.rate is None, "another phase"
    report(1, 60)
    report(2, 60)
    assert job.rate == pytest.approx(1 / 60), "reports rarer than the window"
    gate.give(None)
    ended(job)
    assert (job.rate, job.seconds_left) == (None, None)


def test_cancel_while_running(queue):
    gate = Gate()
    job = queue.start("a", gate)
    gate.give(4)
    wait(lambda: job.done == 4)
    job.cancel()
    assert job.cancelling
    assert ended(job) == "cancelled"
    assert gate.cleaned == 1
    job.cancel()
    assert (job.state, job.done, job.result) == ("cancelled", 4, None)


def test_no_exception_handler_of_the_work_survives_a_cancel(queue):
    def work(progress):
        while True:
            try:
                progress(1, 2)
            except Exception:
                pytest.fail("taken for a bad picture")

    job = queue.start("a", work)
    wait(lambda: job.done)
    job.cancel()
    assert ended(job) == "cancelled"


def test_a_cancel_that_comes_too_late_does_not_lose_the_result(queue):
    started, go = threading.Event(), threading.Event()

    def work(progress):
        started.set()
        assert go.wait(MOST_WAIT)
        return 1

    job = queue.start("a", work)
    assert started.wait(MOST_WAIT)
    job.cancel()
    go.set()
    assert (ended(job), job.result) == ("done", 1)


def test_one_at_a_time_in_turn_and_cancel_while_waiting(queue):
    order, gates = [], [Gate() for _ in range(4)]
    first, *others = [queue.start(str(k), lambda p, k=k: (order.append(k), gates[k](p))) for k in range(4)]
    wait(lambda: first.state == "running")
    assert [job.state for job in others] == ["waiting"] * 3
    assert [job.ahead for job in others] == [1, 2, 3]
    assert jobs.describe(others[0], "pictures") == "waiting for 1 other job to finish"
    assert jobs.describe(others[1], "pictures") == "waiting for 2 other jobs to finish"
    others[0].cancel()
    assert [job.state for job in others] == ["cancelled", "waiting", "waiting"]
    assert others[2].ahead == 2
    for k in (0, 2, 3):
        gates[k].give(1, None)
    assert [ended(job) for job in (first, *others)] == ["done", "cancelled", "done", "done"]
    assert order == [0, 2, 3]
    gates[1].give(None)
    others[0].restart()
    assert ended(others[0]) == "done"
    assert order == [0, 2, 3, 1]


def test_failures_are_told_and_can_be_tried_again(queue, caplog):
    gate = Gate()
    job = queue.start("a", gate)
    gate.give(5, ExplainError("There is no layer 'conv9'."))
    assert (ended(job), job.error) == ("failed", "There is no layer 'conv9'.")
    assert not caplog.records
    assert queue.start("a", pytest.fail).state == "failed", "no page restarts it by being opened"
    gate.give(6, KeyError("x"))
    job.restart()
    assert (ended(job), job.error, job.done) == ("failed", "KeyError: 'x'", 6)
    assert "Traceback" in caplog.text
    gate.give(SystemExit(3), None)
    job.restart()
    assert (ended(job), job.error) == ("failed", "SystemExit: 3"), "the next job still has a thread"
    job.restart()
    assert (ended(job), job.result, job.error, job.done) == ("done", "result", "", 0)


def test_the_log_keeps_the_last_lines(queue):
    def work(progress):
        for k in range(300):
            progress.log(f"line {k}")
        progress.log("two\nlines")

    job = queue.start("a", work)
    ended(job)
    assert len(job.log) == 200
    assert job.log[-3:] == ["line 299", "two", "lines"]


def test_a_report_is_cheap():
    queue = job_queue.Queue()

    def work(progress):
        start = time.perf_counter()
        for k in range(50_000):
            progress(k, 50_000)
        return time.perf_counter() - start

    job = queue.start("a", work)
    ended(job)
    assert job.result < 2.5, "50 microseconds each, and usually one"


@contextmanager
def hammering(count: int, action):
    """The action in many threads, all at once."""
    together, failures = threading.Barrier(count), []

    def run(k):
        together.wait(MOST_WAIT)
        try:
            action(k)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(MOST_WAIT)
    assert not failures


def test_two_sessions_that_start_one_key_share_one_job(queue):
    found, runs = {}, []
    for turn in range(50):

        def start(k, turn=turn):
            found[turn, k] = queue.start(str(turn), lambda p: runs.append(turn))

        with hammering(2, start):
            pass
        assert found[turn, 0] is found[turn, 1]
    wait(lambda: not any(job.active for job in found.values()))
    assert runs == list(range(50))


def test_eight_threads_hammering(queue):
    running, most, seen = [], [], []
    monitor = threading.Lock()

    def work(progress):
        with monitor:
            running.append(1)
            most.append(len(running))
        try:
            for k in range(20):
                progress(k, 20)
                progress.log(str(k))
        finally:
            with monitor:
                running.pop()

    def play(k):
        for turn in range(100):
            job = queue.start(str(turn % 7), work)
            jobs.describe(job, "pictures")
            seen.append(job)
            if (turn + k) % 3 == 0:
                job.cancel()
            elif (turn + k) % 5 == 0:
                job.restart()
            elif (turn + k) % 11 == 0:
                queue.forget(job.key)

    with hammering(8, play):
        pass
    wait(lambda: not any(job.active for job in seen))
    assert max(most) == 1
    assert {job.state for job in seen} <= {"done", "cancelled"}


class Held:
    """Work that waits until it is let go, and looks up now and then."""

    def __init__(self):
        self.go, self.begun, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, progress):
        self.begun.set()
        try:
            while not self.go.wait(0.002):
                progress(1, 2)
            return "result"
        finally:
            self.ended.set()


def test_short_work_does_not_wait_for_long_work(queue):
    long, waiting = Held(), Held()
    first, second = queue.start("long", long, "a"), queue.start("long too", waiting, "b")
    assert long.begun.wait(MOST_WAIT)
    short = queue.start("short", lambda progress: 7, "c", "short")
    assert (ended(short), short.result) == ("done", 7)
    assert (first.state, second.state, second.ahead) == ("running", "waiting", 1)
    long.go.set()
    waiting.go.set()
    assert (ended(first), ended(second)) == ("done", "done")


def test_work_that_waits_for_a_network_is_cancelled_there(queue):
    busy, begun = threading.Lock(), threading.Event()

    def work(progress):
        begun.set()
        with patiently(busy):
            return "result"

    with busy:
        job = queue.start("a", work)
        assert begun.wait(MOST_WAIT)
        job.cancel()
        assert ended(job) == "cancelled"


def test_visitors_take_turns(queue):
    first, order = Held(), []
    queue.start("first", first, "greedy")
    assert first.begun.wait(MOST_WAIT)
    found = [queue.start(f"greedy {k}", lambda p, k=k: order.append(f"greedy {k}"), "greedy") for k in range(3)]
    found += [queue.start(f"other {k}", lambda p, k=k: order.append(f"other {k}"), "other") for k in range(2)]
    assert [job.ahead for job in found] == [2, 4, 5, 1, 3]
    first.go.set()
    wait(lambda: not any(job.active for job in found))
    assert order == ["other 0", "greedy 0", "other 1", "greedy 1", "greedy 2"]


def test_what_nobody_waits_for_any_more_ends(clock):
    there = {"gone", "here"}
    queue = job_queue.Queue(clock, there.__contains__)
    alone, shared, waiting = Held(), Held(), Held()
    first = queue.start("alone", alone, "gone")
    both = queue.start("shared", shared, "gone", "short")
    assert queue.start("shared", shared, "here", "short") is both
    last = queue.start("waiting", waiting, "gone")
    assert alone.begun.wait(MOST_WAIT)
    there.remove("gone")
    clock.now += 20
    time.sleep(0.05)
    assert first.state == "running", "the page may only be loaded again"
    there.add("gone")
    clock.now += 20
    time.sleep(0.05)
    there.remove("gone")
    for _ in range(40):
        clock.now += 1
        time.sleep(0.005)
    assert alone.ended.wait(MOST_WAIT)
    wait(lambda: first.state == last.state == "idle")
    assert not waiting.begun.is_set(), "it never began"
    assert both.state == "running", "somebody waits for it"
    alone.go.set()
    again = queue.start("alone", pytest.fail, "here")
    assert again is first
    assert (ended(again), again.result) == ("done", "result"), "who comes later may ask for it"
    shared.go.set()
    assert ended(both) == "done"
    queue.stop()


def test_who_is_there_does_not_wait_for_those_who_are_gone(clock):
    there = {"gone", "here"}
    queue = job_queue.Queue(clock, there.__contains__)
    alone, order = Held(), []
    first = queue.start("alone", alone, "gone")
    assert alone.begun.wait(MOST_WAIT)
    others = [queue.start(f"gone {k}", lambda p, k=k: order.append(f"gone {k}"), "gone") for k in range(3)]
    there.remove("gone")
    mine = queue.start("mine", lambda p: order.append("mine"), "here")
    assert (mine.ahead, others[0].ahead) == (1, 2)
    for _ in range(8):
        clock.now += 1
        time.sleep(0.01)
    assert ended(mine) == "done"
    wait(lambda: not any(job.active for job in (first, *others)))
    assert (order[0], first.state) == ("mine", "idle")
    queue.stop()


def test_a_visitor_has_so_many_jobs_and_all_have_so_many(queue):
    first = Held()
    queue.start("first", first, "x")
    assert first.begun.wait(MOST_WAIT)
    mine = [queue.start(f"mine {k}", lambda p: None, "x") for k in range(2 * job_queue.MOST_OF_A_VISITOR)]
    states = [job.state for job in mine]
    assert states == ["idle"] * 7 + ["waiting"] * 5, "the oldest that wait make room"
    others = [queue.start(f"other {k}", lambda p: None, f"v{k}") for k in range(job_queue.MOST)]
    assert [job.state for job in others].count("waiting") == job_queue.MOST - 6
    assert (others[-1].state, others[-1].error) == ("idle", job_queue.BUSY)
    first.go.set()
    wait(lambda: not any(job.active for job in (*mine, *others)))
    others[-1].begin()
    assert (ended(others[-1]), others[-1].error) == ("done", "")


def test_work_that_is_not_asked_for_stays_idle(queue):
    job = queue.start("a", lambda progress: 5, "x", ask=False)
    assert (job.state, queue.find("a")) == ("idle", None)
    assert queue.start("a", pytest.fail, "y", ask=False) is job
    job.begin()
    assert (ended(job), job.result) == ("done", 5)
    assert queue.start("a", pytest.fail, "z", ask=False).result == 5, "what is there needs no click"
    many = [queue.start(str(k), lambda progress: k, "x", ask=False) for k in range(500)]
    assert len(queue._jobs) <= job_queue.FINISHED_KEPT + 1, "addresses do not pile up"
    assert {one.state for one in many} == {"idle"}


def test_only_so_many_finished_jobs_are_kept(queue):
    first = queue.start("0", lambda progress: progress.log("done") or 1 / 0)
    ended(first)
    for k in range(1, job_queue.FINISHED_KEPT + 9):
        ended(queue.start(str(k), lambda progress: None))
    assert queue.find("0") is None
    assert queue.find("9") is not None
    first.restart()
    assert queue.find("0") is first
    ended(first)
    ended(queue.start("1", lambda progress: None))
    queue.forget("0")
    assert queue.start("0", lambda progress: 7) is not first
    first.restart()
    assert first.state == "failed", "another has taken its place"


def test_a_finished_job_lets_go_of_its_work(queue):
    job = queue.start("a", lambda progress: 1)
    ended(job)
    assert not hasattr(job, "_work")


EXIT = """
import threading, torch
from explain.ui import job_queue, jobs
net, started = torch.nn.Conv2d(16, 16, 3), threading.Event()
def work(progress):
    while True:
        net(torch.rand(4, 16, 64, 64))
        progress(1, 2)
        started.set()
jobs.start("a", work)
jobs.start("b", work)
assert started.wait(20)
"""


def test_running_work_neither_holds_up_nor_aborts_the_end_of_the_server():
    done = subprocess.run([sys.executable, "-c", EXIT], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (100, "1 min 40 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds, text):
    assert jobs.duration(seconds) == text


def test_what_is_said_of_a_running_job(queue, clock):
    gate = Gate(10_000)
    job = queue.start("a", gate)
    wait(lambda: job.state == "running")
    assert jobs.describe(job, "pictures") == "starting"
    gate.give(384)
    wait(lambda: job.done == 384)
    assert jobs.describe(job, "pictures") == "384 of 10,000 pictures · at 384"
    clock.now += 10
    gate.give(1234)
    wait(lambda: job.done == 1234)
    assert jobs.describe(job, "pictures") == "1,234 of 10,000 pictures · 85 a second · 1 min 43 s left · at 1234"


def page() -> None:
    import streamlit as st

    from explain.ui import jobs
    from tests import test_jobs

    st.session_state.runs = st.session_state.get("runs", 0) + 1
    job = jobs.start("test-page", test_jobs.page_gate)
    if (result := jobs.show(job, "Index [of] pictures")) is not None:
        st.write(f"Result: {result}")


page_gate = Gate()


def test_a_page_shows_progress_the_error_and_the_result(monkeypatch):
    monkeypatch.setitem(sys.modules, "tests", type(sys)("tests"))
    monkeypatch.setattr(sys.modules["tests"], "test_jobs", sys.modules[__name__], raising=False)
    queue = job_queue.Queue()
    monkeypatch.setattr(jobs, "start", queue.start)
    app = AppTest.from_function(page, default_timeout=MOST_WAIT).run()
    assert not app.exception
    job = queue.find("test-page")
    page_gate.give(5)
    wait(lambda: job.done == 5)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.value == 50
    assert "Index \\[of\\] pictures" in bar.proto.text
    assert [button.label for button in app.button] == ["Cancel"]
    other = AppTest.from_function(page, default_timeout=MOST_WAIT).run()
    assert other.get("progress")[0].proto.value == 50, "another session finds the same job"
    page_gate.give(ExplainError("No *layer* conv9."))
    ended(job)
    app.run()
    assert app.error[0].value == "Index \\[of\\] pictures: No \\*layer\\* conv9\\."
    app.button[0].click().run()
    assert job.active
    page_gate.give(6)
    wait(lambda: job.done == 6)
    app.run()
    assert not app.error
    app.button[0].click().run()
    assert ended(job) == "cancelled"
    app.run()
    assert "cancelled" in app.info[0].value
    app.button[0].click().run()
    page_gate.give(None)
    ended(job)
    runs = app.session_state.runs
    app.run()
    assert app.session_state.runs == runs + 1
    assert app.markdown[0].value == "Result: result"
    assert not app.get("progress")
    assert not app.button
