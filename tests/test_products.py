"""Multiply-accumulates are those of the executed graph: by hand, and by torch's own counter."""

import pytest
import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

import explain
from explain.network.costs import OUTSIDE
from explain.network.layers import ITSELF, outside, scan
from explain.network.model import Model, Preprocess

WIDTH, DEPTH, PLACES = 192, 12, 197


def counted(net, size):
    batch = torch.zeros(1, 3, size, size)
    layers = [layer for layer in scan(net, batch, fields=False) if not layer.block]
    return layers, outside(net, batch, layers)


def total(net, size):
    layers, rest = counted(net, size)
    return sum(row.macs for row in (*layers, *rest))


def by_torch(net, size):
    """On the device "meta", where torch spells attention out."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.to("meta")(torch.zeros(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2


def test_vit_tiny_by_hand():
    net = timm.create_model("vit_tiny_patch16_224").eval()
    layers, rest = counted(net, 224)
    weights = PLACES * WIDTH * WIDTH * (3 + 1 + 4 + 4)  # query, key and value; out; the perceptron's two
    attention = 2 * PLACES * PLACES * WIDTH  # how alike, and what is taken
    ends = 196 * 3 * 16 * 16 * WIDTH + WIDTH * 1000
    assert sum(row.macs for row in layers) == ends + DEPTH * weights
    assert [row.macs for row in rest if row.macs] == [attention] * DEPTH
    assert next(row for row in rest if row.name == "blocks.3.attn").kind == "Attention"
    itself = next(row for row in rest if row.name == ITSELF)
    assert itself.parameters == net.cls_token.numel() + net.pos_embed.numel()
    assert sum(row.parameters for row in (*layers, *rest)) == sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: timm.create_model("vit_tiny_patch16_224"), 224),
        (lambda: timm.create_model("swin_tiny_patch4_window7_224"), 224),
        (lambda: timm.create_model("coat_lite_tiny"), 224),
        (lambda: models.vit_b_32(), 224),
        (lambda: models.resnet18(), 64),
        (lambda: models.convnext_tiny(), 64),
    ],
)
def test_all_that_is_executed_is_counted(make, size):
    net = make().eval()
    assert total(net, size) == by_torch(net, size)


class Own(nn.Module):
    """Products of the net's own by several functions, of a block, and of modules that give tuples."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.mixed = nn.Parameter(torch.randn(6, 8))
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.memory = nn.LSTM(6, 5, batch_first=True)
        self.fc = nn.Linear(5, 4)

    def forward(self, x):
        maps = nn.functional.conv2d(x, self.filters, stride=2)  # 8 x 7 x 7
        tokens = torch.einsum("nchw,dc->nhwd", maps, self.mixed).flatten(1, 2)  # 49 x 6
        tokens, _ = self.attention(tokens, tokens, tokens)
        tokens, _ = self.memory(tokens)
        return self.fc(tokens.mean(1))


def test_products_of_the_net_itself_have_a_row():
    model = Model("own", Own().eval(), Preprocess((16, 16), (16, 16), (0.0,), (1.0,), 3), tuple("abcd"))
    expected = {
        ITSELF: 49 * 8 * 27 + 49 * 8 * 6,
        "attention": 49 * 6 * 18 + 49 * 6 * 6 + 2 * 49 * 49 * 6,
        "memory": 49 * 4 * 5 * (6 + 5),
        "fc": 20,
    }
    result = explain.anatomy(model)
    found = dict(zip(result.table["layer"], result.table["macs"], strict=True))
    for name, macs in expected.items():
        assert sum(count for key, count in found.items() if key.startswith(name)) == macs, name
    assert result.macs == sum(expected.values())
    parameters = dict(zip(result.table["layer"], result.table["parameters"], strict=True))
    assert parameters[ITSELF] == 8 * 27 + 48
    assert sum(result.table["parameters"]) == result.parameters
    macs = next(share for share in result.shares if share.quantity == "macs")
    assert macs.families[OUTSIDE] == pytest.approx(1 - 20 / result.macs)
    assert explain.compare(model, model).sums["MACs"] == (result.macs, result.macs)
