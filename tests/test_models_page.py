"""The page Models and data: what a network is said to be, and a checkpoint that becomes one."""

import io
import time
import zipfile

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torchvision import models

import explain
from explain.errors import BadFile, BadValue, ExplainError, Unknown
from explain.workspace import kept_models, picture_sets

ARCHITECTURE = "torchvision:squeezenet1_1"
FORM = {"Architecture": ARCHITECTURE, "Its name here": "defects"}


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture(scope="module")
def checkpoint():
    torch.manual_seed(0)
    net = models.squeezenet1_1(weights=None, num_classes=2)
    file = io.BytesIO()
    torch.save({"state_dict": {f"model.{key}": value for key, value in net.state_dict().items()}}, file)
    return net.eval(), file.getvalue()


def open_page(**query):
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params.update({"model": "lenet-fashion-mnist", **query})
    app.run()
    app.switch_page("explain/ui/pages/models.py").run()
    assert not app.exception, app.exception
    return app


def fill(app, content, name="w.ckpt", **values):
    """The form's fields by their labels, and its button."""
    if values:
        uploader = next(one for one in app.file_uploader if one.label == "File")
        uploader.set_value((name, content, "application/octet-stream"))
    for box in (*app.text_input, *app.text_area, *app.selectbox):
        if box.label in values:
            box.set_value(values[box.label])
    next(one for one in app.button if one.label == "Check and keep it").click()
    app.run()
    assert not app.exception, app.exception
    return app


def test_a_checkpoint_is_checked_named_kept_and_removed(checkpoint, workspace):
    net, content = checkpoint
    app = fill(
        open_page(),
        content,
        **{**FORM, "Classes, one a line": "good\nbad\n", "Mean": "0.4, 0.5, 0.6"},
    )
    assert not app.error, app.error[0].value
    assert "'model.'" in app.success[0].value.replace("\\", "")
    assert app.query_params["model"] == "defects"
    assert "defects" in explain.list_models()
    model = explain.load_model("defects")
    assert (model.classes, model.preprocess.mean) == (("good", "bad"), (0.4, 0.5, 0.6))
    image = explain.open_picture("photos/0")
    with torch.no_grad():
        wanted = net(model.batch(image))[0]
    assert model.scores(image)[0].tolist() == pytest.approx(wanted.tolist(), rel=1e-4, abs=1e-5)
    app.switch_page("explain/ui/pages/saliency.py").run()
    assert not app.exception
    assert not app.error
    app.switch_page("explain/ui/pages/models.py").run()
    next(one for one in app.button if one.label.startswith("Remove")).click().run()
    assert not app.exception
    assert "defects" not in explain.list_models()
    assert not list((workspace / "models").iterdir())


def test_a_checkpoint_of_five_bands_says_which_are_shown(workspace):
    torch.manual_seed(0)
    net, file = models.squeezenet1_1(weights=None, num_classes=2), io.BytesIO()
    net.features[0] = torch.nn.Conv2d(5, 64, 3, 2)
    torch.save(net.state_dict(), file)
    five = ", ".join(["0.5"] * 5)
    values = {**FORM, "Mean": five, "Standard deviation": five, "Bands shown": "4 2 0"}
    app = fill(open_page(), file.getvalue(), **values)
    assert not app.error, app.error[0].value
    preprocess = explain.load_model("defects").preprocess
    assert (preprocess.channels, preprocess.bands) == (5, (4, 2, 0))
    app = fill(open_page(), file.getvalue(), **{**values, "Its name here": "other", "Bands shown": "4 2 9"})
    assert "bands=(4, 2, 9) are not three numbers from 0 to 4" in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({}, "missing for a checkpoint: a file, its architecture, a name"),
        ({"Architecture": "torchvision:resnet18", "Its name here": "x"}, "another architecture"),
        ({"Architecture": ARCHITECTURE, "Its name here": "a/b"}, "is not of letters"),
        ({"Architecture": ARCHITECTURE, "Its name here": "lenet-fashion-mnist"}, "is shipped"),
        ({"Architecture": ARCHITECTURE, "Its name here": "x", "Mean": "a, b"}, "not numbers"),
        ({**FORM, "Classes, one a line": "one\ntwo\nthree"}, "2 outputs but 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_and_the_page_goes_on(checkpoint, workspace, values, part):
    app = fill(open_page(), checkpoint[1], **values)
    assert len(app.error) == 1
    assert part in app.error[0].value.replace("\\", "")
    assert app.title[0].value == "Models and data"
    assert not (workspace / "models").exists() or not list((workspace / "models").iterdir())


def test_a_network_is_said_to_be_what_it_is():
    app = open_page()
    (first, *_) = app.table
    text = first.value.to_string()
    for part in ("shorter side 28, cut to 28 x 28", "softmax: scores of classes", "10: T-shirt/top"):
        assert part in text.replace("\\", ""), text


def test_only_names_are_removed(workspace):
    with pytest.raises(Unknown):
        kept_models.remove_model("../x")
    with pytest.raises(BadFile):
        kept_models.keep_model(b"nonsense", "../../x.pth", ARCHITECTURE, "x")
    with pytest.raises(BadValue):
        kept_models.keep_model(b"nonsense", "x.pth", "package:build", "x")
    assert explain.list_models()[0] == "edges-fashion-mnist"


def test_a_network_by_name_comes_with_published_weights_or_says_what_there_is(workspace, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(workspace / "torch"))

    def refuse(*_given, **_more):
        raise OSError("no way out")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    app = open_page()
    box = next(one for one in app.selectbox if one.label == "torchvision or timm")
    assert {ARCHITECTURE, "timm:resnet18", "torchvision:fcn_resnet50"} <= set(box.options)
    box.set_value(ARCHITECTURE).run()
    next(one for one in app.button if one.label == "Look into it").click().run()
    assert not app.exception
    assert "no way out" in app.error[0].value
    assert app.query_params["model"] == "lenet-fashion-mnist"
    next(one for one in app.button if one.label == "Random weights instead").click().run()
    assert not app.exception
    assert not app.error
    assert app.query_params["model"] == f"{ARCHITECTURE}?weights=random"
    assert app.subheader[0].value.replace("\\", "") == f"{ARCHITECTURE}?weights=random"


# ------------------------------------------------------------ pictures


def pictures(count=6):
    """Files as a browser sends them: two classes in folders, and a table of all."""
    images = explain.load_images("fashion-mnist")
    files, rows = {}, ["file,kind,shift,length"]
    for k in range(count):
        content = io.BytesIO()
        images[k].save(content, "PNG")
        files[f"parts/{'wet' if k % 2 else 'dry'}/{k}.png"] = content.getvalue()
        rows.append(f"{'wet' if k % 2 else 'dry'}/{k}.png,{'odd' if k % 2 else 'even'},{k // 3},{k * 1.5}")
    return files, "\n".join(rows).encode()


class File:
    def __init__(self, name, content):
        self.name, self.content = name, content

    def getvalue(self):
        return self.content


def zipped(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    content.seek(0)
    return content


@pytest.mark.parametrize("way", ["zip", "files"])
def test_a_table_among_pictures_says_what_they_are(workspace, way):
    files, table = pictures()
    given = {**files, "parts/table.csv": table + b"\nwet/99.png,odd,9,9"}
    if way == "zip":
        made = picture_sets.unpack(zipped(given), "parts.zip", label="kind")
    else:
        made = picture_sets.keep([File(*one) for one in given.items()], "parts", label="kind")
    assert (made.name, made.count, made.classes) == ("parts", 6, {"even": 3, "odd": 3})
    assert "1 of its rows" in made.skipped["table.csv"]
    images = picture_sets.images_of(made.reference)
    assert (images.name, images.classes) == ("parts", ("even", "odd"))
    assert images.columns["length"] == ("0.0", "1.5", "3.0", "4.5", "6.0", "7.5")
    shipped = explain.load_images("fashion-mnist")
    for k in range(6):
        assert (np.asarray(images[k]) == np.asarray(shipped[k])).all()
    assert picture_sets.named()["parts"] == made
    picture_sets.remove(made.reference)
    assert not picture_sets.named()
    assert not list((workspace / "zips").iterdir())


def test_folders_are_classes_and_loose_pictures_have_none(workspace):
    files, _ = pictures()
    made = picture_sets.keep([File(*one) for one in files.items()], "parts")
    assert made.classes == {"dry": 3, "wet": 3}
    flat = {name.rpartition("/")[2]: content for name, content in files.items()}
    loose = picture_sets.unpack(zipped(flat), "parts.zip")
    assert (loose.name, loose.classes, loose.count) == ("parts-2", {}, 6)
    assert picture_sets.images_of(loose.reference).labels is None


@pytest.mark.parametrize(
    ("table", "label", "part"),
    [
        (b"file,kind\n/etc/passwd,a\n", "", "names a picture"),
        (b"file,kind\n../../secret.png,a\n", "", "names a picture"),
        (b"file,kind\nwet/1.png,a\n", "nonesuch", "nonesuch"),
        (b"a,b\n1,2\n", "", "no column of paths"),
        (b"\xff\xfe\x00", "", "cannot be read"),
    ],
)
def test_a_table_that_is_wrong_is_refused_and_leaves_nothing(workspace, table, label, part):
    files, _ = pictures()
    with pytest.raises(ExplainError, match=part):
        picture_sets.keep([File(*one) for one in {**files, "parts/t.csv": table}.items()], "parts", label=label)
    assert not list((workspace / "zips").iterdir())


def test_pictures_are_handed_in_looked_through_and_chosen_everywhere(workspace):
    files, table = pictures()
    app = open_page()
    uploader = next(one for one in app.file_uploader if one.label == "A ZIP, or pictures and their table")
    uploader.set_value([("parts.zip", zipped({**files, "parts/t.csv": table}).getvalue(), "application/zip")])
    next(one for one in app.text_input if one.label == "The table's column of classes").set_value("kind")
    next(one for one in app.button if one.label == "Keep them").click().run()
    assert not app.exception, app.exception
    assert not app.error, app.error[0].value
    assert "6 pictures are kept" in app.success[0].value
    for _ in range(100):
        if "parts" in explain.workspace.list_indexes(explain.load_model("lenet-fashion-mnist")):
            break
        time.sleep(0.1)
    app.run()
    assert any("parts" in one.value and ":material/check:" in one.value for one in app.markdown)
    app.query_params["section"] = "neighbours"
    app.switch_page("explain/ui/pages/pictures.py").run()
    assert not app.exception
    assert not app.error
    assert next(one for one in app.selectbox if one.label == "Picture set").value == "parts"
    among = next(one for one in app.selectbox if one.label == "Among")
    assert {"shift=0", "shift=1", "label=odd"} <= set(among.options)
    among.set_value("shift=1").run()
    assert not app.exception
    assert app.query_params["where"] == "shift=1"
    app.query_params["embedding.method"], app.query_params["embedding.colour"] = "pca", "shift"
    app.query_params["section"] = "embedding"
    app.switch_page("explain/ui/pages/pictures.py").run()
    for _ in range(100):  # the map is a job
        if any(one.label == "Colours of the figure" for one in app.selectbox):
            break
        time.sleep(0.1)
        app.run()
    assert not app.exception
    colours = next(one for one in app.selectbox if one.label == "Colours of the figure")
    assert (colours.value, {"shift", "length"} <= set(colours.options)) == ("shift", True)
    app.switch_page("explain/ui/pages/models.py").run()
    next(one for one in app.button if one.key == "drop-parts").click().run()
    assert not picture_sets.named()
