"""The main job in a real Chromium: a photograph in, what the network makes of it out, and back by its URL."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from explain.data import load_images
from explain.figure import read_facts

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
MOST_WAIT = 60_000


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("serve")
    with (folder / "log").open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "explain", "serve", "--port", str(port)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "EXPLAIN_WORKSPACE": str(folder)},
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
    yield address
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(20)


@pytest.fixture
def visit(browser, address):
    """Open a URL of the app as a new visitor; no script of ours may complain."""
    contexts, errors = [], []

    def open_page(path: str = "/", width: int = 1440):
        context = browser.new_context(viewport={"width": width, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MOST_WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" and "gallery" in m.text else None)
        page.goto(path if path.startswith("http") else address + path)
        return settle(page)

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


def settle(page, title: str | None = None):
    """Wait until the script has run to its end."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.get_by_role("heading", level=1, name=title).wait_for()
    page.wait_for_timeout(400)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    assert page.get_by_test_id("stException").count() == 0
    return page


def go(page, title: str):
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    return settle(page, title)


def wait_for_url(page, **wanted: str):
    page.wait_for_function(
        "wanted => Object.entries(wanted).every(([k, v]) => new URLSearchParams(location.search).get(k) === v)",
        arg=wanted,
    )
    return settle(page)


def query(page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def choose(page, label: str, text: str) -> None:
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=re.compile(text)).first.click()


def tile(page, index: int):
    return page.get_by_test_id("stMain").locator(f"#tile-{index}")


def selected(page) -> str:
    found = page.locator("[role=option][aria-selected=true][data-index]")
    found.wait_for()
    return found.get_attribute("data-index")


@pytest.fixture(scope="module")
def photograph() -> bytes:
    """A shipped photograph as a camera would hand it over: a JPEG lying on its side."""
    images = load_images("photos")
    chelsea = images[[Path(file).stem for file in images.files].index("chelsea")].convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    chelsea.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def test_from_a_photograph_to_its_heat_map_and_back_by_url(visit, photograph):
    page = visit()
    page.locator("input[type=file]").set_input_files(
        {"name": "my *cat*.jpg", "mimeType": "image/jpeg", "buffer": photograph}
    )
    page.wait_for_function("new URLSearchParams(location.search).get('picture')?.startsWith('upload/')")
    settle(page)
    scores = page.locator(".scores").inner_text()
    assert re.search("cat|tabby|lynx", scores), scores
    assert page.locator(".scores .value").count() == 5

    go(page, "Filters")
    tile(page, 6).click()
    wait_for_url(page, channel="6")
    assert selected(page) == "6"
    go(page, "Activations")
    assert selected(page) == "6"
    page.get_by_role("heading", name="Channel 6", exact=True).wait_for()
    assert query(page)["channel"] == "6"
    assert query(page)["picture"].startswith("upload/")

    go(page, "Saliency")
    main = page.get_by_test_id("stMain")
    plain = main.locator("[data-testid=stImage] img")
    plain.first.wait_for()
    before = [image.get_attribute("src") for image in plain.all()]
    choose(page, "Method", "Grad-CAM")
    wait_for_url(page, method="grad_cam")
    assert [image.get_attribute("src") for image in plain.all()] != before
    after = [image.get_attribute("alt") for image in plain.all()]
    assert all(after)

    other = visit(page.url)
    assert query(other) == query(page)
    assert other.get_by_role("combobox", name=re.compile("Method")).input_value() == "Grad-CAM"
    images = other.get_by_test_id("stMain").locator("[data-testid=stImage] img")
    images.first.wait_for()
    # The pictures are named by their content: the same names are the same pixels.
    assert [image.get_attribute("src") for image in images.all()] == [
        image.get_attribute("src") for image in plain.all()
    ]


def test_a_shared_url_and_the_back_button(visit):
    page = visit("/activations?model=lenet-fashion-mnist&layer=conv2&channel=3")
    assert selected(page) == "3"
    tile(page, 9).click()
    wait_for_url(page, channel="9")
    tile(page, 11).click()
    wait_for_url(page, channel="11")
    page.go_back()
    wait_for_url(page, channel="9")
    page.get_by_role("heading", name="Channel 9", exact=True).wait_for()
    page.get_by_test_id("stMain").locator("#tile-9[aria-selected=true]").wait_for()  # the ring comes after the words
    assert selected(page) == "9"
    page.go_forward()
    wait_for_url(page, channel="11")
    page.get_by_role("heading", name="Channel 11", exact=True).wait_for()
    again = visit(page.url)
    assert selected(again) == "11"
    assert "conv2" in again.get_by_role("combobox", name=re.compile("^.*Layer")).first.input_value()


def test_an_exported_figure_carries_its_facts(visit):
    page = visit("/saliency?model=lenet-fashion-mnist&picture=fashion-mnist/7&method=grad_cam")
    page.get_by_test_id("stExpander").first.locator("summary").click()
    with page.expect_download() as coming:
        page.get_by_role("button", name=re.compile("Download PNG")).click()
    content = Path(coming.value.path()).read_bytes()
    assert coming.value.suggested_filename == "saliency.png"
    image = Image.open(io.BytesIO(content))
    image.load()
    assert image.format == "PNG"
    assert min(image.size) > 200
    facts = read_facts(content)
    assert (facts["model"], facts["method"]) == ("lenet-fashion-mnist", "grad_cam")


@pytest.mark.parametrize("width", [1440, 900])
def test_no_page_is_wider_than_the_window(visit, width):
    page = visit("/?model=lenet-fashion-mnist", width)
    for title in ("Filters", "Activations", "Saliency"):
        for scroller in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
            assert page.evaluate(f"{scroller}.scrollWidth <= {scroller}.clientWidth"), page.url
        if page.get_by_test_id("stSidebarNav").is_visible():
            go(page, title)
        else:
            page = visit(f"/{title.lower()}?model=lenet-fashion-mnist", width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_a_bad_url_is_said_and_the_sidebar_works_on(visit):
    page = visit("/activations?model=lenet-fashion-mnist&layer=nope&channel=99999")
    assert page.get_by_test_id("stAlert").count() == 0
    page.goto(page.url.split("/activations")[0] + "/?model=nope")
    page.get_by_test_id("stAlert").filter(has_text="Unknown model 'nope'").wait_for()
    choose(page, "Model", "lenet-fashion-mnist")
    settle(page, "lenet-fashion-mnist")
    assert page.get_by_test_id("stAlert").count() == 0
