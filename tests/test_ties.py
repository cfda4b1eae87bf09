"""Where a rectifier is full, the strongest of equal places is the one that gave it most; and it is said to be a tie."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import explain
from explain.network.model import Model, Preprocess
from explain.views import activations, unit

PLACE = (7, 4)


class Full(nn.Module):
    """A channel that is the picture's brightness times ten, cut at 6 in one of several ways."""

    ways = {  # noqa: RUF012
        "module": lambda net, x: net.act(x),
        "inplace": lambda net, x: net.inplace(x),
        "function": lambda net, x: F.relu6(x),
        "clamp": lambda net, x: x.clamp(0, 6),
        "keywords": lambda net, x: F.hardtanh(input=x, min_val=0.0, max_val=6.0),
        "sigmoid": lambda net, x: torch.sigmoid(20 * x),
    }

    def __init__(self, way):
        super().__init__()
        self.conv, self.act, self.inplace, self.fc = nn.Conv2d(1, 2, 1), nn.ReLU6(), nn.ReLU6(True), nn.Linear(2, 3)
        self.out = Block(self, way)
        with torch.no_grad():
            self.conv.weight[0], self.conv.weight[1] = 40.0, -40.0
            self.conv.bias[0], self.conv.bias[1] = 0.0, 50.0

    def forward(self, x):
        return self.fc(self.out(self.conv(x)).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, net, way):
        super().__init__()
        object.__setattr__(self, "net", net)
        self.way = Full.ways[way]

    def forward(self, x):
        return self.way(self.net, x)


def model_of(way):
    torch.manual_seed(0)
    return Model("full", Full(way).eval(), Preprocess((12, 10), (12, 10), (0.0,), (1.0,), 1), ("a", "b", "c"))


@pytest.fixture
def picture():
    pixels = np.random.default_rng(0).integers(100, 200, (12, 10)).astype(np.uint8)
    pixels[PLACE], pixels[2, 8] = 255, 20
    return pixels


@pytest.mark.parametrize("way", Full.ways)
def test_a_tie_goes_to_what_gives_most_before_the_rectifier(way, picture):
    model = model_of(way)
    result = activations.compute(model, picture, "out")
    assert result.maps[0].reshape(-1)[0] == result.maps[0].max(), "the first of several is the corner"
    assert result.peak(0) == PLACE
    assert result.peak(1) == (2, 8)
    ties = int((result.maps[0] == result.maps[0].max()).sum())
    assert result.table["ties"][0] == ties > 50
    assert f"row {PLACE[0]}, column {PLACE[1]}, a tie of {ties} places" in result.figure(channel=0).note
    one = unit.compute(model, picture, "out", 0, method="gradient")
    assert one.position == PLACE
    assert f"a tie of {ties} places" in one.figure().note


def test_without_a_tie_nothing_is_said(picture):
    result = activations.compute(model_of("module"), picture, "conv")
    assert result.table["ties"] == [1, 1]
    assert "a tie" not in result.figure(channel=0).note


def test_the_index_keeps_its_order_and_says_so(picture, tmp_path):
    pictures = [np.roll(picture, k, 0) for k in range(4)]
    images = explain.data.ImageSet("four", tuple("abcd"), array=np.stack(pictures))
    index = explain.build_index(model_of("module"), images, ["out", "conv"], out=tmp_path / "index")
    assert [(row.image, *row.position) for row in index.top("out", 0)] == [(k, 0, 0) for k in range(4)]
    assert "a tie" in explain.patches(index, "out", [0]).figure().note
    level = next(one for one in explain.hierarchy(index, 0, channels=2).levels if one.layer.name == "out")
    assert level.places[level.channels.index(0)] == PLACE, "of one picture it is the view's own"
