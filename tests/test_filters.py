"""filters: tiles are the weights, drawn by an affine map that the legend tells."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explain.data import load_images
from explain.errors import BadValue, NotSupported, Unknown
from explain.images import sheet_size
from explain.network.model import Model, Preprocess
from explain.network.zoo import load_model
from explain.views import filters
from explain.views.filters import Filters, layers_with_filters, ordering, render, similarity

GREY = Preprocess(size=(28, 28), resize=28, mean=(0.0,), std=(1.0,), channels=1)
TEN = tuple("abcdefghij")


def drawn(result, **style):
    """The tiles as they stand in the figure, (n, h, w, 3), cut out of its sheet by its own grid."""
    (panel,) = render(result, **style).panels
    return np.stack([pixels for _, pixels in panel.tiles])


def made(tiles, name="made", pixels=True):
    facts = {"model": name, "model_digest": name, "layer": "conv", "input_channels": 3 if tiles.shape[-1] == 3 else 1}
    return Filters(np.asarray(tiles, np.float32), "conv", pixels, facts)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def linear(inputs=784):
    net = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 10))
    return net, Model("linear", net, GREY, TEN)


@pytest.fixture(params=["lenet", "lite"])
def first(request):
    return filters.compute(request.getfixturevalue(request.param))


def test_raw_weights(lenet, lite):
    for model, layer, order in (
        (lenet, "conv1", (0, 1, 2, 3)),
        (lite, "conv_stem", (0, 2, 3, 1)),
        (lenet, "conv2", (0, 1, 2, 3)),
    ):
        result = filters.compute(model, layer)
        with model.exclusive() as net:
            weight = net.get_submodule(layer).weight.detach().numpy().transpose(order)
        assert np.array_equal(result.tiles, weight)
        assert result.tiles.dtype == np.float32
        result.tiles[:] = 0
        assert filters.compute(model, layer).tiles.any(), "a copy, not the net's own memory"


def test_range(first):
    """V01: least 0, greatest 255, an increasing affine map of the weights, to the nearest byte."""
    pixels = drawn(first, scale="range").astype(int)
    assert len(pixels) == len(first.tiles)
    for tile, weight in zip(pixels, first.tiles, strict=True):
        weight = weight if first.is_colour else np.repeat(weight[0][..., None], 3, -1)
        assert (tile.min(), tile.max()) == (0, 255)
        exact = (weight - weight.min()) / (weight.max() - weight.min()) * 255
        assert np.abs(tile - exact).max() <= 0.5 + 1e-3
        assert (np.diff(tile.ravel()[np.argsort(weight.ravel(), kind="stable")]) >= 0).all()


def test_sheet_size(first):
    for factor in (1, 3):
        (panel,) = render(first, factor=factor).panels
        height, width = first.tiles.shape[1:3] if first.is_colour else first.tiles.shape[2:4]
        wanted = sheet_size(len(first.tiles), height, width, panel.grid.columns, 1, factor)
        assert panel.image.shape[:2] == tuple(wanted)
    assert np.array_equal(drawn(first, factor=3)[:, ::3, ::3], drawn(first))


def test_grey(lenet):
    assert (lambda p: (p == p[..., :1]).all())(drawn(filters.compute(lenet)))


@pytest.mark.parametrize("scale", ["filter", "layer", "range"])
@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_constant(scale, value):
    tiles = np.full((2, 1, 3, 3), value, np.float32)
    pixels = drawn(made(tiles), scale=scale)
    wanted = {0.0: (127, 128), 3.0: (255,), -2.0: (0,)}[value] if scale != "range" else (127, 128)
    assert len(np.unique(pixels)) == 1
    assert pixels[0, 0, 0, 0] in wanted


@pytest.mark.parametrize("scale", ["filter", "layer"])
def test_zero_is_mid_grey(scale):
    tiles = random(4, 1, 5, 5) * np.array([1, 10, 100, 0.1], np.float32)[:, None, None, None] + 0.05
    tiles[:, 0, 2, 2] = 0
    pixels = drawn(made(tiles), scale=scale)[..., 0].astype(int)
    assert np.isin(pixels[:, 2, 2], (127, 128)).all()
    positive = tiles[:, 0] > 0
    assert (pixels[positive] >= 127).all()
    assert (pixels[~positive] <= 128).all()
    ends = [np.abs(p - 127.5).max() for p in pixels]
    if scale == "filter":
        assert ends == [127.5] * 4, "each filter reaches an end"
    else:
        assert ends[2] == 127.5
        assert ends[3] < 2, "a filter a thousand times weaker is nearly grey"


@pytest.mark.parametrize("scale", ["filter", "layer", "range"])
def test_polarity(first, scale):
    bright, dark = (drawn(first, scale=scale, polarity=polarity).astype(int) for polarity in ("bright", "dark"))
    assert np.abs(bright + dark - 255).max() <= 1
    assert bright.std() > 10
    notes = [render(first, scale=scale, polarity=polarity).note for polarity in ("bright", "dark")]
    assert "Large weights are bright" in notes[0]
    assert "Large weights are dark" in notes[1]


def test_slices(lenet):
    """V03: K rows of C grey tiles; tile (k, c) is weight[k, c]; the notice stands beside them."""
    result = filters.compute(lenet, "conv2")
    figure = render(result, scale="layer")
    (panel,) = figure.panels
    assert panel.grid.columns == result.tiles.shape[1] == 6
    assert panel.names == tuple(f"{k}:{c}" for k in range(16) for c in range(6))
    tiles = drawn(result, scale="layer")[..., 0].reshape(16, 6, 5, 5)
    limit = np.abs(result.tiles).max()
    assert np.abs(tiles - (result.tiles / limit + 1) / 2 * 255).max() <= 0.5 + 1e-3
    assert "not as interpretable" in figure.note
    assert "not as interpretable" not in render(filters.compute(lenet)).note


def test_templates():
    """V04: a hand-made template in row c comes back as tile c."""
    net, model = linear()
    templates = np.zeros((10, 28, 28), np.float32)
    for c in range(10):
        templates[c, c : c + 9, 2 * c : 2 * c + 5] = 1 + c
    with torch.no_grad():
        net[1].weight.copy_(torch.from_numpy(templates.reshape(10, -1)))
    result = filters.compute(model)
    assert result.tiles.shape == (10, 1, 28, 28)
    assert result.looks_at_pixels
    assert np.array_equal(result.tiles[:, 0], templates)
    pixels = drawn(result, scale="range")
    assert np.array_equal(pixels[..., 0], np.where(templates > 0, 255, 0))


def test_templates_in_colour():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 6, 4, bias=False))
    rgb = Preprocess(size=(8, 6), resize=(8, 6), mean=(0.0,), std=(1.0,))
    result = filters.compute(Model("linear", net, rgb, tuple("abcd")))
    assert np.array_equal(result.tiles, net[1].weight.detach().numpy().reshape(4, 3, 8, 6).transpose(0, 2, 3, 1))
    assert result.is_colour


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ("fc1", "looks at features"),
        ("fc3", "looks at features"),
        ("act1", "Sigmoid"),
        ("pool2", "AvgPool2d"),
    ],
)
def test_refused(lenet, layer, part):
    with pytest.raises(NotSupported, match=part) as caught:
        filters.compute(lenet, layer)
    assert repr(layer) in str(caught.value)


def test_nothing_to_show(lenet):
    deep = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 10))
    with pytest.raises(NotSupported, match="looks at features"):
        filters.compute(Model("deep", deep, GREY, TEN), "2")
    with pytest.raises(NotSupported, match="no layer"):
        filters.compute(Model("none", nn.Flatten(), GREY, tuple(map(str, range(784)))))
    with pytest.raises(Unknown, match="'conv9'"):
        filters.compute(lenet, "conv9")


def test_every_layer_offered(lenet, lite):
    assert [layer.name for layer in layers_with_filters(lenet)] == ["conv1", "conv2"]
    for layer in layers_with_filters(lite)[:6]:
        result = filters.compute(lite, layer.name)
        assert result.looks_at_pixels == (layer.name == "conv_stem")
        assert len(render(result).panels[0].names) > 0


def test_paging(monkeypatch):
    """Every slice of every filter is on exactly one page, in the order asked for."""
    monkeypatch.setattr(filters, "MAX_SLICES", 40)
    result = made(random(23, 9, 1, 1), pixels=False)
    for sort in ("index", "norm"):
        order, seen, page = ordering(result.tiles, sort), [], 1
        while True:
            try:
                (panel,) = render(result, sort=sort, page=page).panels
            except BadValue as error:
                assert f"Page {page}" in str(error)
                assert "has 6" in str(error)
                break
            assert len(panel.names) <= 40
            seen += panel.names
            page += 1
        assert seen == [f"{k}:{c}" for k in order for c in range(9)]
    assert "page 2 of 6" in render(result, page=2).title


@pytest.mark.parametrize(
    "style",
    [
        {"scale": "x"},
        {"polarity": "x"},
        {"sort": "x"},
        {"page": 0},
        {"page": 2},
        {"page": "x"},
        {"factor": 0},
        {"factor": 65},
    ],
    ids=str,
)
def test_bad_style(lenet, style):
    with pytest.raises((BadValue, Unknown)) as caught:
        render(filters.compute(lenet), **style)
    assert str(next(iter(style.values()))) in str(caught.value)


def test_norm_order():
    tiles = random(9, 3, 4, 4)
    norms = np.linalg.norm(tiles.reshape(9, -1), axis=1)[ordering(tiles, "norm")]
    assert (np.diff(norms) <= 0).all()


def test_similar_are_neighbours():
    """Duplicates, scaled ones too, stand side by side, and every filter is there once."""
    base = random(6, 2, 5, 5)
    tiles = np.concatenate([base, base * 2, np.zeros((1, 2, 5, 5), np.float32)])[
        (shuffled := np.random.default_rng(1).permutation(13))
    ]
    order = ordering(tiles, "similarity")
    assert sorted(order) == list(range(13))
    kinds = [shuffled[k] % 6 if shuffled[k] < 12 else -1 for k in order]
    for kind in range(6):
        a, b = (at for at, found in enumerate(kinds) if found == kind)
        assert b - a == 1


def test_table(lenet):
    result = filters.compute(lenet)
    table = render(result, sort="norm").table
    flat = result.tiles.reshape(6, -1)
    for k, norm, least, most, mean in zip(*table.values(), strict=True):
        assert norm == pytest.approx(np.sqrt((flat[k].astype(float) ** 2).sum()))
        assert (least, most) == (flat[k].min(), flat[k].max())
        assert mean == pytest.approx(flat[k].mean(), abs=1e-6)


# ------------------------------------------------------------ V02: across networks


def test_identical(first):
    assert similarity(first, first) == pytest.approx(1)


def test_blind_to_scale_and_order():
    tiles = random(8, 1, 5, 5)
    assert similarity(made(tiles), made(tiles[::-1] * 3 + 1)) == pytest.approx(1)
    assert similarity(made(tiles[:1]), made(-tiles[:1])) == pytest.approx(-1)
    assert abs(similarity(made(random(200, 1, 9, 9)[:1]), made(random(1, 1, 9, 9, seed=2)))) < 0.5
    assert similarity(made(np.ones((2, 1, 3, 3))), made(tiles)) == 0, "constant filters are like nothing"


def test_other_size_and_colour():
    tiles = random(4, 1, 5, 5)
    assert similarity(made(tiles), made(np.kron(tiles, np.ones((1, 1, 3, 3))))) > 0.9
    colour = np.repeat(tiles.transpose(0, 2, 3, 1), 3, -1)
    assert similarity(made(tiles), made(colour)) == pytest.approx(1)
    assert similarity(made(colour), made(tiles)) == pytest.approx(1)


def test_oracle():
    """Against numpy's correlation coefficient, filter by filter."""
    one, other = random(7, 1, 5, 5), random(4, 1, 5, 5, seed=1)
    best = [max(np.corrcoef(a.ravel(), b.ravel())[0, 1] for b in other) for a in one]
    assert similarity(made(one), made(other)) == pytest.approx(np.mean(best))


def wide(seed, epochs):
    """Sixteen filters of 7 x 7, another architecture than LeNet's six of 5 x 5; with no epochs, as they were drawn."""
    images = load_images("fashion-mnist")
    x, y = torch.from_numpy(images.array).float().div(255)[:, None], torch.from_numpy(images.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 7, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 25, 10)
        )
        optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(100):
                optimiser.zero_grad()
                nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
                optimiser.step()
    return filters.compute(Model("wide", net, GREY, TEN))


@pytest.mark.slow
def test_trained_are_alike(lenet):
    """V02: trained filters find more of their like in another trained net, of another architecture too, than in a
    random one. (Six filters cannot cover sixteen: the other way round, wide to LeNet, proves little.)"""
    trained = [wide(seed, 1) for seed in (1, 2)]
    drawn = [wide(seed, 0) for seed in (3, 4)]
    six, drawn_six = filters.compute(lenet), filters.compute(load_model("lenet", device="cpu"))
    assert min(similarity(*trained), similarity(*trained[::-1])) > 0.05 + max(
        similarity(*pair) for one in trained for chance in drawn for pair in ((one, chance), (chance, one))
    )
    assert min(similarity(six, one) for one in trained) > 0.05 + max(
        *(similarity(six, chance) for chance in drawn), *(similarity(drawn_six, one) for one in trained)
    )


def test_pair(lenet):
    one, other = filters.compute(lenet), made(random(5, 1, 7, 7), "other")
    figure = render(replace(one, second=other), scale="range")
    assert len(figure.panels) == 2
    assert np.array_equal(figure.panels[0].image, render(one, scale="range").panels[0].image)
    assert np.array_equal(figure.panels[1].image, render(other, scale="range").panels[0].image)
    assert f"{similarity(one, other):.2f}" in figure.note


def test_a_second_model_has_a_layer_of_its_own(lenet):
    """By default its first, whatever the layer on the left; a layer of no model is refused."""
    edges = load_model("edges-fashion-mnist")
    result = filters.compute(lenet, "conv2", edges)
    assert result.second.layer == result.facts["second_layer"] == "conv1_1"
    assert result.facts["second"]["model"] == edges.name
    assert [panel.title for panel in result.figure().panels] == [f"{lenet.name}, conv2", f"{edges.name}, conv1_1"]
    assert np.array_equal(result.second.tiles, filters.compute(edges).tiles)
    same = filters.compute(lenet, "conv1", lenet, second_layer="conv2")
    assert np.array_equal(same.second.tiles, filters.compute(lenet, "conv2").tiles)
    with pytest.raises(BadValue, match="'conv2', but no second model"):
        filters.compute(lenet, second_layer="conv2")
    with pytest.raises(Unknown, match="'conv2'"):
        filters.compute(lenet, second=edges, second_layer="conv2")


def test_of_a_pair_the_one_with_fewer_pages_stays_at_its_last(monkeypatch):
    monkeypatch.setattr(filters, "MAX_SLICES", 10)
    four, two = made(random(8, 4, 1, 1), pixels=False), made(random(12, 1, 3, 3))
    for pair in (replace(four, second=two), replace(two, second=four)):
        shown = [[panel.names for panel in render(pair, page=page).panels] for page in (1, 2, 3, 4)]
        long, short = (
            zip(*shown, strict=True) if pair.second is two else zip(*(row[::-1] for row in shown), strict=True)
        )
        assert [{name.partition(":")[0] for name in names} for names in long] == [
            {str(2 * k), str(2 * k + 1)} for k in range(4)
        ]
        assert list(short[1:]) == [("10", "11")] * 3
        with pytest.raises(BadValue, match="has 4"):
            render(pair, page=5)
