"""What a visitor collects for a report is one for all of their pages, tabs and visits, and outlives a server."""

import json

import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain import store
from explain.errors import BadFile
from explain.ui import report_items
from explain.workspace import budget, folder, reports

LENET = {"model": "lenet-fashion-mnist", "picture": "fashion-mnist/7"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    return tmp_path


def opened(page: str, /, **query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update(query)
    return go(app, page)


def go(app: AppTest, page: str) -> AppTest:
    if page == "filters":
        go(app, "layers")
        return fine(app.button_group(key="_section").set_value(page).run())
    return fine(app.switch_page(f"explain/ui/pages/{page}.py").run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error
    return app


def collect(app: AppTest, page: str) -> None:
    go(app, page)
    fine(app.button(f"collect-{page}").click().run())


def items() -> tuple[reports.Item, ...]:
    return reports.kept_report().items


def names() -> list[str]:
    return [one.name for one in items()]


def labels(app: AppTest, label: str) -> list[str]:
    return [one.value for kind in (app.text_input, app.text_area) for one in kind if one.label == label]


def field(app: AppTest, label: str, place: int = 0):
    return [one for kind in (app.text_input, app.text_area) for one in kind if one.label == label][place]


def links(app: AppTest) -> list[str]:
    return [one.proto.label for one in app.get("page_link")]


@pytest.fixture
def first():
    """A visit with two figures in its report."""
    app = opened("saliency", **LENET)
    collect(app, "saliency")
    collect(app, "filters")
    return app


def test_a_link_opened_anew_has_the_same_report_and_counts_it(first):
    """What a reload, another tab and a server that was started again have in common: a visit that knows nothing."""
    app = opened("report", **LENET)
    assert not app.info
    assert labels(app, "Title") == [one.title for one in items()]
    collect(app, "saliency")
    assert names() == ["saliency", "filters", "saliency"]
    go(first, "report")
    assert len(labels(first, "Caption")) == 3, "and the visit before sees it"


def test_what_is_changed_on_the_page_is_kept(first):
    go(first, "report")
    fine(field(first, "Title of the report").set_value("Shirts").run())
    fine(field(first, "Caption").set_value("What speaks for it").run())
    fine(field(first, "Title", 1).set_value("Its filters").run())
    fine(first.button(f"Down-{items()[0].key}").click().run())
    assert reports.kept_report().title == "Shirts"
    assert (items()[0].name, items()[0].title) == ("filters", "Its filters")
    assert items()[1].caption == "What speaks for it"
    app = opened("report", **LENET)
    assert labels(app, "Title") == [one.title for one in items()]
    assert labels(app, "Title of the report") == ["Shirts"]


def test_a_title_is_drawn_and_an_empty_one_is_none(first):
    go(first, "report")
    fine(field(first, "Title").set_value("Another title").run())
    (name, *_) = items()
    assert explain.redraw(name.facts).heading == "Another title"
    assert report_items.Paper(**name.facts["paper"]).title_text == "Another title"
    fine(field(first, "Title").set_value("").run())
    assert explain.redraw(items()[0].facts).heading == ""


def test_what_is_removed_comes_back_where_it_was(first):
    go(first, "report")
    before = items()
    fine(first.button(f"Remove-{before[0].key}").click().run())
    assert names() == ["filters"]
    fine(first.button("undo").click().run())
    assert items() == before
    assert not [one for one in first.button if one.key == "undo"]
    for one in before:
        fine(first.button(f"Remove-{one.key}").click().run())
    assert first.info
    fine(first.button("undo").click().run())
    assert names() == ["filters"]


def test_a_figure_leads_back_to_the_page_that_made_it(first):
    app = opened("report", **LENET)
    fine(app.button(f"open-{items()[1].key}").click().run())
    assert app.title[0].value == "Layers and channels"
    assert app.query_params["model"] == "lenet-fashion-mnist"


def test_the_download_of_another_visit_draws_what_the_first_has(first):
    go(first, "report")
    app = opened("report", **LENET)
    assert not [one for one in app.get("download_button") if "report" in one.label]
    fine(app.button("draw-all").click().run())
    held = [visit.session_state["report-figures"] for visit in (first, app)]
    for one in items():
        for format in ("png", "svg"):
            assert held[0][one.key].encode(format) == held[1][one.key].encode(format)


def test_a_figure_that_cannot_be_drawn_again_is_named_and_not_lost(first, home):
    (path,) = (home / "reports").glob("*.json")
    path.write_text(path.read_text().replace('"lenet-fashion-mnist"', '"gone"', 1))
    app = opened("report", **LENET)
    assert any("cannot be drawn again" in one.value for one in app.warning)
    fine(app.button("draw-all").click().run())
    assert any("Not in the download" in one.value for one in app.warning)
    assert len(items()) == 2


def test_another_is_begun_and_the_first_gone_on_with(first):
    go(first, "report")
    fine(first.button("begin").click().run())
    assert not items()
    collect(first, "filters")
    (name,) = [name for name, one in reports.kept_reports().items() if len(one.items) == 2]
    go(first, "report")
    fine(first.button(f"go-on-{name}").click().run())
    assert names() == ["saliency", "filters"]
    (other,) = [name for name, one in reports.kept_reports().items() if len(one.items) == 1]
    fine(first.button(f"forget-{other}").click().run())
    assert list(reports.kept_reports()) == [name]


def test_what_is_in_it_says_so_under_the_figure(first):
    go(first, "saliency")
    assert "In the report" in links(first)
    app = opened("saliency", model="lenet-fashion-mnist", picture="fashion-mnist/8")
    assert "In the report" not in links(app)


def test_a_report_of_an_earlier_version_is_read(first, home):
    (path,) = (home / "reports").glob("*.json")
    old = json.loads(path.read_text())
    for entry in old["entries"]:
        del entry["title"], entry["key"]
    del old["changed"]
    path.write_text(json.dumps(old))
    assert [one.title for one in items()] == [one.caption for one in items()]
    go(first, "report")
    fine(first.button("Down-0").click().run())
    assert names() == ["filters", "saliency"]


def test_it_is_counted_and_of_its_visitor(first, home):
    assert {item.kind.folder for item in budget.measure().items if item.kind.folder == "reports"} == {"reports"}
    with folder.within(home / "visitors" / "bob"):
        assert not reports.kept_reports()


def test_what_is_none_of_ours_is_not_offered(first, home):
    (home / "reports" / "half.json").write_text('{"report": 1, "title"')
    (home / "reports" / "other.json").write_text("[]")
    assert len(reports.kept_reports()) == 1
    assert len(opened("report", **LENET).button) > 1


def test_where_nothing_can_be_written_it_is_of_the_visit(monkeypatch):
    def refused(*_):
        raise BadFile("Read-only.")

    app = opened("saliency", **LENET)
    monkeypatch.setattr(store, "write", refused)
    collect(app, "saliency")
    go(app, "filters")
    assert len(app.session_state["report-unkept"].items) == 1
    assert not items()
