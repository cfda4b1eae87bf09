"""robustness and corruptions: what is measured over many is what one finds picture by picture."""

import itertools
import math

import numpy as np
import pytest
import torch
from near import alike
from PIL import Image
from torch import nn

import explain
from explain.corruption import corrupt, shifted
from explain.data import ImageSet
from explain.errors import BadFile, BadValue, NotSupported, Unknown
from explain.network.drift import Drift
from explain.network.trace import record
from explain.trust.bootstrap import wilson
from explain.views import corruptions, robustness

NAMES, LEVELS, COUNT = ("gaussian_noise", "contrast", "fog"), (1, 4), 9


@pytest.fixture(scope="module")
def images():
    return explain.load_images("fashion-mnist").head(40)


@pytest.fixture(scope="module")
def resnet():
    return explain.load_model("small-resnet-fashion-mnist")


@pytest.fixture(scope="module")
def measured(lenet, resnet, images):
    return robustness.compute(
        lenet, images, baseline=resnet, corruptions=NAMES, severities=LEVELS, count=COUNT, drifting=7, seed=3
    )


def sample(images, count, seed):
    return np.random.default_rng(seed).permutation(len(images))[:count].tolist()


def seen(images, change, seed=3):
    """Each picture by itself, changed. (Fashion-MNIST's are what these networks see.)"""
    name, by = change
    found = [images[number].convert("L") for number in sample(images, COUNT, seed)]
    return [shifted(one, by) if name == "shift" else corrupt(one, name, by, seed=seed) for one in found]


def said(model, picture):
    return model.predict(picture, 1)[0][0][0]


# Accuracy ------------------------------------------------------------------------------------------------------------


def test_what_is_right_is_right_picture_by_picture(measured, lenet, resnet, images):
    truth = [images.classes[images.labels[number]] for number in sample(images, COUNT, 3)]
    for n, model in enumerate((lenet, resnet)):

        def right(change, model=model):
            return [said(model, one) == known for one, known in zip(seen(images, change), truth, strict=True)]

        assert measured.clean[n].tolist() == right(("contrast", 0))
        for (c, name), (s, level) in itertools.product(enumerate(NAMES), enumerate(LEVELS)):
            assert measured.right[n, c, s].tolist() == right((name, level))
        assert measured.shifts == tuple(range(-7, 8))
        for k in (0, 14):
            assert measured.moved[n, k].tolist() == right(("shift", measured.shifts[k]))
        answers = [[said(model, one) for one in seen(images, ("shift", by))] for by in measured.shifts]
        steps = [[a != b for a, b in zip(one, other, strict=True)] for one, other in itertools.pairwise(answers)]
        np.testing.assert_allclose(measured.flips[n], np.mean(steps, 0))


def test_passes_of_any_size_come_to_the_same(measured, lenet, resnet, images, monkeypatch):
    monkeypatch.setattr(robustness, "AT_ONCE", 5)
    again = robustness.compute(
        lenet, images, baseline=resnet, corruptions=NAMES, severities=LEVELS, count=COUNT, drifting=7, seed=3
    )
    assert np.array_equal(again.right, measured.right)
    assert np.array_equal(again.moved, measured.moved)
    assert again.layers == measured.layers
    assert alike(again.drift, measured.drift)
    assert alike(again.channel_drift, measured.channel_drift)


def test_a_share_has_wilsons_interval():
    for hits, of in ((0, 10), (3, 10), (10, 10), (812, 1000)):
        z, p = 1.959963984540054, hits / of
        middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
        low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
        assert wilson(hits, of) == pytest.approx((p, low, high), abs=1e-9)


def test_the_table_counts(measured):
    rows = list(zip(*measured.table.values(), strict=True))
    assert len(rows) == 1 + len(NAMES) * len(LEVELS) + 15
    assert rows[0][:4] == ("none", 0, COUNT, measured.clean[0].mean())
    at = [row[:2] for row in rows].index(("fog", 4))
    assert measured.table["accuracy"][at] == measured.right[0, 2, 1].mean()
    assert measured.table["baseline_accuracy"][at] == measured.right[1, 2, 1].mean()
    low, high = measured.table["accuracy_low"][at], measured.table["accuracy_high"][at]
    assert low <= measured.table["accuracy"][at] <= high


def planted(right, clean):
    """A result of two networks with these answers (networks, corruptions, severities, pictures)."""
    right, clean = np.array(right, bool), np.array(clean, bool)
    none = np.zeros((0, *right.shape[1:3]))
    return robustness.Robustness(
        NAMES[: right.shape[1]], tuple(range(1, 1 + right.shape[2])), clean, right, (), np.zeros((2, 0, 1), bool),
        np.zeros((2, 1)), (), none, none, np.zeros((1, 2, 4, 4, 3), np.uint8), "labels", 0,
        {"model": "one", "baseline": {"model": "other"}, "data": "some", "layer": None},
    )  # fmt: skip


def test_corruption_errors_by_hand():
    """Errors of 3 of 4 and 1 of 4 pictures over 2 and 1 of the baseline, at two severities; clean 1 and 0 of 4."""
    right = [[[[0, 0, 0, 1], [0, 0, 0, 1]], [[1, 1, 1, 0], [1, 1, 1, 0]]],
             [[[0, 0, 1, 1], [0, 1, 1, 1]], [[1, 1, 1, 0], [1, 1, 1, 1]]]]  # fmt: skip
    errors = planted(right, [[1, 1, 1, 0], [1, 1, 1, 1]]).errors
    assert errors["corruption"] == [*NAMES[:2], "mean"]
    assert errors["error"] == pytest.approx([6 / 8, 2 / 8, 0.5])
    assert errors["ce"] == pytest.approx([6 / 3, 2 / 1, 2])
    assert errors["relative_ce"] == pytest.approx([(6 - 2) / 3, (2 - 2) / 1, 2 / 3])


def test_intervals_hold_what_they_should():
    """Of 30 samples out of known chances the true ratio lies within about 95 %."""
    chance, inside = np.random.default_rng(0), 0
    for _ in range(30):
        right = np.stack([chance.random((2, 2, 80)) < 0.6, chance.random((2, 2, 80)) < 0.8])
        errors = planted(right, np.ones((2, 80), bool)).errors
        inside += errors["ce_low"][-1] <= 2 <= errors["ce_high"][-1]
    assert inside >= 0.8 * 30


def test_against_itself_every_error_is_one(lenet, images):
    found = robustness.compute(
        lenet, images, baseline=lenet, corruptions=["contrast"], count=30, drifting=0, shifts=False
    )
    for name in ("ce", "ce_low", "ce_high"):
        assert found.errors[name] == [1, 1]


def test_a_baseline_without_errors_has_no_ratio():
    errors = planted([[[[0, 1]]], [[[1, 1]]]], [[1, 1], [1, 1]]).errors
    assert errors["ce"] == errors["ce_low"] == [None, None]
    assert errors["error"] == [0.5, 0.5]


def test_without_labels_the_answer_on_the_picture_itself_is_right(lenet, images, tmp_path):
    for k in range(6):
        images[k].save(tmp_path / f"{k}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    found = robustness.compute(lenet, explain.load_images(tmp_path), corruptions=["contrast"], severities=[5])
    assert (found.judged, found.left_out, found.images) == ("answers", 1, 6)
    assert found.clean.all()
    first = [said(lenet, images[k]) for k in range(6)]
    later = [said(lenet, corrupt(images[k].convert("L"), "contrast", 5)) for k in range(6)]
    assert found.right.sum() == sum(one == other for one, other in zip(first, later, strict=True))
    assert "could not be read" in found.sentence()


def test_pictures_that_cannot_be(lenet, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(BadFile, match="None of the pictures"):
        robustness.compute(lenet, explain.load_images(tmp_path))
    bands = ImageSet("bands", ("0",), array=np.zeros((1, 16, 16, 4), np.uint8))
    net = nn.Sequential(nn.Conv2d(4, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    four = explain.wrap(net, preprocess=explain.Preprocess((16, 16), channels=4), classes=["a", "b"])
    with pytest.raises(NotSupported, match="grey and RGB"):
        robustness.compute(four, bands)
    with pytest.raises(Unknown, match="gaussian_noise"):
        robustness.compute(lenet, "fashion-mnist", corruptions=["gaussian"])


@pytest.fixture(scope="module")
def coloured():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return explain.wrap(net, preprocess=explain.Preprocess((48, 40), 56), classes=["a", "b", "c", "d"])


def test_networks_of_other_crops_see_their_own(coloured, lenet):
    photos = explain.load_images("photos").head(4)
    found = robustness.compute(coloured, photos, baseline=lenet, corruptions=["snow"], severities=[3], shifts=False)
    numbers = sample(photos, 4, 0)
    for n, model in enumerate((coloured, lenet)):
        mode = "RGB" if n == 0 else "L"
        before = [Image.fromarray(model.preprocess.crop(photos[k])).convert(mode) for k in numbers]
        same = [said(model, one) == said(model, corrupt(one, "snow", 3)) for one in before]
        assert found.right[n, 0, 0].tolist() == same


# Layers --------------------------------------------------------------------------------------------------------------


def test_drift_is_the_distance_picture_by_picture(measured, lenet, images):
    pictures = seen(images, ("contrast", 0))[:7]
    names = [layer.name for layer in lenet.layers if not layer.passes]

    def excited(some):
        with lenet.exclusive() as net:
            return [{k: v[0].double() for k, v in record(net, lenet.batch([one]), names)[1].items()} for one in some]

    before = excited(pictures)
    assert measured.layers == tuple(names)
    for (c, name), (s, level) in itertools.product(enumerate(NAMES), enumerate(LEVELS)):
        after = excited(seen(images, (name, level))[:7])
        for n, layer in enumerate(names):
            moved = np.mean([float((a[layer] - b[layer]).norm()) for a, b in zip(after, before, strict=True)])
            apart = np.mean([float((a[layer] - b[layer]).norm()) for a, b in itertools.pairwise(before)])
            assert measured.drift[n, c, s] == pytest.approx(moved / apart, rel=1e-4)
        channel = 2
        moved = np.mean([float((a["conv2"][channel] - b["conv2"][channel]).norm())
                         for a, b in zip(after, before, strict=True)])  # fmt: skip
        apart = np.mean([float((a["conv2"][channel] - b["conv2"][channel]).norm())
                         for a, b in itertools.pairwise(before)])  # fmt: skip
        followed = robustness.compute(lenet, images, corruptions=[name], severities=[level], count=COUNT, drifting=7,
                                      seed=3, layer="conv2", shifts=False)  # fmt: skip
        assert followed.channel_drift[channel, 0, 0] == pytest.approx(moved / apart, rel=1e-4)


def test_the_first_layer_to_move_is_found(images):
    """A layer that is planted to answer to contrast alone: nothing else moves."""

    class Deaf(nn.Module):
        """The second layer sees which half is brighter, which contrast does not change; the first all of it."""

        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = nn.Identity(), nn.Tanh(), nn.Linear(1, 2)
            self.scale = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            x = self.scale(x)
            centred = x - x.mean((1, 2, 3), keepdim=True)
            unit = centred / centred.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            return self.last(self.second(unit[:, :, :14].sum((2, 3))))

    model = explain.wrap(Deaf(), preprocess=explain.Preprocess((28, 28), channels=1), classes=["a", "b"])
    found = robustness.compute(model, images, corruptions=["contrast"], severities=[5], count=20, shifts=False)
    drift = dict(zip(found.layers, found.drift[:, 0, 0], strict=True))
    assert found.first == found.facts["layer"] == "scale"
    assert drift["scale"] > 0.3 > 10 * drift["second"]


def test_silent_channels_have_no_number():
    drift = Drift(1)
    drift.see({"a": torch.tensor([[[1.0], [0.0]], [[3.0], [0.0]]]), "b": torch.zeros(2, 3)})
    drift.compare(0, {"a": torch.tensor([[[2.0], [5.0]], [[3.0], [0.0]]]), "b": torch.zeros(2, 3)})
    assert list(drift.layers()) == ["a"]
    assert drift.layers()["a"] == pytest.approx([math.sqrt(26) / 2 / 2])
    assert drift.channels("a")[0, 0] == pytest.approx(0.25)
    assert np.isnan(drift.channels("a")[0, 1])


def test_a_layer_that_only_passes_on_is_refused(coloured):
    photos = explain.load_images("photos").head(2)
    with pytest.raises(BadValue, match="'4' only passes on"):
        robustness.compute(coloured, photos, corruptions=["contrast"], layer="4")


# Drawn ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", robustness.PARTS)
def test_every_part_is_drawn(measured, part):
    figure = measured.figure(part=part)
    assert figure.panels
    assert figure.encode("svg")
    assert len({len(column) for column in figure.table.values()}) == 1


def test_charts_show_what_was_measured(measured):
    every, noise, *_, shifts = measured.figure().panels
    mean = next(line for line in every.lines if line.name == "lenet-fashion-mnist")
    assert mean.points[:, 0].tolist() == [0, *LEVELS]
    np.testing.assert_allclose(mean.points[:, 1], [measured.clean[0].mean(), *measured.right[0].mean((0, 2))])
    band = next(line.band for line in every.lines if line.band is not None)
    assert ((band[:, 0] <= mean.points[:, 1]) & (mean.points[:, 1] <= band[:, 1])).all()
    assert [line.name for line in noise.lines if line.name] == ["Gaussian noise"]
    assert [line.points[7, 1] for line in shifts.lines if line.name] == measured.clean.mean(1).tolist()
    assert np.array_equal(measured.tiles[1, 0, ..., 0], np.asarray(seen(explain.load_images("fashion-mnist").head(40),
                                                                        ("contrast", 0))[0]))  # fmt: skip


def test_what_was_not_followed_is_said(lenet, images):
    found = robustness.compute(lenet, images, corruptions=["contrast"], count=3, drifting=0, shifts=False)
    assert (found.layers, found.first, found.facts.get("layer")) == ((), "", None)
    for part in ("layers", "channels"):
        assert "No layers were followed" in found.figure(part=part).note
    assert found.figure(part="accuracy").panels
    assert "moves first" not in found.sentence()


# One picture ---------------------------------------------------------------------------------------------------------


def test_one_picture_under_each(lenet, images):
    picture = images[7]
    found = corruptions.compute(lenet, picture, NAMES, severity=4, method="grad_cam", seed=2)
    assert [one.name for one in found.each] == ["none", *NAMES]
    first = lenet.target(None, picture)
    for one in found.each:
        changed = picture if one.name == "none" else corrupt(picture.convert("L"), one.name, 4, seed=2)
        assert np.array_equal(one.pixels[..., 0], np.asarray(changed))
        name, chance = lenet.predict(changed, 1)[0][0]
        assert (one.said.name, one.said.probability) == (name, pytest.approx(chance))
        alone = explain.saliency(lenet, changed, "grad_cam", first)
        assert np.array_equal(one.map.raw_map, alone.raw_map)
        assert one.before.probability == pytest.approx(alone.target.probability)
    assert found.table["likeness"][0] == found.table["highest"][0] == 1
    assert len(found.figure().panels) == 2 * len(found.each)
    assert len(corruptions.compute(lenet, picture, ["fog"]).figure().panels) == 2
