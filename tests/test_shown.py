"""Everything shows itself: one line, and in a notebook a picture with words for it, or a table."""

import io
import sys
from base64 import b64decode
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from PIL import Image, ImageShow
from view_cases import CASES

import explain
from explain.figure import Figure, Look, Shown, read_facts
from explain.training.history import run_of

pytestmark = pytest.mark.usefixtures("workspace")


class Parsed(HTMLParser):
    """Elements of a page by name, each with its attributes; what opens must close."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open = {}, []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.found.setdefault(tag, []).append(dict(attributes))
        if tag not in ("img", "tr", "td", "th"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("tr", "td", "th"):
            assert self.open.pop() == tag


def one_line(shown):
    line = repr(shown)
    assert "\n" not in line
    assert 10 < len(line) <= 150, line
    return line


@pytest.mark.parametrize("name", CASES)
def test_a_result_is_one_line_and_a_picture_with_words(name, made, known, monkeypatch):
    result = made(name)
    with monkeypatch.context() as patch:
        patch.setattr(type(result), "figure", lambda _self: pytest.fail("a line needs no drawing"))
        line = one_line(result)
    assert line.startswith(f"<{type(result).__name__}")
    assert "model" not in result.facts or repr(result.facts["model"]) in line
    monkeypatch.setattr("explain.figure.figure.SCREEN", 50)
    bundle, words = result._repr_mimebundle_()
    assert bundle["text/plain"] == line
    assert read_facts(bundle["image/png"])["view"] == result.facts["view"]
    assert words["image/png"]["width"] == 900
    assert words["image/png"]["alt"].strip()
    page = Parsed(bundle["text/html"]).found
    if "iframe" in page:
        assert name.startswith("embedding")
        picture = read_facts(bundle["image/png"])
        assert picture.pop("paper") == {"dpi": 50}
        assert read_facts(page["iframe"][0]["srcdoc"].encode()) == picture
        assert page["iframe"][0]["title"] == words["image/png"]["alt"]
    else:
        (picture,) = page["img"]
        assert picture["alt"] == words["image/png"]["alt"]
        assert b64decode(picture["src"].partition(",")[2]) == bundle["image/png"]


def test_numbers_stand_in_a_table_beside_their_chart_and_pictures_in_none(made, monkeypatch):
    monkeypatch.setattr("explain.figure.figure.SCREEN", 50)
    for name in ("leaderboard", "batch_costs", "anatomy", "lecture_tables"):
        assert "table" in Parsed(made(name)._look().html).found, name
    assert "table" not in Parsed(made("saliency")._look().html).found
    across = made("lecture_tables").across
    assert [f"<th>{name}</th>" in made("lecture_tables")._look().html for name in across] == [True] * len(across)


def test_models_layers_indexes_and_runs_are_tables(known):
    model, index = known["model"], known["index"]
    for shown in (model, model.layers, index, run_of(model)):
        one_line(shown)
        bundle, _ = shown._repr_mimebundle_()
        assert bundle.keys() == {"text/plain", "text/html"}
        assert "td" in Parsed(bundle["text/html"]).found
    assert model.layers.table == {
        key: column[: len(model.layers)] for key, column in explain.anatomy(model).table.items()
    }
    assert "conv1" in model._repr_mimebundle_()[0]["text/html"]
    assert model.layers == tuple(model.layers)
    assert "array" not in repr(tuple(model.layers))


def test_a_set_shows_its_first_pictures_those_that_can_be_read(tmp_path):
    images = explain.load_images("fashion-mnist", 5)
    one_line(images)
    assert images._look().alt.startswith("The first 5 of 5 images of fashion-mnist: Ankle boot, Pullover")
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (40, 30), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG, and no more")
    assert explain.load_images(tmp_path)._look().alt.endswith(": a.png")
    assert Image.open(io.BytesIO(explain.load_images(tmp_path)._look().png)).getcolors(1 << 20)
    assert explain.load_images("fashion-mnist", 0)._look().png


class Named(Shown):
    def __init__(self, name, look=None):
        self.name, self.look = name, look

    def _line(self):
        return self.name

    def _look(self):
        if self.look is None:
            raise ValueError("the pen is\nbroken")
        return self.look


def test_names_are_no_html_and_lines_stay_one():
    evil = "<script>alert(1)</script>\n\x1b[31m\u202e" + "x" * 500
    shown = Named(evil, Look(evil, b"PNG", table={evil: [evil, None, 1234, True]}))
    line = one_line(shown)
    assert "\x1b" not in line
    bundle, _ = shown._repr_mimebundle_()
    found = Parsed(bundle["text/html"]).found
    assert "script" not in found
    assert found["img"][0]["alt"].startswith("<script>alert(1)</script>")
    assert "1,234" in bundle["text/html"]
    page = Look(evil, page=b'<p title="it\'s">&amp;</p>').html
    assert Parsed(page).found["iframe"][0]["srcdoc"] == '<p title="it\'s">&amp;</p>'


def test_what_cannot_be_drawn_says_so_in_words():
    bundle, words = Named("a map")._repr_mimebundle_()
    assert bundle == {"text/plain": "<a map>\nIt cannot be shown: the pen is"}
    assert not words


def test_only_what_is_asked_for():
    shown = Named("a map", Look("words", b"PNG"))
    assert shown._repr_mimebundle_(include=["image/png"])[0].keys() == {"image/png"}
    bundle, words = shown._repr_mimebundle_(exclude=["image/png"])
    assert (bundle.keys(), words) == ({"text/plain", "text/html"}, {})


def ipython(monkeypatch, kinds, **more):
    """IPython as it is found by a process it runs."""
    shell = SimpleNamespace(display_formatter=SimpleNamespace(active_types=kinds), **more)
    shown = []
    display = SimpleNamespace(display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_nothing_is_drawn_for_ipython_in_a_terminal(monkeypatch):
    ipython(monkeypatch, ["text/plain"])
    assert Named("a map")._repr_mimebundle_()[0] == {"text/plain": "<a map>"}  # whose drawing fails


def test_show_in_a_notebook_is_what_a_cell_shows(monkeypatch):
    shown = ipython(monkeypatch, ["text/plain", "text/html", "image/png"], kernel=object())
    result = Named("a map")
    result.show()
    assert shown == [result]


def test_show_opens_the_picture_or_says_where_it_is(monkeypatch, tmp_path, capsys):
    figure = Figure("A title", (), {"view": "none"}, table={"channel": [1, 2]})
    opened = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ImageShow, "show", lambda image: opened.append(image.size) or True)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":1")
    figure.show()
    assert opened == [(1346, Image.open(io.BytesIO(figure._look().png)).height)]
    assert capsys.readouterr().out == "channel\n1\n2\n"
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    figure.show()
    assert len(opened) == 1
    said = capsys.readouterr().out.splitlines()[-1]
    assert read_facts(said.partition(" is drawn in ")[2]) == {"view": "none", "paper": {"dpi": 190}}


def test_a_map_of_too_many_pictures_is_a_picture(made, monkeypatch):
    monkeypatch.setattr("explain.figure.figure.SCREEN", 50)
    monkeypatch.setattr("explain.figure.figure.MOST_WALKED", 39)
    assert "img" in Parsed(made("embedding")._look().html).found
