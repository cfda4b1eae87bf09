"""Units are nobody's business: scores or activations a ten-thousandth or ten thousand times as large change no map."""

import pytest
import torch
from torch import nn

from explain.attribution import METHODS

ENDS = torch.full((1, 3, 1, 1), -2.0), torch.full((1, 3, 1, 1), 2.0)
TARGET = torch.tensor([1, 3])
FEW = {"samples": 30, "segments": 9, "steps": 8}
# What these ask of the scores is no linear question: how likely the class is, a softmax, exp(score), or nothing.
OF_CHANCES = {"rise", "score_cam", "grad_cam_plus_plus", "eigen_cam"}
SQUARED = {"guided_grad_cam"}  # a product of two maps
OF_ACTIVATIONS = {"score_cam", "ablation_cam", "eigen_cam"}  # maps times what no scale changes: as large as the layer's


class Net(nn.Module):
    """Its last maps times `size`, which the classifier undoes; its scores times `scores`."""

    def __init__(self, size=1.0, scores=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3), nn.Linear(8, 4)
        with torch.no_grad():
            for value in self.conv2.parameters():
                value.mul_(size)
            self.fc.weight.mul_(scores / size)
            self.fc.bias.mul_(scores)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.fc(self.relu(self.conv2(self.relu(self.conv1(x)))).mean((2, 3)))


def map_of(name, layer="relu:1", **sizes):
    net = Net(**sizes).eval().requires_grad_(False)
    batch = torch.randn(2, 3, 14, 12, generator=torch.Generator().manual_seed(1))
    options = {key: value for key, value in FEW.items() if key in METHODS[name].options}
    if "positive" in METHODS[name].options:
        options["positive"] = False
    return METHODS[name](net, layer, batch, TARGET, ENDS, **options)


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4 * float(expected.abs().max()))
    assert expected.abs().max() > 0


SIZES = pytest.mark.parametrize("size", [1e-8, 1e-4, 1e4])


@SIZES
@pytest.mark.parametrize("name", [name for name in METHODS if name not in OF_CHANCES])
def test_a_map_is_as_large_as_the_scores(name, size):
    found = map_of(name, scores=size) / size
    assert_same(found / size if name in SQUARED else found, map_of(name))


@SIZES
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("layer", ["relu:1", "conv2"])
def test_activations_may_be_of_any_size(name, size, layer):
    found = map_of(name, layer, size=size)
    assert_same(found / size if name in OF_ACTIVATIONS else found, map_of(name, layer))


@pytest.mark.parametrize("size", [1e-6, 1e-4, 1.0, 1e2])
def test_grad_cam_plus_plus_drops_no_slope(size):
    """Place by place, with doubles: the paper's weights with the powers of the slope that cancel left in."""
    net = Net(scores=size).eval().double()
    batch = torch.randn(2, 3, 14, 12, generator=torch.Generator().manual_seed(1))
    maps = net.relu(net.conv2(net.relu(net.conv1(batch.double())))).detach().requires_grad_()
    score = net.fc(maps.mean((2, 3))).gather(1, TARGET[:, None]).sum()
    slopes = torch.autograd.grad(score, maps)[0]
    expected = torch.zeros(2, *maps.shape[2:], dtype=torch.double)
    for k in range(2):
        for one, slope in zip(maps[k].detach(), slopes[k], strict=True):
            weight = sum((g**2 / (2 * g**2 + one.sum() * g**3)) * g for g in slope.flatten().tolist() if g > 0)
            expected[k] += weight * one
    assert_same(map_of("grad_cam_plus_plus", scores=size).double(), expected)


def test_cam_takes_no_other_maps_for_those_before_the_classifier():
    """With activations of a millionth, averages of other maps are as good as equal to a tolerance of fixed size."""

    class Two(Net):
        def forward(self, x):
            maps = self.relu(self.conv2(self.relu(self.conv1(x))))
            features = maps.mean((2, 3))
            (2 * maps).mean((2, 3))  # a later average that is not the classifier's
            return self.fc(features)

    batch, found = torch.randn(2, 3, 14, 12, generator=torch.Generator().manual_seed(1)), []
    for size in (1.0, 1e-7):
        net = Two(size=size).eval().requires_grad_(False)
        found.append(METHODS["cam"](net, "", batch, TARGET, ENDS))
    assert_same(found[1], found[0])
