"""Concepts: planted directions, effects and curves are found as they were planted; estimators against known values."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import nnls
from torch import nn

import explain
from explain.concept_extraction import coefficients, factorise, find, layer_for, own, windows
from explain.concept_extraction.crops import Pictures, crops_of
from explain.concept_extraction.curves import ORDERS, plan
from explain.concept_extraction.importance import designs, jansen, total_indices
from explain.concept_extraction.masked import Masked
from explain.concept_extraction.rest import Rest
from explain.concept_extraction.stability import matched, shuffled, stability
from explain.errors import BadValue, NotSupported, Unknown
from explain.network.trace import reached

SIDE, COLOURS = 32, 3
DIRECTIONS = np.array([[3, 1, 0, 0, 2, 0, 0, 1], [0, 2, 3, 0, 0, 1, 0, 1], [0, 0, 0, 3, 1, 0, 2, 1]], float)
EFFECTS = np.array([3.0, 1.5, 0.0])
"""Of the mean of each colour's detector on the score."""


class Planted(nn.Module):
    """Detectors of red, green and blue; each found colour adds its own direction; the first score is linear in these
    colours by EFFECTS, the second lower than any."""

    def __init__(self):
        super().__init__()
        self.detect = nn.Conv2d(3, COLOURS, 1)
        self.found = nn.ReLU()
        self.mix = nn.Conv2d(COLOURS, 8, 1, bias=False)
        self.features = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 2)
        with torch.no_grad():
            self.detect.weight.copy_((torch.eye(3) - 0.5 * (1 - torch.eye(3)))[..., None, None])
            self.detect.bias.fill_(-0.25)
            self.mix.weight.copy_(torch.tensor(DIRECTIONS.T)[..., None, None])
            weight = EFFECTS @ np.linalg.pinv(DIRECTIONS.T)
            self.head.weight.copy_(torch.tensor(np.stack([weight, 0 * weight])))
            self.head.bias.copy_(torch.tensor([0.5, -9.0]))

    def forward(self, pictures):
        maps = self.features(self.mix(self.found(self.detect(pictures))))
        return self.head(self.pool(maps).flatten(1))


def scenes(count=24, seed=0):
    """Pictures (N, H, W, 3) of grey, with patches of colours in those that `has` (N, 3) says."""
    chance = np.random.default_rng(seed)
    has = np.array([[bool(k >> colour & 1) for colour in range(COLOURS)] for k in chance.permutation(count) % 8])
    pictures = chance.integers(90, 110, (count, SIDE, SIDE, 1)).repeat(3, -1).astype(np.uint8)
    for picture, own_colours in zip(pictures, has, strict=True):
        corners = chance.permutation(4)
        for colour in np.flatnonzero(own_colours):
            y, x = divmod(int(corners[colour]), 2)
            side = int(chance.integers(8, 14))
            value = np.zeros(3)
            value[colour] = chance.integers(200, 256)
            picture[16 * y + 1 : 16 * y + 1 + side, 16 * x + 1 : 16 * x + 1 + side] = value
    return pictures, has


@pytest.fixture(scope="module")
def model():
    how = explain.Preprocess(size=(SIDE, SIDE))
    return explain.wrap(Planted(), ["planted", "other"], how, name="planted")


def pictures_of(model, shown):
    inputs = torch.stack([model.preprocess.scaled(one) for one in shown])
    return Pictures(tuple(range(len(shown))), shown, inputs, (0,) * len(shown))


@pytest.fixture(scope="module")
def planted(model):
    """What is found, and which pictures have which colours, in the order of the concepts found."""
    shown, has = scenes()
    found = find(model, pictures_of(model, shown), None, COLOURS, 0.5, 64, 0)
    order = [int(np.argmax(DIRECTIONS @ one / np.linalg.norm(DIRECTIONS, axis=1))) for one in found.factors.directions]
    assert sorted(order) == list(range(COLOURS))
    return found, has[:, order], order


def detected(model, pictures):
    """The mean of each colour's detector (N, 3), by a pass that knows nothing of concepts."""
    with model.exclusive() as net, torch.no_grad():
        return reached(net, pictures.inputs, "found").mean((2, 3)).double().numpy()


def auc(scores, truth):
    pairs = list(itertools.product(scores[truth], scores[~truth]))
    return np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])


# What is planted is found --------------------------------------------------------------------------------------------


def test_planted_directions_are_concepts(planted):
    found, has, order = planted
    assert found.layer.name == "features"
    cosines = matched(found.factors.directions, DIRECTIONS[order])
    assert (cosines >= 0.9).all(), cosines
    for k in range(COLOURS):
        assert auc(found.coefficients[:, k], has[:, k]) >= 0.9
        crops = np.array([found.owners[one] for one in found.best(k, 6)])
        assert has[crops, k].all()
        assert len(set(crops.tolist())) == len(crops)
    assert (found.present <= has).all()


def test_planted_effects_are_the_importance(model, planted):
    """The score is the sum of EFFECTS times the colours: what it loses without a concept is that term, and the total
    index of an additive function is the term's share of the variance, which uniform masks make a twelfth of its
    square."""
    found, _, order = planted
    terms = detected(model, found.pictures)[:, order] * EFFECTS[order]
    assert order[:2] == [0, 1]
    np.testing.assert_allclose(found.losses, terms, atol=0.02 * np.abs(terms).max())
    squares = np.square(terms).sum(0)
    for k, expected in enumerate(squares / squares.sum()):
        one = found.importance[k]
        assert one.low <= expected <= one.high or abs(one.value - expected) <= 0.05
        assert one.low <= one.value <= one.high
    assert found.importance[2].value < 1e-3  # blue means nothing to the score
    assert abs(found.effects[2].value) < 0.01
    assert found.effects[0].low > 0


def test_concepts_hold_what_was_planted(planted):
    found, _, _ = planted
    assert max(found.missed) < 0.02
    np.testing.assert_allclose(found.without, 0.5, atol=0.02)  # the head's bias


def test_all_masks_one_give_the_pictures_own_score(lite):
    """Whatever the concepts hold of the layer: here chance directions that hold next to nothing of it."""
    picture = lite.batch(explain.open_picture("photos/chelsea"))
    directions = np.random.default_rng(0).random((5, 1280))
    with lite.exclusive() as net, torch.no_grad():
        one = Masked(net, Rest(net, "bn2"), picture, reached(net, picture, "bn2"), directions)
        scores = one.scores(np.array([[1.0] * 5, [0.0] * 5, [0.3] * 5]))
    np.testing.assert_allclose(scores[0], lite.ask(picture)[0].numpy(), atol=1e-4)
    assert np.abs(scores[1] - scores[0]).max() > 0.01


def test_the_score_falls_first_for_what_matters(planted):
    found, _, _ = planted
    areas = found.curves.areas
    assert areas["deletion"] <= areas["deletion_by_chance"][0]
    assert areas["insertion"] >= areas["insertion_by_chance"][0]
    for name in ("deletion", "deletion_by_chance"):
        ends = np.atleast_2d(getattr(found.curves, name))[:, [0, -1]]
        np.testing.assert_allclose(ends, [[found.scores.mean(), found.without.mean()]] * len(ends), atol=1e-6)


def test_a_picture_has_its_own_concepts(model, planted):
    found, has, _ = planted
    number = int(np.flatnonzero(has[:, 0] & ~has[:, 1])[0])
    picture = found.pictures.inputs[number : number + 1]
    mine = own(model, found, picture)
    np.testing.assert_allclose(mine.maps, found.maps[number], atol=1e-5)
    np.testing.assert_allclose(mine.losses, found.losses[number], atol=1e-5)
    assert mine.target == 0
    assert mine.losses[0] > 0.05 > abs(mine.losses[1])
    other = own(model, found, picture, 1)
    np.testing.assert_allclose(other.losses, 0, atol=1e-6)


def test_what_is_found_does_not_hang_on_how_it_is_drawn(model):
    shown, _ = scenes(12, 3)
    first, again = (find(model, pictures_of(model, shown), "features", 3, 0.5, 16, 5) for _ in range(2))
    np.testing.assert_array_equal(first.factors.directions, again.factors.directions)
    assert first.importance == again.importance


# Estimators ----------------------------------------------------------------------------------------------------------


def test_total_indices_of_ishigami():
    """Ishigami and Homma 1990, a = 7, b = 0.1: the total indices are known in closed form."""
    a, b = 7.0, 0.1
    x = np.pi * (2 * designs(3, 1024, 0) - 1)
    values = np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])
    changes, variance = jansen(values, 3)
    whole = a**2 / 8 + b * np.pi**4 / 5 + b**2 * np.pi**8 / 18 + 0.5
    third = b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    first = 0.5 * (1 + b * np.pi**4 / 5) ** 2 + third
    np.testing.assert_allclose(changes / variance, [first / whole, a**2 / 8 / whole, third / whole], atol=0.05)
    assert variance == pytest.approx(whole, rel=0.05)


def test_indices_over_pictures_weigh_by_variance():
    """A picture whose score does not move tells nothing; where none moves, no concept matters."""
    masks = designs(2, 256, 1)
    values = np.stack([masks @ [4.0, 0.0], masks @ [0.0, 2.0], 0 * masks[:, 0]])
    found = total_indices(jansen(values, 2), 0)
    assert [one.value for one in found] == pytest.approx([0.8, 0.2], abs=0.03)
    assert found[0].low < 0.5 < found[0].high
    assert [one.value for one in total_indices(jansen(values[2:], 2), 0)] == [0, 0]


def test_coefficients_are_those_of_nnls():
    chance = np.random.default_rng(0)
    directions = chance.random((6, 20))
    rows = np.concatenate([chance.random((30, 6)) @ directions, chance.random((30, 20)), np.zeros((1, 20))])
    expected = np.array([nnls(directions.T, row)[0] for row in rows])
    np.testing.assert_allclose(coefficients(rows, directions), expected, atol=1e-4)


def test_curves_are_those_of_every_mask():
    """Of a score that knows all interactions, against each curve step by step."""
    values = {mask: np.random.default_rng(sum(k << n for n, k in enumerate(mask))).normal() for mask in MASKS}
    steps = plan(np.array([2, 0, 3, 1]), 0)
    curves = steps.curves(np.array([values[tuple(int(k) for k in mask)] for mask in steps.masks]))
    assert curves.deletion.tolist() == [
        values[mask] for mask in ((1, 1, 1, 1), (1, 1, 0, 1), (0, 1, 0, 1), (0, 1, 0, 0), (0, 0, 0, 0))
    ]
    assert curves.insertion.tolist() == [
        values[mask] for mask in ((0, 0, 0, 0), (0, 0, 1, 0), (1, 0, 1, 0), (1, 0, 1, 1), (1, 1, 1, 1))
    ]
    assert curves.deletion_by_chance.shape == (ORDERS, 5)
    assert (curves.insertion_by_chance == curves.deletion_by_chance[:, ::-1]).all()


MASKS = list(itertools.product((0, 1), repeat=4))


def test_planted_concepts_are_stable_and_noise_is_not(planted):
    found, _, _ = planted
    assert (found.stability.values >= 0.95).all()
    assert found.stability.stable.all()
    stable = []
    for seed in range(4):
        noise, owners = np.random.default_rng(seed).exponential(size=(120, 30)), np.arange(120)
        nothing = stability(noise, owners, factorise(noise, 4, 0).directions, seed)
        stable += nothing.stable.tolist()
        assert nothing.control > 0.5 > found.stability.values.min() - found.stability.control > 0
    assert sum(stable) <= 8  # of 16; one in five would be, were each as likely the greatest of its five


def test_shuffling_leaves_channels_as_they_are():
    rows = np.random.default_rng(0).random((40, 5))
    other = shuffled(rows, 1)
    np.testing.assert_array_equal(np.sort(rows, 0), np.sort(other, 0))
    assert (np.argsort(other, 0) != np.argsort(rows, 0)).any()
    assert len({tuple(column) for column in np.argsort(np.argsort(other, 0), 0).T}) == 5


def test_matching_is_one_to_one():
    directions = np.eye(4)[:3]
    assert matched(directions, np.eye(4)[[2, 0, 1, 3]]).tolist() == [1, 1, 1]
    assert sorted(matched(np.array([[1.0, 0], [1, 0.1]]), np.array([[1.0, 0]])).round(6)) == [0, 1]


@pytest.mark.parametrize(("size", "share"), [((224, 224), 0.5), ((28, 20), 0.3), ((7, 9), 0.1), ((16, 16), 1)])
def test_windows_cover_all_and_overlap(size, share):
    covered = np.zeros(size, int)
    found = windows(size, share)
    for y0, x0, y1, x1 in found:
        assert 0 <= y0 < y1 <= size[0]
        assert 0 <= x0 < x1 <= size[1]
        assert (y1 - y0, x1 - x0) == tuple(max(1, round(share * side)) for side in size)
        covered[y0:y1, x0:x1] += 1
    assert covered.min() >= 1
    assert len(found) == len(set(found))
    if share == 1:
        assert len(found) == 1


def test_crops_are_enlarged_windows():
    batch = torch.rand(2, 3, 8, 8)
    boxes = windows((8, 8), 0.5)
    found = crops_of(batch, boxes)
    assert found.shape == (18, 3, 8, 8)
    y0, x0, y1, x1 = boxes[4]
    cut = batch[1:, :, y0:y1, x0:x1]
    expected = nn.functional.interpolate(cut, (8, 8), mode="bilinear", align_corners=False)
    assert torch.equal(found[9 + 4], expected[0])
    assert torch.equal(crops_of(batch, [(0, 0, 8, 8)]), batch)


# The rest of a network ------------------------------------------------------------------------------------------------


class Dense(nn.Module):
    """Joins the layer's output with what is before it, so that a batch may not grow on the way."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Linear(8, 3)

    def forward(self, batch):
        before = self.first(batch)
        return self.head(torch.cat([before, self.second(before)], 1).mean((2, 3)))


class Meeting(nn.Module):
    """Pictures of a batch meet: scores are less the batch's mean."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
        self.head = nn.Linear(4, 3)

    def forward(self, batch):
        scores = self.head(self.layer(batch).mean((2, 3)))
        return scores - scores.mean(0) / 2


@pytest.mark.parametrize(
    ("net", "layer", "once"),
    [(Dense(), "second", False), (Dense(), "first", True), (Meeting(), "layer", None)],
)
def test_the_rest_is_that_of_a_whole_pass(net, layer, once):
    """One by one, each output in the place of the layer's in a pass of its own."""
    wrapped = explain.wrap(net, ["a", "b", "c"], explain.Preprocess((12, 12), channels=1))
    chance = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 1, 12, 12, generator=chance)
    outputs = torch.rand(7, 4, 10, 10, generator=chance)
    with wrapped.exclusive() as opened, torch.no_grad():
        rest = Rest(opened, layer)
        found = rest.scores(picture, outputs.clone())
        for k in range(7):
            expected = Rest(opened, layer).scores(picture, outputs[k : k + 1].clone())
            assert torch.allclose(found[k], expected[0], atol=1e-5)
    assert rest.once is once


def test_a_residual_block_is_run_from_within(lenet):
    """A layer inside a block, whose way around it has the picture once."""
    small = explain.load_model("small-resnet-fashion-mnist")
    picture = small.batch(explain.open_picture("fashion-mnist/7"))
    with small.exclusive() as net, torch.no_grad():
        own_output = reached(net, picture, "layer1.1.relu:0")
        outputs = own_output * torch.linspace(0, 1, 5).view(-1, 1, 1, 1)
        rest = Rest(net, "layer1.1.relu:0")
        found = rest.scores(picture, outputs.clone())
        assert rest.once
        assert torch.allclose(found[-1], net(picture)[0], atol=1e-4)
        for k in range(4):
            alone = Rest(net, "layer1.1.relu:0").scores(picture, outputs[k : k + 1].clone())
            assert torch.allclose(found[k], alone[0], atol=1e-4)


# What users meet -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    shown, has = scenes()
    for number, (picture, own_colours) in enumerate(zip(shown, has, strict=True)):
        kind = folder / ("red" if own_colours[0] else "plain")
        kind.mkdir(exist_ok=True)
        Image.fromarray(picture).save(kind / f"{number:03}.png")
    return explain.build_index(model, folder, ["features"], k=2, out=tmp_path_factory.mktemp("index"))


def test_a_network_of_ones_own(index):
    found = explain.concepts(index, count=3, image=0)
    assert found.layer.name == "features"
    assert found.table["importance"] == sorted(found.table["importance"], reverse=True)
    assert found.maps.shape == (24, 3, SIDE, SIDE)
    assert found.coefficients.shape == (24, 3)
    assert found.crop_coefficients.shape == (24 * 9, 3)
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1, atol=1e-6)
    red = [row for row, concept in enumerate(found.rows["concept"]) if concept == 1]
    assert {found.rows["label"][row] for row in red} == {"red"}
    assert "in_picture" in found.table
    figure = found.figure()
    assert [panel.title for panel in figure.panels[:3]] == ["Concept 1", "Concept 2", "Concept 3"]
    assert len(figure.panels) == 6
    assert "not a word" in figure.note
    assert "1: Total Sobol index" in found.summary


def test_some_of_the_pictures(index):
    """By a label, by numbers as of a lasso, by class: those alone, and the class that they are predicted as."""
    red = explain.concepts(index, where="label=red", count=2)
    assert {index.label(number) for number in red.numbers} == {"red"}
    chosen = explain.concepts(index, where="pictures=3,5-9", count=2)
    assert chosen.numbers == (3, 5, 6, 7, 8, 9)
    some = explain.concepts(index, target="planted", pictures=7, count=2)
    assert len(some.numbers) == 7
    assert some.facts["target"] == "planted"


def test_a_layer_that_can_be_factorised_is_chosen(model, lite):
    inputs = torch.rand(2, 3, SIDE, SIDE)
    assert layer_for(model, None, inputs).name == "features"
    assert layer_for(model, "found", inputs).name == "found"
    with pytest.raises(NotSupported, match=r"below zero.*such as found"):
        layer_for(model, "detect", inputs)
    with pytest.raises(NotSupported, match=r"no maps.*such as features"):
        layer_for(model, "pool", inputs)
    with pytest.raises(Unknown, match="layer"):
        layer_for(model, "nope", inputs)
    picture = lite.batch(explain.open_picture("photos/chelsea"))
    assert layer_for(lite, None, picture).name == "bn2"
    with pytest.raises(NotSupported, match=r"choose a layer after a rectifier, such as blocks\.1\.0\.bn1\.act"):
        layer_for(lite, "blocks.0.0.bn2", picture)


def test_what_cannot_be_asked_is_said(index):
    with pytest.raises(BadValue, match=r"There are 3 pictures; .* at least 4"):
        explain.concepts(index, where="pictures=1-3")
    with pytest.raises(BadValue, match="predicted as 'other'; they are predicted as planted"):
        explain.concepts(index, target="other")
    with pytest.raises(Unknown, match="class"):
        explain.concepts(index, target="nobody")
    with pytest.raises(BadValue, match="count=9 is more than 8"):
        explain.concepts(index, count=9)
    with pytest.raises(NotSupported, match="below zero"):
        explain.concepts(index, "detect")


def test_silent_layers_are_said():
    with pytest.raises(NotSupported, match="silent"):
        factorise(np.zeros((10, 5)), 2, 0)


def test_directions_that_nothing_needs_are_left_out():
    rows = np.outer(np.linspace(1, 2, 12), [1.0, 2, 0, 1])
    found = factorise(rows, 3, 0)
    assert 1 <= len(found) <= 3
    assert (np.linalg.norm(found.directions, axis=1) > 0.999).all()
    np.testing.assert_allclose(found.coefficients @ found.directions, rows, atol=0.02)


def test_another_picture_is_asked_of_the_same_concepts(index, monkeypatch):
    first = explain.concepts(index, count=3, image=0)
    view = __import__("explain.views.concepts", fromlist=["find"])
    monkeypatch.setattr(view, "find", None)  # which would have to be called again
    again = explain.concepts(index, count=3, image=1)
    assert again.table["importance"] == first.table["importance"]
    assert again.table["effect_on_picture"] != first.table["effect_on_picture"]
    with pytest.raises(TypeError):
        explain.concepts(index, count=2)
