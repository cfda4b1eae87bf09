"""Claim: watching a training in the app costs under 2 % of its time.

One LeNet trains as the page starts it. For some epochs the page is open in Chromium, for as many the browser shows
nothing, in turns; the first epoch of each turn, in which the page is opened or left, does not count. The figure is the
median time of an epoch watched through that of one alone.

    python benchmarks/live_page.py
"""

import json
import os
import statistics
import tempfile
from pathlib import Path

from app_speed import CHROMIUM, server
from machine import machine
from playwright.sync_api import sync_playwright

RECIPE, EPOCHS = "lenet-fashion-mnist", 12
TURN = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["EXPLAIN_WORKSPACE"] = folder
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        with server("-m", "explain", "serve", "--port") as address:
            page = chromium.new_page(viewport={"width": 1440, "height": 1000})
            page.set_default_timeout(60_000)
            page.goto(f"{address}/train?recipe={RECIPE}&{RECIPE}.epochs={EPOCHS}")
            page.get_by_role("button", name="Start").click()
            page.wait_for_url("**training_curves.runs=*")
            watched, run = page.url, Path(folder) / "runs" / f"{RECIPE}-1" / "run.json"
            for epoch in range(EPOCHS):
                if epoch % TURN == 0:
                    page.goto("about:blank" if epoch // TURN % 2 else watched)
                while len(history := json.loads(run.read_text())["history"]) <= epoch:
                    page.wait_for_timeout(50)
        chromium.close()
    seconds = [row["seconds"] for row in history]
    counted = [[one for k, one in enumerate(seconds) if k % TURN and k // TURN % 2 == turn] for turn in (0, 1)]
    seen, alone = (statistics.median(some) for some in counted)
    print(f"an epoch of LeNet: {seen:.2f} s watched, {alone:.2f} s alone: {seen / alone - 1:+.1%} (target 2 %)")
    print(f"{', '.join(f'{one:.2f}' for one in seconds)}; {machine()}")


if __name__ == "__main__":
    main()
