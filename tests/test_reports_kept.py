"""What a visitor has collected for a report outlives the visit: a page that is loaded anew, a server that ends."""

import pytest
from streamlit.testing.v1 import AppTest

from explain import store
from explain.errors import BadFile
from explain.ui import report_items
from explain.workspace import budget, folder, reports


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    return tmp_path


def opened(page: str, /, **query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update(query)
    return fine(app.switch_page(f"explain/ui/pages/{page}.py").run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error
    return app


def collect(app: AppTest, page: str, caption: str) -> None:
    fine(app.switch_page(f"explain/ui/pages/{page}.py").run())
    next(one for one in app.text_input if one.label == "Caption in the report").set_value(caption).run()
    fine(app.button(f"collect-{page}").click().run())


def collected(app: AppTest) -> list[report_items.Collected]:
    return app.session_state["report"]


def go_on(app: AppTest) -> AppTest:
    (name,) = reports.kept_reports()
    return fine(app.button(f"go-on-{name}").click().run())


@pytest.fixture
def first():
    """A visit with two figures in its report."""
    app = opened("saliency", model="lenet-fashion-mnist", picture="fashion-mnist/7")
    collect(app, "saliency", "What speaks for it")
    collect(app, "filters", "Its filters")
    return app


def test_another_visit_goes_on_with_it(first):
    fine(first.switch_page("explain/ui/pages/report.py").run())
    next(one for one in first.text_input if one.label == "Title").set_value("Shirts").run()
    fine(first.button("Down-1").click().run())
    app = opened("report", model="lenet-fashion-mnist")
    assert any("**Shirts** · 2 figures" in one.value for one in app.markdown)
    go_on(app)
    assert [one.caption for one in collected(app)] == ["Its filters", "What speaks for it"]
    assert [one.value for one in app.text_area] == ["Its filters", "What speaks for it"]
    assert not app.warning
    for before, after in zip(collected(first), collected(app), strict=True):
        for format in ("png", "svg"):
            assert after.figure.encode(format) == before.figure.encode(format)
    (kept,) = reports.kept_reports().values()
    assert (kept.title, len(kept.entries)) == ("Shirts", 2)
    collect(app, "saliency", "Once more")
    assert [len(one.entries) for one in reports.kept_reports().values()] == [3]


def test_a_visit_that_is_still_there_loses_nothing_by_it(first):
    app = opened("report", model="lenet-fashion-mnist")
    go_on(app)
    collect(first, "saliency", "Later")
    assert sorted(len(one.entries) for one in reports.kept_reports().values()) == [2, 3]


def test_a_figure_that_cannot_be_drawn_again_is_named_and_not_lost(first, home):
    (path,) = (home / "reports").iterdir()
    path.write_text(path.read_text().replace('"lenet-fashion-mnist"', '"gone"', 1))
    app = opened("report", model="lenet-fashion-mnist")
    go_on(app)
    assert len(collected(app)) == 1
    assert "What speaks for it" in app.warning[0].value.replace("\\", "")
    assert sorted(len(one.entries) for one in reports.kept_reports().values()) == [1, 2]


def test_it_is_removed_by_hand_or_with_its_last_figure(first):
    app = opened("report", model="lenet-fashion-mnist")
    (name,) = reports.kept_reports()
    fine(app.button(f"forget-{name}").click().run())
    assert not reports.kept_reports()
    fine(first.switch_page("explain/ui/pages/report.py").run())
    fine(first.button("Remove-1").click().run())
    assert [len(one.entries) for one in reports.kept_reports().values()] == [1]
    fine(first.button("Remove-2").click().run())
    assert not reports.kept_reports()


def test_it_is_counted_and_of_its_visitor(first, home):
    assert [item.kind.folder for item in budget.measure().items if item.kind.folder == "reports"] == ["reports"]
    with folder.within(home / "visitors" / "bob"):
        assert not reports.kept_reports()


def test_what_is_none_of_ours_is_not_offered(first, home):
    (home / "reports" / "half.json").write_text('{"report": 1, "title"')
    (home / "reports" / "other.json").write_text("[]")
    assert len(reports.kept_reports()) == 1
    assert len(opened("report", model="lenet-fashion-mnist").button) > 1


def test_where_nothing_can_be_written_it_is_of_the_visit(monkeypatch):
    def refused(*_):
        raise BadFile("Read-only.")

    app = opened("saliency", model="lenet-fashion-mnist", picture="fashion-mnist/7")
    monkeypatch.setattr(store, "write", refused)
    collect(app, "saliency", "What speaks for it")
    fine(app.switch_page("explain/ui/pages/report.py").run())
    assert len(collected(app)) == 1
