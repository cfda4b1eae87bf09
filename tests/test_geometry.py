"""The oracle for a box: where a unit has a gradient, in a copy of the net with positive weights and no bends."""

import copy
import itertools
import time

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode

from explain.errors import BadValue, NotSupported
from explain.network.geometry import Status, Tracer

# the oracle


IDENTITY = {"relu", "relu_", "relu6", "hardtanh", "hardtanh_", "silu", "gelu", "sigmoid", "softmax", "dropout"}
IDENTITY |= {"batch_norm", "hardswish", "hardsigmoid"}


class Linear(TorchFunctionMode):
    """Every activation is the identity, every maximum a sum."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in IDENTITY:
            return args[0]
        if name == "max_pool2d":
            return sum_pool(func, *args, **kwargs)
        if name in ("adaptive_max_pool2d", "adaptive_max_pool2d_with_indices"):
            return F.adaptive_avg_pool2d(*args[:2])
        if name == "layer_norm":
            return args[0] + args[0].mean(-1, keepdim=True)
        return func(*args, **kwargs)


def sum_pool(max_pool2d, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The taps of a max pooling, as a convolution with ones; the real pooling tells how many outputs there are."""
    kernel, step, pad, gaps = (
        (v, v) if isinstance(v, int) else tuple(v) for v in (kernel_size, stride or kernel_size, padding, dilation)
    )
    height, width = max_pool2d(x.detach(), kernel_size, stride, padding, dilation, ceil_mode).shape[-2:]
    spare = [s + k * d for s, k, d in zip(step, kernel, gaps, strict=True)]
    ones = torch.ones(x.shape[1], 1, *kernel, dtype=x.dtype)
    wide = F.pad(x, (pad[1], pad[1] + spare[1], pad[0], pad[0] + spare[0]))
    return F.conv2d(wide, ones, stride=step, dilation=gaps, groups=x.shape[1])[..., :height, :width]


def positive(net):
    """A copy in double precision whose weights are positive and average, so that nothing cancels or overflows."""
    net = copy.deepcopy(net).double().eval()
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.rand_like(weight) + 0.5)
            weight /= max(1, weight[0].numel()) if weight.ndim > 1 else 1
    return net


def run(net, batch, wanted, look):
    """look(tensor) at each wanted module's call, by name and call."""
    found, hooks = {}, []
    for name in wanted:

        def hook(module, inputs, output, name=name):
            found[f"{name}:{sum(key.startswith(f'{name}:') for key in found)}"] = look(output)

        hooks.append(net.get_submodule(name).register_forward_hook(hook))
    found["out"] = look(net(batch))
    for hook in hooks:
        hook.remove()
    return found


def traced(net, batch, wanted=()):
    with torch.no_grad(), Tracer(batch) as tracer:
        return run(net.eval(), batch, wanted, tracer.field)


def support(scores, batch):
    """The bounding box of the pixels with a gradient."""
    gradient = torch.autograd.grad(scores.sum(), batch, retain_graph=True, allow_unused=True)[0]
    if gradient is None or not (gradient != 0).any():
        return 0, 0, 0, 0
    seen = (gradient != 0).any(0).any(0)
    rows, columns = seen.any(1).nonzero(), seen.any(0).nonzero()
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def spots(height, width, dense=False):
    if dense:
        return list(itertools.product(range(height), range(width)))
    rows, columns = ({0, 1, n // 2, n - 2, n - 1} & set(range(n)) for n in (height, width))
    return sorted(
        set(zip(sorted(rows), itertools.cycle(sorted(columns))))
        | {(0, 0), (height - 1, 0), (0, width - 1), (height - 1, width - 1)}
    )


def compare(net, shape, wanted=(), dense=False, exact=True, channels=0):
    """Check boxes against gradients at every wanted layer; gives back how many boxes agreed."""
    batch = torch.rand(1, *shape, dtype=torch.float64) + 0.1
    fields = traced(positive(net), batch, wanted)
    batch.requires_grad_()
    with Linear():  # the copy of each output keeps its graph when an in-place operation follows
        outputs = run(positive(net), batch, wanted, lambda t: t.clone() if isinstance(t, torch.Tensor) else None)
    assert fields.keys() == outputs.keys()
    agreed = 0
    for name, output in outputs.items():
        if output is None:
            continue
        mine = fields[name]
        if exact:
            assert mine.status is not Status.UPPER_BOUND, name
        if output.ndim != 4:
            pairs = [(mine.box(), support(output, batch))]
        else:
            some = [None, *range(0, output.shape[1], max(1, output.shape[1] // channels))] if channels else [None]
            pairs = [
                (mine.box(i, j, c), support(output[:, slice(c, None if c is None else c + 1), i, j], batch))
                for (i, j) in spots(*output.shape[-2:], dense)
                for c in some
            ]
            assert (len(mine.rows.low), len(mine.columns.low)) == output.shape[-2:]
        for box, truth in pairs:
            assert (box == truth) if exact else contains(box, truth), (name, box, truth)
            agreed += 1
    return agreed


def contains(box, inner):
    return inner == (0, 0, 0, 0) or (
        box[0] <= inner[0] and box[1] <= inner[1] and box[2] >= inner[2] and box[3] >= inner[3]
    )


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def known(name):
    if name.startswith("tf_"):
        return pytest.importorskip("timm").create_model(name, pretrained=False)
    models = pytest.importorskip("torchvision").models
    extra = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):  # weights play no part, so none are drawn
        net = models.get_model(name, weights=None, **extra)
    if name in ("alexnet", "vgg11"):
        net.classifier = nn.Sequential(nn.Dropout(), nn.Linear({"alexnet": 9216, "vgg11": 25088}[name], 3))
    return net.to_empty(device="cpu")


# real networks

FAST = {
    "alexnet": (
        (3, 95, 127),
        "features.0 features.2 features.3 features.5 features.10 features.12 avgpool",
    ),
    "vgg11": ((3, 65, 97), "features.0 features.2 features.8 features.18 features.20 avgpool classifier"),
    "googlenet": ((3, 97, 129), "conv1 maxpool1 inception3a maxpool3 inception4a inception4c.branch2 inception5b"),
    "resnet18": ((3, 97, 129), "conv1 maxpool layer1.0 layer2.0.conv1 layer2.0.downsample layer2 layer3.1 layer4"),
}
SLOW = {
    "resnet50": ((3, 97, 129), "conv1 maxpool layer1 layer2.0 layer2 layer3.2 layer4"),
    "densenet121": ((3, 97, 129), "pool0 denseblock1.denselayer3 denseblock1 transition1 denseblock2 denseblock4"),
    "inception_v3": ((3, 139, 171), "Conv2d_1a_3x3 maxpool2 Mixed_5b Mixed_5d Mixed_6a Mixed_6b Mixed_7a Mixed_7c"),
    "mobilenet_v2": ((3, 97, 129), "features.0 features.2 features.4 features.7 features.13 features.18"),
    "shufflenet_v2_x1_0": ((3, 97, 129), "conv1 maxpool stage2.0 stage2 stage3.1 stage3 stage4 conv5"),
    "tf_efficientnet_lite0": ((3, 97, 129), "conv_stem blocks.0 blocks.1.0 blocks.2 blocks.4 blocks.6 global_pool"),
}


@pytest.mark.parametrize("name", FAST)
def test_boxes_of_a_known_net_are_its_gradients_support(name):
    shape, layers = FAST[name]
    assert compare(known(name), shape, layers.split()) > 30


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("resnet50", marks=pytest.mark.exhaustive), *list(SLOW)[1:]])
def test_boxes_of_a_larger_net_are_its_gradients_support(name):
    shape, layers = SLOW[name]
    prefix = "features." if name == "densenet121" else ""
    assert compare(known(name), shape, [prefix + layer for layer in layers.split()]) > 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("googlenet", "inception3a inception4a"),
        ("densenet121", "features.denseblock1.denselayer3 features.transition1.norm"),
        ("shufflenet_v2_x1_0", "stage2.0 stage2.1 stage2"),
    ],
)
def test_channels_of_one_layer_differ_as_their_branches_do(name, layers):
    assert compare(known(name), (3, 65, 97), layers.split(), channels=8) > 50


@pytest.mark.slow
def test_tracing_costs_little():
    net, batch = known("densenet121").eval(), torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        net(batch)
        start = time.perf_counter()
        net(batch)
        middle = time.perf_counter()
        with Tracer(batch):
            net(batch)
    assert time.perf_counter() - middle < 2 * (middle - start) + 4


# textbook numbers


def test_alexnet_has_the_published_sizes():
    fields = traced(known("alexnet"), torch.rand(1, 3, 224, 224), [f"features.{n}" for n in (0, 3, 6, 8, 10)])
    convolutions = [fields[f"features.{n}:0"] for n in (0, 3, 6, 8, 10)]
    assert [f.size for f in convolutions] == [(n, n) for n in (11, 51, 99, 131, 163)]
    assert [f.stride for f in convolutions] == [(n, n) for n in (4, 8, 16, 16, 16)]
    assert [f.rows.start for f in convolutions] == [-2, -18, -34, -50, -66]


def test_three_threes_make_a_seven():
    chain = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3)))
    field = traced(chain, torch.rand(1, 1, 9, 12))["out"]
    assert (field.size, field.stride, field.box(0, 0), field.box(2, 5)) == ((7, 7), (1, 1), (0, 0, 7, 7), (2, 5, 9, 12))
    assert field.rows.low.tolist() == [0, 1, 2]
    assert field.rows.high.tolist() == [7, 8, 9]


def test_clamping_at_every_layer_not_only_at_the_input():
    net = nn.Sequential(nn.Conv2d(1, 1, 11, 4, bias=False), nn.Conv2d(1, 1, 5, padding=2, bias=False))
    field = traced(net, torch.rand(1, 1, 226, 226))["out"]
    assert (field.rows.low[-1], field.rows.high[-1]) == (204, 223)  # half open: pixels 204 to 222
    assert field.size == (27, 27)


def test_sizes_follow_upsampling_and_transposed_convolution():
    net = nn.Sequential(nn.Conv2d(1, 1, 3, 4, 1), nn.Upsample(scale_factor=2), nn.ConvTranspose2d(1, 1, 2, 2))
    assert traced(net, torch.rand(1, 1, 32, 32))["out"].stride == (1.0, 1.0)


# random graphs


class Graph(nn.Module):
    """A random net: each step is a name and the numbers that its builder reads."""

    def __init__(self, steps, channels=2):
        super().__init__()
        self.steps, self.parts = steps, nn.ModuleDict()
        self.channels = channels
        for n, (kind, k, s, p, d) in enumerate(steps):
            if kind in ("conv", "residual", "branch", "iadd", "depthwise", "asymmetric"):
                groups = 1 if kind != "depthwise" else channels
                self.parts[str(n)] = nn.Conv2d(channels, channels, k, s, p, d, groups=groups)
            if kind == "transposed":
                self.parts[str(n)] = nn.ConvTranspose2d(channels, channels, k, s, min(p, k - 1))

    def forward(self, x):
        for n, (kind, *numbers) in enumerate(self.steps):
            part = dict(self.parts.items()).get(str(n))
            x = getattr(self, f"do_{kind}")(x, part, *numbers)
        return x

    def do_conv(self, x, conv, *_):
        return F.relu(conv(x), inplace=True)

    do_depthwise = do_transposed = do_conv

    def do_asymmetric(self, x, conv, k, s, p, d):
        return conv(F.pad(x, (0, p, p, d)))

    def do_residual(self, x, conv, *_):
        y = conv(x)
        y = F.interpolate(y, x.shape[-2:], mode="bilinear", align_corners=False)
        return F.relu(x + y)

    def do_iadd(self, x, conv, *_):
        y = F.interpolate(conv(x), x.shape[-2:])
        y += x
        return y.relu_()

    def do_branch(self, x, conv, k, s, p, d):
        y = conv(x)
        y = torch.cat([y, F.adaptive_avg_pool2d(x, y.shape[-2:]).relu_()], 1)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)  # ShuffleNet's shuffle
        return y.chunk(2, 1)[p % 2]

    def do_max(self, x, _, k, s, p, d):
        return F.max_pool2d(x, k, s, min(p, k // 2), d, ceil_mode=bool(p % 2))

    def do_avg(self, x, _, k, s, p, d):
        return F.avg_pool2d(x, k, s, min(p, k // 2), ceil_mode=bool(d % 2), count_include_pad=bool(p % 2))

    def do_adaptive(self, x, _, k, s, p, d):
        return F.adaptive_avg_pool2d(x, (max(1, x.shape[-2] - k), 2 + s))

    def do_slice(self, x, _, k, s, p, d):
        return x[:, :, p::s, : max(1, x.shape[-1] - d)] if x.shape[-2] > p else x

    def do_reflect(self, x, _, k, s, p, d):
        return F.pad(x, (1, 0, 0, 1), mode="reflect" if s == 1 else "replicate") if min(x.shape[-2:]) > 1 else x

    def do_nhwc(self, x, _, k, s, p, d):
        y = x.permute(0, 2, 3, 1)
        return F.layer_norm(y, y.shape[-1:]).permute(0, 3, 1, 2)

    def do_swap(self, x, *_):
        return x.transpose(2, 3)

    def do_up(self, x, _, k, s, p, d):
        return F.interpolate(x, scale_factor=s + 0.5, mode="bilinear" if k % 2 else "nearest")

    def do_shuffle(self, x, *_):
        return (
            F.pixel_unshuffle(F.pixel_shuffle(torch.cat([x, x.relu()], 1), 2), 2)[:, : x.shape[1]]
            if x.shape[1] == 2
            else x
        )


KINDS = [name[3:] for name in dir(Graph) if name.startswith("do_")]
STEP = st.tuples(st.sampled_from(KINDS), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 2))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(STEP, min_size=1, max_size=6), st.integers(9, 23), st.integers(9, 23))
def test_boxes_of_a_random_net_are_its_gradients_support(steps, height, width):
    net = Graph(steps)
    try:
        shape = net(torch.rand(1, 2, height, width)).shape
    except RuntimeError:
        return  # the map shrank to nothing
    if max(shape[-2:]) < 60:
        compare(net, (2, height, width), channels=2)


# operations one by one


class Do(nn.Module):
    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x, *self.parts)


CONV = lambda **options: nn.Conv2d(4, 4, 3, **{"padding": 1, **options})  # noqa: E731


def set_part(x):
    buffer = torch.zeros_like(x)
    buffer[:, :, 1:] = x[:, :, :-1]
    return buffer


@pytest.mark.parametrize(
    "net",
    [
        Do(lambda x: F.local_response_norm(x, 3)),
        Do(lambda x, c: torch.stack([c(x), x]).sum(0), CONV()),
        Do(lambda x, c: torch.where(torch.ones(1, dtype=torch.bool), c(x), x) + 0 * x, CONV(dilation=2, padding=2)),
        Do(lambda x, c: c(x).unflatten(1, (2, 2)).flatten(1, 2), CONV(groups=2)),
        Do(lambda x, c: c(x).roll(1, 2).flip(3), CONV()),
        Do(lambda x, c: c(x)[:, [2, 0]], CONV()),
        Do(lambda x, c: c(x).repeat(1, 2, 1, 1), CONV()),
        Do(lambda x, c: F.softmax(c(x), 1), CONV()),
        Do(lambda x, c: F.adaptive_max_pool2d(c(x), (3, 5)), CONV()),
        Do(lambda x, c: F.pad(c(x), (-1, 0, 2, -2)), CONV(padding=4)),
        Do(lambda x, c: F.interpolate(c(x), scale_factor=1.7, mode="bilinear", align_corners=True), CONV(stride=2)),
        Do(lambda x, c: F.interpolate(c(x), (5, 6), mode="nearest-exact"), CONV()),
        Do(lambda x, c: F.interpolate(c(x), (5, 6), mode="bilinear", antialias=True), CONV()),
        Do(lambda x, c: c(x).add_(x), CONV()),
        Do(lambda x, c: c(x).flatten(2).transpose(1, 2).transpose(1, 2).reshape(1, 4, *x.shape[2:]), CONV()),
        Do(lambda x, c: c(x).mean((2, 3), keepdim=True) * x, CONV()),
        Do(lambda x, c: c(F.pad(x, (2, 2, 2, 2))) + F.pad(x, (2, 2, 0, 4)), CONV()),
    ],
)
def test_single_operations(net):
    class Copy(Do):  # the oracle needs a leaf that in-place operations leave alone
        def forward(self, x):
            return super().forward(x.clone())

    compare(Copy(net.function, *net.parts), (4, 9, 12), dense=True, channels=2)


# never too small, never stale


def trace(function, shape=(1, 4, 8, 9), **options):
    """The field of what the function gives, and its tracer."""
    batch = torch.rand(shape)
    with torch.no_grad(), Tracer(batch) as tracer:
        out = function(batch)
    return tracer.field(out), tracer, out


def test_an_operation_without_a_rule_is_an_upper_bound():
    field, *_ = trace(lambda x: torch.fft.fft(x).abs())
    assert (field.status, field.box(3, 3)) == (Status.UPPER_BOUND, (0, 0, 8, 9))


def test_what_is_written_into_a_part_of_other_memory_makes_the_whole_an_upper_bound():
    def shift(x):
        buffer = torch.zeros_like(x)
        buffer[:, :, 1:] = x[:, :, :-1]
        return buffer

    for function in (shift, lambda x: F.pad(x, (1, 1, 1, 1), mode="circular")):
        field, *_ = trace(function)
        assert (field.status, field.box(1, 1)) == (Status.UPPER_BOUND, (0, 0, 8, 9))


def test_an_in_place_operation_reaches_the_other_views_of_its_memory():
    weight = torch.ones(4, 4, 3, 3)

    def change(x):
        y = x * 1
        part = y[:, :2]
        part += F.conv2d(x, weight, padding=1)[:, :2]
        return y

    field, *_ = trace(change)
    assert field.box(4, 4)[0] <= 3


def test_the_field_is_that_of_the_moment_a_hook_asks():
    net = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(inplace=True))
    seen, batch = [], torch.rand(1, 3, 9, 9)
    wide = torch.ones(3, 3, 3, 3)
    with torch.no_grad(), Tracer(batch) as tracer:
        out = net(batch)
        seen.append(tracer.field(out).box(3, 3))
        out += F.conv2d(batch, wide, dilation=3, padding=2)
        seen.append(tracer.field(out).box(3, 3))
    assert seen == [(3, 3, 6, 6), (1, 1, 8, 8)]


def test_a_value_that_went_through_python_makes_everything_an_upper_bound():
    field, *_ = trace(lambda x: torch.ones(2) * x.mean().item())
    assert (field.status, field.box()) == (Status.UPPER_BOUND, (0, 0, 8, 9))


def test_weights_made_from_the_input_make_an_upper_bound():
    field, *_ = trace(lambda x: F.conv2d(x, x.mean((2, 3))[:, :, None, None]))
    assert (field.status, field.box(1, 1)) == (Status.UPPER_BOUND, (0, 0, 8, 9))


def test_constants_have_no_field_even_at_an_address_used_before():
    batch = torch.rand(1, 1, 64, 64)
    with torch.no_grad(), Tracer(batch) as tracer:
        for _ in range(200):
            tracked = batch * 2
            assert tracer.field(tracked) is not None
            del tracked
            assert tracer.field(torch.zeros(1, 1, 64, 64)) is None
    assert tracer.field(nn.Conv2d(1, 1, 1).weight) is None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_every_gradient_mode_sees_the_same(mode):
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.ReLU6(inplace=True), nn.MaxPool2d(2), nn.Dropout(),
        nn.Upsample(scale_factor=2), nn.ConvTranspose2d(4, 4, 3), nn.LocalResponseNorm(3), nn.GLU(1),
    ).eval()  # fmt: skip
    batch = torch.rand(1, 3, 12, 13)
    with mode(), Tracer(batch) as tracer:
        out = net[:8](batch)
    field = tracer.field(out)
    assert (field.status, field.box(5, 6)) == (Status.EXACT, (1, 3, 7, 9))
    with mode(), Tracer(batch) as tracer:
        assert tracer.field(net(batch)).status is Status.UPPER_BOUND  # no rule for gated units


@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_global_pooling_sees_the_whole_input(format):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    batch = torch.rand(2, 3, 12, 13).to(memory_format=format)
    fields = traced(net.to(memory_format=format), batch, ["0", "1", "2", "3"])
    assert [f.status for f in fields.values()] == [Status.EXACT, *[Status.WHOLE_INPUT] * 4]
    assert fields["1:0"].box(0, 0) == fields["3:0"].box() == (0, 0, 12, 13)


def test_group_and_instance_norm_see_all_positions_and_batch_norm_none():
    for norm, status in ((nn.GroupNorm(2, 4), "whole"), (nn.InstanceNorm2d(4), "whole"), (nn.BatchNorm2d(4), "exact")):
        assert traced(nn.Sequential(norm), torch.rand(1, 4, 8, 9))["out"].status.startswith(status)
    with Tracer(batch := torch.rand(2, 4, 8, 9)) as tracer:
        assert tracer.field(nn.BatchNorm2d(4)(batch)).status is Status.WHOLE_INPUT  # in training it does


def test_channels_last_and_token_layouts_keep_their_positions():
    field, *_ = trace(lambda x: F.avg_pool2d(x, 2).permute(0, 2, 3, 1))
    assert (field.dims, field.box(3, 1)) == ((1, 2), (6, 2, 8, 4))
    field, *_ = trace(lambda x: F.avg_pool2d(x, 2).flatten(2).transpose(1, 2))
    assert (field.dims, field.box(3 * 4 + 1)) == ((1, 1), (6, 2, 8, 4))
    field, _, out = trace(lambda x: F.avg_pool2d(x, 2).flatten(1))
    assert out.shape == (1, 64)
    assert field.box(2 * 16 + 3 * 4 + 1) == (6, 2, 8, 4)


def test_attention_over_positions_sees_the_whole_input():
    def attend(x):
        tokens = F.avg_pool2d(x, 2).flatten(2).transpose(1, 2)
        return F.scaled_dot_product_attention(tokens, tokens, tokens)

    field, *_ = trace(attend)
    assert (field.status, field.box()) == (Status.EXACT, (0, 0, 8, 8))  # the pooling leaves the last column out
    field, *_ = trace(attend, (1, 4, 8, 8))
    assert field.status is Status.WHOLE_INPUT


def test_tracing_on_the_meta_device_needs_no_weights():
    with torch.device("meta"):
        net, batch = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.MaxPool2d(2)).eval(), torch.rand(1, 3, 12, 12)
    assert traced(net, batch)["out"].box(1, 2) == (2, 4, 6, 8)


def test_a_unit_in_the_padding_sees_nothing():
    field = traced(nn.Sequential(nn.Conv2d(1, 1, 1, padding=1)), torch.rand(1, 1, 4, 5))["out"]
    assert field.box(0, 3) == field.box(2, 0) == (0, 0, 0, 0)
    assert field.box(1, 1) == (0, 0, 1, 1)
    assert (field.rows.low[0], field.rows.high[0]) == (0, 0)


def test_mistakes_are_named():
    field, *_ = trace(lambda x: x * 2)
    with pytest.raises(BadValue, match="Row 8 is outside 0 to 7"):
        field.box(8, 0)
    with pytest.raises(BadValue, match="Channel 4"):
        field.box(0, 0, channel=4)
    with pytest.raises(NotSupported, match="not a shape"):
        Tracer(torch.rand(3, 4))
