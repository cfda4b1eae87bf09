"""Which channels feed which: expanded weights against straight copies of networks, sums that add up, effects as
measured by hand."""

import copy
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import explain
from explain.circuits import consumers, contributions, edges, effects, expanded, sources
from explain.circuits.effects import foreseen
from explain.circuits.paths import strongest_paths
from explain.errors import NotSupported
from explain.naming import peaks, responses
from explain.network.graph import INPUT
from explain.network.trace import reached, record, split

SIDE = 24


class Bent(nn.Module):
    """Two convolutions with norm, activation and pooling between, a residual sum, a concatenation, a depthwise pair."""

    def __init__(self, act=nn.ReLU, pool=nn.MaxPool2d):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), act())
        self.pool = pool(2)
        self.left = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6))
        self.right = nn.Sequential(nn.Conv2d(6, 4, 1), act())
        self.out = act()
        self.deep = nn.Sequential(nn.Conv2d(10, 10, 3, padding=1, groups=10), nn.BatchNorm2d(10), act())
        self.mix = nn.Conv2d(10, 5, 1)
        self.end = nn.Sequential(act(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))

    def forward(self, x):
        x = self.pool(self.stem(x))
        both = torch.cat([self.out(x + self.left(x)), self.right(x)], 1)
        return self.end(self.mix(self.deep(both)))


def drawn(act=nn.ReLU, pool=nn.MaxPool2d, seed=0):
    torch.manual_seed(seed)
    net = Bent(act, pool)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight), nn.init.normal_(module.bias)
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
    return net.eval().requires_grad_(False)


def wrapped(net, channels=2, side=SIDE):
    return explain.wrap(net, classes=["a", "b", "c"], preprocess=explain.Preprocess((side, side), channels=channels))


def straightened(net):
    """A copy that is linear: no activation, means for maxima."""
    net = copy.deepcopy(net)
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU | nn.ReLU6 | nn.SiLU | nn.Hardswish | nn.GELU | nn.Tanh):
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride))
    return net


def batch(seed=1, count=1, channels=2, side=SIDE):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


def test_what_feeds_what():
    model = wrapped(drawn())
    assert sources(model, "stem.0") == [INPUT]
    assert sources(model, "left.0") == ["stem.2"]
    assert sources(model, "mix") == ["stem.2", "left.1", "right.1"], (
        "past the sum, the concatenation, the depthwise one"
    )
    assert sources(model, "end.3") == ["end.0"], "what leaves the activation that follows"
    assert consumers(model, "stem.0") == ["left.0", "right.0", "mix"]
    assert consumers(model, "left.0") == consumers(model, "right.1") == ["mix"]
    assert consumers(model, "mix") == ["end.3"]
    assert consumers(model, "end.3") == []


def by_impulse(net, x, source, layer, channel, place, c, at):
    """What one more at a place of a source's channel adds to a unit, by running the net with it and without; what
    goes through other sources is kept as it was."""
    with torch.no_grad():
        _, kept = record(net, x, [*SOURCES, layer])

        def run(extra):
            def put(name):
                def hook(_module, _args, output):
                    output = kept[name].clone()
                    if name == source:
                        output[(0, c, *at)] += extra
                    return output

                return hook

            handles = [net.get_submodule(split(name)[0]).register_forward_hook(put(name)) for name in SOURCES]
            found = reached(net, x, layer)[(0, channel, *place)].item()
            for handle in handles:
                handle.remove()
            return found

        return run(1.0) - run(0.0)


SOURCES = ["stem.2", "left.1", "right.1"]


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU, nn.Tanh])
def test_expanded_weights_are_a_straight_networks(act):
    """Each weight is what an impulse adds in a copy without activations and with means for maxima."""
    net, x = drawn(act).double(), batch().double()
    straight = straightened(net)
    for channel in (0, 3):
        whole = expanded(net, x, SOURCES, "mix").slopes(channel)
        for source, c, at in (
            ("stem.2", 2, (12, 13)),
            ("stem.2", 5, (14, 11)),
            ("left.1", 1, (6, 6)),
            ("right.1", 3, (5, 7)),
        ):
            wanted = by_impulse(straight, x, source, "mix", channel, (6, 6), c, at)
            assert whole[source][(c, *at)] == pytest.approx(wanted, abs=1e-9)
            assert wanted != 0


def test_two_convolutions_make_one():
    """A convolution after another, with a norm between, is the two composed: computed without a network."""
    torch.manual_seed(3)
    first, norm, second = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3, stride=2)
    nn.init.normal_(norm.weight), norm.running_var.uniform_(0.5, 2)
    net = nn.Sequential(first, norm, nn.ReLU(), second).eval().requires_grad_(False).double()
    (made,) = expanded(net, batch().double(), [INPUT], "3").kernels(1)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    wanted = F.conv_transpose2d(second.weight[1:2], first.weight * scale.view(-1, 1, 1, 1))
    np.testing.assert_allclose(made.weight, wanted[0].numpy(), atol=1e-6)
    (made,) = expanded(net, batch().double(), ["2"], "3").kernels(1)
    np.testing.assert_allclose(made.weight, second.weight[1].numpy(), atol=1e-6)
    np.testing.assert_allclose(made.excites + made.inhibits, made.weight.sum((1, 2)), atol=1e-6)


def test_a_gate_stays_as_it_is():
    """Squeeze-and-excitation: the kernel is the convolution's times what the gate lets through on the picture."""

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.squeeze, self.excite = nn.Conv2d(2, 6, 3), nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)
            self.second = nn.Conv2d(6, 3, 3)

        def forward(self, x):
            x = self.first(x)
            gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
            return self.second(x * gate)

    torch.manual_seed(4)
    net, x = Gated().eval().requires_grad_(False), batch()
    made = expanded(net, x, ["first"], "second").kernels(2)[0].weight
    gate = torch.sigmoid(net.excite(torch.relu(net.squeeze(net.first(x).mean((2, 3), keepdim=True)))))[0]
    np.testing.assert_allclose(made, (net.second.weight[2] * gate).numpy(), atol=1e-6)


def test_attention_has_its_own_slope():
    """Weights by a softmax are no gate where they are all that there is, and a gate where they choose among maps."""

    class Chosen(nn.Module):
        def __init__(self, product):
            super().__init__()
            self.first, self.second, self.product = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 3, 1, bias=False), product

        def forward(self, x):
            x = self.first(x)
            chosen = torch.softmax(x, 1)
            return self.second(x * chosen if self.product else chosen)

    torch.manual_seed(5)
    for product in (True, False):
        net, x = Chosen(product).eval().requires_grad_(False).double(), batch(side=1).double()
        made = expanded(net, x, ["first"], "second").kernels(1)[0].weight[:, 0, 0]
        values = net.first(x)[0, :, 0, 0].requires_grad_()
        chosen = torch.softmax(values, 0)
        weight = net.second.weight[1, :, 0, 0]
        score = (weight * (values * chosen.detach() if product else chosen)).sum()
        np.testing.assert_allclose(made, torch.autograd.grad(score, values)[0].numpy(), atol=1e-6)


@pytest.mark.parametrize("channel", [0, 4])
def test_contributions_add_up(channel):
    """Where nothing between bends, the parts and the biases are the response; what is left at zero are the biases."""
    net, x = drawn(pool=nn.AvgPool2d).double(), batch().double()
    for names, layer in ((["stem.2"], "left.0"), (["stem.2"], "left.1"), (["left.1"], "left.1")):
        found = contributions(net, x, names, layer, channel)
        response = float(record(net, x, [layer])[1][layer][0, channel].max())
        assert found.response == pytest.approx(response)
        assert found.rest == pytest.approx(found.silent, abs=1e-9)
        assert sum(one.sum() for one in found.parts.values()) + found.silent == pytest.approx(response)
    bent = contributions(net, x, SOURCES, "mix", channel)
    assert bent.response == pytest.approx(float(record(net, x, ["mix"])[1]["mix"][0, channel].max()))
    assert sum(one.sum() for one in bent.parts.values()) + bent.rest == pytest.approx(bent.response)
    assert abs(bent.rest - bent.silent) > 1e-6, "it bends between: the biases alone are not what is left"


def test_contributions_of_a_convolution_are_its_own():
    net, x = drawn(), batch()
    found = contributions(net, x, ["stem.2"], "left.0", 2, (5, 6))
    below = net.pool(net.stem(x))[0, :, 4:7, 5:8]
    np.testing.assert_allclose(found.parts["stem.2"], (below * net.left[0].weight[2]).sum((1, 2)).numpy(), atol=1e-5)
    assert found.rest == pytest.approx(0, abs=1e-5)


def test_effects_are_what_taking_away_does():
    """Against the value written into the map by hand; where nothing bends, the first order is the effect."""
    net, x = drawn(pool=nn.AvgPool2d), batch(count=5)
    places = [(3, 4), (5, 5), (0, 0), (11, 2), (6, 9)]
    with torch.no_grad():
        maps = net.stem(x)
        mean = maps.mean((0, 2, 3)).double().numpy()
        before = net.left(net.pool(maps))[:, 1]
        wanted = []
        for c in range(6):
            without = maps.clone()
            without[:, c] = float(mean[c])
            after = net.left(net.pool(without))[:, 1]
            wanted.append(np.mean([float((after - before)[(k, *place)]) for k, place in enumerate(places)]))
    found = effects(net, x, "left.1", 1, places, ["stem.2"], [("stem.2", c, float(mean[c])) for c in range(6)])
    np.testing.assert_allclose([one.value for one in found], wanted, atol=1e-5)
    assert all(one.low <= one.value <= one.high for one in found)
    assert [one.direct for one in found] == pytest.approx([one.value for one in found]), "there is no other way"
    first = foreseen(net, x, "left.1", 1, places, {"stem.2": mean})
    np.testing.assert_allclose(first["stem.2"], wanted, atol=1e-5)
    np.testing.assert_allclose(
        foreseen(net, x, "left.1", 1, places, {"stem.2": mean}, straight=True)["stem.2"], wanted, atol=1e-5
    )
    (same,) = effects(net, x, "stem.0", 1, places, [INPUT], [(INPUT, 0, 0.5)])
    shifted = x.clone()
    shifted[:, 0] = 0.5
    with torch.no_grad():
        change = (net.stem[0](shifted) - net.stem[0](x))[:, 1]
    assert same.value == pytest.approx(np.mean([float(change[(k, *p)]) for k, p in enumerate(places)]), abs=1e-6)


def test_what_works_through_others_is_not_direct():
    """The stem feeds the layer by the shortcut, and through both branches: held as they are, only the shortcut is
    left; nothing bends here, so that it is what the straight weights foresee."""
    net, x, places = straightened(drawn()), batch(count=3), [(3, 4), (5, 5), (6, 2)]
    (found,) = effects(net, x, "mix", 2, places, SOURCES, [("stem.2", 4, 0.7)])
    means = {"stem.2": np.full(6, 0.7), "left.1": np.zeros(6), "right.1": np.zeros(4)}
    expected = foreseen(net, x, "mix", 2, places, means, straight=True)["stem.2"][4]
    assert found.direct == pytest.approx(expected, abs=1e-5)
    assert abs(found.direct - found.value) > 0.01


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A wrapped network of a user's, with bands of its own, over pictures of a folder."""
    folder, chance = tmp_path_factory.mktemp("bands"), np.random.default_rng(1)
    for k in range(24):
        np.save(folder / f"{k}.npy", chance.random((SIDE, SIDE, 2), np.float32))
    return explain.build_index(wrapped(drawn()), explain.load_images(folder), k=6)


def as_seen(index, numbers):
    preprocess = index.model.preprocess
    return torch.stack([preprocess.scaled(preprocess.crop(index.images[number])) for number in numbers])


@pytest.mark.parametrize(("layer", "direction"), [("mix", "in"), ("stem.0", "in"), ("stem.0", "out"), ("end.3", "in")])
def test_a_network_of_ones_own(own, layer, direction):
    found, net = explain.wiring(own, layer, 1, direction=direction, count=2, pictures=4), drawn()
    assert len(found.table["layer"]) == len(found.kernels) == len(found.tiles) > 0
    assert found.figure().encode("png")
    if direction == "out":
        assert set(found.table["layer"]) <= {"left.0", "right.0", "mix"}
        return
    parts = contributions(net, as_seen(own, [found.facts["number"]]), sources(own.model, layer), layer, 1).parts
    assert found.response == pytest.approx(found.rest + sum(float(one.sum()) for one in parts.values()), abs=1e-4)
    if layer == "stem.0":
        assert set(found.table["layer"]) == {INPUT}
        wanted = [net.stem[0].weight[1, channel].numpy() for channel in found.table["channel"]]
        np.testing.assert_allclose(list(found.kernels), wanted, atol=1e-6)


def test_effects_on_a_network_of_ones_own(own):
    """Each with the channel's mean over all pictures written into its map by hand, on the pictures that excite."""
    found, net = explain.wiring(own, "mix", 1, count=2, pictures=4), drawn()
    rows, every = own.top("mix", 1, "best", 4), as_seen(own, range(24))
    x = as_seen(own, [row.image for row in rows])
    table = found.table
    for layer, channel, effect, low, high in zip(
        *(table[name] for name in ("layer", "channel", "effect", "low", "high")), strict=True
    ):
        mean = float(record(net, every, [layer])[1][layer][:, channel].mean())

        def put(_module, _args, output, channel=channel, mean=mean):
            output = output.clone()
            output[:, channel] = mean
            return output

        before = reached(net, x, "mix")[:, 1]
        handle = net.get_submodule(layer).register_forward_hook(put)
        after = reached(net, x, "mix")[:, 1]
        handle.remove()
        changes = [float((after - before)[(n, *row.position)]) for n, row in enumerate(rows)]
        assert effect == pytest.approx(np.mean(changes), abs=1e-4)
        assert low <= effect <= high
    assert len(set(table["effect"])) > 3


def test_a_network_that_takes_one_picture_at_a_time(own, monkeypatch):
    """It is never asked about more, and gives the same."""
    wanted, strongest = explain.wiring(own, "mix", 1, count=2, pictures=4), peaks(own, "mix", np.arange(24))[1]
    met, forward = [], Bent.forward

    def one_by_one(self, x):
        met.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(Bent, "forward", one_by_one)
    for module in (edges, sys.modules["explain.circuits.effects"], responses):
        monkeypatch.setattr(module, "is_alone", lambda net: True)
    found = explain.wiring(own, "mix", 1, count=2, pictures=4)
    again = peaks(own, "mix", np.arange(24))[1]
    assert set(met) == {1}
    assert found.table["name"] == wanted.table["name"]
    for name in ("effect", "direct", "expected", "low", "high"):
        assert found.table[name] == pytest.approx(wanted.table[name], abs=1e-4)
    np.testing.assert_allclose(again, strongest, atol=1e-5)


def test_paths_of_a_network_of_ones_own(own):
    found = explain.paths(own, 3, levels=3, width=3)
    assert found.paths.nodes[0].part == pytest.approx(found.target.score, abs=1e-4)
    assert {node.layer for node in found.paths.nodes if node.level == 1} == {"end.0"}
    assert found.figure().encode("svg")


def test_a_block_has_no_place_in_the_graph():
    with pytest.raises(NotSupported, match="block"):
        sources(wrapped(drawn()), "stem")


def test_paths_of_a_straight_network_add_up():
    """Where nothing bends and there are no biases, all paths of a level sum up to the score; what a channel gives is
    what is lost without it."""
    torch.manual_seed(6)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False),
        nn.Conv2d(3, 4, 3, bias=False),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 3, 1, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 3, bias=False),
    )
    model, x = wrapped(net.eval()), batch()
    with model.exclusive() as inner:
        score = float(inner(x)[0, 2])
        found = strongest_paths(model, inner, x, 2, levels=4, width=9)
    assert found.nodes[0].part == pytest.approx(score)
    for level, (kept, every) in enumerate(found.kept, 1):
        own = [node for node in found.nodes if node.level == level]
        assert kept == pytest.approx(every, rel=1e-4) == pytest.approx(score, rel=1e-4)
        assert [node.effect for node in own] == pytest.approx([-node.part for node in own], abs=1e-5)
    assert {node.layer for node in found.nodes if node.level == 4} == {INPUT}
    for k, node in enumerate(found.nodes[1:], 1):
        assert sum(part for a, _, part in found.edges if a == k) == pytest.approx(node.part, rel=1e-4)


def test_paths_keep_the_strongest():
    """On a network that bends: each level keeps the largest parts, computed by hand from gradients."""
    net, x = drawn(), batch()
    model = wrapped(net)
    with model.exclusive() as inner:
        found = strongest_paths(model, inner, x, 1, levels=2, width=2)
    last = net.mix(
        net.deep(
            torch.cat(
                [net.out(net.pool(net.stem(x)) + net.left(net.pool(net.stem(x)))), net.right(net.pool(net.stem(x)))], 1
            )
        )
    )
    given = net.end[0](last).mean((2, 3))[0] * net.end[3].weight[1]
    order = given.abs().argsort(descending=True)[:2].tolist()
    assert [node.channel for node in found.nodes if node.level == 1] == order
    assert [node.part for node in found.nodes if node.level == 1] == pytest.approx(given[order].tolist(), rel=1e-4)
    kept, every = found.kept[0]
    assert kept == pytest.approx(float(given[order].sum()), rel=1e-4)
    assert every == pytest.approx(float(given.sum()), rel=1e-4)
    assert all(node.layer in SOURCES for node in found.nodes if node.level == 2)


def test_paths_go_on_from_a_unit():
    net, x = drawn(), batch()
    model = wrapped(net)
    with model.exclusive() as inner:
        found = strongest_paths(model, inner, x, 3, "left.0", levels=1, width=6)
    below = net.pool(net.stem(x))
    given = torch.stack(
        [F.conv2d(below[:, c : c + 1], net.left[0].weight[3:4, c : c + 1], padding=1).mean() for c in range(6)]
    )
    by = {node.channel: node.part for node in found.nodes[1:]}
    assert [by.get(c, 0.0) for c in range(6)] == pytest.approx(given.tolist(), abs=1e-5)
    assert found.nodes[0].part == pytest.approx(float(net.left[0](below)[0, 3].mean()), abs=1e-5)
