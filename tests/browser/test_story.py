"""The first pages in a real Chromium: an answer, another picture, one number by hand, one channel."""

import re

import pytest
from visits import go, query, settle, show, tile, wait_for_url

import explain

pytestmark = pytest.mark.browser


def test_from_an_answer_to_one_number_of_a_map(visit, lenet):
    page = visit("/?model=lenet-fashion-mnist")
    picture = explain.open_picture("fashion-mnist/1")
    (name, _), *_ = lenet.predict(picture)[0]
    assert name in page.get_by_role("heading", level=1).inner_text()
    assert page.title() == "Start · explain"
    before = query(page).get("picture")
    tile(page, 3).click()
    page.wait_for_function("before => new URLSearchParams(location.search).get('picture') !== before", arg=before)
    settle(page)
    chosen = query(page)["picture"]

    go(page, "Walkthrough")
    cells = page.get_by_test_id("stVegaLiteChart")
    cells.wait_for()
    cells.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)  # it is drawn a moment after it is there
    box = cells.bounding_box()
    cells.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.3})
    page.wait_for_function("new URLSearchParams(location.search).get('convolution.position')")
    settle(page)
    i, j = map(int, query(page)["convolution.position"].split(","))
    found = explain.convolution(lenet, explain.open_picture(chosen), "conv1", 0, (i, j))
    page.get_by_text(f"torch gives {found.given:.5g}").wait_for()
    page.get_by_text(f"row {i}, column {j}").first.wait_for()


def test_a_layer_is_chosen_in_the_drawn_network(visit, lenet):
    page = visit("/layers?model=lenet-fashion-mnist")
    box = page.get_by_role("option", name=re.compile("^conv1,"))
    box.click()
    wait_for_url(page, layer="act1")
    assert box.get_attribute("aria-selected") == "true"
    page.get_by_test_id("stMain").get_by_text(f"act1 of {lenet.name}: 6 channels").wait_for()
    page.get_by_role("listbox", name="The layers of lenet-fashion-mnist", exact=False).press("ArrowRight")
    wait_for_url(page, layer="pool1")
    show(page, "Weights")  # pooling has none: the first layer that has some
    page.get_by_role("option", name=re.compile("^conv2,")).click()
    wait_for_url(page, layer="act2")
    page.get_by_role("listbox", name=re.compile("conv2$")).locator("#tile-15").wait_for()


def test_the_numbers_of_a_chart_are_read_and_open_their_pictures(visit, index):
    page = visit("/pictures?model=lenet-fashion-mnist&section=confusion")
    chart = page.locator(".chart .stage")
    chart.focus()
    chart.press("ArrowRight")
    true, taken, count = page.locator(".chart .value").inner_text().split(" · ")
    chart.press("Enter")
    page.wait_for_function("new URLSearchParams(location.search).get('confusion.at')")
    settle(page)
    page.get_by_role("heading", name=f"{true} as {taken}: {count}").wait_for()
    of = [index.model.classes[k] == true for k in index.truth.tolist()]
    as_taken = [index.model.classes[k] == taken for k in index.predictions[:, 0].tolist()]
    assert int(count) == sum(a and b for a, b in zip(of, as_taken, strict=True))


def test_the_way_back_leads_through_the_sections(visit, index):
    page = visit("/pictures?model=lenet-fashion-mnist")
    for name in ("Neighbours", "Mistakes", "Confusions"):
        show(page, name)
    assert query(page)["section"] == "confusion"
    for section, name in (("fixes", "What to fix"), ("neighbours", "Neighbours"), ("embedding", "Map")):
        for _ in range(3):  # a page that waits for work has an entry for what it knew before, too
            page.go_back()
            settle(page)
            if query(page).get("section") == section:
                break
        assert query(page).get("section") == section
        assert page.get_by_role("radio", name=name, exact=True).is_checked()


def test_a_channel_has_a_page_that_can_be_linked(visit, index):
    page = visit("/channel?model=lenet-fashion-mnist&layer=conv2&channel=7")
    page.get_by_role("heading", name="Channel 7 of conv2").wait_for()
    page.get_by_role("heading", name="On other pictures").wait_for()
    page.get_by_role("button", name="chevron_right icon").click()
    wait_for_url(page, channel="8")
    page.get_by_role("heading", name="Channel 8 of conv2").wait_for()
