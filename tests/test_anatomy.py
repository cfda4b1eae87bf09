"""Where parameters, memory and computation are, two networks, batches, the calculator, and the lectures' tables."""

import json
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torchvision import models

import explain
from explain import cli
from explain.errors import BadValue, ExplainError, Unknown
from explain.figure import read_facts
from explain.lectures import slides, tables
from explain.lectures.arithmetic import conv_macs
from explain.nets.densenet import DenseNet
from explain.network.costs import FAMILIES, count, family, shares
from explain.network.layers import scan
from explain.network.model import Preprocess
from explain.views import anatomy, batch_costs, compare, output_size
from explain.views import lecture_tables as lectures

ABOUT = pytest.approx


@pytest.fixture(scope="module")
def alexnet():
    """torchvision's form."""
    return explain.load_model("alexnet?form=torchvision&size=224")


@pytest.fixture(scope="module")
def alexnet_anatomy(alexnet):
    return anatomy.compute(alexnet)


# Where it all is -----------------------------------------------------------------------------------------------------


def test_alexnet_is_fully_connected_in_parameters_and_convolutional_in_computation(alexnet_anatomy):
    by = {share.quantity: share for share in alexnet_anatomy.shares}
    assert by["parameters"].largest["fc6"] == ABOUT(0.6179, abs=0.001)
    assert by["macs"].largest["conv2"] == ABOUT(0.3136, abs=0.001)
    assert next(iter(by["macs"].largest)) == "conv2"
    assert alexnet_anatomy.words[0] == "96.0% of the parameters are in fully connected layers; fc6 alone has 61.8%."


def test_vgg_of_the_lectures():
    """S3:336-338: most parameters in fully connected layers, most memory in convolutions; 15.24M values."""
    net, batch = on_meta("vgg", 224)
    by = {share.quantity: share for share in shares(count(net, batch).layers)}
    assert by["parameters"].families["fully connected layers"] == ABOUT(0.894, abs=0.001)
    early = by["activations"].families["convolutions"] + by["activations"].families["poolings"]
    assert early > 0.99
    result = anatomy.activations(count(net, batch).layers, 3 * 224**2)
    assert result == 15_237_608


def test_neurons_of_the_paper():
    net, batch = on_meta("alexnet", 227)
    layers = count(net, batch).layers
    assert anatomy.neurons(layers) == 659_272


def on_meta(name, size, **options):
    with torch.device("meta"):
        return explain.nets.NETS[name](size=size, **options).eval(), torch.zeros(1, 3, size, size)


def test_traffic_is_weights_input_and_output(alexnet, alexnet_anatomy):
    table = alexnet_anatomy.table
    moved = dict(zip(table["layer"], table["bytes_moved"], strict=True))
    assert moved["conv1"] == 4 * (64 * 3 * 11 * 11 + 64 + 3 * 224 * 224 + 64 * 55 * 55)
    assert moved["relu1"] == 8 * 64 * 55 * 55
    assert moved["fc6"] == 4 * (9216 * 4096 + 4096 + 9216 + 4096)
    assert moved["drop6"] == moved["flatten"] == 0, "they pass their input on"
    per_byte = dict(zip(table["layer"], table["macs_per_byte"], strict=True))
    assert per_byte["conv2"] == ABOUT(conv_macs(5, 64, 192, 27) / moved["conv2"], abs=1e-3)
    assert per_byte["fc6"] <= 0.25 < 10 < per_byte["conv3"]


def test_layers_in_place_move_and_shared_weights_move_each_time():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act = nn.Conv2d(2, 2, 1, bias=False), nn.ReLU(inplace=True)

        def forward(self, x):
            return self.conv(self.act(self.conv(x)))

    first, act, second = scan(Twice().eval(), torch.zeros(1, 2, 3, 3))
    assert (first.parameters, second.parameters) == (4, 0)
    assert first.moved == second.moved == 4 * (4 + 18 + 18)
    assert act.moved == 8 * 18


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_scanning_without_values_or_fields_gives_the_same(name):
    make = getattr(models, name)
    plain = scan(make().eval(), torch.zeros(1, 3, 64, 64))
    with torch.device("meta"):
        bare = scan(make().eval(), torch.zeros(1, 3, 64, 64), fields=False)
    keys = ("name", "kind", "shape", "parameters", "macs", "moved", "passes")
    assert [[getattr(layer, key) for key in keys] for layer in plain] == [
        [getattr(layer, key) for key in keys] for layer in bare
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Conv2dSame", 0), ("Linear", 1), ("BatchNormAct2d", 2), ("AvgPool2d", 3), ("Hardswish", 4), ("Upsample", 5)],
)
def test_families(kind, expected):
    assert family(kind) == FAMILIES[expected]


@pytest.mark.parametrize(
    "net", [DenseNet(3, 10, (2, 3), 4, 2), models.DenseNet(4, (2, 3), 8, bn_size=2, num_classes=10)]
)
def test_a_densenet_says_what_its_joined_maps_take(net):
    """C09, ours and torchvision's: 8 maps come into the first block, each layer adds 4, and a transition leaves half at
    half the size."""
    wanted, maps, side = 0, 8, 16
    for layers in (2, 3):
        wanted += sum((maps + 4 * k) * side**2 for k in range(layers))
        maps, side = (maps + 4 * layers) // 2, side // 2
    result = anatomy.compute(explain.wrap(net, preprocess=Preprocess((64, 64), 64, (0.5,) * 3, (0.5,) * 3)))
    assert result.joined == wanted
    assert f"{wanted:,} values" in result.figure().note


def test_who_joins_nothing_says_nothing_of_it(lenet):
    assert anatomy.compute(lenet).joined == 0
    assert "dense block" not in anatomy.compute(lenet).sums


@pytest.mark.parametrize("part", anatomy.PARTS)
@pytest.mark.parametrize("name", ["lenet-fashion-mnist", "efficientnet-lite0", "mlp"])
def test_every_part_is_drawn(name, part, tmp_path):
    result = anatomy.compute(explain.load_model(name))
    for share in result.shares:
        assert sum(share.families.values()) == ABOUT(1)
    assert len(result.save(tmp_path / "x.png", part=part).read_bytes()) > 1000
    assert read_facts(tmp_path / "x.png")["style"] == {"part": part}
    with pytest.raises(Unknown, match="layers, shares, field"):
        result.figure(part="nope")


def test_the_field_grows_as_the_lectures_say(alexnet_anatomy):
    sides = {name: side for name, side, _ in alexnet_anatomy.seen}
    assert [sides[f"conv{k}"] for k in (1, 2, 3, 5)] == [11, 51, 99, 163]
    assert "never covers" in alexnet_anatomy.figure(part="field").note


# Two networks --------------------------------------------------------------------------------------------------------


def test_two_networks(alexnet, lenet):
    result = compare.compute(alexnet, lenet)
    assert result.sums["parameters"] == (61_100_840, 61_706)
    assert result.sums["MACs"] == (714_188_480, 416_520)
    for k, what in ((1, "parameters"), (2, "MACs")):
        for which in (0, 1):
            assert sum(pair[which][k] for pair in result.stages.values()) == result.sums[what][which]
    assert f"990 times the parameters of {lenet.name}" in result.words
    assert result.figure().facts["second"]["model"] == lenet.name
    assert len(compare.compute(lenet, lenet).table) == 3


# Batches -------------------------------------------------------------------------------------------------------------


def test_batches(lenet):
    told = []
    result = batch_costs.compute(lenet, [4, 1, 4], training=False, progress=lambda *done: told.append(done))
    costs = result.costs
    assert costs.sizes == [1, 4]
    assert told == [(0, 2, "a batch of 1"), (1, 2, "a batch of 4")]
    assert costs.how == ("measured on the GPU" if lenet.device.type == "cuda" else "estimated, no GPU here")
    assert 0 < costs.estimates[0] < costs.estimates[1]
    assert min(costs.seconds) > 0
    assert len(result.figure().panels) == 2
    assert "without the optimiser" in result.figure().note


def test_batches_drawn_again_are_not_measured_again(lenet, monkeypatch):
    result = batch_costs.compute(lenet, [2, 1])
    monkeypatch.setattr(batch_costs, "time_and_peak", None)
    facts = json.loads(json.dumps(result.figure().facts))
    assert explain.redraw(facts, model=lenet).table == result.table
    for wrong in (
        {"seconds": [1.0]},
        {"seconds": [0.0, 1.0]},
        {"seconds": "12"},
        {"mebibytes": [1.0, float("inf")]},
        {"sizes": [1, 2.5]},
        {"sizes": []},
        {"how": None},
        {"estimates": [True, 1.0]},
    ):
        with pytest.raises(BadValue):
            explain.redraw({**facts, "measured": {**facts["measured"], **wrong}}, model=lenet)
    with pytest.raises(BadValue):
        explain.redraw({**facts, "measured": "x"}, model=lenet)


def test_batches_leave_the_network_as_it_was(lenet):
    before = lenet.digest
    result = batch_costs.compute(lenet, [2], training=True)
    assert result.facts["training"] is True
    with lenet.exclusive() as net:
        assert all(parameter.grad is None for parameter in net.parameters())
    assert explain.load_model(lenet.name).digest == before


@pytest.mark.parametrize("sizes", [[], [0], [True], [1.5], ["x"], [10**9]])
def test_bad_batches(lenet, sizes):
    with pytest.raises(BadValue):
        batch_costs.compute(lenet, sizes)


# Calculator ----------------------------------------------------------------------------------------------------------


def test_the_slides_misfit():
    """S1:868: 7, 3, stride 3 does not fit; torch floors it."""
    result = output_size.compute(size=7, window=3, stride=3)
    assert (result.exact, result.fits, result.floored, result.mixed) == (Fraction(7, 3), False, 2, "2 1/3")
    assert "does not fit" in result.words
    assert "torch rounds down to 2 × 2" in result.words


def test_costs_of_the_slides():
    assert output_size.compute(size=32, window=5, padding=2, out_channels=10).parameters == 760  # S1:973-977
    first = output_size.compute(size=227, window=11, stride=4, out_channels=96)
    assert (first.floored, first.parameters, first.macs) == (55, 34_944, 105_415_200)
    assert [output_size.compute(size=9, window=f).same for f in (3, 5, 7, 2)] == [1, 2, 3, None]


sides = st.integers(1, 24)


@settings(max_examples=150, deadline=None)
@given(
    size=sides,
    window=st.integers(1, 7),
    stride=st.integers(1, 5),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
)
def test_the_calculator_agrees_with_torch(size, window, stride, padding, dilation, groups, bias):
    conv = nn.Conv2d(2, 4, window, stride, padding, dilation, groups, bias)
    options = {"size": size, "window": window, "stride": stride, "padding": padding, "dilation": dilation}
    options |= {"in_channels": 2, "out_channels": 4, "groups": groups, "bias": bias}
    try:
        output = conv(torch.zeros(1, 2, size, size))
    except RuntimeError:
        with pytest.raises(BadValue, match="does not fit once"):
            output_size.compute(**options)
        return
    result = output_size.compute(**options)
    assert output.shape[-1] == result.floored
    assert result.parameters == sum(p.numel() for p in conv.parameters())
    assert result.macs == scan(nn.Sequential(conv), torch.zeros(1, 2, size, size))[0].macs
    last = (result.floored - 1) * stride + result.reach
    assert size + 2 * padding - last == result.rest
    assert result.fits == (result.rest == 0)
    if result.same is not None:
        kept = F.conv2d(
            torch.zeros(1, 1, size, size), torch.zeros(1, 1, window, window), None, 1, result.same, dilation
        )
        assert kept.shape[-1] == size
    assert result.figure().panels


def test_a_drawing_shows_cells_of_the_first_window():
    figure = output_size.compute(size=6, window=3, stride=2, padding=1, dilation=2).figure()
    before, after = (panel.image for panel in figure.panels)
    colours = lambda image: {tuple(colour) for colour in image.reshape(-1, 3).tolist()}  # noqa: E731
    assert {output_size.INPUT, output_size.PADDING, output_size.TAPS, output_size.SKIPPED, output_size.REST} <= colours(
        before
    )
    assert {output_size.TAPS, output_size.OUTPUT} <= colours(after)
    assert not output_size.compute(size=1000).figure().panels


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"window": 8},
        {"stride": 0},
        {"padding": -1},
        {"dilation": "x"},
        {"in_channels": 3, "groups": 2},
        {"bias": "maybe"},
        {"size": 10**9},
    ],
    ids=str,
)
def test_bad_windows(options):
    with pytest.raises(ExplainError):
        output_size.compute(**options)


# The lectures' tables ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_table():
    return {name: lectures.compute(name) for name in tables.TABLES}


@pytest.mark.parametrize("name", tables.TABLES)
def test_every_difference_has_its_reason(every_table, name):
    result = every_table[name]
    assert result.rows
    assert all(row.why for row in result.differences)
    assert all(row.cite for row in result.rows if row.slide)
    assert result.figure().table
    assert slides.NOTES[name] in result.words


def test_no_reason_is_without_a_difference(every_table):
    differing = {(name, row.what, row.network) for name, result in every_table.items() for row in result.differences}
    for table, what, network in slides.REASONS:
        assert any((table, what) == found[:2] and network in ("", found[2]) for found in differing), (table, what)


def test_the_tables_count_what_section_b_says(every_table):
    exact = {(name, row.what, row.network): row.exact for name, table in every_table.items() for row in table.rows}
    for key, expected in {
        ("six", "all parameters", "AlexNet"): 60_965_224,
        ("six", "convolution weights", "AlexNet"): 2_332_704,
        ("six", "fully connected weights", "AlexNet"): 58_621_952,
        ("six", "MACs", "OverFeat fast"): ABOUT(2.8e9, rel=0.003),
        ("six", "convolution weights", "VGG-16"): 14_710_464,
        ("six", "weights", "VGG-16"): 138_344_128,
        ("six", "MACs", "GoogLeNet"): 1_582_671_872,
        ("six", "all parameters", "GoogLeNet"): 6_998_552,
        ("six", "convolution weights", "ResNet-50"): 23_454_912,
        ("six", "MACs", "ResNet-50"): 3_857_973_248,
        ("six", "depth in convolutions", "GoogLeNet"): 21,
        ("six", "depth in convolutions", "ResNet-50"): 49,
        ("six", "convolutions", "GoogLeNet"): 57,
        ("six", "MACs", "LeNet-5"): 416_520,
        ("memory", "memory, MB", "GoogLeNet with both heads"): ABOUT(51, abs=0.5),
        ("memory", "memory, MB", "DenseNet-121"): ABOUT(31, abs=0.5),
        ("memory", "memory, MB", "VGG-19"): ABOUT(548, abs=0.5),
        ("summary", "depth in layers with weights", "DenseNet-264"): 265,
        ("summary", "depth in layers with weights", "ResNet-152"): 152,
        ("blocks", "MACs", "Inception, naive"): 854_196_224,
        ("blocks", "MACs", "Inception with 1 × 1"): 271_351_808,
        ("vgg", "values held", "sum"): 15_237_608,
        ("alexnet", "neurons", "AlexNet"): 659_272,
        ("norms", "parameters", "batch normalisation"): 128,
        ("norms", "parameters", "response normalisation"): 0,
        ("sizes", "all parameters", "AlexNet"): 61_100_840,
        ("sizes", "all parameters", "VGG-11, Fashion-MNIST"): 128_806_154,
        ("sizes", "all parameters", "VGG-11 quarter width, at 96"): 22_121_802,
    }.items():
        found = exact[(key[0], key[2], key[1])] if key[0] == "vgg" else exact[key]
        assert found == expected, key


def test_known_errors_are_marked(every_table):
    marked = {(name, row.what, row.network) for name, table in every_table.items() for row in table.differences}
    assert ("memory", "MACs", "AlexNet") in marked  # 727M
    assert ("blocks", "MACs", "Inception with 1 × 1") in marked  # 358M
    assert ("alexnet", "neurons of conv1", "AlexNet") in marked  # 253,440
    assert ("six", "MACs", "GoogLeNet") in marked  # 1.43G
    assert ("summary", "largest filter", "ResNet-34") in marked  # E20
    assert ("six", "MACs", "VGG-16") not in marked


@pytest.mark.parametrize(
    ("slide", "value", "same"),
    [
        ("61M", 60_965_224, True),
        ("727M", 724_400_000, False),
        ("15.5G", 15_470_264_320, True),
        ("16G", 15_470_264_320, False),
        ("2.6k", 2550, True),
        ("1,728", 1728, True),
        ("1,728", 1729, False),
        ("conv, pool", "conv, pool", True),
        ("each pixel", 3, False),
    ],
)
def test_agreement_is_by_the_digits_that_are_printed(slide, value, same):
    assert tables._agrees(slide, value, 0.0) is same


def test_errors_are_those_published(every_table):
    rows = {(row.what, row.network): row.ours for row in every_table["errors"].rows}
    assert rows["torchvision's weights, %", "AlexNet"] == "20.93"
    assert rows["torchvision's weights, %", "VGG-16"] == "9.62"
    assert float(rows["torchvision's weights, %", "ResNet-50"]) == ABOUT(7.13, abs=0.011)


def test_complexity_is_drawn(every_table, tmp_path):
    result = every_table["complexity"]
    (chart,) = result.figure().panels
    assert len(chart.labels) == len(result.points) == 13
    assert "AlexNet" in result.save(tmp_path / "x.svg").read_text()


def test_counting_does_not_touch_the_random_numbers():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    tables.counts_of.cache_clear()
    for name in ("blocks", "norms", "alexnet"):
        lectures.compute(name)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_unknown_table():
    with pytest.raises(Unknown, match="six, memory"):
        lectures.compute("seven")


# The command line ----------------------------------------------------------------------------------------------------


LENET = "lenet-fashion-mnist"


def test_size_on_the_command_line(run, tmp_path):
    status, out, _ = run("output_size", "--stride", 3, "--out", tmp_path / "x.png")
    assert (status, "2 1/3: does not fit" in out) == (0, True)
    assert read_facts(tmp_path / "x.png")["stride"] == 3
    numbers = json.loads(run("output_size", "--size", 227, "--window", 11, "--stride", 4, "--json")[1])["numbers"]
    assert (numbers["output"], numbers["fits"]) == ("55", True)


def test_anatomy_on_the_command_line(run, tmp_path):
    status, out, _ = run("anatomy", LENET)
    assert status == 0
    assert "fc1 alone has 78.0%" in out
    assert "61,706 parameters (0.2 MiB)" in out
    assert run("anatomy", LENET, "--style", "part=field", "--out", tmp_path / "x.svg")[0] == 0
    assert read_facts(tmp_path / "x.svg")["style"] == {"part": "field"}


def test_two_networks_on_the_command_line(run):
    status, out, _ = run("compare", LENET, "lenet?conv1=20", "--json")
    assert (status, json.loads(out)["facts"]["second"]["model"]) == (0, "lenet?conv1=20")
    assert "lenet?conv1=20 has 1.1 times the parameters" in run("compare", LENET, "lenet?conv1=20")[1]


def test_lectures_on_the_command_line(run, capsys):
    status, out, _ = run("lecture_tables", "--table", "alexnet")
    assert (status, "253,440 ≠ 290,400" in out) == (0, True)
    with pytest.raises(SystemExit):
        cli.main(["lecture_tables", "--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in tables.TABLES)


def test_batches_on_the_command_line(run):
    status, out, _ = run("batch_costs", LENET, "--sizes", 1, 2, "--training")
    assert (status, "training step" in out) == (0, True)


@pytest.mark.parametrize(
    "line",
    [
        ["output_size", "--stride", "x"],
        ["output_size", "--window", 99],
        ["output_size", "--nope", 1],
        ["lecture_tables", "--table", "nope"],
        ["anatomy", LENET, "--style", "part=nope"],
        ["compare", LENET, "nope"],
        ["compare", LENET],
        ["batch_costs", LENET, "--sizes", 0],
        ["output_size", "--out", "x.nope"],
    ],
    ids=lambda line: " ".join(map(str, line)),
)
def test_a_mistake_is_one_line(run, line):
    status, out, err = run(*line)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
