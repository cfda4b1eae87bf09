"""Made pictures: detectors that are known are found, real pictures judge them, and what they are made of is as told."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

import explain
from explain.activation_maximization import PARAMETRIZATIONS, ascend, spectrum_of, usual_spectrum
from explain.activation_maximization.ascent import varied
from explain.activation_maximization.likeness import percentile, same_way
from explain.activation_maximization.objective import raised
from explain.errors import BadValue, NotSupported, Unknown
from explain.figure import read_facts
from explain.index.bins import edges
from explain.network.preprocess import Preprocess
from explain.network.trace import reached, record

SIDE = 32


def planted(seed=0, window=9, channels=1, count=3):
    """A convolution whose filters are smooth patterns, before a rectifier."""
    chance = torch.Generator().manual_seed(seed)
    filters = torch.randn(count, channels, 4, 4, generator=chance)
    filters = nn.functional.interpolate(filters, (window, window), mode="bicubic", align_corners=True)
    filters -= filters.mean((2, 3), keepdim=True)
    conv = nn.Conv2d(channels, count, window)
    with torch.no_grad():
        conv.weight.copy_(filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        conv.bias.fill_(-0.2)
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(count, 2)).eval()


def frozen(net):
    return net.requires_grad_(False)


@pytest.mark.parametrize("objective", ["unit", "channel"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_known_detector_is_found(channels, objective):
    """Where the strongest unit looks, the picture is the filter's pattern, and of no other filter: it comes near to
    what excites the unit most of all pictures between black and white: white where the filter is above zero."""
    net, preprocess = frozen(planted(channels=channels)), Preprocess(size=(SIDE, SIDE), channels=channels)
    spectrum = usual_spectrum(preprocess, (SIDE, SIDE))
    made = ascend(net, preprocess, "0", raised([0, 1, 2], objective), spectrum, 3, steps=128, seed=1)
    maps = net[0](made)
    patterns = net[0].weight.flatten(1)
    for k in range(3):
        i, j = divmod(int(maps[k, k].argmax()), maps.shape[3])
        seen = made[k, :, i : i + 9, j : j + 9].flatten()
        alike = [float(torch.corrcoef(torch.stack([seen, pattern]))[0, 1]) for pattern in patterns]
        assert max(alike) == alike[k]
        if objective == "unit":  # everywhere, patterns lie over each other
            share = (seen - 0.5) @ patterns[k] / (0.5 * patterns[k].abs().sum())
            assert share > 0.7


def test_the_middle_is_the_linear_units_weight():
    """A unit is raised most, with the same contrast, by its own weights: all of them, not where it is looked at."""
    net, preprocess = frozen(planted(window=SIDE, count=1)), Preprocess(size=(SIDE, SIDE), channels=1)
    spectrum = usual_spectrum(preprocess, (SIDE, SIDE))
    made = ascend(net, preprocess, "0", raised([0], "unit"), spectrum, 1, steps=192)
    pair = torch.stack([made.flatten(), net[0].weight.flatten()])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.8
    less = ascend(net, preprocess, "0", raised([0], "unit", -1.0), spectrum, 1, steps=192)
    assert float(torch.corrcoef(torch.stack([less.flatten(), net[0].weight.flatten()]))[0, 1]) < -0.8


def test_a_silent_channel_is_woken():
    """Where a rectifier is shut on all that one begins with, no gradient comes; the channel is drawn all the same."""
    net = planted()
    with torch.no_grad():
        net[0].bias.fill_(-1.5)
    frozen(net)
    preprocess = Preprocess(size=(SIDE, SIDE), channels=1)
    spectrum = usual_spectrum(preprocess, (SIDE, SIDE))
    first = ascend(net, preprocess, "1", raised([0]), spectrum, 1, steps=0)
    assert float(net[:2](first)[:, 0].max()) == 0
    made = ascend(net, preprocess, "1", raised([0]), spectrum, 1, steps=96)
    assert float(net[:2](made)[:, 0].max()) > 0.5


def test_facets_are_less_alike_than_seeds():
    net, preprocess = frozen(planted(count=8)), Preprocess(size=(SIDE, SIDE), channels=1)
    spectrum = usual_spectrum(preprocess, (SIDE, SIDE))

    def alike(facets):
        made = ascend(net, preprocess, "0", raised([0] * 4, facets=facets), spectrum, 4, steps=64)
        maps = net[0](made).flatten(2)
        grams = nn.functional.normalize((maps @ maps.transpose(1, 2)).flatten(1), dim=1)
        return float((grams @ grams.T)[~torch.eye(4, dtype=bool)].mean())

    assert alike(4) < alike(1)


@pytest.mark.parametrize("name", PARAMETRIZATIONS)
@pytest.mark.parametrize("size", [(16, 16), (15, 21)])
def test_planes_are_as_strong_as_the_pictures(name, size):
    """Of maco each frequency exactly, whatever the phases; of fourier each in its own units."""
    preprocess = Preprocess(size=size, channels=3)
    pictures = np.random.default_rng(0).integers(0, 256, (40, *size, 3), np.uint8)
    spectrum = spectrum_of(list(pictures), preprocess, size)
    made = PARAMETRIZATIONS[name].function(spectrum, 2, torch.Generator().manual_seed(0))
    planes = made.planes()
    assert planes.shape == (2, 3, *size)
    strength = torch.fft.rfft2(planes, norm="ortho").abs()
    inner = (slice(None), slice(None), slice(1, (size[0] + 1) // 2), slice(1, (size[1] + 1) // 2))
    if name == "maco":
        wanted = spectrum.magnitude.expand_as(strength)
        torch.testing.assert_close(strength[inner], wanted[inner], rtol=1e-4, atol=1e-4)
    else:
        wanted = spectrum.magnitude * torch.view_as_complex(made.parameters).abs()
        torch.testing.assert_close(strength[inner], wanted[inner], rtol=1e-4, atol=1e-4)


def test_a_spectrum_is_that_of_its_pictures():
    """Bands that go together are told, white noise is as strong everywhere, and a ramp has no cross."""
    chance = np.random.default_rng(0)
    size, preprocess = (32, 32), Preprocess(size=(32, 32), channels=3)
    common = chance.normal(128, 20, (60, 32, 32, 1))
    bands = common + chance.normal(0, 5, (60, 32, 32, 3))
    pictures = np.clip(bands.round(), 0, 255).astype(np.uint8)
    spectrum = spectrum_of(list(pictures), preprocess, size)
    values = pictures.reshape(-1, 3) / 255
    covariance = (spectrum.colours @ spectrum.colours.T).numpy()
    np.testing.assert_allclose(covariance, np.cov(values.T, bias=True), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(spectrum.mean, values.mean(0), atol=1e-5)
    strength = spectrum.magnitude[:, 1:, 1:]
    assert float(strength.std() / strength.mean()) < 0.15
    ramp = np.broadcast_to(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], (32, 32, 3))
    plain = np.abs(np.fft.rfft2(ramp[..., 0] / 255, norm="ortho"))[0, 4:]
    known = spectrum_of([ramp, ramp.transpose(1, 0, 2)], Preprocess(size=(32, 32)), size)
    assert float(known.magnitude[-1, 0, 4:].max() * known.colours.abs().max()) < plain.max() / 5


@settings(max_examples=25, deadline=None)
@given(some.integers(1, 5), some.integers(2, 40), some.integers(2, 40), some.integers(0, 99))
def test_pixels_stay_in_their_range_and_grey_is_the_mean(channels, height, width, seed):
    preprocess = Preprocess(size=(height, width), channels=channels)
    spectrum = usual_spectrum(preprocess, (height, width))
    planes = 50 * torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))
    pixels = spectrum.pixels(planes)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    torch.testing.assert_close(spectrum.pixels(planes * 0), torch.full_like(planes, 0.5))
    assert varied(pixels, torch.Generator().manual_seed(seed)).shape == pixels.shape


def test_a_pass_ends_at_the_layer_that_is_wanted():
    net, batch = planted(), torch.rand(2, 1, SIDE, SIDE)
    seen = []
    net[4].register_forward_hook(lambda *_: seen.append(1))
    given = batch.clone().requires_grad_()
    found = reached(net, given, "1")
    assert not seen
    torch.testing.assert_close(found.detach(), record(net, batch, ["1"])[1]["1"])
    assert torch.autograd.grad(found.sum(), given)[0].abs().sum() > 0
    with pytest.raises(Unknown, match="layer"):
        reached(net, batch, "9")


def test_real_pictures_are_natural_and_others_are_not():
    chance = np.random.default_rng(0)
    ways = [chance.normal(size=(3, 40)) for _ in range(4)]  # of a kind, at four layers
    best = [way[:1] + 0.3 * chance.normal(size=(8, 40)) for way in ways]
    other = [chance.normal(size=(8, 40)) for _ in ways]
    again = [way[:1] + 0.3 * chance.normal(size=(5, 40)) for way in ways]
    strangers = [chance.normal(size=(5, 40)) for _ in ways]
    assert same_way(again, best, other) == pytest.approx(np.ones((4, 5)), abs=0.2)
    assert same_way(strangers, best, other) == pytest.approx(np.zeros((4, 5)), abs=0.4)


def test_where_real_pictures_do_not_go_one_way_nothing_is_told():
    """Of 60 channels whose best pictures are any pictures, one in forty may look as if."""
    chance = np.random.default_rng(1)
    best, other, own = ([chance.normal(size=(count, 40)) for _ in range(60)] for count in (8, 8, 2))
    assert np.isnan(same_way(own, best, other)).all(1).mean() > 0.85


@given(some.lists(some.floats(-50, 50, width=32), min_size=1, max_size=60), some.floats(-60, 60, width=32))
def test_a_percentile_is_between_two_shares_of_the_real_ones(real, value):
    counts = np.histogram(np.array(real), edges())[0]
    low, high = percentile(edges(), counts, value)
    assert low <= np.mean(np.array(real) < value) + 1e-9
    assert high >= np.mean(np.array(real) <= value) - 1e-9


def test_channels_of_a_trained_network(clothes):
    layer = clothes.layers[-1]
    found = explain.feature_visualization(clothes, layer, [0, 3], facets=2, steps=48)
    assert found.values.shape == (4, 1, 28, 28)
    assert found.table["channel"] == [0, 0, 3, 3]
    assert found.facts["side"] == 28
    maps = record_of(clothes, layer, found.values)
    for k, channel in enumerate(found.table["channel"]):
        assert found.table["peak"][k] == pytest.approx(maps[k, channel].max(), rel=1e-5)
        assert found.table["best_real"][k] == clothes.top(layer, channel, "best", 1)[0].score
    again = explain.feature_visualization(clothes, layer, [0, 3], facets=2, steps=48)
    np.testing.assert_allclose(again.values, found.values, atol=2 / 255)
    less = explain.feature_visualization(clothes, layer, [0], steps=48, negative=True)
    assert less.table["peak"][0] < min(found.table["peak"][:2])


def record_of(index, layer, values):
    preprocess = index.model.preprocess
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (preprocess.mean, preprocess.std))
    with index.model.exclusive() as net:
        return record(net, (torch.from_numpy(values) - mean) / std, [layer])[1][layer].numpy()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pictures_of_five_bands_are_drawn_within_those_of_the_index(tmp_path, dtype):
    """In units of the network's own input, whatever the files hold; only what JPEG can hold is tried as JPEG."""
    chance = np.random.default_rng(0)
    (tmp_path / "scenes").mkdir()
    for k in range(6):
        values = chance.uniform(0.2, 0.7, (24, 20, 5))
        scale = 1 if dtype == "float32" else np.iinfo(dtype).max
        np.save(tmp_path / "scenes" / f"{k}.npy", (values * scale).astype(dtype))
    how = explain.Preprocess((24, 20), mean=(0.1, 0.2, 0.3, 0.4, 0.5), std=(0.5, 0.6, 0.7, 0.8, 0.9), channels=5)
    model = explain.wrap(planted(channels=5), ["a", "b"], how, name="scenes")
    index = explain.build_index(model, tmp_path / "scenes", ["0"], k=2, out=tmp_path / "index")
    found = explain.feature_visualization(index, "0", [1], steps=40)
    assert found.values.shape == (1, 5, 24, 20)
    assert 0 <= found.values.min() < found.values.max() <= 1
    assert found.pixels.shape == (1, 24, 20, 3)
    assert found.table["peak"][0] > found.table["best_real"][0]
    assert found.table["jpeg"] == [None]
    again = explain.redraw(read_facts(found.figure().encode("png")), index=index)
    assert again.arrays["values"].shape == found.values.shape
    np.testing.assert_allclose(again.arrays["values"], found.values, atol=2 / 255)


def test_what_cannot_be_drawn_is_said(clothes, tmp_path):
    whole = explain.build_index(clothes.model, "fashion-mnist", ["fc2"], k=2, limit=20, out=tmp_path)
    with pytest.raises(Unknown, match="layer"):
        explain.feature_visualization(clothes, "nope", [0])
    with pytest.raises(BadValue, match="28 x 28"):
        explain.feature_visualization(whole, whole.layers[-1], [0], steps=8, side=64)


def test_dead_channels_are_said(monkeypatch, clothes):
    layer = clothes.layers[0]
    view = __import__("explain.views.feature_visualization", fromlist=["dead"])
    monkeypatch.setattr(view, "dead", lambda *_: {1: "never above zero", 2: "never above zero"})
    with pytest.raises(NotSupported, match="never above zero"):
        explain.feature_visualization(clothes, layer, [1, 2], steps=8)
    found = explain.feature_visualization(clothes, layer, [0, 1], steps=8)
    assert found.channels == (0,)
    assert "channel     1  cannot be drawn" in found.summary
