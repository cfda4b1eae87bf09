"""The suites of benchmarks/truth.py: that their evidence is what decides, how maps are located, and what the verdict
says where the truth is known. The suites made by hand, which need no training."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from planted.controls import CONTROLS, truth
from planted.located import located
from planted.networks import planted
from planted.scenes import patterns
from planted.suites import SUITES

from explain.attribution import METHODS
from explain.attribution.target import layer_for
from explain.trust import Question, check, private


@pytest.fixture(scope="module")
def filters(tmp_path_factory):
    return planted(SUITES["filters"], 3, tmp_path_factory.mktemp("truth"))


def checked(suite, case, entry):
    model = suite.model
    asked = Question(model, entry, entry.check({}), model.batch(case.image), case.target, layer_for(model, None, None))
    return check(asked, most=0)


@pytest.mark.parametrize("name", SUITES)
def test_scenes_are_drawn_again_and_their_evidence_is_where_the_mask_is(name):
    suite = SUITES[name]
    for seed in range(20 if suite.net != "transfer" else 2):
        scene, again = (suite.scene(np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(scene.drawn(), again.drawn())
        changed = (scene.drawn() != scene.without()).any(-1)
        assert not (changed & ~scene.mask).any(), "without the evidence all else is as it was"
        grey = np.full_like(scene.background, 77)
        alone = (scene.alone(grey) != 77).any(-1)
        assert not (alone & ~scene.mask).any()
        if scene.mask.any():
            assert changed.any()


def test_patterns_differ():
    found = patterns(10, 6, 0)
    assert all(one.sum() == 18 for one in found)
    assert min((a != b).mean() for k, a in enumerate(found) for b in found[:k]) >= 1 / 3


@pytest.mark.parametrize("name", ["sums", "filters"])
def test_the_evidence_decides(name, tmp_path):
    proof = planted(SUITES[name], 3, tmp_path).proof
    assert proof["accuracy"] > 0.98
    assert proof["whole"] > 0.95
    assert proof["alone"] > 0.95
    assert proof["without"] < 0.5


def test_the_sums_are_exact_on_paper(tmp_path):
    """Input x gradient of a sum is the pixel times its weight, and nothing elsewhere."""
    suite = planted(SUITES["sums"], 2, tmp_path)
    for case in suite.cases:
        found = checked(suite, case, METHODS["input_x_gradient"])
        assert found.heat == pytest.approx(case.image / 255 * 0.3 * case.mask, abs=1e-6)
        assert found.verdict.level == "passes"


def test_a_map_is_located_as_by_counting():
    chance = np.random.default_rng(0)
    mask = np.zeros((9, 11), bool)
    mask[2:6, 3:8] = True
    heat = chance.permutation(99).reshape(9, 11).astype(np.float32) - 40
    for sign in (1, -1):
        order = np.argsort(-sign * heat.ravel())
        found = located(heat, mask, sign)
        assert found["share"] == pytest.approx(mask.ravel()[order[:10]].mean())
        inside, outside = sign * heat[mask], sign * heat[~mask]
        assert found["auc"] == pytest.approx(np.mean(inside[:, None] > outside))
        assert found["mass"] == pytest.approx(inside[inside > 0].sum() / (sign * heat)[sign * heat > 0].sum())
    assert located(np.ones((9, 11), np.float32), mask, 1) == pytest.approx(
        {"share": mask.mean(), "auc": 0.5, "mass": mask.mean()}
    )
    unsigned = np.abs(heat)
    assert located(unsigned, mask, -1) == located(unsigned, mask, 1)


def test_the_truth_passes_and_no_control_does(filters):
    """Those that are mixed with the weights may pass once in a while: the benchmark says how often."""
    for case in filters.cases:
        with filters.model.exclusive() as net:
            own = truth(case.mask, case.sign, net)
        assert checked(filters, case, own).verdict.level == "passes"
        for entry in CONTROLS.values():
            if not entry.name.endswith("_mixed"):
                assert checked(filters, case, entry).verdict.level != "passes", entry.name


def test_where_nothing_can_be_found_it_says_so(filters):
    """A picture without any pattern: whatever is hidden, the network has no answer."""
    plain = np.full((28, 28), 60, np.uint8)
    plain[::5] = 70
    model, entry = filters.model, METHODS["occlusion"]
    asked = Question(model, entry, entry.check({}), model.batch(plain), 0, layer_for(model, None, None))
    found = check(asked, most=0)
    if np.ptp(found.heat):
        assert found.verdict.level == "cannot tell"
    else:
        assert "marks nothing" in found.verdict.words


def test_what_speaks_against_is_found_too(tmp_path):
    """Of a map without signs, for a class that the evidence speaks against; by the sums, of which one takes from the
    others by the softmax."""
    suite = planted(SUITES["sums"], 1, tmp_path)
    case = suite.cases[0]
    model = suite.model
    with model.exclusive() as net:
        entry = truth(case.mask, 1, net)
    asked = Question(model, entry, {}, model.batch(case.image), (case.target + 1) % 4, layer_for(model, None, None))
    found = check(asked, most=0)
    assert found.against
    assert found.verdict.level == "passes"
    assert "speaks against" in found.verdict.words


def test_the_likeliest_class_is_judged_by_what_it_rests_on_however_improbable(tmp_path):
    suite = planted(SUITES["sums"], 1, tmp_path)
    case, model = suite.cases[0], suite.model
    with model.exclusive() as net:
        net.linear.weight.data *= 0.15
        entry = truth(case.mask, 1, net)
        chance = float(model.chances(net(model.batch(case.image)))[0, case.target].detach())
    assert 0.3 < chance < 0.5
    asked = Question(model, entry, {}, model.batch(case.image), case.target, layer_for(model, None, None))
    found = check(asked, most=0)
    assert not found.against
    assert found.verdict.level == "passes"


def test_private_nets_are_told_apart(filters):
    """The controls that follow the weights give another map for another net."""
    case, entry = filters.cases[0], CONTROLS["noise_mixed"]
    asked = Question(filters.model, entry, {}, filters.model.batch(case.image), case.target, "conv")
    one, other = private(filters.model), private(filters.model)
    assert np.array_equal(asked.answer(one), asked.answer(other))
    other.conv.bias.data += 1
    assert not np.array_equal(asked.answer(one), asked.answer(other))
