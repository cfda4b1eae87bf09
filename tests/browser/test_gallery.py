"""The gallery in a real Chromium: what is on the glass, and what reaches Python."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

SCRIPT = """
import io, json
import numpy as np
import streamlit as st
from PIL import Image
from explain.ui.gallery import gallery

st.set_page_config(layout="wide")
random = np.random.default_rng(0)


def sheet(tiles, columns, gap):
    count, h, w, _ = tiles.shape
    rows = -(-count // columns)
    pixels = np.zeros((rows * (h + gap) + gap, columns * (w + gap) + gap, 3), np.uint8)
    for k, tile in enumerate(tiles):
        y, x = gap + k // columns * (h + gap), gap + k % columns * (w + gap)
        pixels[y : y + h, x : x + w] = tile
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


maps = random.integers(0, 256, (512, 14, 14, 3), np.uint8)
board = np.indices((14, 14)).sum(0)[..., None] % 2
maps[3] = np.where(board, [250, 200, 10], [20, 30, 120])
filters = random.integers(0, 256, (64, 7, 7, 3), np.uint8)

state = st.session_state
state.setdefault("selected", 5)
state.setdefault("hits", [])
state.setdefault("filter_hits", [])
state.setdefault("runs", 0)
state.runs += 1
if st.button("Select 300"):
    state.selected = 300

hit = gallery(
    sheet(maps, 32, 1), columns=32, tile=(14, 14), gap=1, count=512, selected=state.selected,
    names=["<b>bold</b>" if k == 4 else str(k) for k in range(512)], values=["<i>max</i>"] + ["max 3.21"] * 511,
    alt="512 maps", key="maps", max_height=500,
)
if hit is not None:
    state.hits.append(hit)
    state.selected = hit
    st.rerun()

# A page that never passes the choice back, in rows of a fixed length.
filter_hit = gallery(
    sheet(filters, 8, 2), columns=8, tile=(7, 7), gap=2, count=64, names=[str(k) for k in range(64)],
    alt="64 filters", key="filters", rows_of=16,
)
if filter_hit is not None:
    state.filter_hits.append(filter_hit)
log = {"hits": state.hits, "filter_hits": state.filter_hits, "selected": state.selected, "runs": state.runs}
st.code(json.dumps(log), language=None)
"""


@pytest.fixture(scope="session")
def address(serve, tmp_path_factory):
    script = tmp_path_factory.mktemp("gallery") / "demo.py"
    script.write_text(SCRIPT)
    return serve(script)


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_function("performance.getEntriesByName('explain-gallery').length >= 2")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    yield page
    page.close()
    assert not errors


def maps(page):
    return page.get_by_role("listbox", name="512 maps")


def tile(page, index, wall=maps):
    return wall(page).locator(f"#tile-{index}")


def log(page) -> dict:
    return json.loads(page.get_by_test_id("stCode").inner_text())


def settled(page, **expected) -> dict:
    """The log once it says what is expected, and has gone on saying so for a while."""
    needle = [f'"{name}": {json.dumps(value)}' for name, value in expected.items()]
    page.wait_for_function(
        "needle => needle.every(part => document.querySelector('[data-testid=stCode]')?.innerText.includes(part))",
        arg=needle,
    )
    page.wait_for_timeout(700)
    found = log(page)
    assert {name: found[name] for name in expected} == expected
    return found


def selected(page, wall=maps) -> list[str]:
    return wall(page).locator("[aria-selected=true]").evaluate_all("nodes => nodes.map(node => node.dataset.index)")


def scroll(page, share):
    maps(page).evaluate("(node, share) => { node.scrollTop = share * (node.scrollHeight - node.clientHeight) }", share)


def pixels_on_the_glass(page, index) -> np.ndarray:
    """The middle of each cell of a tile, as the screen shows it."""
    scroll(page, index / 511)
    shot = np.asarray(Image.open(io.BytesIO(tile(page, index).locator(".picture").screenshot())).convert("RGB"))
    cell = len(shot) // 14
    return shot[cell // 2 :: cell, cell // 2 :: cell]


def test_pixels_are_crisp_on_the_glass(page):
    shot = Image.open(io.BytesIO(tile(page, 3).locator(".picture").screenshot())).convert("RGB")
    pixels = np.asarray(shot)
    cell = shot.width / 14
    assert shot.width == shot.height
    assert cell == int(cell), "every pixel of the map is the same whole number of screen pixels wide"
    cell = int(cell)
    for i in range(1, 13):  # the outermost cells are rounded off
        for j in range(1, 13):
            block = pixels[i * cell : (i + 1) * cell, j * cell : (j + 1) * cell].reshape(-1, 3)
            expected = (250, 200, 10) if (i + j) % 2 else (20, 30, 120)
            assert (block == expected).all(), (i, j)


@pytest.mark.parametrize("index", [0, 31, 32, 511])
def test_every_tile_is_cut_from_its_own_place(page, index):
    sent = np.random.default_rng(0).integers(0, 256, (512, 14, 14, 3), np.uint8)
    inner = slice(1, -1)  # the outermost cells are rounded off
    assert (pixels_on_the_glass(page, index)[inner, inner] == sent[index][inner, inner]).all()


def test_only_rows_in_view_are_in_the_page_and_scrolling_meets_every_tile_in_its_place(page):
    places = {}
    for step in range(101):
        scroll(page, step / 100)
        page.wait_for_timeout(30)
        found = maps(page).evaluate("""node => {
            const wall = node.getBoundingClientRect();
            return [...node.querySelectorAll('.tile')].map(tile => {
                const box = tile.getBoundingClientRect();
                return [Number(tile.dataset.index), box.x - wall.x, box.y - wall.y + node.scrollTop,
                        box.bottom > wall.y && box.y < wall.bottom];
            });
        }""")
        indices = [index for index, *_ in found]
        assert indices == list(range(indices[0], indices[-1] + 1))
        assert len(indices) < 400, "512 tiles, of which a quarter are in view"
        first, *_, last = [index for index, _, _, visible in found if visible]
        assert first - indices[0] >= 10 or indices[0] == 0, "nothing is missing above"
        assert indices[-1] - last >= 10 or indices[-1] == 511, "nor below"
        for index, x, y, _ in found:
            assert places.setdefault(index, (round(x), round(y))) == (round(x), round(y)), "no tile moves"
    assert sorted(places) == list(range(512))
    columns = [y for _, y in places.values()].count(places[0][1])
    rows = {y for k, (_, y) in places.items() if k % columns == 0}
    steps = np.diff(sorted(rows))
    assert steps.max() - steps.min() <= 1, "rows are equally high, however few of them are built"


def test_a_click_reaches_python_once(page):
    before = settled(page, hits=[])["runs"]
    tile(page, 20).click()
    found = settled(page, hits=[20], selected=20)
    assert found["runs"] == before + 2, "the run of the click and the st.rerun() of this page"
    tile(page, 21).click()
    tile(page, 0).click()
    assert settled(page, selected=0)["hits"] in ([20, 21, 0], [20, 0])
    assert selected(page) == ["0"]


def test_clicking_the_selected_tile_is_a_click_too(page):
    tile(page, 5).click()
    settled(page, hits=[5])


def test_other_widgets_do_not_repeat_a_click(page):
    tile(page, 7).click()
    settled(page, hits=[7])
    page.get_by_role("button", name="Select 300").click()
    settled(page, hits=[7], selected=300)


def test_arrow_keys_move_by_the_visual_grid(page):
    tile(page, 5).click()
    columns = maps(page).evaluate("node => getComputedStyle(node).gridTemplateColumns.split(' ').length")
    settled(page, hits=[5])
    page.keyboard.press("ArrowDown")
    settled(page, hits=[5, 5 + columns])
    page.keyboard.press("ArrowLeft")
    settled(page, hits=[5, 5 + columns, 4 + columns])
    for key, expected in {"Home": 0, "ArrowUp": 0, "ArrowLeft": 0, "End": 511, "ArrowRight": 511}.items():
        page.keyboard.press(key)
        assert selected(page) == [str(expected)], key
    page.keyboard.press("PageUp")
    assert int(selected(page)[0]) % columns == 511 % columns
    assert int(selected(page)[0]) < 511 - columns


def test_a_held_arrow_is_one_message(page):
    tile(page, 5).click()
    settled(page, hits=[5])
    began = time.monotonic()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    seconds = time.monotonic() - began
    assert selected(page) == ["35"]
    hits = settled(page, selected=35)["hits"]
    # One is sent where 120 ms pass between two presses, which on a busy machine they do: no more than fit in the time.
    assert len(hits) <= 2 + seconds / 0.120, f"30 presses in {seconds:.1f} s, {len(hits)} messages: {hits}"
    assert selected(page) == ["35"]
    page.keyboard.press("Enter")
    settled(page, hits=[*hits, 35])


def test_python_moves_the_selection(page):
    tile(page, 20).click()
    settled(page, selected=20)
    page.get_by_role("button", name="Select 300").click()
    settled(page, selected=300, hits=[20])
    assert selected(page) == ["300"]
    box, wall = tile(page, 300).bounding_box(), maps(page).bounding_box()
    assert wall["y"] <= box["y"] <= box["y"] + box["height"] <= wall["y"] + wall["height"], "scrolled into view"
    page.get_by_text("512 · 14").click()
    maps(page).focus()
    page.keyboard.press("ArrowRight")
    settled(page, selected=301, hits=[20, 301])


def test_without_an_answer_the_ring_stays_where_the_user_put_it(page):
    def filters(page):
        return page.get_by_role("listbox", name="64 filters")

    tile(page, 9, filters).click()
    settled(page, filter_hits=[9])
    assert selected(page, filters) == ["9"]
    columns = filters(page).evaluate("node => getComputedStyle(node).gridTemplateColumns.split(' ').length")
    assert columns == 16


def test_a_rerun_leaves_the_tiles_alone(page):
    maps(page).evaluate("node => node.querySelector('#tile-9 .picture').mark = 'same'")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    tile(page, 30).click()
    settled(page, hits=[30])
    assert maps(page).evaluate("node => node.querySelector('#tile-9 .picture').mark") == "same"
    sheets = [url for url in requests if "/media/" in url and "/static/" not in url]  # not a font of Streamlit
    assert not sheets, "the sheet travels once"


def test_names_and_values_are_text(page):
    assert tile(page, 4).locator(".name").inner_text() == "<b>bold</b>"
    assert tile(page, 4).get_attribute("aria-label") == "<b>bold</b>, max 3.21"
    assert maps(page).locator("b, i").count() == 0
    tile(page, 4).hover()
    preview = page.locator(".preview:popover-open")
    preview.wait_for()
    assert preview.locator(".name").inner_text() == "<b>bold</b>"
    assert preview.locator("b, i").count() == 0
    page.mouse.move(2, 2)
    preview.wait_for(state="hidden")


def test_tile_size_is_remembered(page):
    width = tile(page, 9).bounding_box()["width"]
    page.get_by_label("Tile size").first.fill("2")
    large = tile(page, 9).bounding_box()["width"]
    assert large > width
    page.reload()
    tile(page, 9).wait_for()
    page.wait_for_function("performance.getEntriesByName('explain-gallery').length >= 2")
    assert tile(page, 9).bounding_box()["width"] == large


@pytest.mark.parametrize("width", [1440, 900, 420])
def test_tiles_flow_to_the_width(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(300)
    assert maps(page).evaluate("node => node.scrollWidth <= node.clientWidth")
    assert maps(page).bounding_box()["height"] <= 500


def test_512_tiles_are_soon_on_screen(page):
    measures = page.evaluate("performance.getEntriesByName('explain-gallery').map(entry => entry.duration)")
    print(f"\n512 and 64 tiles, from Python's message to the frame that shows them: {[round(m) for m in measures]} ms")
    assert max(measures) < 15_000


def test_wrong_geometry_is_refused():
    from explain.ui.gallery import gallery

    file = io.BytesIO()
    Image.new("RGB", (31, 16)).save(file, "PNG")
    right = {"columns": 2, "tile": (14, 14), "gap": 1, "count": 2, "names": ["0", "1"], "alt": "two", "key": "two"}
    wrong = {"tile": (14, 13), "count": 3, "names": ["0"], "values": ["1"], "selected": 2, "columns": 0}
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=r"\d"):
            gallery(file.getvalue(), **{**right, name: value})
    with pytest.raises(ValueError, match="PNG"):
        gallery(b"GIF89a", **right)


def test_app_test_runs_the_page(tmp_path: Path):
    from streamlit.testing.v1 import AppTest

    script = tmp_path / "demo.py"
    script.write_text(SCRIPT)
    app = AppTest.from_file(str(script), default_timeout=30).run()
    assert not app.exception
    assert json.loads(app.code[0].value)["hits"] == []
