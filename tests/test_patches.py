"""Patches: what is shown is what the unit saw, at its true place; rows equal brute force; the dead are called dead."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import explain
from explain.errors import BadValue, Unknown
from explain.index import open_index
from explain.index.dead_channels import dead, duplicates
from explain.network.model import Model, Preprocess
from explain.views import channel_health, patches
from explain.views.parts import cut


def tiny(seed=0):
    """Two convolutions with padding, a pooling between, a stride: fields of 3 and 8 pixels in an input of 32 x 24."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    return Model(f"tiny{seed}", net, Preprocess((32, 24), (32, 24), (0.5,), (0.25,)), tuple("abcd"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    for k in range(30):
        Image.fromarray(random.integers(0, 256, (64, 48, 3), dtype=np.uint8)).save(place / f"{k:02}.png")
    return place


@pytest.fixture(scope="module")
def index(folder, tmp_path_factory):
    return explain.build_index(tiny(), folder, k=5, out=tmp_path_factory.mktemp("index"))


def outputs(index, layer):
    """(N, C, H, W) of all pictures, one after the other."""
    held = []
    with index.model.exclusive() as net, torch.no_grad():
        handle = net.get_submodule(layer).register_forward_hook(lambda m, i, o: held.append(o.clone()))
        for k in range(len(index)):
            net(index.model.batch(index.images[k]))
        handle.remove()
    return torch.cat(held).numpy()


@pytest.mark.parametrize("name", ["index", "clothes"])
def test_the_patches_are_those_that_brute_force_finds(name, request):
    index = request.getfixturevalue(name)
    for layer in index.layers:
        peaks = outputs(index, layer).max((2, 3))
        for ranking, sign in (("best", -1), ("lowest", 1)):
            result = patches.compute(index, layer, range(peaks.shape[1]), ranking, 4)
            for channel in range(peaks.shape[1]):
                rows = result.cuts.where(channel=channel)
                expected = np.sort(sign * peaks[:, channel])[:4] * sign
                np.testing.assert_allclose([result.table["score"][k] for k in rows], expected, rtol=1e-4, atol=1e-5)
                assert [result.table["rank"][k] for k in rows] == [1, 2, 3, 4]


def by_hand(index, layer, maps, channel, count, most):
    """Of all places of all pictures, one after the other: (picture, row, column) and value, as V11 (6) has it."""
    known, found = index.model.layer(layer), []
    for image, values in enumerate(maps[:, channel].astype(float)):
        taken = []
        for at in np.argsort(-values, axis=None, kind="stable"):
            place = tuple(int(one) for one in np.unravel_index(at, values.shape))
            box = known.field.box(*place)
            if len(taken) < most and all(2 * common(box, other) < min(area(box), area(other)) for _, other in taken):
                taken.append((place, box))
        found += [((image, *place), values[place]) for place, _ in taken]
    return sorted(found, key=lambda one: (-one[1], one[0]))[:count]


def area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def common(one, other):
    return area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


@pytest.mark.parametrize("most", [2, 16])
def test_several_patches_of_a_picture_are_those_of_all_places(index, most):
    """V11 (6), although only the pictures that the index ranks first are looked at again."""
    several = 0
    for layer in ("0", "3"):
        maps = outputs(index, layer)
        result = patches.compute(index, layer, range(3), per_picture=most)
        for channel in range(3):
            rows, expected = result.cuts.where(channel=channel), by_hand(index, layer, maps, channel, 5, most)
            table = {name: [values[k] for k in rows] for name, values in result.cuts.table.items()}
            assert list(zip(table["image"], *zip(*table["position"], strict=True), strict=True)) == [
                place for place, _ in expected
            ]
            np.testing.assert_allclose(table["score"], [value for _, value in expected], rtol=1e-4)
            assert table["box"] == [index.model.layer(layer).field.box(*place) for place in table["position"]]
            assert max(table["image"].count(image) for image in table["image"]) <= most
            several += len(set(table["image"])) < 5
    assert several, "else the switch changes nothing here"
    assert f"Up to {most} patches are of one picture" in result.figure().note


def test_a_unit_that_sees_everything_has_one_patch_a_picture(folder, tmp_path):
    index = explain.build_index(tiny(), folder, layers=["5"], k=4, out=tmp_path)
    several, single = (patches.compute(index, "5", [0, 1], per_picture=most) for most in (3, 1))
    assert several.table == single.table


def test_a_tile_is_what_the_net_saw_there(index):
    result = patches.compute(index, "3", range(8))
    assert result.cuts.tiles.shape == (8 * 5, *cut.extent(result.layer, (32, 24)), 3)
    assert cut.extent(result.layer, (32, 24)) == (8, 8)
    table, inside = result.cuts.table, 0
    for k, (y0, x0, y1, x1) in enumerate(table["box"]):
        crop = index.model.preprocess.crop(index.images[table["image"][k]])
        assert np.array_equal(result.cuts.pictures[result.cuts.which[k]], crop)
        tile = result.cuts.tiles[k]
        # The unit (i, j) sees from 4 * i - 3, however much of that is in the picture.
        top, left = y0 - (4 * table["position"][k][0] - 3), x0 - (4 * table["position"][k][1] - 3)
        filled = cut.blank(8, 8)
        filled[top : top + y1 - y0, left : left + x1 - x0] = crop[y0:y1, x0:x1]
        assert np.array_equal(tile, filled)
        inside += (y1 - y0, x1 - x0) == (8, 8)
    assert 0 < inside < len(table["box"]), "some at a border, some not"


def test_a_patch_alone_gives_the_same_value(index):
    """V11 (3): without padding and with the field inside the picture, the patch is all that the unit needs."""
    result = patches.compute(index, "3", range(8))
    with index.model.exclusive() as net:
        bare = copy.deepcopy(nn.Sequential(*list(net)[:4])).eval()
    for conv in (bare[0], bare[3]):
        conv.padding = (0, 0)
    checked = 0
    for k, (y0, x0, y1, x1) in enumerate(result.cuts.table["box"]):
        if (y1 - y0, x1 - x0) != (8, 8) or 0 in (y0, x0) or (y1, x1) == (32, 24):
            continue
        with torch.no_grad():
            alone = bare(index.model.preprocess.scaled(result.cuts.tiles[k])[None])
        assert alone.shape[2:] == (1, 1)
        np.testing.assert_allclose(
            float(alone[0, result.table["channel"][k]]), result.table["score"][k], rtol=1e-4, atol=1e-5
        )
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize(("name", "layer"), [("index", "3"), ("clothes", "conv2")])
def test_what_lies_outside_the_box_does_not_matter(name, layer, request):
    index = request.getfixturevalue(name)
    result = patches.compute(index, layer, range(8))
    random = np.random.default_rng(0)
    table = result.cuts.table
    for k, (y0, x0, y1, x1) in enumerate(table["box"]):
        picture = result.cuts.pictures[result.cuts.which[k]]
        noisy = random.integers(0, 256, (*picture.shape[:2], 1), dtype=np.uint8).repeat(3, -1)
        noisy[y0:y1, x0:x1] = picture[y0:y1, x0:x1]
        maps = explain.activations(index.model, noisy, layer).maps[table["channel"][k]]
        assert maps[table["position"][k]] == pytest.approx(table["score"][k], rel=1e-4, abs=1e-4)


def test_source_boxes_are_in_the_file(index):
    table = patches.compute(index, "0", 2).cuts.table
    for box, source in zip(table["box"], table["source_box"], strict=True):
        assert source == tuple(2 * edge for edge in box)  # the files are twice the input


def test_a_picture_is_decoded_once(index, monkeypatch):
    opened = []
    real = type(index.images).__getitem__
    monkeypatch.setattr(type(index.images), "__getitem__", lambda self, k: opened.append(k) or real(self, k))
    result = patches.compute(index, "3", range(8))
    assert len(opened) == len(set(opened)) == len(result.cuts.pictures) < len(result.cuts)


def test_random_rows_are_random_and_repeatable(index):
    first, second = (patches.compute(index, "0", [0, 1], "random") for _ in range(2))
    assert first.table == second.table
    scores = [first.table["score"][k] for k in first.cuts.where(channel=0)]
    assert len(scores) > 3
    assert scores not in (sorted(scores), sorted(scores, reverse=True))


def test_a_figure_has_a_row_a_neuron_with_the_value_under_each(clothes, tmp_path):
    result = patches.compute(clothes, "conv1", [4, 2], count=3)
    for whole in (False, True):
        figure = result.figure(whole=whole)
        assert [panel.title for panel in figure.panels] == ["Channel 4", "Channel 2"]
        assert figure.panels[0].names == tuple(f"{score:.3g}" for score in result.table["score"][:3])
    boxed = result.cuts.drawn([0], whole=True)[0]
    y0, x0, y1, x1 = result.cuts.table["box"][0]
    picture = result.cuts.pictures[result.cuts.which[0]]
    assert np.array_equal(boxed[y0:y1, x0:x1], picture[y0:y1, x0:x1]), "the frame hides nothing of the box"
    assert not np.array_equal(boxed, picture)
    text = result.save(tmp_path / "p.csv").read_text()
    assert "score,image,file,row,column,y0,x0,y1,x1,source_y0" in text
    assert len(text.splitlines()) == 2 + 6
    panel, values, owners = patches.wall(result, whole=True)
    assert len(panel.names) == len(values) == len(owners) == 6
    assert panel.names[0].startswith("4 · ")
    assert result.save(tmp_path / "p.png").stat().st_size > 1000


def test_a_unit_that_sees_everything_shows_the_whole_picture(folder, tmp_path):
    index = explain.build_index(tiny(), folder, layers=["5", "7"], k=2, out=tmp_path)
    for layer in ("5", "7"):
        result = patches.compute(index, layer, 0)
        assert np.array_equal(result.cuts.tiles, result.cuts.pictures[result.cuts.which])
        assert "whole input" in result.figure().note


@pytest.fixture
def ailing(folder, tmp_path):
    """Channels of layer 0: 1 never above 0, 2 constant, 4 a copy of 3."""
    model = tiny(3)
    net = model._net
    with torch.no_grad():
        net[0].bias[1] = -100
        net[0].weight[2] = 0
        net[0].weight[4], net[0].bias[4] = net[0].weight[3], net[0].bias[3]
    return explain.build_index(model, folder, layers=["0", "1", "3"], k=3, out=tmp_path)


def test_dead_channels_are_called_dead_and_copies_copies(ailing):
    assert list(dead(ailing, "0")) == [1, 2]
    assert "ReLU" in dead(ailing, "0")[1]
    assert dead(ailing, "0")[2].startswith("constant")
    assert 1 in dead(ailing, "1")
    assert dead(ailing, "3").keys() == set(np.flatnonzero(outputs(ailing, "3").max((0, 2, 3)) <= 0))
    assert duplicates(ailing, "0") == duplicates(ailing, "1") == {4: 3}, "by weights, and without such by statistics"
    result = patches.compute(ailing, "0", [0, 1, 2])
    assert set(result.table["channel"]) == {0}
    assert "dead" in result.figure().panels[1].title
    panel, values, _ = patches.wall(result)
    assert len(values) == 9
    assert values[3:] == [""] * 6
    assert "dead" in panel.names[3]
    counted = channel_health.compute(ailing, "0")
    assert counted.table["channel"] == [1, 2, 4]
    assert counted.table["kind"] == ["dead", "dead", "duplicate"]
    assert "2 dead and 1 duplicates of 6" in counted.figure().note


class Skip(nn.Module):
    """A ReLU reads the convolution, but so does a sum."""

    def __init__(self, norm):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 4, 3), norm, nn.ReLU()

    def forward(self, x):
        x = self.conv(x)
        after = self.relu(self.norm(x))
        return (x + after).mean((2, 3)) if isinstance(self.norm, nn.Identity) else after.mean((2, 3))


def test_below_zero_is_not_dead_where_something_else_reads_it(folder, tmp_path):
    torch.manual_seed(0)
    shape = Preprocess((16, 16), (16, 16), (0.0,), (1.0,))
    net = Skip(nn.Identity())
    nn.init.constant_(net.conv.bias, -100)
    index = explain.build_index(Model("skip", net, shape, tuple("abcd")), folder, k=2, out=tmp_path / "a")
    assert dead(index, "conv") == {}
    net = Skip(nn.BatchNorm2d(4))
    with torch.no_grad():
        net.norm.bias[2], net.norm.weight[1], net.norm.bias[1] = -100, -1, 50  # 1 is turned over, and lives
    index = explain.build_index(Model("norm", net, shape, tuple("abcd")), folder, k=2, out=tmp_path / "b")
    assert list(dead(index, "conv")) == [c for c in range(4) if outputs(index, "relu")[:, c].max() == 0]
    assert 2 in dead(index, "conv")
    assert 1 not in dead(index, "conv")


def test_equal_filters_of_different_groups_are_no_duplicates(folder, tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.constant_(net[0].weight, 0.1)
    nn.init.constant_(net[0].bias, 0)
    shape = Preprocess((16, 16), (16, 16), (0.0,), (1.0,))
    index = explain.build_index(Model("groups", net, shape, tuple("abc")), folder, k=2, out=tmp_path)
    assert duplicates(index, "0") == {}


def test_a_vanished_file_is_said_and_the_rest_is_shown(folder, tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    for k in range(4):
        (place / f"{k}.png").write_bytes((folder / f"{k:02}.png").read_bytes())
    explain.build_index(tiny(), place, k=4, out=tmp_path / "index")
    (place / "2.png").unlink()
    result = patches.compute(open_index(tmp_path / "index", tiny()), "0", [0, 1])
    assert [name.rpartition("/")[2] for name in result.cuts.missing] == ["2.png"]
    assert len(result.cuts) == 8
    assert (result.cuts.which < 0).sum() == 2
    for whole in (False, True):
        assert "can no longer be read" in result.figure(whole=whole).note
    several = patches.compute(open_index(tmp_path / "index", tiny()), "0", [0], per_picture=4)
    assert "can no longer be read" in several.figure().note or 2 not in several.table["image"]
    assert len(several.cuts) == 4


BAD = [
    ({"layer": "nope"}, Unknown, "conv1"),
    ({"layer": "fc1"}, Unknown, "layer of this index.*conv1, conv2"),
    ({"channels": 6}, BadValue, "0 to 5"),
    ({"channels": [0, -1]}, BadValue, "0 to 5"),
    ({"channels": "x"}, BadValue, "'x'"),
    ({"channels": []}, BadValue, "0 values"),
    ({"ranking": "worst"}, Unknown, "best, lowest, random"),
    ({"count": 0}, BadValue, "1 to 100"),
    ({"count": 17}, BadValue, "1 to 16"),
    ({"count": True}, BadValue, "True"),
    ({"per_picture": 17}, BadValue, "1 to 16"),
    ({"per_picture": 2, "ranking": "lowest"}, BadValue, "ranking='best', not 'lowest'"),
]


@pytest.mark.parametrize(("change", "kind", "said"), BAD)
def test_a_mistake_is_one_sentence(clothes, change, kind, said):
    with pytest.raises(kind, match=said):
        patches.compute(clothes, **{"layer": "conv1", "channels": 0, **change})
    with pytest.raises(BadValue, match="factor"):
        patches.compute(clothes, "conv1", 0).figure(factor=0)
