"""The Training page: settings, pictures of one's own, a training from start to end, and what is done with it."""

import io
import json
import time
import zipfile

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explain
from explain import store, workspace
from explain.data import load_images
from explain.errors import BadFile, BadValue, ExplainError
from explain.training import RECIPES, SETTINGS
from explain.ui.parts import training_runs, training_settings
from explain.views import training_curves
from explain.workspace import picture_sets, runs
from explain.workspace.runs import RunRequest

TINY = {"epochs": 2, "batch_size": 100, "learning_rate": 0.1, "snapshots": "1,2"}
ASKED = RunRequest("edges-fashion-mnist", TINY, "fashion-mnist", 200)


@pytest.fixture(autouse=True, scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLAIN_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        yield


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update(query)
    app.switch_page("explain/ui/pages/train.py")
    return app.run()


def runs_page(names: str, **query: str) -> AppTest:
    return open_page(**{"trainings": "runs", "training_curves.runs": names, **query})


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error[0].value
    return app


def said(app: AppTest) -> str:
    return " ".join(block.value for kind in (app.caption, app.markdown) for block in kind).replace("\\", "")


def finished(name: str) -> None:
    job, since = training_runs.job_of(workspace.list_runs()[name]), time.monotonic()
    while job.active:
        assert time.monotonic() - since < 300
        time.sleep(0.05)


# Settings ------------------------------------------------------------------------------------------------------------


def test_every_setting_has_a_place():
    shown = {name for names in training_settings.OF_TAB.values() for name in names} | set(training_settings.OF_TRANSFER)
    assert shown | {"optimiser", "schedule"} == set(SETTINGS)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_opened(name):
    app = fine(open_page(recipe=name))
    assert "As the recipe has it." in said(app)
    assert not app.button(key="start").disabled


def test_that_transfer_can_fail_is_said_where_one_begins_with_a_trained_network():
    """C08."""
    words = "does not always help"
    assert {name: words in said(open_page(recipe=name)) for name in ("transfer", "lenet-fashion-mnist")} == {
        "transfer": True,
        "lenet-fashion-mnist": False,
    }


def test_changed_settings_are_marked_and_become_the_lines_that_do_the_same():
    app = fine(open_page())
    key = "_lenet-fashion-mnist."
    app.number_input(key=f"{key}epochs").set_value(3)
    app.selectbox(key=f"{key}lenet.activation").set_value("relu")
    app.text_input(key=f"{key}learning_rate").set_value("5e-2")
    app.selectbox(key=f"{key}optimiser").set_value("adam")
    fine(app.run())
    fine(app.text_input(key=f"{key}adam.weight_decay").set_value("0.0005").run())
    assert "was 10" in app.number_input(key=f"{key}epochs").label
    assert "was sigmoid" in app.selectbox(key=f"{key}lenet.activation").label
    assert "was" not in app.number_input(key=f"{key}seed").label
    python, command = (block.value for block in app.code[-2:])
    assert "options={'activation': 'relu'}" in python
    assert "optimiser='adam'" in python
    assert "learning_rate=0.05" in python
    assert "--epochs 3" in command
    assert "--set optimiser_options.weight_decay=0.0005" in command
    again = fine(open_page(**app.query_params))
    assert again.code[-2].value == python, "all of it is a permalink"
    # Another recipe has settings of its own, and these are kept.
    fine(app.selectbox(key="_recipe").set_value("edges-fashion-mnist").run())
    assert "As the recipe has it." in said(app)
    fine(app.selectbox(key="_recipe").set_value("lenet-fashion-mnist").run())
    assert app.code[-2].value == python


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("learning_rate", "fast", "not a number"),
        ("learning_rate", "-1", "outside"),
        ("learning_rate", "nan", "not a number"),
        ("validation", "0.99", "outside"),
        ("snapshots", "one", "list of epochs"),
    ],
)
def test_a_bad_value_is_said_and_cannot_be_started(name, text, words):
    app = open_page()
    app.text_input(key=f"_lenet-fashion-mnist.{name}").set_value(text).run()
    assert not app.exception
    assert words in " ".join(error.value for error in app.error).replace("\\", "")
    assert app.button(key="start").disabled


def test_settings_that_do_not_go_together_are_said():
    app = open_page()
    app.number_input(key="_lenet-fashion-mnist.patience").set_value(3).run()
    assert "needs validation" in app.error[0].value
    app = fine(open_page())
    fine(app.number_input(key="_lenet-fashion-mnist.batch_size").set_value(128).run())
    assert "linear scaling rule gives 0" in app.warning[0].value.replace("\\", "")


def test_bad_urls_are_the_default():
    for query in ({"recipe": "x"}, {"trainings": "x"}, {"lenet-fashion-mnist.data": "/etc"}, {"start": "x"},
                  {"lenet-fashion-mnist.limit": "²"}, {"lenet-fashion-mnist.augmentation": "x"}):  # fmt: skip
        app = fine(open_page(**query))
        assert app.selectbox(key="_recipe").value == "lenet-fashion-mnist"
        assert "As the recipe has it." in said(app), query
    app = fine(open_page(**{"lenet-fashion-mnist.augmentation": "x,flip"}))
    assert app.multiselect(key="_lenet-fashion-mnist.augmentation").value == ["flip"]
    for query in ({"trainings": "runs", "training_curves.runs": "../..,a,b", "training_curves.part": "x"},
                  {"trainings": "runs", "confusion.part": "x"},
                  {"trainings": "augmentations", "augmentations.plan": "x"}):  # fmt: skip
        fine(open_page(**query))


def test_augmentations_are_previewed():
    app = fine(open_page(**{"lenet-fashion-mnist.data": "fashion-mnist"}))
    fine(app.multiselect(key="_lenet-fashion-mnist.augmentation").set_value(["flip", "crop"]).run())
    assert "draw 1" in said(app)
    assert "augmentation=(('flip'" in app.code[-2].value
    assert "test pictures, so nothing is left" in said(app)
    fine(app.button(key="draws").click().run())
    assert (app.query_params["trainings"], app.query_params["augmentations.plan"]) == ("augmentations", "flip,crop")
    assert said(app).count("draw 6") == 8
    app.text_input(key="_augmentations.plan").set_value("crop:padding=3,fill=reflect,flop").run()
    assert "Did you mean 'flip'" in said(app)
    fine(app.text_input(key="_augmentations.plan").set_value("crop:padding=3,fill=reflect").run())
    assert any("[(\"crop\", {'padding': 3, 'fill': 'reflect'})]" in code.value for code in app.code)
    app.text_input(key="_augmentations.images").set_value("/etc").run()
    assert "Unknown set of pictures '/etc'" in said(app), "an address opens no folder"


# Pictures of one's own -----------------------------------------------------------------------------------------------


def picture(k: int) -> bytes:
    file = io.BytesIO()
    load_images("fashion-mnist")[k].save(file, "PNG")
    return file.getvalue()


def zipped(members: dict[str, bytes], **options) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # without the date, which differs
    file.seek(0)
    return file


GOOD = {f"{name}/{k}.png": picture(10 * n + k) for n, name in enumerate(("wet", "dry")) for k in range(6)}


def test_a_zip_is_unpacked_under_names_of_ours():
    extra = {"wet/notes.txt": b"x", "__MACOSX/wet/._1.png": b"x", "wet/.hidden.png": b"x", "dry/broken.png": b"x"}
    made = picture_sets.unpack(zipped(GOOD | extra), "../my pets.zip")
    assert made.classes == {"dry": 6, "wet": 6}
    assert list(made.skipped) == ["dry/broken.png"]
    images = load_images(picture_sets.opened(made.reference))
    assert (images.name, images.classes, len(images)) == ("my-pets", ("dry", "wet"), 12)
    assert (np.asarray(images[6]) == np.asarray(load_images("fashion-mnist")[0])).all()
    assert picture_sets.unpack(zipped(GOOD | extra), "again.zip") == made
    assert picture_sets.found()[made.reference] == made
    around = picture_sets.unpack(zipped({f"all/{name}": content for name, content in GOOD.items()}), "around.zip")
    assert around.classes == made.classes


BAD = {
    "no zip": (b"hello", "cannot be unpacked"),
    "no pictures": ({"a/notes.txt": b"x"}, "no pictures"),
    "one class": ({"wet/1.png": GOOD["wet/1.png"]}, "one class, 'wet'"),
    "an empty class": ({**GOOD, "empty/": b""}, "'empty' of 'x.zip' has no pictures"),
    "a loose picture": ({**GOOD, "1.png": GOOD["wet/1.png"]}, "in no class folder"),
    "unreadable pictures": ({"wet/1.png": b"x", "dry/1.png": GOOD["dry/1.png"]}, "None of the pictures of class 'wet'"),
    "a way out": ({**GOOD, "../../wet/1.png": b"x"}, "leads out"),
    "a way out by backslashes": ({**GOOD, "..\\wet\\1.png": b"x"}, "leads out"),
    "an absolute path": ({**GOOD, "/etc/wet/1.png": b"x"}, "leads out"),
    "a drive": ({**GOOD, "C:/wet/1.png": b"x"}, "leads out"),
    "a strange class": ({**GOOD, "we\nt/1.png": GOOD["wet/1.png"]}, "cannot be the name of a class"),
    "a bomb": ({**GOOD, **{f"wet/b{k}.png": bytes(18 << 20) for k in range(2)}}, "far more than"),
    "a large bomb": ({**GOOD, "wet/b.png": bytes(21 << 20)}, "far more than"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_zip_is_refused_and_leaves_nothing(name):
    content, words = BAD[name]
    before = sorted(workspace.root().rglob("*"))
    with pytest.raises(BadFile, match=words):
        file = io.BytesIO(content) if isinstance(content, bytes) else zipped(content)
        picture_sets.unpack(file, "x.zip", classes=True)
    after = [path for path in workspace.root().rglob("*") if path not in before]
    assert all(path == workspace.root() / "zips" for path in after)


def test_too_many_entries_and_too_many_bytes(monkeypatch):
    monkeypatch.setattr(picture_sets, "MOST_ENTRIES", 10)
    with pytest.raises(BadFile, match="12 entries"):
        picture_sets.unpack(zipped(GOOD), "many.zip")
    monkeypatch.setattr(picture_sets, "MOST_BYTES", 100)
    with pytest.raises(BadFile, match="a ZIP may have"):
        picture_sets.unpack(zipped(GOOD), "large.zip")


def drop(app: AppTest, name: str, content: bytes) -> AppTest:
    field = next(one for one in app.file_uploader if one.key.startswith("zip"))
    return field.set_value((name, content, "application/zip")).run()


def test_a_zip_is_uploaded_and_a_bad_one_is_said():
    app = fine(drop(open_page(recipe="transfer"), "clothes.zip", zipped(GOOD | {"dry/7.png": picture(40)}).getvalue()))
    assert "Classes: dry 7, wet 6." in said(app)
    reference = app.query_params["transfer.data"]
    assert str(picture_sets.opened(reference)) in app.code[-1].value
    assert "batch_size=9" in app.code[-2].value, "as many as there are"
    drop(app, "bad.zip", b"hello")
    assert "cannot be unpacked" in app.error[0].value
    assert app.query_params["transfer.data"] == reference, "the page goes on"


def test_a_zip_is_learned_on_a_trained_network_unless_a_recipe_was_chosen():
    content = zipped(GOOD | {"dry/8.png": picture(41)}).getvalue()
    app = fine(drop(open_page(), "clothes.zip", content))
    assert app.query_params["recipe"] == "transfer"
    assert app.query_params["transfer.data"].startswith("zip/")
    chosen = fine(drop(open_page(recipe="edges-fashion-mnist"), "clothes.zip", content))
    assert chosen.query_params["recipe"] == "edges-fashion-mnist"
    assert chosen.query_params["edges-fashion-mnist.data"].startswith("zip/")


@pytest.fixture
def here(monkeypatch):
    """In this process: another one takes seconds to begin."""
    monkeypatch.setattr(runs, "isolate", lambda _, folder, progress: runs.trained(folder, progress))


# From its start to its end -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(place):
    """A training as the page starts it."""
    app = fine(open_page(**{
        "recipe": "edges-fashion-mnist",
        "edges-fashion-mnist.data": "fashion-mnist",
        "edges-fashion-mnist.limit": "200",
        **{f"edges-fashion-mnist.{name}": str(value) for name, value in TINY.items()},
    }))  # fmt: skip
    fine(app.button(key="start").click().run())
    name = app.query_params["training_curves.runs"]
    finished(name)
    return name


def test_a_training_is_done_and_its_model_is_known(done):
    app = fine(runs_page(done))
    assert "2 epochs" in said(app)
    fine(app.button(key="use").click().run())
    assert app.query_params["model"] == done
    assert done in app.selectbox(key="_model").options
    # The same by the library, and nothing of it depends on the process.
    same = explain.train("edges-fashion-mnist", load_images("fashion-mnist", 200), **TINY)
    assert explain.load_model(done).digest == same.digest
    assert done in explain.list_models()
    few = load_images("fashion-mnist", 30)
    assert explain.predict(done, few) == explain.predict(same, few)


def test_snapshots_are_looked_back_at(done):
    app = fine(runs_page(done))
    assert "after epoch 2" in said(app)
    fine(app.select_slider(key="_epoch").set_value("1").run())
    assert "after epoch 1" in said(app)
    fine(app.button(key="use-snapshot").click().run())
    assert app.query_params["model"] == f"{done}@1"


@pytest.mark.parametrize("part", training_curves.PARTS)
def test_curves_with_another_run_over_them(done, part):
    app = fine(runs_page(f"{done},lenet-fashion-mnist", **{"training_curves.part": part}))
    assert app.multiselect(key="_others").value == ["lenet-fashion-mnist"]
    code = " ".join(block.value for block in app.code)
    assert f'open_run("{done}"), explain.open_run("lenet-fashion-mnist")' in code
    assert (f'part="{part}"' in code) == (part != "curves")
    fine(app.selectbox(key="_run").set_value("edges-fashion-mnist").run())
    assert app.query_params["training_curves.runs"] == "edges-fashion-mnist,lenet-fashion-mnist"
    fine(app.multiselect(key="_others").set_value([done]).run())
    assert app.query_params["training_curves.runs"] == f"edges-fashion-mnist,{done}"


def test_mistakes_are_shown_and_become_the_picture_of_all_pages(done, monkeypatch):
    from explain.ui import widgets

    app = fine(runs_page(done, **{"confusion.part": "mistakes"}))
    since = time.monotonic()
    while not any(metric.label == "Right" for metric in app.metric):
        assert time.monotonic() - since < 300
        time.sleep(0.2)
        fine(app.run())
    assert "trained on" in said(app)
    real, clicks = widgets.show_gallery, [0]

    def clicked(panel, key, *args, **options):
        real(panel, key, *args, **options)
        return clicks.pop() if clicks else None

    monkeypatch.setattr(widgets, "show_gallery", clicked)
    fine(app.run())
    assert app.query_params["picture"].startswith("fashion-mnist/")
    assert app.query_params["model"] == done


def test_what_is_cancelled_goes_on_to_the_same_bits(monkeypatch):
    longer = {**TINY, "epochs": 3}
    folder = runs.reserve(RunRequest("edges-fashion-mnist", longer, "fashion-mnist", 200))
    assert runs.state(folder) == "interrupted", "its server died before it began"

    class Enough(BaseException):
        pass

    def told(row):
        if row.get("epoch") == 1:
            raise Enough

    with monkeypatch.context() as patch, pytest.raises(Enough):
        patch.setattr(runs, "isolate", lambda _, folder, progress: runs.trained(folder, progress))
        runs.go_on(folder, told)
    assert runs.state(folder) == "interrupted"
    assert workspace.model_folder(folder.name) is None
    app = fine(runs_page(folder.name))
    epochs = explain.open_run(folder).rows[-1]["epoch"]
    assert 1 <= epochs < 3
    assert f"was interrupted after {epochs} of 3 epochs" in app.warning[0].value.replace("\\", "")
    fine(app.button(key="resume").click().run())
    finished(folder.name)
    same = explain.train("edges-fashion-mnist", load_images("fashion-mnist", 200), **longer)
    assert workspace.load_model(folder.name).digest == same.digest
    runs.remove(folder)


def test_a_failure_is_said_as_it_is(here):
    folder = runs.reserve(RunRequest("edges-fashion-mnist", {**TINY, "learning_rate": 1e6}, "fashion-mnist", 200))
    with pytest.raises(ExplainError, match="no longer finite"):
        runs.go_on(folder, lambda row: None)
    app = runs_page(folder.name)
    assert "The loss is no longer finite" in app.error[0].value.replace("\\", "")
    assert not [button for button in app.button if button.key == "resume"]
    fine(app.button(key="delete").click().run())
    assert folder.name not in workspace.list_runs()


def test_a_training_that_cannot_begin_says_why(here):
    folder = runs.reserve(RunRequest("lenet-fashion-mnist", {}, "zip/" + "0" * 16))
    with pytest.raises(BadFile, match="upload them again"):
        runs.go_on(folder, lambda row: None)
    card = json.loads((folder / "run.json").read_text())
    assert (card["state"], "upload them again" in card["message"]) == ("failed", True)
    runs.remove(folder)


def test_what_is_at_work_is_not_removed(tmp_path):
    folder = runs.reserve(ASKED)
    with store.lock(folder):
        assert runs.state(folder) == "waiting"
        with pytest.raises(BadValue, match="cancel it first"):
            runs.remove(folder)
    with pytest.raises(BadFile):
        runs.remove(tmp_path)
    runs.remove(folder)


def test_held_out_pictures_are_those_of_the_training():
    images = load_images("fashion-mnist", 200)
    plan = RECIPES["transfer"]
    numbers = runs.held_out(images, plan)
    assert len(numbers) == 40
    assert np.bincount(images.labels[numbers], minlength=10).min() >= 2
    assert runs.held_out(images, RECIPES["lenet-fashion-mnist"]) is None


def test_a_zip_trains_a_new_head(here):
    made = picture_sets.unpack(zipped(GOOD), "two.zip")
    folder = runs.reserve(
        RunRequest("transfer", {"epochs": 2, "batch_size": 4}, made.reference, start="lenet-fashion-mnist")
    )
    rows = []
    runs.go_on(folder, rows.append)
    model = workspace.load_model(folder.name)
    assert model.classes == ("dry", "wet")
    assert model.about["start"]["name"] == "lenet-fashion-mnist"
    assert [row["epoch"] for row in rows if "loss" in row and "step" not in row][-1] == 2
    fine(runs_page(folder.name))


def test_images_of_odd_kinds(tmp_path):
    odd = {"a/1.png": GOOD["wet/1.png"], "b/1.jpg": b""}
    file = io.BytesIO()
    Image.new("CMYK", (40, 20)).save(file, "JPEG")
    odd["b/1.jpg"] = file.getvalue()
    assert picture_sets.unpack(zipped(odd), "odd.zip").classes == {"a": 1, "b": 1}
