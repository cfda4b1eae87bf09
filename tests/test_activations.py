import numpy as np
import pytest
import torch
from near import alike
from torch import nn

from explain.errors import BadValue
from explain.network.model import Model, Preprocess
from explain.views import activations
from explain.workspace import open_picture


@pytest.fixture
def detector():
    """A hand-set net: channel 0 answers to a bright 5 x 5 square, channel 1 to a dark one."""
    net = nn.Sequential(nn.Conv2d(1, 2, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    with torch.no_grad():
        net[0].weight[0], net[0].weight[1] = 1.0, -1.0
        net[0].bias.copy_(torch.tensor([-20.0, 1.0]))
    return Model("detector", net, Preprocess((40, 30), (40, 30), (0.0,), (1.0,), 1), ("bright", "dark"))


def planted(row, column):
    picture = np.zeros((40, 30), np.uint8)
    picture[row : row + 5, column : column + 5] = 255
    return picture


@pytest.mark.parametrize("place", [(0, 0), (35, 25), (0, 25), (17, 11), (30, 3)])
def test_the_strongest_response_is_where_the_object_is(detector, place):
    result = activations.compute(detector, planted(*place), "1")
    assert result.peak(0) == place
    assert result.box(0) == (place[0], place[1], place[0] + 5, place[1] + 5)
    shown, covered = activations.upsample(result.maps[0], result.layer, (40, 30), smooth=False)
    where = np.unravel_index((shown * covered).argmax(), shown.shape)
    assert where == (place[0] + 2, place[1] + 2)  # the centre of the box, not the corner
    assert covered[2:38, 2:28].all()
    assert covered.sum() == 36 * 26


def test_maps_are_raw_and_equal_a_plain_hook(lite):
    picture = open_picture("photos/chelsea.png")
    for name in ("conv_stem", "blocks.2.0.bn1", "bn2.act"):
        kept = {}
        with lite.exclusive() as net, torch.no_grad():
            handle = net.get_submodule(name).register_forward_hook(
                lambda m, i, o, kept=kept: kept.update(out=o.clone())
            )
            net(lite.batch(picture))
            handle.remove()
        result = activations.compute(lite, picture, name)
        assert alike(result.maps, kept["out"][0])
        assert result.maps.dtype == np.float32


def test_the_numbers_beside_a_channel_are_its_own(lenet):
    result = activations.compute(lenet, open_picture("fashion-mnist/1"), "conv2")
    for k in range(16):
        assert result.table["max"][k] == result.maps[k].max()
        assert result.maps[k][result.peak(k)] == result.maps[k].max()
        assert result.table["zeros"][k] == (result.maps[k] == 0).mean()
    for sort in ("mean", "max"):
        names = [int(name) for name in result.figure(sort=sort).panels[0].names]
        values = [result.table[sort][k] for k in names]
        assert values == sorted(values, reverse=True)
        assert sorted(names) == list(range(16))


def test_every_layer_of_lenet_can_be_shown(lenet):
    picture = open_picture("fashion-mnist/1")
    shapes = {}
    for layer in lenet.layers:
        result = activations.compute(lenet, picture, layer.name)
        shapes[layer.name] = result.maps.shape
        assert result.figure().panels[0].image.dtype == np.uint8
        assert result.figure(channel=0).panels
    assert shapes["conv1"] == (6, 28, 28)
    assert shapes["conv2"] == (16, 10, 10)
    assert shapes["fc3"] == (10, 1, 1)


def test_maps_with_signs_have_a_scale_each_and_others_share_one(lite):
    """What is far below zero in one channel would leave the others one colour."""
    picture = open_picture("photos/chelsea.png")
    signed = activations.compute(lite, picture, "blocks.1.0.conv_pw")
    assert signed.maps.min() < 0
    assert signed.figure().panels[0].scale is None
    assert np.array_equal(signed.figure().panels[0].image, signed.figure(scale="channel").panels[0].image)
    assert "its own scale" in signed.figure().note
    rectified = activations.compute(lite, picture, "blocks.1.0.bn1.act").figure()
    assert rectified.panels[0].scale.low == 0
    assert "its own scale" not in rectified.note


def test_two_pictures_share_one_scale(lenet):
    images = [open_picture(f"fashion-mnist/{i}") for i in (1, 6)]
    pullover, coat = (activations.compute(lenet, image, "act1") for image in images)
    pair = activations.compute(lenet, images[0], "act1", images[1])
    assert np.array_equal(pair.maps, pullover.maps)
    assert np.array_equal(pair.second.maps, coat.maps)
    assert (pair.facts["image"], pair.facts["second"]["image"]) == ("fashion-mnist/1", "fashion-mnist/6")
    figure = pair.figure()
    assert [len(panel.names) for panel in pair.figure(count=3).panels] == [0, 3, 0, 3]
    first, second = figure.panels[1].scale, figure.panels[3].scale
    assert first == second
    assert first.high == max(pullover.maps.max(), coat.maps.max())
    large = pair.figure(channel=2)
    assert {large.panels[k].scale for k in (1, 2, 4, 5)} == {large.panels[1].scale}
    assert large.panels[1].scale.high == max(pullover.maps[2].max(), coat.maps[2].max())
    assert np.array_equal(large.arrays["second map"], coat.maps[2])


def test_opacity_zero_leaves_the_picture_alone(detector):
    result = activations.compute(detector, planted(3, 4), "0")
    figure = result.figure(channel=0, opacity=0.0)
    assert np.array_equal(figure.panels[1].image, result.crop)


def test_a_silent_channel_is_drawn_without_numbers_going_wrong(detector):
    result = activations.compute(detector, np.zeros((40, 30), np.uint8), "1")
    assert result.maps[0].max() == 0
    with np.errstate(all="raise"):
        assert result.figure(channel=0).panels[2].scale is None
        assert result.figure().panels


@pytest.mark.parametrize("channel", [-1, 2, "x", None, 1e9, True])
def test_a_wrong_channel_is_named(detector, channel):
    result = activations.compute(detector, planted(0, 0), "0")
    with pytest.raises(BadValue, match="0 to 1"):
        result.peak(channel)


def test_what_maps_mean_is_said_not_to_be_known(lenet):
    """C07, on one picture and on two."""
    one, other = open_picture("fashion-mnist/7"), open_picture("fashion-mnist/8")
    for second in (None, other):
        assert "is not exactly known" in activations.compute(lenet, one, "conv2", second).figure().note


def test_small_maps_are_said_to_be_hard_to_read(lenet):
    """V07, C06: below 8 x 8 and not above."""
    picture = open_picture("fashion-mnist/7")
    small = [layer.name for layer in lenet.layers if layer.spatial and min(layer.shape[1:]) < 8]
    assert small
    for layer in (layer for layer in lenet.layers if layer.spatial):
        said = "hard to interpret" in activations.compute(lenet, picture, layer.name).figure().note
        assert said == (layer.name in small), layer.name
