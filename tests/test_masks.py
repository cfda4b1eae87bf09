import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, Occlusion
from near import alike
from torch import nn
from torchvision import models

from explain.attribution import COMPLETENESS, METHODS, masks, passes
from explain.attribution.shortcuts import onward, optimised_copy
from explain.attribution.superpixels import superpixels
from explain.errors import NotSupported
from explain.progress import listening

ENDS = torch.full((1, 3, 1, 1), -2.0), torch.full((1, 3, 1, 1), 2.0)
GREY = ENDS[0][:, :1], ENDS[1][:, :1]
FEW = {"samples": 40, "segments": 12}
NAMES = ("occlusion", "rise", "score_cam", "ablation_cam", "feature_ablation", "kernel_shap", "lime")


class Block(nn.Module):
    """Convolutions with batch norms and a way around them, one rectifier for both."""

    def __init__(self, channels, inplace):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace)

    def forward(self, x):
        return self.relu(self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x))))) + x)


def network(colours=3, inplace=False):
    torch.manual_seed(0)
    start = nn.Conv2d(colours, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace)
    end = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    net = nn.Sequential(*start, Block(8, inplace), Block(8, inplace), *end)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias):
                nn.init.normal_(values)
            for values in (module.running_var, module.weight):
                nn.init.uniform_(values, 0.5, 2)
    return net.eval().requires_grad_(False)


@pytest.fixture
def net():
    return network()


@pytest.fixture
def batch():
    return torch.randn(3, 3, 32, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def target():
    return torch.tensor([2, 0, 3])


def options_of(name, **more):
    return {key: value for key, value in (FEW | more).items() if key in METHODS[name].options}


def linear(size=(3, 12, 12)):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(size), 2)).eval().requires_grad_(False)


def by_segment(values, labels):
    return torch.zeros(int(labels.max()) + 1, dtype=values.dtype).index_add_(0, labels.flatten(), values.flatten())


@pytest.mark.parametrize(("window", "stride"), [(8, 4), (7, 5), (5, 5), (24, 9)])
def test_occlusion_equals_captum_and_the_plain_loop(net, batch, target, window, stride):
    ours = METHODS["occlusion"](net, "", batch, target, ENDS, window=window, stride=stride, baseline="white")
    steps = (3, stride, stride)
    oracle = Occlusion(net).attribute(batch, (3, window, window), steps, baselines=ENDS[1], target=target)[:, 0]
    assert torch.allclose(ours, oracle, atol=1e-5)
    total, times = torch.zeros(32, 24), torch.zeros(32, 24)
    starts = [range(0, math.ceil((side - window) / stride) * stride + 1, stride) for side in (32, 24)]
    for top, left in itertools.product(*starts):
        covered = batch[:1].clone()
        covered[..., top : top + window, left : left + window] = 2
        total[top : top + window, left : left + window] += (net(batch[:1]) - net(covered))[0, 2]
        times[top : top + window, left : left + window] += 1
    assert torch.allclose(ours[0], total / times, atol=1e-5)


def test_a_window_larger_than_the_picture_covers_it(net, batch, target):
    heat = METHODS["occlusion"](net, "", batch, target, ENDS, window=256, stride=200)
    fall = (net(batch) - net(torch.zeros_like(batch))).gather(1, target[:, None])
    assert torch.allclose(heat, fall[..., None].expand_as(heat), atol=1e-5)


def test_feature_ablation_equals_captum(net, batch, target):
    ours = METHODS["feature_ablation"](net, "", batch, target, ENDS, segments=9)
    for k in range(3):
        labels = superpixels(batch[k], ENDS, 9)
        oracle = FeatureAblation(net).attribute(batch[k : k + 1], target=target[k], feature_mask=labels[None, None])
        assert torch.allclose(ours[k], oracle[0, 0], atol=1e-5)


def test_on_a_linear_net_all_find_each_superpixels_own_part():
    size = (3, 12, 12)
    net, batch, target = linear(size), torch.randn(2, *size), torch.tensor([1, 0])
    for name in ("feature_ablation", "kernel_shap", "lime"):
        more = {"ridge": 0.0, "width": 1.0, "samples": 100}
        heat = METHODS[name](net, "", batch, target, ENDS, **options_of(name, segments=16, **more))
        for k in range(2):
            labels = superpixels(batch[k], ENDS, 16)
            parts = by_segment((net[1].weight[target[k]].view(size) * batch[k]).sum(0), labels)
            areas = labels.flatten().bincount()
            expected = (parts / areas if name == "kernel_shap" else parts)[labels]
            assert torch.allclose(heat[k], expected, atol=1e-4), name
    heat = METHODS["occlusion"](net, "", batch, target, ENDS, window=1, stride=1)
    assert torch.allclose(heat, (net[1].weight[target].view(2, *size) * batch).sum(1), atol=1e-5)


def exact(net, picture, target, labels):
    """Shapley values by their definition, from the scores of all choices of superpixels."""
    count = int(labels.max()) + 1
    choices = list(itertools.product([False, True], repeat=count))
    scores = dict(zip(choices, net(torch.tensor(choices)[:, None, labels] * picture)[:, target].tolist(), strict=True))
    values = torch.zeros(count)
    for kept in choices:
        for one in (k for k in range(count) if not kept[k]):
            weight = math.factorial(sum(kept)) * math.factorial(count - sum(kept) - 1) / math.factorial(count)
            values[one] += weight * (scores[(*kept[:one], True, *kept[one + 1 :])] - scores[kept])
    return values


def test_kernel_shap_gives_shapley_values(net, batch, target):
    labels = superpixels(batch[0], ENDS, 8)
    count = int(labels.max()) + 1
    assert 5 <= count <= 9
    expected = exact(net, batch[0], int(target[0]), labels)
    given = net, "", batch[:1], target[:1], ENDS
    all_choices = METHODS["kernel_shap"](*given, segments=8, samples=600)
    assert torch.allclose(by_segment(all_choices[0], labels), expected, atol=1e-5)
    few = 2**count - 3  # one less than all, so they are drawn
    runs = [METHODS["kernel_shap"](*given, segments=8, samples=few, seed=seed)[0] for seed in range(20)]
    drawn = torch.stack([by_segment(each, labels) for each in runs])
    assert (drawn - expected).abs().max() < 0.3 * expected.abs().max()
    assert torch.allclose(drawn.mean(0), expected, atol=0.1 * float(expected.abs().max()))
    assert not torch.allclose(drawn[0], drawn[1], atol=1e-6)


@pytest.mark.parametrize("samples", [2, 7, 50, 3000])
def test_kernel_shap_adds_up(net, batch, target, samples):
    options = {"segments": 10, "baseline": "black"}
    heat = METHODS["kernel_shap"](net, "", batch, target, ENDS, samples=samples, **options)
    expected_sum = COMPLETENESS["kernel_shap"](net, batch, target, ENDS, samples=samples, **options)
    assert torch.allclose(heat.sum((1, 2)), expected_sum, atol=1e-4)


def test_lime_finds_the_superpixels_that_the_net_uses():
    picture = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(3))
    labels = superpixels(picture[0], ENDS, 16)
    used = [1, int(labels.max()) - 1]

    class Planted(nn.Module):
        def forward(self, x):
            present = [(x[:, :, labels == k].abs().sum((1, 2)) > 0).float() for k in used]
            return torch.stack([present[0] + 2 * present[1] + present[0] * present[1], x.sum((1, 2, 3))], 1)

    heat = METHODS["lime"](Planted().eval(), "", picture, torch.tensor([0]), ENDS, segments=16, samples=400)[0]
    values = torch.stack([heat[labels == k][0] for k in range(int(labels.max()) + 1)])
    assert set(values.topk(2).indices.tolist()) == set(used)
    assert values[used[1]] > values[used[0]]
    rest = [k for k in range(len(values)) if k not in used]
    assert values[rest].abs().max() < 0.1 * values[used].min()


def test_rise_is_brightest_where_the_net_looks():
    class Planted(nn.Module):
        def forward(self, x):
            seen = x[:, :, 20:30, 8:18].mean((1, 2, 3))
            return torch.stack([4 * seen, -4 * seen], 1)

    heat = METHODS["rise"](Planted().eval(), "", torch.ones(1, 3, 48, 32), torch.tensor([0]), ENDS)[0]
    row, column = divmod(int(heat.argmax()), 32)
    assert 18 <= row < 32
    assert 6 <= column < 20
    assert heat[20:30, 8:18].mean() > heat.mean() + 2 * heat.std()


def test_rise_masks_are_open_half_the_time_everywhere():
    drawn = masks._Grids(4000, 7, torch.zeros(3, 40, 64), seed=0)(0, 4000)
    assert drawn.shape == (4000, 40, 64)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert (drawn.mean(0) - 0.5).abs().max() < 0.04
    assert abs(float(drawn.mean()) - 0.5) < 0.005
    reference = nn.functional.interpolate(
        masks._Grids(1, 7, torch.zeros(3, 40, 64), 0).grids[None], (48, 80), mode="bilinear"
    )
    first = drawn[0]
    places = itertools.product(range(9), range(17))
    assert any(torch.allclose(reference[0, 0, i : i + 40, j : j + 64], first, atol=1e-5) for i, j in places)


def test_an_even_score_gives_an_even_rise_map(batch):
    class Even(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 4)

    heat = METHODS["rise"](Even().eval(), "", batch, torch.zeros(3, dtype=torch.long), ENDS, samples=50)
    assert torch.allclose(heat, torch.full_like(heat, 0.25), atol=1e-6)


def oracle():
    """It imports OpenCV, which needs libraries of the desktop that not every machine has."""
    return pytest.importorskip("pytorch_grad_cam", exc_type=ImportError)


def test_score_cam_equals_the_plain_loop(net, batch, target):
    """pytorch-grad-cam 1.5 enlarges maps so that the outer cells' centres lie on the picture's corners, which moves
    them off what they saw; the paper's own code does not."""
    net[3].norm2.weight[1], net[3].norm2.bias[1] = 0, -1e6  # a channel that is silent everywhere
    maps = net[:4](batch)
    assert not maps[:, 1].any()
    expected = []
    for picture, own, k in zip(batch, maps, target.tolist(), strict=True):
        scores = []
        for one in own:
            mask = nn.functional.interpolate(one[None, None], picture.shape[1:], mode="bilinear")
            mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
            scores.append(net(picture * mask)[0, k])
        expected.append(torch.einsum("c,chw->hw", torch.stack(scores).softmax(0), own))
    ours = METHODS["score_cam"](net, "3", batch, target, ENDS, positive=False)
    assert torch.allclose(ours, torch.stack(expected), atol=1e-5)
    assert alike(METHODS["score_cam"](net, "3", batch, target, ENDS), ours.relu())


def test_ablation_cam_equals_pytorch_grad_cam(net, batch):
    """Theirs divides by the score, which turns the map where that is negative."""
    AblationCAM = oracle().AblationCAM

    target = net(batch).argmax(1)
    scores = net(batch).amax(1)
    wanted = [lambda scores, k=k: scores[k] for k in target.tolist()]
    ours = METHODS["ablation_cam"](net, "4", batch, target, ENDS, positive=False)
    place = net[4]
    maps = []
    held = place.register_forward_hook(lambda _module, _given, output: maps.append(output))
    net(batch)
    held.remove()
    weights = torch.tensor(AblationCAM(net, [place]).get_cam_weights(batch, place, wanted, maps[0].numpy(), None))
    assert torch.allclose(ours, scores[:, None, None] * torch.einsum("nc,nchw->nhw", weights, maps[0]), atol=1e-4)


def test_ablation_cam_equals_the_plain_loop(batch, target):
    for inplace in (False, True):
        net = network(inplace=inplace)
        for layer, call in (("0", 0), ("3.conv1", 0), ("3.relu:0", 0), ("3", 0)):
            ours = METHODS["ablation_cam"](net, layer, batch, target, ENDS, positive=False)
            expected = []
            for k in range(3):
                maps, falls = [], []
                place = net.get_submodule(layer.partition(":")[0])
                for channel in range(-1, 8):
                    count = itertools.count()

                    def ablate(_module, _given, output, channel=channel, count=count):
                        if next(count) != call:
                            return None
                        if channel < 0:
                            maps.append(output.clone())
                            return None
                        output = output.clone()
                        output[:, channel] = 0
                        return output

                    handle = place.register_forward_hook(ablate)
                    falls.append(float(net(batch[k : k + 1])[0, target[k]]))
                    handle.remove()
                weights = falls[0] - torch.tensor(falls[1:])
                expected.append((weights[:, None, None] * maps[0][0]).sum(0))
            assert torch.allclose(ours, torch.stack(expected), atol=1e-4), (inplace, layer)


def test_a_layers_maps_lead_on_without_what_came_before(net, batch, monkeypatch):
    maps, rest = net[:4](batch[:2]), onward(net, "3", batch[:1])
    expected, convolve, convolved = net[4:](maps), nn.Conv2d.forward, []
    monkeypatch.setattr(nn.Conv2d, "forward", lambda conv, x: convolved.append(conv) or convolve(conv, x))
    assert torch.allclose(rest(maps), expected, atol=1e-5)
    assert len(convolved) == 2  # those of the block behind the layer, of five


def test_swift_copies_share_weights_and_leave_the_net_as_it_is():
    net = models.resnet18(weights=None).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    picture = torch.randn(2, 3, 64, 64)
    quick = optimised_copy(net, picture[:1])
    assert quick is not net
    assert torch.allclose(quick(picture), net(picture), atol=1e-5)
    assert quick.net.fc.weight is net.fc.weight
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.conv1.weight.is_contiguous()
    assert "forward" not in vars(net.bn1)


def test_a_net_that_needs_its_channels_apart_is_taken_as_it_is():
    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 2)

        def forward(self, x):
            return self.fc(self.conv(x).view(-1, 4 * 36))

    net = Viewing().eval()
    assert optimised_copy(net, torch.randn(1, 3, 8, 8)) is net


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("inplace", [False, True])
def test_neither_batch_nor_chunks_nor_modes_change_a_map(name, inplace, batch, target, monkeypatch):
    net = network(inplace=inplace)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    given, options = batch.clone(), options_of(name)
    heat = METHODS[name](net, "3", given, target, ENDS, **options)
    assert torch.equal(given, batch)
    assert heat.shape == ((3, 16, 12) if name.endswith("cam") else (3, 32, 24))
    assert heat.isfinite().all()
    assert not heat.requires_grad
    if inplace:
        assert torch.allclose(heat, METHODS[name](network(), "3", batch, target, ENDS, **options), atol=1e-5)
    for k in range(3):
        alone = METHODS[name](net, "3", batch[k : k + 1], target[k : k + 1], ENDS, **options)
        assert torch.allclose(alone[0], heat[k], atol=1e-5)
    with torch.inference_mode():
        assert torch.allclose(METHODS[name](net, "3", batch.clone(), target.clone(), ENDS, **options), heat, atol=1e-6)
    for module in (passes, masks):
        monkeypatch.setattr(module, "MOST", 3)
    shares = []
    with listening(lambda done, total, message="": shares.append(done / total)):
        assert torch.allclose(METHODS[name](net, "3", batch, target, ENDS, **options), heat, atol=1e-5)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("name", NAMES)
def test_greyscale_and_a_picture_of_one_colour(name, target):
    net = network(colours=1)
    for picture in (torch.randn(1, 1, 28, 28), torch.zeros(1, 1, 28, 28), torch.full((1, 1, 28, 28), 2.0)):
        heat = METHODS[name](net, "3", picture, target[:1], GREY, **options_of(name))
        assert heat.isfinite().all()
    if name in ("occlusion", "feature_ablation", "kernel_shap", "lime"):  # nothing differs from the mean colour
        heat = METHODS[name](net, "3", torch.zeros(1, 1, 28, 28), target[:1], GREY, **options_of(name))
        assert heat.abs().max() < 1e-5


@pytest.mark.parametrize("name", ["rise", "kernel_shap", "lime"])
def test_the_seed_is_all_the_chance_there_is(name, net, batch, target):
    options = options_of(name, samples=30)
    one = METHODS[name](net, "", batch, target, ENDS, **options)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert alike(METHODS[name](net, "", batch, target, ENDS, **options), one)
    assert torch.equal(state, torch.get_rng_state())
    assert not alike(METHODS[name](net, "", batch, target, ENDS, **options, seed=1), one)


@pytest.mark.parametrize("name", ["score_cam", "ablation_cam"])
def test_maps_are_needed_where_maps_are_weighed(name, net, batch, target):
    with pytest.raises(NotSupported, match="maps"):
        METHODS[name](net, "7", batch, target, ENDS)


def test_superpixels_are_numbered_without_gaps_and_repeatable(batch):
    for picture, input_range in ((batch[0], ENDS), (batch[0, :1], GREY), (torch.zeros(3, 96, 64), ENDS)):
        labels = superpixels(picture, input_range, 20)
        assert labels.shape == picture.shape[1:]
        assert np.array_equal(np.unique(labels), np.arange(int(labels.max()) + 1))
        assert torch.equal(labels, superpixels(picture, input_range, 20))


PEAK = """
import re, torch
from explain.attribution import METHODS
net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 7, 4), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
picture, ends = torch.randn(1, 3, 224, 224), (torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
for samples in (300, 1200):
    METHODS["rise"](net.requires_grad_(False), "", picture, torch.tensor([2]), ends, samples=samples)
    print(int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the greatest memory of a process")
def test_memory_does_not_grow_with_the_masks():
    root = Path(__file__).parent.parent
    few, many = map(int, subprocess.check_output([sys.executable, "-c", PEAK], cwd=root, text=True).split())
    assert many - few < 100e6  # 900 masks more are 180 MB, the pictures with them 540 MB
