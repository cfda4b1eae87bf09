"""LRP's composites: against loops over single weights, and against zennit, where somebody has it."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from explain.attribution import METHODS
from explain.attribution.composites import COMPOSITES
from explain.errors import NotSupported

ENDS = torch.full((1, 2, 1, 1), -2.0).double(), torch.full((1, 2, 1, 1), 2.5).double()
NAMES = [name for name in COMPOSITES if name != "epsilon"]
EPSILON, STABILISER, GAMMA = 0.02, 1e-6, 0.25


def net_of(norm=False):
    torch.manual_seed(0)
    norms = [nn.BatchNorm2d(k) if norm else nn.Identity() for k in (3, 4)]
    start = nn.Conv2d(2, 3, 3, stride=2, padding=1), norms[0], nn.ReLU(), nn.Conv2d(3, 4, 2), norms[1], nn.ReLU()
    net = nn.Sequential(*start, nn.Flatten(), nn.Linear(16, 3)).double().eval().requires_grad_(False)
    for name, values in net.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(values, std=0.3)
    for one in norms if norm else ():
        nn.init.normal_(one.running_mean)
        nn.init.uniform_(one.running_var, 0.5, 2)
    return net


def picture(side=6, count=1):
    return torch.randn(count, 2, side, side, generator=torch.Generator().manual_seed(1)).double()


def away(values, epsilon):
    """From zero, by a share of the root mean square."""
    values = np.asarray(values)
    return values + np.where(values < 0, -1, 1) * epsilon * np.sqrt((values**2).mean())


def links(conv, side):
    """Each weight of a convolution that joins an input (c, i, j) with an output (d, k, m)."""
    out = (side + 2 * conv.padding[0] - conv.kernel_size[0]) // conv.stride[0] + 1
    for d, k, m, c, a, b in itertools.product(
        range(conv.out_channels), range(out), range(out), range(conv.in_channels), *map(range, conv.kernel_size)
    ):
        i, j = (at * conv.stride[0] - conv.padding[0] + offset for at, offset in ((k, a), (m, b)))
        if 0 <= i < side and 0 <= j < side:
            yield (c, i, j), (d, k, m), float(conv.weight[d, c, a, b])


def through(conv, x, z, relevance, rule):
    """The relevance of a convolution's inputs, a weight at a time: rule(x, w, b, z) are parts of [contributions, bias,
    how much it counts], each with a denominator of its own."""
    side, found = x.shape[-1], np.zeros(x.shape)
    parts = len(rule(1.0, 1.0, 1.0, 1.0))
    sums = [np.zeros(z.shape) for _ in range(parts)]
    for d in range(z.shape[0]):
        for n, (_, bias, _) in enumerate(rule(0.0, 0.0, float(conv.bias[d]), 0.0)):
            sums[n][d] += bias
    pairs = list(links(conv, side))
    for at, to, w in pairs:
        for n, (share, _, _) in enumerate(rule(x[at], w, 0.0, z[to])):
            sums[n][to] += share
    below = [away(one, STABILISER) for one in sums]
    for at, to, w in pairs:
        for n, (share, _, part) in enumerate(rule(x[at], w, 0.0, z[to])):
            found[at] += part * share / below[n][to] * relevance[to]
    return found


def up(value):
    return max(value, 0.0)


def down(value):
    return min(value, 0.0)


def plus(x, w, b, z):
    return [[up(x * w), up(b), 1.0]]


def alpha2_beta1(x, w, b, z):
    return [[up(x * w), up(b), 2.0], [down(x * w), down(b), -1.0]]


def gamma(x, w, b, z):
    return [
        [x * w + GAMMA * up(x * w), b + GAMMA * up(b), float(z > 0)],
        [x * w + GAMMA * down(x * w), b + GAMMA * down(b), float(z < 0)],
    ]


def box(x, w, b, z):
    low, high = -2.0, 2.5
    return [[x * w - low * up(w) - high * down(w), b - up(b) - down(b), 1.0]]


RULES = {
    "epsilon_plus": (plus, plus),
    "epsilon_alpha2_beta1": (alpha2_beta1, alpha2_beta1),
    "epsilon_gamma_box": (box, gamma),
}


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_composites_by_single_weights(name, norm):
    net, batch, target = net_of(norm), picture(), 2
    first, second = net[0], net[3]
    if norm:
        first, second = (nn.utils.fuse_conv_bn_eval(net[k], net[k + 1]) for k in (0, 3))
    z1 = first(batch)[0].numpy()
    z2 = second(first(batch).relu())[0].numpy()
    flat = np.maximum(z2, 0).ravel()
    scores = net[7].weight.numpy() @ flat + net[7].bias.numpy()
    weight = net[7].weight.numpy()[target]
    relevance = (flat * weight / away(scores, EPSILON)[target] * scores[target]).reshape(z2.shape)
    relevance = through(second, np.maximum(z1, 0), z2, relevance, RULES[name][1])
    relevance = through(first, batch[0].numpy(), z1, relevance, RULES[name][0])
    found = METHODS["lrp"](net, "", batch, torch.tensor([target]), ENDS, composite=name, epsilon=EPSILON)
    np.testing.assert_allclose(found[0], relevance.sum(0), rtol=1e-7, atol=1e-9 * np.abs(relevance).max())


@pytest.mark.parametrize("name", NAMES)
def test_a_map_is_of_its_picture_alone(name):
    net, batch, target = net_of(True), picture(count=3), torch.tensor([2, 0, 1])
    whole = METHODS["lrp"](net, "", batch, target, ENDS, composite=name)
    for k in range(3):
        one = METHODS["lrp"](net, "", batch[k : k + 1], target[k : k + 1], ENDS, composite=name)
        torch.testing.assert_close(whole[k : k + 1], one)


def test_the_box_needs_the_pixels():
    net = nn.Sequential(nn.AvgPool2d(1), nn.ReLU(), net_of())
    with pytest.raises(NotSupported, match="z-box"):
        METHODS["lrp"](net, "", picture(), torch.tensor([0]), ENDS, composite="epsilon_gamma_box")
    assert METHODS["lrp"](net, "", picture(), torch.tensor([0]), ENDS, composite="epsilon_plus").abs().max() > 0


@pytest.mark.parametrize("make", [models.alexnet, models.vgg11])
@pytest.mark.parametrize("name", NAMES)
def test_composites_agree_with_zennit(name, make):
    """Which is no requirement: LGPL. Its stabilisers are told to be a share of the layer's strength, as ours are."""
    composites = pytest.importorskip("zennit.composites")
    core, attribution = pytest.importorskip("zennit.core"), pytest.importorskip("zennit.attribution")
    torch.manual_seed(0)
    net, batch, target = make().double().eval(), torch.randn(1, 3, 64, 64).double(), torch.tensor([3])
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    ends = tuple(end[:, :1].expand(1, 3, 1, 1) for end in ENDS)
    more = {"low": ends[0], "high": ends[1]} if name.endswith("box") else {}
    epsilon, stabiliser = (core.Stabilizer(share, norm_scale=True) for share in (EPSILON, STABILISER))
    theirs = composites.COMPOSITES[name](epsilon=epsilon, stabilizer=stabiliser, **more)
    with attribution.Gradient(net, theirs) as asked:
        _, relevance = asked(batch.clone(), lambda scores: torch.eye(scores.shape[1]).to(scores)[target] * scores)
    found = METHODS["lrp"](net, "", batch, target, ends, composite=name, epsilon=EPSILON)
    expected = relevance.sum(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
