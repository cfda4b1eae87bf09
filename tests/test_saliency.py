import numpy as np
import pytest
import torch
from near import alike
from torch import nn
from torch.nn import functional as F

from explain.attribution import METHODS
from explain.errors import BadValue, ExplainError, NotSupported, Unknown
from explain.network.model import Model, Preprocess
from explain.options import Range
from explain.views import activations, saliency, saliency_grid, unit
from explain.workspace import open_picture


@pytest.fixture
def cat():
    return open_picture("photos/chelsea.png")


def test_heat_is_raw_and_repeatable_and_of_the_score(lite, cat):
    result = saliency.compute(lite, cat)
    batch = lite.batch(cat).requires_grad_()
    with lite.exclusive() as net:
        scores = net(batch)
        (slope,) = torch.autograd.grad(scores[0, result.target.number], batch)
    assert result.target.name == "Egyptian cat"
    assert np.allclose(result.heat, slope[0].abs().amax(0).numpy(), atol=1e-6)
    assert alike(result.heat, saliency.compute(lite, cat).heat)
    assert result.heat.shape == (224, 224)
    assert result.target.probability == pytest.approx(
        float(scores.softmax(1)[0, result.target.number].detach()), abs=1e-6
    )


def test_grad_cam_is_enlarged_bilinearly_and_kept_coarse(lite, cat):
    result = saliency.compute(lite, cat, "grad_cam")
    assert result.raw_map.shape == (7, 7)
    assert result.raw_map.min() >= 0
    raw_map = torch.from_numpy(result.raw_map)[None, None]
    oracle = F.interpolate(raw_map, (224, 224), mode="bilinear", align_corners=False)[0, 0].numpy()
    assert np.allclose(result.heat, oracle, atol=1e-5)


def test_the_picture_is_prepared_once(lenet, monkeypatch):
    crops, real = [], Preprocess.crop
    monkeypatch.setattr(Preprocess, "crop", lambda self, image: crops.append(image) or real(self, image))
    for compute in (
        saliency.compute,
        lambda *a: activations.compute(*a, "conv1"),
        lambda *a: unit.compute(*a, "conv1", 0),
    ):
        compute(lenet, open_picture("fashion-mnist/1"))
        assert len(crops) == 1
        crops.clear()


def test_a_layer_is_a_fact_of_methods_that_look_into_one(lenet):
    picture = open_picture("fashion-mnist/1")
    assert saliency.compute(lenet, picture, "grad_cam", layer="conv1").facts["layer"] == "conv1"
    assert saliency.compute(lenet, picture, "gradient", layer="conv1").facts.get("layer") is None


@pytest.mark.parametrize("target", ["tabby", 281, "281"])
def test_the_class_asked_for_is_the_class_explained(lite, cat, target):
    result = saliency.compute(lite, cat, "gradient", target)
    assert result.target.name == "tabby"
    assert not alike(result.heat, saliency.compute(lite, cat).heat)


@pytest.mark.parametrize("target", ["kat", -1, 1000, 1.5, "1000"])
def test_an_unknown_class_is_named(lite, cat, target):
    with pytest.raises(Unknown, match=str(target)):
        saliency.compute(lite, cat, "gradient", target)


def test_wrong_method_and_option_are_named(lenet):
    with pytest.raises(ExplainError, match=r"gradcam.*grad_cam"):
        saliency.compute(lenet, open_picture("fashion-mnist/1"), "gradcam")
    with pytest.raises(ExplainError, match=r"steps.*reduce"):
        saliency.compute(lenet, open_picture("fashion-mnist/1"), "gradient", steps=3)


def test_a_net_without_convolutions_has_a_gradient_and_no_grad_cam():
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    model = Model("linear", net, Preprocess((6, 6), 6, (0.0,), (1.0,), 1), ("a", "b"))
    picture = np.full((6, 6), 90, np.uint8)
    heat = saliency.compute(model, picture, "gradient", "b").heat
    assert np.array_equal(heat, net[1].weight[1].detach().view(6, 6).abs().numpy())
    with pytest.raises(ExplainError, match=r"Class activation maps need a layer with maps.*'1'"):
        saliency.compute(model, picture, "grad_cam", "b")


def test_signed_rendering_is_symmetric_and_positive_rendering_ignores_the_rest(lite, cat):
    result = saliency.compute(lite, cat, "gradient", reduce="signed")
    assert result.heat.min() < 0 < result.heat.max()
    scale = result.figure(mode="signed").panels[1].scale
    assert scale.low == -scale.high
    positive = result.figure(mode="positive").panels[1]
    assert positive.scale.low == 0
    assert (positive.image[result.heat <= 0] == positive.scale.colours[0][0]).all()


def test_no_positive_evidence_is_said_and_not_painted():
    """A net whose class falls with every response: Grad-CAM is zero everywhere."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.fill_(0.1)
        net[4].weight.fill_(-1.0)
    model = Model("falling", net, Preprocess((12, 12), 12, (0.0,), (1.0,), 1), ("a", "b"))
    picture = np.full((12, 12), 200, np.uint8)
    result = saliency.compute(model, picture, "grad_cam", "a")
    assert result.heat.max() == 0
    figure = result.figure()
    assert "No positive evidence" in figure.note
    assert np.array_equal(figure.panels[2].image, result.crop)
    assert figure.panels[1].scale is None
    signed = saliency.compute(model, picture, "grad_cam", "a", positive=False)
    assert signed.heat.max() < 0


def test_classes_are_compared_on_one_scale(lenet):
    picture = open_picture("fashion-mnist/1")
    for scale, count in (("row", 2), ("all", 1)):
        grid = saliency_grid.compute(lenet, picture, ["grad_cam", "gradient"], range(3))
        figure = grid.figure(scale=scale)
        assert len({panel.scale for panel in figure.panels}) == count
        assert figure.columns == 3


def test_a_grid_is_the_maps_one_by_one(lenet):
    pictures = [open_picture(f"fashion-mnist/{k}") for k in (7, 8)]
    grid = saliency_grid.compute(
        lenet, pictures[0], ["smooth_grad", "grad_cam"], [4, "Bag"], second=pictures[1], **{"smooth_grad.samples": 3}
    )
    for row, method, options in zip(grid.rows, ("smooth_grad", "grad_cam"), ({"samples": 3}, {}), strict=True):
        asked = [(image, target) for target in (4, 8) for image in pictures]
        for one, (image, target) in zip(row, asked, strict=True):
            alone = saliency.compute(lenet, image, method, target, **options)
            assert np.array_equal(one.heat, alone.heat)
            assert one.target == alone.target
    assert [column.image for column in grid.columns] == ["fashion-mnist/7", "fashion-mnist/8"] * 2


def test_methods_stand_beside_each_other_where_they_are_asked_of_one_class(lenet):
    picture, methods = open_picture("fashion-mnist/1"), ["gradient", "grad_cam", "occlusion", "hires_cam", "layer_cam"]
    grid = saliency_grid.compute(lenet, picture, methods[:2])
    assert grid.figure().columns == 2
    assert "One scale for each map." in grid.figure().note
    assert "One scale for all." in grid.figure(scale="all").note
    assert saliency_grid.compute(lenet, picture, methods).figure().columns == saliency_grid.IN_A_ROW
    classes = saliency_grid.compute(lenet, picture, methods[:3], [4, 8]).figure()
    assert classes.columns == 2
    assert "One scale for each row." in classes.note


def test_each_picture_and_each_model_has_its_own_predicted_class(lenet, lite):
    first, second = open_picture("fashion-mnist/0"), open_picture("fashion-mnist/1")
    grid = saliency_grid.compute(lenet, first, ["gradient"], second=second)
    assert [one.target.name for one in grid.rows[0]] == [lenet.predict(each)[0][0][0] for each in (first, second)]
    grid = saliency_grid.compute(lenet, first, ["grad_cam"], ["Bag"], layer="conv1", second_model=lite)
    assert [one.target.name for one in grid.rows[0]] == ["Bag", lite.predict(first)[0][0][0]], "no such class there"
    assert grid.rows[0][1].raw_map.shape == (7, 7), "layers are its own"
    same = saliency_grid.compute(lenet, first, ["gradient"], ["Bag"], second_model=lenet)
    assert [one.target.name for one in same.rows[0]] == ["Bag", "Bag"]


def test_methods_that_refuse_are_left_out_with_the_reason(lenet):
    picture = open_picture("fashion-mnist/1")
    grid = saliency_grid.compute(lenet, picture, ["guided_backprop", "gradient", "cam"])
    assert [row[0].method for row in grid.rows] == ["gradient"]
    assert list(grid.refused) == ["guided_backprop", "cam"]
    assert "Without Guided backprop: " in grid.figure().note
    assert "cam: CAM needs" in grid.summary
    with pytest.raises(NotSupported, match="CAM: "):
        saliency_grid.compute(lenet, picture, ["cam"])


def test_a_grid_has_an_end(lenet, lite):
    picture = open_picture("fashion-mnist/1")
    with pytest.raises(BadValue, match="110 maps; at most 100"):
        saliency_grid.compute(lenet, picture, ["gradient"] * 11, range(10))
    with pytest.raises(BadValue, match="one of them"):
        saliency_grid.compute(lenet, picture, ["gradient"], second=picture, second_model=lite)


def test_the_progress_of_a_grid_goes_on(lenet):
    seen = []
    picture = open_picture("fashion-mnist/1")
    methods = ["gradient", "smooth_grad", "grad_cam"]
    saliency_grid.compute(lenet, picture, methods, [1, 2], progress=lambda done, total, message: seen.append(done))
    assert seen == sorted(seen)
    assert 0 == seen[0] < seen[-1] <= 100


def made(classes=2, **weights):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))
    with torch.no_grad():
        for name, value in weights.items():
            getattr(net[4], name).fill_(value)
    return Model("made", net, Preprocess((12, 12), 12, (0.0,), (1.0,), 1), tuple("abcdefg"[:classes]))


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_picture_and_a_single_class_have_finite_maps(method):
    options = {"samples": 4} if "samples" in METHODS[method].options else {}
    for model in (made(), made(classes=1)):
        for value in (0, 128):
            result = saliency.compute(model, np.full((12, 12), value, np.uint8), method, **options)
            assert np.isfinite(result.heat).all()
            assert np.isfinite(result.figure().panels[1].image).all()


@pytest.mark.parametrize("method", ["gradient", "grad_cam", "rise"])
def test_weights_that_are_no_numbers_are_said(method):
    with pytest.raises(ExplainError, match="'made' gives scores that are not finite"):
        saliency.compute(made(weight=float("nan")), np.full((12, 12), 9, np.uint8), method)
    with pytest.raises(ExplainError, match="not finite"):
        made(bias=float("inf")).predict(np.full((12, 12), 9, np.uint8))


@pytest.mark.parametrize("method", METHODS)
def test_options_outside_their_range_are_named(method):
    for name, option in METHODS[method].options.items():
        if isinstance(option.bounds, Range):
            with pytest.raises(ExplainError, match=f"{name}=.* is outside"):
                saliency.compute(made(), np.zeros((12, 12), np.uint8), method, **{name: option.bounds.high * 2 + 1})


def test_a_channel_explained_is_checked_like_a_class():
    picture = np.full((12, 12), 90, np.uint8)
    assert saliency.compute(made(), picture, "gradient", 2, unit="0").target.name == "channel 2 of 0"
    with pytest.raises(ExplainError, match="Channel 3 of layer '0'"):
        saliency.compute(made(), picture, "gradient", 3, unit="0")
    with pytest.raises(ExplainError, match="comes after"):
        saliency.compute(made(), picture, "grad_cam", 1, layer="1", unit="0")


def test_a_channel_of_a_linear_layer_has_its_weights_as_gradient():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(300, 4))
    model = Model("linear", net, Preprocess((12, 12), 12, (0.0,), (1.0,), 1), tuple("abcd"))
    heat = saliency.compute(model, np.full((12, 12), 90, np.uint8), "gradient", 1, unit="0", reduce="signed").heat
    wanted = F.conv_transpose2d(torch.full((1, 1, 10, 10), 0.01), net[0].weight[1:2].detach())[0, 0]
    np.testing.assert_allclose(heat, wanted.numpy(), atol=1e-6)


def test_opacity_zero_leaves_the_picture_alone(lenet):
    result = saliency.compute(lenet, open_picture("fashion-mnist/1"))
    assert np.array_equal(result.figure(opacity=0).panels[2].image, result.crop)
