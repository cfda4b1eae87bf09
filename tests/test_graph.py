"""Which layer feeds which, beside what torch.fx finds in the same network; and where the nodes are drawn."""

import functools
from itertools import pairwise

import pytest
import timm
import torch
from torch import fx, nn
from torchvision import models

import explain
from explain.network.graph import INPUT, Graph
from explain.network.preprocess import Preprocess
from explain.ui.graph.places import places

FAMILIES = {
    "resnet18": lambda: models.resnet18(),
    "googlenet": lambda: models.googlenet(init_weights=False, aux_logits=False),
    "densenet": lambda: models.DenseNet(4, (2, 3), 8, 2, num_classes=5),
    "mobilenet_v3_small": lambda: models.mobilenet_v3_small(),
    "squeezenet1_1": lambda: models.squeezenet1_1(),
    "shufflenet_v2_x0_5": lambda: models.shufflenet_v2_x0_5(),
}


def wrapped(net: nn.Module, side: int = 64) -> explain.Model:
    return explain.wrap(net.eval(), preprocess=Preprocess(size=(side, side)))


@functools.cache
def family_of(name: str) -> tuple[nn.Module, explain.Model]:
    net = FAMILIES[name]()
    return net, wrapped(net)


@functools.cache
def layers_before(graph: Graph, k: int) -> frozenset[str]:
    """The layers whose values reach a node without another layer between."""
    found: set[str] = set()
    for before in graph.nodes[k].before:
        node = graph.nodes[before]
        found |= {node.layers[-1].name} if node.layers else {INPUT} if before == 0 else layers_before(graph, before)
    return frozenset(found)


def edges_of(graph: Graph) -> set[tuple[str, str]]:
    """Between layers, unfolded and with the joins left out."""
    edges = {(a.name, b.name) for node in graph.nodes for a, b in pairwise(node.layers)}
    for k, node in enumerate(graph.nodes):
        edges |= {(name, node.layers[0].name) for name in layers_before(graph, k)} if node.layers else set()
    return edges


def edges_by_fx(net: nn.Module, layers: list[str]) -> set[tuple[str, str]]:
    """The same by symbolic tracing; a module's calls are numbered as ours where it has several."""
    traced = fx.symbolic_trace(net)
    seen: dict[str, int] = {}
    named: dict[fx.Node, str] = {}
    for node in traced.graph.nodes:
        if node.op == "call_module":
            call = seen[node.target] = seen.get(node.target, -1) + 1
            named[node] = node.target if node.target in layers else f"{node.target}:{call}"

    @functools.cache
    def sources(node: fx.Node) -> set[str]:
        if node.op == "placeholder":
            return {INPUT}
        return {named[node]} if named.get(node) in layers else set().union(*map(sources, node.all_input_nodes))

    return {(a, b) for node, b in named.items() if b in layers for one in node.all_input_nodes for a in sources(one)}


@pytest.mark.parametrize("family", FAMILIES)
def test_edges_are_those_of_fx(family):
    net, model = family_of(family)
    assert edges_of(model.graph) == edges_by_fx(net, [layer.name for layer in model.layers])


@pytest.mark.parametrize("family", FAMILIES)
def test_each_layer_is_in_one_node_in_its_order(family):
    _, model = family_of(family)
    graph = model.graph
    together = [layer.name for node in graph.nodes for layer in node.layers]
    assert sorted(together) == sorted(layer.name for layer in model.layers)
    assert all(a < b for a, b in graph.edges)
    order = {layer.name: k for k, layer in enumerate(model.layers)}
    for k, node in enumerate(graph.nodes):
        names = [layer.name for layer in node.layers]
        assert names == sorted(names, key=order.__getitem__)
        assert all(graph.node_of(name) == k and graph.folded_with(name) == names for name in names)
        assert len({layer.shape for layer in node.layers}) <= 1, "its channels are one another's"


@pytest.mark.parametrize("family", FAMILIES)
def test_no_two_nodes_lie_on_each_other_and_all_leads_to_the_right(family):
    graph = family_of(family)[1].graph
    found = places(graph)
    assert len(set(found)) == len(found)
    assert all(found[a][0] < found[b][0] for a, b in graph.edges)


class Joined(nn.Module):
    """A convolution whose output is used twice; memory that is overwritten; ways that join in three manners."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm, self.act = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.left, self.right = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.drop, self.gate = nn.Dropout(), nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 10)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.act(self.norm(self.stem(batch))))
        y = self.left(x)
        y += x
        z = torch.cat([y, self.right(x)], 1)
        z = z * self.gate(z).sigmoid()
        return self.head(z.mean((2, 3)))


def test_folds_and_joins():
    graph = wrapped(Joined(), 16).graph
    found = [(node.name or node.kind, [one.name for one in node.layers], node.before) for node in graph.nodes]
    assert found == [
        ("input", [], ()),
        ("stem", ["stem", "norm", "act", "drop"], (0,)),
        ("left", ["left"], (1,)),
        ("sum", [], (1, 2)),
        ("right", ["right"], (1,)),
        ("concatenation", [], (3, 4)),
        ("gate", ["gate"], (5,)),
        ("product", [], (5, 6)),
        ("head", ["head"], (7,)),
    ]


def test_pooling_of_the_same_size_is_no_part_of_a_convolution():
    graph = wrapped(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, 1, 1), nn.Flatten(), nn.Linear(4 * 64, 5)), 8
    ).graph
    assert [[one.name for one in node.layers] for node in graph.nodes] == [[], ["0"], ["1"], ["2"], ["3"]]


def test_tokens_and_shortcuts():
    """A transformer's norms and layers stand between its sums, two a block."""
    net = timm.create_model("vit_tiny_patch16_224", depth=2, img_size=32, num_classes=5)
    graph = wrapped(net, 32).graph
    sums = [node for node in graph.nodes if node.kind == "sum"]
    assert len(sums) == 4
    assert {node.kind for node in graph.nodes if not node.layers} == {INPUT, "sum"}
    assert graph.node_of("blocks.0.norm1") in {b for a, b in graph.edges if a == 1}


class Looped(nn.Module):
    """What cannot be traced by symbols: a loop that asks its values, a layer called twice, an LSTM, a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 5)
        self.memory = nn.LSTM(8, 8, batch_first=True)

    def forward(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.conv(batch)
        while x.shape[1] == 8 and x.isfinite().all():
            x = self.conv(x[:, :3]) + x
            x = torch.cat([x, x[:, :1]], 1)  # of one source: no join
        return {"logits": self.head(self.memory(x[:, :8].flatten(2).transpose(1, 2))[0].mean(1))}


def test_loops_and_calls_of_one_layer():
    graph = wrapped(Looped(), 16).graph
    found = [(node.name or node.kind, node.before) for node in graph.nodes]
    assert found == [("input", ()), ("conv:0", (0,)), ("conv:1", (1,)), ("sum", (1, 2)), ("head", (3,))]


def test_a_scripted_network_has_no_layers():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    assert [node.kind for node in wrapped(torch.jit.script(net.eval()), 16).graph.nodes] == [INPUT]


def test_the_network_is_as_it_was():
    net = Joined().eval()
    model, batch = wrapped(net, 16), torch.rand(1, 3, 16, 16)
    before = net(batch)
    assert model.graph is model.graph
    assert not any(module._forward_hooks for module in net.modules())
    assert torch.equal(net(batch), before)
