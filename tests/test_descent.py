"""Rows O and N14 of the lectures: optimisers in the plane, and what backpropagation does in networks small enough to
follow by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import explain
from explain.errors import BadValue
from explain.training import RECIPES
from explain.training.descent import SURFACES, condition_number, descend, hessian, newton, quasi_newton
from explain.training.history import run_of
from explain.views import training_curves

BOWL, SADDLE, MONKEY = (SURFACES[name] for name in ("bowl", "saddle", "monkey saddle"))


def test_gradient_descent_by_hand():
    """O01: p - rate * (10 x, y / 2) on the bowl."""
    path, point = descend(BOWL, "sgd", (1.0, -2.0), 0.05, 20), np.array([1.0, -2.0])
    for found in path:
        np.testing.assert_allclose(found, point, rtol=1e-12)
        point = point - 0.05 * np.array([10 * point[0], point[1] / 2])


def test_momentum_is_a_sum_of_past_gradients():
    """O04: w3 = w0 - rate * (g2 + (1 + b) g1 + (1 + b + b^2) g0), as S1 expands it."""
    path = descend(BOWL, "sgd", (1.0, -2.0), 0.01, 3, momentum=0.9)
    g = [np.array([10 * x, y / 2]) for x, y in path]
    np.testing.assert_allclose(path[3], path[0] - 0.01 * (g[2] + 1.9 * g[1] + (1 + 0.9 + 0.81) * g[0]), rtol=1e-12)


def test_momentum_leaves_the_shallow_well():
    """V33: where plain gradient descent stays."""
    wells = SURFACES["two wells"]
    plain = descend(wells, "sgd", (-1.6, 0.5), 0.05, 400)[-1]
    fast = descend(wells, "sgd", (-1.6, 0.5), 0.05, 400, momentum=0.9)[-1]
    assert plain[0] == pytest.approx((0.9 - (0.81 + 4) ** 0.5) / 2, abs=1e-3)
    assert fast[0] == pytest.approx((0.9 + (0.81 + 4) ** 0.5) / 2, abs=1e-3)


def test_adagrad_slows_down_and_rmsprop_does_not():
    """O05, O06: the sum of squares only grows."""
    steps = {
        name: np.linalg.norm(np.diff(descend(lambda p: p[0] + p[1], name, (0.0, 0.0), 0.1, 500), axis=0), axis=1)
        for name in ("adagrad", "rmsprop")
    }
    assert steps["adagrad"][-1] < 0.05 * steps["adagrad"][0]
    np.testing.assert_allclose(steps["adagrad"] * np.sqrt(np.arange(1, 501)), steps["adagrad"][0], rtol=1e-6)
    assert steps["rmsprop"][-1] > 0.9 * 0.1 * 2**0.5


def test_adams_first_step_is_its_rate():
    """O07."""
    path = descend(BOWL, "adam", (1.0, -2.0), 0.001, 1)
    np.testing.assert_allclose(path[1] - path[0], [-0.001, 0.001], rtol=1e-6)


def test_newton_solves_a_quadratic_at_once_and_climbs_where_it_is_concave():
    """O08."""
    np.testing.assert_allclose(newton(BOWL, (1.0, -2.0), 1)[-1], [0, 0], atol=1e-12)
    path = newton(SADDLE, (1.0, -2.0), 1)
    assert SADDLE(torch.from_numpy(path[1])) > SADDLE(torch.tensor([0.0, -2.0])), "towards the saddle, up its fall"
    with pytest.raises(BadValue, match="flat"):
        newton(lambda p: p[0], (1.0, 1.0), 1)


def test_quasi_newton_finds_the_minimum():
    """O09, and O10 by torch's own."""
    np.testing.assert_allclose(quasi_newton(BOWL, (1.0, -2.0))[-1], [0, 0], atol=1e-5)
    np.testing.assert_allclose(descend(BOWL, "lbfgs", (1.0, -2.0), 1.0, 2)[-1], [0, 0], atol=1e-4)


def test_on_the_ridge_gradient_descent_stays():
    """O11, N14: curvatures of both signs, and of none."""
    path = descend(SADDLE, "sgd", (1.0, 0.0), 0.05, 200)
    np.testing.assert_allclose(path[-1], [0, 0], atol=1e-9)
    assert abs(descend(SADDLE, "sgd", (1.0, 1e-6), 0.05, 200)[-1][1]) > 100
    assert hessian(SADDLE, torch.zeros(2)).tolist() == [[10, 0], [0, -2]]
    assert condition_number(SADDLE, (0, 0)) == 5
    assert condition_number(MONKEY, (0, 0)) == float("inf")


@pytest.mark.parametrize(("rate", "outcome"), [(0.001, "slow"), (0.1, "there"), (0.21, "away")])
def test_the_size_of_the_learning_rate(rate, outcome):
    """O12: a curvature of 10 allows rates up to 0.2."""
    end = np.linalg.norm(descend(lambda p: 5 * p[0] ** 2 + p[1] ** 2, "sgd", (1.0, 1.0), rate, 50)[-1])
    assert {"slow": 0.5 < end < 2, "there": end < 1e-3, "away": end > 10}[outcome]


def test_the_gradient_of_a_mini_batch_is_right_on_average():
    """O03: within three standard errors of the whole gradient, in nearly all of its parts."""
    chance = torch.Generator().manual_seed(0)
    x, y = torch.randn(400, 6, generator=chance), torch.randint(0, 3, (400,), generator=chance)
    weight = torch.randn(3, 6, generator=chance, requires_grad=True)

    def slope(chosen):
        return torch.autograd.grad(F.cross_entropy(x[chosen] @ weight.T, y[chosen]), weight)[0]

    whole = slope(torch.arange(400))
    some = torch.stack([slope(torch.randint(0, 400, (16,), generator=chance)) for _ in range(2000)])
    errors = (some.mean(0) - whole) / (some.std(0) / 2000**0.5)
    assert (errors.abs() < 3).float().mean() >= 17 / 18
    assert some.std() > 0.05, "single ones are far from it"


def test_backpropagation_by_hand():
    """O21, X08: a small network's gradients, and its weights changed only when all of them are known."""
    chance = torch.Generator().manual_seed(1)
    x, y = torch.randn(5, 3, generator=chance), torch.tensor([0.0, 1, 1, 0, 1])
    w1, w2 = torch.randn(4, 3, generator=chance), torch.randn(1, 4, generator=chance)
    hidden = torch.sigmoid(x @ w1.T)
    out = torch.sigmoid(hidden @ w2.T)[:, 0]
    below = (out - y)[:, None] / 5  # of the logistic loss with respect to what the last sigmoid takes
    slope2 = below.T @ hidden
    slope1 = ((below @ w2) * hidden * (1 - hidden)).T @ x
    a, b = w1.clone().requires_grad_(), w2.clone().requires_grad_()
    loss = F.binary_cross_entropy(torch.sigmoid(torch.sigmoid(x @ a.T) @ b.T)[:, 0], y)
    expected = torch.autograd.grad(loss, [a, b])
    torch.testing.assert_close(slope1, expected[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(slope2, expected[1], atol=1e-6, rtol=1e-5)
    overwritten = w2 - 1.0 * slope2  # the question of S1:144: too early
    wrong = ((below @ overwritten) * hidden * (1 - hidden)).T @ x
    assert (wrong - slope1).abs().max() > 1e-3


def test_a_chain_of_sigmoids_loses_its_gradient():
    """O22: the product of S2:115, each factor at most a quarter of a weight."""
    weights = [torch.tensor(value, requires_grad=True) for value in (0.8, -1.2, 0.5, 1.1)]
    value, factors = torch.tensor(0.3), []
    taken = value
    for weight in weights:
        before, value = value, torch.sigmoid(weight * value)
        factors.append((before, value * (1 - value)))
    slopes = torch.autograd.grad(value, weights)
    product = torch.tensor(1.0)
    for weight, (before, own), slope in reversed(list(zip(weights, factors, slopes, strict=True))):
        assert own <= 0.25
        torch.testing.assert_close(slope, product * own * before)
        product = product * own * weight
    assert abs(float(slopes[0])) < 0.25**3
    assert taken == 0.3


@pytest.mark.parametrize(("changes", "vanishes"), [({}, True), ({"activation": "relu"}, False)])
def test_gradients_by_layer_of_a_training(changes, vanishes):
    """V34 as the app has it: the recipe of the lesson, its other half, and what a run keeps of the gradients."""
    plan = RECIPES["deep-sigmoid-fashion-mnist"]
    given = {"options": {**plan.options, **changes}, "initial": "he" if changes else plan.initial}
    model = explain.train(plan.name, explain.load_images("fashion-mnist", limit=256), epochs=1, **given)
    run = run_of(model)
    slopes = {name: points[-1, 1] for name, points in run.by_layer("gradient").items()}
    assert list(slopes) == [f"fc{k}" for k in range(1, 6)]
    assert bool(slopes["fc1"] < 0.1 * slopes["fc5"]) is vanishes
    (chart,) = training_curves.compute([run]).figure(part="gradients").panels
    assert [line.name for line in chart.lines] == list(slopes)


@pytest.mark.parametrize(("activation", "initial", "vanishes"), [(nn.Sigmoid, "xavier", True), (nn.ReLU, "he", False)])
def test_gradients_by_layer(activation, initial, vanishes):
    """V34: five layers of sigmoids leave less than a tenth of the last layer's gradient to the first."""
    from explain.training.network import initialise
    from explain.training.watch import Watcher

    layers = [part for k in range(5) for part in (nn.Linear(30, 30 if k < 4 else 10), activation())][:-1]
    net = nn.Sequential(*layers)
    initialise(net, torch.Generator().manual_seed(0), initial)
    watcher, chance = Watcher(net), torch.Generator().manual_seed(1)
    x, y = torch.randn(64, 30, generator=chance), torch.randint(0, 10, (64,), generator=chance)
    F.cross_entropy(net(x), y).backward()
    watcher.before()
    torch.optim.SGD(net.parameters(), 0.1).step()
    found = list(watcher.after().values())
    ratio = found[0]["gradient"] / found[-1]["gradient"]
    assert (ratio < 0.1) is vanishes
    for layer, values in zip(layers[::2], found, strict=True):
        assert values["gradient"] == pytest.approx(float(layer.weight.grad.norm()))
        assert values["update"] == pytest.approx(0.1 * values["gradient"] / values["weight"], rel=1e-3)


def test_a_random_network_knows_nothing():
    """L16: its loss is about ln 10; L11, L15: what differs between training and use."""
    from explain.nets import NETS

    net = NETS["lenet"](activation="relu", dropout=0.5, norm="batch")
    x, y = torch.rand(256, 1, 28, 28), torch.arange(256) % 10
    assert float(F.cross_entropy(net.eval()(x), y)) == pytest.approx(np.log(10), rel=0.05)
    drop, ones = nn.Dropout(0.4), torch.ones(100_000)
    assert torch.equal(drop.eval()(ones), ones)
    kept = drop.train()(ones)
    zeros = float((kept == 0).float().mean())
    assert abs(zeros - 0.4) < 3 * (0.4 * 0.6 / 1e5) ** 0.5
    assert float(kept.mean()) == pytest.approx(1, abs=0.01)
    norm, batch = nn.BatchNorm2d(3), torch.randn(8, 3, 5, 5) * 3 + 2
    assert norm(batch).mean((0, 2, 3)).abs().max() < 1e-5
    torch.testing.assert_close(norm.running_mean, 0.1 * batch.mean((0, 2, 3)))
    assert not torch.allclose(norm.eval()(batch), norm.train()(batch))


def test_batch_norm_holds_activations_still():
    """O23: whatever happens to the scale below, what comes out is as before."""
    conv, norm, x = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), torch.randn(16, 3, 8, 8)
    before = norm(conv(x))
    with torch.no_grad():
        conv.weight.mul_(7)
        conv.bias.add_(3)
    torch.testing.assert_close(norm(conv(x)), before, atol=1e-3, rtol=1e-3)


def test_a_convolution_is_a_sparse_linear_layer():
    """L01, L02, L05: the same output from a matrix with 75 free values, and a shifted input gives a shifted map."""
    conv = nn.Conv2d(3, 1, 5, bias=False)
    x = torch.randn(1, 3, 9, 9)
    columns = F.unfold(x, 5)
    torch.testing.assert_close(conv(x).flatten(1), (conv.weight.view(1, 75) @ columns)[0])
    matrix = torch.stack(
        [F.unfold(basis.view(1, 3, 9, 9), 5)[0].T @ conv.weight.flatten() for basis in torch.eye(243)], 1
    )
    torch.testing.assert_close(conv(x).flatten(), matrix @ x.flatten(), atol=1e-5, rtol=1e-5)
    assert len(matrix.detach().round(decimals=6).unique()) <= 76, "75 weights and zero"
    moved = torch.roll(x, 1, 3)
    torch.testing.assert_close(conv(moved)[..., 1:], conv(x)[..., :-1])
    assert nn.Conv2d(3, 6, 5)(torch.rand(1, 3, 32, 32)).shape == (1, 6, 28, 28)
