"""Every saliency method on every kind of network: a map that keeps the contract, or a refusal with its reason.

`PYTHONPATH=tests python -m tests.test_contract` prints the matrix.
"""

import copy
import functools
import itertools
import math

import numpy as np
import pytest
import torch
from near import alike
from torch import nn
from torch.nn import functional as F
from torchvision import models
from torchvision.models.vgg import make_layers

from explain import memory
from explain.attribution import METHODS
from explain.attribution.target import layer_for
from explain.errors import NotSupported
from explain.network.model import Model, Preprocess
from explain.network.zoo import load_model
from explain.views import saliency

SIDE = 64


class Functional(nn.Module):
    """Rectifiers and pooling as functions, which hooks on modules miss."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return self.fc(torch.relu(self.conv2(x)).mean((2, 3)))


class Reusing(nn.Module):
    """One rectifier, one convolution and one pooling called twice, in place."""

    def __init__(self):
        super().__init__()
        self.first, self.conv, self.relu = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True)
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(8, 4)

    def forward(self, x):
        x = self.pool(self.relu(self.first(x)))
        x = self.pool(self.relu(self.conv(x)))
        x += 0.1
        return self.fc(self.relu(self.conv(x)).mean((2, 3)))


class Two(nn.Module):
    """Two outputs, of which the first has as many numbers as there are classes."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, x):
        x = self.conv(x).relu().mean((2, 3))
        return self.fc(x), x


OWN = {"functional": Functional, "reusing": Reusing, "frozen": Functional, "two outputs": Two}
# With the layers of published networks, fewer and narrower: float64 convolves depthwise channel by channel.
SLIM = {
    "slim vgg11": lambda: models.VGG(make_layers([8, "M", 16, "M", 32, 32, "M", 32, "M"]), init_weights=False),
    "slim densenet121": lambda: models.DenseNet(8, (2, 2, 2, 2), 16),
    "slim mobilenet_v2": lambda: models.mobilenet_v2(
        width_mult=0.25, inverted_residual_setting=[[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 2, 2]]
    ),
    "slim shufflenet_v2": lambda: models.ShuffleNetV2([2, 2, 2], [24, 16, 32, 64, 64]),
    "slim efficientnet-lite0": lambda: _three_stages(),
}
WHOLE = ("vgg11", "densenet121", "mobilenet_v2", "shufflenet_v2_x1_0", "efficientnet-lite0")
PUBLIC = ("alexnet", "googlenet", "resnet18")
NAMES = (*PUBLIC, *WHOLE, *SLIM, "lenet", *OWN)


@functools.cache
def model_of(name):
    if name == "lenet":
        return load_model("lenet-fashion-mnist")
    prepare = Preprocess((SIDE, SIDE), SIDE, (0.45, 0.45, 0.4), (0.25, 0.25, 0.25))
    if name == "efficientnet-lite0":
        trained = load_model(name)
        with trained.exclusive() as net:  # on smaller pictures than it was trained with, to be done in time
            return Model(name, copy.deepcopy(net), prepare, trained.classes)
    torch.manual_seed(0)
    net = OWN[name]() if name in OWN else _public(name)
    if name == "frozen":
        net.requires_grad_(False)
    return Model(name, net.eval(), prepare, tuple("abcd") if name in OWN else tuple(map(str, range(1000))))


@functools.cache
def exact(name):
    """In float64: otherwise rounding opens and closes single rectifiers."""
    model = model_of(name)
    with model.exclusive() as net:
        return Model(name, copy.deepcopy(net).double(), model.preprocess, model.classes)


def _three_stages():
    with load_model("efficientnet-lite0").exclusive() as trained:
        net = copy.deepcopy(trained)
    net.blocks = net.blocks[:3]
    net.conv_head, net.bn2 = nn.Conv2d(40, 64, 1, bias=False), type(net.bn2)(64, act_layer=nn.ReLU6)
    net.classifier = nn.Linear(64, 1000)
    return net


def _public(name):
    more = {"init_weights": False} if name == "googlenet" else {}
    net = SLIM[name]() if name in SLIM else models.get_model(name, weights=None, **more)
    if name.endswith(("alexnet", "vgg11")):  # nearly all of their weights are in layers that change nothing here
        maps = [layer for layer in net.features if isinstance(layer, nn.Conv2d)][-1].out_channels
        wide = [k for k, layer in enumerate(net.classifier) if isinstance(layer, nn.Linear)]
        last = maps * math.prod(net.avgpool.output_size)
        for k, (into, out) in zip(wide, [(last, 64), (64, 64), (64, 1000)], strict=True):
            net.classifier[k] = nn.Linear(into, out)
    return net


# The fewest steps that a method still works with: what is tested here is not how good its map is.
# What keeps only evidence for the class has an empty map where there is none.
EMPTY = ("grad_cam", "hires_cam", "layer_cam", "xgrad_cam", "guided_grad_cam", "ablation_cam")
QUICK = {
    "steps": 3,
    "samples": 4,
    "segments": 4,
    "window": 20,
    "stride": 20,
}
MIXED = "CAM needs a network that averages its last maps"
REFUSED = {
    ("cam", "alexnet"): MIXED,
    ("cam", "vgg11"): MIXED,
    ("cam", "slim vgg11"): MIXED,
    ("cam", "lenet"): MIXED,
    ("guided_backprop", "lenet"): "Sigmoid",
    ("deconvnet", "lenet"): "Sigmoid",
    ("guided_grad_cam", "lenet"): "Sigmoid",
}


def options_of(method):
    return {name: value for name, value in QUICK.items() if name in METHODS[method].options}


def picture():
    rng = np.random.default_rng(0)
    blobs = rng.integers(0, 255, (6, 6, 3), np.uint8)
    return np.kron(blobs, np.ones((16, 16, 1), np.uint8))


def place_of(method, model):
    """Where a method looks: by default; those that make a pass for each channel look where these are fewest."""
    if method in ("score_cam", "ablation_cam"):
        return min((layer for layer in model.layers if layer.spatial), key=lambda layer: layer.channels).name
    return layer_for(model, None)


def asked(method, name):
    """The map, or why there is none."""
    try:
        model = model_of(name)
        place = place_of(method, model) if METHODS[method].takes("layer") else None
        return saliency.compute(model, picture(), method, 2, place, **options_of(method))
    except NotSupported as error:
        return str(error)


outcome = functools.cache(asked)


def cases(is_late, without=()):
    """Every method on every network; those that are late, as they take minutes, only with --all."""
    pairs = [pair for pair in itertools.product(METHODS, NAMES) if pair not in without]
    return [pytest.param(*pair, marks=[pytest.mark.exhaustive] if is_late(*pair) else []) for pair in pairs]


@pytest.mark.parametrize(("method", "name"), cases(lambda method, name: name in ("vgg11", "densenet121")))
def test_a_map_or_a_refusal(method, name):
    model, found = model_of(name), outcome(method, name)
    if isinstance(found, str):
        assert REFUSED.get((method, name), "no refusal expected") in found
        return
    assert (method, name) not in REFUSED
    assert found.heat.shape == model.preprocess.size
    assert np.isfinite(found.heat).all()
    assert np.ptp(found.heat) > 0 or method in EMPTY


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_it_is_good_for_and_gives_the_same_again(method):
    assert METHODS[method].summary
    assert METHODS[method].caveat
    assert alike(asked(method, "reusing").heat, outcome(method, "reusing").heat)


@pytest.mark.parametrize("free", [1 << 40, 0], ids=["plenty", "none"])
@pytest.mark.parametrize(
    "method", [name for name in METHODS if METHODS[name].slow or "samples" in METHODS[name].options]
)
def test_the_same_map_whatever_memory_is_free(method, free, monkeypatch):
    """Memory says how many inputs go through at a time, and so in which order slopes and scores are added up."""
    monkeypatch.setattr(memory, "free", lambda: free)
    assert alike(asked(method, "reusing").heat, outcome(method, "reusing").heat)


SMALL = ("lenet", *OWN)


@pytest.mark.parametrize(
    ("method", "name"),
    cases(lambda method, name: name in WHOLE or (METHODS[method].slow and name in ("alexnet", "googlenet")), REFUSED),
)
def test_the_contract(method, name):
    """Alone or among others, in place or not, also in inference mode; and the network as it was found."""
    model = exact(name)
    layer = place_of(method, model_of(name))
    with model.exclusive() as net:
        generator = torch.Generator().manual_seed(1)
        count = 8 if name in SMALL else 2 if METHODS[method].slow else 3
        # A picture's worth of correlation: on plain noise all maps of a random net are alike.
        coarse = torch.randn(count, model.preprocess.channels, 8, 8, generator=generator)
        smaller = name in WHOLE or (METHODS[method].slow and name == "resnet18")
        side = SIDE // 2 if smaller else model.preprocess.size
        batch = F.interpolate(coarse, side, mode="bicubic").double().to(model.device)
        input_range = tuple(end.double() for end in model.input_range)
        target = torch.arange(count) % len(model.classes)
        before = _state(net)

        def ask(net, some):
            with torch.inference_mode():
                return METHODS[method](net, layer, batch[some], target[some], input_range, **options_of(method))

        many = ask(net, slice(0, count))
        one = ask(net, slice(1, 2))
        assert _state(net) == before
        size = float(many.abs().amax())
        torch.testing.assert_close(one[0], many[1], rtol=1e-4, atol=1e-5 * size)
        if not any(getattr(module, "inplace", False) for module in net.modules()):
            return
        plain = copy.deepcopy(net)
        for module in plain.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
        torch.testing.assert_close(ask(plain, slice(1, 2)), one, rtol=1e-4, atol=1e-5 * size)


def _state(net):
    """What a method has to leave as it is."""
    hooks = [len(table) for module in net.modules() for key, table in vars(module).items() if key.endswith("_hooks")]
    modes = [module.training for module in net.modules()]
    sums = [float(value.double().sum()) for value in net.state_dict().values()]
    grads = [(parameter.requires_grad, parameter.grad is None) for parameter in net.parameters()]
    return hooks, modes, sums, grads


if __name__ == "__main__":
    print("| method |", " | ".join(NAMES), "|")
    print("|---" * (len(NAMES) + 1) + "|")
    for method in METHODS:
        found = [asked(method, name) for name in NAMES]
        print(f"| {method} |", " | ".join("no" if isinstance(one, str) else "map" for one in found), "|")
