"""The explorer in a real Chromium without a GPU, for 10,000 and 70,000 points with thumbnails, in the offline page:

1. from the opening of the page to the frame that shows the dots,
2. a frame while the map is dragged, without and with the thumbnails,
3. bytes that travel for each point, without and with the words and the thumbnails.

Times are the browser's own: the `explain-explorer` measure, and what each call of requestAnimationFrame took.
"""

import statistics
import tempfile
from pathlib import Path

import numpy as np
from machine import machine
from playwright.sync_api import Page, sync_playwright

from explain.explorer import Cloud, Thumbs, bytes_per_point, page, words
from explain.images import png

COUNTS, TILE, EACH = (10_000, 70_000), 28, 1024
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
WATCH = """
const ask = window.requestAnimationFrame;
window.spent = [];
window.requestAnimationFrame = (heard) => ask((now) => {
    const start = performance.now();
    heard(now);
    window.spent.push(performance.now() - start);
});
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        for count in COUNTS:
            cloud = clusters(count)
            file = Path(folder) / "map.html"
            file.write_bytes(page(cloud, "Speed", "", ""))
            tab = chromium.new_page(viewport={"width": 1440, "height": 1000})
            tab.add_init_script(WATCH)
            tab.goto(file.as_uri())
            tab.wait_for_function("performance.getEntriesByName('explain-explorer').length > 0")
            entry = "performance.getEntriesByName('explain-explorer')[0]"
            opened, update = tab.evaluate(f"[{entry}.startTime + {entry}.duration, {entry}.duration]")
            dots = dragged(tab)
            tab.get_by_role("button", name="Pictures").click()
            tab.wait_for_timeout(1000)
            pictures = dragged(tab)
            tab.close()
            assert cloud.thumbs
            named, seen = (size / count for size in (len(words(cloud)), sum(map(len, cloud.thumbs.sheets))))
            print(
                f"{count:,} points: shown {opened:.0f} ms after the page was opened ({update:.0f} ms of it the "
                f"explorer's); a frame while dragging {dots:.0f} ms, with pictures {pictures:.0f} ms; "
                f"{bytes_per_point(cloud):.1f} bytes a point, {named:.0f} of words, {seen:.0f} of pictures; {machine()}"
            )
        chromium.close()


def dragged(tab: Page) -> float:
    """Median milliseconds of the script for one frame."""
    box = tab.locator("canvas.over").bounding_box()
    assert box
    x, y = box["x"] + 400, box["y"] + 250
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.evaluate("spent.length = 0")
    for step in range(60):
        tab.mouse.move(x + 100 * np.sin(step / 8), y + 60 * np.cos(step / 8))
        tab.wait_for_timeout(10)
    tab.mouse.up()
    return statistics.median(ms for ms in tab.evaluate("spent") if ms > 0.5)


def clusters(count: int) -> Cloud:
    random = np.random.default_rng(0)
    labels = np.arange(count) % 10
    middles = random.normal(0, 6, (10, 2))
    sheets = []
    for first in range(0, count, EACH):
        noise = random.integers(0, 256, (32 * TILE // 4, 32 * TILE // 4), np.uint8)
        sheets.append(png(noise.repeat(4, 0).repeat(4, 1)[: -(-min(EACH, count - first) // 32) * TILE], effort=1))
    return Cloud(
        titles=("",),
        maps=((middles[labels] + random.normal(0, 1, (count, 2))).astype(np.float32),),
        files=tuple(f"picture {k:05d}.png" for k in range(count)),
        classes=tuple(f"class {k}" for k in range(10)),
        labels=labels,
        predictions=labels,
        confidence=random.random(count),
        trust=(random.random(count),),
        kept=(random.random(count),),
        colours=random.integers(0, 256, (10, 3), np.uint8),
        thumbs=Thumbs(tuple(sheets), TILE, 32, EACH),
    )


if __name__ == "__main__":
    main()
