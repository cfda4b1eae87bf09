"""Networks that give maps of classes: a class is asked about anywhere, and what is predicted where is shown."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
from near import alike
from own_networks import CLASSES, PREPROCESS, SIZE, picture, plain
from PIL import Image
from streamlit.testing.v1 import AppTest
from torch import nn
from torch.nn import functional as F

import explain
from explain.attribution import METHODS
from explain.errors import BadValue, NotSupported
from explain.figure.palette import MOST, OTHER
from explain.images import outline
from explain.network.region import Region
from explain.trust.curves import curves
from explain.trust.question import private
from explain.views import segmentation
from explain.views.parts.picture import prepare
from explain.views.parts.saliency_map import ask

BOX = (5, 6, 31, 22)  # none of its sides is at one of a cell of four pixels
DISC = np.add.outer((np.arange(SIZE[0]) - 20) ** 2, (np.arange(SIZE[1]) - 15) ** 2) < 90


class Named(nn.Module):
    """As torchvision's: the maps are in a dict, enlarged to the picture."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return {"out": F.interpolate(self.net(x), x.shape[2:], mode="bilinear"), "aux": x}


def coarse(classes=4, stride=2, *more):
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 8, 3, stride, 1), nn.Conv2d(8, 6, 3, stride, 1)
    net = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Conv2d(6, classes, 3, 1, 1), *more)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2)
    return net.eval()


NETS = {"as large": lambda: coarse(stride=1), "a quarter": coarse, "named": lambda: Named(coarse())}


@pytest.fixture(params=NETS)
def net(request):
    return NETS[request.param]()


@pytest.fixture
def model(net):
    return wrapped(net)


def wrapped(net, classes=CLASSES):
    return explain.wrap(net, classes, PREPROCESS)


def maps_of(net, batch):
    found = net(batch)
    return found["out"] if isinstance(found, dict) else found


def share(mask, size):
    """Of each cell how much is within, by counting its pixels."""
    mask, (h, w) = np.asarray(mask, float), size
    return torch.from_numpy(mask.reshape(h, SIZE[0] // h, w, SIZE[1] // w).mean((1, 3))).float()


def in_box(box=BOX):
    mask = np.zeros(SIZE, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


def score_of(net, batch, target, mask):
    maps = maps_of(net, batch)
    return (maps[:, target] * share(mask, maps.shape[2:])).sum((1, 2))


@pytest.mark.parametrize(("region", "mask"), [(BOX, in_box()), (DISC, DISC), ("5,6,31,22", in_box())])
def test_the_score_is_the_sum_over_the_region(net, model, region, mask):
    result = explain.saliency(model, picture(), "gradient", 2, region=region)
    batch = model.batch(picture()).requires_grad_()
    score = score_of(net, batch, 2, mask)
    assert result.target.score == pytest.approx(float(score), rel=1e-4)
    assert alike(result.heat, torch.autograd.grad(score.sum(), batch)[0].abs().amax(1)[0].numpy())
    assert (result.region == mask).all()
    assert not alike(result.heat, explain.saliency(model, picture(), "gradient", 2).heat)


def test_grad_cam_is_that_of_the_region(net, model):
    layer = "net.3" if isinstance(net, Named) else "3"
    held = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _m, _i, output: held.append(output))
    score = score_of(net, model.batch(picture()).requires_grad_(), 1, in_box())
    handle.remove()
    slope = torch.autograd.grad(score.sum(), held[0])[0]
    wanted = (slope.mean((2, 3), keepdim=True) * held[0]).sum(1).relu()[0].detach()
    assert alike(explain.saliency(model, picture(), "grad_cam", 1, layer, region=BOX).raw_map, wanted.numpy())


def test_all_of_the_picture_is_a_region_too(model):
    whole, all_of_it = (explain.saliency(model, picture(), "gradient", 1, region=one) for one in (None, (0, 0, *SIZE)))
    assert alike(whole.heat, all_of_it.heat)


def test_a_box_smaller_than_a_cell_does_not_vanish():
    net = coarse()
    heat = explain.saliency(wrapped(net), picture(), "gradient", 1, region=(9, 9, 10, 10)).heat
    batch = wrapped(net).batch(picture()).requires_grad_()
    slope = torch.autograd.grad(net(batch)[0, 1, 2, 2] / 16, batch)[0]
    assert alike(heat, slope.abs().amax(1)[0].numpy())


def test_where_it_is_predicted_stays_where_it_was(net, model):
    batch = model.batch(picture())
    with torch.no_grad():
        maps = maps_of(net, batch)
    labels = maps.argmax(1)[0]
    number = int(labels.flatten().mode().values)
    result = explain.saliency(model, picture(), "occlusion", region="predicted", window=16, stride=16, baseline="black")
    assert result.target.number == number
    assert result.target.score == pytest.approx(float(maps[0, number][labels == number].sum()), rel=1e-4)
    covered = batch.clone()
    covered[:, :, :16, :16] = model.input_range[0]
    with torch.no_grad():
        fall = (maps - maps_of(net, covered))[0, number][labels == number].sum()
    assert result.heat[0, 0] == pytest.approx(float(fall), rel=1e-3, abs=1e-3)
    assert result.facts["region"] == "predicted"


def test_what_is_predicted_nowhere_is_said():
    net = coarse()
    with torch.no_grad():
        net[4].bias[3] = -1e4
    with pytest.raises(NotSupported, match=r"'d' is predicted nowhere on this picture; .*[abc].* is\."):
        explain.saliency(wrapped(net), picture(), target="d", region="predicted")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_or_refuses(method):
    quick = {"samples": 8, "steps": 4, "segments": 6, "cells": 3, "window": 16, "stride": 16}
    options = {key: value for key, value in quick.items() if key in METHODS[method].options}
    model = wrapped(coarse())
    try:
        result = explain.saliency(model, picture(), method, 1, region=BOX, **options)
    except NotSupported as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(result.heat).all()
    if method != "eigen_cam":  # which is of the layer alone
        assert not alike(result.heat, explain.saliency(model, picture(), method, 1, **options).heat), "of the region"


def test_deletion_and_insertion_are_of_the_region(net, model):
    seen = prepare(model, picture())
    asked = model.asked_about(Region.of_box(BOX, SIZE))
    question = ask(
        asked, seen, explain.attribution.target.target_of(asked, seen.batch, 2), "gradient", {"reduce": "max"}
    )
    heat = question.large(question.answer(private(asked)))
    (deleted,), (inserted,) = curves(private(asked), question, [heat], 4)
    with torch.no_grad():
        wanted = float(score_of(net, seen.batch, 2, in_box()))
    assert deleted.values[0] == pytest.approx(wanted, rel=1e-3)
    assert inserted.values[-1] == pytest.approx(wanted, rel=1e-3)
    checked = explain.faithfulness(model, picture(), "gradient", 2, region=BOX, portions=4)
    assert alike(checked.trust.deletion["map"][0].values, deleted.values, 1e-3)


def test_a_region_is_known_within_and_without():
    """Asked while somebody else asks the same net, on copies, and by its digest."""
    model = wrapped(coarse())
    asked = model.asked_about(Region.of_box(BOX, SIZE))
    batch = model.batch(picture())
    alone, whole = asked.ask(batch), model.ask(batch)
    with model.exclusive() as net, torch.no_grad():
        assert alike(asked.ask(batch), alone)
        assert alike(net(batch), whole)
        with asked.exclusive(), model.exclusive():
            assert alike(net(batch), whole)
    with torch.no_grad():
        assert alike(private(asked)(batch), alone)
        assert alike(private(model)(batch), whole)
    assert len({model.digest, asked.digest, model.asked_about(Region.of_mask(DISC)).digest}) == 3
    assert model.digest == wrapped(coarse()).digest


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("elsewhere", "'elsewhere' is neither 'predicted' nor a box"),
        ((0, 0, 0, 3), r"0 <= y0 < y1 <= 48 and 0 <= x0 < x1 <= 40"),
        ((0, 0, 49, 3), r"\(0, 0, 49, 3\)"),
        ((0.5, 0, 9, 3), "neither"),
        ([[True, False]], "neither"),
        (7, "neither"),
        (np.zeros(SIZE, bool), "is empty"),
        (np.ones((3, 3), bool), r"of the input's size \(48, 40\); this one is bool \(3, 3\)"),
        (np.ones(SIZE), "boolean"),
        ("mask:1,2", "do not add up"),
        ("mask:", "do not add up"),
    ],
)
def test_what_is_no_region_is_one_sentence(region, said):
    with pytest.raises(BadValue, match=said):
        explain.saliency(wrapped(coarse()), picture(), region=region)


def test_other_networks_and_channels_have_no_regions():
    other = explain.wrap(plain(), CLASSES, PREPROCESS)
    for region in (BOX, "predicted", DISC):
        with pytest.raises(NotSupported, match="gives scores of classes of which one is right; regions and label maps"):
            explain.saliency(other, picture(), region=region)
    with pytest.raises(NotSupported, match="label maps"):
        explain.segmentation(other, picture())
    with pytest.raises(BadValue, match="unit"):
        explain.saliency(wrapped(coarse()), picture(), unit="0", region=BOX)
    with pytest.raises(NotSupported, match="regions"):
        explain.saliency_grid(wrapped(coarse()), picture(), ["gradient"], region=BOX, second_model=other)


def test_a_ragged_mask_is_too_much_for_a_figure():
    mask = np.indices((200, 200)).sum(0) % 2 == 0
    model = explain.wrap(coarse(), CLASSES, explain.Preprocess((200, 200), mean=(0.5,), std=(0.5,)))
    with pytest.raises(BadValue, match=r"\d+ runs of pixels along its rows, too many for a figure to hold; at most"):
        explain.saliency(model, picture(), region=mask)


def test_a_figure_of_a_mask_is_drawn_again(tmp_path):
    model = wrapped(coarse())
    image = picture()
    figure = explain.saliency(model, image, "grad_cam", 1, region=torch.from_numpy(DISC)).figure()
    assert sum(figure.facts["region"]["runs"]) == DISC.size
    again = explain.redraw(explain.read_facts(figure.encode("svg")), model=model, image=image)
    assert again.encode("npz") == figure.encode("npz")
    assert np.array_equal(np.asarray(again.arrays["region"]), DISC)


@pytest.mark.parametrize("seed", range(6))
def test_runs_are_the_mask(seed):
    mask = np.random.default_rng(seed).random((7, 9)) < [0, 1, 0.1, 0.5, 0.9, 0.5][seed]
    region = Region.of_mask(mask)
    assert (region.mask == mask).all()
    assert (region.shares((7, 9)).numpy() == mask).all()


# What is predicted where -----------------------------------------------------------------------------------------


def test_the_label_map_is_the_likeliest_class(net, model):
    result = explain.segmentation(model, picture())
    with torch.no_grad():
        maps = maps_of(net, model.batch(picture()))
    labels, chances = maps.argmax(1)[0].numpy(), maps.softmax(1).amax(1)[0].numpy()
    times = [whole // part for whole, part in zip(SIZE, labels.shape, strict=True)]
    assert np.array_equal(result.labels, np.kron(labels, np.ones(times, int)))
    assert alike(result.chances, np.kron(chances, np.ones(times)))
    wanted = {CLASSES[k]: float((labels == k).mean()) for k in np.unique(labels)}
    assert result.shares == pytest.approx(wanted)
    assert list(result.shares.values()) == sorted(result.shares.values(), reverse=True)
    assert result.table["class"] == list(result.shares)


@pytest.mark.parametrize("end", [[], [nn.Sigmoid()], [nn.Sigmoid(), nn.Upsample(scale_factor=4, mode="bilinear")]])
def test_one_map_says_where_its_class_is(end):
    net = coarse(1, 2, *end)
    model = wrapped(net, ("lesion",))
    with torch.no_grad():
        values = net(model.batch(picture()))[0, 0]
    there = (values > (0.5 if end else 0)).numpy()
    assert 0 < there.mean() < 1
    result = explain.segmentation(model, picture())
    times = [whole // part for whole, part in zip(SIZE, there.shape, strict=True)]
    assert np.array_equal(result.labels == 0, np.kron(there, np.ones(times, int)) > 0)
    assert set(np.unique(result.labels)) == {-1, 0}
    assert result.chances.min() >= 0.5
    assert result.figure().table["class"] == ["lesion"]
    score = explain.saliency(model, picture(), region="predicted").target.score
    assert score == pytest.approx(float(values[torch.from_numpy(there)].sum()), rel=1e-4)


def test_probabilities_are_not_turned_again():
    net = coarse(4, 2, nn.Softmax(1))
    model = wrapped(net)
    assert (model.head.kind, model.head.places) == ("segmentation", "probabilities")
    batch = model.batch(picture())
    with torch.no_grad():
        assert alike(model.chances_by_place(batch), net(batch), 1e-4)


def test_class_activation_maps_look_before_the_answer(net, model):
    assert model.last_maps.name.rpartition(".")[2] == "1", "the last with the most channels, of which there are eight"
    alone = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)).eval()
    assert wrapped(alone).last_maps.name == "0"


def test_torchvisions():
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    model = explain.wrap(net, CLASSES, explain.Preprocess((64, 64), mean=(0.5,), std=(0.5,)))
    assert model.last_maps.name.startswith("backbone")
    batch = model.batch(picture()).requires_grad_()
    slope = torch.autograd.grad(net(batch)["out"][0, 1, 10:30, 20:50].sum(), batch)[0]
    result = explain.saliency(model, picture(), "gradient", 1, region=(10, 20, 30, 50))
    assert alike(result.heat, slope.abs().amax(1)[0].numpy(), 1e-3)
    with torch.no_grad():
        assert np.array_equal(explain.segmentation(model, picture()).labels, net(batch)["out"].argmax(1)[0].numpy())


def test_areas_have_colours_of_their_own_and_the_smallest_none():
    classes = tuple(f"class {k}" for k in range(40))
    labels = np.repeat(np.arange(40), np.arange(40, 0, -1))[None]
    for few in (labels % 10, labels % MOST, labels):
        crop = np.zeros((*few.shape, 3), np.uint8)
        result = segmentation.Segmentation(few, np.ones(few.shape, np.float32), crop, classes, {"model": "net"})
        figure = segmentation.render.__wrapped__(result, opacity=1.0)
        drawn = figure.panels[1].image[0]
        hues = [{tuple(hue) for hue in drawn[few[0] == k].tolist()} for k in result.present]
        assert {len(hue) for hue in hues} == {1}
        own = [hue for hue in hues if hue != {OTHER}]
        assert len({tuple(hue) for hue in own}) == len(own) == min(len(hues), MOST)
        assert hues[: len(own)] == own, "the largest"
        assert (f"The {40 - MOST} smallest are light grey" in figure.note) == (len(hues) == 40)


def test_an_outline_lies_within_and_reaches_around():
    image, mask = np.zeros((12, 10, 3), np.uint8), np.zeros((12, 10), bool)
    mask[3:12, 2:9] = True
    drawn = (outline(image, mask, (9, 9, 9), 2) == 9).all(-1)
    assert not drawn[~mask].any()
    assert not drawn[5:10, 4:7].any()
    assert drawn.sum() == mask.sum() - 5 * 3


def test_a_stroke_is_all_that_is_near_its_line():
    rng = np.random.default_rng(0)
    before = Region.of_mask(rng.random((40, 30)) < 0.2)
    points, radius = [(3.0, 4.0), (20.0, 25.5), (39.9, -3.0)], 4.5
    dense = np.concatenate([np.linspace(a, b, 2000) for a, b in itertools.pairwise(np.array(points))])
    middles = np.stack(np.indices((40, 30)), -1) + 0.5
    near = np.sqrt(np.square(middles[:, :, None] - dense).sum(-1)).min(-1)
    sure = abs(near - radius) > 0.01
    assert (before.painted(points, radius).mask == (before.mask | (near <= radius)))[sure].all()
    assert (before.painted(points, radius, inside=False).mask == (before.mask & (near > radius)))[sure].all()
    alone = before.painted([(10.0, 10.0)], 3).mask & ~before.mask
    assert (alone == (np.hypot(*(middles - 10).transpose(2, 0, 1)) <= 3) & ~before.mask).all()
    assert (before.painted([(-50.0, 90.0)], 3).mask == before.mask).all(), "beside the picture"


def test_a_gallery_is_of_regions_too(tmp_path):
    model = wrapped(coarse())
    for k in range(3):
        picture(k).save(tmp_path / f"{k}.png")
    found = explain.gallery(model, tmp_path, "gradient", region="predicted")
    for tile in found.tiles:
        one = explain.saliency(model, picture(tile.number), "gradient", region="predicted")
        assert tile.map.target.name == tile.said.name == one.target.name
        assert alike(tile.map.raw_map, one.raw_map)
    boxed = explain.gallery(model, tmp_path, "gradient", target=1, region=BOX)
    assert alike(boxed.tiles[2].map.raw_map, explain.saliency(model, picture(2), "gradient", 1, region=BOX).raw_map)
    assert boxed.facts["region"] == list(BOX)


def test_pictures_without_the_class_are_left_out_of_a_gallery(tmp_path):
    class Dark(nn.Module):
        """Of class b where it is dark."""

        def forward(self, x):
            dark = x.mean(1, keepdim=True)
            return torch.cat([dark, -dark, dark * 0 - 9, dark * 0 - 9], 1)

    for k, value in enumerate((200, 40, 220)):
        Image.fromarray(np.full((*SIZE, 3), value, np.uint8)).save(tmp_path / f"{k}.png")
    model = wrapped(Dark())
    found = explain.gallery(model, tmp_path, "gradient", target="b", region="predicted")
    assert ([tile.number for tile in found.tiles], found.without) == ([1], ("0.png", "2.png"))
    assert "nowhere on them: '0.png', '2.png'" in found.figure().note
    with pytest.raises(NotSupported, match="'c' is predicted nowhere"):
        explain.gallery(model, tmp_path, "gradient", target="c", region="predicted")


# The page ----------------------------------------------------------------------------------------------------------

TOML = """
[models.maps]
factory = "nets.py:build"
classes = ["ground", "sky", "tree"]
size = [24, 32]
"""
FACTORY = """
import torch
from PIL import Image
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 3, 3, 1, 1))
"""


@pytest.fixture
def open_page(tmp_path, monkeypatch):
    (tmp_path / "explain.toml").write_text(TOML)
    (tmp_path / "nets.py").write_text(FACTORY)
    monkeypatch.setenv("EXPLAIN_PROJECT", str(tmp_path))
    monkeypatch.setenv("EXPLAIN_WORKSPACE", str(tmp_path / "workspace"))

    def open_page(**query):
        app = AppTest.from_file("../app.py", default_timeout=60)
        app.query_params.update({"model": "maps", "picture": "photos/0", **query})
        app.switch_page("explain/ui/pages/saliency.py")
        return fine(app.run())

    return open_page


def fine(app):
    assert not app.exception, app.exception
    assert not app.error, app.error
    return app


def facts_of(app, view="saliency"):
    shown = [json.loads(code.value) for code in app.code if code.language == "json"]
    return next(one for one in shown if one.get("view") == view)


def test_the_page_shows_the_classes_and_asks_about_a_region(open_page):
    app = open_page()
    assert facts_of(app, "segmentation")["model"] == "maps"
    assert "region" not in facts_of(app)
    fine(app.selectbox(key="_region").set_value("predicted").run())
    assert facts_of(app)["region"] == "predicted"
    assert app.query_params["saliency.region"] == "predicted"
    fine(app.selectbox(key="_region").set_value("box").run())
    assert facts_of(app)["region"] == [6, 8, 18, 24]
    fine(app.slider(key="_region-rows").set_range(3, 11).run())
    assert facts_of(app)["region"] == [3, 8, 11, 24]
    fine(app.slider(key="_region-columns").set_range(32, 32).run())
    assert facts_of(app)["region"] == [3, 31, 11, 32], "never empty"
    fine(app.selectbox(key="_region").set_value("mask").run())
    runs = facts_of(app)["region"]["runs"]
    assert Region((24, 32), tuple(runs)).mask[6:18, 8:24].all(), "painting begins with a box"
    fine(app.selectbox(key="_region").set_value("box").run())
    fine(app.slider(key="_region-rows").set_range(3, 11).run())
    fine(app.slider(key="_region-columns").set_range(32, 32).run())
    assert any("--region 3,31,11,32" in code.value for code in app.code if code.language == "bash")
    fine(app.button_group(key="_saliency.method").set_value(["gradient", "grad_cam"]).run())
    assert facts_of(app, "saliency_grid")["region"] == [3, 31, 11, 32]
    fine(app.selectbox(key="_asked").set_value("channel").run())
    assert "region" not in facts_of(app, "saliency_grid"), "a channel has none"
    fine(app.selectbox(key="_model").set_value("lenet-fashion-mnist").run())
    assert not [one for one in app.selectbox if one.key == "_region"]
    assert "saliency.region" not in app.query_params


def test_a_region_of_the_url_that_is_none_is_said(open_page):
    app = open_page(**{"saliency.region": "5,5,99,9"})
    assert any("5,5,99,9" in caption.value.replace("\\", "") for caption in app.caption)
    assert "region" not in facts_of(app)


def test_scores_without_probabilities_are_no_percents(open_page):
    app = open_page()
    fine(app.switch_page("explain/ui/pages/network.py").run())
    (scores,) = (one.proto.body for one in app.main.get("html") if 'class="scores"' in one.proto.body)
    model = explain.load_model("maps")
    said = [f"{score:.4g}" for _, score in model.predict(explain.open_picture("photos/0"))[0]]
    assert re.findall(r'"value">([^<]*)<', scores) == said
