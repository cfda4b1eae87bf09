import copy
import gc
import threading
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum import attr
from near import alike
from torch import nn
from torchvision import models

from explain.attribution import COMPLETENESS, METHODS, of_channel
from explain.errors import NotSupported

ENDS = torch.full((1, 3, 1, 1), -1.5), torch.ones(1, 3, 1, 1)
BOTH = pytest.mark.parametrize("method", ["deep_lift", "lrp"])


def picture(count=2, side=12, channels=3):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(1)).double()


def ready(net):
    """In float64, in eval mode, frozen, with biases that matter."""
    torch.manual_seed(0)
    for name, values in net.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(values, std=0.1)
    return net.double().eval().requires_grad_(False)


@pytest.fixture
def plain():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.MaxPool2d(2, 1)
    return ready(nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, 10), nn.ReLU(), nn.Linear(10, 5)))


def assert_complete(net, batch, target, **options):
    heat = METHODS["deep_lift"](net, "", batch, target, ENDS, **options)
    whole = COMPLETENESS["deep_lift"](net, batch, target, ENDS, **{"baseline": "black", **options})
    assert torch.allclose(heat.sum((1, 2)), whole, rtol=1e-6, atol=1e-9 * float(heat.abs().sum()))
    assert heat.abs().max() > 0


ACTIVATIONS = "relu relu6 hardtanh leaky_relu elu celu selu gelu silu mish softplus hardsigmoid hardswish"


class Everything(nn.Module):
    """One net for each function that has a rule, called as the key says."""

    calls = {  # noqa: RUF012
        **{f"F.{name}": getattr(F, name) for name in ACTIVATIONS.split()},
        "sigmoid": torch.sigmoid,
        "tanh": lambda x: x.tanh(),
        "clamp": lambda x: x.clamp(-0.2, 0.3),
        "clamp_min_": lambda x: x.clamp_min_(0.1),
        "relu_": lambda x: x.relu_(),
        "sigmoid_": lambda x: x.sigmoid_(),
        "prelu": lambda x: F.prelu(x, torch.full((6,), 0.3).to(x)),
        "positional": lambda x: F.leaky_relu(x, 0.2, True),
        "keywords": lambda x: F.elu(input=x, alpha=0.5, inplace=True),
        "unheeded": lambda x: (F.relu_(x), x)[1],
        "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
        "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 3),
        "amax": lambda x: x.amax((2, 3), keepdim=True) + 0 * x,
        "square": lambda x: x * x,
        "gate": lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
        "gate_": lambda x: x.mul_(x.mean((2, 3)).sigmoid()[..., None, None].expand_as(x)),
        "view_": lambda x: (x.flatten(1).relu_(), x)[1],
        "part_": lambda x: (x[:, :3].tanh_(), x[:, 3:].add_(1), x)[2],
        "mixed": lambda x: torch.cat((x[:, ::2].relu(), x.flip(1)[:, :3].tanh()), 1) / 2 - 1,
    }

    def __init__(self, call):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head, self.call = nn.Conv2d(3, 6, 3, stride=2), nn.LazyLinear(4), self.calls[call]

    def forward(self, x):
        return self.head(self.call(self.conv(x)).flatten(1))


@pytest.mark.parametrize("call", Everything.calls)
def test_deep_lift_is_complete_for_each_function(call):
    net = Everything(call)
    net(torch.zeros(2, 3, 12, 12))
    net = ready(net)
    for baseline in ("black", "white", "mean", "blur"):
        assert_complete(net, picture(), torch.tensor([1, 3]), baseline=baseline)
    assert METHODS["lrp"](net, "", picture(), torch.tensor([1, 3]), ENDS).isfinite().all()


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "vgg11",
        "resnet18",
        "googlenet",
        "densenet121",
        "mobilenet_v2",
        "shufflenet_v2_x0_5",
        "efficientnet_b0",
    ],
)
def test_deep_lift_is_complete_for_networks(name):
    torch.manual_seed(0)
    net = models.get_model(name, weights=None, **({"init_weights": False} if name == "googlenet" else {}))
    assert_complete(net.double().eval(), picture(1, 64), torch.tensor([700]))


def test_deep_lift_is_complete_for_lenet(lenet):
    with lenet.exclusive() as net:
        net = copy.deepcopy(net).double().cpu()
    batch = picture(3, 28, 1).sigmoid()
    input_range = tuple(end.double() for end in (torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)))
    heat = METHODS["deep_lift"](net, "", batch, torch.tensor([1, 2, 3]), input_range)
    whole = COMPLETENESS["deep_lift"](net, batch, torch.tensor([1, 2, 3]), input_range, baseline="black")
    assert torch.allclose(heat.sum((1, 2)), whole, rtol=1e-9)


def test_both_are_exact_for_a_linear_net():
    net = ready(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(100, 3)))
    batch, target = picture(), torch.tensor([0, 2])
    leaf = batch.clone().requires_grad_()
    slopes = torch.autograd.grad(net(leaf).gather(1, target[:, None]).sum(), leaf)[0]
    lifted = METHODS["deep_lift"](net, "", batch, target, ENDS)
    assert torch.allclose(lifted, (slopes * (batch + 1.5)).sum(1))
    assert torch.allclose(METHODS["lrp"](net, "", batch, target, ENDS, epsilon=0), (slopes * batch).sum(1))


def test_deep_lift_agrees_with_captum():
    """Where captum is right: next to a ReLU it loses the rule for pooling; windows that overlap it adds up wrongly."""
    alexnet = models.alexnet(weights=None).double().eval()
    for name, module in list(alexnet.named_modules()):
        if hasattr(module, "inplace"):
            module.inplace = False
        if isinstance(module, nn.MaxPool2d):
            alexnet.set_submodule(name, nn.AvgPool2d(3, 2))
    layers = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 1), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU()
    pooled = ready(nn.Sequential(*layers, nn.Flatten(), nn.Linear(72, 5)))
    smooth = nn.Sequential(
        nn.Conv2d(3, 4, 5), nn.Sigmoid(), nn.Flatten(), nn.Linear(256, 9), nn.Tanh(), nn.Linear(9, 4)
    )
    for net, batch in ((pooled, picture()), (alexnet, picture(1, 64)), (ready(smooth), picture())):
        target = torch.arange(len(batch)) + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captum tells of its hooks
            oracle = attr.DeepLift(net).attribute(batch.clone(), torch.full_like(batch, -1.5), target).detach()
        ours = METHODS["deep_lift"](net, "", batch, target, ENDS)
        assert torch.allclose(ours, oracle.sum(1), atol=1e-7 * float(oracle.abs().max()))


class Flat(nn.Module):
    """Layers and a head, between them a function: captum's LRP knows no module that flattens."""

    def __init__(self, layers, head):
        super().__init__()
        self.layers, self.head = layers, head

    def forward(self, x):
        return self.head(self.layers(x).flatten(1))


def test_lrp_agrees_with_captum(plain):
    target, twin = torch.tensor([1, 2]), copy.deepcopy(plain)
    oracle = attr.LRP(Flat(twin[:6], twin[7:])).attribute(picture().requires_grad_(), target).detach()
    ours = METHODS["lrp"](plain, "", picture(), target, ENDS, epsilon=1e-9)
    assert torch.allclose(ours, oracle.sum(1), atol=1e-6 * float(oracle.abs().max()))


@pytest.mark.parametrize("epsilon", [0, 0.01, 0.5])
def test_lrp_equals_the_paper_written_out(epsilon):
    """R_i = sum_j x_i w_ij / (z_j + e_j) R_j, with e_j the share of the layer's root mean square, of z_j's sign."""
    net = ready(nn.Sequential(nn.Flatten(), nn.Linear(48, 9), nn.ReLU(), nn.Linear(9, 8), nn.Tanh(), nn.Linear(8, 3)))
    batch = picture(1, 4)
    values, kept = batch.flatten().numpy(), []
    for k in (1, 3, 5):
        weight, bias = net[k].weight.numpy(), net[k].bias.numpy()
        kept.append((values, weight, z := weight @ values + bias))
        values = np.maximum(z, 0) if k == 1 else np.tanh(z)
    relevance = kept[-1][2] * np.eye(3)[2]
    for values, weight, z in reversed(kept):
        below = z + np.sign(z) * epsilon * np.sqrt((z**2).mean())
        relevance = values * (weight.T @ (relevance / below))
    ours = METHODS["lrp"](net, "", batch, torch.tensor([2]), ENDS, epsilon=epsilon)
    assert np.allclose(ours[0], relevance.reshape(3, 4, 4).sum(0))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.Tanh, nn.Sigmoid])
def test_lrp_hands_back_the_whole_score_without_biases(activation):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.gate, self.head, self.act = nn.Conv2d(4, 4, 1, bias=False), nn.Linear(4, 3, bias=False), activation()

        def forward(self, x):
            x = F.max_pool2d(self.act(self.first(x)), 2)
            x = x + self.act(self.second(x))
            return self.head((x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()).mean((2, 3)))

    torch.manual_seed(0)
    net, target = Gated().double().eval(), torch.tensor([0, 2])
    heat = METHODS["lrp"](net, "", picture(), target, ENDS, epsilon=0)
    assert torch.allclose(heat.sum((1, 2)), net(picture()).gather(1, target[:, None])[:, 0])


class Ways(nn.Module):
    """The same computation with ReLUs as modules or functions, one or several, in place or not."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(5), nn.Linear(500, 4)
        one = nn.ReLU(inplace=way == "in place")
        self.relus = nn.ModuleList([one] * 3 if way == "reused" else [copy.deepcopy(one) for _ in range(3)])
        self.way = way

    def forward(self, x):
        relus = [F.relu, torch.relu, lambda x: x.clamp(min=0)] if self.way == "function" else self.relus
        x = relus[0](self.first(x))
        y = self.norm(self.second(x))
        if self.way == "in place":
            y += x
        else:
            y = y + x
        return self.head(relus[1](relus[2](y).flatten(1)))


@BOTH
@pytest.mark.parametrize("way", ["function", "reused", "in place"])
def test_maps_do_not_depend_on_how_a_net_is_written(method, way):
    target = torch.tensor([0, 2])
    expected = METHODS[method](ready(Ways("module")), "", picture(), target, ENDS)
    assert torch.allclose(METHODS[method](ready(Ways(way)), "", picture(), target, ENDS), expected, atol=1e-12)


@BOTH
def test_maps_do_not_depend_on_other_pictures_or_modes(plain, method):
    batch, target = picture(3), torch.tensor([0, 1, 2])
    together = METHODS[method](plain, "", batch, target, ENDS)
    for i in range(3):
        alone = METHODS[method](plain, "", batch[i : i + 1], target[i : i + 1], ENDS)
        assert torch.allclose(alone[0], together[i], atol=1e-12)
    thawed = copy.deepcopy(plain).requires_grad_(True)
    assert alike(METHODS[method](thawed, "", batch, target, ENDS), together, 1e-12)
    assert all(values.grad is None for values in thawed.parameters())
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert alike(METHODS[method](plain, "", batch.clone(), target.clone(), ENDS), together, 1e-12)


@BOTH
def test_a_net_is_left_as_found(plain, method):
    before, batch = copy.deepcopy(plain.state_dict()), picture()
    scores = plain(batch)
    METHODS[method](plain, "", batch, torch.tensor([0, 1]), ENDS)
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in plain.modules())
    assert torch.equal(batch, picture())
    assert alike(plain(batch), scores, 1e-12)


@BOTH
def test_threads_do_not_meet(plain, method):
    maps, target = {}, torch.tensor([0, 1])
    expected = METHODS[method](plain, "", picture(), target, ENDS)

    def work(k):
        maps[k] = METHODS[method](plain, "", picture(), target, ENDS)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(alike(maps[k], expected, 1e-12) for k in range(4))


@BOTH
def test_memory_is_given_back(plain, method):
    METHODS[method](plain, "", picture(), torch.tensor([0, 1]), ENDS)
    gc.collect()
    gc.disable()
    try:
        count = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())
        METHODS[method](plain, "", picture(), torch.tensor([0, 1]), ENDS)
        assert sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()) <= count
    finally:
        gc.enable()


class Foreign(nn.Module):
    def __init__(self, call, thing=None):
        super().__init__()
        self.conv, self.head, self.call, self.thing = nn.Conv2d(3, 4, 3), nn.Linear(400, 3), call, thing

    def forward(self, x):
        return self.head(self.call(self.conv(x), self.thing).relu().flatten(1))


REFUSED = {
    "softmax": lambda x, _: x.softmax(1),
    "sin": lambda x, _: x.sin(),
    "div": lambda x, _: x / (1 + x.mean(1, keepdim=True)),
    "reciprocal": lambda x, _: 1 / (2 + x),
    "native_layer_norm": lambda x, _: F.layer_norm(x, x.shape[1:]),
    "batch_norm": lambda x, _: F.instance_norm(x),
    "exp": lambda x, _: (x[:, :3].exp_(), x)[1],
    "where": lambda x, _: torch.where(x > 0, x, 0.0),
    "bmm": lambda x, _: (x.flatten(2) @ x.flatten(2).mT @ x.flatten(2)).view_as(x),
    "attention|softmax|bmm": lambda x, attend: attend(*[x.flatten(2).mT] * 3)[0].mT.reshape(x.shape),
}


@BOTH
@pytest.mark.parametrize("name", REFUSED)
def test_functions_without_a_rule_are_named(method, name):
    net = ready(Foreign(REFUSED[name], nn.MultiheadAttention(4, 1, batch_first=True)))
    with pytest.raises(NotSupported, match=f"no rule for .*({name}).*integrated_gradients"):
        METHODS[method](net, "", picture(), torch.tensor([0, 1]), ENDS)


@BOTH
def test_what_does_not_reach_the_score_is_not_refused(method):
    net = ready(Foreign(REFUSED["softmax"]))
    options = {"epsilon": 0} if method == "lrp" else {}
    heat = METHODS[method](of_channel(net, "conv"), "", picture(), torch.tensor([0, 1]), ENDS, **options)
    leaf = picture().requires_grad_()
    slopes = torch.autograd.grad(net.conv(leaf).mean((2, 3)).gather(1, torch.tensor([[0], [1]])).sum(), leaf)[0]
    assert torch.allclose(heat, (slopes * (picture() + (1.5 if method == "deep_lift" else 0))).sum(1))
    constant = nn.Sequential(nn.Flatten(), nn.Linear(432, 3)).double()
    nn.init.zeros_(constant[1].weight)
    assert not METHODS[method](constant, "", picture(), torch.tensor([0, 1]), ENDS).any()


def test_lrp_gives_gates_nothing():
    def scaled(x, _):
        return x * gate(x)

    def gate(x):
        return x.mean((2, 3)).sigmoid()[..., None, None].expand_as(x)

    net, target = ready(Foreign(scaled)), torch.tensor([0, 1])
    heat = METHODS["lrp"](net, "", picture(), target, ENDS)
    frozen = ready(Foreign(lambda x, _: x * gate(x).detach()))
    frozen.load_state_dict(net.state_dict())
    assert torch.allclose(heat, METHODS["lrp"](frozen, "", picture(), target, ENDS))


def test_layer_scales_that_ask_for_gradients_are_no_gates():
    scale = nn.Parameter(torch.rand(1, 4, 10, 10).double() + 1)
    net = ready(Foreign(lambda x, _: x.mean((2, 3), keepdim=True) * scale)).requires_grad_(True)
    for method in ("deep_lift", "lrp"):
        thawed = METHODS[method](net, "", picture(), torch.tensor([0, 1]), ENDS)
        assert thawed.abs().max() > 0
        scale.requires_grad_(False)
        assert torch.allclose(METHODS[method](net, "", picture(), torch.tensor([0, 1]), ENDS), thawed)
        scale.requires_grad_(True)


def test_deep_lift_refuses_a_net_that_decides():
    net = Foreign(lambda x, _: x.relu() if x.mean() > -0.2 else x.tanh())
    net.conv.bias = None
    nn.init.constant_(net.conv.weight, 0.1)
    with pytest.raises(NotSupported, match="same way"):
        METHODS["deep_lift"](net.double().eval(), "", picture(), torch.tensor([0, 1]), ENDS)
