"""The saliency page in a real Chromium: methods side by side, numbers under the pointer, parts covered, the check."""

import re

import pytest
from visits import choose, query, settle, wait_for_url

from explain.network.region import Region

pytestmark = pytest.mark.browser

LENET = "/saliency?model=lenet-fashion-mnist&picture=fashion-mnist/12"


def test_methods_are_added_and_taken_away(visit):
    page = visit(LENET)
    page.get_by_role("button", name="Gradient", exact=True).click()
    wait_for_url(page, **{"saliency.method": "grad_cam,gradient"})
    page.get_by_text("One scale for each", exact=False).first.wait_for()
    page.get_by_role("button", name="Grad-CAM", exact=True).click()
    wait_for_url(page, **{"saliency.method": "gradient"})
    page.get_by_role("heading", name="Can it be trusted?").wait_for()


def test_raw_numbers_stand_under_the_pointer(visit, lenet):
    import explain

    page = visit(LENET)
    canvas = page.locator(".lens canvas")
    canvas.scroll_into_view_if_needed()
    heat = explain.saliency(lenet, explain.open_picture("fashion-mnist/12"), "grad_cam").heat
    box = canvas.bounding_box()
    for row, column in ((0, 0), (5, 20), (27, 27), (13, 4)):
        place = {"x": (column + 0.5) * box["width"] / 28, "y": (row + 0.5) * box["height"] / 28}
        canvas.hover(position=place)
        said = page.locator(".lens .value").inner_text()
        assert said.startswith(f"{column}, {row}: ")
        assert float(said.rpartition(" ")[2]) == pytest.approx(float(heat[row, column]), rel=1e-3)


def test_what_is_drawn_over_is_covered_and_the_network_asked_again(visit):
    page = visit(f"{LENET}&cover=True")
    canvas = page.locator(".lens canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4.2 / 28, box["y"] + box["height"] * 6.2 / 28)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 19.8 / 28, box["y"] + box["height"] * 15.8 / 28, steps=4)
    page.mouse.up()
    wait_for_url(page, covered="6,4,16,20")
    page.get_by_text("Without what is covered").wait_for()
    other = visit(page.url)
    assert query(other)["covered"] == "6,4,16,20"
    page.get_by_role("button", name="Uncover all").click()
    page.get_by_text("Without what is covered").wait_for(state="detached")


@pytest.mark.slow
def test_a_box_is_drawn_on_the_map_of_classes_and_asked_about(visit):
    page = visit("/saliency?model=torchvision:lraspp_mobilenet_v3_large%3Fweights%3Drandom&picture=photos/0")
    choose(page, "score is its sum over", "a box")
    wait_for_url(page, **{"saliency.region": "130,130,390,390"})
    canvas = page.locator(".lens canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 100.4 / 520, box["y"] + box["height"] * 50.4 / 520)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 200.4 / 520, box["y"] + box["height"] * 260.4 / 520, steps=4)
    page.mouse.up()
    page.wait_for_function("!new URLSearchParams(location.search).get('saliency.region').startsWith('130')")
    y0, x0, y1, x1 = map(int, query(settle(page))["saliency.region"].split(","))
    assert abs(y0 - 50) < 3
    assert abs(x0 - 100) < 3
    assert abs(y1 - 260) < 3
    assert abs(x1 - 200) < 3
    page.get_by_text("summed within the outline").wait_for()
    choose(page, "score is its sum over", "what is painted")
    page.wait_for_function("new URLSearchParams(location.search).get('saliency.region').startsWith('mask')")
    before = _mask(settle(page))
    for mode, inside in (("adds", True), ("takes away", False)):
        page.get_by_role("radio", name=mode).click()
        settle(page)
        canvas = page.locator(".lens canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        start, end = (30, 60) if inside else (200, 200), (30, 400) if inside else (300, 300)
        for k, (y, x) in enumerate((start, end)):
            page.mouse.move(box["x"] + box["width"] * x / 520, box["y"] + box["height"] * y / 520, steps=1 + 5 * k)
            if not k:
                page.mouse.down()
        page.mouse.up()
        text = query(page)["saliency.region"]
        page.wait_for_function("old => new URLSearchParams(location.search).get('saliency.region') !== old", arg=text)
        after = _mask(settle(page))
        assert after[start] == after[end] == inside
        assert after.sum() > before.sum() if inside else after.sum() < before.sum()
        before = after


def _mask(page):
    numbers = tuple(map(int, query(page)["saliency.region"].partition(":")[2].split(",")))
    return Region((520, 520), numbers).mask


@pytest.mark.slow
def test_a_map_is_not_checked_until_it_is(visit):
    page = visit(LENET)
    page.get_by_text("faithfulness is not checked yet").wait_for()
    page.get_by_role("button", name="Check this map").click()
    page.get_by_text(re.compile("^(Passes|Doubtful|Fails)\\.")).wait_for(timeout=120_000)
    settle(page)
    assert page.get_by_text("faithfulness is not checked yet").count() == 0
    page.get_by_role("radio", name="Deletion and insertion").or_(
        page.get_by_role("button", name="Deletion and insertion")
    ).first.click()
    wait_for_url(page, **{"faithfulness.part": "curves"})
    page.get_by_alt_text(re.compile("verdict")).wait_for()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_is_not_wider_than_the_window(visit, width):
    page = visit(f"{LENET}&saliency.method=grad_cam,gradient&asked=five", width=width)
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
