"""A real Chromium, and Streamlit scripts to point it at."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from visits import ask, settle, state_of

import explain
from explain.data import load_images

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The shell is Chromium without its own windows, which cost a third of the processor's time.
CHROMIUMS = [path for path in ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium") if Path(path).exists()]
MOST_WAIT = 180_000  # of what hangs; a machine that compiles for four workers at once takes more than a minute


def pytest_collection_modifyitems(items):
    """Once more where something was waited for in vain, which the summary names: a busy machine, or worth a look."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=[r"TimeoutError: (Page|Locator|Frame)\."]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a failure, what was on the pages, and what the server said last."""
    report = yield
    if report.failed and call.when == "call" and (pages := getattr(item.funcargs.get("visit"), "pages", None)):
        for page in pages:
            try:
                report.sections.append(("a page", state_of(page)))
            except Exception as error:  # a page that has crashed, say
                report.sections.append(("a page", f"{page.url}: {error}"))
        report.sections.append(("the server", item.funcargs["visit"].log.read_text(errors="replace")[-2000:]))
    return report


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUMS:
        pytest.skip("no Chromium in /usr/bin")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUMS[0], args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start `streamlit run script` on a free local port; return its address once it is healthy."""
    servers = []

    def start(script: Path, *options: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = tmp_path_factory.mktemp("streamlit") / "log"
        command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
        command += ["--server.address=127.0.0.1", "--server.headless=true", "--server.fileWatcherType=none"]
        command += ["--browser.gatherUsageStats=false", *options]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with log.open("wb") as output:
            server = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=output, stderr=subprocess.STDOUT
            )
        servers.append(server)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _healthy(address):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"streamlit did not start:\n{log.read_text()}")
            time.sleep(0.1)
        return address

    yield start
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def index(workspace, lenet):
    """500 pictures of Fashion-MNIST, where the app finds them instead of building all 10,000."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(workspace))
        return explain.build_index(lenet, "fashion-mnist", limit=500)


@pytest.fixture(scope="session")
def server_log(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("serve") / "log"


@pytest.fixture(scope="session")
def address(workspace, server_log):
    """The app as `python -m explain serve` starts it, over a workspace that all files here share."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with server_log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "explain", "serve", "--port", str(port)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "EXPLAIN_WORKSPACE": str(workspace)},
        )  # fmt: skip
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            break
        except OSError:
            assert server.poll() is None, server_log.read_text()
            assert time.monotonic() < deadline, server_log.read_text()
            time.sleep(0.2)
    yield address
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(20)


@pytest.fixture(scope="session")
def context(browser):
    """What visitors share is what Chromium has compiled of Streamlit's scripts, a tenth of its time."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def visit(context, address, server_log):
    """Open a URL of the app as a new visitor; nothing may complain in the console."""
    pages, errors = [], []

    def heard(message):
        # Streamlit looks for its server below each page's path first, and for icons of the page on the internet.
        url = message.location["url"]
        gone = "404" in message.text and url.startswith(f"{address}/media/")  # a later run has replaced it meanwhile
        if message.type == "error" and "/_stcore/" not in url and not gone and (url.startswith(address) or not url):
            errors.append(f"{message.text} {url}")

    def open_page(path: str = "/", width: int = 1440):
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 1000})
        page.set_default_timeout(MOST_WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", heard)
        page.goto(path if path.startswith("http") else address + path)
        return ask(settle(page))

    open_page.pages, open_page.log = pages, server_log
    yield open_page
    for page in pages:
        page.close()
    assert not errors


@pytest.fixture(scope="session")
def photograph() -> bytes:
    """A shipped photograph as a camera would hand it over: a JPEG lying on its side."""
    images = load_images("photos")
    chelsea = images[[Path(file).stem for file in images.files].index("chelsea")].convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    chelsea.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
