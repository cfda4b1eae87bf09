"""Pages of sections without a browser: each section shows its view, or says why not; each lesson leads somewhere."""

import time

import pytest
from streamlit.testing.v1 import AppTest

import explain
from explain.columns import condition_of, condition_said
from explain.ui import jobs
from explain.ui.parts.lessons import LESSONS
from explain.workspace import tags

MODEL, MOST_WAIT = "lenet-fashion-mnist", 120
SECTIONS = ("fixes", "confusion", "label_errors", "slices", "calibration", "duplicates", "outliers", "influence")


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory, lenet):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("mistakes")))
        explain.build_index(lenet, "fashion-mnist", limit=300)
        explain.build_index(explain.load_model("edges-fashion-mnist"), "fashion-mnist", limit=300)
        yield


def open_page(page: str, /, **query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": MODEL, **query})
    app.switch_page(f"explain/ui/pages/{page}.py")
    app = fine(app.run())
    for begin in [one for one in app.button if str(one.key).startswith("begin-")]:  # a link alone starts nothing
        app = fine(begin.click().run())
    deadline = time.monotonic() + MOST_WAIT
    while any(job.active for job in list(jobs._queue._jobs.values())):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error[0].value
    return app


def commands(app: AppTest) -> list[str]:
    return [code.value for code in app.code if code.language == "bash"]


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_is_its_view(section):
    app = open_page("pictures", section=section)
    assert app.title[0].value == "Pictures"
    assert [one.split()[3] for one in commands(app)] == [section]
    assert any(one.label == "Export and reproduce" for one in app.expander)


def test_concepts_of_a_class_of_a_selection_and_of_a_picture():
    app = open_page("pictures", section="concepts", where="pictures=0-40", own_concepts="true")
    (line,) = commands(app)
    assert line.split()[3] == "concepts"
    assert "--where pictures=0-40" in line
    assert "--image" in line
    assert "importance" in app.dataframe[0].value
    said = [one.value for one in app.caption]
    assert sum("Total Sobol index" in one for one in said) == len(app.dataframe[0].value)
    assert any("Under each" in one for one in said)
    app = open_page("pictures", section="concepts", **{"concepts.target": "Shirt"})
    assert "--target Shirt" in commands(app)[0]


def test_a_part_is_in_the_url_and_in_the_figure():
    app = open_page("pictures", section="calibration", **{"calibration.part": "pictures"})
    assert "--style part=pictures" in commands(app)[0]


def test_a_section_that_is_none_is_the_first():
    app = open_page("pictures", section="nope")
    assert app.query_params["section"] == "embedding"


def test_corruptions_of_the_picture():
    app = open_page("robustness", section="corruptions", **{"corruptions.corruptions": "fog,pixelate"})
    assert [one.split()[3] for one in commands(app)] == ["corruptions"]


@pytest.mark.parametrize(
    ("section", "view"),
    [
        ("paths", "optimiser_paths"),
        ("normalisation", "response_normalisation"),
        ("filter", "hand_set_filter"),
        ("loss", "loss_surface"),
    ],
)
def test_what_there_is_to_learn(section, view):
    app = open_page("learn", section=section, **{"loss_surface.steps": "1", "loss_surface.count": "20"})
    assert [one.split()[3] for one in commands(app)] == [view]


def test_there_are_at_least_eight_lessons():
    app = open_page("learn")
    assert len(LESSONS) >= 8
    shown = " ".join(one.value for one in app.markdown)
    assert all(lesson.title in shown for lesson in LESSONS)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.title)
def test_a_lesson_asks_for_what_is_there(lesson):
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update(lesson.chosen)
    app.switch_page(f"explain/ui/pages/{lesson.page}.py")
    fine(app.run())
    assert not [toast.value for toast in app.toast]
    chosen = app.session_state.selection  # a page that waits for an index has not asked for all of it yet
    assert {name: chosen.get(name) for name in lesson.chosen} == lesson.chosen


def test_what_two_networks_answer():
    app = open_page("compare", section="flips")
    assert [one.split()[3] for one in commands(app)] == ["flips"]
    assert app.selectbox(key="_flips.second").options == ["edges-fashion-mnist"]


@pytest.mark.parametrize(
    ("section", "at", "title"),
    [("confusion", "6.5,7.5", "Pullover as Shirt"), ("calibration", "0.97,0.9", "confidence 0.93 to 1.00")],
)
def test_a_part_of_a_chart_that_was_chosen_has_its_pictures(clothes, section, at, title):
    app = open_page("pictures", section=section, **{f"{section}.at": at})
    (heading,) = (one.value.replace("\\", "") for one in app.subheader)
    words, _, count = heading.rpartition(": ")
    assert words == title
    if section == "confusion":
        true, taken = map(clothes.model.classes.index, title.split(" as "))
        assert int(count) == int(((clothes.truth == true) & (clothes.predictions[:, 0] == taken)).sum())


@pytest.mark.parametrize("at", ["", "nope", "1,2,3", "999,-7"])
def test_a_part_that_is_none_is_asked_for_or_the_nearest(at):
    app = open_page("pictures", section="confusion", **{"confusion.at": at})
    assert any("Click a cell" in one.value for one in app.caption) or app.subheader


def test_channels_that_match_have_their_patches(clothes):
    second = explain.load_model("edges-fashion-mnist")
    layers = [next(one.name for one in net.layers if one.kind == "Conv2d") for net in (clothes.model, second)]
    chosen = {"cka.second": second.name, "cka.images": "fashion-mnist", "cka.count": "64", "cka.part": "channels"}
    chosen |= {explain.VIEWS["cka"].key(name): one for name, one in zip(("layer", "second_layer"), layers, strict=True)}
    app = open_page("compare", section="cka", **chosen)
    found = explain.cka(clothes.model, second, "fashion-mnist", count=64, layer=layers[0], second_layer=layers[1])
    links = [one.label.replace("\\", "") for one in app.button if one.label.startswith("Channel ")]
    pairs = zip(found.channels[:6].tolist(), found.partners[:6].tolist(), found.correlations, strict=False)
    both = [(zip(layers, one, strict=True), value) for *one, value in pairs]
    wanted = [f"Channel {k} of {layer} · correlation {value:.2f}" for pair, value in both for layer, k in pair]
    assert sorted(links) == sorted(wanted)


def test_what_is_judged_is_not_said_beforehand(clothes):
    """The mistakes alone, chosen on the map, are no pictures to count mistakes among."""
    app = open_page("pictures", section="embedding", where="right=False", **{"embedding.method": "pca"})
    assert "right=False" in commands(app)[0]
    own = explain.open_picture(app.selectbox(key="_picture").value).info["name"]
    assert clothes.right[int(own.rpartition("/")[2])] == 1
    assert any("The chosen picture is not among these" in one.value.replace("\\", "") for one in app.caption)
    app = fine(app.button_group(key="_sections").set_value("mistakes").run())
    for section in ("confusion", "label_errors", "slices", "calibration"):
        app = fine(app.button_group(key="_section").set_value(section).run())
        assert "right=False" not in "".join(commands(app))
        with pytest.raises(explain.ExplainError, match="says it beforehand"):
            getattr(explain, section)(clothes, where="right=False")


def test_each_section_has_an_address_of_its_own_and_the_way_back_leads_there():
    app = open_page("pictures")
    assert app.query_params["section"] == "embedding"
    fine(app.button_group(key="_sections").set_value("neighbours").run())
    assert app.query_params["section"] == "neighbours"
    app.query_params["section"] = "embedding"  # as the browser does it
    assert fine(app.run()).button_group(key="_sections").value == "embedding"
    app.query_params["section"] = "mistakes"
    assert fine(app.run()).query_params["section"] == "fixes"


def test_pictures_are_tagged_and_asked_for_by_their_tag(clothes):
    suspected = sorted(explain.label_errors(clothes).figure().table["image"])
    tags.tag(clothes, "look again", suspected[:1])  # AppTest types no new names into a box
    app = open_page("pictures", section="label_errors")
    app = fine(app.selectbox(key="tag-label_errors").set_value("look again").run())
    app = fine(app.button(key="put-label_errors").click().run())
    rows = tags.tags_of(clothes)["look again"]
    assert rows == suspected
    assert len(rows) > 1
    app = open_page("pictures", section="embedding", **{"embedding.method": "pca"})
    assert "tag: look again" in app.selectbox(key="_where").options
    app = open_page("pictures", section="neighbours", where=condition_of(rows), k="1")
    assert app.selectbox(key="_where").value == condition_of(rows)
    assert any(condition_of(rows) in one for one in commands(app))
    tags.untag(clothes, "look again", rows)
    app = fine(app.run())
    assert condition_said(condition_of(rows)) in app.selectbox(key="_where").options  # it is the same figure still
