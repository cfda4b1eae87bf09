"""claims: what the overview page says of networks in general, shown on networks trained here."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explain.data import load_images
from explain.nets import NETS
from explain.training import train

SIDE = 28
SETTINGS = {
    "mlp": {"architecture": "mlp", "learning_rate": 0.05},
    "lenet": {"architecture": "lenet", "learning_rate": 0.1, "options": {"activation": "tanh"}},
}


def chosen(images, rows):
    files = tuple(images.files[k] for k in rows)
    return dataclasses.replace(images, files=files, labels=images.labels[rows], array=images.array[rows])


def shuffled(images, order):
    """Every picture with its pixels in the same new order."""
    array = images.array.reshape(-1, SIDE * SIDE)[:, order].reshape(-1, SIDE, SIDE)
    return dataclasses.replace(images, name="shuffled", array=array)


def lost_by_shuffling(name, seed, epochs=5):
    """Validation accuracy, the mean of the last three epochs, with plain pictures less that with shuffled ones."""
    generator = np.random.default_rng(seed)
    images, rows = load_images("fashion-mnist"), generator.permutation(10_000)
    order = generator.permutation(SIDE * SIDE)
    parts = [chosen(images, rows[:5000]), chosen(images, rows[8000:])]
    reached = []
    for learn, check in (parts, [shuffled(part, order) for part in parts]):
        settings = SETTINGS[name] | {"seed": seed, "epochs": epochs, "batch_size": 32, "device": "cpu"}
        history = train("lenet-fashion-mnist", learn, test=check, **settings).about["history"]
        reached.append(np.mean([row["test_accuracy"] for row in history[-3:]]))
    assert min(reached) > 0.6, "both have learned"
    return reached[0] - reached[1]


@pytest.mark.exhaustive
def test_shuffled_pixels():
    """C05: a fully connected network learns shuffled pictures as well as plain ones, a convolutional one does not."""
    assert abs(lost_by_shuffling("mlp", seed=1)) < 0.012
    assert lost_by_shuffling("lenet", seed=1) > 0.02


def one_step(net, x, y):
    F.cross_entropy(net(x), y).backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 0.1 * parameter.grad
        return net(x)


@pytest.mark.parametrize(("name", "first", "same"), [("mlp", "fc1", True), ("lenet", None, False)])
def test_why(name, first, same):
    """An MLP whose first weights are shuffled like the pixels is the same function, and a step of SGD keeps it so."""
    torch.manual_seed(0)
    x, y, order = torch.rand(16, 1, SIDE, SIDE), torch.arange(16) % 10, torch.randperm(SIDE * SIDE)
    net, twin = NETS[name](activation="relu"), NETS[name](activation="relu")
    twin.load_state_dict(net.state_dict())
    if first:
        with torch.no_grad():
            twin.get_submodule(first).weight.copy_(net.get_submodule(first).weight[:, order])
    moved = one_step(twin, x.flatten(1)[:, order].view_as(x), y)
    assert torch.allclose(one_step(net, x, y), moved, atol=1e-5) == same
