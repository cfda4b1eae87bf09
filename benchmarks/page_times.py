"""How long each page takes to open, in a real Chromium, with efficientnet-lite0: from the click in the navigation until
nothing on the page is old and the server rests.

The first visit of a page to a server that has just started, and a later one, the median of ROUNDS. Beside them what
Streamlit itself takes between two pages with a title and a picture, in the same browser: later visits are given as
multiples of it, too.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from app_speed import CHROMIUM, MODEL, server
from machine import machine
from playwright.sync_api import Browser, Page, sync_playwright

ROUNDS = 3
LONGEST = 600_000  # milliseconds: a first visit may have a set of pictures looked through
BARE = """
import numpy as np, streamlit as st
def page(name):
    def show():
        st.title(name)
        st.image(np.zeros((224, 224, 3), np.uint8))
    return st.Page(show, title=name, url_path=name)
st.navigation([page("one"), page("two")]).run()
"""
# Nothing runs, nothing is left of what was shown before, and no job is waited for (how full the disk is, is no job).
RESTS = """
title => document.title.startsWith(title) && document.querySelector("h1")
    && document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
    && !document.querySelector("[data-stale=true]")
    && [...document.querySelectorAll("[data-testid=stMain] [data-testid=stProgress]")]
        .every(bar => bar.innerText.includes("are taken"))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["EXPLAIN_WORKSPACE"] = folder
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        bare = bare_times(chromium, Path(folder))
        with server("-m", "explain", "serve", "--port") as address:
            page = chromium.new_page(viewport={"width": 1440, "height": 1000})
            page.set_default_timeout(LONGEST)
            page.goto(f"{address}/?model={MODEL}")
            rests(page, "")
            names = [one.strip() for one in page.locator("[data-testid=stSidebarNavLink]").all_inner_texts()]
            names = [one.splitlines()[-1] for one in names]
            first = {name: opened(page, name) for name in [*names[1:], names[0]]}
            later = {name: [] for name in names}
            for _ in range(ROUNDS):
                for name in names:
                    later[name].append(opened(page, name))
        chromium.close()
    floor = statistics.median(bare)
    print(f"Streamlit alone, between two pages: {floor:.2f} s; {machine()}")
    for name in names:
        usual = statistics.median(later[name])
        print(f"{name:20} first {first[name]:6.2f} s, later {usual:5.2f} s ({usual / floor:.1f} x Streamlit alone)")


def bare_times(chromium: Browser, folder: Path) -> list[float]:
    script = folder / "bare.py"
    script.write_text(BARE, "utf-8")
    command = ("-m", "streamlit", "run", str(script), "--server.headless=true", "--server.port")
    with server(*command) as address:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(address)
        rests(page, "one")
        return [opened(page, name) for _ in range(ROUNDS + 1) for name in ("two", "one")][2:]


def opened(page: Page, name: str) -> float:
    """Seconds from the click until the page of this name rests."""
    link = page.locator("[data-testid=stSidebarNavLink]").filter(has_text=name).first
    began = page.evaluate("performance.now()")
    link.click()
    rests(page, name.split(" (")[0])
    return (page.evaluate("performance.now()") - began) / 1000


def rests(page: Page, title: str) -> None:
    page.wait_for_timeout(30)  # the click is on its way
    page.wait_for_function(RESTS, arg=title, polling=20)


if __name__ == "__main__":
    sys.exit(main())
