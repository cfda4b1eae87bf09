"""restore: a figure that was saved leads back to its view, and a foreign file to one sentence."""

import json

import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain.errors import ExplainError
from explain.figure import Figure, read_facts
from explain.ui import report_items, restore, widgets
from explain.views import (
    activations,
    anatomy,
    channel,
    channel_health,
    embedding,
    filters,
    hierarchy,
    lectures,
    neighbours,
    output_size,
    patches,
    saliency,
    unit,
)

MODEL = "lenet-fashion-mnist"
PICTURE = "fashion-mnist/7"
MISTAKE = "fashion-mnist/23", "Ankle boot", "Sneaker"  # its label, and what it is taken for


@pytest.fixture(autouse=True, scope="module")
def workspace(tmp_path_factory, lenet):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        explain.build_index(lenet, "fashion-mnist", limit=60)
        yield


@pytest.fixture(scope="module")
def index(workspace, lenet):
    (folder,) = explain.workspace.list_indexes(lenet).values()
    return explain.open_index(folder, lenet)


def picture(reference=PICTURE):
    return explain.open_picture(reference)


# Each as the app can show it, with the place in its page's exports.
MADE = {
    "anatomy": lambda m, i: anatomy.compute(m).figure(),
    "anatomy field": lambda m, i: anatomy.compute(m).figure(part="field"),
    "output_size": lambda m, i: output_size.compute(size=9, stride=3, dilation=2, bias=False).figure(),
    "lectures": lambda m, i: lectures.compute("alexnet").figure(),
    "filters": lambda m, i: filters.compute(m, "conv2").figure(scale="layer", polarity="dark", sort="norm"),
    "activations": lambda m, i: activations.compute(m, picture(), "conv2").figure(sort="max", scale="channel"),
    "activations of a channel": lambda m, i: activations.compute(m, picture(), "act1").figure(
        3, opacity=0.3, smooth=True
    ),
    "activations of two": lambda m, i: activations.render_pair(
        *(activations.compute(m, picture(name), "conv1") for name in (PICTURE, "fashion-mnist/8"))
    ),
    "saliency": lambda m, i: saliency.compute(m, picture(), "grad_cam", "Coat", positive=False).figure(
        mode="signed", opacity=0.25, clip=90
    ),
    "saliency of classes": lambda m, i: saliency.render_grid(
        [
            [saliency.compute(m, picture(), method, name) for name, _ in m.predict(picture())[0]]
            for method in ("gradient", "grad_cam")
        ],
        scale="all",
        mode="positive",
    ),
    "saliency of a mistake": lambda m, i: saliency.render_grid(
        [[saliency.compute(m, picture(MISTAKE[0]), "grad_cam", name) for name in MISTAKE[1:]]]
    ),
    "saliency of two": lambda m, i: saliency.render_grid(
        [[saliency.compute(m, picture(name)) for name in (PICTURE, "fashion-mnist/8")]]
    ),
    "saliency of two models": lambda m, i: saliency.render_grid(
        [[saliency.compute(model, picture()) for model in (m, explain.load_model("efficientnet-lite0"))]]
    ),
    "unit": lambda m, i: unit.compute(m, picture(), "conv1", 2, method="gradient").figure(),
    "patches": lambda m, i: patches.compute(i, "conv2", range(12, 16), "random").figure(whole=True),
    "channel": lambda m, i: channel.compute(i, "conv2", 13, picture()).figure(),
    "hierarchy": lambda m, i: hierarchy.compute(i, picture()).figure(),
    "neighbours": lambda m, i: neighbours.compute(i, 7, k=3, metric="cosine").figure(),
}
# A view has facts of its own beside what the page can choose.
PATHS = {
    "output_size": "anatomy",
    "lectures": "anatomy",
    "unit": "activations",
    "channel": "patches",
    "hierarchy": "patches",
}


def open_app(**query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": MODEL, **query})
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def drop(app: AppTest, name: str, content: bytes) -> AppTest:
    return fine(app.file_uploader[0].set_value((name, content, "application/octet-stream")).run())


def shown(app: AppTest) -> list[dict]:
    """The facts of each figure that the page offers."""
    return [json.loads(code.value) for code in app.code if code.language == "json"]


def said(app: AppTest) -> str:
    return " ".join(toast.value for toast in app.toast).replace("\\", "")


# How a format is read does not depend on the view.
CASES = [(name, "svg") for name in MADE] + [("saliency", "png"), ("patches", "pdf")]


@pytest.mark.parametrize(("name", "format"), CASES)
def test_a_figure_leads_back_to_its_view(lenet, index, name, format):
    content = MADE[name](lenet, index).encode(format, width_mm=80, dpi=60)
    app = drop(open_app(model="efficientnet-lite0"), f"figure.{format}", content)
    assert not app.error
    assert "open again" in said(app)
    assert len(app.toast) == 1, said(app)
    page = PATHS.get(name.partition(" ")[0], name.partition(" ")[0])
    assert app.title[0].value.replace("\\", "") == (MODEL if page == "overview" else page.capitalize())
    wanted = read_facts(content)
    assert wanted in [json.loads(json.dumps(facts)) for facts in shown(app)]
    assert app.query_params["model"] == (MODEL if "model" in wanted else "efficientnet-lite0")


def test_what_was_chosen_before_is_let_go_of(lenet, index):
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": MODEL, "layer": "conv1", "two": "True", "channel": "1", "opacity": "0.9"})
    app.switch_page("explain/ui/pages/activations.py")
    fine(app.run())
    content = MADE["activations of a channel"](lenet, index).encode("svg")
    drop(app, "figure.svg", content)
    assert read_facts(content) in shown(app)
    assert "two" not in app.query_params


def test_the_census_is_on_the_page_of_patches(lenet, index):
    found = restore.restored(facts_of(channel_health.compute(index, "conv1").figure()))
    assert (found.page, found.selection["layer"]) == ("explain/ui/pages/patches.py", "conv1")


def test_a_map_leads_back_to_its_options(lenet, index):
    """The page itself is opened by a browser in tests/browser."""
    result = embedding.compute(index, "pca", layer="conv2", pooling="flat", dimensions=3)
    found = restore.restored(facts_of(result.figure(colour="trust")))
    assert found.page == "explain/ui/pages/embedding.py"
    wanted = {"projection": "pca", "embed_layer": "conv2", "pooling": "flat", "pca_dimensions": "3", "colour": "trust"}
    assert wanted.items() <= found.selection.items()
    assert found.notes == []


def facts_of(figure):
    return read_facts(figure.encode("svg"))


def with_facts(**facts) -> bytes:
    return Figure("x", (), facts).encode("svg")


@pytest.mark.parametrize("name", ["x.svg", "x.pdf"])
def test_a_foreign_figure_is_refused(name):
    app = drop(
        open_app(), name, b"<svg xmlns='http://www.w3.org/2000/svg'/>" if name == "x.svg" else b"%PDF-1.4\n%%EOF"
    )
    (error,) = app.error
    assert f"no facts of explain in '{name}'" in error.value.replace("\\", "")
    assert app.title[0].value.replace("\\", "") == MODEL, "the page goes on"


@pytest.mark.parametrize("facts", [{"view": "nope"}, {"view": 3}, {"view": []}, {"x": 1}])
def test_a_view_of_no_page_is_said(facts):
    app = drop(open_app(), "x.svg", with_facts(**facts))
    assert len(app.error) == 1
    assert app.title[0].value.replace("\\", "") == MODEL


def test_what_is_not_here_is_said_and_the_rest_is_restored(lenet, index):
    facts = facts_of(MADE["saliency"](lenet, index))
    for wrong, text in [
        ({"model": "../lenet"}, "model '../lenet' is not known"),
        ({"model": "torchvision:nope"}, "torchvision model 'nope'"),
        ({"image": "upload/" + "0" * 64}, "no longer kept"),
        ({"image": "mine.png"}, "'mine.png' was somebody's own file"),
        ({"image": "/etc/passwd"}, "somebody's own file"),
        ({"model_digest": "0"}, "other weights"),
    ]:
        app = drop(open_app(), "x.svg", with_facts(**{**facts, **wrong}))
        assert not app.error, wrong
        assert text in said(app), wrong
        assert app.title[0].value == "Saliency"
        assert app.query_params["method"] == "grad_cam"
        assert app.query_params["mode"] == "signed"
        assert "passwd" not in str(app.query_params)


def test_values_are_cut_and_unknown_ones_left_out(lenet, index):
    facts = facts_of(MADE["saliency"](lenet, index))
    long = {
        "target": "x" * 9999,
        "evil": "y",
        "options": {"z" * 999: "w" * 999, "positive": [1]},
        "style": {"mode": {}},
    }
    app = AppTest.from_function(lambda: None)
    fine(app.run())
    found = restore.restored({**facts, **long, "model": "/etc"})
    assert all(len(str(value)) <= 300 and len(name) < 500 for name, value in found.selection.items())
    assert "evil" not in found.selection
    assert "target" not in found.selection, "a class of a model that is not known"
    assert found.selection["mode"] == ""


@pytest.mark.parametrize("kind", [None, [], {}, 3, "x", [[]], float("inf"), 10**400, True])
def test_mangled_facts_never_raise(lenet, index, kind):
    made = [MADE[name](lenet, index) for name in ("saliency", "patches", "neighbours", "activations of two")]
    for figure in (*made, embedding.compute(index, "pca", layer="conv2").figure()):
        facts = facts_of(figure)
        for key in facts:
            try:
                found = restore.restored({**facts, key: kind})
            except ExplainError:
                assert key == "view"
                continue
            assert found.page.startswith("explain/ui/pages/")


def test_every_view_has_a_place():
    from explain.workspace.redraw import VIEWS

    assert set(VIEWS) <= set(restore.PLACES)


def test_figures_are_collected_to_a_report(lenet):
    app = open_app()
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert "Nothing yet" in app.info[0].value
    fine(app.switch_page("explain/ui/pages/saliency.py").run())
    (caption,) = [one for one in app.text_input if one.label == "Caption in the report"]
    assert caption.value.startswith("Gradient for")
    fine(caption.set_value("My caption").run())
    fine(app.button(key="collect-saliency").click().run())
    assert "1 figure." in said(app)
    fine(app.switch_page("explain/ui/pages/filters.py").run())
    fine(app.button(key="collect-filters").click().run())
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert app.text_area[0].value == "My caption"
    fine(app.text_area[1].set_value("Another").run())
    fine(app.text_input[0].set_value("My title").run())
    fine(app.switch_page("explain/ui/pages/overview.py").run())
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert app.text_input[0].value == "My title"
    assert [area.value for area in app.text_area] == ["My caption", "Another"]
    fine(app.button(key="Down-1").click().run())
    assert [area.value for area in app.text_area] == ["Another", "My caption"]
    assert app.button(key="Up-2").disabled
    fine(app.button(key="Remove-2").click().run())
    assert [area.value for area in app.text_area] == ["My caption"]


def test_a_full_report_says_so(monkeypatch):
    monkeypatch.setattr(report_items, "MOST_COLLECTED", 1)
    app = open_app()
    fine(app.button(key="collect-anatomy").click().run())
    assert app.button(key="collect-anatomy").disabled
    assert any("report is full" in caption.value for caption in app.caption)


def test_a_preview_is_drawn_only_when_asked_for(monkeypatch):
    drawn, real = [], widgets.seen_as
    monkeypatch.setattr(widgets, "seen_as", lambda pixels, vision: drawn.append(vision) or real(pixels, vision))
    app = open_app()
    assert not drawn
    fine(app.toggle(key="preview-anatomy").set_value(True).run())
    assert drawn == ["all colours"]
    fine(app.toggle(key="preview-anatomy").set_value(False).run())
    assert len(drawn) == 1
