"""From low to high: the channels are those that answer most, the patches those of the index, early comes first."""

import json

import numpy as np
import pytest
import torch
from near import alike, is_ranked
from PIL import Image
from torch import nn

import explain
from explain.cli import main
from explain.errors import BadFile, BadValue, ExplainError, NotSupported
from explain.index.dead_channels import dead
from explain.network.model import Model, Preprocess
from explain.network.trace import record
from explain.views import hierarchy
from explain.views.parts.result import SHARED
from explain.workspace import open_picture


def five():
    """Convolutions of 8 (number 1 is dead), 6, 10 and 4 channels with maps, and one behind a pooling, without."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(6, 10, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(10, 4, 5, padding=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(4, 5, 1),
        nn.Flatten(),
    )
    with torch.no_grad():
        net[0].weight[1], net[0].bias[1], net[2].weight[:, 1] = 0, 99, 0  # answers most of all, to anything
    return Model("five", net, Preprocess((20, 16), (20, 16), (0.5,), (0.25,)), tuple("abcde"))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    place = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    for k in range(20):
        Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(place / f"{k:02}.png")
    layers = ["9", "6", "4", "2", "0"]  # not by depth
    return explain.build_index(five(), place, layers=layers, k=5, out=tmp_path_factory.mktemp("index"))


PICTURES = {"index": 3, "clothes": "fashion-mnist/5000"}


@pytest.mark.parametrize("name", PICTURES)
def test_the_channels_are_those_that_respond_most_and_the_patches_those_of_the_index(name, request):
    index = request.getfixturevalue(name)
    given = PICTURES[name]
    picture = index.images[given] if isinstance(given, int) else open_picture(given)
    result = explain.hierarchy(index, given if isinstance(given, int) else picture)
    for level in result.levels:
        layer = level.layer.name
        with index.model.exclusive() as net:
            _, held = record(net, index.model.batch(picture), [layer])
        maps = held[layer][0].numpy()
        peaks = maps.max((1, 2))
        peaks[list(dead(index, layer))] = -np.inf
        assert is_ranked(level.channels, peaks, 3)
        assert alike(level.maps, maps[list(level.channels)])
        for channel in level.channels:
            rows = index.top(layer, channel, "best", 4)
            numbers = level.cuts.where(channel=channel)
            for key in ("image", "score", "position", "box"):
                assert [level.cuts.table[key][k] for k in numbers] == [getattr(row, key) for row in rows]
        falling = np.sort(np.maximum(maps.max((1, 2)), 0))[::-1]
        assert falling[: level.half].sum() * 2 >= falling.sum() * (1 - 1e-6)
        assert falling[: level.half - 1].sum() * 2 < falling.sum() * (1 + 1e-6)


def test_early_middle_and_late_are_by_depth_and_have_maps(index, clothes):
    levels = hierarchy.compute(index, 0).levels
    assert [(level.name, level.layer.name) for level in levels] == [("Early", "0"), ("Middle", "2"), ("Late", "6")]
    assert 1 not in levels[0].channels, "what is dead is passed over"
    levels = hierarchy.compute(clothes, 0).levels
    assert [(level.name, level.layer.name) for level in levels] == [("Early", "conv1"), ("Late", "conv2")]


def test_a_block_is_as_deep_as_what_is_in_it(tmp_path):
    block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    net = nn.Sequential(nn.Conv2d(1, 3, 3), block, nn.Conv2d(4, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = Model("blocks", net, Preprocess((16, 16), (16, 16), (0.0,), (1.0,), 1), tuple("ab"))
    index = explain.build_index(model, "fashion-mnist", layers=["2", "1", "0"], k=2, limit=4, out=tmp_path)
    assert [level.layer.name for level in hierarchy.compute(index, 0).levels] == ["0", "1", "2"]


def test_a_figure_says_what_it_is(index, clothes, tmp_path):
    for one, count in ((index, 3), (clothes, 2)):
        for channels in (1, 3, 6):
            result = hierarchy.compute(one, 2, channels=channels)
            figure = result.figure()
            assert len(figure.panels) == count + 1
            assert SHARED in figure.note
            for panel, level in zip(figure.panels[1:], result.levels, strict=True):
                assert level.name in panel.title
                living = level.layer.channels - len(dead(one, level.layer.name))
                assert len(level.channels) == min(channels, living)
                assert panel.names[0].startswith(f"channel {level.channels[0]}: ")
                assert len(panel.tiles) == len(level.channels)
        for name in ("h.png", "h.csv", "h.npz", "h.html", "h.pdf"):
            assert result.save(tmp_path / name).stat().st_size > 1000
    table = hierarchy.compute(index, 2).table
    assert len({len(column) for column in table.values()}) == 1
    assert table["level"] == ["early"] * 12 + ["middle"] * 12 + ["late"] * 12
    assert table["effective_y0"][:24] == [None] * 24, "units of early layers see a part, which their patches show"
    assert None not in table["effective_y0"][24:]
    plain = hierarchy.compute(index, 2).figure(opacity=0).panels[1]
    crop = hierarchy.compute(index, 2).crop
    factor = plain.grid.tile_height // len(crop)
    shown = plain.tiles[0][1][::factor, ::factor][:, : crop.shape[1]]
    assert (shown == crop).all(-1).mean() > 0.8, "without the map, the picture and one box"


def test_all_dead_is_said(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.constant_(net[0].weight, 0)
    model = Model("dead", net, Preprocess((16, 16), (16, 16), (0.0,), (1.0,), 1), tuple("abc"))
    index = explain.build_index(model, "fashion-mnist", layers=["0"], k=2, limit=4, out=tmp_path)
    with np.errstate(all="raise"):
        figure = hierarchy.compute(index, 0).figure()
    assert "dead" in figure.panels[1].names[0]


def test_the_filters_fit_whatever_their_number():
    for count, tile in ((1, (3, 3)), (6, (5, 5)), (32, (3, 3)), (64, (11, 11)), (512, (7, 7)), (9, (1, 9))):
        factor, columns, rows = hierarchy._arranged(count, tile, (224, 1120))
        assert columns * rows >= count
        assert rows * tile[0] * factor <= 224
        assert columns * tile[1] * factor <= 1120
    _, columns, rows = hierarchy._arranged(4096, (11, 11), (224, 300))
    assert 0 < columns * rows < 4096


BAD = [
    ({"image": "no/such.png"}, BadFile, "such.png"),
    ({"image": 20}, BadValue, "0 to 19"),
    ({"image": -1}, BadValue, "0 to 19"),
    ({"image": b"GIF89a"}, BadFile, "picture"),
    ({"image": None}, BadValue, "NoneType"),
    ({"channels": 0}, BadValue, "1 to 6"),
    ({"channels": 7}, BadValue, "1 to 6"),
    ({"channels": True}, BadValue, "True"),
    ({"channels": "x"}, BadValue, "whole number"),
]


@pytest.mark.parametrize(("change", "kind", "said"), BAD)
def test_a_mistake_is_one_sentence(index, change, kind, said):
    with pytest.raises(kind, match=said):
        hierarchy.compute(index, **{"image": 0, **change})


def test_an_index_without_maps_is_refused(clothes, tmp_path):
    index = explain.build_index(clothes.model, "fashion-mnist", layers=["fc1"], k=2, limit=4, out=tmp_path)
    with pytest.raises(NotSupported, match="fc1"):
        hierarchy.compute(index, 0)
    with pytest.raises(ExplainError, match="opacity"):
        hierarchy.compute(clothes, 0).figure(opacity=2)


def test_the_command_line_says_the_same(clothes, tmp_path, capsys):
    given = ["hierarchy", str(clothes.folder), "fashion-mnist/6", "--channels", "2"]
    assert main([*given, "--json", "--out", str(tmp_path / "h.png")]) == 0
    said = json.loads(capsys.readouterr().out)["numbers"]
    expected = explain.hierarchy(clothes, open_picture("fashion-mnist/6"), channels=2).table
    assert said["channel"] == expected["channel"]
    assert said["response"] == expected["response"]
    assert (tmp_path / "h.png").exists()
    assert main(["hierarchy", str(clothes.folder), "6"]) == 0
    assert "Late: conv2" in capsys.readouterr().out
    assert main(["hierarchy", str(clothes.folder), "no/such.png"]) == 2
    assert "no/such.png" in capsys.readouterr().err
