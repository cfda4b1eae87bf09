"""nets: the shapes and parameter counts that the lectures name."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from explain.errors import BadValue, NotSupported, Unknown
from explain.nets import NETS, vgg_block
from explain.nets.densenet import DenseBlock, transition
from explain.nets.googlenet import Inception, NaiveInception
from explain.nets.layers import IntraChannelNorm, L2Pool2d, LocallyConnected2d
from explain.nets.resnet import Padding, Residual
from explain.network.layers import scan
from explain.network.zoo import load_model, save_model
from explain.views import anatomy, filters, saliency


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


SMALL = {"vgg": "ratio=16&size=32&units=32", "alexnet": "size=67", "zfnet": "size=64", "overfeat": "size=103"}
SMALL |= dict.fromkeys(("googlenet", "resnet", "densenet"), "size=64")


@pytest.mark.parametrize("name", list(NETS))
def test_views(name):
    """Every architecture loads, predicts, and is looked into: its layers, saliency by gradient, the first filters."""
    model = load_model(f"{name}?classes=10&{SMALL.get(name, '')}", device="cpu")
    size = (*model.preprocess.size, 3) if model.preprocess.channels == 3 else model.preprocess.size
    picture = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    assert len(model.predict(picture, k=3)[0]) == 3
    assert anatomy.compute(model).figure().table["layer"]
    assert saliency.compute(model, picture, "gradient").heat.any()
    assert filters.compute(model).looks_at_pixels


@pytest.mark.parametrize("name", list(NETS))
def test_every_architecture_says_what_it_takes_and_gives(name):
    options = NETS[name].options
    assert {"channels", "classes", "size"} <= options.keys()
    assert NETS[name].summary.endswith(".")


def counts(net):
    return sum(parameter.numel() for parameter in net.parameters())


def same_as(net, other, side=224):
    """The same parameters, and the same multiply-accumulates."""
    assert counts(net) == counts(other)
    picture = torch.zeros(1, 3, side, side, device="meta")
    ours, theirs = (sum(layer.macs for layer in scan(each.eval(), picture, fields=False)) for each in (net, other))
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        *[("vgg", {"config": config}, f"vgg{depth}") for config, depth in (("A", 11), ("B", 13), ("D", 16), ("E", 19))],
        *[("resnet", {"depth": depth}, f"resnet{depth}") for depth in (18, 34, 50, 101, 152)],
        *[("densenet", {"depth": depth}, f"densenet{depth}") for depth in (121, 169, 201)],
        ("alexnet", {"form": "torchvision", "size": 224}, "alexnet"),
    ],
)
def test_it_costs_what_torchvisions_does(name, options, theirs):
    with torch.device("meta"):  # costs need no weights
        same_as(NETS[name](**options), getattr(models, theirs)(weights=None))


def test_it_gives_what_torchvisions_does():
    """With the same weights, in the order in which both have them, the same scores."""
    for name, options, theirs in (
        ("resnet", {"depth": 18}, models.resnet18),
        ("resnet", {"depth": 50}, models.resnet50),
        ("vgg", {"config": "A"}, models.vgg11),
        ("alexnet", {"form": "torchvision", "size": 224}, models.alexnet),
        ("densenet", {"depth": 121}, models.densenet121),
    ):
        oracle = theirs(weights=None).eval()
        with torch.device("meta"):  # it is given theirs
            net = NETS[name](**options).eval()
        values = list(oracle.state_dict().values())
        assert [value.shape for value in values] == [value.shape for value in net.state_dict().values()]
        net.load_state_dict(dict(zip(net.state_dict(), values, strict=True)), assign=True)
        picture = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(net(picture), oracle(picture), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("depth", "thousands"), [(20, 270), (32, 460), (44, 660), (56, 850), (110, 1_700), (1202, 19_400)]
)
def test_residual_networks_for_small_pictures(depth, thousands):
    """He et al. 2016, table 6, in thousands as printed there."""
    with torch.device("meta"):
        net = NETS["resnet_cifar"](depth=depth)
    assert counts(net) == pytest.approx(1000 * thousands, rel=0.02)
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) + 1 == depth


def test_depth_of_another_form_is_refused():
    with pytest.raises(BadValue, match="depth=21 is not of the form 6 n"):
        NETS["resnet_cifar"](depth=21)


def kinds(net, kind):
    return [module for module in net.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("name", ["resnet", "resnet_cifar"])
def test_plain_networks_have_the_same_convolutions_and_no_shortcuts(name):
    """M23: without shortcuts, and M21: with projections exactly where channels or stride change."""
    plain, projected = NETS[name](shortcut="none"), NETS[name](shortcut="projection")
    padded = NETS[name](shortcut="padding")
    changes = {"resnet": 3, "resnet_cifar": 2}[name]
    assert len(kinds(projected, nn.Conv2d)) == len(kinds(plain, nn.Conv2d)) + changes
    assert all(module.shortcut is None for module in kinds(plain, Residual))
    assert len(kinds(padded, Padding)) == changes
    assert counts(padded) == counts(plain) < counts(projected)
    blocks = kinds(projected, Residual)
    assert sum(isinstance(block.shortcut, nn.Sequential) for block in blocks) == changes


def test_a_residual_block_adds_its_input():
    block = Residual(4, 4).eval()
    for norm in kinds(block, nn.BatchNorm2d):
        nn.init.zeros_(norm.weight)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(block(x), x.relu())
    before = Residual(4, 4, order="before").eval()
    nn.init.zeros_(before.conv2.weight)
    assert torch.equal(before(x), x), "the way around is free of everything"


def test_norms_before_convolutions_cost_the_same():
    """M22: the same parameters up to the last batch norm, which the stem's batch norm moves to."""
    after, before = (counts(NETS["resnet_cifar"](order=order, shortcut="padding")) for order in ("after", "before"))
    # Before the first convolution of a stage there are as many channels as the stage before has.
    assert before - after == 2 * (64 - 16) - 2 * (16 + 32)


def test_a_stage_at_full_size_can_be_left_out():
    """The other stages are the same, and the first of them halves the picture from the stem on."""
    with_it, without = (NETS["resnet_cifar"](depth=8, width=32, channels=1, full=full) for full in (True, False))
    assert counts(with_it) - counts(without) == counts(with_it.layer1) == 2 * (9 * 32 * 32 + 2 * 32)
    x = without.stem(torch.rand(1, 1, 28, 28))
    assert [x.shape[1:], (x := without.layer1(x)).shape[1:], without.layer2(x).shape[1:]] == [
        (32, 28, 28), (64, 14, 14), (128, 7, 7),
    ]  # fmt: skip


def test_padding_is_a_shortcut_without_parameters():
    x = torch.randn(1, 2, 4, 4)
    assert torch.equal(Padding(2, 5, 2)(x), torch.cat([x[:, :, ::2, ::2], torch.zeros(1, 3, 2, 2)], 1))


def test_vgg_block_halves():
    """M11: the lecture's signature."""
    block = vgg_block(3, 4, 8)
    assert [type(module).__name__ for module in block] == ["Conv2d", "ReLU"] * 3 + ["MaxPool2d"]
    assert block(torch.rand(1, 4, 12, 10)).shape == (1, 8, 6, 5)
    with torch.device("meta"):  # counts need no weights
        c, lrn, a = (NETS["vgg"](config=config) for config in ("C", "A-LRN", "A"))
    assert counts(c) == 133_638_952
    assert len(kinds(lrn, nn.LocalResponseNorm)) == 1
    assert counts(lrn) == counts(a)


def test_inception_joins_its_branches():
    """M14 to M16, and the block's variants."""
    x = torch.rand(1, 192, 28, 28)
    block = Inception(192, 64, (96, 128), (16, 32), 32)
    assert block(x).shape == (1, 256, 28, 28)
    parts = [block.branch1(x), block.branch3(x), block.branch5(x), block.branch_pool(x)]
    assert torch.equal(block(x), torch.cat(parts, 1))
    assert [part.shape[1] for part in parts] == [64, 128, 32, 32]
    assert NaiveInception(256, 128, 192, 96)(torch.rand(1, 256, 28, 28)).shape == (1, 672, 28, 28)
    residual = Inception(192, 64, (96, 64), (16, 32), 32, residual=True)
    assert isinstance(residual.shortcut, nn.Identity)
    smaller = Inception(192, 64, (96, 128), (16, 32), 32, factorised=True)
    windows = {conv.kernel_size for conv in kinds(smaller, nn.Conv2d)}
    assert windows == {(1, 1), (1, 3), (3, 1), (3, 3)}
    assert smaller(x).shape == (1, 256, 28, 28)
    assert counts(smaller) < counts(block)


def test_auxiliary_heads_speak_in_training_only():
    net = NETS["googlenet"](classes=7, auxiliary=True, channels=1)
    x = torch.rand(2, 1, 64, 64)
    assert [scores.shape for scores in net.train()(x)] == [(2, 7)] * 3
    assert net.eval()(x).shape == (2, 7)
    norms = {kind: len(kinds(NETS["googlenet"](norm="batch"), kind)) for kind in (nn.BatchNorm2d, nn.LocalResponseNorm)}
    assert norms == {nn.BatchNorm2d: 57, nn.LocalResponseNorm: 0}


def test_dense_blocks_keep_what_they_were_given():
    """M25: k0 + l k channels, and a transition that halves channels and size."""
    x = torch.rand(1, 10, 8, 8)
    y = DenseBlock(3, 10, 4).eval()(x)
    assert y.shape == (1, 22, 8, 8)
    assert torch.equal(y[:, :10], x)
    assert transition(22).eval()(y).shape == (1, 11, 4, 4)


def test_the_grammar_builds_or_refuses():
    """M29."""
    net = NETS["layered"](convs=2, blocks=3, hidden=2, size=32)
    found = [type(module).__name__ for module in net]
    assert found == [*(["Conv2d", "ReLU"] * 2 + ["MaxPool2d"]) * 3, "Flatten", *["Linear", "ReLU"] * 2, "Linear"]
    assert net(torch.rand(1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(BadValue, match="size=30 does not fit: 2 poolings need a multiple of 4"):
        NETS["layered"](size=30)
    with pytest.raises(BadValue, match="convs=6"):
        NETS["layered"](convs=6)


def test_demo_networks():
    """M27: 28 to 24 to 12; M28: weights as the slide counts them."""
    net = NETS["practical"]()
    assert net.conv(torch.rand(1, 1, 28, 28)).shape == (1, 20, 24, 24)
    assert net.pool(torch.rand(1, 20, 24, 24)).shape == (1, 20, 12, 12)
    convs = kinds(NETS["convnetjs"](), nn.Conv2d)
    assert [conv.weight.numel() for conv in convs] == [2_352, 15_680, 19_600]


def test_l2_pooling():
    """L07: torch's own, and a gradient where a window is all zero."""
    x = torch.randn(2, 3, 8, 6)
    torch.testing.assert_close(L2Pool2d(2)(x), nn.LPPool2d(2, 2)(x))
    zero = torch.zeros(1, 1, 2, 2, requires_grad=True)
    L2Pool2d(2)(zero).sum().backward()
    assert torch.equal(zero.grad, torch.zeros(1, 1, 2, 2))
    for kind in (L2Pool2d(2), nn.MaxPool2d(2), nn.AvgPool2d(2)):
        assert counts(kind) == 0


def test_response_normalisation_within_a_channel():
    """L10: the formula, place by place."""
    x = torch.randn(1, 2, 5, 6) * 20
    found, n = IntraChannelNorm(3)(x), 1
    for channel, i, j in np.ndindex(2, 5, 6):
        window = x[0, channel, max(0, i - n) : i + n + 1, max(0, j - n) : j + n + 1]
        expected = x[0, channel, i, j] / (2 + 1e-4 * (window**2).sum()) ** 0.75
        assert float(found[0, channel, i, j]) == pytest.approx(float(expected), rel=1e-5)


def test_weights_that_are_not_shared():
    """M30: K x OH x OW x F x F x C of them; as one masked matrix."""
    layer = LocallyConnected2d(2, 3, (5, 6), 3)
    assert layer.weight.numel() == 3 * 3 * 4 * 3 * 3 * 2
    x = torch.randn(4, 2, 5, 6)
    matrix = torch.zeros(3 * 3 * 4, 2 * 5 * 6)
    for k, i, j in np.ndindex(3, 3, 4):
        mask = torch.zeros(2, 5, 6)
        mask[:, i : i + 3, j : j + 3] = layer.weight[k, i, j].detach().view(2, 3, 3)
        matrix[(k * 3 + i) * 4 + j] = mask.flatten()
    torch.testing.assert_close(layer(x).flatten(1), x.flatten(1) @ matrix.T)
    shared = nn.Conv2d(2, 3, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(shared.weight.flatten(1)[:, None, None].expand_as(layer.weight))
    torch.testing.assert_close(layer(x), shared(x))


@pytest.mark.parametrize("changes", [{"window": 3, "padding": 1}, {"conv3": 24}, {"fc2": 0}, {"norm": "batch"}])
@pytest.mark.parametrize("pooling", ["average", "max", "l2"])
def test_each_part_of_lenet_can_be_changed(changes, pooling):
    """X01a, X01b, X02e."""
    net = NETS["lenet"](activation="relu", dropout=0.5, pooling=pooling, **changes)
    assert net(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert len(kinds(net, nn.Dropout)) == (1 if "fc2" in changes else 2)


def test_options_come_with_the_name():
    model = load_model("resnet_cifar?depth=8&channels=1&classes=4&size=16", device="cpu")
    assert (model.preprocess.size, model.preprocess.channels, len(model.classes)) == ((16, 16), 1, 4)
    with pytest.raises(Unknown, match="depht"):
        load_model("resnet?depht=50")


def test_a_network_by_name_is_saved_and_loaded(tmp_path):
    model = load_model("resnet_cifar?depth=8&order=before", device="cpu")
    again = load_model(save_model(model, tmp_path / "mine"), device="cpu")
    assert again.digest == model.digest


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
