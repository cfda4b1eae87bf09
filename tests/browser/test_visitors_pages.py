"""Two visitors of a shared server, each with a browser of their own, and what each can do to the other: nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from visits import query, settle

from explain.store import sha256

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
MOST_WAIT = 60_000  # of what hangs


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Address and workspace of a server for a group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("shared")
    with (folder / "log").open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "explain", "serve", "--shared", "--port", str(port)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "EXPLAIN_WORKSPACE": str(folder / "workspace")},
        )  # fmt: skip
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            break
        except OSError:
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
    yield address, folder / "workspace"
    # A page is still open, whose websocket must keep nothing alive.
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(60) == 0


@pytest.fixture(scope="module")
def two(browser, shared):
    """Their browsers open a path each; nothing is closed before the server ends."""
    address = shared[0]
    contexts = [browser.new_context(), browser.new_context()]

    def visit(which: int, path: str = "/"):
        page = contexts[which].new_page()
        page.set_default_timeout(MOST_WAIT)
        page.goto(address + path)
        page.get_by_role("button", name="Yours alone").wait_for()  # also where nothing opens
        return page

    return visit


def test_what_one_hands_in_is_not_the_others(two, shared, photograph):
    workspace = shared[1]
    page = two(0, "/?model=lenet-fashion-mnist")
    page.locator("input[type=file]").set_input_files({"name": "ann.jpg", "mimeType": "", "buffer": photograph})
    reference = f"upload/{sha256(photograph)}"
    page.wait_for_function("wanted => new URLSearchParams(location.search).get('picture') === wanted", arg=reference)
    settle(page)
    (kept,) = workspace.glob("visitors/browser-*/uploads/*")
    assert f"upload/{kept.name}" == reference
    assert not (workspace / "uploads").exists()

    # It is found again after a reload, by the cookie that no script reads.
    page.reload()
    settle(page)
    assert page.get_by_test_id("stAlert").count() == 0
    assert "explain_visitor" not in page.evaluate("document.cookie")

    # The other has its permalink, which opens nothing.
    other = two(1, f"/?model=lenet-fashion-mnist&picture={reference}")
    other.get_by_test_id("stAlert").filter(has_text="not yours").first.wait_for()

    # Both see what is shipped.
    for which in (0, 1):
        shown = settle(two(which, "/layers?model=lenet-fashion-mnist&picture=fashion-mnist/3"), "Layers and channels")
        assert shown.get_by_test_id("stAlert").count() == 0
        assert query(shown)["picture"] == "fashion-mnist/3"


def test_a_training_is_seen_by_its_owner_only_and_removed_by_them(two, shared):
    workspace, recipe = shared[1], "lenet-fashion-mnist"
    page = two(0, f"/train?recipe={recipe}&{recipe}.data=fashion-mnist&{recipe}.epochs=1&{recipe}.limit=500")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Use this model").wait_for()
    settle(page)
    (card,) = workspace.glob(f"visitors/*/runs/{recipe}-1/model.json")

    other = two(1, f"/train?trainings=runs&training_curves.runs={recipe}-1")
    settle(other, "Training").get_by_test_id("stExpander").first.wait_for()
    assert other.get_by_text(f"{recipe}-1").count() == 0
    assert other.get_by_role("button", name="Delete").count() == 0
    asked = two(1, f"/?model={recipe}-1")
    asked.get_by_test_id("stAlert").filter(has_text=f"{recipe}-1").first.wait_for()

    # One removes what is theirs, and nothing else.
    other.get_by_role("button", name="Yours alone").click()
    other.get_by_role("button", name="Remove all of it").click()
    settle(other)
    assert card.is_file()
    page.get_by_role("button", name="Yours alone").click()
    page.get_by_role("button", name="Remove all of it").click()
    settle(page)
    for _ in range(100):
        if not card.exists():
            break
        time.sleep(0.1)
    assert not card.exists()
