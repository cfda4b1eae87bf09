"""The explorer in a real Chromium: what is on the glass, what reaches Python, and the page without a network."""

import base64
import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explain.columns import columns_of
from explain.explorer import Cloud, Mark, Thumbs, page
from explain.images import png

pytestmark = pytest.mark.browser

N, TILE = 10_000, 14
TITLE = "Ten clusters"
EVIL = "</script><img src=x onerror=document.title='broken'>"
FACTS = '<script type="application/json" id="explain-facts">{"seed": 0}</script>'


def clusters(n=N, maps=1, moved=False) -> Cloud:
    """Ten round clusters on a ring, the same in both maps but for a quarter turn; picture k shows its own number."""
    random = np.random.default_rng(0)
    labels = np.arange(n) % 10
    middles = 10 * np.stack([np.cos(np.arange(10) * 0.2 * np.pi), np.sin(np.arange(10) * 0.2 * np.pi)], 1)
    points = (middles[labels] + random.normal(0, 0.7, (n, 2))).astype(np.float32)
    if moved:
        points[:, 0] *= -1
    predictions = np.where(random.random(n) < 0.1, (labels + 1) % 10, labels)
    colours = np.random.default_rng(1).integers(30, 220, (10, 3)).astype(np.uint8)
    return Cloud(
        titles=("First", "Second")[:maps],
        maps=(points, points @ np.array([[0, 1], [-1, 0]], np.float32))[:maps],
        files=tuple(f"picture {k:05d}.png" for k in range(n)),
        classes=(EVIL, *(f"class {k}" for k in range(1, 10))),
        labels=labels,
        predictions=predictions,
        judged=np.arange(10) != 9,  # a label that is no class of the network
        confidence=random.random(n),
        trust=(random.random(n),) * maps,
        kept=(),
        colours=colours,
        thumbs=Thumbs(sheets(n), TILE, 32, 1024),
        marks=(Mark("my upload", (np.zeros(2),) * maps),),
    )


def tile(k: int) -> np.ndarray:
    """Grey, a quarter as bright as its number's last two digits say, and a corner that says which way is up."""
    picture = np.full((TILE, TILE), 60 + k % 100, np.uint8)
    picture[:4, :4] = 250
    return picture


def sheets(n: int) -> tuple[bytes, ...]:
    found = []
    for first in range(0, n, 1024):
        tiles = np.stack([tile(k) for k in range(first, first + 1024)])
        pixels = tiles.reshape(32, 32, TILE, TILE).swapaxes(1, 2).reshape(32 * TILE, 32 * TILE)
        found.append(png(pixels, effort=1))
    return tuple(found)


SCRIPT = """
import json, sys
import streamlit as st
sys.path.insert(0, HERE)
from test_explorer_map import clusters
from explain.ui.explorer import explorer

st.set_page_config(layout="wide")
made = st.cache_resource(clusters)
state = st.session_state
for name, value in {"opened": [], "ring": 7, "runs": 0, "moved": False}.items():
    state.setdefault(name, value)
state.runs += 1
maps, count = int(st.query_params.get("maps", 1)), int(st.query_params.get("n", 10_000))
if st.button("Other"):
    state.ring = 8
if st.button("Move"):
    state.moved = not state.moved
colour = st.selectbox("Python's colour", ["label", "prediction"])
choice = explorer(made(count, maps, state.moved), key="map", alt="Ten clusters", colour=colour, opened=state.ring)
if choice.opened is not None:
    state.opened.append(choice.opened)
    state.ring = choice.opened
log = {"opened": state.opened, "picked": len(choice.picked), "sum": int(choice.picked.sum()), "runs": state.runs}
st.code(json.dumps(log), language=None)
"""


@pytest.fixture(scope="session")
def address(serve, tmp_path_factory):
    script = tmp_path_factory.mktemp("explorer") / "demo.py"
    script.write_text(f"HERE = {str(Path(__file__).parent)!r}\n{SCRIPT}")
    return serve(script)


@pytest.fixture
def visit(browser, address):
    tabs, errors = [], []

    def visit(query="", width=1440, **options):
        tab = browser.new_page(viewport={"width": width, "height": 1000}, **options)
        tabs.append(tab)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(f"{address}/?{query}")
        return ready(tab)

    yield visit
    for tab in tabs:
        tab.close()
    assert not errors


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("page") / "map.html"
    file.write_bytes(page(clusters(maps=2), TITLE, EVIL, FACTS))
    return file


@pytest.fixture
def opened(browser, offline):
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, offline=True)
    errors, requests = [], []
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(offline.as_uri())
    yield ready(tab)
    context.close()
    assert not errors
    assert [url for url in requests if not url.startswith("data:")] == [offline.as_uri()]


def ready(page, times=1):
    page.wait_for_function("n => performance.getEntriesByName('explain-explorer').length >= n", arg=times)
    if page.url.startswith("http"):
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(150)
    return page


def over(page, number=0):
    return page.locator(".explorer canvas.over").nth(number)


def places(page, cloud, number=0) -> np.ndarray:
    """Where each point should be on the screen: the whole map in the middle, 18 CSS pixels free on each side."""
    box = over(page, number).evaluate(
        "n => { const b = n.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }"
    )
    points = cloud.maps[number].astype(float)
    step = np.ptp(points, 0).max() / 65535  # they travel as whole numbers of it
    points = points.min(0) + step * np.rint((points - points.min(0)) / step)
    low, high = points.min(0), points.max(0)
    scale = min((box[2] - 36) / (high - low)[0], (box[3] - 36) / (high - low)[1])
    middle = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    return middle + (points - (low + high) / 2) * scale * [1, -1]


def pixels(page, number=0) -> np.ndarray:
    """The canvas of dots as it is, without what lies above it."""
    data = page.locator(".explorer canvas[aria-hidden]").nth(number).evaluate("node => node.toDataURL()")
    return np.asarray(page_image(data))


def page_image(data):
    return Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB")


def coloured(page, number=0) -> int:
    shot = pixels(page, number).astype(int)
    return int((np.abs(shot - shot[0, 0]).max(2) > 12).sum())


def lonely(where: np.ndarray) -> int:
    """The point that is farthest from its nearest neighbour among the first 500."""
    apart = np.hypot(*(where[:500, None] - where[None]).T).T
    apart[np.arange(500), np.arange(500)] = np.inf
    return int(apart.min(1).argmax())


def within(where: np.ndarray, path: list[tuple[float, float]]) -> np.ndarray:
    from matplotlib.path import Path as Polygon

    return np.flatnonzero(Polygon([*path, path[0]], closed=True).contains_points(where))


def lasso(page, path, shift=False):
    page.get_by_role("button", name="Pick with a lasso").click()
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*path[0])
    page.mouse.down()
    for place in path[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


def around(where, cloud, group, reach=45) -> list[tuple[float, float]]:
    """A twelve-sided path, in whole pixels as the mouse has them, about a cluster's middle."""
    x, y = where[cloud.labels == group].mean(0)
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return [(float(round(x + reach * np.cos(t))), float(round(y + reach * np.sin(t)))) for t in turns]


def card(page):
    return page.locator(".card:popover-open")


def said(page, **expected) -> dict:
    """The log once it says what is expected, and has gone on saying so for a while."""
    log = page.get_by_test_id("stCode")
    deadline = time.monotonic() + 20
    while not all(f'"{name}": {json.dumps(value)}' in log.inner_text() for name, value in expected.items()):
        assert time.monotonic() < deadline, f"{log.inner_text()}, not {expected}"
        page.wait_for_timeout(50)
    page.wait_for_timeout(500)
    found = json.loads(log.inner_text())
    assert {name: found[name] for name in expected} == expected
    return found


def picked_says(page, number):
    page.locator(".chosen").get_by_text(f"{number:,} picked", exact=True).wait_for()


def group(page, name):
    return page.locator(".groups button").filter(has_text=name)


def test_dots_are_where_the_points_are(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    k = lonely(where)
    box = over(page).bounding_box()
    shot = pixels(page).astype(int)
    x, y = (where[k] - [box["x"], box["y"]]).astype(int)
    paper, colour = shot[0, 0], cloud.colours[cloud.labels[k]].astype(int)
    assert np.abs(shot[y, x] - (0.8 * colour + 0.2 * paper)).max() < 8
    covered = np.zeros(shot.shape[:2], bool)
    for x, y in (where - [box["x"], box["y"]]).astype(int):
        covered[y - 5 : y + 6, x - 5 : x + 6] = True
    assert (shot[~covered] == paper).all(), "no dot is elsewhere"


def test_the_card_says_which_picture_it_is(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    k = lonely(where)
    page.mouse.move(*where[k] + [2, -2])
    card(page).wait_for()
    assert card(page).locator(".file").inner_text() == cloud.files[k]
    text = card(page).inner_text()
    assert cloud.classes[cloud.labels[k]] in text
    assert f"{round(float(cloud.confidence[k]) * 254) / 2.54:.0f} %" in text
    page.wait_for_function("document.querySelectorAll('iframe').length == 0")
    page.wait_for_timeout(400)
    shown = np.asarray(page_image(card(page).locator("canvas").evaluate("node => node.toDataURL()")))
    factor = len(shown) // TILE
    assert (shown[factor // 2 :: factor, factor // 2 :: factor, 0] == tile(k)).all(), "each pixel a whole number wide"
    page.mouse.move(5, 5)
    card(page).wait_for(state="hidden")


def test_names_are_text(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    k = next(k for k in np.argsort(np.hypot(*(where - where[0]).T)) if cloud.labels[k] == 0)
    page.mouse.move(*where[k])
    card(page).wait_for()
    assert EVIL in card(page).inner_text()
    assert group(page, EVIL).count() == 1
    assert page.locator(".explorer img").count() == 0


def test_a_click_reaches_python_once(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    k = lonely(where)
    before = said(page, opened=[])["runs"]
    page.mouse.click(*where[k])
    assert said(page, opened=[k])["runs"] == before + 1
    page.get_by_role("button", name="Other").click()
    assert said(page, runs=before + 2)["opened"] == [k]


def test_keys_walk_and_open(visit):
    page, cloud = visit(), clusters()
    over(page).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    text = page.locator(".spoken").inner_text()
    assert "picture" in text
    page.keyboard.press("Enter")
    k = int(text.split()[1].partition(".")[0])
    said(page, opened=[k])
    where = places(page, cloud)
    ahead = where[:, 0] - where[k, 0]
    aside = np.abs(where[:, 1] - where[k, 1])
    cost = np.where(ahead > 0.01, ahead + 2 * aside + 1e6 * (aside > ahead), np.inf)
    page.keyboard.press("ArrowRight")
    assert cloud.files[int(cost.argmin())] in page.locator(".spoken").inner_text()


def test_a_lasso_picks_exactly_what_is_inside(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    path = around(where, cloud, 3)
    inside = within(where, path)
    assert 300 < len(inside) <= 1100
    lasso(page, path)
    said(page, picked=len(inside), sum=int(inside.sum()))
    picked_says(page, len(inside))
    path = around(where, cloud, 5)
    both = np.union1d(inside, within(where, path))
    lasso(page, path, shift=True)
    said(page, picked=len(both), sum=int(both.sum()))
    page.get_by_role("button", name="Other").click()
    said(page, picked=len(both), sum=int(both.sum()), runs=4)
    picked_says(page, len(both))
    over(page).focus()
    page.keyboard.press("Escape")
    said(page, picked=0)


def test_a_box_picks_what_is_inside(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    x, y = (float(round(part)) for part in where[cloud.labels == 2].mean(0))
    page.get_by_role("button", name="Pick with a box").click()
    page.mouse.move(x - 30, y - 20)
    page.mouse.down()
    page.mouse.move(x + 10, y + 40, steps=4)
    page.mouse.up()
    inside = (np.abs(where - [x - 10, y + 10]) < [20, 30]).all(1)
    said(page, picked=int(inside.sum()), sum=int(np.flatnonzero(inside).sum()))


def test_the_legend_hides_and_shows(visit):
    page, _ = visit(), clusters()
    assert page.locator(".groups button").count() == 10
    assert group(page, "class 4").locator(".count").inner_text() == "1,000"
    all_dots = coloured(page)
    group(page, "class 4").click()
    assert group(page, "class 4").get_attribute("aria-pressed") == "false"
    page.get_by_text("9,000 of 10,000 pictures").wait_for()
    page.wait_for_timeout(100)
    fewer = coloured(page)
    assert 0.85 < fewer / all_dots < 0.95
    group(page, "class 6").click(modifiers=["Shift"])
    page.get_by_text("1,000 of 10,000 pictures").wait_for()
    page.wait_for_timeout(100)
    assert 0.05 < coloured(page) / all_dots < 0.15
    page.get_by_role("button", name="Show all classes").click()
    page.get_by_text("10,000 pictures", exact=True).wait_for()
    page.wait_for_timeout(100)
    assert coloured(page) == all_dots
    group(page, "class 2").focus()
    page.keyboard.press("Space")
    page.get_by_text("9,000 of 10,000 pictures").wait_for()


def test_hidden_dots_are_neither_met_nor_picked(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    group(page, "class 3").click()
    lasso(page, around(where, cloud, 3))
    page.wait_for_timeout(300)
    assert page.locator(".chosen").inner_text() == ""
    page.mouse.click(*where[cloud.labels == 3].mean(0))
    assert said(page, picked=0)["opened"] == []


def test_search_finds_files_and_classes_and_enter_picks_them(visit):
    page, cloud = visit(), clusters()
    box = page.get_by_role("searchbox")
    box.fill("CLASS 7")
    page.locator(".search output").get_by_text("1,000", exact=True).wait_for()
    box.fill("re 0012")
    page.locator(".search output").get_by_text("10", exact=True).wait_for()
    box.press("Enter")
    said(page, picked=10, sum=sum(k for k, file in enumerate(cloud.files) if "re 0012" in file))
    assert box.input_value() == ""


def test_colours_follow_the_choice_and_stay_through_reruns(visit):
    page, cloud = visit(), clusters()
    select = page.locator(".colour select")
    names = ["label", "prediction", "right or wrong", "confidence", "trust"]
    assert select.locator("option").all_inner_texts() == names
    select.select_option("verdict")
    judged = cloud.labels != 9
    right, wrong = (
        int((same & judged).sum()) for same in (cloud.labels == cloud.predictions, cloud.labels != cloud.predictions)
    )
    assert page.locator(".groups .name").all_inner_texts() == ["right", "wrong", "cannot be judged"]
    counts = [f"{count:,}" for count in (right, wrong, int((~judged).sum()))]
    assert page.locator(".groups .count").all_inner_texts() == counts
    page.wait_for_timeout(100)
    shot = pixels(page).reshape(-1, 3).astype(int)
    paper = shot[0]
    for colour in ((0, 114, 178), (230, 159, 0)):
        assert (np.abs(shot - (0.8 * np.array(colour) + 0.2 * paper)).max(1) < 6).sum() > 100
    page.get_by_role("button", name="Other").click()
    said(page, runs=2)
    assert select.input_value() == "verdict"
    select.select_option("confidence")
    assert page.locator(".scale").inner_text().split() == ["0", "0.5", "1"]
    page.get_by_test_id("stSelectbox").locator("input").fill("prediction")
    page.keyboard.press("Enter")
    deadline = time.monotonic() + 10
    while select.input_value() != "prediction":
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def test_two_maps_share_what_is_picked_met_and_hidden(visit):
    page, cloud = visit("maps=2"), clusters(maps=2)
    first, second = places(page, cloud, 0), places(page, cloud, 1)
    before = coloured(page, 0), coloured(page, 1)
    path = around(first, cloud, 4, 30)
    inside = within(first, path)
    lasso(page, path)
    said(page, picked=len(inside), sum=int(inside.sum()))
    page.wait_for_timeout(100)
    box = over(page, 1).bounding_box()
    shot = pixels(page, 1).astype(int)
    x, y = (second[inside].mean(0) - [box["x"], box["y"]]).astype(int)
    near = shot[y - 8 : y + 9, x - 8 : x + 9].reshape(-1, 3)
    assert (np.abs(near - cloud.colours[4]).max(1) < 12).mean() > 0.3, "as strong as can be"
    x, y = (second[cloud.labels == 9].mean(0) - [box["x"], box["y"]]).astype(int)
    assert np.abs(shot[y, x] - shot[0, 0]).max() < np.abs(cloud.colours[9].astype(int) - shot[0, 0]).max(), "faded"
    page.get_by_role("button", name="Clear").click()
    group(page, "class 4").click()
    page.wait_for_timeout(150)
    for number in (0, 1):
        assert coloured(page, number) < 0.96 * before[number]
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_timeout(300)
    upper, lower = over(page, 0).bounding_box(), over(page, 1).bounding_box()
    assert upper["x"] == lower["x"]
    assert upper["y"] + upper["height"] <= lower["y"], "one below the other"


def test_the_wheel_is_the_pages_until_the_map_was_clicked(visit):
    page, cloud = visit(), clusters()
    where = places(page, cloud)
    still = pixels(page)
    x, y = where[cloud.labels == 0].mean(0)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -100)
    page.locator(".hint.seen").wait_for()
    assert (pixels(page) == still).all()
    over(page).focus()
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(200)
    assert (pixels(page) != still).any()
    box = over(page).bounding_box()
    near = pixels(page)[int(y - box["y"]), int(x - box["x"])].astype(int)
    assert np.abs(near - cloud.colours[0]).max() < 60, "what was under the pointer still is"
    page.keyboard.press("0")
    page.wait_for_timeout(200)
    assert (pixels(page) == still).all()
    page.mouse.move(*where[lonely(where)] + [60, 60])
    page.mouse.down()
    page.mouse.move(*where[lonely(where)] + [160, 90], steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    moved = pixels(page)
    assert (moved[130:500, 200:800] == still[100:470, 100:700]).mean() > 0.99, "the map follows the pointer"


def test_pictures_never_overlap(visit):
    page = visit()
    page.get_by_role("button", name="Pictures", exact=True).click()
    page.wait_for_timeout(800)
    corners = (pixels(page) == 250).all(2)  # the bright corner of each, 4 pixels of 14 a side
    from skimage.measure import label, regionprops

    found = [region for region in regionprops(label(corners)) if region.area >= 60]
    assert len(found) > 20
    assert len({region.area for region in found if min(region.bbox[:2]) > 2}) <= 3, "none is covered by another"


def test_dots_move_smoothly_to_new_places(visit):
    page = visit()
    lasso(page, around(places(page, clusters()), clusters(), 3))
    count = page.locator(".chosen").inner_text()
    page.get_by_role("button", name="Move", exact=True).click()
    ready(page, 2)
    page.wait_for_timeout(600)
    where, cloud = places(page, clusters(moved=True)), clusters(moved=True)
    k = lonely(where)
    page.mouse.move(*where[k])
    card(page).wait_for()
    assert card(page).locator(".file").inner_text() == cloud.files[k]
    assert page.locator(".chosen").inner_text() == count, "the same pictures are picked"


@pytest.mark.parametrize(("width", "ratio"), [(1440, 1), (760, 2), (360, 3)])
def test_it_fits(visit, width, ratio):
    page, cloud = visit(width=width, device_scale_factor=ratio), clusters()
    assert page.locator(".explorer").evaluate("node => node.scrollWidth <= node.clientWidth")
    box = over(page).bounding_box()
    assert box["height"] <= 560
    assert pixels(page).shape[1] == pytest.approx(box["width"] * ratio, abs=1)
    page.set_viewport_size({"width": width, "height": 420})
    page.wait_for_timeout(200)
    assert over(page).bounding_box()["height"] <= 420
    assert cloud.files


def test_70_000_points_are_walked_in(visit):
    page = visit("n=70000")
    measures = page.evaluate("performance.getEntriesByName('explain-explorer').map(entry => entry.duration)")
    page.evaluate("""() => {
        window.spent = [];
        const ask = window.requestAnimationFrame;
        window.requestAnimationFrame = heard => ask(now => {
            const start = performance.now();
            heard(now);
            window.spent.push(performance.now() - start);
        });
    }""")
    box = over(page).bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    for step in range(30):
        page.mouse.move(box["x"] + 300 + 5 * step, box["y"] + 200 + 3 * step)
        page.wait_for_timeout(16)
    page.mouse.up()
    frames = [spent for spent in page.evaluate("spent") if spent > 2]
    print(f"\n70,000 points: {measures[0]:.0f} ms to the first frame, {np.median(frames):.0f} ms for one while panning")
    assert len(frames) >= 5
    assert np.median(frames) < 100


def test_the_page_opens_without_a_network(opened):
    page, cloud = opened, clusters(maps=2)
    assert page.title() == TITLE
    assert page.locator("img").count() == 0
    assert json.loads(page.locator("#explain-facts").text_content()) == {"seed": 0}
    where = places(page, cloud, 1)
    k = lonely(where)
    page.mouse.move(*where[k])
    card(page).wait_for()
    assert card(page).locator(".file").inner_text() == cloud.files[k]
    page.wait_for_timeout(300)
    shown = np.asarray(page_image(card(page).locator("canvas").evaluate("node => node.toDataURL()")))
    factor = len(shown) // TILE
    assert (shown[factor // 2 :: factor, factor // 2 :: factor, 0] == tile(k)).all()
    path = around(where, cloud, 6, 30)
    lasso(page, path)
    picked_says(page, len(within(where, path)))


def test_three_axes_turn_with_the_pointer(browser, tmp_path):
    random = np.random.default_rng(0)
    colours = np.array([[250, 0, 0], [0, 0, 250]], np.uint8)
    labels = np.repeat([0, 1], 200)
    points = random.normal(0, 0.2, (400, 3)) + np.where(labels == 0, 3, -3)[:, None] * [0, 0, 1]
    nothing = np.full(400, -1)
    cloud = Cloud(
        ("",), (points.astype(np.float32),), ("x",) * 400, ("near", "far"), labels, nothing, np.full(400, np.nan),
        (), (), colours,
    )  # fmt: skip
    (tmp_path / "map.html").write_bytes(page(cloud, "Turn", "", ""))
    tab = browser.new_page(viewport={"width": 1000, "height": 900})
    tab.goto((tmp_path / "map.html").as_uri())
    ready(tab)

    def middles():
        tab.wait_for_timeout(150)
        shot = pixels(tab).astype(int)
        red, blue = (np.argwhere(shot[..., k] - shot[..., 2 - k] > 60).mean(0)[::-1] for k in (0, 2))
        return red, blue

    def drag(right, down):
        box = over(tab).bounding_box()
        x, y = box["x"] + 100, box["y"] + 100
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + right, y + down, steps=5)
        tab.mouse.up()

    red, blue = middles()
    assert red[1] > blue[1], "seen from above"
    drag(60, 0)
    right, left = middles()
    assert right[0] > red[0] + 10
    assert left[0] < blue[0] - 10
    drag(0, 40)
    lower, higher = middles()
    assert lower[1] > right[1] + 10
    assert higher[1] < left[1] - 10
    tab.keyboard.down("Shift")
    drag(50, 30)
    tab.keyboard.up("Shift")
    for before, after in zip((lower, higher), middles(), strict=True):
        assert np.abs(after - before - [50, 30]).max() < 1.5, "all of it moves"
    tab.keyboard.press("0")
    assert np.abs(np.subtract(middles(), (red, blue))).max() < 1
    assert tab.locator(".colour option").all_inner_texts() == ["label"], "nothing else is known"
    tab.close()


def test_dark_and_light_follow_the_visitor(opened):
    bright = pixels(opened)[0, 0].mean()
    opened.emulate_media(color_scheme="dark")
    opened.wait_for_timeout(300)
    assert pixels(opened)[0, 0].mean() < 60 < 200 < bright


def test_app_test_runs_the_page(tmp_path):
    from streamlit.testing.v1 import AppTest

    script = tmp_path / "demo.py"
    script.write_text(f"HERE = {str(Path(__file__).parent)!r}\n{SCRIPT}")
    app = AppTest.from_file(str(script), default_timeout=60).run()
    assert not app.exception
    assert json.loads(app.code[0].value)["picked"] == 0


def test_columns_of_a_table_are_colours_and_slices(browser, tmp_path):
    random = np.random.default_rng(0)
    labels, shifts = np.repeat([0, 1], 200), np.tile(["early", "late", ""], 134)[:400]
    made = columns_of({"shift": shifts, "length": [str(k / 2) for k in range(400)], EVIL: ["x", "y"] * 200})
    cloud = Cloud(
        ("",), (random.normal(0, 1, (400, 2)).astype(np.float32),), ("x",) * 400, ("cat", "dog"), labels, labels,
        np.full(400, 0.5), (), (), np.array([[250, 0, 0], [0, 0, 250]], np.uint8), columns=tuple(made.values()),
    )  # fmt: skip
    (tmp_path / "map.html").write_bytes(page(cloud, "Columns", "", ""))
    tab = browser.new_page(viewport={"width": 1000, "height": 900})
    tab.goto((tmp_path / "map.html").as_uri())
    ready(tab)
    assert tab.locator(".colour option").all_inner_texts()[4:] == ["shift", EVIL, "length"]
    late, early = int((shifts == "late").sum()), int((shifts == "early").sum())
    tab.locator(".colour select").select_option(label="shift")
    rows = tab.locator(".groups button")
    assert [text.split("\n") for text in rows.all_inner_texts()] == [
        ["early", f"{early}"], ["late", f"{late}"], ["unknown", f"{400 - early - late}"]
    ]  # fmt: skip
    rows.nth(1).click()
    tab.get_by_text(f"{400 - late} of 400 pictures").wait_for()
    tab.locator(".colour select").select_option(label="label")
    group(tab, "cat").click()
    both = int(((shifts != "late") & (labels == 1)).sum())
    tab.get_by_text(f"{both} of 400 pictures").wait_for()
    tab.locator(".colour select").select_option(label="length")
    assert tab.locator(".scale").inner_text().split() == ["0", "99.75", "199.5"]
    over(tab).focus()
    tab.keyboard.press("ArrowRight")
    told = tab.locator(".card dl").inner_text()
    assert "length" in told
    assert EVIL in told
    tab.close()
