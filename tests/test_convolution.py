"""One output of a convolution by hand, against torch's own for every way a convolution can be set."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import explain
from explain.errors import BadValue, NotSupported

# What is done with the pixels: nothing, so that what is asserted can be added up on paper.
AS_THEY_ARE = {"mean": (0.0,), "std": (1 / 255,), "channels": 1}
LECTURE = [  # S4:54-78
    [0, 1, 2, 2, 2, 0, 1], [1, 0, 2, 1, 2, 0, 2], [2, 1, 0, 2, 0, 0, 1], [1, 0, 2, 1, 2, 0, 2],
    [0, 1, 2, 2, 2, 0, 1], [1, 0, 2, 1, 2, 0, 2], [2, 1, 0, 2, 0, 0, 1],
]  # fmt: skip
WAYS = {
    "plain": {},
    "stride": {"stride": (2, 3)},
    "padding": {"padding": (2, 1)},
    "same, even": {"kernel_size": (4, 2), "padding": "same"},
    "dilation": {"dilation": (2, 3), "padding": 3},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4, "bias": False},
    "reflect": {"padding": 2, "padding_mode": "reflect"},
    "circular": {"padding": (1, 2), "padding_mode": "circular"},
    "one by one": {"kernel_size": 1},
}


def wrapped(net, size, **how):
    return explain.wrap(net.eval(), None, explain.Preprocess(size, **(how or AS_THEY_ARE)))


def test_the_lectures_number():
    convolution = nn.Conv2d(1, 1, 3)
    with torch.no_grad():
        convolution.weight[:] = torch.tensor([[1.0, 0, -1], [0, -1, 1], [-1, 1, 0]])
        convolution.bias[:] = 0
    model = wrapped(nn.Sequential(convolution, nn.Flatten(), nn.Linear(25, 2)), (7, 7))
    picture = Image.fromarray(np.array(LECTURE, np.uint8))
    found = explain.convolution(model, picture, "0", 0, (0, 0))
    assert found.value == pytest.approx(-1, abs=1e-6)
    assert found.given == pytest.approx(-1, abs=1e-6)
    assert found.windows[0].round(6).tolist() == [row[:3] for row in LECTURE[:3]]
    assert found.box == (0, 0, 3, 3)
    assert "= -1; torch gives -1" in found.words


@pytest.mark.parametrize("way", WAYS)
def test_it_is_what_torch_gives_everywhere(way):
    torch.manual_seed(0)
    second = nn.Conv2d(4, 8, **{"kernel_size": 3, **WAYS[way]})
    model = wrapped(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
        (15, 13), mean=(0.5,) * 3, std=(0.25,) * 3,
    )  # fmt: skip
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (15, 13, 3), np.uint8))
    channel = 5
    expected = explain.activations(model, picture, "2").maps[channel]
    height, width = expected.shape
    for place in {(0, 0), (height - 1, width - 1), (height // 2, width // 3), (height - 1, 0)}:
        found = explain.convolution(model, picture, "2", channel, place)
        assert found.position == place
        assert found.value == pytest.approx(float(expected[place]), abs=1e-5)
        assert found.given == pytest.approx(float(expected[place]), abs=1e-6)
        assert sum(one.sum for one in found.slices) + found.bias == pytest.approx(found.value)
        assert sum(found.table["product"]) + found.bias == pytest.approx(found.value)
        assert set(found.read) == set(found.table["input channel"])


def test_without_a_place_it_is_the_strongest():
    model = explain.load_model("lenet-fashion-mnist")
    found = explain.convolution(model, explain.open_picture("fashion-mnist/3"), "conv2", 7)
    assert found.given == found.after.max() == found.after[found.position]
    assert len(found.read) == 6


def test_groups_read_their_own_channels():
    model = wrapped(
        nn.Sequential(nn.Conv2d(1, 6, 3), nn.Conv2d(6, 4, 3, groups=2), nn.Flatten(), nn.Linear(100, 2)), (9, 9)
    )
    picture = Image.fromarray(np.arange(81, dtype=np.uint8).reshape(9, 9))
    assert explain.convolution(model, picture, "1", 1).read == (0, 1, 2)
    assert explain.convolution(model, picture, "1", 2).read == (3, 4, 5)


def test_what_is_no_convolution_is_refused_with_those_that_are():
    model = explain.load_model("lenet-fashion-mnist")
    with pytest.raises(NotSupported, match="conv1, conv2"):
        explain.convolution(model, explain.open_picture("fashion-mnist/3"), model.layers[-1].name, 0)
    with pytest.raises(BadValue, match="Position"):
        explain.convolution(model, explain.open_picture("fashion-mnist/3"), "conv2", 0, (10, 0))


@pytest.mark.parametrize("place", [(0, 0), (111, 111), (40, 111)])
def test_padding_by_the_size_of_the_input(lite, place):
    """TensorFlow's: the stem of networks that come from there, whose corner at the end reads padding."""
    picture = explain.open_picture("photos/chelsea.png")
    found = explain.convolution(lite, picture, "conv_stem", 3, place)
    expected = explain.activations(lite, picture, "conv_stem").maps[3]
    assert found.value == pytest.approx(float(expected[place]), abs=1e-4)
    assert found.box[:2] == (2 * place[0], 2 * place[1])
