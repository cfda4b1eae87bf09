"""Rows of the lectures that say how well something works, on networks that are trained."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms.v2 import TenCrop

import explain
from explain.nets import NETS
from explain.nets.googlenet import Inception
from explain.nets.layers import ACTIVATIONS
from explain.training import RECIPES
from explain.training.averaging import averaged, ten_crop_scores


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
    """L09: slopes at zero and far away, and a switch where a network has one."""
    slopes = {}
    for name, made in ACTIVATIONS.items():
        x = torch.tensor([-20.0, 1e-9, 20.0], requires_grad=True)
        slopes[name] = torch.autograd.grad(made()(x).sum(), x)[0].tolist()
    assert slopes["sigmoid"] == pytest.approx([0, 0.25, 0], abs=1e-6)
    assert slopes["tanh"] == pytest.approx([0, 1, 0], abs=1e-6)
    assert slopes["relu"] == [0, 1, 1]
    for name in ("lenet", "mlp", "layered"):
        for kind, made in ACTIVATIONS.items():
            found = {type(module) for module in NETS[name](activation=kind).modules()}
            assert found & {type(one()) for one in ACTIVATIONS.values()} == {type(made())}


def test_no_recipe_for_clothes_or_digits_turns_them_upside_down():
    """G10."""
    plans = {name: [step[0] for step in recipe.augmentation] for name, recipe in RECIPES.items()}
    assert any(plans.values())
    meant = {name: plan for name, plan in plans.items() if "mnist" in RECIPES[name].data}
    assert meant
    assert not [name for name, plan in meant.items() if {"vertical_flip", "rotate", "affine"} & set(plan)]
