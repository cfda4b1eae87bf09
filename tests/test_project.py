"""explain.toml: own models and image sets by name, in every door, and never by way of a URL."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import explain
from explain import cli, project
from explain.errors import BadValue, ExplainError, Unknown
from explain.index import references
from explain.ui import jobs
from explain.workspace import kept_models, picture_sets

NETS = """
import torch
from torch import nn

def build(width=8):
    torch.manual_seed(0)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), *head)
"""
TOML = """
[models.defects]
factory = "nets.py:build"
arguments = { width = 6 }
classes = "classes.txt"
output = "sigmoid"
size = [40, 32]
mean = [0.5, 0.4, 0.3]
std = [0.2, 0.2, 0.2]

[models.lib]
architecture = "torchvision:squeezenet1_1?weights=random"
classes = ["a", "b"]

[images.parts]
table = "parts.csv"
label = "kind"

[images.all]
folder = "data"
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A user's folder, in a sub-folder of which the user works."""
    rng = np.random.default_rng(0)
    for k in range(5):
        file = tmp_path / f"data/{'ab'[k % 2]}/{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (50, 44, 3), np.uint8)).save(file)
    rows = "".join(f"data/{'ab'[k % 2]}/{k}.png,{'xy'[k // 3]}\n" for k in range(5))
    (tmp_path / "parts.csv").write_text("path,kind\n" + rows)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "classes.txt").write_text("scratch\ndent\nhole\n")
    (tmp_path / "explain.toml").write_text(TOML)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path


def test_its_models_and_pictures_are_known_by_name(work):
    assert explain.list_models()[:2] == ["defects", "lib"]
    assert explain.list_images()[:2] == ["parts", "all"]
    model = explain.load_model("defects")
    assert (model.name, model.classes) == ("defects", ("scratch", "dent", "hole"))
    assert (model.preprocess.size, model.preprocess.mean) == ((40, 32), (0.5, 0.4, 0.3))
    assert model.layer("0").channels == 6
    assert model.head.kind == "sigmoid"
    assert explain.load_model("lib").classes == ("a", "b")
    assert explain.load_images("parts").classes == ("x", "y")
    assert explain.load_images("all").classes == ("a", "b")


def test_every_command_takes_the_names(work, capsys):
    assert cli.main(["predict", "defects", "parts/2"]) == 0
    assert "scratch" in capsys.readouterr().out
    assert cli.main(["index", "defects", "parts"]) == 0
    capsys.readouterr()
    (folder,) = (work / "workspace/indexes").iterdir()
    assert cli.main(["patches", folder.name, "--layer", "0", "--channels", "1", "--out", "p.png"]) == 0
    assert explain.read_facts("p.png")["data"] == "parts"
    assert cli.main(["redraw", "p.png", "--out", "p.svg"]) == 0
    assert cli.main(["saliency", "defects", "all/1", "--out", "s.png"]) == 0
    assert cli.main(["redraw", "s.png", "--out", "s.svg"]) == 0


def test_the_app_lists_them_and_shows_them(work, monkeypatch):
    monkeypatch.setenv("EXPLAIN_PROJECT", str(work))
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params["model"] = "defects"
    app.query_params["picture"] = "parts/1"
    app.switch_page("explain/ui/pages/network.py").run()
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "defects"
    assert app.selectbox(key="_model").options[:2] == ["defects", "lib"]
    assert "(from what was given" in " ".join(one.value for one in app.caption).replace("\\", "")


def test_the_app_takes_in_what_changes_in_it(work, monkeypatch):
    monkeypatch.setenv("EXPLAIN_PROJECT", str(work))
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params["model"] = "defects"
    app.switch_page("explain/ui/pages/network.py")
    parameters = []
    for old, new in (("", ""), ("width = 6", "width = 7"), ("nn.Conv2d(3, width, 3)", "nn.Conv2d(3, width, 5)")):
        for file in ("explain.toml", "nets.py"):
            text = (work / file).read_text()
            (work / file).write_text(text.replace(old, new))
            os.utime(work / file, ns=(len(parameters), len(parameters)))
        app.run()
        assert not app.exception
        parameters.append(int(app.dataframe[0].value["Parameters"].sum()))
    assert parameters == [6 * 28 + 7 * 3, 7 * 28 + 8 * 3, 7 * 76 + 8 * 3]


def test_the_app_looks_at_its_pictures_and_builds_their_index(work, monkeypatch):
    monkeypatch.setenv("EXPLAIN_PROJECT", str(work))
    app = AppTest.from_file("../app.py", default_timeout=60)
    app.query_params["model"] = "defects"
    app.run()
    assert app.selectbox(key="_picture").value == "parts/0"
    app.query_params["section"] = "neighbours"
    app.switch_page("explain/ui/pages/pictures.py").run()
    box = next(one for one in app.selectbox if one.label == "Picture set")
    assert box.options[:2] == ["parts", "all"]
    box.set_value("parts").run()
    for _ in range(100):
        if not any(job.active for job in list(jobs._queue._jobs.values())):
            break
        time.sleep(0.1)
    app.run()
    assert not app.exception
    assert not app.error
    assert list(explain.workspace.list_indexes(explain.load_model("defects"))) == ["parts"]


DATASET = """
from pathlib import Path
from PIL import Image

class Mine:
    classes = ("a", "b")

    def __len__(self):
        return 5

    def __getitem__(self, k):
        picture = Image.open(Path(__file__).parent / f"data/{'ab'[k % 2]}/{k}.png")
        return picture.crop((0, 0, 40 + k, 40)), k % 2
"""


def test_a_dataset_of_ones_own_code_is_named_there_and_nowhere_else(work, capsys):
    (work / "sets.py").write_text(DATASET)
    (work / "explain.toml").write_text(TOML + "[images.mine]\ndataset = 'sets.py:Mine'\n")
    images = explain.load_images("mine")
    assert (images.name, images.classes, images[3].size) == ("mine", ("a", "b"), (43, 40))
    assert cli.main(["index", "defects", "mine"]) == 0
    (folder,) = (work / "workspace/indexes").iterdir()
    assert cli.main(["neighbours", folder.name, "2", "--out", "n.png"]) == 0
    assert cli.main(["redraw", "n.png", "--out", "n.svg"]) == 0
    for text in ("../sets.py:Mine", f"{work}/sets.py:Mine"):
        with pytest.raises(Unknown, match="image set"):
            explain.load_images(text)
    (work / "sets.py").write_text("Mine = 1 / 0")
    with pytest.raises(ExplainError, match="cannot be imported: ZeroDivisionError"):
        explain.load_images("mine")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[models.a]\nfactory = 'nets.py:build'\narchitecture = 'x'", "one of both"),
        ("[models.a]\nweights = 'x'", "needs a factory or an architecture"),
        ("[models.a]\nfactry = 'nets.py:build'", "'factry'.*Did you mean 'factory'"),
        ("[model.a]\nfactory = 'nets.py:build'", "'model'.*Did you mean 'models'"),
        ("[models.'a/b']\nfactory = 'nets.py:build'", "other than letters"),
        ("[models]\na = 3", "holds a table for each name"),
        ("[models.a", "cannot be read"),
        ("[images.a]\nlabel = 'x'", "one of folder, table and dataset"),
        ("[models.a]\nfactory = 'nets.py:build'\nclasses = 'nope.txt'", "classes of models.a cannot be read"),
    ],
)
def test_a_mistake_in_it_is_one_sentence(work, text, part):
    (work / "explain.toml").write_text(text)
    with pytest.raises(ExplainError, match=part) as caught:
        explain.list_models()
    assert len(str(caught.value).splitlines()) == 1


def test_pyproject_may_hold_it_and_others_may_not(work):
    (work / "explain.toml").unlink()
    assert project.project() == project.Project()
    (work / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert project.project().folder is None
    (work / "pyproject.toml").write_text("[tool.explain.images.all]\nfolder = 'data'\n")
    assert explain.list_images()[0] == "all"
    (work / "pyproject.toml").write_text("broken [")
    assert project.project().folder is None


def test_init_writes_what_works_and_nothing_else(work, run, monkeypatch):
    torch.save({f"model.{k}": v for k, v in _weights(work).items()}, "w.ckpt")
    (work / "explain.toml").unlink()
    words = ["init", "--model", "mine", "--factory", "../nets.py:build", "--weights", "w.ckpt", "--size", 32]
    status, out, err = run(
        *words, "--classes", "a, b, c", "--images", "set", "--table", "../parts.csv", "--label", "kind"
    )
    assert (status, err) == (0, "")
    assert "3 classes" in out
    assert "The prefix 'model.'" in out
    assert explain.load_model("mine").classes == ("a", "b", "c")
    assert len(explain.load_images("set")) == 5
    assert run(*words)[0] == 2, "it is there already"
    before = Path("explain.toml").read_text()
    status, out, _ = run(
        "init", "--images", "all", "--folder", "../data", "--model", "bad", "--factory", "nope.py:build"
    )
    assert (status, Path("explain.toml").read_text()) == (2, before), "what does not work is not added"
    status, out, _ = run(
        "init", "--model", "other", "--factory", "../nets.py:build", "--size", 32, "--mean", "0.5,0.4,0.3"
    )
    assert status == 0
    assert Path("explain.toml").read_text().startswith(before)
    assert explain.load_model("other").preprocess.mean == (0.5, 0.4, 0.3)
    assert "model mine" not in out
    (work / "sub/explain.toml").unlink()
    status, out, err = run("init", "--model", "mine", "--factory", "nope.py:build")
    assert (status, out) == (2, "")
    assert not (work / "sub/explain.toml").exists()
    assert run("init")[0] == 2


def _weights(work):
    with explain.load_model(f"{work}/nets.py:build", preprocess={"size": 32}).exclusive() as net:
        return {key: value.clone() for key, value in net.state_dict().items()}


def test_a_folder_that_timm_saved_lies_beside_it(work, run):
    import timm
    from timm.models import save_for_hf

    net = timm.create_model("test_resnet", pretrained=False, num_classes=2).eval()
    save_for_hf(net, work / "saved", safe_serialization=True)
    for architecture in ("hf:saved", "timm:local-dir:saved"):
        (work / "explain.toml").write_text(f'[models.mine]\narchitecture = "{architecture}"\n')
        assert explain.load_model("mine").name == "mine", "found from a folder below"
    (work / "explain.toml").unlink()
    status, _, said = run("init", "--images", "digits", "--dataset", "mnist-nonesuch")
    assert (status, (work / "sub/explain.toml").exists()) == (2, False), said
    status, _, said = run("init", "--images", "shots", "--dataset", "photos")
    assert status == 0, said
    assert len(explain.load_images("shots")) == len(explain.load_images("photos"))


def test_its_names_are_nobody_elses(work):
    """A checkpoint or pictures that are handed in under a name of explain.toml would hide it, or be hidden."""
    with pytest.raises(BadValue, match=r"of explain\.toml; choose another"):
        kept_models.keep_model(b"", "w.pth", "torchvision:resnet18", "defects")

    class File:
        name = "parts/a/0.png"

        def getvalue(self):
            return (work / "data/a/0.png").read_bytes()

    made = picture_sets.keep([File()], "parts")
    assert made.name == "parts-2"
    assert np.array_equal(np.asarray(explain.open_picture("parts-2/0")), np.asarray(explain.load_images("parts")[0]))


def test_a_picture_of_its_sets_is_known_in_an_index_by_name(work, tmp_path):
    model = explain.load_model("defects")
    index = explain.build_index(model, "parts", out=tmp_path / "index")
    for number in (1, 3):
        by_name = explain.neighbours(index, f"parts/{number}", k=4)
        assert by_name.number == number
        assert number not in by_name.features.images
    assert references.reference(index, 2) == "parts/2"
    with pytest.raises(BadValue, match="parts/0 to parts/4"):
        explain.open_picture("parts/")
    with pytest.raises(Unknown, match="defects, lib"):
        explain.load_model("nonsense")
