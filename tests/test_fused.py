"""The private copy made fast: it and the network it was made of agree on pictures that neither was tried on."""

import copy

import numpy as np
import pytest
import torch
from near import is_peak
from torch import nn
from torch.nn import functional as F

from explain import load_model
from explain.index.build import default_layers
from explain.index.fused import fuse, pad_within
from explain.index.responses import respond
from explain.network.trace import calls

SIZE = (3, 13, 10)


def conv(given=3, out=6, **options):
    return nn.Conv2d(given, out, 3, padding=1, **options)


def norm(channels=6, **options):
    """A batch norm that has seen data: some of its scales below zero."""
    one = nn.BatchNorm2d(channels, **options)
    one.running_mean, one.running_var = torch.randn(channels), torch.rand(channels) + 0.1
    if one.affine:
        nn.init.normal_(one.weight)
        nn.init.normal_(one.bias)
    return one


class Block(nn.Module):
    def __init__(self, use):
        super().__init__()
        self.conv, self.norm, self.act, self.end = conv(), norm(), nn.ReLU(), conv(6, 4)
        self.use = use

    def forward(self, x):
        return self.use(self, x).mean((2, 3))


def raw_used_twice(net, x):
    x = net.conv(x)
    return net.end(net.act(net.norm(x)) + 0.1 * x)


def normed_used_twice(net, x):
    x = net.norm(net.conv(x))
    return net.end(net.act(x) + x.tanh())


def rectifier_shared(net, x):
    return net.act(net.end(net.act(net.norm(net.conv(x)))))


def functional(net, x):
    return net.end(F.relu(net.norm(net.conv(x))))


def twice_convolved(net, x):
    return net.end(net.act(net.norm(net.conv(x) + net.conv(x.flip(3)))))


class Pooled(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


# The net, the layers asked for, and the layers whose tail may be taken over, with the clips they come to.
NETS = {
    "plain": (lambda: nn.Sequential(conv(), norm(), nn.ReLU(), conv(6, 4), Pooled()), ["0", "3"], {"0": 0.0}),
    "in place": (lambda: nn.Sequential(conv(), norm(), nn.ReLU6(inplace=True), conv(6, 4), Pooled()), ["0"], {"0": 0}),
    "no norm": (lambda: nn.Sequential(conv(), nn.Hardtanh(-0.1, 0.2), conv(6, 4), Pooled()), ["0", "2"], {"0": -0.1}),
    "no scale": (lambda: nn.Sequential(conv(), norm(affine=False), nn.Tanh(), Pooled()), ["0"], {"0": -np.inf}),
    "two clips": (lambda: nn.Sequential(conv(), nn.ReLU(), nn.ReLU6(), Pooled()), ["0"], {"0": 0.0}),
    "norm asked for": (lambda: nn.Sequential(conv(), norm(), nn.ReLU(), Pooled()), ["0", "1"], {"1": 0.0}),
    "rectifier asked for": (lambda: nn.Sequential(conv(), norm(), nn.ReLU(), Pooled()), ["0", "2"], {"0": -np.inf}),
    "raw used twice": (lambda: Block(raw_used_twice), ["conv", "end"], {}),
    "normed used twice": (lambda: Block(normed_used_twice), ["conv", "end"], {"conv": -np.inf}),
    "rectifier shared": (lambda: Block(rectifier_shared), ["conv", "end"], {"conv": -np.inf}),
    "functional": (lambda: Block(functional), ["conv", "end"], {"conv": -np.inf}),
    "twice convolved": (lambda: Block(twice_convolved), ["conv:0", "conv:1", "end"], {}),
}


def responses(net, layers, batch, tails):
    """Of each call: its responses, and the maps that they were found in."""
    found = {}

    def seen(name, call, output):
        maps = output.clone()  # a tail overwrites them
        found[name, call] = respond(output, tail=tails.get(name)), maps

    with torch.inference_mode(), calls(net, {name.partition(":")[0] for name in layers}, seen):
        seen("", 0, net(batch))
    return found


def agree(net, private, layers, tails, batch):
    one, other = responses(net, layers, batch, {}), responses(private, layers, batch, tails)
    assert one.keys() == other.keys()
    for key, (wanted, maps) in one.items():
        found, _ = other[key]
        for name in ("peak", "least", "total", "squares"):
            mine, theirs = getattr(wanted, name), getattr(found, name)
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4 * max(1, abs(mine).max()), err_msg=str(key))
        maps = maps if maps.dim() == 4 else maps[:, :, None, None]
        for n, c in np.ndindex(wanted.peak.shape):  # by value: which of two near-ties is the first is rounding
            assert is_peak(maps[n, c], (found.row[n, c], found.column[n, c]), 1e-4), (key, n, c)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_what_may_be_taken_over_is_and_nothing_else(name, layout):
    make, layers, clips = NETS[name]
    torch.manual_seed(1)
    net = make().eval()
    private = copy.deepcopy(net).to(memory_format=layout)
    before = copy.deepcopy(private.state_dict())
    tails = fuse(private, layers, SIZE)
    assert {layer: tail.floor for layer, tail in tails.items()} == pytest.approx(clips)
    for key, value in private.state_dict().items():
        assert torch.equal(value, before[key]), key
    if not tails:
        assert not any("forward" in vars(module) for module in private.modules())
    batch = torch.randn(5, *SIZE, generator=torch.Generator().manual_seed(7))
    for given in (batch, batch.contiguous(memory_format=torch.channels_last)):
        agree(net, private, layers, tails, given)


@pytest.mark.parametrize(
    "name", ["efficientnet-lite0", "torchvision:resnet18?weights=random", "torchvision:densenet121?weights=random"]
)
def test_whole_networks_agree_and_most_batch_norms_are_gone(name):
    model = load_model(name)
    layers = default_layers(model)
    size = (model.preprocess.channels, *model.preprocess.size)
    with model.exclusive() as net:
        private = copy.deepcopy(net).to(memory_format=torch.channels_last)
    pad_within(private, size)
    tails = fuse(private, layers, size)
    norms = [module for module in private.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum("forward" in vars(module) for module in norms) == len(tails) >= len(norms) / 3
    batch = torch.randn(2, *size, generator=torch.Generator().manual_seed(3))
    with model.exclusive() as net:
        agree(net, private, layers, tails, batch.contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, (2, 1), 3])
@pytest.mark.parametrize("side", [(12, 12), (13, 12), (7, 9)])
def test_tensorflows_padding_goes_into_the_kernel(kernel, stride, side):
    layers = pytest.importorskip("timm.layers")
    net = nn.Sequential(layers.Conv2dSame(4, 4, kernel, stride=stride, groups=2)).eval()
    private = copy.deepcopy(net)
    pad_within(private, (4, *side))
    assert "forward" in vars(private[0])
    batch = torch.randn(3, 4, *side)
    with torch.no_grad():
        torch.testing.assert_close(private(batch), net(batch))


def test_a_convolution_that_does_something_else_is_left_alone():
    class Scaled(nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x)

    net = nn.Sequential(Scaled(3, 4, 3, stride=2)).eval()
    pad_within(net, SIZE)
    assert "forward" not in vars(net[0])
