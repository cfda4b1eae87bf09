"""A link alone starts nothing that takes long: it offers to; what a visitor does themselves needs no second click."""

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain.ui import jobs
from explain.workspace import list_indexes

MOST_WAIT = 120


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    for key in list(jobs._queue._jobs):
        jobs._queue.forget(key)


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update(query)
    app.switch_page(f"explain/ui/pages/{page}.py")
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error
    return app


def begins(app: AppTest) -> list:
    return [one for one in app.button if str(one.key).startswith("begin-")]


def settled(app: AppTest) -> AppTest:
    deadline = time.monotonic() + MOST_WAIT
    while any(job.active for job in list(jobs._queue._jobs.values())):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return fine(app.run())


def test_an_index_is_made_when_somebody_asks_for_it():
    model = explain.load_model("efficientnet-lite0")
    app = opened("layers", model="efficientnet-lite0", section="patches", index="photos")
    time.sleep(0.5)
    key = f"index {model.digest} photos"
    assert [job.state for name, job in jobs._queue._jobs.items() if name == key] == ["idle"]
    assert not list_indexes(model)
    (button,) = begins(app)
    assert button.label == "Index photos with efficientnet-lite0"
    fine(button.click().run())
    app = settled(app)
    assert list(list_indexes(model)) == ["photos"]
    assert not begins(app)


def test_a_visitor_who_goes_there_has_asked():
    app = opened("layers", model="efficientnet-lite0", index="photos")
    fine(app.button_group(key="_section").set_value("patches").run())
    assert not begins(app)
    settled(app)
    assert list(list_indexes(explain.load_model("efficientnet-lite0"))) == ["photos"]


def test_a_link_loads_no_network_of_a_library():
    """Of one that no other test has loaded in this process."""
    app = opened("network", model="torchvision:mnasnet0_5?weights=random")
    assert app.title[0].value == "Network"
    assert "a link alone does not load it" in app.info[0].value
    (button,) = (one for one in app.button if one.label == "Load it")
    app = fine(button.click().run())
    assert app.title[0].value.replace("\\", "").startswith("torchvision:mnasnet0_5")
    again = opened("network", model="torchvision:mnasnet0_5?weights=random")
    assert not [one for one in again.button if one.label == "Load it"], "what is loaded needs no click"


def test_averages_of_networks_and_crops():
    """R07, R08 in the app."""
    names = ["lenet-fashion-mnist", "edges-fashion-mnist"]
    app = opened("learn", section="averages", **{"ensemble.count": "20", "ensemble.models": ",".join(names)})
    (button,) = begins(app)
    app = settled(fine(button.click().run()))
    (table,) = (one.value for one in app.dataframe)
    assert list(table["network"]) == [*names, "all together"]
    assert "by the mean of ten crops" in " ".join(one.value for one in app.markdown)


def test_optimisers_move():
    """U05: a film, when somebody asks for it."""
    app = opened("learn", section="paths", **{"optimiser_paths.steps": "4", "optimiser_paths.optimisers": "gd"})
    fine(app.toggle(key="_play").set_value(True).run())
    shown = [name for one in settled(app).get("image") for name in one.value]
    assert len([name for name in shown if name.endswith(".gif")]) == 1


def test_maps_are_checked_with_stages_and_a_control_of_choice():
    """V24 in the app: layers randomised one at a time, and a control that says whether the labels matter."""
    given = {"saliency.method": "gradient", "faithfulness.portions": "2", "faithfulness.control": "lenet-fashion-mnist"}
    app = opened("saliency", model="lenet-fashion-mnist", picture="fashion-mnist/18", **given)
    (stages,) = (one for kind in (app.selectbox, app.button_group) for one in kind if one.key == "_faithfulness.stages")
    fine(stages.set_value("independent").run())
    app.button(key="check-this").click().run()
    while any(job.active for job in list(jobs._queue._jobs.values())):
        time.sleep(0.1)
    (verdict,) = app.run().error  # of the control that is the network itself
    assert "It ignores the labels" in verdict.value
    facts = [json.loads(code.value) for code in app.code if code.language == "json"]
    assert [one["stages"] for one in facts if one["view"] == "faithfulness"] == ["independent"]
