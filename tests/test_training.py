"""training: the same seed gives the same weights, and what cannot be trained on is refused."""

import dataclasses

import numpy as np
import pytest
import torch

from explain.data import ImageSet, load_images
from explain.errors import BadValue, ExplainError, Unknown
from explain.training import RECIPES, train
from explain.training.fit import accuracy, initialise

RECIPE = "lenet-fashion-mnist"


@pytest.fixture(scope="module")
def few():
    return load_images("fashion-mnist", limit=512)


def run(few, **changes):
    return train(RECIPE, few, test=few, **({"epochs": 2, "batch_size": 128} | changes))


def weights(model):
    with model.exclusive() as net:
        return torch.cat([p.detach().reshape(-1) for p in net.parameters()])


def test_same_seed(few):
    """Equal to the bit, whatever the global generator did, and it is left alone."""
    torch.manual_seed(1)
    first = run(few)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = run(few)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(first), weights(second))
    assert first.digest == second.digest
    losses = [[row["loss"] for row in model.about["history"]] for model in (first, second)]
    assert losses[0] == losses[1]
    assert not torch.equal(weights(run(few, seed=1)), weights(first))


def test_learns(few):
    """From chance to better than it, with a net that does not saturate."""
    model = run(few, epochs=4, batch_size=32, learning_rate=0.05, options={"activation": "relu"})
    losses = [row["loss"] for row in model.about["history"]]
    assert losses[-1] < losses[0]
    assert model.about["accuracy"]["test"] > 0.3
    hits = [rows[0][0] == few.classes[label] for rows, label in zip(model.predict(few, k=1), few.labels, strict=True)]
    assert model.about["accuracy"]["test"] == np.mean(hits)


def test_about(few):
    model = run(few, epochs=1, learning_rate=0.5)
    about = model.about
    assert about["recipe"] == dataclasses.asdict(RECIPES[RECIPE].changed(epochs=1, learning_rate=0.5, batch_size=128))
    assert about["data"] == {"name": few.name, "digest": few.digest}
    assert [row["epoch"] for row in about["history"]] == [1]
    assert model.classes == few.classes


def test_saved(few, tmp_path):
    from explain.zoo import load_model, save_model

    model = run(few, epochs=1, options={"activation": "tanh", "conv1": 3})
    again = load_model(save_model(model, tmp_path / "mine"))
    assert again.digest == model.digest
    assert torch.equal(again.scores(few[0]), model.scores(few[0]))


def test_stops(few):
    rows = []

    def stop(row):
        rows.append(row["epoch"])
        return row["epoch"] == 2

    model = run(few, epochs=50, progress=stop)
    assert rows == [1, 2]
    assert len(model.about["history"]) == 2


def test_diverges(few):
    with pytest.raises(ExplainError, match=r"loss is (nan|inf) in epoch \d+ .*learning_rate=100000") as caught:
        run(few, epochs=20, learning_rate=1e5, options={"activation": "relu"})
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "kind", "part"),
    [
        ({"epoch": 3}, Unknown, "'epochs'"),
        ({"source": "x"}, Unknown, "'source'"),
        ({"epochs": 0}, BadValue, "epochs=0"),
        ({"epochs": 1.5}, BadValue, "epochs=1.5"),
        ({"batch_size": "4"}, BadValue, "batch_size='4'"),
        ({"learning_rate": 0}, BadValue, "learning_rate=0"),
        ({"learning_rate": float("nan")}, BadValue, "learning_rate=nan"),
        ({"seed": -1}, BadValue, "seed=-1"),
        ({"seed": 10**30}, BadValue, "seed=1000"),
        ({"seed": "x"}, BadValue, "seed='x'"),
        ({"architecture": "lenett"}, Unknown, "'lenett'"),
        ({"options": {"bogus": 1}}, Unknown, "'bogus'"),
        ({"options": {"activation": "gelu"}}, Unknown, "'gelu'"),
    ],
    ids=str,
)
def test_bad_setting(few, changes, kind, part):
    with pytest.raises(kind) as caught:
        run(few, **changes)
    assert part in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_bad_recipe(few):
    with pytest.raises(Unknown, match=r"'lenet'.*lenet-fashion-mnist"):
        train("lenet", few)
    with pytest.raises(Unknown, match="'nothing'"):
        train(RECIPE, "nothing")


def test_bad_pictures(few):
    array, labels = few.array, few.labels
    bad = {
        "labels": ImageSet("bad", few.files, None, few.classes, array),
        "needs labels": load_images("photos"),
        "without a label": dataclasses.replace(few, name="bad", labels=np.where(labels == 3, -1, labels)),
        "(512, 20, 28)": dataclasses.replace(few, name="bad", array=array[:, :20]),
        "(512, 28, 28, 3)": dataclasses.replace(few, name="bad", array=np.repeat(array[..., None], 3, -1)),
        "(0, 28, 28)": few[:0],
    }
    for part, images in bad.items():
        with pytest.raises(ExplainError) as caught:
            train(RECIPE, images, test=few, epochs=1)
        assert part in str(caught.value)
        assert repr(images.name) in str(caught.value)


def test_initialise():
    """Xavier-uniform: within its bound and filling it, from the given generator only."""
    nets = [
        torch.nn.Sequential(torch.nn.Conv2d(3, 50, 5), torch.nn.Flatten(), torch.nn.Linear(100, 80)) for _ in range(2)
    ]
    for net in nets:
        initialise(net, torch.Generator().manual_seed(3))
    for layer, fans in ((0, 25 * (3 + 50)), (2, 180)):
        bound = (6 / fans) ** 0.5
        weight = nets[0][layer].weight
        assert weight.abs().max() <= bound
        assert weight.abs().max() > 0.98 * bound
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
        assert torch.equal(weight, nets[1][layer].weight)
        assert torch.equal(nets[0][layer].bias, nets[1][layer].bias)


def test_accuracy():
    """By hand, over more than one evaluation batch."""
    net = torch.nn.Flatten()
    x = torch.eye(4).repeat(600, 1)
    y = torch.arange(4).repeat(600)
    y[:600] = (y[:600] + 1) % 4
    assert accuracy(net, x, y) == 0.75
