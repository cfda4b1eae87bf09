"""wrap: a network of one's own, of whatever kind, answers as a plain computation does, or says why not."""

import collections
import dataclasses
import threading

import numpy as np
import pytest
import torch
from near import alike
from own_networks import CLASSES, PREPROCESS, SIZE, picture, plain
from timm.layers import LayerNorm2d
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import explain
from explain.errors import BadValue, ExplainError, NotSupported, Unknown
from explain.network.features import head
from explain.network.heads import HEADS


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(7):
        picture(seed).save(folder / f"{seed}.png")
    return explain.load_images(folder)


class Wrapped(nn.Module):
    """The same with another shape of its output."""

    def __init__(self, turn, outputs=4):
        super().__init__()
        self.net, self.turn = plain(outputs), turn

    def forward(self, x):
        return self.turn(self.net(x))


def scores_of(net, model, image):
    with torch.no_grad():
        return net(model.batch(image))


def chances(model, image):
    return [dict(model.predict(image, len(model.classes))[0])[name] for name in model.classes]


# What an output means ------------------------------------------------------------------------------------------------

Named = collections.namedtuple("Named", "logits aux")


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor


FORMS = {
    "tuple": lambda y: (y, y.new_zeros(len(y), 9)),
    "list": lambda y: [y],
    "dict": lambda y: {"out": y, "aux": y * 2},
    "named tuple": lambda y: Named(y, y * 2),
    "dataclass": lambda y: Output(y, y * 3),
    "nested": lambda y: {"heads": (y, y.new_zeros(len(y), 2))},
    "map of one": lambda y: y[:, :, None, None],
    "squeezed": lambda y: y.squeeze(),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_scores_are_found_in_the_output(form):
    net = Wrapped(FORMS[form])
    model = explain.wrap(net, CLASSES, PREPROCESS)
    wanted = scores_of(net.net, model, picture()).softmax(1)[0]
    assert chances(model, picture()) == pytest.approx(wanted.tolist(), rel=1e-5)
    heat = explain.saliency(model, picture(), "gradient", 2).heat
    batch = model.batch(picture()).requires_grad_()
    assert alike(heat, torch.autograd.grad(net.net(batch)[0, 2], batch)[0].abs().amax(1)[0].numpy())


@pytest.mark.parametrize(
    ("output", "path"), [("logits", "logits"), ("aux", "aux"), (1, 1), ("1:softmax", 1), ("logits:sigmoid", "logits")]
)
def test_the_scores_are_where_one_says(output, path):
    net = Wrapped(FORMS["named tuple"])
    model = explain.wrap(net, CLASSES, PREPROCESS, output)
    assert model.head.path == (path,)
    factor = 2 if path in ("aux", 1) else 1
    wanted = factor * scores_of(net.net, model, picture())
    turned = wanted.sigmoid() if output == "logits:sigmoid" else wanted.softmax(1)
    assert chances(model, picture()) == pytest.approx(turned[0].tolist(), rel=1e-5)


def test_what_has_to_be_chosen_is_asked_with_the_choices():
    net = Wrapped(lambda y: {"first": y, "second": y * 2})
    with pytest.raises(BadValue, match=r"output='first': first \(\d, 4\), second \(\d, 4\)"):
        explain.wrap(net, CLASSES, PREPROCESS)
    with pytest.raises(NotSupported, match=r"no 'third'; it has first .*, second "):
        explain.wrap(net, CLASSES, PREPROCESS, "third")
    with pytest.raises(Unknown, match="kind of output 'softmaxx'"):
        explain.wrap(net, CLASSES, PREPROCESS, "first:softmaxx")
    with pytest.raises(BadValue, match="4 outputs but 3 class names"):
        explain.wrap(plain(), CLASSES[:3], PREPROCESS)
    with pytest.raises(NotSupported, match=r"list of boxes, labels for each picture"):
        explain.wrap(Wrapped(lambda y: [{"boxes": y, "labels": y} for _ in y]), CLASSES, PREPROCESS)


# what the net ends in -> classes given, kind that is found, probabilities of the plain outputs
ENDS = {
    "softmax": (4, (), CLASSES, "softmax", lambda y: y.softmax(1)),
    "softmax within": (4, (nn.Softmax(1),), CLASSES, "probabilities", lambda y: y),
    "logarithms": (4, (nn.LogSoftmax(1),), CLASSES, "softmax", torch.exp),
    "sigmoid within": (4, (nn.Sigmoid(),), CLASSES, "chances", lambda y: y),
    "one logit": (1, (), ("defect",), "sigmoid", torch.sigmoid),
    "one logit of two": (1, (), ("good", "defect"), "binary", lambda y: torch.cat([(-y).sigmoid(), y.sigmoid()], 1)),
    "one chance": (1, (nn.Sigmoid(),), ("defect",), "chances", lambda y: y),
    "one number": (1, (nn.Flatten(0),), ("defect",), "sigmoid", lambda y: y[:, None].sigmoid()),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_probability_is_another(end):
    outputs, more, classes, kind, turned = ENDS[end]
    net = plain(outputs, *more)
    model = explain.wrap(net, classes, PREPROCESS)
    assert model.head.kind == kind
    assert (model.head.found != "") == (kind != "softmax")
    assert chances(model, picture()) == pytest.approx(turned(scores_of(net, model, picture()))[0].tolist(), rel=1e-4)
    target = explain.saliency(model, picture(), "gradient").target
    assert target.probability == pytest.approx(max(chances(model, picture())), rel=1e-4)


def test_labels_each_on_its_own_are_asked_for(pictures, tmp_path):
    net = plain()
    model = explain.wrap(net, CLASSES, PREPROCESS, "sigmoid")
    wanted = torch.cat([scores_of(net, model, one).sigmoid() for one in pictures])
    index = explain.build_index(model, pictures, out=tmp_path)
    chances = np.take_along_axis(wanted.numpy(), index.predictions, 1)
    assert alike(index.probabilities, chances)
    assert (np.diff(chances, axis=1) <= 1e-6).all()
    assert explain.faithfulness(model, picture(), "gradient", portions=3).measures


def test_numbers_have_no_probability(pictures, tmp_path):
    net = plain(2)
    model = explain.wrap(net, ("age", "height"), PREPROCESS, "regression")
    scores = scores_of(net, model, picture())[0]
    assert dict(model.predict(picture())[0]) == pytest.approx({"age": float(scores[0]), "height": float(scores[1])})
    result = explain.saliency(model, picture(), "integrated_gradients", "height")
    assert result.target.probability is None
    assert result.target.confidence_text == f"{float(scores[1]):.4g}"
    assert "%" not in result.figure().title
    assert len(explain.build_index(model, pictures, out=tmp_path)) == len(pictures)


def test_maps_of_classes_are_summed_over_a_region():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
    model = explain.wrap(net, CLASSES, PREPROCESS)
    assert model.head.kind == "segmentation"
    maps = scores_of(net, model, picture())
    assert model.scores(picture())[0].tolist() == pytest.approx(maps.sum((2, 3))[0].tolist(), rel=1e-4)
    batch = model.batch(picture()).requires_grad_()
    wanted = torch.autograd.grad(net(batch)[0, 1].sum(), batch)[0].abs().amax(1)[0]
    assert alike(explain.saliency(model, picture(), "gradient", 1).heat, wanted.numpy())
    assert explain.saliency(model, picture(), "grad_cam", 1, "2").raw_map.shape == SIZE
    there = maps.argmax(1) == 1
    model = explain.wrap(net, CLASSES, PREPROCESS, "segmentation_predicted")
    assert float(model.scores(picture())[0, 1]) == pytest.approx(float(maps[0, 1][there[0]].sum()), rel=1e-4, abs=1e-4)
    with pytest.raises(NotSupported, match="not maps"):
        explain.wrap(plain(), CLASSES, PREPROCESS, "segmentation")


@pytest.mark.parametrize("kind", HEADS)
def test_scores_of_every_kind_have_a_gradient_and_order_the_classes_as_the_probabilities_do(kind):
    head = explain.network.heads.Head(kind)
    shape = (5, 4, 6, 6) if kind.startswith("segmentation") else (5, 1) if kind == "binary" else (5, 4)
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    values = values / values.sum(1, keepdim=True) if kind == "probabilities" else values
    scores = head.scores(values, 5)
    assert scores.shape[0] == 5
    assert torch.autograd.grad(scores[:, -1].sum(), values)[0].abs().sum() > 0
    found = head.probabilities(scores)
    if found is not None:
        assert (found.argsort(1) == scores.argsort(1)).all()
        assert ((found >= 0) & (found <= 1)).all()
    if kind in ("chances", "probabilities"):
        assert torch.allclose(found, values, atol=1e-5)


# Habits of own code --------------------------------------------------------------------------------------------------


class Mixing(nn.Module):
    """A batch norm without running statistics."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.fc = (
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8, track_running_stats=False),
            nn.Linear(8, 4),
        )

    def forward(self, x):
        return self.fc(self.norm(self.conv(x)).relu().mean((2, 3)))


class OneAtATime(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = plain()

    def forward(self, x):
        return self.net(x).reshape(1, -1)


@pytest.mark.parametrize("make", [Mixing, OneAtATime])
def test_pictures_that_would_meet_are_asked_about_alone(make, pictures, tmp_path):
    net = make().eval()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    assert model.behaviour.alone
    wanted = torch.cat([scores_of(net, model, one) for one in pictures])
    assert alike(model.scores(pictures).numpy(), wanted.numpy())
    index = explain.build_index(model, pictures, out=tmp_path)
    assert index.predictions[:, 0].tolist() == wanted.argmax(1).tolist()
    result = explain.saliency(model, pictures[0], "integrated_gradients", 1, steps=4)
    batch, black = model.batch(pictures[0]), model.input_range[0]
    nodes, weights = np.polynomial.legendre.leggauss(4)
    total = 0
    for node, weight in zip(nodes, weights, strict=True):
        between = (black + (1 + node) / 2 * (batch - black)).requires_grad_()
        total = total + weight / 2 * torch.autograd.grad(net(between)[0, 1], between)[0]
    assert alike(result.heat, (total * (batch - black)).sum(1)[0].float().numpy())
    covered = batch.clone()
    window = explain.saliency(model, pictures[0], "occlusion", 1, window=16, stride=16, baseline="black")
    covered[:, :, :16, :16] = black
    with torch.no_grad():
        fall = float(net(batch)[0, 1] - net(covered)[0, 1])
    assert window.heat[0, 0] == pytest.approx(fall, abs=1e-4)


def test_a_net_that_does_not_repeat_itself_is_said(pictures):
    class Dropping(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = plain(64)
            self.fc = nn.Linear(64, 4)

        def forward(self, x):
            return self.fc(F.dropout(self.net(x)) * 20)

    model = explain.wrap(Dropping(), CLASSES, PREPROCESS)
    assert not model.behaviour.repeatable
    assert "other scores each time" in explain.saliency(model, pictures[0]).figure().note
    assert "other scores" not in explain.saliency(explain.wrap(plain(), CLASSES, PREPROCESS), pictures[0]).figure().note


def test_scores_without_a_gradient_are_said():
    class Probe(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.fc = plain(8), nn.Linear(8, 4)

        def forward(self, x):
            with torch.no_grad():
                features = self.net(x)
            return self.fc(features)

    model = explain.wrap(Probe(), CLASSES, PREPROCESS)
    assert "No gradient" in explain.saliency(model, picture()).figure().note


class Tiles(nn.Module):
    """Folds four tiles of each picture into the batch, and convolves a constant besides."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tile, self.last, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)
        self.place = nn.Conv2d(1, 8, 3, padding=1)
        self.register_buffer("grid", torch.linspace(0, 1, 24 * 20).reshape(1, 1, 24, 20))

    def forward(self, x):
        n, c, h, w = x.shape
        tiles = x.reshape(n, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 1, 3, 5).reshape(4 * n, c, h // 2, w // 2)
        maps = self.tile(tiles).relu().reshape(n, 4, 8, h // 2 - 2, w // 2 - 2).mean(1)
        maps = maps + self.place(self.grid)[:, :, 1:-1, 1:-1]
        return self.fc(self.last(maps).relu().mean((2, 3)))


def test_layers_whose_batch_is_not_the_pictures_are_left_out_of_the_index(pictures, tmp_path):
    net = Tiles().eval()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    index = explain.build_index(model, pictures, out=tmp_path / "all")
    assert index.layers == ["last"]
    peaks = []
    for one in pictures:
        held = []
        handle = net.last.register_forward_hook(lambda _m, _i, output, held=held: held.append(output))
        scores_of(net, model, one)
        handle.remove()
        peaks.append(held[0].amax((2, 3))[0])
    found = [row.score for row in index.top("last", 3, count=len(pictures))]
    assert found == pytest.approx(sorted(torch.stack(peaks)[:, 3].tolist(), reverse=True), rel=1e-4)
    for name in ("tile", "place"):
        with pytest.raises(NotSupported, match=name):
            explain.build_index(model, pictures, [name], out=tmp_path / name)


def test_another_forward_is_another_network():
    class Sum(nn.Module):
        def __init__(self, sign):
            super().__init__()
            self.net, self.sign = plain(), sign

        def forward(self, x):
            y = self.net(x)
            return y + 1 if self.sign else y - 1

    first, again, second = (explain.wrap(Sum(sign), CLASSES, PREPROCESS).digest for sign in (True, True, False))
    assert first == again
    assert first != second
    assert explain.wrap(Sum(True), CLASSES, PREPROCESS, "sigmoid").digest != first


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = plain()
        self.lock = threading.Lock()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        with self.lock:
            self.calls += 1
        return self.net(x)

    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle '_thread.lock' object")


def test_a_net_is_left_as_it_was_found():
    net = Counting().train()
    hook = net.net[0].register_forward_hook(lambda _m, _i, output: output * 2)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = torch.get_rng_state()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    explain.saliency(model, picture())
    explain.saliency(model, picture(), "integrated_gradients", steps=4)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert net.training
    assert net.net[4].training
    assert len(net.net[0]._forward_hooks) == 1
    assert not net._forward_hooks
    assert not net._forward_pre_hooks
    assert not [name for name in vars(net) if name.startswith("_explain")]
    assert torch.equal(torch.get_rng_state(), state)
    hook.remove()


NETS = {
    "weight norm": lambda: _with(parametrizations.weight_norm),
    "spectral norm": lambda: _with(parametrizations.spectral_norm),
    "float64": lambda: plain().double(),
    "traced": lambda: torch.jit.trace(plain(), torch.rand(1, 3, *SIZE)),
    "scripted": lambda: torch.jit.script(plain()),
    "compiled": lambda: torch.compile(plain(), backend="eager"),
    "graph": lambda: torch.fx.symbolic_trace(plain()),
    "data parallel": lambda: nn.DataParallel(plain()),
    "names with colons": lambda: nn.Sequential(
        collections.OrderedDict((f"layer:{k}", layer) for k, layer in enumerate(plain()))
    ),
    "channels last": lambda: plain().to(memory_format=torch.channels_last),
}


def _with(norm):
    net = plain()
    norm(net[0])
    norm(net[2])
    return net


@pytest.mark.parametrize("name", NETS)
def test_weights_and_layers_wherever_they_are(name, pictures, tmp_path):
    net = NETS[name]()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    with torch.no_grad():
        wanted = torch.cat([net(model.batch(one).to(next(net.parameters()).dtype)).float() for one in pictures])
    assert alike(model.scores(pictures).numpy(), wanted.numpy())
    try:
        index = explain.build_index(model, pictures, out=tmp_path)
    except NotSupported as error:
        assert name in ("traced", "scripted"), error
        assert "compiled" in model.about["notes"][0]
    else:
        assert index.predictions[:, 0].tolist() == wanted.argmax(1).tolist()
    heat = explain.saliency(model, pictures[0], "gradient", 1).heat
    batch = model.batch(pictures[0]).to(next(net.parameters()).dtype).requires_grad_()
    slope = torch.autograd.grad(net(batch)[0, 1], batch)[0].abs().amax(1)[0].float()
    assert alike(heat, slope.numpy())


# Where channels are --------------------------------------------------------------------------------------------------


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm, self.wide, self.narrow = (
            nn.Conv2d(3, 8, 4, 4),
            nn.LayerNorm(8),
            nn.Linear(8, 24),
            nn.Linear(24, 8),
        )
        self.act, self.fc = nn.GELU(), nn.Linear(8, 4)

    def forward(self, x):
        y = self.stem(x).permute(0, 2, 3, 1)
        y = y + self.narrow(self.act(self.wide(self.norm(y))))
        return self.fc(y.mean((1, 2)))


class Tokens(nn.Module):
    """A vision transformer of one block, with a class token."""

    def __init__(self, token=True):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.token = nn.Conv2d(3, 16, 8, 8), nn.Parameter(torch.randn(1, int(token), 16))
        self.norm1, self.attention = nn.LayerNorm(16), nn.MultiheadAttention(16, 4, batch_first=True)
        self.norm2, self.fc = nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x):
        t = self.stem(x).flatten(2).mT
        t = torch.cat([self.token.expand(len(t), -1, -1), t], 1)
        n = self.norm1(t)
        t = self.norm2(t + self.attention(n, n, n, need_weights=False)[0])
        return self.fc(t[:, 0] if self.token.shape[1] else t.mean(1))


def test_channels_that_come_last_are_channels(pictures, tmp_path):
    net = ChannelsLast().eval()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    assert {name: model.layer(name).shape for name in ("norm", "wide", "act", "narrow")} == {
        "norm": (8, 12, 10), "wide": (24, 12, 10), "act": (24, 12, 10), "narrow": (8, 12, 10)
    }  # fmt: skip
    held = []
    handle = net.act.register_forward_hook(lambda _m, _i, output: held.append(output.detach()))
    scores_of(net, model, pictures[0])
    handle.remove()
    wanted = held[0].permute(0, 3, 1, 2)
    assert alike(explain.activations(model, pictures[0], "act").maps, wanted[0].numpy())
    index = explain.build_index(model, pictures, ["act"], out=tmp_path)
    row = next(row for row in index.top("act", 5, count=7) if row.image == 0)
    assert row.score == pytest.approx(float(wanted[0, 5].max()), rel=1e-4)
    assert float(wanted[0, 5][row.position]) == pytest.approx(row.score, rel=1e-4)
    assert explain.channel(index, "act", 5, pictures[0]).measures
    batch = model.batch(pictures[0]).requires_grad_()
    maps = []
    handle = net.act.register_forward_hook(lambda _m, _i, output: maps.append(output))
    slope = torch.autograd.grad(net(batch)[0, 1], maps[0])[0]
    handle.remove()
    cam = (slope.mean((1, 2), keepdim=True) * maps[0]).sum(3).relu()[0].detach()
    assert alike(explain.saliency(model, pictures[0], "grad_cam", 1, "act").raw_map, cam.numpy())


@pytest.mark.parametrize(("token", "last"), [(True, "norm1"), (False, "norm2")])
def test_grad_cam_over_tokens_is_at_the_last_layer_that_counts(token, last):
    net = Tokens(token).eval()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    assert model.last_maps.name == last, "what a class token takes no notice of any more has an empty map"
    batch, held = model.batch(picture()).requires_grad_(), []
    handle = net.get_submodule(last).register_forward_hook(lambda _m, _i, output: held.append(output))
    slope = torch.autograd.grad(net(batch)[0, 1], held[0])[0]
    handle.remove()
    maps, slopes = (one[0, int(token) :].detach().mT.reshape(16, 6, 5) for one in (held[0], slope))
    wanted = (slopes.mean((1, 2), keepdim=True) * maps).sum(0).relu()
    assert alike(explain.saliency(model, picture(), "grad_cam", 1).raw_map, wanted.numpy())


def test_a_unit_sees_the_patch_at_its_place_however_channels_lie():
    """Where rows and columns are is told by the layer's layout, not by how the tensor lies in memory."""
    fields = {name: explain.wrap(net.eval(), CLASSES, PREPROCESS).layer(name).field for name, net in (
        ("act", ChannelsLast()), ("norm1", Tokens()), ("norm2", Tokens()),
    )}  # fmt: skip
    assert fields["act"].box(5, 7, channel=17) == (20, 28, 24, 32)
    assert fields["norm1"].box(2, 3, channel=15) == (16, 24, 24, 32)
    assert fields["norm2"].box(2, 3, channel=15) == (0, 0, *PREPROCESS.size)


def test_norms_of_maps_are_no_norms_of_channels_that_come_last():
    """timm's LayerNorm2d is a LayerNorm by its class; behind attention or an average nothing else tells."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.act = nn.Conv2d(3, 8, 4, 4), LayerNorm2d(8), nn.GELU()
            self.head, self.fc = LayerNorm2d(8), nn.Linear(8, 4)
            self.last = nn.LayerNorm(8)

        def forward(self, x):
            y = self.conv(x)
            y = self.act(self.norm(y + y.mean((2, 3), keepdim=True)))
            y = self.last(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return self.fc(self.head(y.mean((2, 3), keepdim=True)).flatten(1))

    model = explain.wrap(Net().eval(), CLASSES, PREPROCESS)
    shapes = {name: model.layer(name).shape for name in ("norm", "act", "last", "head")}
    assert shapes == {"norm": (8, 12, 10), "act": (8, 12, 10), "last": (8, 12, 10), "head": (8, 1, 1)}
    assert model.last_maps.name == "last"


def test_pixels_that_become_tokens_by_a_linear_layer_have_places(tmp_path, pictures):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.norm, self.fc = nn.Linear(3 * 64, 16), nn.LayerNorm(16), nn.Linear(16, 4)

        def forward(self, x):
            n, c, h, w = x.shape
            patches = x.reshape(n, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * 64)
            return self.fc(self.norm(self.embed(patches)).mean(1))

    model = explain.wrap(Net().eval(), CLASSES, PREPROCESS)
    layer = model.layer("norm")
    assert (layer.shape, layer.field.box(2, 3)) == ((16, 6, 5), (16, 24, 24, 32))
    assert model.last_maps.name == "norm"


def test_maps_that_no_picture_reaches_are_not_looked_at():
    """Swin's second version makes its biases by layers of their own."""

    class Net(ChannelsLast):
        def __init__(self):
            super().__init__()
            self.bias = nn.LayerNorm(8)

        def forward(self, x):
            return super().forward(x) + self.bias(torch.ones(1, 12, 10, 8)).mean()

    assert explain.wrap(Net().eval(), CLASSES, PREPROCESS).last_maps.name == "norm"


def test_features_are_before_the_scores_of_the_picture_not_of_its_tokens():
    """VOLO has both; which are last must not hang on whether its layers were looked at before."""

    class Net(Tokens):
        def __init__(self):
            super().__init__()
            self.each = nn.Linear(16, 4)

        def forward(self, x):
            scores = super().forward(x)
            return scores + self.each(self.stem(x).flatten(2).mT).amax(1)

    model = explain.wrap(Net().eval(), CLASSES, PREPROCESS)
    for _ in range(2):
        with model.exclusive() as net:
            assert head(net, model.batch(picture())) == "fc"
        assert model.scanned


def test_kernels_of_five_dimensions_are_indexed(tmp_path, pictures):
    """LambdaNetworks: memory by channels is for those of four."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.deep, self.fc = nn.Conv2d(3, 8, 3), nn.Conv3d(1, 1, 3, padding=1), nn.Linear(8, 4)

        def forward(self, x):
            return self.fc(self.deep(self.conv(x)[:, None])[:, 0].mean((2, 3)))

    assert explain.build_index(explain.wrap(Net().eval(), CLASSES, PREPROCESS), pictures, out=tmp_path).layers == [
        "conv"
    ]


# Doors ---------------------------------------------------------------------------------------------------------------


def test_what_is_no_network_is_refused():
    for wrong in ({"conv.weight": torch.zeros(1)}, "resnet18", None, plain):
        with pytest.raises(BadValue, match=r"no torch\.nn\.Module"):
            explain.wrap(wrong)
    with pytest.raises(NotSupported, match="device 'meta'"):
        explain.wrap(plain().to("meta"), CLASSES, PREPROCESS)
    with pytest.raises(NotSupported, match="does not take a picture"):
        explain.wrap(nn.Linear(3, 4), CLASSES, PREPROCESS)
    assert explain.wrap(plain(), ("a", "b", "a", "c"), PREPROCESS).classes == ("a (0)", "b", "a (2)", "c")
    with pytest.raises(BadValue, match="one text"):
        explain.wrap(plain(), "abcd", PREPROCESS)


def test_classes_by_number_and_none():
    assert explain.wrap(plain(), {"1": "b", "0": "a", 2: "c", 3: "d"}, PREPROCESS).classes == CLASSES
    assert explain.wrap(plain(), None, PREPROCESS).classes == ("0", "1", "2", "3")
    with pytest.raises(BadValue, match="leaves numbers out"):
        explain.wrap(plain(), {0: "a", 2: "b"}, PREPROCESS)


def test_preprocessing_that_was_not_given_is_said_to_be_a_guess():
    model = explain.wrap(plain(), CLASSES)
    assert model.preprocess.size == (224, 224)
    assert "guess" in model.about["preprocess_from"]
    fixed = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))
    assert explain.wrap(fixed).preprocess == explain.Preprocess(28, channels=1)


def test_a_saved_network_is_read_back_with_its_module(tmp_path, pictures):
    model = explain.wrap(plain(), CLASSES, PREPROCESS, "sigmoid", "mine")
    folder = explain.save_model(model, tmp_path / "mine")
    with pytest.raises(NotSupported, match="--architecture"):
        explain.load_model(folder)
    torch.manual_seed(9)
    net = plain()
    nn.init.normal_(net[0].weight)
    again = explain.load_model(folder, architecture=net)
    assert (again.digest, again.classes, again.name) == (model.digest, CLASSES, "mine")
    index = explain.build_index(model, pictures, out=tmp_path / "index")
    assert explain.open_index(tmp_path / "index", again).layers == index.layers
    with pytest.raises(ExplainError, match="open it with that model"):
        _ = explain.open_index(tmp_path / "index").model
    figure = explain.saliency(model, explain.open_picture("photos/0")).save(tmp_path / "map.png")
    facts = explain.read_facts(figure)
    assert explain.redraw(facts, model=again).title == explain.redraw(facts, model=model).title


FACTORY = """
import torch
from timm.layers import LayerNorm2d
from torch import nn

def build(width=8, classes=4):
    torch.manual_seed(0)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), *head)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = build()
    def forward(self, x):
        return {"logits": self.net(x)}

def broken():
    raise RuntimeError("no such file: weights")

number = 3
"""


@pytest.fixture
def factory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(FACTORY)
    return "nets.py"


def test_a_factory_is_named_in_every_door_of_who_starts_the_process(factory, run, tmp_path):
    given = {"arguments": {"width": 5}, "preprocess": {"size": 32}}
    model = explain.load_model(f"{factory}:build", classes=CLASSES, **given)
    assert (model.name, model.layer("0").channels, model.preprocess.size) == ("build", 5, (32, 32))
    assert len(model.about["source_sha256"]) == 64
    torch.save({"state_dict": {f"model.{k}": v + 1 for k, v in _state(factory).items()}}, "w.ckpt")
    weighted = explain.load_model(f"{factory}:Net", weights="w.ckpt", classes=CLASSES, preprocess={"size": 32})
    assert weighted.digest != explain.load_model(f"{factory}:Net", classes=CLASSES, preprocess={"size": 32}).digest
    assert "'model.'" in weighted.about["notes"][0]
    words = [
        "--classes",
        *CLASSES,
        "--size",
        32,
        "--mean",
        0.5,
        0.5,
        0.5,
        "--std",
        0.2,
        0.2,
        0.2,
        "--output",
        "sigmoid",
    ]
    status, out, err = run("predict", f"{factory}:build", "photos/0", "--arg", "width=6", *words)
    assert (status, err) == (0, "")
    assert sorted(line.split()[1] for line in out.splitlines()) == list(CLASSES)
    status, _, err = run(
        "saliency", "w.ckpt", "photos/0", "--architecture", f"{factory}:Net", "--size", 32, "--out", "s.png"
    )
    assert status == 0, err


def _state(factory):
    with explain.load_model(f"{factory}:Net", preprocess={"size": 32}).exclusive() as net:
        return {key: value.clone() for key, value in net.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("nope", "Did you mean|Valid"),
        ("broken", "no such file: weights"),
        ("number", "gives a int"),
        ("build?x=1", "Unknown"),
    ],
)
def test_a_factory_that_fails_is_one_sentence(factory, run, name, part):
    status, out, err = run("predict", f"{factory}:{name}", "photos/0")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert pytest.importorskip("re").search(part, err)


def test_no_factory_is_named_by_a_url(factory):
    from explain.ui import caches

    with pytest.raises(ExplainError):
        caches._loaded(f"{factory}:build")
    (__import__("pathlib").Path("package.py")).write_text(FACTORY)
    with pytest.raises(ExplainError):
        caches._loaded("package:build")
    assert explain.load_model("package:build", preprocess={"size": 32}).name == "build"
    with pytest.raises(Unknown):
        explain.load_model("package:build", preprocess={"size": 32}, code=False)


def test_asking_within_asking_is_the_same():
    model = explain.wrap(plain(4, nn.Sigmoid()), CLASSES, PREPROCESS)
    scores = model.scores(picture())
    twin = explain.wrap(plain(4, nn.Sigmoid()), CLASSES, PREPROCESS)
    with model.exclusive(), model.exclusive() as net:
        with torch.no_grad():
            assert alike(net(model.batch(picture())).numpy(), scores.numpy())
        assert alike(model.scores(picture()).numpy(), scores.numpy())
        assert model.digest == twin.digest


class Coordinates(nn.Module):
    """It keeps a grid that it makes anew for another number of pictures only."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc, self.grid = nn.Conv2d(5, 8, 3), nn.Linear(8, 4), None

    def forward(self, x):
        if self.grid is None or len(self.grid) != len(x):
            lines = (torch.linspace(-1, 1, side) for side in x.shape[2:])
            self.grid = torch.stack(torch.meshgrid(*lines, indexing="ij"))[None].repeat(len(x), 1, 1, 1).to(x)
        return self.fc(self.conv(torch.cat([x, self.grid], 1)).relu().mean((2, 3)))


def test_what_a_net_keeps_for_the_size_of_its_picture_is_not_that_of_our_trials():
    net = Coordinates().eval()
    model = explain.wrap(net, CLASSES, PREPROCESS)
    image = picture()
    wanted = scores_of(Coordinates().eval(), model, image)
    assert alike(model.scores(image).numpy(), wanted.numpy())
    assert model.layers
    assert alike(model.scores(image).numpy(), wanted.numpy())
    assert model.caveats == ()
    assert alike(model.scores(image).numpy(), wanted.numpy())


def test_an_index_under_another_default_precision(pictures, tmp_path):
    model = explain.wrap(plain(), CLASSES, PREPROCESS)
    torch.set_default_dtype(torch.float64)
    try:
        index = explain.build_index(model, pictures, out=tmp_path / "index")
        found = explain.patches(index, index.layers[0], [0, 1], where=index.slices[0])
        explain.batch_costs(model, [1, 2])
    finally:
        torch.set_default_dtype(torch.float32)
    again = explain.patches(index, index.layers[0], [0, 1], where=index.slices[0])
    assert found.table["score"] == pytest.approx(again.table["score"], rel=1e-5)
    assert np.allclose(index.features, explain.build_index(model, pictures, out=tmp_path / "other").features)


def test_a_guessed_size_is_said_with_every_answer(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    guessed = explain.wrap(net, classes=["a", "b"])
    (said,) = (one for one in guessed.caveats if "224 x 224" in one)
    assert "guess" in said
    picture = explain.load_images("photos")[0]
    assert said in explain.saliency(guessed, picture).figure().note
    given = explain.wrap(net, classes=["a", "b"], preprocess=explain.Preprocess(64))
    assert not [one for one in given.caveats if "guess" in one]
    explain.save_model(guessed, tmp_path / "saved")
    assert said in explain.load_model(tmp_path / "saved", architecture=net).caveats
    told = explain.load_model(tmp_path / "saved", architecture=net, preprocess=explain.Preprocess(64))
    assert not [one for one in told.caveats if "guess" in one]
