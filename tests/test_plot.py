import io
import itertools
import re
import xml.etree.ElementTree as ElementTree
import zipfile

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from explain.errors import Unknown
from explain.figure import (
    FACTS_OPEN,
    FORMATS,
    SHAPES,
    Figure,
    Key,
    Panel,
    Plot,
    Scale,
    class_colours,
    read_facts,
    versions,
)
from explain.figure.canvas import MAX_MARKS
from explain.figure.facts import facts_line
from explain.figure.layout import LEADING, lay_out
from explain.figure.palette import MOST, OTHER
from explain.figure.text import measure
from explain.images import VISIONS, seen_as
from explain.images.colours import contrast, oklab

AWKWARD = "$\\frac$ <b>&amp; \x00\x08\x1b ]]> 😀 \ud800 \u202e \ufffe $x_1^$ 漢字"
FACTS = {"model": "net", "seed": 0}
SVG = "{http://www.w3.org/2000/svg}"
rng = np.random.default_rng(0)


def plot(n=300, classes=12, **changes):
    rng = np.random.default_rng(n)
    colours, shapes = class_colours(np.ones(classes), "many")
    points, which = rng.normal(size=(n, 2)), rng.integers(0, classes, n)
    given = {
        "points": points,
        "colours": colours[which],
        "shapes": shapes[which],
        "title": "map",
        "legend": tuple(Key(f"class {k}", tuple(colours[k].tolist()), int(shapes[k]), 10 * k) for k in range(classes)),
        "labels": tuple((*rng.normal(size=2).tolist(), f"class {k}") for k in range(classes)),
        "marks": ((0.1, 0.2, "upload.png"), (0.1, 0.2, "another.png")),
        "axes": ("PC 1", "PC 2"),
    }
    return Plot(**{**given, **changes})


def figure(*panels, **changes):
    return Figure("Title", panels, FACTS, **changes)


def bare(points, colours=(0, 0, 0), **changes):
    points = np.array(points, float).reshape(-1, 2)
    return Plot(points, np.broadcast_to(np.array(colours, np.uint8), (len(points), 3)), **changes)


def opened(figure, **size):
    return np.asarray(Image.open(io.BytesIO(figure.encode("png", **size))).convert("RGB")).astype(int)


PAGES = {
    "one": figure(plot()),
    "with a picture": figure(plot(20), Panel(np.zeros((9, 9, 3), np.uint8), "left", "caption")),
    "three": figure(*[plot(100, k) for k in (3, 11, 60)]),
    "scale": figure(plot(legend=(), scale=Scale("viridis", 0, 1, "confidence"), caption="caption " * 30)),
    "many": figure(plot(600, 500)),
    "crowded": figure(plot(labels=((0.0, 0.0, "the same place"),) * 40)),
    "empty": figure(bare([]), bare([], labels=((0, 0, "nothing"),), legend=(Key("none", (1, 2, 3)),))),
    "same": figure(bare([[3, 4]] * 5, marks=((3, 4, "mark"),))),
    "line": figure(bare([[0, 0], [1e-9, 1e9]]), bare([[0, 0], [1e308, 0], [-1e308, 0]], size=30)),
    "awkward": figure(
        plot(title=AWKWARD, caption=AWKWARD, axes=(AWKWARD, AWKWARD * 9), labels=((0, 0, AWKWARD * 3),)),
        plot(legend=(Key(AWKWARD * 9, (0, 0, 0), 2, 10**9), Key("", (0, 0, 0))), marks=((9.0, 9.0, AWKWARD),)),
    ),
}


@pytest.fixture(params=PAGES, ids=str)
def page(request):
    return PAGES[request.param]


# Layout


@pytest.mark.parametrize(("width", "dpi"), [(1417, 200), (335, 100), (315, 200)])
def test_nothing_overlaps_or_is_cut_off(page, width, dpi):
    drawn, height = lay_out(page, width, dpi)
    point, boxes = dpi / 72, []
    for line in drawn.texts:
        wide = measure(line.text, line.weight) * line.size * point
        x = line.x - wide * {"left": 0, "center": 0.5, "right": 1}[line.align]
        boxes.append((x, line.y, x + wide, line.y + line.size * LEADING * point, line.text, line.halo))
    boxes += [(*frame, "frame", False) for frame in drawn.frames]
    for x0, y0, x1, y1, what, _ in boxes:
        assert min(x0, y0, width - x1, height - y1) >= 0, what
    for a, b in itertools.combinations(boxes, 2):
        if "frame" in (a[4], b[4]) and (a[5] or b[5]):
            continue  # a name within the map
        assert min(a[2], b[2]) - max(a[0], b[0]) <= 1 or min(a[3], b[3]) - max(a[1], b[1]) <= 1, (a, b)
    for name in (box for box in boxes if box[5]):
        assert any(f[0] <= name[0] and f[1] <= name[1] and name[2] <= f[2] and name[3] <= f[3] for f in drawn.frames)
    plots = [panel for panel in page.panels if isinstance(panel, Plot)]
    for shown, frame in zip(plots, drawn.frames, strict=True):
        (dots,) = (dots for dots in drawn.dots if dots.colours is shown.colours)
        reach = dots.size / 2 * point - 1
        assert (dots.at - reach >= frame[:2]).all()
        assert (dots.at + reach <= frame[2:]).all()


def test_points_keep_their_places_up_to_one_scale():
    points = rng.normal(size=(50, 2)) * (3, 1) + 100
    at = lay_out(figure(bare(points)), 1417, 200)[0].dots[0].at
    factor = np.ptp(at[:, 0]) / np.ptp(points[:, 0])
    assert np.allclose(np.diff(at, axis=0), np.diff(points, axis=0) * (factor, -factor), atol=1e-6 * factor)
    assert np.ptp(at[:, 0]) > 0.9 * 1417


def test_dots_shrink_as_they_become_more_and_as_the_map_becomes_narrow():
    sizes = [bare(np.zeros((n, 2))).dot(490) for n in (0, 100, 1000, 10_000, 70_000)]
    assert sizes[2:] == pytest.approx([3.5, 1.6, 0.8], abs=0.05)
    assert sizes == sorted(sizes, reverse=True)
    assert bare([[0, 0]]).dot(150) < bare([[0, 0]]).dot(400)
    assert bare([[0, 0]], size=2.0).dot(150) == 2
    for size in (0.5, 99.9):
        assert bare([[0, 0]], size=size).dot(150) == size
    for size in (0.0, -1.0, 100.0, float("nan")):
        with pytest.raises(ValueError, match="above 0, below 100"):
            bare([[0, 0]], size=size)


# Files


def test_every_dot_is_drawn_where_the_layout_says():
    plain = figure(bare([[0, 0], [4, 0], [0, 3], [4, 3]], [200, 10, 30], size=6))
    pixels = opened(plain)
    for x, y in lay_out(plain, 1417, 200)[0].dots[0].at:
        assert pixels[int(y), int(x)].tolist() == [200, 10, 30]
        assert pixels[int(y), int(x) + 12].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kinds", [[0, 0], [0, 3], [3, 0], [4, 2], [1, 4, 1], [2, 0, 1, 3]])
def test_later_points_cover_earlier_ones_whatever_their_shapes(kinds):
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [9, 9, 9]], np.uint8)[: len(kinds)]
    points = np.zeros((len(kinds), 2))
    stack = figure(Plot(points, colours, np.array(kinds, np.uint8), size=20))
    x, y = lay_out(stack, 1417, 200)[0].dots[0].at[0]
    assert opened(stack)[int(y), int(x)].tolist() == colours[-1].tolist()
    paints = re.findall(rb'(?:fill|stroke)="(#\w{6})" d=', stack.encode("html"))
    assert paints == [b"#%02x%02x%02x" % tuple(colour) for colour in colours.tolist()]


def test_each_shape_looks_different_and_is_about_as_large():
    images = []
    for kind in range(len(SHAPES)):
        shown = figure(bare([[0, 0]], shapes=np.array([kind], np.uint8), size=40))
        x, y = lay_out(shown, 1417, 200)[0].dots[0].at[0].astype(int)
        images.append(opened(shown)[y - 90 : y + 90, x - 90 : x + 90, 0] < 128)
    areas = [image.sum() for image in images]
    assert max(areas) < 1.25 * min(areas)
    assert all((a != b).mean() > 0.02 for a, b in itertools.combinations(images, 2))


@pytest.mark.parametrize(("width_mm", "dpi"), [(180, 200), (85, 300), (123.4, 151)])
def test_png_has_exactly_the_asked_width(width_mm, dpi):
    assert opened(PAGES["one"], width_mm=width_mm, dpi=dpi).shape[1] == round(width_mm / 25.4 * dpi)


def test_margins_stay_white(page):
    pixels = opened(page, dpi=100)
    frame = np.concatenate([e.reshape(-1, 3) for e in (pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:])])
    assert (frame == 255).all()


def test_svg_is_xml_with_live_text(page):
    tree = ElementTree.fromstring(page.encode("svg"))
    words = ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]
    assert words == [line.text for line in lay_out(page, 1417, 200)[0].texts]


def test_svg_has_one_mark_a_point_until_they_are_too_many():
    few = ElementTree.fromstring(figure(bare(rng.normal(size=(500, 2)))).encode("svg"))
    assert len(list(few.iter(f"{SVG}use"))) == 500
    many = figure(bare(rng.normal(size=(MAX_MARKS + 1, 2)), title="many"))
    tree = ElementTree.fromstring(many.encode("svg"))
    assert not list(tree.iter(f"{SVG}use"))
    assert len(list(tree.iter(f"{SVG}image"))) == 1
    assert "many" in {text.text for text in tree.iter(f"{SVG}text")}


@pytest.mark.parametrize("format", ["png", "svg", "pdf", "html"])
def test_the_same_plot_gives_the_same_bytes_with_its_facts(format):
    content = figure(plot()).encode(format, width_mm=90)
    assert content == figure(plot()).encode(format, width_mm=90)
    assert read_facts(content) == {**FACTS, "paper": {"width_mm": 90.0}}


def test_html_holds_every_point_and_escapes_every_name():
    evil = '"><img src=x onerror=alert(1)></svg><script>alert(1)</script>'
    shown = plot(50, labels=((0, 0, evil),), marks=((0, 0, evil),), legend=(Key(evil, (0, 0, 0)),), axes=(evil, evil))
    text = figure(shown).encode("html").decode()
    assert text.count("<script") == 1
    assert "<img" not in text
    svg = ElementTree.fromstring(re.search("<svg.*?</svg>", text, re.DOTALL)[0])
    assert sum(path.get("d").count("M") for path in svg.iter("path")) == 50
    assert len(list(svg.iter("circle"))) == 2


@given(st.text(st.characters(codec=None), max_size=30))
@settings(max_examples=10, deadline=None)
def test_any_name_can_be_drawn(text):
    shown = bare([[0, 0], [1, 1]], labels=((0, 0, text),), marks=((1, 1, text),), legend=(Key(text, (0, 0, 0)),))
    for format in ("png", "svg", "html"):
        content = figure(shown).encode(format, width_mm=80, dpi=50)
        if format == "svg":
            ElementTree.fromstring(content)


def test_a_page_of_its_own_replaces_the_plain_one():
    own = f'<p>own</p>{FACTS_OPEN}{{"a": 1}}</script>'.encode()
    shown = figure(page=lambda _: own)
    assert shown.encode("html") == own
    assert read_facts(own) == {"a": 1}


def test_inconsistent_plots_are_refused():
    points, colours = np.zeros((3, 2)), np.zeros((3, 3), np.uint8)
    wrong = [
        {"points": points[:2]},
        {"points": np.zeros((3, 3))},
        {"points": points.astype(int)},
        {"points": np.full((3, 2), np.nan)},
        {"points": np.full((3, 2), np.inf)},
        {"colours": colours.astype(float)},
        {"shapes": np.zeros(2, np.uint8)},
        {"shapes": np.full(3, len(SHAPES), np.uint8)},
        {"labels": ((np.nan, 0, "x"),)},
        {"marks": ((0, np.inf, "x"),)},
        {"size": 0.0},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match=r"plot|shape|finite|dot"):
            Plot(**{"points": points, "colours": colours, **change})
    with pytest.raises(ValueError, match="shape"):
        Key("x", (0, 0, 0), len(SHAPES))


# Palette


@pytest.mark.parametrize("count", [0, 1, 10, 11, MOST, MOST + 1, 500])
@pytest.mark.parametrize(("palette", "own"), [("nine", 9), ("many", MOST)])
def test_no_two_classes_have_one_colour_but_for_the_others(count, palette, own):
    counts = np.random.default_rng(0).permutation(count) // 2  # some are met as often
    colours, shapes = class_colours(counts, palette)
    assert (colours.shape, shapes.shape) == ((count, 3), (count,))
    assert (colours.dtype, shapes.dtype) == (np.uint8, np.uint8)
    other = (colours == OTHER).all(1)
    assert len(np.unique(colours[~other], axis=0)) == (~other).sum() == (count if count <= 10 else min(own, count))
    assert not shapes[other].any()
    if other.any():
        assert counts[~other].min() >= counts[other].max(), "the most frequent"
    assert not class_colours(counts, "nine")[1].any()
    with pytest.raises(Unknown, match="nine, many"):
        class_colours(counts, "lots")


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("count", [11, 18, MOST])
def test_many_colours_differ_for_every_eye_and_stand_out_from_both_papers(vision, count):
    colours, _ = class_colours(np.ones(count), "many")
    lab = rgb2lab(seen_as(np.vstack([colours, [OTHER]]).astype(np.uint8)[None], vision) / 255)[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])[~np.eye(len(lab), dtype=bool)].min()
    least = {"all colours": 11, "greyscale": 0}.get(vision, 5)  # in greyscale names and shapes tell them apart
    assert apart >= least, f"{vision}: the nearest two are {apart:.1f} apart"
    for paper in ((255, 255, 255), (14, 17, 23)):
        assert contrast(colours, paper).min() >= 1.5


def test_oklab_and_contrast_are_those_of_their_papers():
    """Ottosson's own examples are in XYZ; those of sRGB are worked out in CSS Color 4. Contrasts are WCAG's."""
    found = oklab(np.array([[255, 255, 255], [255, 0, 0], [0, 0, 255], [0, 0, 0]], np.uint8))
    wanted = [[1, 0, 0], [0.62796, 0.22486, 0.12585], [0.45201, -0.03246, -0.31153], [0, 0, 0]]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert contrast(np.array([0, 0, 0], np.uint8), (255, 255, 255)) == pytest.approx(21)
    assert contrast(np.array([119, 119, 119], np.uint8), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


def test_class_colours_are_those_of_petroff():
    import matplotlib

    ours = {tuple(colour) for colour in class_colours(np.ones(10))[0].tolist()}
    assert ours == {tuple(round(255 * c) for c in colour) for colour in matplotlib.color_sequences["petroff10"]}


@pytest.mark.parametrize("vision", VISIONS)
def test_eight_classes_stay_apart_in_every_vision(vision):
    lab = rgb2lab(seen_as(class_colours(np.ones(8))[0][None], vision) / 255)[0]
    apart = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab, 2))
    # In greyscale eight colours of middling lightness cannot keep apart; the names in the map do that.
    least = {"all colours": 30, "greyscale": 2, "tritanopia": 20}.get(vision, 15)
    assert apart > least, f"{vision}: the nearest two are {apart:.1f} apart"


def test_neighbouring_classes_differ_in_lightness():
    lightness = rgb2lab(class_colours(np.ones(8))[0][None] / 255)[0, :, 0]
    assert np.abs(np.diff(lightness)).min() > 15


# Data and facts


def test_parquet_keeps_numbers_and_turns_the_rest_into_text():
    table = {
        "n": [1, 2, None],
        "x": [0.5, float("nan"), None],
        "np": [np.float32(0.1), np.int64(2), 3.5],
        "flag": [True, None, False],
        "text": ["=1+1", None, "\ud800"],
        "mixed": [1, "a", (1, 2)],
        "lists": [[1], (2, 3), {}],
        "huge": [10**30, 1, 2],
        "flags": [True, 2, 0.5],
        "array": np.arange(3, dtype=np.int8),
        "\ud800": [None] * 3,
    }
    content = figure(table=table).encode("parquet")
    assert read_facts(content) == FACTS
    read = pyarrow.parquet.read_table(io.BytesIO(content))
    assert [str(read.schema.field(name).type) for name in ("n", "x", "flag", "array")] == [
        "int64",
        "double",
        "bool",
        "int8",
    ]
    assert read["n"].to_pylist() == [1, 2, None]
    assert read["np"].to_pylist() == [float(np.float32(0.1)), 2, 3.5]
    assert read["text"].to_pylist() == ["=1+1", None, "?"]
    assert read["mixed"].to_pylist() == ["1", "a", "(1, 2)"]
    assert read["lists"].to_pylist() == ["[1]", "(2, 3)", "{}"]
    assert read["huge"].to_pylist() == [str(10**30), "1", "2"]
    assert read["flags"].to_pylist() == ["True", "2", "0.5"]
    assert content == figure(table=table).encode("parquet")


def test_zip_holds_the_bundle_and_its_facts():
    shown = figure(bundle={"a/b.txt": b"text", "made.bin": lambda: b"\x00" * 99, "x.npz": figure_npz()})
    content = shown.encode("zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/b.txt", "made.bin", "x.npz", "facts.json"]
        assert archive.read("a/b.txt") == b"text"
        assert archive.read("made.bin") == b"\x00" * 99
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert read_facts(content) == read_facts(figure_npz()) == FACTS
    assert content == shown.encode("zip")


def figure_npz():
    return figure(arrays={"a": np.ones(2)}).encode("npz")


@pytest.mark.parametrize(
    "name", ["facts.json", "facts.npy", "/etc/x", "../x", "a/../x", "a\\b", "C:x", "", "a//b", "a/"]
)
def test_a_bundle_stays_within_its_folder(name):
    with pytest.raises(ValueError, match="name"):
        figure(bundle={name: b""})


def test_formats_are_offered_where_there_is_something_to_save():
    assert list(FORMATS)[-2:] == ["parquet", "zip"]
    assert not {"parquet", "zip"} & set(figure().formats)
    assert "parquet" in figure(table={"a": [1]}).formats
    assert "zip" in figure(bundle={"a": b""}).formats


def test_the_line_of_facts_tells_the_method_with_its_options():
    options = {"perplexity": 30.0, "early_stop": 500, "seed": 0}
    line = facts_line({"model": "m", "method": "tsne", "options": options, "seed": 0, "trustworthiness": 0.98312})
    assert line.startswith(
        "model m, method tsne (perplexity 30, early stop 500, seed 0), trustworthiness 0.9831, explain"
    )
    assert facts_line({"method": "lrp", "seed": 1}).startswith("method lrp, seed 1, explain")
    assert facts_line({"options": {"a": 1}, "seed": 1}).startswith("seed 1, explain")


def test_versions_of_other_packages_are_told_when_asked_for():
    assert "scikit-learn" not in versions()
    assert set(versions("scikit-learn", "no-such-package")) == {*versions(), "scikit-learn"}
