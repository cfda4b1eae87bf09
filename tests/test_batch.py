"""One view of many pictures: files and a table as one call each would give, in one process, and going on."""

import csv
import functools
import io
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import explain
from explain import cli
from explain.errors import BadFile, BadValue, ExplainError, NotSupported
from explain.figure import read_facts
from explain.views import VIEWS

MODEL = "lenet-fashion-mnist"
SINGLE = [name for name in VIEWS if VIEWS[name].picture]


@pytest.fixture(scope="module")
def model():
    return explain.load_model(MODEL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes of pictures, two of which differ in their ending alone, and one that is damaged."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a/x.png", "a/y.jpg", "b/x.png", "b/x.jpg")):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        explain.open_picture(f"fashion-mnist/{number}").save(path)
    (tmp_path / "set/b/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return tmp_path / "set"


def rows_of(out):
    return list(csv.DictReader((out / "results.csv").open()))


def test_the_views_of_one_picture_are_found():
    assert {"saliency", "activations", "neighbours", "hierarchy", "segmentation", "faithfulness"} <= set(SINGLE)
    assert not {"gallery", "embedding", "filters", "patches", "channel"} & set(SINGLE)


def test_each_picture_gets_what_a_call_of_its_own_gives(model, folder, tmp_path):
    made = explain.batch("saliency", model, folder, "out", method="grad_cam", target="Bag", format=["png", "npz"])
    rows = rows_of(tmp_path / "out")
    assert [row["file"] for row in rows] == ["a/x.png", "a/y.jpg", "b/damaged.png", "b/x.jpg", "b/x.png"]
    assert [row["figure"] for row in rows] == ["a/x.png", "a/y.png", "", "b/x.jpg.png", "b/x.png.png"]
    assert [row["label"] for row in rows] == ["a", "a", "b", "b", "b"]
    assert "damaged.png" in rows[2]["error"]
    assert list(made.skipped) == ["b/damaged.png"]
    for row in rows[:2] + rows[3:]:
        alone = explain.saliency(model, folder / row["file"], "grad_cam", target="Bag")
        assert float(row["score"]) == pytest.approx(alone.target.score, rel=1e-6)
        assert row["target"] == "Bag"
        arrays = np.load(tmp_path / "out" / row["figure"].replace(".png", ".npz").replace("x.npz.npz", "x.png.npz"))
        np.testing.assert_allclose(arrays["raw_map"], alone.raw_map, rtol=1e-5, atol=1e-7)
        facts = read_facts(tmp_path / "out" / row["figure"])
        assert facts["pixels"] == alone.facts["pixels"]
        assert facts["image"] == row["file"].rpartition("/")[2]


def test_it_goes_on_where_it_was_interrupted(model, folder, monkeypatch):
    heard, original = [], VIEWS["saliency"].compute

    def stopping(done, total, message=""):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain.batch("saliency", model, folder, "out", progress=stopping)
    assert len(rows_of(folder.parent / "out")) == 2
    journal = folder.parent / "out/.results.jsonl"
    journal.write_text(journal.read_text() + '{"name": "b/x", "fi')  # as when the machine stops

    @functools.wraps(original)
    def counted(*args, **words):
        heard.append(words["image"].info["name"])
        return original(*args, **words)

    monkeypatch.setattr("explain.views.saliency.compute", counted)
    made = explain.batch("saliency", model, folder, "out")
    assert made.resumed == 2
    assert len(heard) == 2  # neither the two before, nor the damaged one
    (folder / "a/x.png").unlink()
    explain.open_picture("fashion-mnist/9").save(folder / "a/x.png")  # another picture by the name
    (folder.parent / "out/a/y.png").unlink()
    heard.clear()
    assert explain.batch("saliency", model, folder, "out").resumed == 3
    assert sorted(name.rpartition("/")[2] for name in heard) == ["x.png", "y.jpg"]
    (folder / "aa").mkdir()
    explain.open_picture("fashion-mnist/8").save(folder / "aa/new.png")  # before others, which have other numbers now
    made = explain.batch("saliency", model, folder, "out")
    assert [row["label"] for row in made.rows] == ["a", "a", "aa", "b", "b", "b"]
    assert [row["number"] for row in made.rows] == list(range(6))
    (folder / "aa/new.png").unlink()
    (folder / "aa").rmdir()
    heard.clear()
    assert explain.batch("saliency", model, folder, "out", anew=True).resumed == 0
    assert len(heard) == 4


@pytest.mark.parametrize(
    "other",
    [
        {"method": "grad_cam"},
        {"target": 3},
        {"format": "svg"},
        {"style": {"mode": "positive"}},
        {"view": "activations"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_folder_holds_answers_to_one_question(model, folder, other):
    explain.batch("saliency", model, folder, "out")
    asked = {"view": "saliency", **other}
    if asked["view"] == "activations":
        asked["layer"] = "conv1"
    with pytest.raises(BadValue, match=f"another {next(iter(other))}"):
        explain.batch(asked.pop("view"), model, folder, "out", **asked)
    with pytest.raises(BadValue, match="another model"):
        explain.batch("saliency", explain.load_model("edges-fashion-mnist"), folder, "out")


def test_what_is_wrong_with_the_question_is_said_at_once(model, folder):
    with pytest.raises(NotSupported, match="not a view of one picture"):
        explain.batch("embedding", model, folder, "out")
    with pytest.raises(NotSupported, match="no view"):
        explain.batch("salience", model, folder, "out")
    for words in ({"method": "grad_kam"}, {"layer": "nowhere", "method": "grad_cam"}, {"style": {"mode": "loud"}}):
        with pytest.raises(ExplainError):
            explain.batch("saliency", model, folder, "out", **words)
    (folder.parent / "file").write_text("")
    for out in ("file", "figure.png"):
        with pytest.raises(BadValue, match="not a folder"):
            explain.batch("saliency", model, folder, out)
    explain.batch("saliency", model, folder, "out")  # of what failed nothing stands in the way
    damaged = folder.parent / "damaged"
    damaged.mkdir()
    (damaged / "a.png").write_bytes((folder / "b/damaged.png").read_bytes())
    with pytest.raises(BadFile, match=r"a\.png"):
        explain.batch("saliency", model, damaged, "none")


def test_a_view_with_a_table_gives_its_rows(model, folder):
    made = explain.batch("activations", model, folder, "out", layer="conv1")
    table = made.table
    assert len(table["channel"]) == 4 * 6 + 1  # six channels of four pictures, and the damaged one
    alone = explain.activations(model, folder / "a/x.png", "conv1")
    np.testing.assert_allclose(table["max"][:6], alone.maps.max((1, 2)), rtol=1e-5)


# The command line ----------------------------------------------------------------------------------------------------


def run(capsys, *words):
    status = cli.main([*words, "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out) if out else None, err


def test_several_words_are_several_pictures(folder, capsys):
    words = ["set/a/x.png", "set/b/x.png", "fashion-mnist/5", "set/b"]
    status, said, err = run(capsys, "saliency", MODEL, *words, "--out", "out", "--format", "csv")
    assert status == 0, err
    names = ["x.png", "x.png", "fashion-mnist/5", "b/damaged.png", "b/x.jpg", "b/x.png"]
    assert [row["file"] for row in said["rows"]] == names
    figures = [row["figure"] for row in said["rows"] if row["figure"]]
    assert len(set(figures)) == len(figures) == 5
    assert all((folder.parent / "out" / figure).is_file() for figure in figures)
    assert said["numbers"] == {"pictures": 5, "skipped": 1, "resumed": 0}
    status, said, _ = run(capsys, "saliency", MODEL, *words, "--out", "out", "--format", "csv")
    assert said["numbers"]["resumed"] == 5  # what could not be read is tried again


def test_a_set_by_name_and_one_picture_into_a_folder(folder, capsys):
    (folder.parent / "here").mkdir()
    status, said, err = run(capsys, "saliency", MODEL, "fashion-mnist/3", "--out", "here")
    assert status == 0, err
    assert (folder.parent / "here/fashion-mnist/3.png").is_file()
    status, said, err = run(capsys, "saliency", MODEL, "set/a/x.png", "--out", "x.png")
    assert status == 0
    assert said["facts"]["image"] == "x.png"


def test_a_picture_called_as_the_table_leaves_it(model, tmp_path):
    for name in ("results.png", "results-2.png"):
        explain.open_picture("fashion-mnist/3").save(tmp_path / name)
    made = explain.batch("saliency", model, [tmp_path / "results.png", tmp_path / "results-2.png"], tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 2
    figures = [row["figure"] for row in made.rows]
    assert len({*figures, "results.png", "results.csv"}) == 4


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["set"], "--out FOLDER"),
        (["set", "--out", "a.png"], "not a folder"),
        (["set/a/x.png", "nowhere.png", "--out", "out"], "nowhere.png"),
        (["set", "--out", "out", "--format", "jpg"], "jpg"),
        (["-"], "standard input"),
    ],
)
def test_mistakes(folder, capsys, words, wrong, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    status, _, err = run(capsys, "saliency", MODEL, *words)
    assert (status, wrong in err.splitlines()[-1]) == (2, True)


def test_a_picture_comes_by_standard_input_or_by_an_address(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / "a/x.png").read_bytes())))
    status, piped, err = run(capsys, "saliency", MODEL, "-", "--out", "x.png")
    assert status == 0, err
    address = served(folder, monkeypatch)
    status, fetched, err = run(capsys, "saliency", MODEL, f"{address}/a/x.png")
    assert status == 0, err
    alone = explain.saliency(explain.load_model(MODEL), folder / "a/x.png")
    assert piped["facts"]["pixels"] == fetched["facts"]["pixels"] == alone.facts["pixels"]
    assert fetched["facts"]["image"] == "x.png"


def served(folder, monkeypatch):
    """A folder on loopback."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def test_predictions_of_many(folder, capsys, model):
    status, said, err = run(capsys, "predict", MODEL, "set", "-k", "3", "--out", "all.csv")
    assert status == 0, err
    assert "damaged.png" in err
    assert list(said["skipped"]) == ["b/damaged.png"]
    rows = list(csv.DictReader((folder.parent / "all.csv").open()))
    for row in rows:
        ((name, probability), *_) = model.predict(folder / row["file"], 3)[0]
        assert row["class_1"] == name
        assert float(row["probability_1"]) == pytest.approx(probability, rel=1e-4)
    status, _, err = run(capsys, "predict", MODEL, "set/a/x.png", "--k", "11")
    assert (status, "1 to 10" in err) == (2, True)


# Pictures as arrays and tensors --------------------------------------------------------------------------------------


def test_tensors_and_arrays_are_pictures(model):
    pixels = np.asarray(explain.open_picture("fashion-mnist/4"))
    wanted = explain.saliency(model, pixels).facts["pixels"]
    tensor = torch.from_numpy(pixels.copy())
    for one in (tensor, tensor[None], tensor[None, None], tensor / 255, (tensor / 255)[None], pixels[..., None]):
        assert explain.saliency(model, one).facts["pixels"] == wanted
    batch = torch.stack([tensor[None], tensor[None].flip(1)])
    ranked = model.predict(batch)
    assert ranked[0][0][1] == pytest.approx(model.predict(pixels)[0][0][1], rel=1e-5)
    assert ranked[1][0][1] == pytest.approx(model.predict(pixels[::-1])[0][0][1], rel=1e-5)
    many = [Image.fromarray(pixels)] * 70  # more than go through the network at once
    assert len(model.predict(many)) == 70


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (lambda: torch.rand(2, 3, 40, 40), "batch of 2"),
        (lambda: torch.rand(40, 40, 3), r"permute\(2, 0, 1\)"),
        (lambda: torch.randn(3, 40, 40), "normalised"),
        (lambda: np.random.default_rng(0).random((3, 40, 40)), r"transpose\(1, 2, 0\)"),
        (lambda: np.zeros((2, 40, 40, 3), np.uint8), "explain.batch"),
        (lambda: [np.zeros((40, 40, 3), np.uint8)], "explain.batch"),
        (lambda: {"pixels": 1}, r"a tensor \(C, H, W\)"),
    ],
)
def test_what_is_no_picture_says_the_shape_expected(model, picture, said):
    with pytest.raises(BadValue, match=said):
        explain.saliency(model, picture())
