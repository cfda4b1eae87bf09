"""The effective field: within the exact one, everything where all pixels count alike, one pixel where one counts."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import explain
from explain.network import effective_field
from explain.network.model import Model, Preprocess
from explain.views import channel
from explain.views.parts.result import BOX_COLOUR, EFFECTIVE_COLOUR

SIZE = (32, 24)


def model_of(*layers, name="net"):
    return Model(name, nn.Sequential(*layers), Preprocess(SIZE, SIZE, (0.5,), (0.25,)), tuple("abcd"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    for k in range(12):
        Image.fromarray(random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(place / f"{k:02}.png")
    return place


def index_of(model, folder, place, layers):
    return explain.build_index(model, folder, layers=layers, k=4, out=place)


@pytest.fixture(scope="module")
def deep(folder, tmp_path_factory):
    """Units of layer 4 see 35 x 35 pixels of 32 x 24, but at borders fewer; those of 6 and 8 see everything."""
    torch.manual_seed(0)
    model = model_of(
        nn.Conv2d(3, 6, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.Conv2d(6, 8, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    return index_of(model, folder, tmp_path_factory.mktemp("deep"), ["0", "4", "6", "8"])


def alone(index, layer, image, number, position):
    """The energy of one unit, by itself."""
    with index.model.exclusive() as net:
        batch = index.model.batch(index.images[image]).requires_grad_()
        output = net[: int(layer) + 1](batch)
        gradient = torch.autograd.grad(output[(0, number, *position)], batch)[0]
    return gradient[0].square().sum(0).numpy()


@pytest.mark.parametrize("layer", ["4", "6", "8"])
def test_it_is_each_units_own_and_lies_in_what_it_sees(deep, layer):
    table = channel.compute(deep, layer, 0).cuts.table
    assert table["effective_box"]
    smaller = 0
    for k, box in enumerate(table["effective_box"]):
        position = table["position"][k] if layer != "8" else ()
        energy = alone(deep, layer, table["image"][k], 0, position)
        expected, share = effective_field.box_of(energy)
        assert box == expected
        assert table["effective_share"][k] == pytest.approx(share, rel=1e-5)
        assert share >= 0.95
        exact = table["box"][k] or (0, 0, *SIZE)
        assert exact[0] <= box[0] < box[2] <= exact[2]
        assert exact[1] <= box[1] < box[3] <= exact[3]
        smaller += box != exact
    assert smaller or layer != "4"


def test_a_box_leaves_no_more_on_any_side_than_it_says():
    random = np.random.default_rng(0)
    for _ in range(50):
        energy = random.exponential(1, (17, 23)).astype(np.float32) ** 4
        (y0, x0, y1, x1), share = effective_field.box_of(energy)
        whole = energy.sum(dtype=float)
        assert share == pytest.approx(energy[y0:y1, x0:x1].sum(dtype=float) / whole)
        assert share >= 0.95
        for line, low, high in ((energy.sum(1), y0, y1), (energy.sum(0), x0, x1)):
            assert line[:low].sum() <= 0.0125 * whole < line[: low + 1].sum()
            assert line[high:].sum() <= 0.0125 * whole < line[high - 1 :].sum()
    for nothing in (np.zeros((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf)):
        assert effective_field.box_of(nothing.astype(np.float32)) is None


def test_where_all_pixels_count_alike_it_is_the_whole_input(folder, tmp_path):
    model = model_of(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 4, 1), nn.Flatten())
    nn.init.constant_(model._net[1].weight, 0.5)
    table = channel.compute(index_of(model, folder, tmp_path, ["1"]), "1", 2).cuts.table
    assert set(table["effective_box"]) == {(0, 0, *SIZE)}
    assert table["effective_share"] == pytest.approx([1.0] * 12)


def test_where_one_pixel_counts_it_is_that_one(folder, tmp_path):
    model = model_of(nn.Conv2d(3, 4, SIZE), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        model._net[0].weight.zero_()
        model._net[0].weight[:2, :, 5, 9] = 1
        model._net[0].bias.zero_()
    index = index_of(model, folder, tmp_path, ["0", "1"])
    result = channel.compute(index, "0", 0)
    assert set(result.cuts.table["effective_box"]) == {(5, 9, 6, 10)}
    assert set(result.cuts.table["effective_share"]) == {1.0}
    shown = result.cuts.drawn([0])[0]
    assert (shown == EFFECTIVE_COLOUR).all(-1).sum() == 8, "a frame around the pixel"
    assert np.array_equal(shown[5, 9], result.cuts.pictures[result.cuts.which[0]][5, 9])
    shut = channel.compute(index, "1", 1)
    silent = [score <= 0 for score in shut.cuts.table["score"]]
    assert [box is None for box in shut.cuts.table["effective_box"]] == silent
    assert True in silent
    assert False in silent


def test_it_is_drawn_and_described_and_the_same_again(deep, tmp_path):
    result = channel.compute(deep, "4", 3)
    assert channel.compute(deep, "4", 3).table == result.table
    figure = result.figure()
    assert "Blue box" in figure.note
    assert "95 %" in figure.note
    pixels = np.concatenate([panel.image.reshape(-1, 3) for panel in figure.panels[:3]])
    for colour in (EFFECTIVE_COLOUR, BOX_COLOUR):
        assert (pixels == colour).all(1).any(), "at a border a unit sees less than the picture"
    lines = result.save(tmp_path / "c.csv").read_text().splitlines()
    assert "effective_y0,effective_x0,effective_y1,effective_x1,effective_share" in lines[1]
    assert "Each unit sees the whole input" in channel.compute(deep, "8", 0).figure().note


def test_nothing_changes_where_units_see_a_part(deep):
    result = channel.compute(deep, "0", 0)
    assert "effective_box" not in result.cuts.table
    assert "Blue" not in result.figure().note
    assert result.cuts.drawn([0]).shape[1:3] == (7, 7)


def test_a_vanished_picture_has_none(deep, folder, tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    for k in range(4):
        (place / f"{k}.png").write_bytes((folder / f"{k:02}.png").read_bytes())
    index_of(deep.model, place, tmp_path / "index", ["4"])
    (place / "2.png").unlink()
    index = explain.open_index(tmp_path / "index", deep.model)
    result = channel.compute(index, "4", 0, 0)
    assert [box is None for box in result.cuts.table["effective_box"]] == (result.cuts.which < 0).tolist()
    assert (result.cuts.which < 0).any()
    result.figure()
