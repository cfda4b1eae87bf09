"""flips, cka: two networks over the same pictures, against counting by hand and plain definitions."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from near import alike
from torch import nn

import explain
from explain.errors import BadValue
from explain.network.similarity import Similarity, gram, hsic, matched
from explain.network.trace import record
from explain.views import cka, flips

# Flips ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edges_index(tmp_path_factory):
    model = explain.load_model("edges-fashion-mnist")
    return explain.build_index(model, "fashion-mnist", limit=300, k=2, out=tmp_path_factory.mktemp("edges"))


@pytest.fixture(scope="module")
def flipped(clothes, edges_index):
    return flips.compute(clothes, edges_index, count=5)


def answers(index):
    return [(index.label(k), index.prediction(k)) for k in range(len(index))]


def test_pictures_flip_as_one_counts_them(flipped, clothes, edges_index):
    wanted = {kind: [] for kind in flips.KINDS}
    for k, ((label, before), (_, now)) in enumerate(zip(answers(clothes), answers(edges_index), strict=True)):
        if before == label != now:
            wanted["lost"].append(k)
        elif now == label != before:
            wanted["won"].append(k)
        elif label not in (before, now) and before != now:
            wanted["other"].append(k)
    for place, (kind, numbers) in enumerate(wanted.items()):
        assert flipped.numbers[flipped.kinds == place].tolist() == numbers
        assert numbers
        assert flipped.classes[kind][-1] == len(numbers)
        assert sum(flipped.classes[kind][:-1]) == len(numbers)
        wrong = clothes if kind == "won" else edges_index
        surest = sorted(numbers, key=lambda k: -wrong.probabilities[k, 0])[:5]
        assert [row["image"] for row in flipped.shown[kind]] == surest
        assert len(flipped.tiles[kind]) == len(surest)
    row = flipped.shown["lost"][0]
    assert (row["label"], row["now"]) == answers(edges_index)[row["image"]]


def test_classes_gain_and_lose(flipped, clothes, edges_index):
    for k, name in enumerate(flipped.classes["class"]):
        some = [n for n in range(300) if name in (clothes.label(n), "all")]
        before, now = (np.mean([index.right[n] for n in some]) for index in (clothes, edges_index))
        assert flipped.classes["pictures"][k] == len(some)
        assert flipped.classes["difference"][k] == pytest.approx(now - before)
        assert flipped.classes["low"][k] <= now - before <= flipped.classes["high"][k]
        lost, won = flipped.classes["lost"][k], flipped.classes["won"][k]
        tail = sum(math.comb(lost + won, j) for j in range(min(lost, won) + 1)) / 2 ** (lost + won)
        assert flipped.classes["p"][k] == pytest.approx(min(1, 2 * tail))


def test_the_other_way_round_all_is_reversed(flipped, clothes, edges_index):
    back = flips.compute(edges_index, clothes)
    assert back.classes["lost"] == flipped.classes["won"]
    assert back.classes["other"] == flipped.classes["other"]
    assert back.classes["p"] == flipped.classes["p"]
    assert back.classes["difference"] == pytest.approx([-by for by in flipped.classes["difference"]])


def test_nothing_flips_against_itself(clothes):
    same = flips.compute(clothes, clothes)
    assert set(same.kinds.tolist()) == {-1}
    assert set(same.classes["p"]) == {1.0}
    assert same.classes["low"] == same.classes["high"] == [0.0] * len(same.classes["class"])
    assert same.figure(part="pictures").panels == ()
    assert same.figure().encode("svg")


def test_other_pictures_are_refused(clothes, lenet, tmp_path):
    fewer = explain.build_index(lenet, "fashion-mnist", limit=40, k=2, out=tmp_path)
    with pytest.raises(BadValue, match=r"other pictures.*\(300\).*\(40\)"):
        flips.compute(clothes, fewer)


@pytest.mark.parametrize("part", flips.PARTS)
def test_flips_are_drawn(flipped, part):
    figure = flipped.figure(part=part)
    assert figure.panels
    assert figure.encode("svg")
    assert "McNemar" in figure.note


# CKA -----------------------------------------------------------------------------------------------------------------


def test_the_measure_is_the_mean_over_four_pictures():
    """Song et al. 2012: over all i, j, q, r that differ, K_ij (L_ij + L_qr - 2 L_iq)."""
    chance = np.random.default_rng(0)
    one, other = gram(chance.standard_normal((7, 4))), gram(chance.standard_normal((7, 2, 3)))
    terms = [
        one[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q]) for i, j, q, r in itertools.permutations(range(7), 4)
    ]
    assert hsic(one[None], other[None])[0, 0] == pytest.approx(np.mean(terms))


def test_the_measure_has_no_bias():
    """Of unrelated values it is 0 in the mean, where the biased one is not."""
    chance, found = np.random.default_rng(1), []
    for _ in range(300):
        one, other = (gram(chance.standard_normal((8, 30))) for _ in range(2))
        found.append(hsic(one[None], other[None])[0, 0])
    assert abs(np.mean(found)) < 4 * np.std(found) / 300**0.5


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.act = nn.Conv2d(1, 12, 5, 2), nn.Conv2d(12, 9, 3), nn.ReLU()
        self.last = nn.Linear(9, 4)

    def forward(self, x):
        return self.last(self.act(self.second(self.act(self.first(x)))).mean((2, 3)))


def wrapped(net):
    return explain.wrap(net, list("abcd"), explain.Preprocess((28, 28), channels=1))


def small(seed):
    torch.manual_seed(seed)
    return Small()


ORDER = np.random.default_rng(3).permutation(12)


@pytest.fixture(scope="module")
def networks():
    """One; itself with the channels of its first layer in another order, twice as large; another one; and one whose
    weights have moved a little."""
    net, other, near = small(0), small(1), small(0)
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for own in (twin.first.weight, twin.first.bias):
            own.copy_(2 * own[ORDER])
        twin.second.weight.copy_(twin.second.weight[:, ORDER] / 2)
        for own in near.parameters():
            own += 0.05 * own.std() * torch.randn(own.shape, generator=torch.Generator().manual_seed(0))
    return {name: wrapped(one) for name, one in (("net", net), ("twin", twin), ("other", other), ("near", near))}


def compared(networks, second, **more):
    images = explain.load_images("fashion-mnist")
    return cka.compute(networks["net"], networks[second], images, layer="first", second_layer="first", **more)


def test_the_grid_is_the_plain_one(networks, lenet):
    """Each two layers of one batch, by centring whole matrices (Song et al. 2012, equation 5)."""
    images = explain.load_images("fashion-mnist")
    found = cka.compute(networks["net"], lenet, images, count=30, batch=30, seed=2)
    chosen = np.random.default_rng(2).permutation(len(images))[:30]
    grams = []
    for model, names in ((networks["net"], found.layers), (lenet, found.second_layers)):
        with model.exclusive() as net:
            held = record(net, model.batch([images[int(k)] for k in chosen]), names)[1]
        flat = {name: values.flatten(1).double().numpy() for name, values in held.items()}
        grams.append({name: values @ values.T * (1 - np.eye(30)) for name, values in flat.items()})
    one = np.ones(30)

    def plain(k, l):  # noqa: E741
        total = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / (29 * 28) - 2 / 28 * (one @ k @ l @ one)
        return total / (30 * 27)

    for (a, first), (b, second) in itertools.product(enumerate(found.layers), enumerate(found.second_layers)):
        k, l = grams[0][first], grams[1][second]  # noqa: E741
        assert found.values[a, b] == pytest.approx(plain(k, l) / math.sqrt(plain(k, k) * plain(l, l)), abs=1e-4)


def test_a_permuted_and_rescaled_copy_is_the_same(networks):
    same, twin, other = (compared(networks, name, count=60, batch=20) for name in ("net", "twin", "other"))
    assert np.diag(same.values) == pytest.approx(np.ones(len(same.layers)))
    assert np.diag(twin.values) == pytest.approx(np.ones(len(same.layers)), abs=1e-5)
    assert np.diag(other.values)[2] < 0.98
    assert alike(same.values, twin.values, 1e-4)


def test_batches_come_to_about_the_whole(networks):
    whole, parts = (compared(networks, "other", count=400, batch=size) for size in (400, 50))
    np.testing.assert_allclose(parts.values, whole.values, atol=0.05)


def test_channels_of_a_permuted_copy_match_exactly(networks):
    twin = compared(networks, "twin", count=40)
    assert [int(ORDER[k]) for k in twin.partners] == twin.channels.tolist()
    assert twin.correlations == pytest.approx(np.ones(12), abs=1e-5)


def test_channels_of_a_network_that_moved_a_little_nearly_match(networks):
    near = compared(networks, "near", count=200)
    assert (near.channels == near.partners).mean() >= 0.75
    assert compared(networks, "other", count=200).correlations.mean() < near.correlations.mean()


def test_the_match_is_the_best_of_all():
    chance = np.random.default_rng(4)
    one, other = chance.standard_normal((30, 4)), chance.standard_normal((30, 5))
    other[:, 2] = 7.0  # the same on all pictures
    rows, columns, values = matched(one, other)
    with np.errstate(invalid="ignore"):
        every = np.nan_to_num(np.corrcoef(one.T, other.T)[:4, 4:])
    best = max(sum(every[k, p] for k, p in enumerate(order)) for order in itertools.permutations(range(5), 4))
    assert values.sum() == pytest.approx(best)
    assert values.tolist() == sorted(values, reverse=True)
    np.testing.assert_allclose(values, every[rows, columns], atol=1e-12)


def test_a_layer_in_which_all_is_alike_has_no_value():
    found = Similarity()
    found.add(np.stack([gram(np.ones((6, 3)) * 0), gram(np.eye(6))]), gram(np.eye(6))[None])
    assert np.isnan(found.cka()).tolist()[0] == [True]


def test_too_few_pictures_are_refused(networks):
    with pytest.raises(BadValue, match="at least 4"):
        cka.compute(networks["net"], networks["other"], explain.load_images("fashion-mnist").head(3))


@pytest.mark.parametrize("part", cka.PARTS)
def test_cka_is_drawn(networks, part, monkeypatch):
    found = compared(networks, "other", count=20)
    assert found.figure(part=part).encode("svg")
    monkeypatch.setattr(cka, "MOST_CELLS", 3)  # as for large networks
    assert found.figure(part=part).encode("png", width_mm=60, dpi=60)
