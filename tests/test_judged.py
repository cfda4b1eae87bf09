"""Right, wrong, or neither: a label that is no class of the network is decided in one place, for all doors."""

import json

import numpy as np
import pytest

import explain
from explain.data import load_images
from explain.explorer import words
from explain.views import study
from explain.views.parts import map_explorer, map_plot

NAMES = ["Bag", "Coat", "Giraffe"]


@pytest.fixture(scope="module")
def index(lenet, tmp_path_factory):
    """Of each name six pictures; the giraffes are clothes that nobody has named so."""
    folder = tmp_path_factory.mktemp("named")
    clothes = load_images("fashion-mnist")
    for name in NAMES:
        (folder / "data" / name).mkdir(parents=True)
        own = clothes.classes.index(name) if name in clothes.classes else 0
        for k in np.flatnonzero(clothes.labels == own)[:6].tolist():
            clothes[k].save(folder / "data" / name / f"{k}.png")
    return explain.build_index(lenet, folder / "data", ["conv1"], out=folder / "index")


@pytest.fixture(scope="module")
def expected(index, lenet):
    """Picture by picture."""
    said = [lenet.predict(image, 1)[0][0][0] for image in index.images]
    labels = [index.classes[k] for k in index.labels]
    known = set(lenet.classes)
    return [-1 if label not in known else int(label == one) for label, one in zip(labels, said, strict=True)]


def test_all_say_the_same(index, expected):
    assert index.right.tolist() == expected
    assert expected.count(-1) == 6
    result = explain.embedding(index, "pca")
    assert result.right == [None if one < 0 else one == 1 for one in expected]
    keys = {key.name: key.count for key in map_plot.plot(result, map_plot.Look("right", False, True, 0, 0, 0)).legend}
    assert keys["cannot be judged"] == 6
    assert keys["right"] == expected.count(1)
    cloud = map_explorer.explore((result,), ("",), None)
    told = json.loads(words(cloud))
    assert dict(zip(told["classes"], told["judged"], strict=True))["Giraffe"] is False
    assert told["judged"].count(False) == 1
    mistakes = explain.confusion(index)
    assert mistakes.images == 12
    assert "6 cannot be judged" in mistakes.sentence()
    assert {one.image for one in mistakes.mistakes} == {k for k, one in enumerate(expected) if one == 0}
    trials = study.trials(index, 40, 0, even=False)
    assert {trial.image for trial in trials} == {k for k, one in enumerate(expected) if one >= 0}
    assert all(trial.right == (expected[trial.image] == 1) for trial in trials)
