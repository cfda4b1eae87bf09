"""Class names of any length: in every figure of every view they wrap or end in an ellipsis, and no text lies over
another or leaves the page. Extents are those of matplotlib's renderer."""

import itertools
from dataclasses import fields, is_dataclass, replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from view_cases import CASES

import explain
from explain.figure import Figure, bars
from explain.figure.canvas import _sheet

pytestmark = pytest.mark.usefixtures("workspace")
LONG = (
    "Weimaraner, an extremely elongated hunting dog name",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "日本語の非常に長いクラス名前であって空白というものがまったくありません",
    "Shirt 12.5%",
)
PAPERS = {"page": {}, "column": {"width_mm": "science", "font_pt": 7}, "large print": {"width_mm": 120, "font_pt": 12}}


def renamed(value, names):
    """The same figure, had the classes these names."""
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, tuple | list):
        return type(value)(renamed(one, names) for one in value)
    if isinstance(value, dict):
        return {key: renamed(one, names) for key, one in value.items()}
    if is_dataclass(value) and value.__class__.__module__.startswith("explain.figure"):
        texts = ("title", "caption", "names", "legend", "labels", "marks", "x_ticks", "y_ticks", "lines", "name")
        known = {one.name for one in fields(value)}
        return replace(value, **{one: renamed(getattr(value, one), names) for one in texts if one in known})
    return value


def texts_of(figure, **paper):
    """(left, bottom, right, top) in pixels and the text of each line of a page, and the page's size."""
    with _sheet(figure.on(**paper)) as (sheet, page, height):
        renderer = FigureCanvasAgg(sheet).get_renderer()
        drawn = {(line.get_text(), line.get_position()): line for line in sheet.texts}  # a halo and its letters are one
        boxes = [(line.get_window_extent(renderer).extents, line.get_text()) for line in drawn.values()]
    return [(*box, text) for box, text in boxes if text.strip()], (page.width, height)


def check(figure, **paper):
    boxes, (width, height) = texts_of(figure, **paper)
    for left, bottom, right, top, text in boxes:
        assert left >= -1, text
        assert bottom >= -1, text
        assert right <= width + 1, text
        assert top <= height + 1, text
    for a, b in itertools.combinations(boxes, 2):
        apart = min(a[2], b[2]) - max(a[0], b[0]) <= 1 or min(a[3], b[3]) - max(a[1], b[1]) <= 1.5
        assert apart, (a[4], b[4])


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("name", CASES)
def test_no_text_overprints_another_or_leaves_the_page(made, known, name, paper):
    classes = known["model"].classes
    figure = made(name).figure()
    names = dict(zip(classes, itertools.cycle(LONG), strict=False))
    long = replace(
        figure,
        title=renamed(figure.title, names),
        note=renamed(figure.note, names),
        panels=renamed(figure.panels, names),
        facts=renamed(dict(figure.facts), names),
    )
    check(long, **PAPERS[paper])


@pytest.mark.parametrize("part", explain.VIEWS["confusion"].style["part"].bounds.values)
def test_parts_of_the_confusions_too(made, known, part):
    figure = made("confusion").figure(part=part)
    names = dict(zip(known["model"].classes, itertools.cycle(LONG), strict=False))
    check(replace(figure, panels=renamed(figure.panels, names)), width_mm=89)


def test_a_bar_keeps_its_number():
    chart = bars("Shares", dict.fromkeys(LONG, 12.5), "share", colour=(0, 0, 0), unit="%")
    boxes, _ = texts_of(Figure("", (chart,), {}), width_mm=89)
    assert sum(text.endswith("12.5%") for *_, text in boxes) == len(LONG)
