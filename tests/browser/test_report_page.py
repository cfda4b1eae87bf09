"""The report in a real Chromium: collected from two pages, downloaded and opened; a saved figure opens its view."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from visits import go, query, settle, show, wait_for_url

from explain.figure import read_facts
from explain.workspace.report import rebuild

pytestmark = pytest.mark.browser


def add(page) -> None:
    """By the button that stands under the figure, with nothing opened before."""
    page.get_by_role("button", name="Add to the report").first.click()
    page.get_by_test_id("stToast").filter(has_text="The report has").first.wait_for()
    settle(page)


def begin(page):
    """An empty report: that of the visits before, which is the same one, is put aside."""
    settle(page, "Report")
    if (aside := page.get_by_role("button", name="Put aside and begin another")).count():
        aside.click()
    page.get_by_text("Nothing yet").wait_for()
    return settle(page, "Report")


def test_two_figures_become_a_report_and_one_of_them_its_view_again(visit, browser, tmp_path):
    begin(visit("/report?model=lenet-fashion-mnist"))
    page = visit(
        "/saliency?model=lenet-fashion-mnist&picture=fashion-mnist/7&saliency.method=grad_cam&saliency.mode=signed"
    )
    add(page)
    go(page, "Layers and channels")
    show(page, "Weights")
    add(page)
    go(page, "Report")
    captions = page.get_by_role("textbox", name="Caption")
    assert captions.nth(0).input_value().startswith("Grad-CAM for")
    captions.nth(0).fill("Where <it> looks")
    captions.nth(0).press("Control+Enter")
    settle(page)
    captions.nth(1).fill("Its first filters")
    captions.nth(1).press("Control+Enter")
    settle(page)
    page.get_by_role("button", name="Down").first.click()
    page.wait_for_function("document.querySelectorAll('textarea')[1]?.value === 'Where <it> looks'")
    settle(page)
    assert captions.nth(0).input_value() == "Its first filters"
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download the report").click()
    with zipfile.ZipFile(io.BytesIO(Path(coming.value.path()).read_bytes())) as archive:
        archive.extractall(tmp_path)
    again = rebuild(tmp_path / "report.json")
    assert [entry.caption for entry in again.entries] == ["Its first filters", "Where <it> looks"]

    offline = browser.new_context(offline=True).new_page()
    offline.goto((tmp_path / "index.html").as_uri())
    assert offline.locator("figcaption").all_inner_texts() == ["1Its first filters", "2Where <it> looks"]
    assert offline.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    offline.context.close()

    (figure,) = (tmp_path / "figures").glob("*saliency.svg")
    page.reload()
    settle(page, "Report")
    assert page.get_by_test_id("stSidebarNav").get_by_role("link", name="Report (2)").count() == 1
    assert [captions.nth(k).input_value() for k in range(2)] == ["Its first filters", "Where <it> looks"]
    page.get_by_role("button", name="Remove").first.click()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function("document.querySelectorAll('textarea').length === 2")
    other = visit("/?model=efficientnet-lite0")
    other.locator("input[type=file]").set_input_files(figure)
    wait_for_url(other, **{"saliency.method": "grad_cam", "saliency.mode": "signed", "model": "lenet-fashion-mnist"})
    settle(other, "Saliency")
    assert query(other)["picture"] == "fashion-mnist/7"
    assert re.search(r"/saliency\?", other.url)
    other.get_by_test_id("stExpander").filter(has_text="Export and reproduce").locator("summary").click()
    with other.expect_download() as coming:
        other.get_by_role("button", name="Download PNG").click()
    assert read_facts(Path(coming.value.path()).read_bytes()) == read_facts(figure)


@pytest.mark.parametrize("width", [1440, 900])
def test_the_report_is_not_wider_than_the_window(visit, width):
    page = begin(visit("/report?model=lenet-fashion-mnist", width))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
