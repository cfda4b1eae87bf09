"""Rows of the lectures that say how well something works, on networks that are trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms.v2 import TenCrop

import explain
from explain.errors import ExplainError
from explain.nets import NETS
from explain.nets.googlenet import Inception
from explain.nets.layers import ACTIVATIONS
from explain.training import RECIPES
from explain.training.averaging import averaged, ten_crop_scores
from explain.training.history import run_of
from explain.training.network import initialise
from explain.training.sweep import grid, sweep
from explain.views import training_curves


@pytest.fixture(scope="module")
def images():
    return explain.load_images("fashion-mnist", limit=200)


@pytest.fixture(scope="module")
def batch(lenet, images):
    """Pixels from 0 to 1, and the right classes."""
    return lenet.batch(list(images)), torch.from_numpy(images.labels)


def accuracy(chances, target):
    return float((chances.argmax(1) == target).float().mean())


def steps_to(net, batch, wanted, most, rate=0.05):
    """Full-batch steps until the training loss is below what is wanted."""
    optimiser = torch.optim.SGD(net.parameters(), rate, momentum=0.9)
    for step in range(most):
        loss = F.cross_entropy(net.train()(batch[0]), batch[1])
        if loss < wanted:
            return step
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return most


def test_an_ensemble_is_no_worse_than_its_mean_member(images):
    """R07, on three networks that were trained apart."""
    names = ("lenet-fashion-mnist", "edges-fashion-mnist", "small-resnet-fashion-mnist")
    models, target = [explain.load_model(name) for name in names], torch.from_numpy(images.labels)
    each = [accuracy(model.scores(list(images)), target) for model in models]
    together = accuracy(averaged(models, list(images)), target)
    assert len(set(each)) == 3
    assert together >= sum(each) / 3


def test_ten_crops_are_no_worse_than_one_of_them(images, batch):
    """R08, with a network that averages its last maps and so takes any size."""
    model = explain.load_model("small-resnet-fashion-mnist")
    given, target = model.batch([images[k] for k in range(60)]), batch[1][:60]
    with model.exclusive() as net, torch.no_grad():
        each = [accuracy(net(crop), target) for crop in TenCrop(24)(given)]
        together = accuracy(ten_crop_scores(net, given, 24), target)
    assert max(each) > 0.5
    assert together >= sum(each) / 10


def test_batch_norm_takes_fewer_steps(batch):
    """M17: the same blocks with and without, to the same training loss."""
    few = batch[0][:32], batch[1][:32]
    steps = {}
    for norm in (True, False):
        torch.manual_seed(0)
        blocks = [Inception(n, 8, (8, 16), (4, 8), 8, norm=norm) for n in (1, 40, 40)]
        net = nn.Sequential(nn.AvgPool2d(4), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 10))
        steps[norm] = steps_to(net, few, 1.0, 40)
    assert steps[True] < 40
    assert steps[True] < steps[False]


def test_a_residual_inception_block_adds_its_input():
    """M18: with branches that give nothing only the way around is left; two 3 x 3 see what one 5 x 5 does."""
    torch.manual_seed(0)
    block = Inception(24, 8, (4, 8), (4, 4), 4, residual=True)
    for branch in (block.branch1, block.branch3, block.branch5, block.branch_pool):
        for parameter in branch.parameters():
            nn.init.zeros_(parameter)
    x = torch.randn(2, 24, 9, 9)
    assert torch.equal(block(x), x)
    wider = Inception(6, 8, (4, 8), (4, 4), 4, residual=True)
    assert wider(torch.randn(1, 6, 9, 9)).shape == (1, 24, 9, 9)
    for factorised in (False, True):
        one = Inception(3, 2, (2, 2), (2, 2), 2, factorised=factorised).double()
        picture = torch.randn(1, 3, 11, 11, dtype=torch.double, requires_grad=True)
        with torch.no_grad():
            for parameter in one.branch5.parameters():
                parameter.abs_()
        (seen,) = torch.autograd.grad(one.branch5(picture.abs())[0, 0, 5, 5], picture)
        rows, columns = (seen[0] != 0).any(0).nonzero().T
        assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (3, 7, 3, 7)


@pytest.mark.parametrize("order", ["before", "after"])
def test_both_orders_of_a_residual_block_train(order, batch):
    """M22."""
    torch.manual_seed(0)
    net = NETS["resnet_cifar"](depth=8, width=4, channels=1, size=28, order=order, full=False)
    assert steps_to(net, (batch[0][:64], batch[1][:64]), 1.0, 60) < 60


def test_activations_saturate_or_do_not():
    """L09: slopes at zero and far away, and a switch in every network."""
    slopes = {}
    for name, made in ACTIVATIONS.items():
        x = torch.tensor([-20.0, 1e-9, 20.0], requires_grad=True)
        slopes[name] = torch.autograd.grad(made()(x).sum(), x)[0].tolist()
    assert slopes["sigmoid"] == pytest.approx([0, 0.25, 0], abs=1e-6)
    assert slopes["tanh"] == pytest.approx([0, 1, 0], abs=1e-6)
    assert slopes["relu"] == [0, 1, 1]
    kinds = {type(one()) for one in ACTIVATIONS.values()}
    for net in NETS.values():
        with torch.device("meta"):
            usual = [type(module) for module in net().modules()]
            for kind, made in ACTIVATIONS.items():
                found = dict(net(activation=kind).named_modules())
                wanted = [type(made()) if one in kinds else one for one in usual]
                assert list(map(type, found.values())) == wanted
                if kind != "relu":  # a layer of a sequence is called what it is
                    named = {name for name in found if name.rpartition(".")[2].rstrip("0123456789") == "relu"}
                    assert all(type(found[name.rpartition(".")[0]]) is not torch.nn.Sequential for name in named)


def test_no_recipe_for_clothes_or_digits_turns_them_upside_down():
    """G10."""
    plans = {name: [step[0] for step in recipe.augmentation] for name, recipe in RECIPES.items()}
    assert any(plans.values())
    meant = {name: plan for name, plan in plans.items() if "mnist" in RECIPES[name].data}
    assert meant
    assert not [name for name, plan in meant.items() if {"vertical_flip", "rotate", "affine"} & set(plan)]


# Training ------------------------------------------------------------------------------------------------------------


def losses(net, batch, steps, rate=0.1):
    """The training loss before each full-batch step."""
    optimiser, found = torch.optim.SGD(net.parameters(), rate, momentum=0.9), []
    for _ in range(steps):
        loss = F.cross_entropy(net.train()(batch[0]), batch[1])
        found.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return found


def test_deeper_plain_networks_train_worse_and_residual_ones_do_not(batch):
    """V29, small: 20 and 56 layers of 4 to 16 filters on 64 pictures of 14 x 14, each by the same 40 steps. It is the
    training loss, so nothing here is overfitting; what comes of long trainings of wide networks is not shown."""
    few, last = (F.avg_pool2d(batch[0][:64], 2), batch[1][:64]), {}
    for shortcut in ("none", "padding"):
        for depth in (20, 56):
            options = {"depth": depth, "width": 4, "channels": 1, "size": 14, "full": False}
            net = NETS["resnet_cifar"](shortcut=shortcut, **options)
            initialise(net, torch.Generator().manual_seed(0), "he")
            last[shortcut, depth] = sum(losses(net, few, 40, 0.03)[-5:]) / 5
    assert last["none", 56] > 2 * last["none", 20], "deeper and plain: worse on what it is trained on"
    assert last["padding", 56] < last["padding", 20] < last["none", 20], "deeper with shortcuts: better"


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_what_a_layer_is_given_wanders_less_with_batch_norm(norm, batch):
    """O23: mean and deviation of what the second activation is given, over the steps of a training."""
    net = NETS["lenet"](activation="relu", norm=norm)
    initialise(net, torch.Generator().manual_seed(0))
    seen = []
    net.get_submodule("act2").register_forward_pre_hook(
        lambda _module, given: seen.append((float(given[0].mean().detach()), float(given[0].std().detach())))
    )
    fallen = losses(net, (batch[0][:100], batch[1][:100]), 25, 0.05)
    assert fallen[-1] < fallen[0]
    means, deviations = np.array(seen).T
    drift = np.ptp(means) / deviations[0], deviations.max() / deviations.min()
    assert bool(drift[0] < 0.1) is (norm == "batch"), drift
    assert bool(drift[1] < 1.2) is (norm == "batch"), drift


def test_rates_too_small_right_and_too_large_side_by_side(images, tmp_path):
    """O12, in training: one hardly moves, one learns, one is said to have gone beyond all numbers; and the three runs
    are shown over each other."""
    for name, rate in (("small", 1e-5), ("right", 0.1), ("large", 1e4)):
        given = {"options": {"activation": "relu"}, "learning_rate": rate, "batch_size": 10, "epochs": 3}
        try:
            explain.train("lenet-fashion-mnist", images, test=images, folder=tmp_path / name, **given)
        except ExplainError as error:
            assert "no longer finite" in str(error)
            assert name == "large"
    runs = [run_of(tmp_path / name) for name in ("small", "right", "large")]
    assert [run.state for run in runs] == ["done", "done", "failed"]
    small, right = (run.column("loss")[:, 1] for run in runs[:2])
    assert small[-1] > 0.99 * small[0] > right[-1] / 0.9
    result = training_curves.compute(runs)
    row = result.differences["what"].index("learning_rate")
    assert [result.differences[name][row] for name in ("small", "right", "large")] == ["1e-05", "0.1", "10000.0"]
    assert [line.name for line in result.figure().panels[0].lines if line.name] == ["small", "right"]


# Transfer and sweeps -------------------------------------------------------------------------------------------------


def only(images, names, count):
    """The first pictures of some classes."""
    kept = [images.classes.index(name) for name in names]
    rows = np.flatnonzero(np.isin(images.labels, kept))[:count]
    labels = np.array([kept.index(label) for label in images.labels[rows]])
    files = tuple(images.files[k] for k in rows)
    return replace(images, files=files, labels=labels, array=images.array[rows], classes=tuple(names))


@pytest.fixture(scope="module")
def other_task():
    """Five kinds of clothes, learned from pictures of them alone."""
    known = only(explain.load_images("fashion-mnist"), ("T-shirt/top", "Trouser", "Pullover", "Sandal", "Bag"), 1500)
    options = {"activation": "relu", "classes": 5}
    return explain.train("lenet-fashion-mnist", known, options=options, learning_rate=0.1, batch_size=50, epochs=4)


def test_another_tasks_features_help_with_few_pictures_and_not_always(other_task):
    """R11: four pictures of each of five other classes. Fine-tuned, the network is better than the same from nothing,
    by whichever of three settings; frozen, what its last layers know is the old task's, and it is not."""
    every = only(explain.load_images("fashion-mnist"), ("Dress", "Coat", "Sneaker", "Shirt", "Ankle boot"), 1000)
    few, rest = every.head(20), every[500:]

    def reached(name, **given):
        return explain.train(name, few, test=rest, batch_size=10, epochs=20, **given).about["accuracy"]["test"]

    begun = {"start": other_task, "learning_rate": 0.01, "validation": 0.0, "patience": 0}
    frozen, tuned = (reached("transfer", freeze=freeze, **begun) for freeze in (True, False))
    anew = {"options": {"activation": "relu", "classes": 5}}
    ways = ({"learning_rate": 0.05}, {"learning_rate": 0.1}, {"optimiser": "adam", "learning_rate": 0.003})
    scratch = [reached("lenet-fashion-mnist", **anew, **way) for way in ways]
    assert tuned > max(scratch) + 0.03, (frozen, tuned, scratch)
    assert frozen < tuned - 0.03, (frozen, tuned, scratch)


def test_the_best_of_a_sweep_beats_the_exercise(images):
    """X01b, on the same few pictures for the same time."""
    plan, every = RECIPES["lenet-fashion-mnist"], explain.load_images("fashion-mnist")
    over = grid({"options.activation": ["sigmoid", "relu"], "learning_rate": [0.9, 0.1], "options.window": [3, 5]})
    rows = sweep(plan, every.head(600), over, test=every[1000:1300], batch_size=50, epochs=3)
    exercise = next(row for row in rows if list(row.values())[:3] == ["sigmoid", 0.9, 5])
    assert max(row["test"] for row in rows if not row["error"]) > exercise["test"] + 0.1
