"""Averages: the accuracy of the mean answer of networks and of crops, counted once more by hand."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import explain
from explain.errors import BadValue, NotSupported
from explain.training.averaging import crop_chances
from explain.views import ensemble

NAMES = ("lenet-fashion-mnist", "edges-fashion-mnist")


@pytest.fixture(scope="module")
def models():
    return [explain.load_model(name) for name in NAMES]


@pytest.fixture(scope="module")
def images():
    return explain.load_images("fashion-mnist", limit=60)


def right(chances, images):
    return float((chances.argmax(-1).numpy() == images.labels).mean())


def test_it_is_what_counting_by_hand_gives(models, images):
    """R07, R08."""
    result = ensemble.compute(models, images, margin=4, count=60)
    each = [model.scores(list(images)).softmax(1) for model in models]
    assert [one.whole for one in result.members] == pytest.approx([right(one, images) for one in each])
    assert result.together.whole == pytest.approx(right(sum(each), images))
    for model, member in zip(models, result.members, strict=True):
        large = F.interpolate(model.batch(list(images)), (32, 32), mode="bilinear")
        corners = [large[..., y : y + 28, x : x + 28] for y, x in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))]
        crops = [model.ask(one).softmax(1) for crop in corners for one in (crop, crop.flip(-1))]
        assert member.crops == pytest.approx(right(sum(crops), images))
        assert member.one_crop == pytest.approx(np.mean([right(one, images) for one in crops]))
    assert result.table["network"] == [*NAMES, "all together"]
    assert len(result.figure().panels) == 3
    assert f"{result.together.whole:.1%}" in result.figure().note


def test_without_a_margin_every_crop_is_the_whole(models, images):
    """R08: one crop is the plain score."""
    few = [images[k] for k in range(4)]
    plain, crops = models[0].scores(few).softmax(1), crop_chances(models[0], few, 0, flip=False)
    torch.testing.assert_close(crops, plain.expand(5, -1, -1))
    result = ensemble.compute(models[:1], images, margin=0, count=20)
    assert list(result.table) == ["network", "whole picture"]
    assert "20 pictures" in result.figure().note


def test_the_seed_draws_the_pictures(models, images):
    first, again, other = (ensemble.compute(models[:1], images, margin=0, count=7, seed=seed) for seed in (1, 1, 2))
    assert first.table == again.table
    drawn = np.sort(np.random.default_rng(2).permutation(60)[:7])
    expected = models[0].scores([images[int(k)] for k in drawn]).argmax(1).numpy() == images.labels[drawn]
    assert other.members[0].whole == pytest.approx(expected.mean())


def test_what_cannot_be_averaged_is_one_sentence(models, images, lite):
    with pytest.raises(BadValue, match="classes or the order differ"):
        ensemble.compute([models[0], lite], images)
    with pytest.raises(BadValue, match="No picture of 'photos' has a label"):
        ensemble.compute(models, explain.load_images("photos"))
    with models[0].exclusive() as net:
        numbers = explain.wrap(net, models[0].classes, models[0].preprocess, "regression")
    with pytest.raises(NotSupported, match="no probabilities"):
        ensemble.compute([numbers], images)


def test_the_command_line(capsys):
    from explain import cli

    assert cli.main(["ensemble", ",".join(NAMES), "fashion-mnist", "--count", "20", "--margin", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["numbers"]["rows"]
    assert rows["network"] == [*NAMES, "all together"]
    assert all(0 <= value <= 1 for value in rows["crops averaged"])
