"""Claims about the app, in a real Chromium, on a warm server with efficientnet-lite0:

1. another layer, of at least 512 channels, is on screen 1 s after it was chosen,
2. a movement of the opacity slider draws again without running the network,
3. an uploaded picture of 2 megapixels is in the gallery of activations after 1 s.

Times are the browser's own, from the user's event to the frame after the tiles were painted (the `explain-gallery`
measure). Every layer and every upload is new to the server, so that no cached result flatters the figure. Each is given
beside its bound, as the machine's bare share of it: one plain forward pass of one picture in this process, at the time.
"""

import io
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import ROOT, machine
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from explain import load_images, load_model

MODEL, TARGET = "efficientnet-lite0", 1.0
WARM_UP = ("blocks.4.1.conv_pw", "blocks.4.2.conv_pw")
LAYERS = ("blocks.5.0.conv_pw", "blocks.5.1.conv_pw", "blocks.5.2.conv_pw", "blocks.5.3.conv_pw", "conv_head")
UPLOADS, PIXELS = 5, (1632, 1224)
KEYS = 10
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

# The app as it is, with one byte written for each call of a module.
COUNTED = """
import os, sys
from torch.nn.modules.module import register_module_forward_pre_hook
from streamlit.web.cli import main
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
register_module_forward_pre_hook(lambda *_: os.write(file, b".") and None)
sys.argv = ["streamlit", "run", "app.py", "--server.port", sys.argv[2], "--server.headless=true"]
main()
"""
# The last thing the user did, and where the tiles of a sheet were painted, on one clock.
WATCH = """
window.asked = 0;
for (const kind of ["pointerdown", "keydown", "change"])
    document.addEventListener(kind, () => { window.asked = performance.now(); }, true);
window.painted = () => performance.getEntriesByName("explain-gallery").map(e => e.startTime + e.duration);
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["EXPLAIN_WORKSPACE"] = folder
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        with server("-m", "explain", "serve", "--port") as address:
            page = opened(chromium, address)
            layers, uploads = layer_times(page), upload_times(page)
            page.close()
        calls = Path(folder) / "calls"
        with server("-c", COUNTED, str(calls)) as address:
            page = opened(chromium, address)
            control = calls.stat().st_size
            sliding = slider_calls(page, calls)
            page.close()
        chromium.close()
    report(f"another layer ({', '.join(LAYERS)}: 672 to 1280 channels) on screen", layers)
    report(f"a picture of {PIXELS[0]} x {PIXELS[1]} uploaded and in the gallery", uploads)
    print(
        f"{KEYS} movements of the opacity slider, each drawn: {sliding} module calls in the server (target 0; opening "
        f"the page made {control}); {machine()}"
    )
    if sliding:
        raise SystemExit("the slider runs the network")


def report(what: str, times: list[tuple[float, float]]) -> None:
    seconds, bare = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"{what}: {seconds:.2f} s (target {TARGET:.1f} s; {', '.join(f'{t:.2f}' for t, _ in times)}; "
        f"{seconds / bare:.1f} x a bare pass of {bare * 1e3:.0f} ms); {machine()}"
    )


def layer_times(page: Page) -> list[tuple[float, float]]:
    """Seconds from the click on a layer's name to its painted tiles, and of a bare pass beside it."""
    for layer in WARM_UP:
        choose_layer(page, layer)
    return [(choose_layer(page, layer), bare_pass()) for layer in LAYERS]


def choose_layer(page: Page, layer: str) -> float:
    page.get_by_role("combobox", name="Layer").fill(layer)
    before = len(page.evaluate("painted()"))
    page.get_by_role("option", name=re.compile(rf"^{re.escape(layer)}\s")).click()
    seconds = shown(page, before)
    wall = page.get_by_role("listbox", name=re.compile(rf"maps of layer {re.escape(layer)}$"))
    tiles = int(wall.get_by_role("option").first.get_attribute("aria-setsize") or 0)
    assert tiles >= 512, f"{layer} shows {tiles} tiles"
    settled(page)
    return seconds


def upload_times(page: Page) -> list[tuple[float, float]]:
    """Seconds from the choice of a file to the painted tiles of its activations, and of a bare pass beside it."""
    photos = load_images("photos")
    times = []
    for k in range(UPLOADS + 1):
        picture = photos[k % len(photos)].convert("RGB").resize(PIXELS, Image.Resampling.BICUBIC)
        picture.putpixel((0, 0), (k, k, k))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        before, old = len(page.evaluate("painted()")), page.url
        content = {"name": f"{k}.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
        page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(content)
        seconds = shown(page, before)
        settled(page)
        assert "upload" in page.url, page.url
        assert page.url != old, "the picture has not changed"
        times.append((seconds, bare_pass()))
    return times[1:]


def slider_calls(page: Page, calls: Path) -> int:
    """Calls of the net's modules in the server while the slider moves and the overlay changes with it."""
    before = calls.stat().st_size
    slider = page.get_by_role("slider", name="Opacity")
    for _ in range(KEYS):
        old = overlay(page)
        slider.press("ArrowRight" if float(slider.get_attribute("aria-valuenow") or 0) < 0.9 else "ArrowLeft")
        page.wait_for_function(
            "old => !old.includes(document.querySelectorAll('[data-testid=stMain] img')[1]?.src)", arg=old
        )
        settled(page)
    return calls.stat().st_size - before


def overlay(page: Page) -> list[str]:
    return [page.locator("[data-testid=stMain] img").nth(1).get_attribute("src") or ""]


def shown(page: Page, before: int) -> float:
    """Seconds from the last event to the paint that follows the first `before` ones."""
    page.wait_for_function("before => painted().length > before", arg=before, polling=20)
    return page.evaluate("(painted().at(-1) - asked) / 1000")


def settled(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(300)


def opened(chromium, address: str) -> Page:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(60_000)
    page.add_init_script(WATCH)
    page.goto(f"{address}/layers?model={MODEL}")
    page.wait_for_function("painted().length > 0")
    settled(page)
    return page


_model = None


def bare_pass() -> float:
    """Seconds of one forward pass of one picture: what this machine gives at this moment."""
    global _model
    warm, _model = _model, _model or load_model(MODEL)
    from torch import no_grad, zeros

    with _model.exclusive() as net, no_grad():
        batch = zeros(1, 3, *_model.preprocess.size)
        if warm is None:
            net(batch)
        start = time.perf_counter()
        net(batch)
        return time.perf_counter() - start


@contextmanager
def server(*command: str) -> Iterator[str]:
    """A server of its own process group, on a free port; gone afterwards with all its children."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        options = {"cwd": ROOT, "stdout": log, "stderr": log, "start_new_session": True}
        process = subprocess.Popen([sys.executable, *command, str(port)], **options)
        try:
            deadline = time.monotonic() + 90
            while not healthy(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"the app did not start:\n{log.read().decode()}")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
