"""The map of pictures in a real Chromium: maps that settle, what clicks and picks lead to, figures that come back."""

import csv
import io
import re
from pathlib import Path

import pytest
from visits import ask, choose, query, settle, wait_for_url

from explain.figure import read_facts

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("index")]
N = 500
LENET = "/pictures?section=embedding&model=lenet-fashion-mnist&index=fashion-mnist"
TSNE = f"{LENET}&embedding.method=tsne&embedding.tsne.iterations=50"

STAR = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const inked = [...Array(width * height).keys()].filter((k) => data[4 * k + 3] > 128);
  const left = inked.reduce((least, k) => Math.min(least, k % width), width);
  const rows = inked.filter((k) => k % width < left + 20).map((k) => Math.floor(k / width));
  const ratio = width / canvas.clientWidth;
  return [left / ratio + 11, (Math.min(...rows) + Math.max(...rows)) / 2 / ratio];
}"""


def dots(page, times: int = 1) -> float:
    """Wait until dots are on the glass; when they first were, in ms since the navigation."""
    page.wait_for_function("n => performance.getEntriesByName('explain-explorer').length >= n", arg=times)
    return page.evaluate("(e => e.startTime + e.duration)(performance.getEntriesByName('explain-explorer')[0])")


def said(page):
    return page.locator(".st-key-map-said")


def begun(page) -> None:
    """A map that a link alone does not start is asked for, however late its button has come."""
    begins = page.locator("[class*=st-key-begin-] button")
    there = said(page).get_by_role("button", name="Cancel").or_(said(page).get_by_text("nearest neighbours kept"))
    begins.or_(there).first.wait_for()
    ask(page)


def whole(page) -> None:
    """Wait until the map is made, and what it can be trusted is said."""
    begun(page)
    said(page).get_by_text("nearest neighbours kept").wait_for()
    settle(page, "Pictures")


def pick_all(page) -> None:
    page.get_by_role("button", name="Pick with a box").click()
    box = page.locator(".explorer .over").first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=3)
    page.mouse.up()


def test_tsne_settles_from_pca_in_the_explorer_that_stays(visit):
    page = visit(f"{TSNE}&embedding.tsne.perplexity=20")
    dots(page)
    page.locator(".explorer").evaluate("node => { node.dataset.kept = 'yes'; }")
    whole(page)
    assert page.locator(".explorer[data-kept=yes]").count() == 1
    assert "t-SNE" in said(page).inner_text()
    options = page.locator(".explorer .colour option").all_inner_texts()
    assert options == ["label", "prediction", "right or wrong", "confidence", "trust", "neighbours kept"]
    assert page.locator(".explorer .shown").inner_text() == f"{N} pictures"
    counts = page.locator(".explorer .groups .count").all_inner_texts()
    assert sum(map(int, counts)) == N

    pick_all(page)
    page.get_by_role("heading", name=f"{N} picked").wait_for()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Table (CSV)").click()
    rows = [line for line in Path(coming.value.path()).read_text().splitlines() if not line.startswith("#")]
    assert sorted(int(row["image"]) for row in csv.DictReader(io.StringIO("\n".join(rows)))) == list(range(N))
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("heading", name=f"{N} picked").wait_for(state="detached")

    page.get_by_role("button", name="Move the map").click()
    over = page.locator(".explorer .over")
    over.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("new URLSearchParams(location.search).get('point')")
    settle(page)
    number = query(page)["point"]
    page.get_by_role("button", name="Use on all pages").click()
    wait_for_url(page, picture=f"fashion-mnist/{number}")
    page.go_back()
    page.wait_for_function("new URLSearchParams(location.search).get('picture') === null")
    settle(page, "Pictures")
    assert query(page)["point"] == number


def test_a_cancelled_map_leaves_pca_and_can_be_tried_again(visit):
    page = visit(f"{LENET}&embedding.method=tsne&embedding.tsne.iterations=5000")
    dots(page)
    begun(page)
    said(page).get_by_role("button", name="Cancel").click()
    again = said(page).get_by_role("button", name="Try again")
    again.wait_for()
    assert page.locator(".explorer .shown").inner_text() == f"{N} pictures"
    again.click()
    said(page).get_by_role("button", name="Cancel").click()
    again.wait_for()


def test_two_seeds_are_named_and_share_a_selection(visit):
    page = visit(f"{TSNE}&two_maps=True")
    whole(page)
    assert page.locator(".explorer figcaption").all_inner_texts() == ["seed 0", "seed 1"]
    pick_all(page)
    assert page.locator(".explorer .chosen").inner_text() == f"{N} picked"
    page.get_by_role("heading", name=f"{N} picked").wait_for()


def test_an_uploaded_picture_is_marked_by_its_name(visit, photograph):
    page = visit(f"{LENET}&embedding.method=pca")
    page.locator("input[type=file]").set_input_files(
        {"name": "my cat.jpg", "mimeType": "image/jpeg", "buffer": photograph}
    )
    page.wait_for_function("new URLSearchParams(location.search).get('picture')?.startsWith('upload/')")
    whole(page)
    over = page.locator(".explorer .over")
    x, y = over.evaluate(STAR)  # nothing but the star and its name is on this canvas
    box = over.bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.locator(".explorer .card").get_by_text("my cat.jpg").wait_for()


def test_another_layer_in_three_dimensions(visit):
    page = visit(
        f"{LENET}&embedding.method=pca&embedding.layer=conv1&embedding.pooling=flat&embedding.pca.dimensions=3"
    )
    whole(page)
    before = page.locator(".explorer .frame canvas").first.screenshot()
    box = page.locator(".explorer .over").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 420, box["y"] + 230, steps=3)
    page.mouse.up()
    assert page.locator(".explorer .frame canvas").first.screenshot() != before
    choose(page, "Of which layer", "^features")
    page.wait_for_function("!new URLSearchParams(location.search).get('embedding.pooling')")
    settle(page, "Pictures")


def test_a_saved_map_opens_its_view_again(visit, tmp_path):
    page = visit(f"{TSNE}&embedding.tsne.perplexity=12&embedding.tsne.metric=cosine&embedding.colour=confidence")
    whole(page)
    page.get_by_test_id("stExpander").filter(has_text="Export and reproduce").locator("summary").click()
    saved = []
    for kind in ("PNG", "SVG", "PDF"):
        if kind != "PNG":  # which is chosen at first
            formats = page.get_by_test_id("stButtonGroup").filter(has_text="parquet")
            formats.get_by_text(kind.lower(), exact=True).click()
        with page.expect_download() as coming:
            page.get_by_role("button", name=f"Download {kind}").click()
        saved.append(tmp_path / f"map.{kind.lower()}")
        coming.value.save_as(saved[-1])
    assert read_facts(saved[0])["options"]["perplexity"] == 12.0
    page.get_by_role("button", name="Add to the report").click()
    page.get_by_test_id("stToast").filter(has_text="The report has").wait_for()
    other = visit("/?model=efficientnet-lite0")
    for file in saved:
        other.goto(re.sub(r"/[a-z]*\?.*", "/?model=efficientnet-lite0", other.url))
        settle(other)
        other.locator("input[type=file]").set_input_files(file)
        wait_for_url(
            other, model="lenet-fashion-mnist", **{"embedding.method": "tsne", "embedding.colour": "confidence"}
        )
        settle(other, "Pictures")
        given = query(other)
        assert (float(given["embedding.tsne.perplexity"]), given["embedding.tsne.metric"]) == (12.0, "cosine")
        assert given["embedding.tsne.iterations"] == "50"


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_the_page_is_not_wider_than_the_window(visit, width):
    page = visit(f"{LENET}&embedding.method=pca", width)
    dots(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
