"""The main job in a real Chromium: a photograph in, what the network makes of it out, and back by its URL."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from visits import choose, go, query, selected, settle, show, tile, wait_for_url

from explain.figure import read_facts

pytestmark = pytest.mark.browser


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

    go(page, "Layers and channels")
    show(page, "Weights")
    tile(page, 6).click()
    wait_for_url(page, channel="6")
    assert selected(page) == "6"
    show(page, "On this picture")
    assert selected(page) == "6"
    page.get_by_role("heading", name="Channel 6", exact=True).wait_for()
    assert query(page)["channel"] == "6"
    assert query(page)["picture"].startswith("upload/")

    go(page, "Saliency")
    main = page.get_by_test_id("stMain")
    plain = main.locator("[data-testid=stImage] img")
    plain.first.wait_for()
    before = [image.get_attribute("src") for image in plain.all()]
    page.get_by_role("button", name="Gradient", exact=True).click()
    wait_for_url(page, **{"saliency.method": "grad_cam,gradient"})
    assert [image.get_attribute("src") for image in plain.all()] != before
    after = [image.get_attribute("alt") for image in plain.all()]
    assert all(after)

    other = visit(page.url)
    assert query(other) == query(page)
    other.get_by_test_id("stMain").get_by_text("Grad-CAM", exact=True).first.wait_for()
    # The pictures are named by their content: the same names are the same pixels.
    other.wait_for_function(
        "shown => String([...document.querySelectorAll('[data-testid=stMain] [data-testid=stImage] img')]"
        ".map(image => image.getAttribute('src'))) === shown",
        arg=",".join(image.get_attribute("src") for image in plain.all()),
    )


def test_a_shared_url_and_the_back_button(visit):
    page = visit("/layers?model=lenet-fashion-mnist&layer=conv2&channel=3")
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
    page = visit("/saliency?model=lenet-fashion-mnist&picture=fashion-mnist/7&saliency.method=grad_cam")
    page.get_by_test_id("stExpander").filter(has_text="Export and reproduce").locator("summary").click()
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


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_no_page_is_wider_than_the_window(visit, width):
    page = visit("/?model=lenet-fashion-mnist", width)
    for title in ("Layers and channels", "Learn", "Saliency"):
        for scroller in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
            assert page.evaluate(f"{scroller}.scrollWidth <= {scroller}.clientWidth"), page.url
        if page.get_by_test_id("stSidebarNav").is_visible():
            go(page, title)
        else:
            page = visit(f"/{title.lower().split()[0]}?model=lenet-fashion-mnist", width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_a_small_table_is_whole_on_a_narrow_page(visit):
    page = visit("/compare?model=lenet-fashion-mnist&section=compare&compare.second=edges-fashion-mnist", 390)
    page.locator("table.numbers").nth(1).wait_for()
    for table in page.locator("table.numbers").all():
        assert table.evaluate("one => one.getBoundingClientRect().right <= innerWidth")
    page = visit("/walkthrough?model=lenet-fashion-mnist", 900)
    assert page.get_by_test_id("stMain").evaluate("one => one.scrollWidth <= one.clientWidth")
    page.set_viewport_size({"width": 390, "height": 1000})
    pixels = page.locator("table.numbers").first
    assert pixels.locator("td").count() == 64
    assert pixels.evaluate("one => one.getBoundingClientRect().right <= innerWidth")


def test_a_table_that_goes_on_fades_until_its_end(visit):
    def faded():
        page.wait_for_timeout(200)
        return table.evaluate("one => getComputedStyle(one).maskSize") == "100% 100%"

    page = visit("/network?model=lenet-fashion-mnist&section=anatomy&anatomy.part=layers", 390)
    table = page.get_by_test_id("stDataFrameResizable")
    scroller = table.locator(".dvn-scroller")
    assert scroller.evaluate("one => one.scrollWidth > one.clientWidth")
    assert faded()
    scroller.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    assert not faded()


def test_a_bad_url_is_said_and_the_sidebar_works_on(visit):
    page = visit("/layers?model=lenet-fashion-mnist&layer=nope&channel=99999")
    assert page.get_by_test_id("stAlert").count() == 0
    page.goto(page.url.split("/layers")[0] + "/?model=nope")
    page.get_by_test_id("stAlert").filter(has_text="Unknown model 'nope'").wait_for()
    choose(page, "Model", "lenet-fashion-mnist")
    settle(page, "lenet-fashion-mnist")
    assert page.get_by_test_id("stAlert").count() == 0
