"""The pages Network, Compare and Learn without a browser: sections, permalinks, jobs, and what they refuse."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from explain.lectures import tables
from explain.ui import jobs
from explain.views import anatomy
from explain.views import lecture_tables as lectures

MOST_WAIT = 120
TABLE, SECOND = "lecture_tables.table", "compare.second"
MODELS = ("lenet-fashion-mnist", "efficientnet-lite0", "torchvision:resnet18?weights=random")


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))


def open_page(model: str = MODELS[0], /, **query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": model, **query})
    section = query.get("section", "")
    page = {"compare": "compare", "calculator": "learn", "lectures": "learn"}.get(section, "network")
    app.switch_page(f"explain/ui/pages/{page}.py")
    return fine(asked_for(app.run()))


def asked_for(app: AppTest) -> AppTest:
    """The same, where a link alone starts nothing: with a click on what it offers to load or to begin."""
    for _ in range(2):
        offered = [one for one in app.button if one.label == "Load it" or str(one.key).startswith("begin-")]
        app = offered[0].click().run() if offered else app
    return app


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def finished(app: AppTest, key: str) -> AppTest:
    """The page once the job whose key begins so is done."""
    deadline = time.monotonic() + MOST_WAIT
    while any(job.active for name, job in list(jobs._queue._jobs.items()) if name.startswith(key)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return fine(app.run())


def text(app: AppTest) -> str:
    parts = (*app.markdown, *app.caption, *app.warning, *app.success, *app.error, *app.info)
    return " ".join(part.value for part in parts).replace("\\", "")


@pytest.mark.parametrize("part", anatomy.PARTS)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_parts(model, part):
    app = open_page(model, section="anatomy", **{"anatomy.part": part})
    assert not app.error
    assert app.title[0].value.replace("\\", "") == model
    assert app.query_params["anatomy.part"] == part
    if part == "layers":
        assert {"Moved, KiB", "MACs a byte", "Field"} <= set(app.dataframe[0].value.columns)
    if part == "shares":
        assert "% of the parameters are in" in text(app)


def test_one_row_of_sections_sets_section_and_part():
    app = open_page(section="anatomy", **{"anatomy.part": "field"})
    row = app.button_group(key="_section")
    assert row.value == "field"
    fine(row.set_value("overview").run())
    assert (app.query_params["section"], app.button_group(key="_section").value) == ("overview", "overview")
    assert "What it says" in [one.value for one in app.subheader]
    fine(app.button_group(key="_section").set_value("shares").run())
    assert (app.query_params["section"], app.query_params["anatomy.part"]) == ("anatomy", "shares")
    assert "% of the parameters are in" in text(app)


def test_a_batch_multiplies_activations():
    app = open_page(section="anatomy", batch="1000")
    found = {metric.label: metric.value for metric in app.metric}
    assert found["Activations of 1,000"] == "34 MiB"
    assert found["Parameters"] == "61,706"


def test_the_calculator_says_what_does_not_fit():
    app = open_page(section="calculator", **{"output_size.stride": "3"})
    assert "does not fit. torch rounds down to 2 × 2" in text(app)
    assert {metric.label: metric.value for metric in app.metric}["Output"] == "2 1/3"
    fine(app.number_input(key="_output_size.size").set_value(9).run())
    assert app.query_params["output_size.size"] == "9"
    assert app.success
    fine(app.number_input(key="_output_size.window").set_value(99).run())
    assert "does not fit once" in app.error[0].value


@pytest.mark.parametrize("table", [name for name in tables.TABLES if name not in tables.SLOW])
def test_quick_tables_are_there_at_once(table):
    app = open_page(section="lectures", **{TABLE: table})
    assert not app.error
    assert app.query_params[TABLE] == table
    assert app.dataframe
    assert bool(app.subheader) == bool(lectures.compute(table).differences)


def test_slow_tables_are_a_job():
    app = finished(open_page(section="lectures", **{TABLE: "memory"}), "lecture_tables")
    assert "3 differ" in text(app)
    assert "727M on the slide, **724.4M** counted" in text(app)


def test_what_the_slides_get_wrong_is_a_table_of_sentences():
    app = finished(open_page(section="lectures", **{TABLE: "corrections"}), "lecture_tables")
    assert not app.error
    assert not app.subheader
    assert not app.dataframe
    (shown,) = app.table
    assert len(shown.value) == 42
    assert shown.value.iloc[4].tolist()[1:3] == ["128 × 13 × 13", "256 × 13 × 13, 128 on each GPU"]


def test_two_networks_are_a_job():
    app = finished(open_page(section="compare", **{SECOND: "lenet?conv1=20"}), "compare")
    assert not app.error
    assert "lenet?conv1=20 has 1.1 times the parameters of lenet-fashion-mnist" in text(app)
    tables = [one.value for one in app.get("html") if 'class="numbers' in one.value]
    assert len(tables) == 2
    assert "<td>parameters</td><td>61,706</td>" in tables[0]


@pytest.mark.parametrize("name", ["nope", "/etc/passwd", "../x", "lenet?x=../..", "models/lenet-fashion-mnist"])
def test_no_second_network_is_a_path(name):
    app = finished(open_page(section="compare", **{SECOND: name}), "compare")
    assert app.error
    assert not app.dataframe


def test_batches_are_a_job():
    app = finished(open_page(section="batches"), "batch_costs")
    assert not app.error
    assert "<th>Pictures a second</th>" in "".join(one.value for one in app.get("html"))
    assert "Of one forward pass" in text(app)


@pytest.mark.parametrize(
    "query", [{"section": "nope"}, {"batch": "x"}, {TABLE: "nope", "section": "lectures"}, {"anatomy.part": "x"}]
)
def test_a_mangled_permalink_shows_the_page(query):
    app = open_page(**query)
    assert app.title[0].value.replace("\\", "") in (MODELS[0], "Learn")
    assert not app.error
