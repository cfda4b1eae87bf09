"""A job in a real Chromium: the page follows it without being touched."""

import re

import pytest

pytestmark = pytest.mark.browser
MOST_WAIT = 20_000

SCRIPT = """
import time
import streamlit as st
from explain.ui import jobs

state = st.session_state
state.runs = state.get("runs", 0) + 1
steps = int(st.query_params["steps"])


def work(progress):
    for k in range(steps):
        progress.log(f"picture {k}")
        progress(k, steps)
        time.sleep(0.05)
    return 42


result = jobs.show(jobs.start(st.query_params["job"], work), "Indexing")
st.write(f"runs: {state.runs}")
if result:
    st.write(f"result: {result}")
"""


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    script = tmp_path_factory.mktemp("jobs") / "demo.py"
    script.write_text(SCRIPT)
    return serve(script)


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.set_default_timeout(MOST_WAIT)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors


def done(page) -> int:
    text = page.get_by_test_id("stProgress").inner_text()
    found = re.search(r"(\d+) of \d+ pictures", text)
    return int(found[1]) if found else -1


def wait_until_beyond(page, number: int) -> None:
    page.wait_for_function(
        "n => +(document.body.innerText.match(/([0-9]+) of [0-9]+ pictures/) || [0, -1])[1] > n", arg=number
    )


def runs(page) -> int:
    return int(re.search(r"runs: (\d+)", page.locator("body").inner_text())[1])


def test_progress_moves_and_the_result_comes_by_themselves(page, address):
    page.goto(f"{address}/?job=result&steps=160")
    wait_until_beyond(page, 3)
    before = done(page)
    page.get_by_text("Log", exact=True).click()
    wait_until_beyond(page, before + 10)
    assert "a second" in page.get_by_test_id("stProgress").inner_text()
    assert page.get_by_text("picture 5", exact=False).first.is_visible(), "the log stays open while it grows"
    assert runs(page) == 1
    page.reload()
    wait_until_beyond(page, before + 10)
    page.get_by_text("result: 42").wait_for()
    assert runs(page) == 2, "a new session, and once more for the result"
    assert page.get_by_test_id("stProgress").count() == 0
    page.wait_for_timeout(1500)
    assert runs(page) == 2


def test_a_running_job_is_cancelled_and_tried_again(page, address):
    page.goto(f"{address}/?job=cancel&steps=160")
    wait_until_beyond(page, 3)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Indexing: cancelled.").wait_for()
    assert page.get_by_test_id("stProgress").count() == 0
    page.get_by_role("button", name="Try again").click()
    wait_until_beyond(page, 3)
    page.get_by_text("result: 42").wait_for()
    assert page.get_by_test_id("stProgress").count() == 0


def test_a_job_that_waits_says_so_and_starts_by_itself(page, address, browser):
    page.goto(f"{address}/?job=first&steps=900")
    wait_until_beyond(page, 3)
    other = browser.new_page()
    other.goto(f"{address}/?job=second&steps=900")
    other.get_by_text("waiting for 1 other job to finish").wait_for()
    page.get_by_role("button", name="Cancel").click()
    wait_until_beyond(other, 3)
    other.get_by_role("button", name="Cancel").click()
    other.get_by_text("Indexing: cancelled.").wait_for()
    other.close()
