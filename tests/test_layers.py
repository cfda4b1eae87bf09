import itertools

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from explain.network.layers import scan


def built(name):
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return models.get_model(name, weights=None, **extra).eval()


# REQUIREMENTS.md B1, torchvision's networks at 3 x 224 x 224: parameters, MACs
B1 = {
    "alexnet": (61_100_840, 714_188_480),
    "googlenet": (6_624_904, 1_497_350_000),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet50": (25_557_032, 4_089_184_256),
    "densenet121": (7_978_856, 2_834_161_664),
}


@pytest.mark.parametrize("name", B1)
def test_parameters_and_macs_are_those_of_b1(name):
    layers = scan(built(name), torch.zeros(1, 3, 224, 224))
    parameters, macs = B1[name]
    assert sum(layer.parameters for layer in layers) == parameters
    assert sum(layer.macs for layer in layers) == pytest.approx(macs, rel=1e-3)


@pytest.mark.slow
def test_vgg16_layer_by_layer():
    layers = scan(built("vgg16"), torch.zeros(1, 3, 224, 224))
    convs = [layer for layer in layers if layer.kind == "Conv2d"]
    linear = [layer for layer in layers if layer.kind == "Linear"]
    without_bias = [layer.parameters - layer.channels for layer in convs]
    expected = [1728, 36864, 73728, 147456, 294912, 589824, 589824, 1179648, *[2359296] * 5]
    assert without_bias == expected
    assert [layer.parameters - layer.channels for layer in linear] == [102760448, 16777216, 4096000]
    assert sum(layer.parameters for layer in layers) == 138_357_544
    assert sum(layer.macs for layer in layers) == pytest.approx(15.470e9, rel=1e-3)
    pools = [layer for layer in layers if layer.kind == "MaxPool2d"]
    counted = [150528, *[layer.units for layer in layers if layer in convs + pools], 4096, 4096, 1000]
    assert sum(counted) == 15_237_608
    assert [layer.shape[1] for layer in pools] == [112, 56, 28, 14, 7]


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2", "shufflenet_v2_x1_0"])
def test_macs_equal_torchs_own_counter(name):
    net, batch = built(name), torch.zeros(1, 3, 96, 64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(batch)
    assert 2 * sum(layer.macs for layer in scan(net, batch)) == counter.get_total_flops()


def test_alexnets_shapes_and_receptive_fields():
    layers = {layer.name: layer for layer in scan(built("alexnet"), torch.zeros(1, 3, 224, 224))}
    convs = [layers[f"features.{i}"] for i in (0, 3, 6, 8, 10)]
    assert [layer.shape for layer in convs] == [
        (64, 55, 55),
        (192, 27, 27),
        (384, 13, 13),
        (256, 13, 13),
        (256, 13, 13),
    ]
    assert [layer.receptive_field for layer in convs] == [(n, n) for n in (11, 51, 99, 131, 163)]
    assert [layer.stride for layer in convs] == [(n, n) for n in (4, 8, 16, 16, 16)]


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "resnet18", "googlenet", "densenet121"])
def test_maps_never_grow_along_the_trunk(name):
    sizes = [layer.shape[1] for layer in scan(built(name), torch.zeros(1, 3, 224, 224)) if layer.spatial]
    assert all(a >= b for a, b in itertools.pairwise(sizes))


def test_a_reused_module_is_listed_once_a_call_and_counted_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()

        def forward(self, x):
            return self.act(self.conv(self.act(self.conv(x)))).mean((2, 3))

    layers = scan(Twice().eval(), torch.zeros(1, 3, 8, 8))
    assert [layer.name for layer in layers] == ["conv:0", "act:0", "conv:1", "act:1"]
    assert [layer.parameters for layer in layers] == [84, 0, 0, 0]
    assert [layer.macs for layer in layers] == [81 * 64, 0, 81 * 64, 0]


def test_transposed_convolutions_are_counted_by_their_input():
    net = nn.Sequential(nn.ConvTranspose2d(3, 5, 4, stride=2), nn.Flatten(), nn.Linear(5 * 18 * 18, 2)).eval()
    batch = torch.zeros(1, 3, 8, 8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(batch)
    assert 2 * sum(layer.macs for layer in scan(net, batch)) == counter.get_total_flops()
