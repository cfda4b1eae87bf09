"""The pages without a browser: they render, remember, refuse in one sentence, and never raise."""

import io
import json
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explain
from explain.network import trace
from explain.views import activations

MODELS = ("lenet-fashion-mnist", "efficientnet-lite0")
PAGES = ("start", "walkthrough", "network", "layers", "channel", "saliency", "compare", "learn")
INDEX_PAGES = ("pictures",)  # these first build an index of the demo pictures
TITLES = {page: page.capitalize() for page in (*PAGES, *INDEX_PAGES) if page not in ("start", "network")}
MOST_WAIT = 240


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))


def open_app(page: str = "network", /, **query: str) -> AppTest:
    """A new session that opens this page of the app with this URL."""
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update(query)
    if page != "start":
        app.switch_page(f"explain/ui/pages/{page}.py")
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def built(app: AppTest) -> AppTest:
    """The page once its index is there, which a job builds meanwhile; it leaves when the page says why it is not."""
    deadline = time.monotonic() + MOST_WAIT
    while not any(one.label == "Export and reproduce" for one in app.expander) and not app.error:
        assert time.monotonic() < deadline, "the index has not been built"
        time.sleep(0.2)
        fine(app.run())
    return app


def value(app: AppTest, name: str):
    return app.session_state[f"_{name}"]


def errors(app: AppTest) -> list[str]:
    return [error.value for error in app.error]


@pytest.mark.parametrize("page", [*PAGES, *(pytest.param(page, marks=pytest.mark.slow) for page in INDEX_PAGES)])
@pytest.mark.parametrize("model", MODELS)
def test_every_page_shows_its_demo(model, page):
    app = open_app(page, model=model)
    if page in INDEX_PAGES:
        assert not app.subheader, "nothing is shown before the index is there"
        built(app)
    assert not errors(app)
    assert app.title[0].value.replace("\\", "").startswith(TITLES.get(page, model))
    assert value(app, "model") == model
    assert app.query_params["model"] == model


@pytest.mark.parametrize(("model", "step"), [("lenet-fashion-mnist", 1), ("efficientnet-lite0", 12)])
def test_every_layer_can_be_chosen(model, step):
    """V10: each layer by the select box, with its first channel shown large."""
    app = open_app("layers", model=model)
    chosen = app.selectbox(key="_layer").options
    assert len(chosen) >= 10
    for index in range(0, len(chosen), step):
        fine(app.selectbox(key="_layer").select_index(index).run())
        assert not errors(app), chosen[index]
        layer = value(app, "layer")
        assert chosen[index].startswith(layer)
        assert app.query_params.get("layer", chosen[0].split()[0]) == layer
        assert app.subheader[0].value == f"Channel {app.query_params['channel']}"


def test_another_model_lets_go_of_the_old_ones_parts():
    app = open_app("layers", model="efficientnet-lite0", layer="conv_head", channel="7", target="tabby")
    fine(app.selectbox(key="_model").set_value("lenet-fashion-mnist").run())
    assert app.query_params["model"] == "lenet-fashion-mnist"
    assert "layer" not in app.query_params, "the new model's own first layer"
    assert app.subheader[0].value != "Channel 7"
    assert "target" not in app.session_state.selection
    assert value(app, "picture").startswith("fashion-mnist/")
    assert not errors(app)
    fine(app.selectbox(key="_layer").set_value("conv2").run())
    channel = app.query_params["channel"]
    fine(app.selectbox(key="_layer").set_value("conv1").run())
    assert int(app.query_params["channel"]) < 6, channel


def test_the_selection_goes_with_you_to_another_page(lenet):
    explain.build_index(lenet, "fashion-mnist", limit=50)
    app = open_app("layers", model="lenet-fashion-mnist", layer="conv2", channel="3")
    for page in ("saliency", "pictures", "layers"):
        fine(app.switch_page(f"explain/ui/pages/{page}.py").run())
        assert not errors(app), page
        assert "conv2 · channel 3" in [one.proto.label for one in app.sidebar.get("page_link")], page
        if page in INDEX_PAGES:
            fine(app.button_group(key="_sections").set_value("neighbours").run())
            assert app.subheader, "the index that is there is used"
    for section in ("filters", "patches", "activations"):
        fine(app.button_group(key="_section").set_value(section).run())
        assert not errors(app), section
        if section != "filters":
            assert app.subheader[0].value == "Channel 3", section
    assert (value(app, "layer"), app.query_params["channel"]) == ("conv2", "3")


def test_a_permalink_restores_activations():
    given = {
        "model": "lenet-fashion-mnist",
        "section": "activations",
        "picture": "fashion-mnist/7",
        "layer": "conv2",
        "channel": "5",
    }
    given |= {"activations.opacity": "0.25", "activations.smooth": "True", "activations.sort": "max"}
    app = open_app("layers", **given)
    assert [value(app, name) for name in ("layer", "picture")] == ["conv2", "fashion-mnist/7"]
    assert [value(app, f"activations.{name}") for name in ("opacity", "smooth", "sort")] == [0.25, True, "max"]
    assert app.subheader[0].value == "Channel 5"
    assert app.query_params == given


def shown_facts(app: AppTest) -> list[dict]:
    return [json.loads(code.value) for code in app.code if code.language == "json"]


def test_methods_by_classes_are_a_grid(lenet):
    given = {"model": "lenet-fashion-mnist", "picture": "fashion-mnist/12", "saliency.method": "grad_cam,gradient"}
    app = open_app("saliency", **given)
    fine(app.selectbox(key="_asked").set_value("five").run())
    (facts,) = shown_facts(app)
    likeliest = lenet.predict(explain.open_picture("fashion-mnist/12"))[0]
    assert (facts["view"], facts["methods"]) == ("saliency_grid", ["grad_cam", "gradient"])
    assert [one["target"] for one in facts["targets"]] == [name for name, _ in likeliest]
    numbers = [str(one["target_index"]) for one in facts["targets"]]
    assert app.query_params["target"] == ",".join(numbers), "in the URL stands what the view is given"
    assert app.query_params["saliency.method"] == "grad_cam,gradient"
    fine(app.selectbox(key="_picture").set_value("fashion-mnist/8").run())
    assert app.query_params["target"] != ",".join(numbers), "another picture has five others"
    fine(app.selectbox(key="_asked").set_value("").run())
    fine(app.multiselect(key="_target").set_value(["4", "6"]).run())
    (facts,) = shown_facts(app)
    assert [one["target_index"] for one in facts["targets"]] == [4, 6]
    fine(app.multiselect(key="_target").set_value([]).run())
    fine(app.button_group(key="_saliency.method").set_value(["gradient"]).run())
    assert app.query_params["saliency.method"] == "gradient"
    assert [one["view"] for one in shown_facts(app)] == ["saliency"]
    fine(app.button_group(key="_saliency.method").set_value([]).run())
    assert not errors(app)


def test_a_mistake_is_asked_about_both_classes(lenet):
    images = explain.load_images("fashion-mnist", limit=100)
    said = lenet.scores([images[k] for k in range(100)]).argmax(1).numpy()
    number = int((said != images.labels[:100]).nonzero()[0][0])
    app = open_app("saliency", model="lenet-fashion-mnist", picture=f"fashion-mnist/{number}", asked="mistake")
    (facts,) = shown_facts(app)
    classes = [one["target"] for one in facts["targets"]]
    assert classes == [images.classes[images.labels[number]], images.classes[said[number]]]


def test_a_channel_another_picture_and_another_model():
    app = open_app("saliency", model="lenet-fashion-mnist", **{"saliency.unit": "conv2", "target": "3"})
    (facts,) = shown_facts(app)
    assert (facts["unit"], facts["target_index"]) == ("conv2", 3)
    fine(app.selectbox(key="_beside").set_value("saliency_grid.second").run())
    fine(app.selectbox(key="_saliency_grid.second").set_value("fashion-mnist/8").run())
    (facts,) = shown_facts(app)
    assert facts["second"]["image"] == "fashion-mnist/8"
    assert facts["explained"] == ["channel 3 of conv2"] * 2
    fine(app.selectbox(key="_beside").set_value("saliency_grid.second_model").run())
    (facts,) = shown_facts(app)
    assert facts["second_model"]["model"] == "edges-fashion-mnist", "the first of the others"
    fine(app.selectbox(key="_asked").set_value("").run())
    (facts,) = shown_facts(app)
    assert "unit" not in facts
    assert not errors(app)


def test_a_refusing_method_is_said_and_the_others_are_shown():
    given = {"saliency.method": "guided_backprop,cam,gradient", "asked": "five"}
    app = open_app("saliency", model="lenet-fashion-mnist", **given)
    assert [any(word in info.value for word in ("Sigmoid", "averages")) for info in app.info] == [True, True]
    (facts,) = shown_facts(app)
    assert facts["view"] == "saliency_grid"
    app = open_app("saliency", model="lenet-fashion-mnist", **{"saliency.method": "cam"})
    assert "averages" in app.info[0].value
    assert not shown_facts(app)


def test_what_is_covered_is_in_the_facts():
    app = open_app("saliency", model="lenet-fashion-mnist", cover="True", covered="2,3,12,20;x;5,5,1,1")
    assert any("Without what is covered" in text.value for text in app.markdown)
    assert not errors(app)
    fine(app.toggle(key="_cover").set_value(False).run())
    assert not any("Without what is covered" in text.value for text in app.markdown)


def test_a_study_counts_hits(lenet):
    explain.build_index(lenet, "fashion-mnist", limit=120)
    app = open_app("study", model="lenet-fashion-mnist", **{"study.count": "10"})
    for _ in range(10):
        (right,) = (button for button in app.button if button.label == "Right")
        fine(right.click().run())
    assert app.subheader[0].value == "What came out"
    assert [metric.label for metric in app.metric] == ["With the map", "Without", "Always the same guess"]
    assert app.metric[2].value == "50%"
    (kept,) = (explain.workspace.root() / "studies").glob("*.csv")
    assert len(kept.read_text().splitlines()) == 12, "facts, names, ten answers"


def test_a_study_goes_on_where_nothing_can_be_written(lenet, monkeypatch):
    explain.build_index(lenet, "fashion-mnist", limit=120)

    def full(*_):
        raise explain.ExplainError("No space left.")

    monkeypatch.setattr(explain.workspace, "keep_answers", full)
    app = open_app("study", model="lenet-fashion-mnist", **{"study.count": "10", "study.seed": "1"})
    (wrong,) = (button for button in app.button if button.label == "Wrong")
    fine(wrong.click().run())
    assert "No space left" in app.warning[0].value
    assert any(button.label == "Wrong" for button in app.button), "the next picture is asked about"


def test_a_map_that_was_checked_on_one_page_is_checked_on_the_other():
    given = {"model": "lenet-fashion-mnist", "picture": "fashion-mnist/23"}
    app = open_app("walkthrough", **given)
    (button,) = (one for one in app.button if one.label == "Check it")
    fine(button.click().run())
    deadline = time.monotonic() + MOST_WAIT
    while not (verdicts := [*app.success, *app.warning, *app.error]):
        assert time.monotonic() < deadline
        time.sleep(0.3)
        fine(app.run())
    fine(app.switch_page("explain/ui/pages/saliency.py").run())
    assert not [one for one in app.button if one.label == "Check this map"]
    assert verdicts[0].value in [one.value for one in (*app.success, *app.warning, *app.error)]
    fine(app.selectbox(key="_picture").set_value("fashion-mnist/5").run())
    assert [one for one in app.button if one.label == "Check this map"], "another picture's map is another map"


def test_one_of_two_pictures_and_the_channel_selected():
    """The channel that a dropped figure is of becomes the one selected; of two pictures it is one of both."""
    app = open_app("layers", model="lenet-fashion-mnist", layer="conv2", **{"activations.channel": "3"})
    assert app.subheader[0].value == "Channel 3"
    assert app.query_params["channel"] == "3"
    assert "activations.channel" not in app.query_params
    fine(app.toggle(key="_two").set_value(True).run())
    assert app.query_params["activations.second"] == "fashion-mnist/6"
    (facts,) = shown_facts(app)
    assert (facts["second"]["image"], facts["style"]["channel"]) == ("fashion-mnist/6", None)
    fine(app.number_input(key="_activations.channel").set_value(5).run())
    (facts,) = shown_facts(app)
    assert facts["style"]["channel"] == 5
    fine(app.toggle(key="_two").set_value(False).run())
    assert app.subheader[0].value == "Channel 5"
    assert not errors(app)


def test_what_excites_a_unit_is_shown_or_refused_with_a_reason():
    app = open_app("channel", model="lenet-fashion-mnist", layer="conv2", channel="5")
    assert "What excites it here" in [one.value for one in app.subheader]
    assert "reached through Sigmoid" in app.info[0].value
    fine(app.selectbox(key="_unit.method").set_value("gradient").run())
    assert not app.info
    assert any('explain.unit(model, image, "conv2", 5, method="gradient")' in code.value for code in app.code)
    assert any("unit lenet-fashion-mnist fashion-mnist/1 --layer conv2 --channel 5" in code.value for code in app.code)
    assert app.query_params["unit.method"] == "gradient"
    for layer in ("conv1", "fc3"):
        fine(app.selectbox(key="_layer").set_value(layer).run())
        assert not errors(app)
        assert not app.info
        assert any(f'explain.unit(model, image, "{layer}", ' in code.value for code in app.code)


def test_a_permalink_restores_saliency():
    given = {"model": "lenet-fashion-mnist", "saliency.method": "grad_cam", "target": "4", "saliency.opacity": "0.75"}
    given |= {"saliency.mode": "signed"}
    app = open_app("saliency", **given)
    assert app.button_group(key="_saliency.method").value == ["grad_cam"]
    assert app.multiselect(key="_target").value == ["4"]
    assert [value(app, name) for name in ("saliency.opacity", "saliency.mode")] == [0.75, "signed"]
    assert app.query_params == given
    assert not errors(app)
    app = open_app("saliency", model="lenet-fashion-mnist", target="Coat")
    assert app.multiselect(key="_target").value == ["4"], "a class by its name"


BAD = [
    ("network", "model", "nope", "Unknown model 'nope'"),
    ("network", "model", "../../etc", "chosen by name"),
    ("layers", "layer", "nope", ""),
    ("layers", "channel", "99999", ""),
    ("layers", "channel", "²", ""),
    ("filters", "channel", "99999", ""),
    ("saliency", "target", "kat", "Unknown class 'kat'"),
    ("network", "picture", "photos/nope", "'nope'"),
    ("network", "picture", "photos/²", "'²'"),
    ("network", "picture", "fashion-mnist/²", "'²'"),
    ("network", "picture", "fashion-mnist/99999", "0 to"),
    ("network", "picture", "../../etc/passwd", "Unknown picture"),
    ("network", "picture", "/etc/passwd", "Unknown picture"),
    ("network", "picture", "upload/zz", "upload/zz"),
    ("network", "picture", "upload/" + "0" * 64, "no longer kept"),
    ("layers", "activations.second", "photos/nope", "'nope'"),
    ("layers", "activations.channel", "99999", ""),
    ("channel", "unit.position", "²,1", ""),
    ("channel", "unit.method", "x", ""),
    ("walkthrough", "convolution.position", "²,1", ""),
    ("walkthrough", "convolution.position", "3,99", ""),
    ("saliency", "saliency.method", "x", ""),
    ("saliency", "saliency.mode", "x", ""),
    ("saliency", "saliency.unit", "nope", ""),
    ("saliency", "saliency.layer", "nope", ""),
    ("saliency", "saliency_grid.second", "photos/nope", "'nope'"),
    ("saliency", "saliency_grid.second_model", "../x", "chosen by name"),
    ("saliency", "faithfulness.portions", "x", ""),
    ("saliency", "saliency.opacity", "abc", ""),
    ("saliency", "saliency.opacity", "nan", ""),
    ("layers", "activations.opacity", "7", ""),
    ("filters", "filters.page", "-3", ""),
    ("filters", "filters.page", "²", ""),
    ("filters", "filters.page", "999999", ""),
    ("filters", "filters.second", "nope", ""),
    ("network", "unheard_of", "1", ""),
]


@pytest.mark.parametrize(("page", "name", "text", "said"), BAD)
def test_a_bad_url_is_one_sentence_or_the_default(page, name, text, said):
    query = {"model": "lenet-fashion-mnist", name: text}
    if page == "filters":
        page, query = "layers", {"model": "efficientnet-lite0", "layer": "conv_head", "section": "filters", name: text}
    app = open_app(page, **query)
    if said:
        (message,) = errors(app)
        assert said in message.replace("\\", "")
    else:
        assert not errors(app)
    fine(app.selectbox(key="_model").set_value("efficientnet-lite0").run())
    other = "lenet-fashion-mnist"
    fine(app.selectbox(key="_model").set_value(other).run())
    assert not errors(app)
    assert app.query_params["model"] == other
    fine(app.selectbox(key="_picture").set_value("fashion-mnist/3").run())
    assert not errors(app)
    assert app.query_params["picture"] == "fashion-mnist/3"


@pytest.mark.parametrize(
    ("name", "text"),
    [("neighbours.k", "0"), ("neighbours.k", "x"), ("neighbours.metric", "x"), ("query", "77777"), ("index", "nope")],
)
def test_a_bad_url_of_the_neighbours_is_the_default(lenet, name, text):
    explain.build_index(lenet, "fashion-mnist", limit=50)
    app = open_app("pictures", section="neighbours", model="lenet-fashion-mnist", **{name: text})
    assert not errors(app)
    chosen = value(app, "neighbours.k"), value(app, "neighbours.metric"), value(app, "index")
    assert chosen == (8, "euclidean", "fashion-mnist")
    assert len(app.subheader) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("embedding.method", "magic"),
        ("embedding.pca.dimensions", "9"),
        ("embedding.count", "0"),
        ("embedding.place", "/etc/passwd"),
        ("embedding.layer", "nonsense"),
        ("point", "9" * 9),
        ("embedding.pooling", "x"),
    ],
)
def test_a_bad_url_of_the_embedding_is_the_default(lenet, name, text):
    explain.build_index(lenet, "fashion-mnist", limit=50)
    app = open_app("pictures", section="embedding", model="lenet-fashion-mnist", **{name: text})
    assert not errors(app)
    shown = tuple(value(app, f"embedding.{name}") for name in ("method", "layer", "pca.dimensions"))
    assert shown == ("pca", "features", 2)


def test_the_embedding_and_the_report_show_themselves(lenet):
    explain.build_index(lenet, "fashion-mnist", limit=50)
    app = open_app(
        "pictures",
        section="embedding",
        model="lenet-fashion-mnist",
        **{"embedding.method": "tsne", "embedding.tsne.perplexity": "1e9"},
    )
    assert not errors(app)
    assert (app.title[0].value, value(app, "embedding.tsne.perplexity")) == ("Pictures", 30.0)
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert app.title[0].value == "Report"
    assert not errors(app)


def test_the_picture_of_all_pages_has_its_place_on_the_map_unless_others_are_named(lenet):
    explain.build_index(lenet, "fashion-mnist", limit=50)

    def placed(app):
        facts = next(json.loads(code.value) for code in app.code if code.language == "json")
        return [one["image"] for one in facts["place"]]

    wanted = {"model": "lenet-fashion-mnist", "section": "embedding", "picture": "fashion-mnist/777"}
    app = open_app("pictures", **wanted)
    since = time.monotonic()
    while not app.code:
        assert time.monotonic() - since < 60
        fine(app.run())
    assert placed(app) == ["fashion-mnist/777"]
    assert placed(open_app("pictures", **wanted, **{"embedding.place": "none"})) == []
    app = open_app("pictures", **wanted, **{"embedding.place": "fashion-mnist/778,fashion-mnist/3"})
    assert placed(app) == ["fashion-mnist/778", "fashion-mnist/3"]
    fine(app.selectbox(key="_picture").set_value("fashion-mnist/3").run())
    assert placed(app) == [], "another picture lets go of them, and this one is of the index"


def test_a_bad_picture_is_mended_by_choosing_another():
    app = open_app("network", model="lenet-fashion-mnist", picture="photos/nope")
    assert errors(app)
    fine(app.selectbox(key="_picture").set_value("fashion-mnist/3").run())
    assert not errors(app)


def test_names_are_shown_as_they_are():
    def script():
        import streamlit as st

        from explain.errors import Unknown
        from explain.ui import widgets

        bad = "<b>x</b> **y** [z](http://a) $\\frac$ :red[r] `c` # 1. ~~d~~ a_b_ \n- l"
        st.caption(widgets.literal(bad))
        widgets.show_error(Unknown("class", bad))
        widgets.show_scores([(bad, 0.5), ("<script>alert(1)</script>", 0.25)])

    app = fine(AppTest.from_function(script).run())
    shown = app.caption[0].value
    for mark in ("<", "*", "[", "]", "(", "$", ":", "`", "#", "~", "_", "-"):
        assert f"\\{mark}" in shown
        assert shown.count(mark) == shown.count(f"\\{mark}"), f"every {mark} is escaped"
    assert "\n" not in shown
    html = app.main.get("html")[0].proto.body
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "<b>" not in html


def test_opacity_does_not_run_the_network(monkeypatch):
    calls = []

    def counted(*args, **options):
        calls.append(args)
        return trace.record(*args, **options)

    monkeypatch.setattr(activations, "record", counted)
    # A picture that no other test asks about, since results are kept for the whole process.
    app = open_app("layers", model="lenet-fashion-mnist", picture="fashion-mnist/4321", layer="conv2")
    assert len(calls) == 1
    fine(app.slider(key="_activations.opacity").set_value(0.3).run())
    assert app.query_params["activations.opacity"] == "0.3"
    fine(app.selectbox(key="_activations.sort").set_value("max").run())
    assert len(calls) == 1
    fine(app.selectbox(key="_layer").set_value("conv1").run())
    assert len(calls) == 2


def encoded(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


RAMP = np.linspace(0, 65535, 90 * 120).reshape(90, 120)
GOOD = {
    "photo.png": encoded(Image.fromarray((RAMP[..., None] / 257 * [1, 0.5, 0.2]).astype(np.uint8))),
    "grey16.png": encoded(Image.fromarray(RAMP.astype(np.uint16))),
}
REFUSED = {
    "text.png": b"not a picture at all",
    "empty.png": b"",
    "thin.png": encoded(Image.new("L", (1, 100_000))),
    "bomb.png": bomb(30_000, 30_000),
    "cut.png": GOOD["photo.png"][:200],
}


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    return fine(app.file_uploader[0].set_value((name, content, "image/png")).run())


def test_good_uploads_are_shown():
    app = open_app("network", model="efficientnet-lite0")
    kept = set()
    for name, content in GOOD.items():
        upload(app, name, content)
        assert not errors(app), name
        kept.add(app.query_params["picture"])
        assert name in app.selectbox(key="_picture").options
        assert value(app, "picture").startswith("upload/")
    assert len(kept) == len(GOOD)
    fine(app.switch_page("explain/ui/pages/layers.py").run())
    assert app.query_params["picture"] in kept
    assert not errors(open_app("network", **{**app.query_params, "layer": ""})), "an upload's URL opens elsewhere"


@pytest.mark.parametrize("name", REFUSED)
def test_bad_uploads_are_refused_and_the_app_goes_on(name):
    app = upload(open_app("network", model="lenet-fashion-mnist"), "photo.png", GOOD["photo.png"])
    before = app.query_params["picture"]
    upload(app, name, REFUSED[name])
    (message,) = errors(app)
    assert name in message.replace("\\", "")
    assert value(app, "picture") == before
    assert app.title, "the page with the earlier picture is still there"
    fine(app.selectbox(key="_picture").set_value("fashion-mnist/3").run())
    assert app.query_params["picture"] == "fashion-mnist/3"
    upload(app, "grey16.png", GOOD["grey16.png"])
    assert not errors(app)
