"""Style on paper: one declaration for all doors; it changes the look alone, and a file drawn again looks the same."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import explain
from explain.errors import ExplainError
from explain.figure import COLUMNS, FORMATS, PAPER, Figure, Paper, read_facts
from explain.figure.layout import lay_out
from explain.images import cover
from explain.options import Choices
from explain.paper import TEXTS
from explain.views import VIEWS

OTHER = {
    "width_mm": 120.0,
    "dpi": 90,
    "font_pt": 10.0,
    "title": False,
    "title_text": "Another title",
    "note": False,
    "note_text": "Other words.",
    "footer": False,
    "in_a_row": 2,
    "panel_height": 0.5,
    "gap_pt": 30.0,
}
PIXELS = "width_mm", "dpi"


@pytest.fixture(scope="module")
def result(lenet):
    return explain.saliency(lenet, explain.open_picture("fashion-mnist/7"), "grad_cam")


def words(figure, width=1417, dpi=200):
    return [line.text for line in lay_out(figure, width, dpi)[0].texts]


def test_this_file_knows_every_option():
    assert OTHER.keys() == PAPER.keys()
    for name, option in PAPER.items():
        assert OTHER[name] != option.default
        assert option.help


@pytest.mark.parametrize("name", OTHER)
def test_each_option_changes_the_look_and_not_the_rest(result, name):
    usual, other = result.figure(), result.figure(**{name: OTHER[name]})
    assert other.encode("png") != usual.encode("png")
    assert (usual.title, usual.note) == (other.title, other.note)
    assert all((usual.arrays[key] == other.arrays[key]).all() for key in usual.arrays)
    assert {**usual.facts, "paper": {name: OTHER[name]}} == other.facts


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_drawn_again_looks_the_same(result, tmp_path, format):
    if format not in result.figure().formats:
        pytest.skip("a saliency map is saved as none")
    file = result.save(tmp_path / f"x.{format}", **OTHER, mode="signed")
    again = explain.redraw(file)
    assert again.encode(format) == file.read_bytes()
    assert again.paper == Paper(**OTHER)
    assert read_facts(file)["paper"] == OTHER


def test_the_usual_paper_leaves_no_trace(result):
    usual = {name: option.default for name, option in PAPER.items()}
    assert "paper" not in result.figure(**usual).facts
    assert result.figure(**usual).encode("svg") == result.figure().encode("svg")
    assert "paper" not in result.figure(**OTHER).on(**usual).facts


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_as_wide_as_its_name_says(name):
    content = Figure("", (), {}).encode("png", width_mm=name, dpi=254)
    assert Image.open(io.BytesIO(content)).width == round(10 * COLUMNS[name])


def test_what_is_off_is_not_there_and_what_is_written_is(result):
    figure = result.figure()
    assert figure.title in words(figure)
    off = words(figure.on(title=False, note=False, footer=False))
    assert not any(text in " ".join(off) for text in ("Saliency maps can", "explain 0", figure.title))
    assert "Mine" in words(figure.on(title_text="Mine"))
    assert "My words." in " ".join(words(figure.on(note_text="My words.")))


def test_text_is_as_large_as_asked(result):
    for size in (5, 7.5, 12):
        page, _ = lay_out(result.figure(font_pt=size), 1417, 200)
        notes = [line.size * page.zoom for line in page.texts if line.text.startswith("Raw values")]
        assert notes == [pytest.approx(size)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"width_mm": "natur"}, "'nature'"),
        ({"width_mm": 3}, "40 to 600"),
        ({"font_pt": 99}, "3 to 20"),
        ({"title_text": "x" * 301}, "at most 300"),
        ({"font": 7}, "font_pt"),
        ({"footer": "perhaps"}, "true or false"),
        ({"width_mm": float("nan")}, "40 to 600"),
    ],
)
def test_a_mistake_names_the_value_and_the_valid_ones(result, tmp_path, given, said):
    for draw in (result.figure, result.figure().on, lambda **style: result.save(tmp_path / "x.png", **style)):
        with pytest.raises(ExplainError, match=said):
            draw(**given)


def test_no_view_has_a_style_of_the_same_name():
    assert not [name for view in VIEWS.values() for name in view.style if name in PAPER]


def test_the_command_line_draws_and_redraws_with_it(run, tmp_path):
    style = ["--style", "width_mm=nature", "--style", "footer=no", "--style", "title-text=Mine"]
    first, again = tmp_path / "x.png", tmp_path / "y.png"
    status, _, err = run("filters", "lenet-fashion-mnist", *style, "--out", first)
    assert status == 0, err
    assert read_facts(first)["paper"] == {"width_mm": 89.0, "title_text": "Mine", "footer": False}
    assert run("redraw", first, "--out", again, "--style", "font_pt=6", "--style", "width_mm=180")[0] == 0
    assert read_facts(again)["paper"] == {"title_text": "Mine", "footer": False, "font_pt": 6.0}
    status, _, err = run("filters", "lenet-fashion-mnist", "--style", "width_mm=natur", "--out", first)
    assert (status, len(err.splitlines())) == (2, 1)


def test_the_lines_of_code_and_of_the_shell_tell_it(lenet):
    view = VIEWS["filters"]
    given = view.check({"model": lenet})
    style = {name: option.default for name, option in view.drawing.items()} | {"width_mm": 89.0, "footer": False}
    assert view.python(given, style, "x.png").endswith('result.save("x.png", width_mm=89.0, footer=False)')
    assert view.shell(given, style, "x.png").endswith("--style width_mm=89 --style footer=false --out x.png")


@pytest.mark.parametrize("paper", [{"title_text": 3}, {"width_mm": []}, {"nope": 1}, {"font_pt": True}, [], "x"])
def test_facts_that_anybody_wrote_are_checked(result, paper):
    facts = json.loads(json.dumps(result.figure().facts, default=str)) | {"paper": paper}
    try:
        drawn = explain.redraw(facts)
    except ExplainError:
        return
    assert drawn.paper == Paper(title_text="3")


def test_texts_of_any_kind_are_drawn():
    for name, most in TEXTS.items():
        assert isinstance(PAPER[name].bounds, Choices)
        for text in ("漢" * most, "$\\frac$ \x00 \ud800", "a\nb\n" * 9):
            assert Figure("t", (), {}, note="n").encode("png", dpi=50, **{name: text})


def share_of_pictures(figure):
    page, height = lay_out(figure, 1417, 200)
    bars = 6 * 200 / 72  # no picture is as low as a colour bar
    return sum(p.width * p.height for p in page.pictures if p.height > bars) / page.width / height


def test_what_is_set_side_by_side_has_most_of_the_page(lenet):
    picture = explain.open_picture("fashion-mnist/7")
    covered = cover(picture, [(2, 3, 12, 12)], "black")
    layer = lenet.last_maps.name
    pairs = {
        "saliency": explain.saliency(lenet, picture, "grad_cam").figure(),
        "cover": explain.saliency_grid(lenet, picture, ["grad_cam"], second=covered).figure(),
        "grid": explain.saliency_grid(lenet, picture, ["grad_cam", "gradient"], targets=[1, 2, 3]).figure(),
        "activations": explain.activations(lenet, picture, layer, second=covered).figure(),
    }
    shares = {name: share_of_pictures(figure) for name, figure in pairs.items()}
    least = {"saliency": 0.5, "cover": 0.65, "grid": 0.58, "activations": 0.6}  # three in a row leave less
    assert all(share > least[name] for name, share in shares.items()), shares


def test_a_row_of_maps_on_one_scale_has_one_bar(lenet):
    grid = explain.saliency_grid(
        lenet, explain.open_picture("fashion-mnist/7"), ["grad_cam", "gradient"], targets=[1, 2]
    )
    said = words(grid.figure())
    assert [said.count(f"{label}, raw units") for label in ("Grad-CAM", "Gradient")] == [1, 1]


def test_a_pair_of_the_gallery_takes_two_places(lenet):
    found = explain.gallery(lenet, explain.load_images("fashion-mnist", 8), "gradient")
    alone, pairs = (found.figure(columns=6, pair=pair).panels[0].grid for pair in (False, True))
    assert (alone.columns, pairs.columns) == (6, 3)
    assert pairs.tile_width == 2 * alone.tile_width
    assert np.ptp([alone.tile_height, pairs.tile_height]) == 0
