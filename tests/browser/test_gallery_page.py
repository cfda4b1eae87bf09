"""The gallery page in a real Chromium: a job, a wall of maps, and one of them closely."""

import re

import pytest
from visits import query, settle, tile, wait_for_url

pytestmark = pytest.mark.browser

MISTAKES = "/gallery?model=lenet-fashion-mnist&gallery.which=mistakes&gallery.count=6&gallery.hires_cam.positive=false"


def test_a_mistake_is_looked_at_closely(visit):
    page = visit(f"{MISTAKES}&gallery.method=hires_cam")
    tile(page, 5).wait_for()
    tile(page, 2).click()
    page.get_by_text("It is the picture of all pages now").wait_for()
    settle(page)
    page.get_by_role("link", name="This map closely").click()
    settle(page, "Saliency")
    wait_for_url(page, **{"saliency.method": "hires_cam", "saliency.hires_cam.positive": "false"})
    assert re.fullmatch(r"fashion-mnist/\d+", query(page)["picture"])
    assert query(page)["target"].isdecimal(), "the class that the map is for"


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_is_not_wider_than_the_window(visit, width):
    page = visit(f"{MISTAKES}&gallery.method=hires_cam", width=width)
    tile(page, 5).wait_for()
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
