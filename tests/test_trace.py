import copy

import pytest
import torch
from captum.attr import LayerActivation
from near import alike
from torch import nn
from torch.nn import functional as F
from torchvision import models

from explain.errors import NotSupported, Unknown
from explain.network.trace import call_counts, record


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.ReLU()

    def forward(self, x):
        return self.relu(self.b(self.relu(self.a(x)))).mean((2, 3))


class AddsInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pair = nn.Conv2d(3, 4, 3, padding=1), nn.LSTM(4, 4, batch_first=True)

    def forward(self, x):
        y = self.conv(x)
        y += 1
        self.pair(y.mean(3).transpose(1, 2))
        return F.relu_(y).mean((2, 3))


def plain(net):
    """A copy of the net without in-place layers: what a hook sees there is the truth."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net


def hooked(net, batch, names):
    seen = {}
    handles = [
        net.get_submodule(name).register_forward_hook(lambda m, i, o, name=name: seen.update({name: o.clone()}))
        for name in names
    ]
    with torch.no_grad():
        net(batch)
    for handle in handles:
        handle.remove()
    return seen


@pytest.fixture(params=["alexnet", "vgg11", "resnet18", "mobilenet_v2"])
def net(request):
    torch.manual_seed(0)
    extra = {"init_weights": False} if request.param == "googlenet" else {}
    return models.get_model(request.param, weights=None, **extra).eval()


def test_outputs_are_those_of_a_net_without_inplace_layers(net):
    batch = torch.randn(2, 3, 96, 64)
    counts = call_counts(net, batch)
    names = [name for name, m in net.named_modules() if counts.get(name) == 1 and not list(m.children())]
    for _ in range(2):  # the second pass copies what the first has learned
        _, held = record(net, batch, names)
        expected = hooked(plain(net), batch, names)
        for name in names:
            assert alike(held[name], expected[name]), name
    _, held = record(net, batch, names, gradients=True)
    assert all(alike(held[name], expected[name]) for name in names)


def test_agrees_with_captum_where_modules_are_not_reused():
    torch.manual_seed(0)
    net = models.alexnet(weights=None).eval()
    batch = torch.randn(1, 3, 96, 96)
    for name in ("features.0", "features.8", "classifier.4"):
        twin = plain(net)  # in place, captum's oracle is what the next layer makes of it
        oracle = LayerActivation(twin, twin.get_submodule(name)).attribute(batch)
        assert oracle.min() < 0
        assert alike(record(net, batch, [name])[1][name], oracle)


def test_each_call_of_a_reused_module_has_its_own_address():
    net, batch = Reused().eval(), torch.randn(2, 3, 9, 9)
    output, held = record(net, batch, ["relu:0", "relu:1", "relu"])
    first = F.relu(net.a(batch))
    assert alike(held["relu:0"], first)
    assert alike(held["relu:1"], F.relu(net.b(first)))
    assert torch.equal(held["relu"], held["relu:1"])
    assert alike(output, held["relu:1"].mean((2, 3)))
    assert call_counts(net, batch)["relu"] == 2


def test_functional_inplace_operations_do_not_spoil_what_is_held():
    net, batch = AddsInPlace().eval(), torch.randn(2, 3, 6, 6)
    truth = F.conv2d(batch, net.conv.weight, net.conv.bias, padding=1)
    for gradients in (False, True, False):
        held = record(net, batch, ["conv"], gradients=gradients)[1]["conv"]
        assert alike(held, truth)


def test_a_layer_without_one_tensor_is_refused():
    with pytest.raises(NotSupported, match="tuple"):
        record(AddsInPlace().eval(), torch.randn(1, 3, 6, 6), ["pair"])


@pytest.mark.parametrize("name", ["nope", "relu:2", "relu:-1", ""])
def test_unknown_layers_are_named(name):
    with pytest.raises(Unknown):
        record(Reused().eval(), torch.randn(1, 3, 9, 9), [name or "conv9"])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_reach_a_layer_under_no_grad_and_inference_mode(mode):
    net = Reused().eval().requires_grad_(False)
    batch = torch.randn(1, 3, 9, 9, requires_grad=True)
    output, held = record(net, batch, ["relu:0"], gradients=True)
    (truth,) = torch.autograd.grad(output[0, 1], held["relu:0"])
    with mode():
        assert record(net, torch.randn(1, 3, 9, 9), ["a"])[1]["a"].shape == (1, 4, 7, 7)
        output, held = record(net, batch, ["relu:0"], gradients=True)
        with torch.inference_mode(False), torch.enable_grad():
            (slope,) = torch.autograd.grad(output[0, 1], held["relu:0"])
    assert alike(slope, truth)


def test_no_hook_stays_behind_even_after_an_exception():
    net = Reused().eval()
    with pytest.raises(RuntimeError):
        record(net, torch.randn(1, 4, 9, 9), ["a", "relu:0"])
    record(net, torch.randn(1, 3, 9, 9), ["a", "relu:0"])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_batch_size_does_not_change_an_answer():
    torch.manual_seed(0)
    net, batch = models.resnet18(weights=None).eval(), torch.randn(4, 3, 64, 64)
    together = record(net, batch, ["layer2.0.relu:1"])[1]["layer2.0.relu:1"]
    for i in range(4):
        alone = record(net, batch[i : i + 1], ["layer2.0.relu:1"])[1]["layer2.0.relu:1"][0]
        assert torch.allclose(alone, together[i], atol=1e-5)
