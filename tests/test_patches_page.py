"""The Patches page: the wall, the chosen channel, and what a URL may ask of them."""

import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain.ui import widgets


@pytest.fixture(autouse=True, scope="module")
def workspace(tmp_path_factory, lenet):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        explain.build_index(lenet, "fashion-mnist", limit=200)
        yield


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": "lenet-fashion-mnist", **query})
    app.switch_page("explain/ui/pages/patches.py")
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error[0].value
    return app


def said(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption).replace("\\", "")


def test_the_demo_shows_patches_and_a_channel():
    app = open_page()
    assert app.title[0].value == "Patches"
    assert app.subheader[0].value == "Channel 0"
    assert "14 × 14 pixels" in said(app)
    assert "Channel 0, " in said(app)
    assert "input rows" in said(app)
    assert app.expander[1].label == "Dead and duplicate channels: 0 and 0"
    code = " ".join(block.value for block in app.code)
    assert 'explain.patches(index, "conv2", range(0, 12), ranking="best")' in code
    assert "--layer conv2 --channel 0 --image fashion-mnist/1" in code
    assert app.number_input(key="_page").max == 2


def test_a_permalink_restores_the_page():
    given = {"layer": "conv2", "channel": "13", "patch": "2", "ranking": "random", "whole": "True"}
    app = open_page(**given)
    assert app.subheader[0].value == "Channel 13"
    assert app.number_input(key="_page").value == 2, "the page of the channel"
    assert app.selectbox(key="_ranking").value == "random"
    assert app.toggle(key="_whole").value is True
    assert dict(app.query_params) == {"model": "lenet-fashion-mnist", **given}
    fine(app.selectbox(key="_ranking").set_value("lowest").run())
    assert app.query_params["ranking"] == "lowest"
    assert app.subheader[0].value == "Channel 13"
    fine(app.selectbox(key="_layer").set_value("conv1").run())
    assert app.subheader[0].value == "Channel 0"
    assert app.query_params["layer"] == "conv1"


def test_a_tile_chooses_its_channel(monkeypatch):
    app = open_page(layer="conv2", channel="1")
    real, clicks = widgets.show_gallery, [2 * 9 + 4]

    def clicked(panel, key, *args, **options):
        real(panel, key, *args, **options)
        return clicks.pop() if key.startswith("patches-") and clicks else None

    monkeypatch.setattr(widgets, "show_gallery", clicked)
    fine(app.run())
    assert app.subheader[0].value == "Channel 2"
    assert (app.query_params["channel"], app.query_params["patch"]) == ("2", "4")


def test_a_picture_from_low_to_high_is_shown_on_demand():
    app = open_page(layer="conv2")
    assert not any("Early" in block.value for block in app.markdown)
    fine(app.toggle(key="_hierarchy").set_value(True).run())
    assert app.query_params["hierarchy"] == "True"
    shown = " ".join(block.value for block in app.markdown).replace("\\", "")
    assert "Early: conv1" in shown
    assert "Late: conv2" in shown
    assert "seldom stands for one thing" in said(app)
    assert any("explain.hierarchy(index, image)" in block.value for block in app.code)
    assert any("Early" in block.value for block in open_page(layer="conv2", hierarchy="True").markdown)


BAD = [("layer", "nope"), ("channel", "99999"), ("channel", "²"), ("page", "-3"), ("page", "999"), ("page", "²")]
BAD += [("ranking", "x"), ("patch", "77"), ("patch", "x"), ("whole", "x"), ("index", "nope"), ("layer", "fc1")]


BEYOND = {("page", "999"): "2", ("patch", "77"): "8"}  # there are 2 pages and 9 patches: the last


def shown(app: AppTest) -> list[object]:
    return [
        app.subheader[0].value,
        said(app),
        *(field.value for field in (*app.selectbox, *app.number_input, *app.toggle)),
    ]


@pytest.fixture(scope="module")
def default(workspace):
    return shown(open_page(layer="conv2"))


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_url_is_the_default(name, text, default):
    app = open_page(**{"layer": "conv2", name: text})
    nearest = BEYOND.get((name, text))
    if nearest is None:
        assert shown(app) == default
    else:
        assert shown(app) == shown(open_page(layer="conv2", **{name: nearest})) != default
