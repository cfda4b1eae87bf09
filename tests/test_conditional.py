"""Concept-conditional relevance: maps that add up to LRP's, products by hand, and zennit-crp, where somebody has it."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

import explain
from explain.attribution import METHODS
from explain.attribution.composites import COMPOSITES
from explain.attribution.conditional import conditional, relevance_at
from explain.errors import BadValue, NotSupported, Unknown

EPSILON, STABILISER = 0.02, 1e-6
TOLERANCE = 1e-5  # of a map's greatest absolute value
NAMES = [name for name in COMPOSITES if name != "epsilon"]


def ends(channels=2):
    return torch.full((1, channels, 1, 1), -2.0).double(), torch.full((1, channels, 1, 1), 2.5).double()


def net_of(inplace=False):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )
    nn.init.normal_(net[1].running_mean), nn.init.uniform_(net[1].running_var, 0.5, 2)
    return net.double().eval().requires_grad_(False)


class Bypassed(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.branch = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, 3, bias=False)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.head((x + self.branch(x)).relu().mean((2, 3)))


def pictures(count=2, side=12, channels=2):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(1)).double()


def close(found, expected, tolerance=1e-9):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("layer", ["0", "1", "2", "3", "4", "5"])
@pytest.mark.parametrize("composite", COMPOSITES)
def test_the_maps_of_all_channels_add_up_to_the_whole_map(composite, layer, inplace):
    net, batch, target = net_of(inplace), pictures(), torch.tensor([2, 0])
    how = {"composite": composite, "epsilon": EPSILON}
    whole = METHODS["lrp"](net, "", batch, target, ends(), **how)
    channels = range(4 if int(layer) < 4 else 6)
    maps = conditional(net, layer, batch, target, ends(), channels, **how)
    assert maps.shape == (2, len(channels), 12, 12)
    close(maps.sum(1), whole)
    assert (maps[:, 0] - maps[:, 1]).abs().max() > 1e-3 * whole.abs().max()


def test_a_map_is_of_its_picture_alone():
    net, batch, target = net_of(), pictures(3), torch.tensor([2, 0, 1])
    whole = conditional(net, "4", batch, target, ends(), [5, 1])
    for k in range(3):
        close(whole[k : k + 1], conditional(net, "4", batch[k : k + 1], target[k : k + 1], ends(), [5, 1]))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_relevance_before_a_linear_head_is_weight_times_activation(composite):
    """Without epsilon; a mean over places hands each its value's share. Composites damp sums by the stabiliser."""
    tolerance = 1e-9 if composite == "epsilon" else 10 * STABILISER
    net, batch, target = net_of(), pictures(), torch.tensor([2, 1])
    if composite != "epsilon":
        net[8] = nn.Linear(6, 3, bias=False).double().requires_grad_(False)
    at = relevance_at(net, "5", batch, target, ends(), composite=composite, epsilon=0.0)
    values = net[:6](batch)
    close(at.output, values)
    close(at.relevance, net[8].weight[target][:, :, None, None] * values / values[0, 0].numel(), tolerance)
    before = relevance_at(net, "4", batch, target, ends(), composite=composite, epsilon=0.0)
    close(before.relevance, at.relevance)  # a rectifier hands on what it has been given


def test_a_layers_own_epsilon_comes_below_it():
    """What weak sums of a layer lose is lost on the way down from it, not on the way to it."""
    net, batch, target = net_of(), pictures(), torch.tensor([2, 1])
    net[8] = nn.Linear(6, 3, bias=False).double().requires_grad_(False)
    free, damped = (relevance_at(net, "4", batch, target, ends(), composite="epsilon", epsilon=e) for e in (0.0, 0.5))
    scores, pooled = net(batch), net[:7](batch)
    kept = scores.abs() / (scores.abs() + 0.5 * scores.square().mean(1, keepdim=True).sqrt())
    kept = kept.gather(1, target[:, None])[:, :, None, None]
    means = pooled.abs() / (pooled.abs() + 0.5 * pooled.square().mean((1, 2, 3), keepdim=True).sqrt())
    close(damped.relevance, free.relevance * kept * means)


def test_a_shortcut_is_not_in_the_maps_of_what_it_goes_past():
    """A sum hands each summand its own share: by the branch comes what is not by the shortcut."""
    net, batch, target = Bypassed().double().eval(), pictures(), torch.tensor([1, 2])
    how = {"composite": "epsilon", "epsilon": 0.0}
    whole = METHODS["lrp"](net, "", batch, target, ends(), **how)
    mine = conditional(net, "branch", batch, target, ends(), range(4), **how).sum(1)
    leaf = batch.clone().requires_grad_()
    stem = net.stem(leaf).relu()
    past, branch = stem, net.branch(stem)
    gate = ((past + branch) > 0) * net.head.weight[target][:, :, None, None] / 144
    for summand, expected in ((branch, mine), (past, whole - mine)):
        (slope,) = torch.autograd.grad(summand, leaf, gate, retain_graph=True)
        close(expected, (slope * batch).sum(1).detach())


def test_what_has_no_maps_or_is_not_reached_is_refused():
    net, batch, target = net_of(), pictures(), torch.tensor([2, 1])
    with pytest.raises(Unknown, match="layer"):
        relevance_at(net, "4:3", batch, target, ends())
    odd = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(2), nn.Flatten(1), nn.Linear(300, 2)).double().eval()
    with pytest.raises(NotSupported, match="maps"):
        relevance_at(odd, "1", batch, target % 2, ends())
    assert relevance_at(odd, "2", batch, target % 2, ends()).relevance.shape == (2, 300)


@pytest.mark.parametrize(
    ("make", "layer"),
    [(models.alexnet, "features.8"), (models.vgg11, "features.16"), (models.vgg16_bn, "features.41")],
)
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_zennit_crp(name, make, layer):
    """Which is no requirement. Its stabilisers are told to be a share of the layer's strength, as ours are."""
    composites, core = pytest.importorskip("zennit.composites"), pytest.importorskip("zennit.core")
    canonizers, crp = pytest.importorskip("zennit.canonizers"), pytest.importorskip("crp.attribution")
    torch.manual_seed(0)
    net, batch, target = make().double().eval(), pictures(1, 64, 3), torch.tensor([3])
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1), nn.init.uniform_(module.running_var, 0.5, 2)
    more = {"low": ends(3)[0], "high": ends(3)[1]} if name.endswith("box") else {}
    epsilon, stabiliser = (core.Stabilizer(share, norm_scale=True) for share in (EPSILON, STABILISER))
    theirs = composites.COMPOSITES[name](
        epsilon=epsilon, stabilizer=stabiliser, canonizers=[canonizers.SequentialMergeBatchNorm()], **more
    )
    how = {"composite": name, "epsilon": EPSILON}
    at = relevance_at(net, layer, batch, target, ends(3), **how)
    channels = at.relevance[0].sum((1, 2)).abs().argsort(descending=True)[:3].tolist()
    maps = conditional(net, layer, batch, target, ends(3), channels, **how)
    asked = crp.CondAttribution(net)
    recorded = asked(batch.clone().requires_grad_(), [{"y": [3]}], theirs, record_layer=[layer])
    close(at.relevance, recorded.relevances[layer], TOLERANCE)
    found = asked(batch.clone().requires_grad_(), [{"y": [3], layer: [one]} for one in channels], theirs)
    for own, expected in zip(maps[0], found.heatmap, strict=True):
        close(own, expected, TOLERANCE)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Of the network, wrapped, over pictures of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 12, 12, 3), np.uint8)
    folder = tmp_path_factory.mktemp("relevance")
    (folder / "pictures").mkdir()
    for k, one in enumerate(noise):
        Image.fromarray(one).save(folder / "pictures" / f"{k:02d}.png")
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3, bias=False)
    )
    with torch.no_grad():
        net[4].weight[2] = -10.0  # of means that are not negative: never the likeliest
    model = explain.wrap(net.eval(), classes=["a", "b", "c"], preprocess=explain.Preprocess((12, 12)))
    return explain.build_index(model, str(folder / "pictures"), k=4, layers=["0"], out=folder / "index")


def test_the_view_ranks_by_weight_times_mean_activation(index):
    """A linear head behind a mean: shares, ranks, patches and positions computed by hand."""
    seen = index.predictions[:, 0]
    number = int(np.bincount(seen).argmax())
    among = [k for k in range(len(index)) if seen[k] == number]
    with index.model.exclusive() as net:
        values = net[0](index.model.batch([index.images[k] for k in among]))
        head = net[4].weight[number].double().numpy()
    values = values.double().numpy()
    open_ = np.maximum(values, 0)
    parts = open_.mean((2, 3)) * head
    shares = parts / np.abs(parts).sum(1, keepdims=True)
    found = explain.relevant_patches(index, "0", count=2, patches=3, pictures=99, composite="epsilon_plus")
    assert sorted(found.images) == among
    assert found.facts["target"] == index.model.classes[number]
    np.testing.assert_allclose(found.table["relevance"], shares.mean(0), atol=1e-4)  # what damps scores damps all
    assert found.shown[:2] == tuple(np.argsort(-np.array(found.table["relevance"]))[:2])
    np.testing.assert_allclose(found.table["activation"], values.max((2, 3)).mean(0), rtol=1e-5)
    assert sorted(found.table["relevance_rank"]) == list(range(1, 7)) == sorted(found.table["activation_rank"])
    relevant = {k for k in range(6) if found.table["relevance_rank"][k] <= 2}
    active = {k for k in range(6) if found.table["activation_rank"][k] <= 2}
    assert set(found.relevant_only) == relevant - active
    assert set(found.active_only) == active - relevant
    cuts = found.cuts
    for channel in found.shown:
        rows = cuts.where(channel=channel, ranking="relevance")
        scores = [cuts.table["score"][k] for k in rows]
        assert scores == sorted(scores, reverse=True)
        for k in rows:
            at = among.index(cuts.table["image"][k])
            place = np.unravel_index((open_[at, channel] * head[channel]).argmax(), (12, 12))
            assert tuple(cuts.table["position"][k]) == tuple(int(one) for one in place)
        best = [row.image for row in index.top("0", channel, "best", 3)]
        assert [cuts.table["image"][k] for k in cuts.where(channel=channel, ranking="activation")] == best
    assert found.crop is None
    assert found.figure().panels
    assert found.facts["score"] == pytest.approx(float(parts.sum(1).mean()), rel=1e-4)


def test_a_class_that_is_seen_nowhere_is_refused(index):
    with pytest.raises(BadValue, match="'c' in no picture"):
        explain.relevant_patches(index, "0", "c")


def test_on_a_picture_the_maps_are_of_its_most_relevant_channels(index):
    found = explain.relevant_patches(index, "0", image=3, count=3, pictures=4)
    model, number = index.model, found.target.number
    batch = model.batch(index.images[3])
    with model.exclusive() as net:
        at = relevance_at(net, "0", batch, torch.tensor([number]), model.input_range)
        sums = at.relevance[0].sum((1, 2))
        order = sums.argsort(descending=True)[:3].tolist()
        maps = conditional(net, "0", batch, torch.tensor([number]), model.input_range, order)[0]
    assert list(found.own) == order
    np.testing.assert_allclose(found.maps, maps.numpy(), atol=1e-6)
    np.testing.assert_allclose(found.shares, (sums / sums.abs().sum())[order].tolist(), rtol=1e-4)
