"""trust: measurements against slow and obvious ones, on nets whose answer is known; and a model left as it was."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from near import alike
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata, spearmanr
from torch import nn

import explain
from explain import cli
from explain.attribution import METHODS
from explain.attribution.gradients import baseline_of
from explain.data import ImageSet
from explain.errors import BadValue, ExplainError, NotSupported, Unknown
from explain.figure import read_facts
from explain.network.model import Model, Preprocess
from explain.trust import (
    CHECKED,
    EDGES,
    GROUPS,
    WEIGHTS,
    Question,
    curves,
    edges_like,
    faithfulness_estimate,
    private,
    randomisation,
    randomise,
    shares,
    similarity,
    spearman,
    stages_of,
)
from explain.views import faithfulness, leaderboard, saliency
from explain.workspace import open_picture

SIDE, PATCH = 12, slice(4, 8)


class Planted(nn.Module):
    """Two classes; the score of the first is the sum of a patch."""

    def __init__(self, weight=0.1):
        super().__init__()
        self.linear = nn.Linear(SIDE * SIDE, 2, bias=False)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight.view(2, SIDE, SIDE)[0, PATCH, PATCH] = weight

    def forward(self, batch):
        return self.linear(batch.flatten(1))


def wrapped(net, side=SIDE, classes=("a", "b")):
    return Model("small", net.eval(), Preprocess((side, side), side, (0.0,), (1.0,), 1), classes)


@pytest.fixture
def planted():
    return wrapped(Planted())


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(60, 255, (SIDE, SIDE), np.uint8)


@pytest.fixture
def shirt():
    return open_picture("fashion-mnist/7")


def question(model, image, method="gradient", target=0, layer=None, **options):
    entry = EDGES if method == "edges" else METHODS[method]
    place = layer or model.layers[-1].name
    return Question(model, entry, entry.check(options), model.batch(image), target, place)


def state_of(model):
    with model.exclusive() as net:
        hooks = [len(table) for m in net.modules() for name, table in vars(m).items() if name.endswith("_hooks")]
        modes = [m.training for m in net.modules()]
        asks = [p.requires_grad for p in net.parameters()]
        return copy.deepcopy(net.state_dict()), hooks, modes, asks


def same(before, after):
    return all(torch.equal(before[0][name], after[0][name]) for name in before[0]) and before[1:] == after[1:]


# Deletion and insertion


def hidden_by(planted, batch):
    """What stands in place of pixels: the picture's mean, and the blurred picture."""
    return torch.full_like(batch, float(batch.mean())), baseline_of("blur", batch, planted.input_range)


def test_the_ideal_map_is_the_best_and_its_reverse_the_worst(planted, noise):
    asked = question(planted, noise)
    rise = np.zeros((SIDE, SIDE), np.float32)  # what each pixel adds to what hides it, one like the other
    batch, found = asked.batch, []
    for other in hidden_by(planted, batch):
        found.append((batch - other)[0, 0, PATCH, PATCH].numpy())
    bright = np.clip(np.mean(found, 0), 0.01, None)
    picture = noise.copy()
    picture[PATCH, PATCH] = 255
    rise[PATCH, PATCH] = bright
    chance = [np.random.default_rng(k).random((SIDE, SIDE), np.float32) for k in range(5)]
    deleted, inserted = curves(planted._net, question(planted, picture), [rise, -rise, *chance], 24)
    best, worst, *between = (curve.area for curve in deleted)
    assert best < min(between) < max(between) < worst
    best, worst, *between = (curve.area for curve in inserted)
    assert best > max(between) > min(between) > worst
    # 16 of 144 pixels carry everything: at a third of the way, a ninth of the pixels, all is said.
    assert deleted[0].values[8:] == pytest.approx(deleted[0].values[-1])
    assert inserted[0].values[8:] == pytest.approx(inserted[0].values[-1])
    assert deleted[1].values[:22] == pytest.approx(deleted[1].values[0])


@pytest.mark.parametrize("steps", [1, 2, 7, 12])
def test_curves_equal_one_pixel_after_the_other(planted, noise, steps):
    heat = np.random.default_rng(1).integers(0, 5, (SIDE, SIDE)).astype(np.float32)  # with many ties
    asked = question(planted, noise)
    (deleted,), (inserted,) = curves(planted._net, asked, [heat], steps)
    order = sorted(range(SIDE * SIDE), key=lambda k: (-heat.ravel()[k], k))

    def slowly(start, end):
        values = []
        for step in range(steps + 1):
            now = start.clone()
            for k in order[: round(step * step * SIDE * SIDE / steps**2)]:
                now[0, 0, k // SIDE, k % SIDE] = end[0, 0, k // SIDE, k % SIDE]
            with torch.no_grad():
                values.append(float(planted._net(now).softmax(1)[0, 0]))
        return values

    others = hidden_by(planted, asked.batch)
    for curve, ways in (
        (deleted, [slowly(asked.batch, other) for other in others]),
        (inserted, [slowly(other, asked.batch) for other in others]),
    ):
        values = np.mean(ways, 0)
        assert np.allclose(curve.values, values, atol=1e-6)
        area = sum((a + b) / 2 for a, b in itertools.pairwise(values)) / steps
        assert curve.area == pytest.approx(area, abs=1e-6)


def test_steps_grow_by_the_square():
    assert shares(4).tolist() == [0, 1 / 16, 1 / 4, 9 / 16, 1]


def test_the_faithfulness_estimate_equals_one_group_after_the_other(planted, noise):
    """Pearson's correlation by numpy, of sums by hand; of ties the first in reading order comes first."""
    heat = np.random.default_rng(2).integers(-3, 9, (SIDE, SIDE)).astype(np.float32)
    asked = question(planted, noise)
    order = sorted(range(SIDE * SIDE), key=lambda k: (-heat.ravel()[k], k))
    found = []
    for other in hidden_by(planted, asked.batch):
        given, falls = [], []
        for k in range(GROUPS):
            group = order[round(k * SIDE * SIDE / GROUPS) : round((k + 1) * SIDE * SIDE / GROUPS)]
            now = asked.batch.clone()
            for one in group:
                now[0, 0, one // SIDE, one % SIDE] = other[0, 0, one // SIDE, one % SIDE]
            with torch.no_grad():
                whole, less = (float(planted._net(batch).softmax(1)[0, 0]) for batch in (asked.batch, now))
            given.append(heat.ravel()[group].sum())
            falls.append(whole - less)
        found.append(np.corrcoef(given, falls)[0, 1])
    assert faithfulness_estimate(planted._net, asked, heat) == pytest.approx(np.mean(found), abs=1e-4)


def test_the_faithfulness_estimate_of_exact_amounts_and_of_nothing(planted, noise):
    """What each pixel adds to a sum is what it takes with it; the reverse is the reverse; without effects, 0."""
    net = copy.deepcopy(planted._net)
    net.linear.weight.data *= 1e-3  # where the softmax is straight
    asked = question(planted, noise)
    exact = np.zeros((SIDE, SIDE), np.float32)
    dark = float(asked.batch.mean())
    exact[PATCH, PATCH] = (asked.batch[0, 0, PATCH, PATCH] - dark).numpy()
    flat = question(planted, np.full((SIDE, SIDE), 90, np.uint8))
    assert faithfulness_estimate(net, asked, exact) > 0.9
    assert faithfulness_estimate(net, asked, -exact) < -0.9
    assert faithfulness_estimate(net, flat, exact) == pytest.approx(0, abs=1e-6)


def test_edges_are_as_smooth_as_the_map(lenet, shirt):
    """As a map one pixel further is like itself, measured plainly."""
    asked, chance = question(lenet, shirt), np.random.default_rng(0)
    one = chance.random((28, 28)).astype(np.float32)
    smooth = gaussian_filter(one, 3)

    def like_next(heat):
        ranks = rankdata(heat, "ordinal").reshape(heat.shape)
        return np.mean([np.corrcoef(ranks.ravel(), np.roll(ranks, 1, k).ravel())[0, 1] for k in (0, 1)])

    fine, coarse = edges_like(asked, one), edges_like(asked, smooth)
    assert np.array_equal(fine, edges_like(asked, np.zeros_like(one) + chance.random((28, 28)).astype(np.float32)))
    assert like_next(coarse) == pytest.approx(like_next(smooth), abs=0.05)
    assert like_next(fine) < like_next(coarse)


def test_a_channel_has_its_own_value(lenet, shirt):
    channel = faithfulness.compute(lenet, shirt, "gradient", 3, unit="conv2", portions=2)
    assert channel.target.name == "channel 3 of conv2"
    assert channel.trust.deletion["map"][0].values[0] == pytest.approx(channel.target.score, rel=1e-4)


# Randomisation


def test_an_edge_map_is_caught(lenet, shirt):
    result = faithfulness.compute(lenet, shirt, "edges", portions=4)
    assert [(stage.absolute, stage.signed, stage.ssim) for stage in result.trust.stages] == [(1, 1, 1)] * 5
    assert result.trust.left == (1, 1)
    assert result.verdict.level == "fails"
    assert "ignores the weights" in result.verdict.words
    assert "Fails. It ignores the weights" in result.figure().note


@pytest.mark.parametrize("number", [0, 7, 42])
def test_the_gradient_depends_on_the_weights(lenet, number):
    result = faithfulness.compute(lenet, open_picture(f"fashion-mnist/{number}"), "gradient", portions=2)
    assert result.trust.stages[-1].absolute < WEIGHTS
    assert max(result.trust.left) < WEIGHTS
    assert "depends on the weights" in result.verdict.words


@pytest.fixture(scope="module")
def by_heart():
    """The same small network, trained on true labels and on shuffled ones until it knows them."""
    few = explain.load_images("fashion-mnist", limit=60)
    options = {"channels": 1, "size": 28, "convs": 1, "blocks": 2, "filters": 8, "units": 32}
    plan = {"optimiser": "adam", "learning_rate": 0.01, "batch_size": 20, "epochs": 30, "augmentation": ()}
    return [
        explain.train(
            "edges-fashion-mnist",
            few,
            options=options,
            schedule="constant",
            warmup=0,
            seed=1,
            shuffle_labels=lot,
            **plan,
        )
        for lot in (False, True)
    ]


def test_shuffled_labels_are_learned_by_heart_and_mean_nothing(by_heart):
    """V24, the second sanity check: the control has learned as much as the model, and knows nothing."""
    others = explain.load_images("fashion-mnist")[1000:1200]
    true, shuffled = (
        float((model.scores(list(others)).argmax(1).numpy() == others.labels).mean()) for model in by_heart
    )
    assert [model.about["accuracy"]["train"] > 0.9 for model in by_heart] == [True, True]
    assert true > 0.5
    assert shuffled < 0.3


def test_a_map_that_needs_no_labels_is_caught(by_heart, shirt):
    model, control = by_heart
    edge = faithfulness.compute(model, shirt, "edges", portions=2, control=control)
    slope = faithfulness.compute(model, shirt, "gradient", portions=2, control=control)
    assert (edge.trust.relabelled.signed, edge.trust.numbers["SSIM, shuffled labels"]) == (1, 1)
    assert "It ignores the labels" in edge.figure().note
    assert edge.verdict.level == "fails"
    assert slope.trust.relabelled.signed < 0.5
    assert alike(slope.trust.relabelled.heat, saliency.compute(control, shirt, "gradient", slope.target.number).heat)
    assert "It depends on the labels" in slope.verdict.words
    strip, stages = slope.figure(), slope.figure(part="stages")
    assert strip.panels[-1].title == "Trained on shuffled labels"
    assert "shuffled labels" in stages.panels[0].caption
    itself = faithfulness.compute(model, shirt, "gradient", portions=2, control=model)
    assert itself.verdict.level == "fails", "whatever else it shows: the control gives the same map"


def test_a_control_is_the_same_network(lenet, shirt):
    with pytest.raises(BadValue, match="its layers are others"):
        faithfulness.compute(lenet, shirt, control=explain.load_model("edges-fashion-mnist"))


def test_stages_go_from_the_head_down_and_add_up(lenet, shirt):
    asked, net = question(lenet, shirt), private(lenet)
    assert stages_of(net, asked.batch) == [["fc3"], ["fc2"], ["fc1"], ["conv2"], ["conv1"]]
    assert stages_of(net, asked.batch, 3) == [["fc3"], ["fc2", "fc1"], ["conv2", "conv1"]]
    before = copy.deepcopy(net.state_dict())
    alone = randomisation(net, asked, asked.answer(net), cascading=False)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    added = randomisation(net, asked, asked.answer(net), cascading=True)
    assert not any(torch.equal(before[name], value) for name, value in net.state_dict().items() if "weight" in name)
    assert alike(alone[0].heat, added[0].heat)
    assert not alike(alone[-1].heat, added[-1].heat)


def test_norms_forget_their_statistics_and_unknown_parameters_become_noise():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.full((500,), 3.0) + torch.randn(500))

    net = nn.ModuleDict({"norm": nn.BatchNorm2d(3), "conv": nn.Conv2d(8, 400, 3), "own": Scaled()})
    net["norm"].running_mean.fill_(7.0)
    net["norm"].weight.data.fill_(7.0)
    randomise(net, list(net), torch.Generator().manual_seed(0))
    assert net["norm"].running_mean.tolist() == [0] * 3
    assert net["norm"].weight.tolist() == [1] * 3
    assert float(net["conv"].weight.detach().std()) == pytest.approx((2 / 72) ** 0.5, rel=0.05)
    assert float(net["own"].scale.detach().mean()) == pytest.approx(0, abs=0.2)
    assert float(net["own"].scale.detach().std()) == pytest.approx(1, rel=0.15)


def test_likeness_of_maps():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 20, 20)).astype(np.float32)
    assert spearman(one, other) == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic)
    assert spearman(one, one) == 1
    assert spearman(one, np.zeros_like(one)) == 0
    assert similarity(one, 3 * one + 1) == pytest.approx(1)
    assert similarity(one, other) < 0.5
    assert similarity(one[:2], other[:2]) is None
    assert similarity(one[:4], one[:4]) == pytest.approx(1)


# The model


@pytest.mark.parametrize("method", ["gradient", "grad_cam", "smooth_grad"])
def test_the_model_is_left_bit_for_bit_as_it_was(lenet, shirt, method):
    before, digest, rng = state_of(lenet), lenet.digest, torch.get_rng_state()
    scores = lenet.scores(shirt)
    faithfulness.compute(lenet, shirt, method, portions=2)
    assert same(before, state_of(lenet))
    assert alike(lenet.scores(shirt), scores)
    assert torch.equal(rng, torch.get_rng_state())
    with lenet.exclusive() as net:
        again = Model(lenet.name, net, lenet.preprocess, lenet.classes)
    assert again.digest == digest


def test_the_same_seed_gives_the_same_numbers(lenet, shirt):
    first, again, other = (
        faithfulness.compute(lenet, shirt, "smooth_grad", portions=3, check_seed=seed, samples=2).trust.numbers
        for seed in (0, 0, 1)
    )
    assert first == pytest.approx(again, rel=1e-4)
    assert first != pytest.approx(other, rel=1e-4)
    assert first["deletion area, the map"] == pytest.approx(other["deletion area, the map"])


def test_the_map_is_the_one_that_is_shown(lenet, shirt):
    for method in ("gradient", "grad_cam"):
        shown = saliency.compute(lenet, shirt, method)
        assert alike(faithfulness.compute(lenet, shirt, method, portions=2).trust.heat, shown.heat)


class Stop(Exception):
    pass


@pytest.mark.parametrize("percent", [0, 2, 30, 70, 95, 100])
def test_progress_comes_at_once_never_goes_back_and_stops_the_work(lenet, shirt, percent):
    before, seen = state_of(lenet), []

    def progress(done, total, message):
        assert message
        assert total == 100
        seen.append(done)
        if done >= percent:
            raise Stop

    with pytest.raises(Stop):
        faithfulness.compute(lenet, shirt, "integrated_gradients", portions=3, progress=progress)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert same(before, state_of(lenet))


# What else is measured


def test_a_linear_net_keeps_its_promise(planted, noise):
    result = faithfulness.compute(planted, noise, "integrated_gradients", "a", portions=2, steps=3)
    assert result.trust.completeness.gap < 1e-5
    assert "adds up" not in result.verdict.words
    assert faithfulness.compute(planted, noise, "gradient", "a", portions=2).trust.completeness is None


def test_a_broken_promise_is_said(lenet):
    shirt = open_picture("fashion-mnist/0")  # of another, so few steps find too little
    result = faithfulness.compute(lenet, shirt, "integrated_gradients", portions=2, steps=1)
    assert result.trust.completeness.gap > 0.05
    assert "dds up to" in result.verdict.words
    assert result.verdict.level != "passes"
    steps = result.trust.completeness.closes_at
    assert f"with {steps} steps it would not be" in result.verdict.words
    again = saliency.compute(lenet, shirt, "integrated_gradients", steps=steps)
    assert again.raw_map.sum() == pytest.approx(again.expected_sum, rel=0.05)
    fewer = saliency.compute(lenet, shirt, "integrated_gradients", steps=steps // 2)
    assert fewer.raw_map.sum() != pytest.approx(fewer.expected_sum, rel=0.05)


def test_spread_is_over_seeds_or_baselines_or_nothing(lenet, shirt):
    seeds, baselines, none = (
        faithfulness.compute(lenet, shirt, method, portions=2).trust.spread
        for method in ("smooth_grad", "integrated_gradients", "gradient")
    )
    assert (seeds.over, seeds.count) == ("seed", 3)
    assert 0.5 < seeds.in_common <= 1
    assert (baselines.over, baselines.count) == ("baseline", 4)
    assert none is None


def test_methods_that_refuse_are_named(lenet, planted, shirt, noise):
    found = faithfulness.compute(lenet, shirt, "gradient", portions=2).trust
    assert set(found.agreement) == {"integrated_gradients", "grad_cam", "occlusion"}
    same = faithfulness.compute(lenet, shirt, "smooth_grad", portions=2, noise=0, samples=1).trust
    plain = faithfulness.compute(lenet, shirt, "gradient", portions=2).trust
    assert same.agreement == pytest.approx(plain.agreement)
    assert "layer with maps" in faithfulness.compute(planted, noise, portions=2).trust.refused["grad_cam"]


def test_the_planted_map_passes_all_but_chance(planted, noise):
    unsure = faithfulness.compute(planted, noise, "input_x_gradient", "a")
    assert unsure.verdict.level == "cannot tell"  # its probability is between 0.5 and 0.7 whatever is hidden
    bright = noise // 4
    bright[PATCH, PATCH] = 255
    net = Planted(1.0)
    with torch.no_grad():
        net.linear.weight[1] = 0.2  # what the first class has to beat: the sum of all
    result = faithfulness.compute(wrapped(net), bright, "input_x_gradient", "a")
    assert result.trust.gains("map")[0] > max(result.trust.gains("moved").max(), result.trust.gains("edges")[0])
    assert "finds what the target rests on" in result.verdict.words


# Edges of the domain


def test_a_map_without_anything_is_said_to_mark_nothing(noise):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.fill_(0.1)
        net[4].weight.fill_(-1.0)
    result = faithfulness.compute(wrapped(net), noise, "grad_cam", "a", portions=2)
    assert result.verdict.level == "fails"
    assert result.verdict.words == "No positive evidence: the map is 0 everywhere, so it marks nothing."
    for part in ("strip", "curves", "stages"):
        result.figure(part=part).encode("png", width_mm=80, dpi=60)


def test_a_constant_picture(lenet):
    for method in ("gradient", "edges"):
        result = faithfulness.compute(lenet, np.full((28, 28), 90, np.uint8), method, portions=3)
        assert all(np.isfinite(value) for value in result.trust.numbers.values())
    assert result.verdict.level == "fails"


def test_a_net_without_weights_and_one_that_cannot_be_copied(noise):
    with pytest.raises(NotSupported, match="no weights"):
        faithfulness.compute(
            wrapped(nn.Sequential(nn.MaxPool2d(6), nn.Flatten()), classes=tuple("abcd")), noise, portions=2
        )
    net = Planted()
    net.lock = __import__("threading").Lock()
    with pytest.raises(NotSupported, match="cannot be copied"):
        faithfulness.compute(wrapped(net), noise, portions=2)


def test_mistakes_are_named(lenet, shirt):
    with pytest.raises(Unknown, match=r"gradien.*gradient"):
        faithfulness.compute(lenet, shirt, "gradien")
    with pytest.raises(ExplainError, match="ReLU"):
        faithfulness.compute(lenet, shirt, "guided_backprop")
    with pytest.raises(BadValue, match="portions=1 is outside 2 to 500"):
        faithfulness.compute(lenet, shirt, portions=1)
    with pytest.raises(Unknown, match=r"stages: 'x'.*cascading"):
        faithfulness.compute(lenet, shirt, stages="x")
    with pytest.raises(BadValue, match="'conv2' comes after 'conv1'"):
        faithfulness.compute(lenet, shirt, "grad_cam", 0, "conv2", "conv1")
    with pytest.raises(Unknown, match=r"part.*strip"):
        faithfulness.compute(lenet, shirt, portions=2).figure(part="x")


# Figures


def test_figures_hold_the_evidence(lenet, shirt):
    result = faithfulness.compute(lenet, shirt, "input_x_gradient", portions=4)
    assert len(result.figure().panels) == 2 + len(result.trust.stages)
    deletion, insertion = result.figure(part="curves").panels
    assert [line.name for line in deletion.lines][-1] == "this map"
    assert np.allclose(insertion.lines[-1].points[:, 1], result.trust.insertion["map"][0].values)
    for part in ("strip", "curves", "stages"):
        figure = result.figure(part=part)
        assert result.verdict.words in figure.note
        assert figure.table["measure"] == list(result.trust.numbers)
        for format in figure.formats:
            assert figure.encode(format)


# Leaderboard


@pytest.fixture(scope="module")
def board(lenet):
    return explain.leaderboard(
        lenet, "fashion-mnist", ["gradient", "integrated_gradients", "grad_cam", "edges"], count=6, portions=8
    )


def test_methods_are_ranked_by_score_and_edges_come_last(board):
    ranked = [row for row in board.rows if not row.ignores]
    assert [row.means["score"].value for row in ranked] == sorted(
        (r.means["score"].value for r in ranked), reverse=True
    )
    assert board.rows[-1].method == "edges"
    assert board.rows[-1].ignores
    assert board.rows[0].method == "integrated_gradients"
    assert board.rows[0].means["gap"].value < 0.05
    assert "Edge detector" in board.figure().note


def test_intervals_hold_the_mean_and_the_seed_draws_the_pictures(board, lenet):
    for row in board.rows:
        for mean in row.means.values():
            assert mean.low <= mean.value <= mean.high
    again = leaderboard.compute(lenet, "fashion-mnist", ["gradient"], count=6, portions=8)
    (mine,) = (row for row in board.rows if row.method == "gradient")
    for name, values in again.rows[0].values.items():
        assert name == "seconds" or np.allclose(values, mine.values[name], atol=1e-6)
    other = leaderboard.compute(lenet, "fashion-mnist", ["edges"], count=6, portions=2, seed=1)
    assert other.facts["pictures"] != board.facts["pictures"]


def test_slow_and_refusing_methods_are_left_out_with_the_reason(lenet, monkeypatch):
    some = {name: CHECKED[name] for name in ("gradient", "rise", "cam", "edges")}
    monkeypatch.setattr(leaderboard, "CHECKED", some)
    before = state_of(lenet)
    found = leaderboard.compute(lenet, "fashion-mnist", count=2, portions=2)
    assert {row.method for row in found.rows} == {"gradient", "edges"}
    assert "more than 200 passes" in found.refused["rise"]
    assert "CAM needs" in found.refused["cam"]
    assert same(before, state_of(lenet))
    with pytest.raises(NotSupported, match="CAM needs"):
        leaderboard.compute(lenet, "fashion-mnist", ["cam"], count=2, portions=2)


def test_seconds_and_reasons_are_measured_once(lenet):
    found = leaderboard.compute(lenet, "fashion-mnist", count=2, portions=2)
    facts = read_facts(found.figure().encode("svg"))
    again = explain.redraw(facts)
    assert again.note == found.figure().note, "who was not measured is told again"
    assert "Not measured" in again.note
    assert again.table["seconds"] == pytest.approx(found.table["seconds"])
    once = {**facts["measured"], "seconds": {name: [3.0, 5.0] for name in facts["methods"]}}
    assert set(explain.redraw({**facts, "measured": once}).table["seconds"]) == {4.0}
    for wrong in (
        {},
        {"seconds": {}},
        {"seconds": {name: [1.0] for name in facts["methods"]}},
        3,
        {**once, "refused": {"x": "y"}},
    ):
        with pytest.raises(ExplainError):
            explain.redraw({**facts, "measured": wrong})


def test_a_leaderboard_of_nothing_is_refused(lenet):
    for wrong in ({"methods": []}, {"count": 1}, {"methods": ["x"]}):
        with pytest.raises(ExplainError):
            leaderboard.compute(lenet, "fashion-mnist", **wrong)
    one = ImageSet("one", ("a",), array=np.zeros((1, 28, 28), np.uint8))
    with pytest.raises(BadValue, match="at least 2"):
        leaderboard.compute(lenet, one)


def test_the_command_line(capsys, tmp_path):
    line = ["leaderboard", "lenet-fashion-mnist", "fashion-mnist", "--methods", "gradient", "edges", "--count", "3"]
    assert cli.main([*line, "--portions", "3", "--json", "--out", str(tmp_path / "x.csv")]) == 0
    out, _ = capsys.readouterr()
    assert json.loads(out)["numbers"]["methods"]["method"] == ["gradient", "edges"]
    assert "gradient" in (tmp_path / "x.csv").read_text()
    line = ["faithfulness", "lenet-fashion-mnist", "fashion-mnist/7", "--method", "edges", "--portions", "3", "--json"]
    assert cli.main(line) == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["verdict"] == "fails"
    for wrong in (["--methods", "gradien"], ["--count", "1"], ["--portions", "0"], ["--layer", "x"]):
        assert cli.main(["leaderboard", "lenet-fashion-mnist", "fashion-mnist", *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
def test_a_deep_network_is_checked_and_left_as_it_was(lite):
    before = state_of(lite)
    result = faithfulness.compute(lite, open_picture("photos/chelsea.png"), "grad_cam", portions=3)
    assert len(result.trust.stages) == 8
    assert abs(result.trust.left[1]) < WEIGHTS
    assert np.ptp(result.trust.stages[-1].heat) > 0  # the signal has not faded
    assert same(before, state_of(lite))
