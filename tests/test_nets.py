"""nets: the shapes and parameter counts that the lectures name."""

import numpy as np
import pytest
import torch
from torch import nn

from explain.errors import BadValue, NotSupported
from explain.nets import NETS
from explain.views import anatomy, filters, saliency
from explain.zoo import load_model


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("lenet", {}, 61_706),
        ("mlp", {}, 784 * 128 + 128 + 128 * 10 + 10),
        ("mlp", {"fc1": 0}, 784 * 10 + 10),
        ("mlp", {"fc1": 0, "fc2": 7}, 784 * 7 + 7 + 7 * 10 + 10),
        ("mlp", {"channels": 3, "size": 32, "fc2": 64}, 3072 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10),
    ],
    ids=str,
)
def test_parameters(name, options, count):
    net = NETS[name](**options)
    assert sum(p.numel() for p in net.parameters()) == count
    side = options.get("size", 28)
    assert net(torch.rand(2, options.get("channels", 1), side, side)).shape == (2, 10)


def test_first_layer_of_the_mlp():
    """M26: 32 x 32 x 3 x 128 weights."""
    assert NETS["mlp"](channels=3, size=32).fc1.weight.numel() == 393_216


@pytest.mark.parametrize("kind", ["sigmoid", "relu", "tanh"])
def test_activation_between_layers_only(kind):
    kinds = [type(m).__name__.lower() for m in NETS["mlp"](fc2=5, activation=kind)]
    assert kinds == ["flatten", "linear", kind, "linear", kind, "linear"]


def test_bad_size():
    with pytest.raises(BadValue, match="size=0"):
        NETS["mlp"](size=0)


@pytest.mark.parametrize("name", list(NETS))
def test_views(name):
    """Every architecture loads, predicts, and is looked into: saliency by gradient and the first layer."""
    model = load_model(name, device="cpu")
    picture = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    assert len(model.predict(picture, k=3)[0]) == 3
    assert anatomy.compute(model).figure()
    assert saliency.compute(model, picture, "gradient").heat.any()
    assert filters.compute(model).looks_at_pixels


def test_mlp_has_no_maps():
    model = load_model("mlp", device="cpu")
    with pytest.raises(NotSupported, match="'mlp' has no convolution"):
        _ = model.last_maps
    with pytest.raises(NotSupported, match="'fc2'"):
        saliency.compute(model, np.zeros((28, 28), np.uint8), "grad_cam")
    with pytest.raises(NotSupported, match=r"'fc2'.*looks at features"):
        filters.compute(model, "fc2")
    assert filters.compute(model).tiles.shape == (128, 1, 28, 28)


def test_seeded():
    """The same random weights every time, whatever the global generator did."""
    first = load_model("mlp", device="cpu").digest
    nn.init.normal_(torch.empty(3))
    assert load_model("mlp", device="cpu").digest == first
