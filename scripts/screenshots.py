"""Every page of the app as the README shows it: a server of its own, a real Chromium, the demo pictures.

Usage: python scripts/screenshots.py [--width 1440] [--dark] [--to docs/images] [PAGE ...]
"""

import argparse
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.stem for path in (ROOT / "explain/ui/pages").glob("*.py"))
SMALL, LITE = "model=small-resnet-fashion-mnist&picture=fashion-mnist/18", "model=efficientnet-lite0"
SHOWN = {  # what is chosen on a page, where its first sight says little
    "layers": f"{LITE}&layer=blocks.1.0.bn1.act&picture=photos/chelsea.png",
    "saliency": f"{LITE}&picture=photos/chelsea.png&saliency.method=grad_cam",
    "gallery": f"{LITE}",
    "pictures": f"{SMALL}&embedding.method=pca",
    "study": f"{SMALL}",
    "channel": f"{LITE}&layer=blocks.1.0.bn1.act&channel=7&picture=photos/chelsea.png",
    "compare": "model=lenet-fashion-mnist&section=cka",
    "walkthrough": f"{LITE}&picture=photos/chelsea.png",
}
TALLEST = 2000  # pixels of a picture: what is below says no more


@contextmanager
def served(workspace: str) -> Iterator[str]:
    """The address of an app that has started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "explain", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "EXPLAIN_WORKSPACE": workspace},
                              start_new_session=True)  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def settle(page: Page) -> None:
    """Wait until the script has run to its end, and no job is left that could be cancelled."""
    page.get_by_role("heading", level=1).first.wait_for(timeout=120_000)
    for _ in range(240):
        page.wait_for_timeout(500)
        running = page.locator("[data-testid=stApp]").get_attribute("data-test-script-state") != "notRunning"
        if not running and not page.get_by_role("button", name="Cancel").count():
            break
    page.wait_for_timeout(1500)  # pictures arrive after the script's end
    if page.get_by_test_id("stException").count():
        raise SystemExit(f"{page.url} shows an exception")


def photograph(page: Page, url: str) -> bytes:
    """The whole page, as tall as its content."""
    page.goto(url)
    settle(page)
    asked = page.locator("[class*=st-key-begin-] button").or_(page.get_by_role("button", name="Load it"))
    asked = asked.or_(page.get_by_role("button", name="Look through"))
    asked = asked.filter(visible=True)  # on a narrow page a button with a help is there twice
    while asked.count():  # a link alone starts nothing that takes long
        asked.first.click()
        settle(page)
    main = page.get_by_test_id("stMain")
    height = int(main.evaluate("one => one.scrollHeight"))
    page.set_viewport_size({"width": page.viewport_size["width"], "height": min(max(height, 700), TALLEST)})
    settle(page)
    main.evaluate("one => one.scrollTo(0, 0)")  # a click has scrolled there
    return page.screenshot()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=", ".join(PAGES))
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--to", type=Path, default=ROOT / "docs/images")
    given = parser.parse_args()
    if unknown := set(given.pages) - set(PAGES):
        parser.error(f"no page {min(unknown)!r}; there are {', '.join(PAGES)}")
    given.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as workspace, served(workspace) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name in given.pages or PAGES:
            scheme = "dark" if given.dark else "light"
            page = chromium.new_page(viewport={"width": given.width, "height": 1000}, color_scheme=scheme)
            content = photograph(page, f"{address}/{'' if name == 'start' else name}?{SHOWN.get(name, LITE)}")
            page.close()
            picture = Image.open(io.BytesIO(content)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
            picture.save(given.to / f"{name}.png", optimize=True)
            print(given.to / f"{name}.png", file=sys.stderr)
        chromium.close()


if __name__ == "__main__":
    main()
