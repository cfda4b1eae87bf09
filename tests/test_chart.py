"""chart: numbers and names find room, lines keep their places, and each format draws them."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from explain.figure import Chart, Figure, Line, Panel, read_facts
from explain.figure.layout import LEADING, lay_out
from explain.figure.text import measure

BLUE, GREY = (0, 114, 178), (127, 127, 127)
X = np.linspace(0, 1, 11)
CURVE = np.stack([X, X**2], 1)


def chart(**changes):
    band = np.stack([CURVE[:, 1] - 0.1, CURVE[:, 1] + 0.1], 1)
    lines = (Line("by chance", CURVE[:, ::-1], GREY, dashed=True, band=band), Line("ours", CURVE, BLUE, dots=True))
    given = {"lines": lines, "x": (0.0, 1.0), "y": (0.0, 1.0), "axes": ("share", "probability"), "title": "Deletion"}
    return Chart(**{**given, **changes})


def names(count, length=9):
    return tuple((k / count, f"layer {k} " + "x" * length) for k in range(count + 1))


PAGES = {
    "one": (chart(),),
    "two and a picture": (chart(), chart(y=(-3e5, 2e7)), Panel(np.zeros((9, 9, 3), np.uint8), "left", "caption")),
    "names": (chart(y_ticks=names(12)), chart(x_ticks=names(8), axes=("", ""))),
    "long names": (chart(y_ticks=names(30, 90), x_ticks=names(30, 90), axes=("a " * 90, "b " * 90)),),
    "nothing": (chart(lines=()),),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("width", "dpi"), [(1417, 200), (335, 100)])
def test_nothing_overlaps_or_is_cut_off(page, width, dpi):
    drawn, height = lay_out(Figure("Title", PAGES[page], {}, columns=2), width, dpi)
    point, boxes = dpi / 72, []
    for line in drawn.texts:
        wide = measure(line.text, line.weight) * line.size * point
        x = line.x - wide * {"left": 0, "center": 0.5, "right": 1}[line.align]
        boxes.append((x, line.y, x + wide, line.y + line.size * LEADING * point, line.text))
    boxes += [(*frame, "frame") for frame in drawn.frames]
    for x0, y0, x1, y1, what in boxes:
        assert min(x0, y0, width - x1, height - y1) >= -0.5, what
    for a, b in itertools.combinations(boxes, 2):
        assert min(a[2], b[2]) - max(a[0], b[0]) <= 1 or min(a[3], b[3]) - max(a[1], b[1]) <= 1, (a, b)
    frames = np.array(drawn.frames)
    for stroke in drawn.strokes:
        assert (stroke.at.min(0) >= frames[:, :2].min(0) - 1e-6).all()
        assert (stroke.at.max(0) <= frames[:, 2:].max(0) + 1e-6).all()


def test_lines_are_where_the_numbers_say():
    drawn, _ = lay_out(Figure("", (chart(),), {}), 1417, 200)
    ((left, top, right, bottom),) = drawn.frames
    at = drawn.strokes[-1].at
    assert np.allclose((at[:, 0] - left) / (right - left), CURVE[:, 0])
    assert np.allclose((bottom - at[:, 1]) / (bottom - top), CURVE[:, 1])


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0, 1), ["0", "0.25", "0.5", "0.75", "1"]),
        ((0, 100), ["0", "25", "50", "75", "100"]),
        ((-1, 1), 5),
        ((2, 9), 4),
    ],
)
def test_numbers_are_round_and_within(ends, ticks):
    found = chart(x=tuple(map(float, ends))).ticks[0]
    assert all(ends[0] <= value <= ends[1] for value, _ in found)
    assert [text for _, text in found] == ticks or len(found) == ticks


def test_every_format_draws_it_with_its_facts():
    figure = Figure("Title", (chart(),), {"seed": 3}, alt="two lines")
    for format in figure.formats:
        assert read_facts(figure.encode(format)) == {"seed": 3}
    pixels = np.asarray(Image.open(io.BytesIO(figure.encode("png"))).convert("RGB"))
    assert (pixels == BLUE).all(-1).sum() > 500
    page = figure.encode("html").decode()
    assert page.count("<polyline") == 7
    assert page.count("<polygon") == 1
    assert "stroke-dasharray" in page


def test_what_cannot_be_drawn_is_refused():
    for wrong in ({"x": (1.0, 1.0)}, {"y": (2.0, 1.0)}, {"x": (float("nan"), 1.0)}):
        with pytest.raises(ValueError, match="from low to high"):
            chart(**wrong)
    with pytest.raises(ValueError, match="finite"):
        Line("x", np.array([[0, np.inf]]), BLUE)
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        Line("x", np.zeros(3), BLUE)
