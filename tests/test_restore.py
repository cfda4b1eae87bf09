"""restore: a figure that was saved leads back to its view, and a foreign file to one sentence. Views: test_views."""

import functools
import json

import pytest
from streamlit.testing.v1 import AppTest
from view_cases import CASES, asked, style_of

import explain
from explain.errors import ExplainError
from explain.figure import Figure, read_facts
from explain.ui import dropped, exports, report_items, restore
from explain.ui.navigation import script
from explain.views import VIEWS
from explain.workspace import reports

pytestmark = pytest.mark.usefixtures("workspace")
MODEL = "lenet-fashion-mnist"
SHOWN = [name for name in CASES if VIEWS[name.partition(":")[0]].page]


@pytest.fixture(scope="module")
def facts_of(made, known):
    """Those inside a case's figure."""
    return functools.cache(lambda name: read_facts(made(name).figure(**style_of(asked(name, known)[0])).encode("svg")))


def open_app(**query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": MODEL, **query})
    app.switch_page("explain/ui/pages/network.py")
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def drop(app: AppTest, name: str, content: bytes) -> AppTest:
    return fine(app.file_uploader[0].set_value((name, content, "application/octet-stream")).run())


def said(app: AppTest) -> str:
    return " ".join(toast.value for toast in app.toast).replace("\\", "")


def with_facts(**facts) -> bytes:
    return Figure("x", (), facts).encode("svg")


@pytest.mark.parametrize("name", SHOWN)
def test_each_parameter_is_chosen_by_its_name_in_the_url(facts_of, known, name):
    """What the contract sees on the page, without the page: nothing of the facts is lost on the way."""
    view, values = asked(name, known)
    found = restore.restored(facts_of(name))
    assert found.page == view.page
    assert found.notes == []
    for parameter, one in view.parameters.items():
        if not one.kind.hidden and not one.is_options and values.get(parameter) is not None:
            assert found.selection.get(view.key(parameter)) or parameter == "image", parameter
    for option, value in style_of(view).items():
        assert view.drawing[option].check(found.selection[view.key(option)]) == pytest.approx(value), option


@pytest.mark.parametrize("name", ["x.svg", "x.pdf"])
def test_a_foreign_figure_is_refused(name):
    content = b"<svg xmlns='http://www.w3.org/2000/svg'/>" if name == "x.svg" else b"%PDF-1.4\n%%EOF"
    app = drop(open_app(), name, content)
    (error,) = app.error
    assert f"no facts of explain in '{name}'" in error.value.replace("\\", "")
    assert app.title[0].value.replace("\\", "") == MODEL, "the page goes on"


@pytest.mark.parametrize("facts", [{"view": "nope"}, {"view": 3}, {"view": []}, {"x": 1}, {"view": "leaderboard"}])
def test_a_view_of_no_page_is_said(facts):
    app = drop(open_app(), "x.svg", with_facts(**facts))
    assert len(app.error) == 1
    assert app.title[0].value.replace("\\", "") == MODEL


def test_what_is_not_here_is_said_and_the_rest_is_restored(facts_of):
    facts = facts_of("saliency")
    for wrong, text in [
        ({"model": "../lenet"}, "model in the facts: '../lenet'"),
        ({"model": "torchvision:nope"}, "torchvision model 'nope'"),
        ({"image": "upload/" + "0" * 64}, "no longer kept"),
        ({"image": "mine.png"}, "'mine.png', which is not kept here"),
        ({"image": "/etc/passwd"}, "not kept here"),
        ({"model_digest": "0"}, "other weights"),
    ]:
        app = drop(open_app(), "x.svg", with_facts(**{**facts, **wrong}))
        of_map = [one for one in app.error if one.value.startswith("**Fails.**")]  # a verdict
        assert list(app.error) == of_map, wrong
        assert text in said(app), wrong
        assert "is open again" not in said(app), "it shows another figure than the one that was dropped"
        assert app.title[0].value == "Saliency"
        assert app.query_params[VIEWS["saliency"].key("method")] == facts["method"]
        assert app.query_params[VIEWS["saliency"].key("mode")] == facts["style"]["mode"]
        assert "passwd" not in str(app.query_params)


def test_values_are_cut_and_unknown_ones_left_out(facts_of):
    long = {"target": "x" * 9999, "evil": "y", "options": {"z" * 999: "w" * 999}, "style": {"mode": {}}}
    app = AppTest.from_function(lambda: None)
    fine(app.run())
    found = restore.restored({**facts_of("saliency"), **long, "model": "/etc"})
    assert all(len(str(value)) <= 300 and len(name) < 500 for name, value in found.selection.items())
    assert "evil" not in found.selection
    assert not found.selection.get("target"), "a class of a model that is not known"
    assert found.selection[VIEWS["saliency"].key("mode")] == "absolute", "its default: what was written there is none"
    assert len(found.notes) >= 2


@pytest.mark.parametrize("kind", [None, [], {}, 3, "x", [[]], float("inf"), 10**400, True])
def test_mangled_facts_never_raise(facts_of, kind):
    for name in SHOWN:
        facts = facts_of(name)
        for key in facts:
            try:
                found = restore.restored({**facts, key: kind})
            except ExplainError:
                assert key == "view"
                continue
            assert script(found.page).is_file()


@pytest.fixture
def no_report(workspace):
    for name in reports.kept_reports():
        reports.forget_report(name)


def test_figures_are_collected_to_a_report(no_report):
    app = open_app()
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert "Nothing yet" in app.info[0].value
    fine(app.switch_page("explain/ui/pages/saliency.py").run())
    fine(app.button(key="collect-saliency").click().run())
    assert "1 figure." in said(app)
    fine(app.switch_page("explain/ui/pages/layers.py").run())
    fine(app.button_group(key="_section").set_value("filters").run())
    fine(app.button(key="collect-filters").click().run())
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert app.text_area[0].value.startswith("Grad-CAM for")
    fine(app.text_area[0].set_value("My caption").run())
    fine(app.text_area[1].set_value("Another").run())
    fine(app.text_input[0].set_value("My title").run())
    fine(app.switch_page("explain/ui/pages/network.py").run())
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert app.text_input[0].value == "My title"
    assert [area.value for area in app.text_area] == ["My caption", "Another"]
    first, second = (one.key for one in reports.kept_report().items)
    fine(app.button(key=f"Down-{first}").click().run())
    assert [area.value for area in app.text_area] == ["Another", "My caption"]
    assert app.button(key=f"Up-{second}").disabled
    fine(app.button(key=f"Remove-{second}").click().run())
    assert [area.value for area in app.text_area] == ["My caption"]


def test_a_full_report_says_so(monkeypatch, no_report):
    monkeypatch.setattr(report_items, "MOST_COLLECTED", 1)
    app = open_app()
    fine(app.button(key="collect-anatomy").click().run())
    assert app.button(key="collect-anatomy").disabled
    assert any("report is full" in caption.value for caption in app.caption)


def test_a_preview_is_drawn_only_when_asked_for(monkeypatch):
    drawn, real = [], exports.seen_as
    monkeypatch.setattr(exports, "seen_as", lambda pixels, vision: drawn.append(pixels.shape) or real(pixels, vision))
    app = open_app()
    assert not drawn
    app.session_state["export-anatomy"] = True
    fine(app.run())
    assert len(drawn) == 1
    fine(app.selectbox(key="_anatomy.width_mm").set_value("nature").run())
    assert drawn[1][1] == round(89 / 25.4 * exports.DOTS)
    app.session_state["export-anatomy"] = False
    fine(app.run())
    assert len(drawn) == 2


def test_the_look_on_paper_is_a_part_of_the_link_and_of_a_dropped_file(lenet, no_report):
    """What is chosen in the studio is in the URL and the lines of code; a file saved so opens with it again."""
    style = {"width_mm": "nature", "font_pt": 6.0, "footer": False, "title_text": "Mine"}
    content = explain.anatomy(lenet).figure(**style).encode("svg")
    app = drop(open_app(), "x.svg", content)
    assert app.query_params["anatomy.width_mm"] == "89"
    assert app.selectbox(key="_anatomy.width_mm").value == "nature"
    assert app.text_input(key="_anatomy.title_text").value == "Mine"
    assert any('width_mm=89.0, font_pt=6.0, title_text="Mine", footer=False' in one.value for one in app.code)
    told = json.loads(next(one.value for one in app.code if one.value.startswith("{")))
    assert told["paper"] == {"width_mm": 89.0, "font_pt": 6.0, "title_text": "Mine", "footer": False}
    fine(app.selectbox(key="_model").set_value("edges-fashion-mnist").run())
    assert app.text_input(key="_anatomy.title_text").value == "", "words of one figure are not those of another"
    assert app.selectbox(key="_anatomy.width_mm").value == "nature"


def test_a_toast_outlives_a_run_that_another_one_overtakes():
    def script():
        import streamlit as st

        from explain.ui import toasts

        turn = st.session_state.get("turn", 0)
        st.session_state.turn = turn + 1
        if turn < 2:
            toasts.add("Said twice, shown once.", "warning")
            st.rerun()
        toasts.show()

    app = AppTest.from_function(script).run()
    assert [toast.value for toast in app.toast] == ["Said twice, shown once."]
    assert not app.run().toast


def test_what_a_run_did_not_get_to_is_followed_by_the_one_that_overtook_it(monkeypatch):
    class Overtaken(BaseException):
        """As Streamlit ends a run when another is asked for."""

    def overtaken(facts):
        raise Overtaken

    def none(facts):
        raise ExplainError("No view.")

    state = {"dropped": {"view": "saliency"}}
    monkeypatch.setattr(dropped.st, "session_state", state)
    for ends, stays in ((overtaken, True), (none, False)):
        monkeypatch.setattr(restore, "restored", ends)
        with pytest.raises((Overtaken, ExplainError)):
            restore.follow()
        assert ("dropped" in state) == stays
