"""V28: the loss on a plane through the weights, against networks whose weights were really moved."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import explain
from explain.errors import BadValue, NotSupported
from explain.nets import NETS
from explain.network.loss_slice import concave, directions, loss_slice, path_directions, roughness, weights_of
from explain.progress import unheard
from explain.views import loss_surface

SIDE = np.arange(-5, 6) / 5


@pytest.fixture(scope="module")
def images():
    return explain.load_images("fashion-mnist", limit=60)


@pytest.fixture(scope="module")
def found(lenet, images):
    return loss_surface.compute(lenet, images, steps=2, reach=0.5, count=12, seed=1)


def state(model):
    with model.exclusive() as net:
        return {name: value.clone() for name, value in net.state_dict().items()}, [
            p.requires_grad for p in net.parameters()
        ]


def loss_of(net, model, images, chosen):
    batch, target = model.batch([images[k] for k in chosen]), torch.from_numpy(images.labels[chosen])
    with torch.no_grad():
        return float(F.cross_entropy(net.eval()(batch), target))


@pytest.mark.parametrize("name", ["lenet-fashion-mnist", "small-resnet-fashion-mnist"])
def test_in_the_middle_it_is_the_networks_own_loss(name, images):
    model = explain.load_model(name)
    result = loss_surface.compute(model, images, steps=1, reach=0.1, count=9, seed=2)
    scores = model.scores([images[k] for k in result.facts["pictures"]])
    own = float(F.cross_entropy(scores, torch.from_numpy(images.labels[result.facts["pictures"]])))
    assert result.slices[0].centre == pytest.approx(own, abs=1e-5)
    assert f"{result.slices[0].centre:.4g} at its weights" in result.words


def test_elsewhere_it_is_the_loss_of_a_network_that_was_moved_there(lenet, images, found):
    with lenet.exclusive() as net:
        twin = copy.deepcopy(net)
    first, second = directions(twin, 1)
    moved = copy.deepcopy(twin)
    with torch.no_grad():
        for name, weight in moved.named_parameters():
            weight += 0.25 * first[name] - 0.5 * second[name]
    assert found.along.tolist() == [-0.5, -0.25, 0, 0.25, 0.5]
    expected = loss_of(moved, lenet, images, found.facts["pictures"])
    assert found.slices[0].losses[0, 3] == pytest.approx(expected, abs=1e-5)


def test_each_filter_moves_by_its_own_length(lenet):
    with lenet.exclusive() as net:
        pair = directions(net, 0)
        for drawn in pair:
            for name, weight in net.named_parameters():
                if weight.dim() < 2:
                    assert not drawn[name].any()
                    continue
                lengths = drawn[name].flatten(1).norm(dim=1)
                torch.testing.assert_close(lengths, weight.flatten(1).norm(dim=1), rtol=1e-5, atol=1e-7)
        flat = [torch.cat([one.flatten() for one in drawn.values()]) for drawn in pair]
    assert abs(float(F.cosine_similarity(*flat, dim=0))) < 0.05


def test_weights_and_modes_are_as_they_were_to_the_bit(lenet, images):
    before, wants = state(lenet)
    digest = lenet.digest
    loss_surface.compute(lenet, images, steps=1, count=4)

    def stop(done, total, message=""):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loss_surface.compute(lenet, images, steps=1, count=4, progress=stop)
    after, wants_after = state(lenet)
    assert wants == wants_after
    assert lenet.digest == digest
    assert all(torch.equal(before[name].view(torch.int32), after[name].view(torch.int32)) for name in before)


def test_a_pass_that_fails_leaves_the_weights(lenet, images, monkeypatch):
    before, _ = state(lenet)
    calls = []

    def fails(scores, target):
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("no memory")
        return torch.zeros(len(scores))

    monkeypatch.setattr(type(lenet.head), "loss", lambda _head, scores, target: fails(scores, target))
    with pytest.raises(NotSupported, match="no memory"):
        loss_surface.compute(lenet, images, steps=1, count=4)
    after, _ = state(lenet)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_seed_is_all_the_chance_there_is(lenet, images, found):
    torch.manual_seed(3)
    chance = torch.random.get_rng_state()
    again = loss_surface.compute(lenet, images, steps=2, reach=0.5, count=12, seed=1)
    assert torch.equal(torch.random.get_rng_state(), chance)
    np.testing.assert_array_equal(again.slices[0].losses, found.slices[0].losses)
    other = loss_surface.compute(lenet, images, steps=2, reach=0.5, count=12, seed=2)
    assert (other.slices[0].losses != found.slices[0].losses).any()


def test_roughness_is_what_is_no_bowl():
    x, y = np.meshgrid(SIDE, SIDE)
    bowl = 2 + x + 3 * x**2 + x * y + y**2
    assert roughness(bowl) < 1e-12
    assert concave(bowl) == 0
    assert roughness(np.full((5, 5), 2.0)) == 0
    ripples = np.random.default_rng(0).normal(size=bowl.shape)
    assert 0.5 < roughness(ripples) <= 1
    values = [roughness(bowl + share * ripples) for share in (0, 0.2, 0.5, 2)]
    assert values == sorted(values)
    assert concave(-bowl) == 1
    assert concave(x**2 - y**2) == 1
    assert concave(ripples) > 0.5
    spoilt = bowl.copy()
    spoilt[0, 0] = np.nan
    assert np.isfinite(roughness(spoilt))


def test_the_same_network_without_shortcuts_has_a_surface_of_its_own(lenet, tmp_path):
    """Untrained and small: what is tested is that both are there, on one scale."""
    images = explain.load_images("fashion-mnist", limit=20)
    options = {"depth": 8, "width": 4, "channels": 1, "size": 28, "full": False}
    pair = []
    for kind in ("padding", "none"):
        torch.manual_seed(0)
        net = NETS["resnet_cifar"](**options, shortcut=kind)
        prepared = {"classes": images.classes, "preprocess": lenet.preprocess, "output": "softmax"}
        pair.append(explain.wrap(net, name=f"resnet, {kind}", **prepared))
    result = loss_surface.compute(pair[0], images, pair[1], steps=1, count=4)
    assert [one.model for one in result.slices] == [model.name for model in pair]
    assert result.slices[0].centre != result.slices[1].centre
    figure = result.figure()
    surface, profile, other_surface, other_profile = figure.panels
    assert profile.y == other_profile.y
    alike = loss_surface.compute(pair[0], images, pair[0], steps=1, count=2).figure()
    assert len({panel.title for panel in alike.panels}) == 4
    assert surface.x == other_surface.x == (-1, 1)
    assert all(one.words in figure.note for one in result.slices)
    assert result.save(tmp_path / "x.png").stat().st_size > 0
    assert len(result.table["loss"]) == 2 * 9


def test_what_has_no_loss_is_said(lenet, images):
    photos = explain.load_images("photos")
    with pytest.raises(BadValue, match="has a label that is a class of"):
        loss_surface.compute(lenet, photos, steps=1, count=2)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    numbers = explain.wrap(net, classes=images.classes, preprocess=lenet.preprocess, output="regression")
    with pytest.raises(NotSupported, match="no probabilities"):
        loss_surface.compute(numbers, images, steps=1, count=2)


def test_a_linear_network_has_a_surface_without_concave_places(lenet, images):
    """Cross entropy is convex in the weights of one layer."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    model = explain.wrap(net, classes=images.classes, preprocess=lenet.preprocess, output="softmax")
    target = torch.from_numpy(images.labels[:8])
    with model.exclusive() as own:
        plane = directions(own, 0)
    losses = loss_slice(model, model.batch([images[k] for k in range(8)]), target, SIDE.tolist(), plane, unheard)
    assert concave(losses) == 0


def planted(lenet, places):
    """Twins of lenet whose weights lie on a plane through its own, and that plane's orthonormal directions."""
    with lenet.exclusive() as net:
        twin = copy.deepcopy(net)
    flat = nn.utils.parameters_to_vector(twin.parameters()).double()
    axes, _ = torch.linalg.qr(torch.randn(len(flat), 2, generator=torch.Generator().manual_seed(0)).double())
    models = []
    for place in places:
        moved = copy.deepcopy(twin)
        nn.utils.vector_to_parameters((flat + axes @ torch.tensor(place).double()).float(), moved.parameters())
        prepared = {"classes": lenet.classes, "preprocess": lenet.preprocess, "output": "softmax"}
        models.append(explain.wrap(moved, name=f"at {place}", **prepared))
    return models


def test_snapshots_lie_where_they_are_in_the_plane_of_their_path(lenet, images):
    places = [(-4.0, 0.5), (-2.0, -1.0), (-1.0, 0.25)]
    snapshots = planted(lenet, places)
    result = loss_surface.compute(lenet, images, snapshots=snapshots, steps=1, count=8)
    assert result.share == pytest.approx(1, abs=1e-6)
    assert np.abs(result.path).max() == pytest.approx(0.8)
    between = [np.linalg.norm(np.diff(np.array(each), axis=0), axis=1) for each in (places, result.path)]
    np.testing.assert_allclose(between[0] / between[0][0], between[1] / between[1][0], rtol=1e-3)
    pair, path, _ = path_directions(weights_of(lenet), [weights_of(one) for one in snapshots], 0)
    np.testing.assert_allclose(path, result.path)
    for name, weight in weights_of(snapshots[1]).items():
        moved = weights_of(lenet)[name] + path[1, 0] * pair[0][name] + path[1, 1] * pair[1][name]
        torch.testing.assert_close(moved.float(), weight, atol=1e-5, rtol=0)
    (chart, _) = result.figure().panels
    drawn = next(line for line in chart.lines if line.name == "snapshots")
    np.testing.assert_allclose(drawn.points, [*result.path, (0, 0)])
    assert "3 snapshots" in result.words


def test_snapshots_on_a_line_or_of_another_network(lenet, images):
    line = loss_surface.compute(lenet, images, snapshots=planted(lenet, [(2.0, 0), (1.0, 0)]), steps=1, count=3)
    np.testing.assert_allclose(line.path, [[0.8, 0], [0.4, 0]], atol=1e-5)
    itself = loss_surface.compute(lenet, images, snapshots=[lenet], steps=1, count=3)
    assert not itself.path.any()
    with pytest.raises(BadValue, match="no snapshot of"):
        loss_surface.compute(lenet, images, snapshots=[explain.load_model("lenet?conv1=7")], steps=1, count=3)
    with pytest.raises(BadValue, match="not both"):
        loss_surface.compute(lenet, images, lenet, [lenet], steps=1, count=3)
