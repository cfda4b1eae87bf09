"""The channel page: its numbers are the data's, and the ablation is what the net gives with those weights gone."""

import copy
import json

import numpy as np
import pytest
import torch
from near import alike, is_ranked
from PIL import Image
from torch import nn

import explain
from explain.cli import main
from explain.errors import BadValue, Unknown
from explain.index.channels import kernel, replaced
from explain.network.model import Model, Preprocess
from explain.views import channel
from explain.workspace import open_picture


@pytest.fixture(scope="module")
def maps(clothes):
    """(N, C, H, W) of conv2 for all pictures."""
    held = []
    with clothes.model.exclusive() as net, torch.no_grad():
        handle = net.conv2.register_forward_hook(lambda m, i, o: held.append(o.clone()))
        for k in range(len(clothes)):
            net(clothes.model.batch(clothes.images[k]))
        handle.remove()
    return torch.cat(held).numpy()


def test_the_numbers_are_those_of_the_data(clothes, maps):
    for number in range(16):
        result = channel.compute(clothes, "conv2", number)
        own = maps[:, number]
        expected = {"mean": own.mean(), "std": own.std(), "min": own.min(), "max": own.max()}
        for name, value in expected.items():
            assert result.numbers[name] == pytest.approx(float(value), rel=1e-3, abs=1e-4)
        peaks = own.max((1, 2))
        assert result.numbers["silent"] == (peaks <= 0).mean()
        assert result.counts.sum() == 300
        assert result.response_range == pytest.approx((float(peaks.min()), float(peaks.max())), rel=1e-4, abs=1e-5)


def test_the_classes_are_ranked_by_the_mean_of_their_strongest_responses(clothes, maps):
    result = channel.compute(clothes, "conv2", 5)
    peaks, labels = maps.max((2, 3)), clothes.labels
    means = np.stack([peaks[labels == c].mean(0) for c in range(10)])
    order = [clothes.classes.index(name) for name in result.classes.names]
    assert is_ranked(order, means[:, 5])
    np.testing.assert_allclose(result.classes.means, means[order, 5], rtol=1e-4)
    assert list(result.classes.images) == [(labels == c).sum() for c in order]
    assert not result.classes.predicted
    assert result.classes.top == 1
    assert sum(channel.compute(clothes, "conv2", k).classes.on_top for k in range(16)) == 10
    assert result.classes.on_top == (means.argmax(1) == 5).sum()


@pytest.mark.parametrize(("layer", "number"), [("conv1", 2), ("conv2", 5)])
def test_the_ablation_is_the_net_without_those_weights(clothes, layer, number):
    picture = open_picture("fashion-mnist/6")
    for replace in ("zero", "mean"):
        result = channel.compute(clothes, layer, number, picture, replace)
        with clothes.model.exclusive() as net, torch.no_grad():
            without = copy.deepcopy(net)
            conv = without.get_submodule(layer)
            conv.weight[number] = 0
            conv.bias[number] = 0 if replace == "zero" else result.numbers["mean"]
            expected = without(clothes.model.batch(picture)).softmax(1)[0].numpy()
        order = [clothes.model.classes.index(name) for name, _ in result.after]
        assert is_ranked(order, expected, 5)
        np.testing.assert_allclose([p for _, p in result.after], expected[order], rtol=1e-4)
        first = clothes.model.classes.index(result.before[0][0])
        assert result.left == pytest.approx(float(expected[first]), rel=1e-4)
        assert result.before == [(name, pytest.approx(p)) for name, p in clothes.model.predict(picture)[0]]
    assert clothes.model.predict(picture)[0][0] == pytest.approx(result.before[0]), "the net is as it was"


def test_one_call_of_a_shared_module_is_replaced():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv2d(1, 2, 1), relu, nn.Conv2d(2, 2, 1), relu)
    batch = torch.randn(1, 1, 4, 4)
    with torch.no_grad():
        with replaced(net, "1:1", {0: 7.0}):
            out = net(batch)
        assert (out[0, 0] == 7).all()
        assert torch.equal(out[0, 1], net(batch)[0, 1])
        with replaced(net, "1:0", {0: 0.0, 1: 0.0}):
            assert torch.equal(net(batch)[0, :, 0, 0], net[2].bias.relu())
        assert not relu._forward_hooks


def test_a_picture_is_given_by_number_by_itself_or_is_the_best(clothes):
    best = channel.compute(clothes, "conv2", 5)
    number = clothes.top("conv2", 5)[0].image
    same = channel.compute(clothes, "conv2", 5, number)
    other = channel.compute(clothes, "conv2", 5, clothes.images[number])
    for result in (same, other):
        assert alike(result.map, best.map)
        assert dict(result.after) == pytest.approx(dict(best.after))
    assert best.map.max() == pytest.approx(clothes.top("conv2", 5)[0].score, rel=1e-4)
    assert best.facts["pixels"] == other.facts["pixels"]
    assert best.facts["image"] == f"fashion-mnist/{number:05}"
    assert (best.facts["number"], same.facts) == (number, best.facts)


def test_a_channel_is_printed_with_its_filter(clothes, tmp_path):
    result = channel.compute(clothes, "conv2", 5)
    figure = result.figure()
    titles = [panel.title for panel in figure.panels]
    assert titles[:3] == ["Best patches", "Random patches", "Lowest patches"]
    assert titles[3:] == ["Where it responds", "Responses over the data", "Its filter"]
    charts, panels = channel.parts(figure)
    assert [one.title for one in charts.panels] == titles[4:5]
    assert [one.title for one in panels.panels] == [titles[3], titles[5]]
    with clothes.model.exclusive() as net:
        assert np.array_equal(figure.arrays["weight"], net.conv2.weight[5].detach().numpy())
    assert figure.arrays["counts"].sum() == 300
    assert len(figure.arrays["edges"]) == len(figure.arrays["counts"]) + 1
    for name in ("c.png", "c.csv", "c.npz", "c.html"):
        assert result.save(tmp_path / name).stat().st_size > 500
    assert np.array_equal(result.figure(opacity=0).panels[3].image, result.crop)


def test_dead_and_silent_channels_and_colour_filters_are_drawn(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        net[0].weight[0], net[0].bias[0] = 0, 0  # constant, with a filter of zeros
        net[0].bias[1] = -100
    random = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for k in range(6):
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(tmp_path / f"pictures/{k}.png")
    model = Model("colours", net, Preprocess((16, 16), (16, 16), (0.0,), (1.0,)), tuple("abcde"))
    index = explain.build_index(model, tmp_path / "pictures", layers=["0", "1"], k=3, out=tmp_path / "index")
    with np.errstate(all="raise"):
        for number in (0, 1):
            result = channel.compute(index, "0", number)
            assert len(result.cuts) == 0
            assert result.figure().note.startswith("Dead on these pictures")
            assert len(result.figure().panels) == 3
            assert result.after == result.before, "what is dead is not missed"
        living = channel.compute(index, "0", 2).figure()
        assert living.panels[-1].image.shape[2] == 3
        assert len(living.panels) == 6
        assert kernel(model, "1") is None
        assert len(channel.compute(index, "1", 2).figure().panels) == 5, "no filter in a ReLU"
    assert channel.compute(index, "0", 2).classes.predicted


BAD = [
    ({"layer": "nope"}, Unknown, "conv1"),
    ({"layer": "fc1"}, Unknown, "conv1, conv2"),
    ({"channel": 6}, BadValue, "0 to 5"),
    ({"replace": "noise"}, Unknown, "mean, zero"),
    ({"image": 300}, BadValue, "0 to 299"),
    ({"image": -1}, BadValue, "0 to 299"),
]


@pytest.mark.parametrize(("change", "kind", "said"), BAD)
def test_a_mistake_is_one_sentence(clothes, change, kind, said):
    with pytest.raises(kind, match=said):
        channel.compute(clothes, **{"layer": "conv1", "channel": 0, **change})


def test_the_command_line_says_the_same(clothes, tmp_path, capsys):
    folder = str(clothes.folder)
    given = ["patches", folder, "--layer", "conv2", "--channels", "3", "1", "--count", "2"]
    assert main([*given, "--json", "--out", str(tmp_path / "p.png")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["numbers"]["patches"]["score"] == explain.patches(clothes, "conv2", [3, 1], count=2).table["score"]
    assert (tmp_path / "p.png").exists()
    assert main([*given, "--ranking", "worst"]) == 2
    assert "best, lowest, random" in capsys.readouterr().err
    given = ["channel", folder, "--layer", "conv2", "--channel", "3"]
    assert main([*given, "--image", "fashion-mnist/6", "--replace", "zero", "--out", str(tmp_path / "c.npz")]) == 0
    assert "set to 0" in capsys.readouterr().out
    assert main([*given, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["numbers"]
    assert len(said["classes"]) == 10
    assert [name for name, _ in said["after"]] == [name for name, _ in explain.channel(clothes, "conv2", 3).after]
    assert main(["channel", folder, "--layer", "conv2", "--channel", "99"]) == 2
    assert "0 to 15" in capsys.readouterr().err
