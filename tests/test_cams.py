"""Class activation maps against torch-cam, their papers' formulas by autograd, and exact answers."""

import numpy as np
import pytest
import torch
from near import alike
from sklearn.decomposition import PCA
from torch import nn
from torchcam import methods as torchcam

from explain.attribution import METHODS

ENDS = torch.full((1, 3, 1, 1), -2.0), torch.full((1, 3, 1, 1), 2.0)


@pytest.fixture
def net():
    """Its head is linear, so that maps of layer 5 have exact answers; layer 3 has a rectifier behind it."""
    torch.manual_seed(0)
    start = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.Tanh()
    end = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    return nn.Sequential(*start, *end).eval().requires_grad_(False)


@pytest.fixture
def batch():
    return torch.randn(3, 3, 9, 7, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def target():
    return torch.tensor([1, 3, 0])


SAME = {"grad_cam": "GradCAM", "layer_cam": "LayerCAM", "xgrad_cam": "XGradCAM", "score_cam": "ScoreCAM"}
# XGrad-CAM is for maps that are not negative, which those of layer 3 are.
CASES = [(*names, layer) for names in SAME.items() for layer in "135" if (names[0], layer) != ("xgrad_cam", "3")]


@pytest.mark.parametrize(("method", "theirs", "layer"), CASES)
def test_it_equals_torch_cam(net, batch, target, method, theirs, layer):
    with getattr(torchcam, theirs)(net, layer) as oracle:
        (expected,) = oracle(target.tolist(), net(batch.clone().requires_grad_()), normalized=False)
    found = METHODS[method](net, layer, batch, target, ENDS)
    assert found.max() > 0
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_cam_equals_torch_cam(net, batch, target):
    with torchcam.CAM(net, "5", fc_layer="8") as oracle:
        net(batch)
        (expected,) = oracle(target.tolist(), normalized=False)
    found = METHODS["cam"](net, "", batch, target, ENDS)
    torch.testing.assert_close(found, expected)
    assert found.min() < 0 < found.max()
    assert alike(METHODS["cam"](net, "", batch, target, ENDS, positive=True), found.relu())


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "xgrad_cam"])
def test_before_an_average_and_a_linear_layer_all_are_cam(net, batch, target, method):
    places = batch.shape[2] * batch.shape[3]
    expected = METHODS["cam"](net, "", batch, target, ENDS) / places
    torch.testing.assert_close(METHODS[method](net, "5", batch, target, ENDS, positive=False), expected)


def test_hires_cam_adds_up_where_the_rest_is_linear(net, batch, target):
    found = METHODS["hires_cam"](net, "5", batch, target, ENDS, positive=False).sum((1, 2))
    torch.testing.assert_close(found, net(batch).gather(1, target[:, None])[:, 0] - net[8].bias[target])


def test_grad_cam_plus_plus_is_the_papers_formula(net, target):
    """Its weights by the second and third derivatives of exp(score), one element of the maps at a time.

    torch-cam 0.5 divides a copy (an indexed tensor), so that its weights are powers of the gradient instead.
    """
    net, batch = net.double(), torch.randn(3, 3, 4, 3, dtype=torch.double)
    found = METHODS["grad_cam_plus_plus"](net, "5", batch, target, ENDS, positive=False)
    for k in range(3):
        maps = net[:6](batch[k : k + 1]).requires_grad_()
        score = net[6:](maps)[0, target[k]]
        (first,) = torch.autograd.grad(score.exp(), maps, create_graph=True)
        second, third = torch.zeros_like(maps), torch.zeros_like(maps)
        for place in np.ndindex(*maps.shape):
            (row,) = torch.autograd.grad(first[place], maps, create_graph=True)
            second[place] = row[place].detach()
            third[place] = torch.autograd.grad(row[place], maps, retain_graph=True)[0][place]
        share = second / (2 * second + maps.detach().sum((2, 3), keepdim=True) * third)
        weights = (share * first.detach().relu()).sum((2, 3))
        expected = torch.einsum("c,chw->hw", weights[0], maps.detach()[0]) / score.detach().exp()
        torch.testing.assert_close(found[k], expected)


def test_eigen_cam_is_the_first_principal_component(net, batch, target):
    found = METHODS["eigen_cam"](net, "3", batch, target, ENDS, positive=False)
    for maps, heat in zip(net[:4](batch), found, strict=True):
        expected = PCA(1).fit_transform(maps.flatten(1).T.double().numpy())[:, 0]
        expected *= np.sign(expected @ heat.flatten().numpy())
        np.testing.assert_allclose(heat.flatten(), expected, rtol=1e-4, atol=1e-5)
    assert alike(METHODS["eigen_cam"](net, "3", batch, target * 0, ENDS, positive=False), found)


def test_guided_grad_cam_is_guided_backprop_where_grad_cam_marks(net, batch, target):
    net[3] = nn.ReLU()
    coarse = METHODS["grad_cam"](net, "5", batch, target, ENDS)
    fine = METHODS["guided_backprop"](net, "", batch, target, ENDS)
    found = METHODS["guided_grad_cam"](net, "5", batch, target, ENDS)
    torch.testing.assert_close(found, fine * coarse)  # maps as large as the picture: nothing is enlarged
