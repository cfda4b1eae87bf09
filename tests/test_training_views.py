"""How trainings went, and what a network takes for what: against brute force, scikit-learn and the facts themselves."""

import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_score, recall_score, top_k_accuracy_score

import explain
from explain import cli, store
from explain.data import load_images
from explain.errors import BadFile, BadValue, Unknown
from explain.figure import read_facts
from explain.training.history import run_of
from explain.views import confusion, training_curves

LAYERS = ("conv1", "conv2", "fc1")


def row(epoch, **more):
    layers = {
        name: {"gradient": 10.0 ** -(3 - k) / epoch, "weight": 2.0 + k, "update": 1e-3 * epoch}
        for k, name in enumerate(LAYERS)
    }
    dead = {"act1": 0.25, "act2": 0.0}
    return {"epoch": epoch, "loss": 2 / epoch, "train_accuracy": 0.3 + epoch / 10, "learning_rate": 0.1 / epoch,
            "seconds": 1.5, "layers": layers, "dead": dead, **more}  # fmt: skip


def write_run(folder, rows, state="done", **recipe):
    card = {
        "format": 1,
        "recipe": {"name": "lenet-fashion-mnist", "epochs": 4, "learning_rate": 0.1, "augmentation": [], **recipe},
        "data": {"name": "fashion-mnist", "digest": "x"},
        "state": state,
        "message": "",
        "history": rows,
    }
    store.write(folder / "run.json", json.dumps(card))
    return folder


@pytest.fixture
def two(tmp_path):
    first = write_run(tmp_path / "a-1", [row(k, test_accuracy=0.2 + k / 10) for k in (1, 2, 3, 4)])
    rows = [row(1), row(2, first_fall=True, train_accuracy=0.7), row(3)]
    second = write_run(tmp_path / "b-1", rows, "interrupted", learning_rate=0.01, optimiser_options={"momentum": 0.9})
    return first, second


# Curves --------------------------------------------------------------------------------------------------------------


def test_curves_are_the_rows(two):
    result = training_curves.compute(two[0])
    loss, accuracy, rate = training_curves.render(result).panels
    assert [line.name for line in loss.lines] == ["training"]
    assert loss.lines[0].points.tolist() == [[1, 2], [2, 1], [3, 2 / 3], [4, 0.5]]
    assert {line.name: line.points[-1, 1] for line in accuracy.lines} == {"training": 0.7, "test": pytest.approx(0.6)}
    np.testing.assert_allclose(10 ** rate.lines[0].points[:, 1], [0.1, 0.05, 0.1 / 3, 0.025])
    assert result.table["loss"] == [2, 1, 2 / 3, 0.5]
    assert "layers" not in result.table
    assert "accuracy training 70.0%, test 60.0%" in training_curves.render(result).note


@pytest.mark.parametrize(("last", "logarithmic"), [(1e-4, True), (1e-9, False), (0.0, False)])
def test_a_rate_that_ends_next_to_nothing_leaves_the_others_to_be_seen(tmp_path, last, logarithmic):
    rates = [0.1, 0.05, last]
    rows = [row(k, learning_rate=rate) for k, rate in enumerate(rates, 1)]
    panel = training_curves.render(training_curves.compute(write_run(tmp_path / "a-1", rows))).panels[2]
    values = panel.lines[0].points[:, 1]
    np.testing.assert_allclose(10**values if logarithmic else values, rates)
    assert panel.y[0] <= values.min() < values.max() <= panel.y[1]


def test_runs_lie_over_each_other_with_a_legend(two):
    result = training_curves.compute(two)
    loss, accuracy, rate = training_curves.render(result).panels
    assert [key.name for key in loss.legend] == ["a-1", "b-1"]
    assert [(line.name, line.dashed) for line in accuracy.lines] == [("", True), ("a-1", False), ("b-1", False)]
    assert [key.name for key in rate.legend] == ["a-1", "b-1"]
    assert result.table["run"] == ["a-1"] * 4 + ["b-1"] * 3
    assert result.table["test_accuracy"][4:] == [None] * 3


def test_gradients_by_layer_are_logarithmic_and_share_their_scale(two):
    figure = training_curves.render(training_curves.compute(two), part="gradients")
    assert [panel.title for panel in figure.panels] == ["a-1", "b-1"]
    assert figure.panels[0].y == figure.panels[1].y
    first = figure.panels[0]
    assert [line.name for line in first.lines] == list(LAYERS)
    np.testing.assert_allclose(10 ** first.lines[0].points[:, 1], [1e-3, 5e-4, 1e-3 / 3, 2.5e-4])
    assert "0.001" in [text for _, text in first.y_ticks]
    assert "vanishes" in figure.note
    assert figure.table["gradient"][:2] == [1e-3, 5e-4]
    assert len(figure.table["run"]) == 3 * 7


@pytest.mark.parametrize("part", training_curves.PARTS)
@pytest.mark.parametrize("rows", [[], [row(1)], [{"epoch": 1, "loss": 2.0}], [row(1, loss=math.nan)]])
def test_every_part_can_be_drawn_of_any_history(tmp_path, part, rows):
    figure = training_curves.compute(write_run(tmp_path / "short-1", rows)).figure(part=part)
    assert figure.encode("svg" if figure.panels else "csv")


def test_legends_of_deep_networks_name_some_layers(tmp_path):
    layers = {f"layer{k}": {"gradient": 0.1, "weight": 1.0, "update": 0.01} for k in range(50)}
    figure = training_curves.compute(write_run(tmp_path / "deep-1", [row(1, layers=layers)])).figure(part="weights")
    assert len(figure.panels[0].lines) == 50
    names = [key.name for key in figure.panels[0].legend]
    assert (names[0], names[-1], len(names)) == ("layer0", "layer49", 10)


def test_differences_stand_row_by_row(two):
    table = training_curves.compute(two).differences
    rows = {what: (a, b) for what, a, b in zip(table["what"], table["a-1"], table["b-1"], strict=True)}
    assert rows["learning_rate"] == ("0.1", "0.01")
    assert rows["optimiser_options.momentum"] == ("", "0.9")
    assert "epochs" not in rows, "what they have in common is not listed"
    assert rows["test accuracy"] == ("0.6", "")
    assert rows["state"] == ("done", "interrupted")
    assert rows["first fall of the rate"] == ("", "epoch 2: training 40.0%, then 70.0%")
    assert rows["seconds"] == ("6.0", "4.5")
    assert training_curves.compute([two[0], two[0]]).differences["what"], "the same run twice keeps both columns"


def test_a_model_with_its_history_and_a_run_that_went_on(two, lenet, lite, tmp_path, monkeypatch):
    result = training_curves.compute(lenet)
    assert len(result.table["epoch"]) == 10
    facts = read_facts(result.figure().encode("csv"))
    assert explain.redraw(facts).encode("csv") == result.figure().encode("csv")
    with pytest.raises(BadFile, match="no history"):
        training_curves.compute(lite)
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path))
    write_run(tmp_path / "runs/mine-1", [row(1)])
    mine = explain.open_run("mine-1")
    assert mine.digest == explain.open_run(tmp_path / "runs/mine-1").digest
    assert run_of(mine) is mine
    with pytest.raises(Unknown, match="mine-1"):
        explain.open_run("mine")
    facts = training_curves.compute(mine).figure(part="weights").facts
    assert explain.redraw(facts).table["weight"] == [2, 3, 4]
    write_run(tmp_path / "runs/mine-1", [row(1), row(2)])
    with pytest.raises(BadValue, match="gone on"):
        explain.redraw(facts)
    with pytest.raises(Unknown, match="mine-2"):
        explain.redraw({**facts, "runs": [{"name": "mine-2", "digest": "x"}]})
    with pytest.raises(BadValue):
        explain.redraw({**facts, "runs": ["../../etc"]})


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"history": 3, "state": "done", "recipe": {}}', '{"history": [{}]}']
)
def test_a_damaged_run_is_named(tmp_path, content):
    store.write(tmp_path / "bad-1" / "run.json", content)
    with pytest.raises(BadFile):
        training_curves.compute(tmp_path / "bad-1")


def test_how_many_and_which_part(two, tmp_path):
    for runs in ([], [two[0]] * 11):
        with pytest.raises(BadValue, match="1 to 10"):
            training_curves.compute(runs)
    with pytest.raises(BadFile):
        training_curves.compute(tmp_path / "nowhere")
    with pytest.raises(Unknown, match="curves"):
        training_curves.compute(two[0]).figure(part="nope")


# Confusion -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(clothes):
    return clothes


@pytest.fixture(scope="module")
def result(index):
    return confusion.compute(index)


def test_the_matrix_is_scikit_learns(index, result, lenet):
    truth, guesses = index.labels, index.predictions[:, 0]
    assert (result.counts == confusion_matrix(truth, guesses, labels=range(10))).all()
    np.testing.assert_allclose(result.recall, recall_score(truth, guesses, average=None, labels=range(10)))
    np.testing.assert_allclose(result.precision, precision_score(truth, guesses, average=None, labels=range(10)))
    scores = lenet.scores(list(load_images("fashion-mnist", 300))).numpy()
    assert result.top1 == pytest.approx(top_k_accuracy_score(truth, scores, k=1, labels=range(10)))
    assert result.top5 == pytest.approx(top_k_accuracy_score(truth, scores, k=5, labels=range(10)))
    assert result.images == 300
    assert result.columns == lenet.classes


def test_the_worst_mistakes_are_the_surest(index, result):
    wrong = [k for k in range(300) if index.predictions[k, 0] != index.labels[k]]
    wrong.sort(key=lambda k: -index.probabilities[k, 0])
    assert [one.image for one in result.mistakes] == wrong[:18]
    first = result.mistakes[0]
    assert (first.label, first.prediction) == (index.label(wrong[0]), index.prediction(wrong[0]))
    assert first.confidence == index.probabilities[wrong[0], 0]
    assert (result.tiles[0, ..., 0] == np.asarray(index.images[wrong[0]])).all()
    assert confusion.compute(index, count=0).mistakes == ()


def test_some_pictures_only(index):
    some = confusion.compute(index, range(100, 150))
    truth, guesses = index.labels[100:150], index.predictions[100:150, 0]
    assert (some.counts == confusion_matrix(truth, guesses, labels=range(10))).all()
    assert {one.image for one in some.mistakes} == {100 + k for k in np.flatnonzero(truth != guesses)}
    for bad, said in (([300], "0 to 299"), ([-1], "outside 0")):
        with pytest.raises(BadValue, match=said):
            confusion.compute(index, bad)


@pytest.mark.parametrize("part", confusion.PARTS)
def test_every_part_is_drawn(result, part):
    figure = result.figure(part=part)
    assert figure.encode("svg")
    assert "Right on" in figure.note
    flawless = dataclasses.replace(result, counts=np.eye(10, dtype=np.int64), mistakes=(), tiles=result.tiles[:0])
    assert flawless.figure(part=part).encode("csv")


def test_numbers_stand_in_cells_of_few_classes_only(result):
    chart = result.figure().panels[0]
    assert len(chart.cells) == np.count_nonzero(result.counts)
    assert sum(int(text.replace(",", "")) for *_, text, _ in chart.cells) == 300
    assert all(text.endswith("%") for *_, text, _ in result.figure(numbers="shares").panels[0].cells)
    counts = np.eye(100, dtype=np.int64)
    names, ones = tuple(f"class {k}" for k in range(100)), np.ones(100)
    large = dataclasses.replace(result, counts=counts, classes=names, recall=ones, precision=ones)
    (chart,) = large.figure(most=100).panels
    assert not chart.cells
    assert len(chart.lines) == 100
    assert "classes that" not in chart.caption
    assert large.figure().encode("png", dpi=60)


@pytest.fixture
def thousand(result):
    """A thousand classes, each right 40 times and four times anything, and some pairs that are confused."""
    counts = np.diag(np.full(1000, 40))
    rng = np.random.default_rng(0)
    for k in range(1000):
        np.add.at(counts[k], rng.choice(np.delete(np.arange(1000), k), 4, replace=False), 1)
    for true, taken, times in ((903, 7, 9), (7, 903, 8), (500, 501, 12), (44, 45, 6), (12, 13, 1)):
        counts[true, taken] += times
    names, ones = tuple(f"class {k}" for k in range(1000)), np.ones(1000)
    return dataclasses.replace(result, counts=counts, classes=names, recall=ones, precision=ones)


def test_of_a_thousand_classes_the_most_confused_are_to_be_read(thousand):
    counts = thousand.counts
    for most in (2, 6, 20, 40):
        figure = thousand.figure(most=most, numbers="pictures")
        (chart,) = figure.panels
        shown = [int(name.split()[1]) for _, name in sorted(chart.y_ticks, reverse=True)]
        assert len(shown) == most
        assert shown == sorted(shown)
        assert set(shown) >= {500, 501} if most == 2 else {500, 501, 903, 7, 44, 45}
        assert [name for _, name in chart.x_ticks] == [*(f"class {k}" for k in shown), "other classes"]
        told = {(x, y): int(text.replace(",", "")) for x, y, text, _ in chart.cells}
        if most <= 20:
            for row, true in enumerate(shown):
                cells = [told.get((column + 0.5, most - row - 0.5), 0) for column in range(most + 1)]
                assert cells[:-1] == counts[true, shown].tolist()
                assert sum(cells) == counts[true].sum(), "what is left out is in the last column"
        inside = counts[np.ix_(shown, shown)]
        held, wrong = inside.sum() - inside.trace(), counts.sum() - counts.trace()
        assert f"The {most} of 1,000 classes" in chart.caption
        assert f"{held:,} of all {wrong:,} mistakes" in chart.caption
        assert len(figure.table["class"]) == 1000, "the CSV has all"
    page = figure.encode("html").decode()
    assert "The first 60 of 1,004 columns" in page
    assert len(page) < 3_000_000


def test_the_largest_confusions_come_first(thousand):
    figure = thousand.figure(part="confusions")
    table = figure.table
    wrong = thousand.counts - np.diag(thousand.counts.diagonal())
    assert len(table["class"]) == np.count_nonzero(wrong)
    assert table["pictures"] == sorted(wrong[wrong > 0].tolist(), reverse=True)
    number = {name: k for k, name in enumerate(thousand.classes)}
    for true, taken, pictures, share in list(zip(*table.values(), strict=True))[::50]:
        assert wrong[number[true], number[taken]] == pictures
        assert share == pytest.approx(pictures / thousand.counts[number[true]].sum())
    first = (table["class"][0], table["taken for"][0])
    assert first == ("class 500", "class 501")
    assert f"{first[0]} is taken for {first[1]} most often ({table['pictures'][0]} pictures" in thousand.sentence()
    (chart,) = figure.panels
    assert len(chart.y_ticks) == confusion.MOST_BARS
    assert "The largest 20 of" in chart.caption


def folder_of(tmp_path, names):
    for k, name in enumerate(names):
        (tmp_path / name).mkdir()
        for n in range(3):
            load_images("fashion-mnist")[10 * k + n].save(tmp_path / name / f"{n}.png")
    (tmp_path / names[0] / "broken.png").write_bytes(b"no picture")
    return tmp_path


def test_classes_are_matched_by_name(lenet, tmp_path):
    (tmp_path / "data").mkdir()
    data = folder_of(tmp_path / "data", ["Bag", "Coat", "Giraffe"])
    index = explain.build_index(lenet, data, ["conv1"], out=tmp_path / "index")
    result = confusion.compute(index)
    assert result.classes == ("Coat", "Bag"), "in the model's order"
    assert result.left_out == 4, "three giraffes and a broken file"
    assert result.counts.sum() == 6
    assert result.columns[-1] == "another class"
    assert "4 cannot be judged" in result.sentence()
    text = json.dumps(result.figure(part="mistakes").facts)
    assert str(tmp_path) not in text


def test_pictures_without_labels_are_refused(lenet, tmp_path):
    for names in (["Giraffe", "Zebra"], None):
        data = tmp_path / str(names)
        data.mkdir()
        if names:
            folder_of(data, names)
        else:
            load_images("fashion-mnist")[0].save(data / "0.png")
        index = explain.build_index(lenet, data, ["conv1"], out=tmp_path / f"index {names}")
        with pytest.raises(BadValue, match="no labels"):
            confusion.compute(index)


def test_the_command_line_says_the_same(index, result, capsys, tmp_path):
    file = tmp_path / "mistakes.csv"
    command = ["confusion", str(index.folder), "--json", "--count", "5", "--out", str(file), "--style", "part=mistakes"]
    assert cli.main(command) == 0
    said = json.loads(capsys.readouterr().out)["numbers"]
    assert said["top1"] == result.top1
    assert said["classes"]["recall"] == result.recall.tolist()
    assert [one["image"] for one in said["mistakes"]] == [one.image for one in result.mistakes[:5]]
    assert read_facts(file)["view"] == "confusion"
    assert cli.main(["confusion", str(index.folder)]) == 0
    assert "Right on" in capsys.readouterr().out
