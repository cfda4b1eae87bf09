import contextlib
import csv
import io
import itertools
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import explain
from explain.errors import BadFile, BadValue, ExplainError, NotSupported, Unknown
from explain.figure import FORMATS, VERSION, Figure, Grid, Panel, Scale, read_facts, versions
from explain.figure.layout import LEADING, lay_out
from explain.figure.text import clean, measure, wrap
from explain.images import contact_sheet

FACTS = {
    "model": {"name": "réseau 漢字 😀", "digest": "ab" * 32},
    "layer": "relu:1",
    "seed": 0,
    "note": "</script> (a\\b)",
}
AWKWARD = "$\\frac$ <b>&amp; \x00\x08\x1b ]]> 😀 \ud800 \u202e \ufffe $x_1^$ 漢字"
rng = np.random.default_rng(0)


def picture(height=32, width=32):
    return rng.integers(0, 255, (height, width, 3), dtype=np.uint8)


def sheet(n, size, columns, names=True, gap=1):
    image = contact_sheet(rng.integers(0, 200, (n, size, size, 3), dtype=np.uint8), columns, gap=gap)
    return Panel(image, grid=Grid(columns, size, size, gap), names=tuple(map(str, range(n))) if names else ())


def figure(**changes):
    given = {
        "title": "Title of it",
        "panels": (Panel(picture(), "left", "caption", Scale("red-blue", -1.5, 2.0, "logit")),),
        "facts": FACTS,
        "note": "A note.",
        "arrays": {"heat": rng.normal(size=(3, 4)).astype(np.float32), "file": np.arange(3)},
        "table": {"x": [0.1, -2.5, 1e-30], "label": ["a,b", 'say "x"', "line\r\nbreak"]},
        "bundle": {"a/notes.txt": b"notes", "b.bin": lambda: bytes(3)},
    }
    return Figure(**{**given, **changes})


SCALES = [Scale("red-blue", -k - 0.1, k + 1e-5, "units " * k) for k in range(6)]
PAGES = {
    "one": figure(),
    "two": figure(panels=(Panel(picture(), "left"), Panel(picture(30, 9), "right " * 20, "caption " * 40))),
    "shared": figure(panels=(Panel(picture(224, 224), "photo"), *[Panel(picture(9, 9), "m", "", SCALES[1])] * 2)),
    "six": figure(panels=tuple(Panel(picture(), f"{k}", "caption " * 3 * k, s) for k, s in enumerate(SCALES))),
    "wide sheet": figure(panels=(sheet(512, 7, 32),)),
    "tall sheet": figure(panels=(sheet(512, 7, 8),)),
    "unnamed sheets": figure(panels=(sheet(500, 5, 3, names=False), sheet(64, 28, 8, names=False)), columns=2),
    "wide gaps": figure(panels=(sheet(10, 5, 5, gap=9),)),
    "long": figure(
        title="A long title " * 30,
        panels=(Panel(picture(), "x" * 900, "word " * 400, Scale("grey", -1.234e-12, 1.234e12, "label " * 90)),),
        note="note " * 900,
        facts={"model": "m" * 4000},
    ),
    "extreme": figure(panels=(Panel(picture(1, 3000)), Panel(picture(3000, 1)), Panel(picture(1, 1))), columns=9),
    "empty": Figure("", (), {}),
    "awkward": figure(
        title=AWKWARD,
        note=AWKWARD * 9,
        alt=AWKWARD,
        facts={AWKWARD: AWKWARD},
        panels=(Panel(picture(), AWKWARD, AWKWARD, Scale("grey", 0, np.nan, AWKWARD)), sheet(9, 40, 3)),
    ),
}


@pytest.fixture(params=PAGES, ids=str)
def page(request):
    return PAGES[request.param]


def opened(figure, **size):
    return Image.open(io.BytesIO(figure.encode("png", **size))).convert("RGB")


# Layout


@pytest.mark.parametrize(("width", "dpi"), [(1417, 200), (335, 100), (315, 200)])
def test_nothing_overlaps_or_is_cut_off(page, width, dpi):
    drawn, height = lay_out(page, width, dpi)
    boxes = [(p.x, p.y, p.x + p.width, p.y + p.height, "picture") for p in drawn.pictures]
    for line in drawn.texts:
        wide = measure(line.text, line.weight) * line.size * dpi / 72
        x = line.x - wide * {"left": 0, "center": 0.5, "right": 1}[line.align]
        boxes.append((x, line.y, x + wide, line.y + line.size * LEADING * dpi / 72, line.text))
    for x0, y0, x1, y1, what in boxes:
        assert min(x0, y0, width - x1, height - y1) >= 0, what
    table = np.array([box[:4] for box in boxes])
    overlap = np.minimum(table[:, None, 2:], table[None, :, 2:]) - np.maximum(table[:, None, :2], table[None, :, :2])
    hits = np.argwhere(np.triu((overlap > 1).all(axis=2), 1))
    assert not hits.size, [(boxes[a][4], boxes[b][4]) for a, b in hits[:3]]


def test_margins_of_the_drawn_page_stay_white(page):
    pixels = np.asarray(opened(page, dpi=100))
    frame = np.concatenate([e.reshape(-1, 3) for e in (pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:])])
    assert (frame == 255).all()


@given(st.text(), st.floats(1, 60), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_wrap_keeps_the_words_and_the_width(text, width, lines):
    wrapped = wrap(text, width, lines)
    assert len(wrapped) <= lines
    assert all(measure(line) <= width or len(line.rstrip("…")) <= 1 for line in wrapped)
    if not wrapped or not wrapped[-1].endswith("…"):
        assert "".join("".join(wrapped).split()) == "".join(clean(text).split())


@pytest.mark.parametrize(("width_mm", "dpi"), [(180, 200), (85, 300), (40, 50), (123.4, 151)])
def test_png_has_exactly_the_asked_width_and_resolution(width_mm, dpi):
    image = Image.open(io.BytesIO(figure().encode("png", width_mm=width_mm, dpi=dpi)))
    assert image.width == round(width_mm / 25.4 * dpi)
    assert image.info["dpi"][0] == pytest.approx(dpi, abs=0.1)


def test_enlarged_pixels_are_whole_and_unmixed():
    board = np.where((np.indices((4, 4)).sum(0) % 2)[..., None], [250, 10, 20], [0, 120, 240]).astype(np.uint8)
    plain = figure(panels=(Panel(board),), title="", note="")
    pixels = np.asarray(opened(plain)).astype(int)
    where = lay_out(plain, pixels.shape[1], 200)[0].pictures[0]
    found = pixels[where.y : where.y + where.height, where.x : where.x + where.width]
    factor = where.width // 4
    assert where.width == where.height == 4 * factor
    assert (found == np.kron(board, np.ones((factor, factor, 1), int))).all()


def test_pictures_keep_their_aspect():
    for p, panel in itertools.product([1, 2], [Panel(picture(40, 100)), Panel(picture(100, 40))]):
        drawn = lay_out(figure(panels=(panel,) * p), 1417, 200)[0].pictures[0]
        assert drawn.height / drawn.width == pytest.approx(panel.image.shape[0] / panel.image.shape[1], rel=0.01)


def test_a_shrunk_picture_is_averaged_not_thinned():
    lines = np.zeros((2000, 2000, 3), np.uint8)
    lines[:, ::4] = 255
    plain = figure(panels=(Panel(lines),))
    where = lay_out(plain, 394, 100)[0].pictures[0]
    found = np.asarray(opened(plain, width_mm=100, dpi=100))[where.y :, where.x :][: where.height, : where.width]
    assert found.mean() == pytest.approx(255 / 4, abs=2)
    assert found.std() < 20


def test_grid_cells_are_the_tiles_of_a_contact_sheet():
    tiles = rng.integers(0, 255, (11, 5, 3, 3), dtype=np.uint8)
    grid = Grid(4, 5, 3, 2)
    image = contact_sheet(tiles, 4, gap=2)
    for k, tile in enumerate(tiles):
        y0, x0, y1, x1 = grid.cell(k)
        assert (image[y0:y1, x0:x1] == tile).all()
    wider, folded = grid.folded(image, 2)
    assert (folded == contact_sheet(tiles, 8, gap=2)).all()
    assert wider.fits(folded)
    with pytest.raises(ValueError, match="divide"):
        Panel(image[1:], grid=grid)


def test_names_stand_under_their_tiles_and_leave_when_there_is_no_room():
    named, _ = lay_out(figure(panels=(sheet(10, 28, 10),)), 1417, 200)
    assert [line.text for line in named.texts if line.align == "center"] == list(map(str, range(10)))
    long = sheet(512, 7, 32)
    long = Panel(long.image, grid=long.grid, names=("a long name",) * 512)
    crowded, _ = lay_out(figure(panels=(long,)), 1417, 200)
    assert not [line for line in crowded.texts if line.align == "center"]


def test_one_bar_where_all_scales_agree_and_zero_where_it_lies():
    scale = Scale("red-blue", -1.0, 3.0, "logit")
    texts = [t.text for t in lay_out(figure(panels=(Panel(picture(), scale=scale),) * 3), 1417, 200)[0].texts]
    assert [texts.count(tick) for tick in ("−1", "0", "3", "logit")] == [1, 1, 1, 1]
    assert scale.ticks == [(0.0, "−1"), (0.25, "0"), (1.0, "3")]
    other = (Panel(picture(), scale=scale), Panel(picture(), scale=Scale("red-blue", -2, 3, "logit")))
    assert [t.text for t in lay_out(figure(panels=other), 1417, 200)[0].texts].count("logit") == 2


# Files


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_keeps_the_facts_and_repeats_to_the_byte(format, tmp_path):
    path = figure().save(tmp_path / f"x.{format.upper()}")
    again = {**vars(figure()), "arrays": PAGES["one"].arrays, "panels": PAGES["one"].panels}
    assert read_facts(path) == FACTS
    assert Figure(**again).encode(format) == PAGES["one"].encode(format)


json_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=5), child, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=8), json_value, max_size=4))
@settings(max_examples=6, deadline=None)
def test_any_facts_survive(facts):
    small = Figure("", (), facts, arrays={"a": np.ones(2)}, table={"x": [1]}, bundle={"a": b""})
    for format in FORMATS:
        small_paper = {**facts, "paper": {"width_mm": 40.0, "dpi": 50}}
        assert read_facts(small.encode(format, width_mm=40, dpi=50)) == small_paper, format


@given(st.text(st.characters(codec=None), max_size=30))
@settings(max_examples=15, deadline=None)
def test_any_text_can_be_drawn(text):
    awkward = Figure(text, (Panel(picture(4, 4), text, text, Scale("grey", 0, 1, text)),), {"model": text}, note=text)
    for format in ("png", "svg", "html"):
        content = awkward.encode(format, width_mm=60, dpi=50)
        if format == "svg":
            ElementTree.fromstring(content)


@pytest.mark.slow
@given(st.text(st.characters(codec=None), max_size=30))
@settings(max_examples=6, deadline=None)
def test_any_text_can_be_drawn_in_a_pdf(text):
    assert Figure(text, (), {"model": text}, note=text).encode("pdf").startswith(b"%PDF")


def test_facts_of_numpy_and_paths_become_plain_json():
    facts = {"n": np.int64(3), "a": np.arange(2), "p": Path("a/b"), "t": (1, 2), "bad": float("nan"), "b": np.bool_(1)}
    read = read_facts(figure(facts=facts).encode("html"))
    assert read == {"n": 3, "a": [0, 1], "p": "a/b", "t": [1, 2], "bad": "nan", "b": True}


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"%PDF-1.4", b"x,y\r\n1,2", b"# explain: {oops}\r\n", b"<svg/>"],
)
def test_a_file_without_facts_is_named(content, tmp_path):
    path = tmp_path / "strange.bin"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"strange\.bin"):
        read_facts(path)
    with pytest.raises(BadFile, match="missing"):
        read_facts(tmp_path / "missing.png")


def test_a_truncated_file_is_bad_or_still_true():
    for format in FORMATS:
        content = figure().encode(format)
        for part in (content[:50], content[: len(content) // 2], content[len(content) // 2 :]):
            with contextlib.suppress(BadFile):
                assert read_facts(part) == FACTS


def test_svg_is_xml_with_live_text(page):
    tree = ElementTree.fromstring(page.encode("svg"))
    words = ["".join(text.itertext()) for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert words == [line.text for line in lay_out(page, 1417, 200)[0].texts]


def test_svg_pictures_are_the_panels_own_pixels():
    tree = ElementTree.fromstring(PAGES["one"].encode("svg"))
    images = list(tree.iter("{http://www.w3.org/2000/svg}image"))
    assert len(images) == 2
    assert all("pixelated" in image.get("style", "") for image in images)
    assert (float(images[0].get("width")), float(images[0].get("height"))) == (32, 32)


def test_pdf_has_live_text():
    content = PAGES["awkward"].encode("pdf")
    assert content.startswith(b"%PDF")
    assert b"/FontFile2" in content
    assert b"/ToUnicode" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content


def test_csv_reads_back_as_the_table():
    one = PAGES["one"]
    text = one.encode("csv").decode()
    head, _, rest = text.partition("\r\n")
    assert head.startswith("# explain: {")
    rows = list(csv.reader(io.StringIO(rest, newline="")))
    assert rows[0] == ["x", "label"]
    assert [(float(x), label) for x, label in rows[1:]] == list(zip(*one.table.values(), strict=True))


def test_csv_numbers_stay_numbers_and_formulas_become_text():
    numbers = [-1, -0.5, np.float64(-0.1), np.float32(0.1), np.int8(-3), None, True]
    texts = ["=1+1", " +x", "-5", "@a", "\tq", "\rz", "plain"]
    rows = list(csv.reader(io.StringIO(figure(table={"=n": numbers, "t": texts}).encode("csv").decode(), newline="")))[
        1:
    ]
    assert rows[0] == ["'=n", "t"]
    assert [row[0] for row in rows[1:]] == ["-1", "-0.5", "-0.1", "0.1", "-3", "", "True"]
    assert [row[1] for row in rows[1:]] == ["'" + text for text in texts[:-1]] + ["plain"]


def test_npz_arrays_are_bit_equal_without_pickle():
    one = PAGES["one"]
    with np.load(io.BytesIO(one.encode("npz")), allow_pickle=False) as read:
        assert set(read) == {*one.arrays, "facts"}
        for name, array in one.arrays.items():
            assert read[name].dtype == array.dtype
            assert read[name].tobytes() == array.tobytes()


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_html_is_one_file_with_everything_escaped():
    evil = '"><img src=x onerror=alert(1)></title></script><script>alert(1)</script>'
    panels = (Panel(picture(), evil, evil, Scale("grey", 0, 1, evil)), sheet(4, 3, 2))
    text = figure(title=evil, note=evil, alt=evil, panels=panels, facts={evil: evil}, table={evil: [evil]}).encode(
        "html"
    )
    tags = Tags()
    tags.feed(text.decode())
    assert sum(tag == "script" for tag, _ in tags.seen) == 1
    images = [attrs for tag, attrs in tags.seen if tag == "img"]
    assert len(images) == 1 + 1 + 4
    assert all(image["src"].startswith("data:image/png;base64,") and "onerror" not in image for image in images)
    assert not re.search(rb"""(src|href)=["']?(https?:|/)""", text)


# Mistakes


def test_mistakes_name_the_value_and_the_valid_ones(tmp_path):
    with pytest.raises(Unknown, match=r"'jpg'.*png, svg, pdf, csv, npz, html"):
        figure().save(tmp_path / "x.jpg")
    with pytest.raises(Unknown, match="figure format ''"):
        figure().save(tmp_path / "x")
    bare = Figure("t", (), {})
    assert bare.formats == ["png", "svg", "pdf", "html"]
    with pytest.raises(NotSupported, match=r"no table.*png, svg, pdf, html"):
        bare.save(tmp_path / "x.csv")
    with pytest.raises(NotSupported, match="no arrays"):
        bare.save(tmp_path / "x.npz")
    for size in (
        {"width_mm": 1},
        {"width_mm": 1e9},
        {"dpi": 0},
        {"dpi": 1e6},
        {"dpi": True},
        {"width_mm": float("nan")},
    ):
        with pytest.raises(BadValue, match=next(iter(size))):
            figure().encode("png", **size)
    with pytest.raises(BadValue, match="too large"):
        figure().encode("png", width_mm=600, dpi=1200)
    with pytest.raises(ExplainError, match=r"'jet'.*viridis"):
        figure(panels=(Panel(picture(), scale=Scale("jet", 0, 1, "")),)).encode("png")
    with pytest.raises(BadValue, match="column"):
        figure(columns=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("image", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3)), np.zeros((0, 3, 3), np.uint8)])
def test_a_panel_is_uint8_rgb(image):
    with pytest.raises(ValueError, match="uint8"):
        Panel(image)


def test_inconsistent_data_is_refused():
    with pytest.raises(ValueError, match="length"):
        figure(table={"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="facts"):
        figure(arrays={"facts": np.ones(1)})


# Its place in the program


def test_eight_threads_save_at_once(tmp_path):
    figures = [figure(panels=(Panel(picture(), f"panel {k}", scale=SCALES[k % 3]),)) for k in range(8)]
    alone = [[f.encode(format, width_mm=60) for format in ("png", "svg")] for f in figures]
    failures = []

    def work(k):
        try:
            for format, content in zip(("png", "svg"), alone[k], strict=True):
                path = figures[k].save(tmp_path / f"{k}.{format}", width_mm=60)
                assert path.read_bytes() == content, format
            if k < 2:  # a PDF takes long to subset its fonts
                assert read_facts(figures[k].save(tmp_path / f"{k}.pdf")) == FACTS
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failures
    assert len(list(tmp_path.iterdir())) == 18


def test_a_users_matplotlib_settings_neither_matter_nor_change():
    import matplotlib

    with matplotlib.rc_context(
        {"font.size": 30, "savefig.bbox": "tight", "text.usetex": False, "svg.fonttype": "path"}
    ):
        changed = {format: PAGES["one"].encode(format) for format in ("png", "svg")}
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["svg.fonttype"]) == (30, "path")
    assert changed == {format: PAGES["one"].encode(format) for format in changed}


def test_importing_loads_no_heavy_package():
    code = (
        "import sys, explain.figure as f; f.versions(); f.Figure('t', (), {}).encode('html');"
        "print([m for m in ('matplotlib', 'torch', 'streamlit') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_drawing_leaves_pyplot_alone():
    code = "import sys, explain.figure as f; f.Figure('t', (), {}).encode('pdf'); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'matplotlib.figure'" in loaded
    assert "pyplot" not in loaded


def test_versions_are_those_installed():
    cited = (Path(__file__).parents[1] / "CITATION.cff").read_text()
    assert versions()["explain"] == VERSION == explain.__version__
    assert f"\nversion: {VERSION}\n" in cited
    assert versions()["numpy"] == np.__version__
