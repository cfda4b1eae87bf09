"""Patches among layers and channels: the wall, the chosen channel, and what a URL may ask of them."""

import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain.ui import widgets
from explain.workspace import list_indexes


@pytest.fixture(autouse=True, scope="module")
def workspace(tmp_path_factory, lenet):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        explain.build_index(lenet, "fashion-mnist", limit=200)
        yield


def open_page(page: str = "layers", /, **query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    section = {"section": "patches"} if page == "layers" else {}
    app.query_params.update({"model": "lenet-fashion-mnist", **section, **query})
    app.switch_page(f"explain/ui/pages/{page}.py")
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error[0].value
    return app


def said(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption).replace("\\", "")


def test_the_demo_shows_patches_and_a_channel():
    app = open_page()
    assert app.title[0].value == "Layers and channels"
    assert app.subheader[0].value == "Channel 0"
    assert "14 × 14 pixels" in said(app)
    assert "Channel 0, " in said(app)
    assert "input rows" in said(app)
    assert any(expander.label == "Dead and duplicate channels: 0 and 0" for expander in app.expander)
    assert app.number_input(key="_page").max == 2


def test_a_permalink_restores_the_page():
    given = {"layer": "conv2", "channel": "13", "patch": "2", "patches.ranking": "random", "patches.whole": "True"}
    app = open_page(**given)
    assert app.subheader[0].value == "Channel 13"
    assert app.number_input(key="_page").value == 2, "the page of the channel"
    assert app.selectbox(key="_patches.ranking").value == "random"
    assert app.toggle(key="_patches.whole").value is True
    assert dict(app.query_params) == {"model": "lenet-fashion-mnist", "section": "patches", **given}
    fine(app.selectbox(key="_patches.ranking").set_value("lowest").run())
    assert app.query_params["patches.ranking"] == "lowest"
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
    fine(app.button_group(key="_section").set_value("hierarchy").run())
    assert app.query_params["section"] == "hierarchy"
    shown = " ".join(block.value for block in app.markdown).replace("\\", "")
    assert "Early: conv1" in shown
    assert "Late: conv2" in shown
    assert "seldom stands for one thing" in said(app)
    assert any("Early" in block.value for block in open_page(layer="conv2", section="hierarchy").markdown)


def test_channels_are_named_instead_of_a_page():
    app = open_page(layer="conv2", **{"patches.channels": "13,2", "patches.count": "4"})
    assert app.subheader[0].value == "Channel 13"
    assert any(expander.label == "Export these channels" for expander in app.expander)
    assert '"channels": [\n  13,\n  2\n ]' in " ".join(block.value for block in app.code)
    fine(app.number_input(key="_page").set_value(2).run())
    assert "patches.channels" not in app.query_params, "a page is asked for instead"
    assert any(expander.label == "Export channels 12 to 15" for expander in app.expander)
    app = open_page(layer="conv2", **{"patches.channels": "13,99"})
    assert "0 to 15" in said(app)
    assert any(expander.label == "Export channels 0 to 11" for expander in app.expander), "the default goes on"


def test_a_channel_is_set_to_its_mean_or_to_zero():
    app = open_page("channel", layer="conv2", channel="3")
    assert {one.value for one in app.subheader} >= {"On this picture", "On other pictures", "Without it"}
    assert any("set to its mean" in block.value for block in app.markdown)
    fine(app.selectbox(key="_channel.replace").set_value("zero").run())
    assert any("set to 0" in block.value for block in app.markdown)
    assert "(set to 0)" in said(app)


DEFAULT = {
    "index": "fashion-mnist",
    "layer": "conv2",
    "channel": "Channel 0",
    "page": 1,
    "ranking": "best",
    "whole": False,
    "rank": 1,
}


def shown(app: AppTest) -> dict[str, object]:
    """What the page has chosen."""
    (folder,) = list_indexes(explain.load_model("lenet-fashion-mnist")).values()
    index, channel = explain.open_index(folder), app.subheader[0].value
    layer, ranking = app.selectbox(key="_layer").value, app.selectbox(key="_patches.ranking").value
    rows = index.top(layer, int(channel.split()[1]), ranking, 9)
    told = next(line for line in said(app).split("Channel ") if "input rows" in line)
    return {
        "index": app.selectbox(key="_index").value,
        "layer": layer,
        "channel": channel,
        "page": app.number_input(key="_page").value,
        "ranking": ranking,
        "whole": app.toggle(key="_patches.whole").value,
        "rank": 1 + next(k for k, row in enumerate(rows) if f"(picture {row.image})" in told),
    }


BAD = [
    ("layer", "nope", {}),
    ("layer", "fc1", {}),
    ("channel", "99999", {}),
    ("channel", "-1", {}),
    ("channel", "²", {}),
    ("page", "-3", {}),
    ("page", "999", {"page": 2, "channel": "Channel 12"}),
    ("page", "²", {}),
    ("patch", "77", {"rank": 9}),
    ("patch", "x", {}),
    ("patches.ranking", "x", {}),
    ("patches.whole", "x", {}),
    ("patches.count", "x", {}),
    ("patches.channels", "x", {}),
    ("channel.replace", "x", {}),
    ("index", "nope", {}),
]


@pytest.mark.parametrize(("name", "text", "otherwise"), BAD)
def test_a_bad_url_is_the_default_or_the_limit(name, text, otherwise):
    app = open_page(**{"layer": "conv2", **({"channel": "0"} if name == "patch" else {}), name: text})
    assert shown(app) == DEFAULT | otherwise
