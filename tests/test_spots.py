"""Where the parts of a chart are: at what is drawn there, with the numbers that were drawn."""

import io

import numpy as np
import pytest
from PIL import Image

import explain
from explain.figure import Chart, Figure, Line, bars
from explain.figure.spots import spots
from explain.views import calibration, confusion

RED, BLUE = (200, 30, 30), (30, 30, 200)
DPI, WIDTH_MM = 190, 95.0


def drawn(chart: Chart):
    """The pixels of a chart by itself, and its spots."""
    figure = Figure("", (chart,), {}, columns=1).on(width_mm=WIDTH_MM, dpi=DPI, footer=False)
    pixels = np.asarray(Image.open(io.BytesIO(figure.encode("png"))))
    return pixels, spots(figure, pixels.shape[1], DPI)


def colour_in(pixels, box, across=0.5, down=0.5):
    left, top, right, bottom = box
    return tuple(pixels[int(top + down * (bottom - top)), int(left + across * (right - left))].tolist())


def test_a_bar_is_where_its_colour_is():
    values = {"shirt": 3.0, "coat": 12.0, "bag": 7.5}
    pixels, found = drawn(bars("Bars", values, "pictures", colour=RED))
    assert [spot.text for spot in found] == ["shirt · 3", "coat · 12", "bag · 7.5"]
    for spot, value in zip(found, values.values(), strict=True):
        for across, down in ((0.04, 0.1), (0.96, 0.1), (0.04, 0.9), (0.96, 0.9)):
            assert colour_in(pixels, spot.box, across, down) == RED
        left, top, right, bottom = spot.box
        assert colour_in(pixels, (right + 2, top, right + 4, bottom)) != RED
        assert right - left == pytest.approx(value / 12 * (found[1].box[2] - found[1].box[0]))


def test_a_point_is_where_its_dot_is():
    points = np.array([[0.0, 1.0], [1.0, 4.0], [2.0, 2.0]])
    line = Line("loss", points, BLUE, dots=True, size=6.0)
    dashed = Line("limit", np.array([[0.0, 3.0], [2.0, 3.0]]), RED, dashed=True)
    pixels, found = drawn(Chart((line, dashed), (-0.5, 2.5), (0.0, 5.0), ("epoch", "loss")))
    assert [spot.at for spot in found] == [tuple(point) for point in points.tolist()], "a limit is no value"
    assert found[1].text == "loss: epoch 1, loss 4"
    assert all(colour_in(pixels, spot.box) == BLUE for spot in found)


def test_what_stands_on_another_chart_is_elsewhere():
    """The whole layout moves with a title; so do the spots."""
    values = {"a": 1.0, "b": 2.0}
    _, plain = drawn(bars("", values, "", colour=RED))
    pixels, below = drawn(bars("A title over it", values, "", colour=RED))
    assert below[0].box[1] > plain[0].box[1]
    assert colour_in(pixels, below[0].box, 0.1) == RED


@pytest.fixture(scope="module")
def judged(clothes):
    return confusion.compute(clothes)


def test_each_cell_of_the_matrix_has_its_pictures(clothes, judged):
    pixels, found = drawn(judged.figure().panels[0])
    seen = []
    for spot in found:
        words, images = judged.images_at(spot.at, 40)
        true, taken = words.split(" as ")
        value = spot.text.rpartition(" · ")[2]
        assert spot.text == f"{true} · {taken} · {value}"
        assert len(images) == int(value.replace(",", ""))
        for image in images.tolist():
            assert clothes.model.classes[clothes.truth[image]] == true
            assert clothes.model.classes[clothes.predictions[image, 0]] == taken
        assert (np.diff(clothes.probabilities[images, 0]) <= 0).all(), "the surest first"
        seen += images.tolist()
        assert colour_in(pixels, spot.box, 0.06, 0.06) not in ((255, 255, 255), (225, 225, 225))
    assert sorted(seen) == np.flatnonzero(clothes.right >= 0).tolist(), "each picture is in one cell"


def test_a_smaller_matrix_has_all_other_answers_in_its_last_column(clothes, judged):
    most = 4
    _, found = drawn(judged.figure(most=most).panels[0])
    shown = {judged.classes[k] for k in judged.shown(most)}
    for spot in found:
        words, images = judged.images_at(spot.at, most)
        true, taken = words.split(" as ")
        assert true in shown
        answers = {clothes.model.classes[k] for k in clothes.predictions[images, 0].tolist()}
        assert answers == {taken} if taken in shown else not answers & shown
        assert spot.text.endswith(f" · {len(images)}")


def test_a_bin_has_its_pictures(clothes):
    result = calibration.compute(clothes)
    reliability, counts = result.figure().panels
    for chart in (reliability, counts):
        _, found = drawn(chart)
        seen = set()
        for spot in found:
            words, images = result.images_at(spot.at)
            low, high = map(float, words.removeprefix("confidence ").split(" to "))
            sure = clothes.probabilities[images, 0]
            assert len(images)
            assert (sure >= low - 0.005).all()
            assert (sure <= high + 0.005).all()
            seen |= set(images.tolist())
        if chart is counts:
            assert len(seen) == len(result.images), "every picture is in a bar"


def test_too_many_parts_are_none(lenet):
    points = np.stack([np.arange(5000.0), np.arange(5000.0)], 1)
    assert drawn(Chart((Line("", points, RED),), (0, 5000), (0, 5000)))[1] == []
    assert spots(explain.filters(lenet).figure(), 600, 100) == []
