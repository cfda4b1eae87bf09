"""What excites a unit, against captum, against its receptive field, and beside other threads."""

import copy
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from captum.attr import NeuronDeconvolution, NeuronGradient, NeuronGuidedBackprop
from near import alike, is_peak
from torch import nn
from torch.nn import functional as F

from explain.attribution.units import UNIT_METHODS
from explain.errors import BadValue, ExplainError, NotSupported, Unknown
from explain.nets import NETS
from explain.network.model import Model, Preprocess
from explain.views import unit
from explain.views.parts.result import SHARED
from explain.workspace import open_picture

ORACLES = {"deconvnet": NeuronDeconvolution, "guided": NeuronGuidedBackprop, "gradient": NeuronGradient}
BOUNDED = [
    lambda x: F.relu6(x),
    lambda x: F.relu6(x + 0, inplace=True),
    lambda x: F.hardtanh(x, 0, 6),
    lambda x: F.hardtanh(x, min_val=0.0, max_val=6.0),
    lambda x: x.clamp(0, 6),
    lambda x: torch.clamp(x, min=0, max=6),
    nn.ReLU6(),
]
RECTIFIERS = [
    F.relu,
    torch.relu,
    torch.Tensor.relu,
    nn.ReLU(),
    nn.ReLU(inplace=True),
    lambda x: F.relu(x, inplace=True),
    lambda x: x.relu_(),
    lambda x: torch.relu_(x),
    lambda x: x.clamp(min=0),
    lambda x: x.clamp_min_(0),
    lambda x: torch.clamp(x, 0),
    lambda x: x.view(-1).relu_().view_as(x),
    lambda x: (x.relu_(), x)[1],
    lambda x: (x.view(-1).relu_(), x)[1],
]


class Net(nn.Module):
    """Convolutions, a stride, padding, max-pooling and a linear layer; what rectifies is given."""

    def __init__(self, rectify=None):
        super().__init__()
        generator = torch.random.get_rng_state()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.second = nn.Conv2d(6, 5, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.third = nn.Conv2d(5, 4, 3)
        self.fc = nn.Linear(4 * 6 * 5, 7)
        self.acts = [nn.ReLU(), nn.ReLU(), nn.ReLU()] if rectify is None else [rectify] * 3
        if rectify is None:
            self.relus = nn.ModuleList(self.acts)
        torch.random.set_rng_state(generator)
        self.double().eval().requires_grad_(False)

    def forward(self, x):
        x = self.acts[0](self.first(x))
        x = self.pool(self.acts[1](self.second(x)))
        return self.fc(self.acts[2](self.third(x)).flatten(1))


UNITS = [("first", 2, (3, 4)), ("second", 1, (0, 0)), ("pool", 4, (7, 6)), ("third", 3, (2, 1)), ("fc", 5, ())]
PICTURE = torch.randn(1, 3, 32, 28, dtype=torch.double, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize("name", UNIT_METHODS)
@pytest.mark.parametrize(("layer", "channel", "position"), UNITS)
def test_it_agrees_with_captum(name, layer, channel, position):
    net = Net()
    ours = UNIT_METHODS[name](net, layer, PICTURE, channel, position)
    oracle = ORACLES[name](net, net.get_submodule(layer)).attribute(PICTURE.clone(), (channel, *position))[0]
    assert ours.shape == (3, 32, 28)
    assert oracle.abs().max() > 1e-3
    assert torch.allclose(ours, oracle, atol=1e-9)


def test_the_methods_differ_above_a_relu_and_agree_below_all():
    net = Net()
    third = [UNIT_METHODS[name](net, "third", PICTURE, 3, (2, 1)) for name in UNIT_METHODS]
    first = [UNIT_METHODS[name](net, "first", PICTURE, 2, (3, 4)) for name in UNIT_METHODS]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(third[i], third[j], atol=1e-3)
        assert alike(first[i], first[j])


@pytest.mark.parametrize("name", UNIT_METHODS)
@pytest.mark.parametrize("rectify", RECTIFIERS, ids=range(len(RECTIFIERS)))
def test_every_way_to_write_a_relu_is_seen(name, rectify):
    twin = Net(rectify)
    for layer, channel, position in UNITS[-2:]:
        expected = UNIT_METHODS[name](Net(), layer, PICTURE, channel, position)
        assert alike(UNIT_METHODS[name](twin, layer, PICTURE, channel, position), expected)
    assert alike(twin(PICTURE.clone()), Net()(PICTURE.clone())), "the net is as it was"


@pytest.mark.parametrize("rectify", BOUNDED, ids=range(len(BOUNDED)))
def test_relu6_by_its_definition(rectify):
    """One rectifier between two linear maps, so that each rule can be written down."""
    torch.manual_seed(0)
    below, above = nn.Linear(6, 40).double(), nn.Linear(40, 1).double()
    with torch.no_grad():
        below.weight.mul_(8)
        between = below(x := torch.randn(1, 6, dtype=torch.double))[0]

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.below, self.above = below, above

        def forward(self, batch):
            return self.above(rectify(self.below(batch.flatten(1))))

    net = Pair().eval().requires_grad_(False)
    weight, inside = above.weight[0], (between > 0) & (between < 6)
    assert 5 < inside.sum() < 35
    assert (between >= 6).sum() > 3
    for name, signal in {
        "gradient": weight * inside,
        "deconvnet": weight.clamp(min=0),
        "guided": weight.clamp(min=0) * inside,
    }.items():
        ours = UNIT_METHODS[name](net, "above", x.view(1, 1, 2, 3), 0, ())
        assert torch.allclose(ours.flatten(), signal @ below.weight, atol=1e-12), name


OTHERS = [F.silu, F.gelu, F.hardswish, F.elu, F.leaky_relu, F.mish, F.softplus, torch.sigmoid, torch.tanh, F.hardtanh]
OTHERS += [F.hardsigmoid, F.celu, F.rrelu, F.selu, torch.jit.script(nn.ReLU())]


@pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
def test_another_activation_is_refused_not_passed_over(other):
    net = Net(other)
    for name in ("deconvnet", "guided"):
        with pytest.raises(NotSupported, match=r"ReLU only.*'third'.*'gradient'"):
            UNIT_METHODS[name](net, "third", PICTURE, 3, (2, 1))
        UNIT_METHODS[name](net, "first", PICTURE, 3, (2, 1))
    assert UNIT_METHODS["gradient"](net, "third", PICTURE, 3, (2, 1)).isfinite().all()


def test_a_gate_beside_relus_is_let_be_and_half_a_rule_is_refused():
    gated = Net(lambda x: F.relu(x) * torch.sigmoid(x.mean((2, 3), keepdim=True)))
    mixed = Net(lambda x: F.relu(x) + F.silu(x))
    assert UNIT_METHODS["guided"](gated, "third", PICTURE, 3, (2, 1)).abs().max() > 0
    with pytest.raises(NotSupported, match="SiLU"):
        UNIT_METHODS["guided"](mixed, "third", PICTURE, 3, (2, 1))


def test_clamped_indices_stay_indices():
    net = Net(lambda x: F.relu(x)[..., torch.arange(-1, x.shape[-1] - 1).clamp(min=0)])
    for name in UNIT_METHODS:
        assert UNIT_METHODS[name](net, "third", PICTURE, 3, (2, 1)).any()


def test_threads_do_not_disturb_each_other():
    """A copy of the net for each thread and no lock: what the rule replaces is seen by one thread alone."""
    nets = [Net(F.relu) for _ in range(8)]
    alone = {name: UNIT_METHODS[name](nets[0], "third", PICTURE, 3, (2, 1)) for name in UNIT_METHODS}
    jobs = list(UNIT_METHODS) * 40
    random.Random(0).shuffle(jobs)

    def ask(thread):
        return [
            alike(UNIT_METHODS[name](nets[thread], "third", PICTURE, 3, (2, 1)), alone[name])
            for name in jobs[thread::8]
        ]

    with ThreadPoolExecutor(8) as pool:
        answers = [one for many in pool.map(ask, range(8)) for one in many]
    assert len(answers) == 120
    assert all(answers)


def test_methods_leave_the_net_alone_and_work_in_any_mode():
    net = Net(lambda x: F.relu(x, inplace=True))
    before = copy.deepcopy(net.state_dict())
    picture = PICTURE.clone()
    for name in UNIT_METHODS:
        plain = UNIT_METHODS[name](net, "third", picture, 3, (2, 1))
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                assert alike(UNIT_METHODS[name](net, "third", PICTURE.clone(), 3, (2, 1)), plain)
        assert not plain.requires_grad
    assert torch.equal(picture, PICTURE)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), net.state_dict().values(), strict=True))
    assert not any(m._forward_hooks or m._backward_hooks for m in net.modules())


# ------------------------------------------------------------ the view


@pytest.fixture(scope="module")
def small():
    net = Net().float()
    return Model("small", net, Preprocess((32, 28), (32, 28), (0.5,), (0.2,), 3), tuple("abcdefg"))


@pytest.fixture(scope="module")
def relu_lenet():
    torch.manual_seed(0)
    net = NETS["lenet"](activation="relu", pooling="max")
    return Model("relu-lenet", net, Preprocess((28, 28), (28, 28), (0.3,), (0.3,), 1), tuple("0123456789"))


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (32, 28, 3), np.uint8)


@pytest.mark.parametrize("method", UNIT_METHODS)
@pytest.mark.parametrize("which", ["small", "relu_lenet"])
def test_it_is_zero_outside_what_the_unit_sees_and_not_inside(which, method, noise, request):
    model = request.getfixturevalue(which)
    for layer in model.layers:
        if not layer.spatial:
            continue
        rows, columns = layer.shape[1:]
        for place in {(0, 0), (rows // 2, columns // 2), (rows - 1, columns // 2)}:
            result = unit.compute(model, noise, layer.name, layer.channels - 1, place, method)
            y0, x0, y1, x1 = result.box
            assert (y1 - y0) * (x1 - x0) < 32 * 28
            assert result.projection.shape == (model.preprocess.channels, *model.preprocess.size)
            outside = result.projection.copy()
            outside[:, y0:y1, x0:x1] = 0
            assert not outside.any(), (layer.name, place)
            if "conv" in layer.kind.lower() and method == "deconvnet":
                assert result.projection.any(), (layer.name, place)


def test_an_unchosen_position_is_the_strongest(small, noise):
    with small.exclusive() as net:
        maps = torch.relu(net.first(small.batch(noise)))[0].numpy()
    for channel in range(6):
        result = unit.compute(small, noise, "relus.0", channel)
        assert is_peak(maps[channel], result.position)
        assert result.value == pytest.approx(maps[channel].max())
        assert result.facts["position"] == list(result.position)


def test_a_real_network(lite):
    cat = open_picture("photos/chelsea.png")
    for method, layer, channel in (("deconvnet", "blocks.2.0.bn1", 5), ("guided", "classifier", 281)):
        result = unit.compute(lite, cat, layer, channel, method=method)
        assert result.projection.shape == (3, 224, 224)
        assert np.isfinite(result.projection).all()
        assert result.projection.dtype == np.float32
        assert result.projection.any()
    assert result.box == (0, 0, 224, 224)
    assert result.position == ()


def test_a_flattened_unit_sees_what_its_place_in_the_map_saw(relu_lenet, noise):
    result = unit.compute(relu_lenet, noise[:28], "flatten", 31)  # channel 1, row 1, column 1
    there = unit.compute(relu_lenet, noise[:28], "pool2", 1, (1, 1))
    assert result.box == there.box
    assert alike(result.projection, there.projection)


@pytest.mark.parametrize(
    ("layer", "channel", "position", "said"),
    [
        ("third", 4, None, "Channel 4.*'third'.*0 to 3"),
        ("third", -1, None, "0 to 3"),
        ("third", "x", None, "'x'.*0 to 3"),
        ("third", 0, (6, 0), r"\(6, 0\).*\(0, 0\) to \(5, 4\)"),
        ("third", 0, (0, -1), r"\(0, 0\) to"),
        ("third", 0, (1,), r"\(0, 0\) to"),
        ("third", 0, 3, r"\(0, 0\) to"),
        ("third", 0, ("a", "b"), r"\(0, 0\) to"),
        ("fc", 7, None, "0 to 6"),
        ("fc", 1, (0, 0), "vector"),
    ],
)
def test_a_wrong_unit_is_named(small, noise, layer, channel, position, said):
    with pytest.raises(BadValue, match=said):
        unit.compute(small, noise, layer, channel, position)


def test_wrong_names_are_named(small, noise, lenet):
    with pytest.raises(Unknown, match=r"deconv.*deconvnet"):
        unit.compute(small, noise, "third", 0, method="deconv")
    with pytest.raises(Unknown, match=r"'thrid'.*third"):
        unit.compute(small, noise, "thrid", 0)
    with pytest.raises(ExplainError, match="steps"):
        unit.compute(small, noise, "third", 0, steps=3)
    with pytest.raises(NotSupported, match="Sigmoid"):
        unit.compute(lenet, noise, "conv2", 0)


def test_the_figure_shows_box_and_zero(small, noise):
    result = unit.compute(small, noise, "second", 1, (8, 7))
    figure = result.figure()
    assert len(figure.panels) == 3
    scale = figure.panels[1].scale
    assert scale.high == -scale.low == np.abs(result.projection).max()
    whole, (y0, x0, y1, x1) = figure.panels[1].image, result.box
    assert (whole[0, 0] == 128).all(), "zero is the middle grey"
    strongest = np.unravel_index(np.abs(result.projection).argmax(), result.projection.shape)
    assert whole[strongest[1], strongest[2], strongest[0]] in (0, 255)
    factor = figure.panels[2].image.shape[0] // (y1 - y0)
    assert np.array_equal(figure.panels[2].image[::factor, : (x1 - x0) * factor : factor], noise[y0:y1, x0:x1])
    assert np.array_equal(figure.panels[2].image[::factor, -(x1 - x0) * factor :: factor], whole[y0:y1, x0:x1])
    assert "Adebayo" in figure.note
    assert SHARED in figure.note
    assert figure.facts["box"] == result.box
    assert result.figure(clip=90).panels[1].scale.high < scale.high


def test_nothing_to_show_is_said(small, noise):
    """A dead unit has no gradient, and a vector's unit sees everything: no panel is cut for it."""
    net = Net().float()
    with torch.no_grad():
        net.second.bias.fill_(-1e4)
    dead = Model("dead", net, small.preprocess, small.classes)
    result = unit.compute(dead, noise, "relus.1", 0, method="gradient")
    assert not result.projection.any()
    figure = result.figure()
    assert figure.panels[1].scale is None
    assert "No pixel moves it" in figure.note
    assert "does not respond" in unit.compute(dead, noise, "relus.1", 0).figure().note
    assert len(unit.compute(small, noise, "fc", 1).figure().panels) == 2


@pytest.mark.parametrize("format", ["png", "npz", "csv"])
def test_it_can_be_saved(small, noise, tmp_path, format):
    result = unit.compute(small, noise, "third", 1)
    file = result.save(tmp_path / f"unit.{format}")
    if format == "npz":
        assert np.array_equal(np.load(file)["projection"], result.projection)
    assert file.stat().st_size > 100
