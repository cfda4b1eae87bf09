"""Patches and Neighbours in a real Chromium: an index built at first need, and what clicks make of the URL and back."""

import re
import shutil

import pytest
from visits import choose, go, query, settle, show, wait_for_url

import explain
from explain.circuits import weighted
from explain.views import channel, neighbours, patches

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("index")]
LENET = "model=lenet-fashion-mnist"
ROW = 9  # patches of a channel


class Wall:
    """A gallery by the beginning of what it is called."""

    def __init__(self, page, called: str) -> None:
        self.box = page.get_by_role("listbox", name=re.compile(f"^{called}"))
        self.box.wait_for()

    def tile(self, number: int):
        return self.box.locator(f"#tile-{number}")

    def click(self, number: int) -> None:
        self.tile(number).click()

    @property
    def sheet(self) -> str:
        """The address of its picture, which is named by its content: the same name is the same pixels."""
        handle = self.box.page.wait_for_function(
            "box => box.closest('.gallery').style.getPropertyValue('--sheet')", arg=self.box.element_handle()
        )
        return handle.json_value()

    @property
    def count(self) -> int:
        return int(self.tile(0).get_attribute("aria-setsize"))

    @property
    def selected(self) -> list[int]:
        found = self.box.locator("[aria-selected=true]")
        return [int(number) for number in found.evaluate_all("nodes => nodes.map(node => node.dataset.index)")]

    def values(self, count: int, first: int = 0) -> list[str]:
        return [self.tile(k).locator(".value").text_content() for k in range(first, first + count)]

    def names(self, count: int) -> list[str]:
        return [self.tile(k).locator(".name").text_content() for k in range(count)]


def wall(page) -> Wall:
    return Wall(page, "Patches of channels")


def heading(page, text: str) -> None:
    page.get_by_role("heading", name=text, exact=True).wait_for()


def captions(page) -> str:
    return " ".join(page.get_by_test_id("stMain").get_by_test_id("stCaptionContainer").all_inner_texts())


def said_of_patch(index, layer: str, number: int, rank: int, ranking: str = "best") -> list[str]:
    """What the caption has to say of a patch, by the index itself."""
    row = index.top(layer, number, ranking, rank + 1)[rank]
    (top, left, bottom, right), (i, j) = row.box, row.position
    file = str(index.images.files[row.image]).rpartition("/")[2]
    parts = [f"Channel {number}, {row.score:.4g}: {file} (picture {row.image})", f"unit at row {i}, column {j}"]
    parts.append(f"input rows {top} to {bottom}, columns {left} to {right}")
    if row.source_box:
        top, left, bottom, right = row.source_box
        parts.append(f"file rows {top} to {bottom}, columns {left} to {right}")
    return parts


def assert_caption(page, parts: list[str]) -> None:
    page.get_by_text(parts[0], exact=False).first.wait_for()
    said = captions(page)
    for part in parts:
        assert part in said, (part, said)


# ------------------------------------------------------------ patches


def test_an_index_is_built_at_first_need_and_then_serves_both_pages(visit, workspace, photograph, lite, monkeypatch):
    for folder in (workspace / "indexes").glob("efficientnet-*"):
        shutil.rmtree(folder)
    page = visit("/?model=efficientnet-lite0&index=photos")
    page = go(page, "Layers and channels")
    page.get_by_role("radio", name="Patches of other pictures").click()
    page.get_by_test_id("stProgress").filter(has_text="Index photos with efficientnet-lite0").wait_for()
    assert page.get_by_role("listbox", name=re.compile("^Patches of")).count() == 0
    first = wall(page)
    settle(page, "Layers and channels")
    assert page.get_by_test_id("stProgress").count() == 0
    assert first.sheet
    assert first.count == 12 * ROW
    assert list((workspace / "indexes").glob("efficientnet-lite0-photos-*"))

    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(workspace))
    photos = explain.build_index(lite, "photos")  # the one that the app has built
    layer = re.search(r" of (\S+), a row each", first.box.get_attribute("aria-label"))[1]
    first.click(2 * ROW + 1)
    wait_for_url(page, channel="2", patch="1")
    parts = said_of_patch(photos, layer, 2, 1)
    assert parts[-1].startswith("file rows")
    assert_caption(page, parts)

    page.locator("input[type=file]").set_input_files(
        {"name": "my *cat*.jpg", "mimeType": "image/jpeg", "buffer": photograph}
    )
    page.wait_for_function("new URLSearchParams(location.search).get('picture')?.startsWith('upload/')")
    go(page, "Pictures")
    show(page, "Neighbours")
    features = Wall(page, "features:")
    assert "Nearest to upload/" in captions(page)
    chelsea = features.values(3)
    assert float(chelsea[1]) < 0.5 * float(chelsea[2]), "itself but for the JPEG"
    assert all(name.endswith("?") for name in features.names(3)), "predicted classes: an upload has no label"
    features.click(1)
    wait_for_url(page, picture="photos/chelsea.png")
    page.get_by_text("Nearest to chelsea.png", exact=False).first.wait_for()
    page.get_by_role("button", name="Back").click()
    page.get_by_text("Nearest to upload/", exact=False).first.wait_for()
    assert query(settle(page))["picture"].startswith("upload/")


def test_what_a_suspected_label_looks_like_can_be_read(visit):
    page = visit(f"/pictures?{LENET}&index=fashion-mnist&section=label_errors")
    names = page.get_by_test_id("stMain").locator(".tile .name")
    names.first.wait_for()
    assert names.evaluate_all("all => all.every((one) => one.scrollHeight <= one.clientHeight + 1)")


def test_a_patch_selects_its_channel_and_says_where_it_is_from(visit, index):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2")
    heading(page, "Channel 0")
    assert wall(page).selected == [0]
    assert_caption(page, said_of_patch(index, "conv2", 0, 0))
    wall(page).click(2 * ROW + 4)
    wait_for_url(page, channel="2", patch="4")
    heading(page, "Channel 2")
    assert_caption(page, said_of_patch(index, "conv2", 2, 4))
    assert wall(page).selected == [2 * ROW + 4]


def test_whole_pictures_are_another_sheet_with_the_same_selection(visit):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2&channel=2&patch=4")
    before, names = wall(page).sheet, wall(page).names(ROW)
    told = captions(page)
    page.get_by_test_id("stCheckbox").filter(has_text="Whole pictures").locator("label").click()
    wait_for_url(page, channel="2", patch="4", **{"patches.whole": "True"})
    page.get_by_text("108 · 28 × 28 px").wait_for()
    assert wall(page).sheet != before
    assert (wall(page).names(ROW), wall(page).selected) == (names, [2 * ROW + 4])
    assert captions(page) == told
    page.get_by_test_id("stCheckbox").filter(has_text="Whole pictures").locator("label").click()
    wait_for_url(page, channel="2", patch="4", **{"patches.whole": "False"})
    page.get_by_text("108 · 14 × 14 px").wait_for()
    assert wall(page).sheet == before


def test_a_ranking_shows_its_own_patches(visit, index):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2&channel=1")
    sheets = set()
    for ranking in ("best", "random", "lowest"):
        if ranking != "best":
            choose(page, "Patches", ranking.capitalize())
            wait_for_url(page, channel="1", **{"patches.ranking": ranking})
        assert_caption(page, [*said_of_patch(index, "conv2", 1, 0, ranking), patches.MEANING[ranking]])
        wanted = [f"{row.score:.3g}" for k in (0, 1) for row in index.top("conv2", k, ranking, ROW)]
        assert wall(page).values(2 * ROW) == wanted
        sheets.add(wall(page).sheet)
    assert len(sheets) == 3


def test_channels_are_paged(visit):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2&channel=1")
    number = page.get_by_role("spinbutton", name=re.compile("Page of 2"))
    assert number.input_value() == "1"
    before = wall(page).sheet
    number.fill("2")
    number.press("Enter")
    wait_for_url(page, page="2")
    second = Wall(page, "Patches of channels 12 to 15 of conv2")
    assert (second.count, second.selected) == (4 * ROW, [])
    assert second.names(1)[0].startswith("12 · ")
    assert second.sheet != before
    heading(page, "Channel 1")
    second.click(ROW + 3)
    wait_for_url(page, channel="13", patch="3")
    heading(page, "Channel 13")
    assert second.selected == [ROW + 3]


def test_browser_back_returns_the_previous_patch(visit, index):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2&channel=1&patch=2")
    wall(page).click(5 * ROW + 1)
    wait_for_url(page, channel="5", patch="1")
    wall(page).click(3 * ROW + 6)
    wait_for_url(page, channel="3", patch="6")
    for number, rank in ((5, 1), (1, 2)):
        page.go_back()
        wait_for_url(page, channel=str(number), patch=str(rank))
        heading(page, f"Channel {number}")
        assert_caption(page, said_of_patch(index, "conv2", number, rank))
        wall(page).box.locator(f"#tile-{number * ROW + rank}[aria-selected=true]").wait_for()
    page.go_forward()
    wait_for_url(page, channel="5", patch="1")
    heading(page, "Channel 5")


def test_browser_back_undoes_the_first_choice_too(visit, index):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2&channel=0")
    wall(page).click(5 * ROW + 7)
    wait_for_url(page, channel="5", patch="7")
    page.go_back()
    wait_for_url(page, channel="0")
    assert "patch" not in query(page)
    assert wall(page).selected == [0]
    assert_caption(page, said_of_patch(index, "conv2", 0, 0))


def test_a_url_restores_the_view(visit):
    page = visit(f"/layers?section=patches&{LENET}&layer=conv2")
    choose(page, "Patches", "Lowest")
    wait_for_url(page, **{"patches.ranking": "lowest"})
    page.get_by_test_id("stCheckbox").filter(has_text="Whole pictures").locator("label").click()
    wait_for_url(page, **{"patches.whole": "True"})
    page.get_by_text("108 · 28 × 28 px").wait_for()
    wall(page).click(6 * ROW + 5)
    wait_for_url(page, channel="6", patch="5")
    heading(page, "Channel 6")
    other = visit(page.url)
    assert query(other) == query(page)
    heading(other, "Channel 6")
    assert (wall(other).sheet, wall(other).selected) == (wall(page).sheet, [6 * ROW + 5])
    row = 6 * ROW  # what is far from the selected one is not built
    assert wall(other).values(ROW, row) == wall(page).values(ROW, row)
    assert captions(other) == captions(page)


def test_a_channel_has_three_sheets_of_patches(visit, index, lenet):
    page = visit(f"/channel?{LENET}&layer=conv2&channel=7")
    heading(page, "On other pictures")
    wanted = channel.compute(index, "conv2", 7, explain.open_picture("fashion-mnist/1"))
    sheets = set()
    for kind in ("best", "random", "lowest"):
        sheet = Wall(page, f"{kind.capitalize()} patches of channel 7$")
        assert sheet.count == len(wanted.cuts.where(ranking=kind)) == ROW
        assert sheet.names(ROW) == [patches.classes(*pair) for pair in wanted.cuts.pairs(ranking=kind)]
        sheets.add(sheet.sheet)
    page.get_by_role("button", name="chevron_right icon").click()
    heading(page, "Channel 8 of conv2")
    wait_for_url(page, channel="8")
    sheets |= {Wall(page, f"{kind} patches of channel 8$").sheet for kind in ("Best", "Random", "Lowest")}
    assert len(sheets) == 6


def test_what_feeds_a_channel_leads_to_its_page(visit, index, lenet):
    page = visit(f"/channel?{LENET}&layer=conv2&channel=7")
    page.get_by_role("button", name="Find it").click()
    wanted = explain.wiring(index, "conv2", 7, explain.open_picture("fashion-mnist/1"))
    exciting = Wall(page, "Excitatory")
    first = wanted.table["channel"][0]
    assert wanted.table["group"][0] == "excites"
    assert exciting.names(1) == [str(first)]
    exciting.click(0)
    heading(page, f"Channel {first} of conv1")
    wait_for_url(page, layer="conv1", channel=str(first))


def test_a_note_on_a_channel_stays_and_is_found(visit, index, lenet):
    address = f"/channel?{LENET}&layer=conv2&channel=9"
    page = visit(address)
    page.get_by_label("What you found out about channel 9 of conv2").fill("Soles of shoes")
    page.get_by_role("heading", name="Notes").click()
    page.get_by_text("All notes on lenet-fashion-mnist: 1").wait_for()
    other = visit(address)
    settle(other)
    assert other.get_by_label("What you found out about channel 9 of conv2").input_value() == "Soles of shoes"
    other.get_by_text("All notes on lenet-fashion-mnist: 1").click()
    search = other.get_by_role("textbox", name="Search")
    search.fill("sandals")
    search.press("Enter")
    other.get_by_text("No note has these words.").wait_for()
    search.fill("SHOES soles")
    search.press("Enter")
    other.get_by_role("button", name="conv2 9").wait_for()
    other.get_by_label("What you found out about channel 9 of conv2").fill("")
    other.get_by_role("heading", name="Notes").click()
    other.get_by_text("All notes on").wait_for(state="detached")


def test_paths_lead_to_channels(visit, index, lenet):
    page = visit(f"/layers?{LENET}&section=paths")
    wanted = explain.paths(index, explain.open_picture("fashion-mnist/1"))
    level = Wall(page, "Level 1")
    assert level.count == 4
    Wall(page, "Level 3").click(0)
    row = wanted.table["level"].index(3)
    layer = weighted(index.model, wanted.table["layer"][row], index.layers)
    heading(page, f"Channel {wanted.table['channel'][row]} of {layer}")


# ------------------------------------------------------------ neighbours


def shown(page, result) -> None:
    """Both galleries hold this result."""
    page.get_by_text(f"Nearest to {result.facts['image']} (", exact=False).first.wait_for()
    settle(page, "Pictures")
    for space in ("features", "pixels"):
        gallery = Wall(page, f"{space}:")
        ranking = result.ranking(space)
        count = len(ranking.images) + 1
        page.wait_for_function(
            "([box, count]) => box.querySelector('#tile-0')?.getAttribute('aria-setsize') === String(count)",
            arg=[gallery.box.element_handle(), count],
        )
        assert gallery.names(count) == [f"query: {result.name}", *result.classes(space)]
        assert gallery.values(count) == ["", *map(neighbours.written, ranking.distances)]
        assert f"{result.agrees(space)}." in captions(page)


def test_a_neighbour_becomes_the_query_and_back_returns(visit, index):
    page = visit(f"/pictures?section=neighbours&{LENET}")
    back = page.get_by_role("button", name="Back")
    first = neighbours.compute(index, 1)
    shown(page, first)
    assert Wall(page, "features:").sheet != Wall(page, "pixels:").sheet
    assert back.is_disabled()
    second = int(first.features.images[2])
    Wall(page, "features:").click(3)
    wait_for_url(page, picture=f"fashion-mnist/{second}")
    shown(page, neighbours.compute(index, second))
    third = int(neighbours.compute(index, second).pixels.images[4])
    Wall(page, "pixels:").click(5)
    wait_for_url(page, picture=f"fashion-mnist/{third}")
    shown(page, neighbours.compute(index, third))
    back.click()
    wait_for_url(page, picture=f"fashion-mnist/{second}")
    shown(page, neighbours.compute(index, second))
    again = visit(page.url)
    shown(again, neighbours.compute(index, second))
    back.click()
    shown(page, first)
    assert back.is_disabled()
    assert "picture" not in query(page)


def test_browser_back_returns_the_earlier_query(visit, index):
    page = visit(f"/pictures?section=neighbours&{LENET}&picture=fashion-mnist/7")
    result = neighbours.compute(index, 7)
    Wall(page, "features:").click(1)
    wait_for_url(page, picture=f"fashion-mnist/{result.features.images[0]}")
    page.go_back()
    wait_for_url(page, picture="fashion-mnist/7")
    shown(page, result)


def test_browser_back_returns_the_demo_query(visit, index):
    page = visit(f"/pictures?section=neighbours&{LENET}")
    result = neighbours.compute(index, 1)
    Wall(page, "features:").click(1)
    wait_for_url(page, picture=f"fashion-mnist/{result.features.images[0]}")
    page.go_back()
    page.wait_for_timeout(1500)
    assert "picture" not in query(page)
    shown(page, result)


def test_the_distance_and_how_many_are_chosen(visit, index):
    page = visit(f"/pictures?section=neighbours&{LENET}&picture=fashion-mnist/7")
    shown(page, euclidean := neighbours.compute(index, 7))
    choose(page, "Distance", "cosine")
    wait_for_url(page, **{"neighbours.metric": "cosine"})
    shown(page, cosine := neighbours.compute(index, 7, metric="cosine"))
    assert not set(cosine.features.distances) & set(euclidean.features.distances)
    slider = page.get_by_test_id("stSlider").get_by_role("slider").first
    for k in ("9", "10", "11"):
        slider.press("ArrowRight")
        wait_for_url(page, **{"neighbours.k": k})
    shown(page, neighbours.compute(index, 7, k=11, metric="cosine"))


def test_an_upload_is_a_query(visit, index, photograph):
    page = visit(f"/pictures?section=neighbours&{LENET}")
    page.locator("input[type=file]").set_input_files(
        {"name": "my *cat*.jpg", "mimeType": "image/jpeg", "buffer": photograph}
    )
    page.wait_for_function("new URLSearchParams(location.search).get('picture')?.startsWith('upload/')")
    settle(page, "Pictures")
    page.get_by_text("Nearest to upload/", exact=False).first.wait_for()
    features = Wall(page, "features:")
    assert features.count == 9
    assert features.names(1)[0].endswith("?")
    assert "its predicted class" in captions(page)
    first = re.search(r"query: (.*)\?", features.names(1)[0])[1]
    assert first in index.model.classes
    features.click(1)
    page.wait_for_function("new URLSearchParams(location.search).get('picture')?.startsWith('fashion-mnist/')")
    page.get_by_role("button", name="Back").click()
    page.get_by_text("Nearest to upload/", exact=False).first.wait_for()
