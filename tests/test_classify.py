"""The lectures' classifier, and trainings side by side."""

import numpy as np
import pytest

import explain
from explain.data import from_arrays, load_images
from explain.errors import BadValue
from explain.training import recipe
from explain.training.sweep import grid, sweep


@pytest.fixture(scope="module")
def few():
    return load_images("fashion-mnist", limit=400)


def test_the_lectures_three_functions(few):
    """M35: train(images, labels), predict(model, test_images), classify_image(image)."""
    names = np.array(few.classes)[few.labels]
    chosen = np.isin(names, ["Trouser", "Bag", "Sneaker"])
    model = explain.train(few.array[chosen], names[chosen], epochs=8)
    assert model.classes == ("Bag", "Sneaker", "Trouser")
    said = explain.predict(model, [few[int(k)] for k in np.flatnonzero(chosen)])
    assert np.mean(np.array(said) == names[chosen]) > 0.8
    assert explain.classify_image(few[int(np.flatnonzero(chosen)[0])], model) == said[0]
    assert explain.predict("lenet-fashion-mnist", few)[1] == "Pullover"
    assert explain.predict("efficientnet-lite0", "photos")[:2] == ["Egyptian cat", "espresso"], "pictures by name"
    assert explain.classify_image("photos") == "Egyptian cat", "the first of the shipped photographs"


def test_pictures_in_memory():
    images = from_arrays(np.zeros((3, 4, 5, 3), np.uint8), [7, 2, 7])
    assert (images.classes, images.labels.tolist()) == (("2", "7"), [1, 0, 1])
    assert images[0].size == (5, 4)
    for array, labels in ((np.zeros((3, 4, 5)), [1, 2, 3]), (np.zeros((3, 4, 5), np.uint8), [1, 2])):
        with pytest.raises(BadValue):
            from_arrays(array, labels)


def test_a_sweep_is_a_table(few):
    """X01a, X01b: every combination, and what cannot be says why."""
    changes = grid({"options.activation": ["relu", "tanh"], "options.pooling": ["max", "average", "none"]})
    told = []
    rows = sweep(
        "lenet-fashion-mnist",
        few,
        changes,
        test=few,
        epochs=1,
        learning_rate=0.1,
        on_row=told.append,
    )
    assert [row["options.pooling"] for row in rows] == ["max", "average", "none"] * 2
    assert told == rows
    for row in rows:
        assert ("'none'" in row["error"]) if row["options.pooling"] == "none" else (row["parameters"] == 61_706)
    with pytest.raises(BadValue, match="nothing to vary"):
        grid({})


def test_a_learning_curve(few):
    """R13."""
    rows = sweep("lenet-fashion-mnist", few, grid({"limit": [40, 400]}), test=few, batch_size=20,
                 learning_rate=0.05, options={"activation": "relu"}, epochs=6)  # fmt: skip
    assert rows[0]["test"] < rows[1]["test"]


def test_frozen_and_fine_tuned_side_by_side(few):
    """R11: on few pictures, what another task has taught beats a beginning from nothing."""
    plan = recipe("transfer").changed(start="lenet-fashion-mnist", epochs=5, batch_size=16, learning_rate=0.003)
    changes = [{"freeze": True}, {"freeze": False}, {"start": "", "architecture": "lenet"}]
    rows = sweep(plan, few.head(200), changes, test=few[200:])
    frozen, tuned, scratch = (row["test"] for row in rows)
    assert min(frozen, tuned) > scratch + 0.1
