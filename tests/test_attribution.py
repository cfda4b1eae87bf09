import pytest
import torch
from captum.attr import LayerGradCam, Saliency
from torch import nn
from torchvision import models

from explain.attribution import METHODS
from explain.errors import ExplainError, NotSupported

ENDS = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
"""Black and white of nets that take pictures as they are."""


@pytest.fixture
def tiny():
    """A small smooth net in float64, for finite differences."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 3)
    return nn.Sequential(*layers).double().eval().requires_grad_(False)


@pytest.fixture
def picture():
    return torch.randn(2, 3, 6, 6, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def test_gradient_equals_central_differences(tiny, picture):
    target, step = torch.tensor([1, 2]), 1e-5
    expected = torch.zeros(2, 3, 6, 6, dtype=torch.double)
    for place in torch.cartesian_prod(torch.arange(3), torch.arange(6), torch.arange(6)).tolist():
        nudge = torch.zeros_like(picture)
        nudge[:, place[0], place[1], place[2]] = step
        slope = (tiny(picture + nudge) - tiny(picture - nudge)) / (2 * step)
        expected[:, place[0], place[1], place[2]] = slope.gather(1, target[:, None])[:, 0]
    entry = METHODS["gradient"]
    assert torch.allclose(entry(tiny, "0", picture, target, ENDS), expected.abs().amax(1), atol=1e-8)
    assert torch.allclose(entry(tiny, "0", picture, target, ENDS, reduce="sum"), expected.abs().sum(1), atol=1e-8)
    signed = entry(tiny, "0", picture, target, ENDS, reduce="signed")
    assert torch.allclose(signed.abs(), expected.abs().amax(1), atol=1e-8)
    assert torch.allclose(
        signed, torch.where(expected.amax(1) >= -expected.amin(1), expected.amax(1), expected.amin(1))
    )


def test_gradient_of_a_linear_net_is_its_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 25, 4)).eval()
    heat = METHODS["gradient"](net, "1", torch.randn(1, 3, 5, 5), torch.tensor([2]), ENDS)
    assert torch.equal(heat[0], net[1].weight[2].view(3, 5, 5).abs().amax(0))


@pytest.mark.parametrize(
    ("name", "layer"),
    [("alexnet", "features.11"), ("resnet18", "layer4"), ("densenet121", "features"), ("vgg11", "features.18")],
)
def test_both_methods_agree_with_captum(name, layer):
    torch.manual_seed(0)
    net = models.get_model(name, weights=None).eval().requires_grad_(False)
    batch, target = torch.randn(2, 3, 96, 64), torch.tensor([3, 700])
    oracle = Saliency(net).attribute(batch.clone().requires_grad_(), target, abs=True).amax(1)
    assert torch.allclose(METHODS["gradient"](net, layer, batch, target, ENDS), oracle, atol=1e-7)
    ours = METHODS["grad_cam"](net, layer, batch, target, ENDS)
    for module in net.modules():  # captum reads what a following in-place layer has overwritten
        if hasattr(module, "inplace"):
            module.inplace = False
    oracle = LayerGradCam(net, net.get_submodule(layer)).attribute(
        batch.requires_grad_(), target, relu_attributions=True
    )
    assert torch.allclose(ours, oracle[:, 0], atol=1e-6 * float(oracle.detach().abs().max() + 1))
    assert ours.min() >= 0
    assert ours.shape[1:] == oracle.shape[2:]


def test_a_map_is_for_the_class_asked_for(tiny, picture):
    maps = [METHODS["gradient"](tiny, "0", picture, torch.tensor([c, c]), ENDS) for c in range(3)]
    assert not torch.allclose(maps[0], maps[1])
    together = METHODS["gradient"](tiny, "0", picture, torch.tensor([0, 2]), ENDS)
    assert torch.allclose(together[0], maps[0][0])
    assert torch.allclose(together[1], maps[2][1])


def test_grad_cam_refuses_a_layer_without_maps():
    net = models.resnet18(weights=None).eval()
    with pytest.raises(NotSupported, match="fc"):
        METHODS["grad_cam"](net, "fc", torch.randn(1, 3, 64, 64), torch.tensor([1]), ENDS)


@pytest.mark.parametrize("options", [{"reduce": "mean"}, {"redce": "max"}, {"reduce": 3}])
def test_wrong_options_are_named(options):
    with pytest.raises(ExplainError, match=r"max|redce"):
        METHODS["gradient"].check(options)
