"""What is found in planted mistakes, labels, copies and slices, against definitions written out slowly."""

import copy
import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from skimage import data as skimages

import explain
from explain.mistakes import calibration, influence, slices
from explain.mistakes.duplicates import correlations, groups, near_pairs
from explain.mistakes.evidence import evidence, has_seen
from explain.mistakes.intervals import difference, wilson
from explain.mistakes.labels import UNDECIDED, confident_learning
from explain.mistakes.outliers import neighbour_distances


def answers(n=600, classes=12, seed=0, sharp=3.0):
    """Probabilities (n, C) and labels drawn by them: calibrated by their making."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, sharp, (n, classes))
    chances = softmax(scores, 1)
    labels = np.array([rng.choice(classes, p=row) for row in chances])
    return scores, chances, labels


def kept(chances, labels, k=5):
    """What an index keeps of them."""
    top = np.argsort(-chances, 1, kind="stable")[:, :k]
    return top, np.take_along_axis(chances, top, 1), chances[np.arange(len(labels)), labels]


# Intervals ------------------------------------------------------------------------------------------------------------


def test_intervals_of_shares_hold_as_often_as_they_say():
    rng = np.random.default_rng(0)
    hits = rng.binomial(40, 0.2, 4000)
    low, high = wilson(hits, np.full(4000, 40))
    assert 0.92 < ((low <= 0.2) & (high >= 0.2)).mean() < 0.98
    pairs = [
        difference(a, 60, b, 300) for a, b in zip(*rng.binomial([[60], [300]], [[0.3], [0.1]], (2, 1500)), strict=True)
    ]
    assert 0.92 < np.mean([low <= 0.2 <= high for low, high in pairs]) < 0.98
    assert difference(0, 0, 3, 5) == (-1, 1)


# Calibration ----------------------------------------------------------------------------------------------------------


def slow_error(confidence, right, bins):
    """Guo et al. 2017, equation 3, bin by bin."""
    total = 0.0
    for m in range(bins):
        low, high = m / bins, (m + 1) / bins
        inside = [k for k, p in enumerate(confidence) if low < p <= high or (m == 0 and p == 0)]
        if inside:
            accuracy = sum(right[k] for k in inside) / len(inside)
            sure = sum(confidence[k] for k in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - sure)
    return total


@pytest.mark.parametrize("bins", [2, 7, 15])
def test_the_calibration_error_is_the_papers(bins):
    rng = np.random.default_rng(bins)
    confidence = np.concatenate([rng.random(200), np.arange(bins + 1) / bins])  # edges too
    right = rng.random(len(confidence)) < confidence**2
    assert calibration.calibration_error(confidence, right, bins) == pytest.approx(slow_error(confidence, right, bins))
    found = calibration.reliability(confidence, right, bins)
    assert found.counts.sum() == len(confidence)
    for k in np.flatnonzero(found.counts):
        assert found.accuracy[k] == pytest.approx(right[found.members == k].mean())
        assert found.low[k] <= found.accuracy[k] <= found.high[k]


def test_the_interval_of_the_error_covers_the_true_one():
    """Of answers that are 10 % surer than right, whose true error is known from a great many."""

    def draw(rng, n):
        confidence = rng.uniform(0.5, 1, n)
        return confidence, rng.random(n) < confidence - 0.1

    rng = np.random.default_rng(0)
    true, covered = calibration.calibration_error(*draw(rng, 400_000)), []
    for seed in range(40):
        found = calibration.error_with_interval(*draw(rng, 400), seed=seed)
        covered.append(found.low <= true <= found.high)
    assert np.mean(covered) >= 0.85
    fair = rng.uniform(0.5, 1, 800)
    found = calibration.error_with_interval(fair, rng.random(800) < fair)
    assert found.low < 0.02
    assert found.by_chance == pytest.approx(found.value, abs=0.03)


def test_the_temperature_is_that_of_the_least_loss_and_undoes_a_planted_one():
    scores, _, labels = answers(4000, classes=8)
    for planted in (0.5, 1.0, 2.5):
        found = calibration.temperature(scores * planted, labels)
        grid = np.geomspace(0.2, 5, 160)
        losses = [-log_softmax(scores * planted / t, 1)[np.arange(4000), labels].mean() for t in grid]
        assert found == pytest.approx(grid[np.argmin(losses)], rel=0.02)
        assert found == pytest.approx(planted, rel=0.05)
    best, confidence = calibration.cross_fitted(scores * 2.5, labels)
    right = scores.argmax(1) == labels
    before = calibration.calibration_error(softmax(scores * 2.5, 1).max(1), right)
    assert calibration.calibration_error(confidence, right) < before / 3
    assert best == pytest.approx(2.5, rel=0.05)


def test_the_likeliest_classes_alone_give_about_the_same_temperature():
    scores, _, labels = answers(3000, classes=30)
    chances = softmax(2 * scores, 1)
    top, tops, own = kept(chances, labels)
    merged, columns, counts = calibration.merged_scores(top, tops, labels, own, 30)
    sums = (np.exp(merged) * counts).sum(1)
    np.testing.assert_allclose(sums, 1, atol=1e-9)  # nothing is lost
    np.testing.assert_allclose(np.exp(merged[np.arange(3000), columns]), own)
    assert calibration.temperature(merged, columns, counts) == pytest.approx(2, rel=0.15)
    five = chances[:, :5] / chances[:, :5].sum(1, keepdims=True)  # with no classes left, it is the same
    top, tops, own = kept(five, labels % 5)
    merged, columns, counts = calibration.merged_scores(top, tops, labels % 5, own, 5)
    assert calibration.temperature(merged, columns, counts) == pytest.approx(
        calibration.temperature(np.log(five), labels % 5), rel=1e-3
    )


def test_the_share_of_random_labels_is_found_where_there_are_some_and_not_where_there_are_none():
    scores, _, labels = answers(3000, classes=10, sharp=4)
    for planted in (0.0, 0.08):
        rng, noisy = np.random.default_rng(1), labels.copy()
        flipped = rng.permutation(3000)[: int(planted * 3000)]
        noisy[flipped] = (noisy[flipped] + rng.integers(1, 10, len(flipped))) % 10
        share, wrong = calibration.temperature_and_noise(1.7 * scores, noisy, 10)  # too sure besides
        assert share == pytest.approx(planted, abs=0.015)
        assert ((wrong >= 0) & (wrong <= 1)).all()
        if planted:
            assert np.isin(np.argsort(-wrong)[:120], flipped).mean() > 0.9


# Labels ---------------------------------------------------------------------------------------------------------------


def slow_confident_learning(labels, chances):
    """Northcutt et al. 2021, equations 1 and 2, picture by picture, with all probabilities."""
    n, classes = chances.shape
    thresholds = [
        np.mean([chances[k, j] for k in range(n) if labels[k] == j]) if (labels == j).any() else np.inf
        for j in range(classes)
    ]
    confident = []
    for k in range(n):
        reached = [j for j in range(classes) if chances[k, j] >= thresholds[j] - 1e-6]
        confident.append(max(reached, key=lambda j: chances[k, j]) if reached else -1)
    joint = np.zeros((classes, classes), int)
    for k, j in enumerate(confident):
        if j >= 0:
            joint[labels[k], j] += 1
    return np.array(thresholds), np.array(confident), joint


@pytest.mark.parametrize(("classes", "sharp"), [(4, 2.0), (12, 3.0), (40, 1.0)])
def test_confident_learning_by_five_classes_is_that_of_all(classes, sharp):
    _, chances, labels = answers(500, classes, sharp=sharp)
    labels[::20] = (labels[::20] + 1) % classes
    thresholds, confident, joint = slow_confident_learning(labels, chances)
    top, tops, own = kept(chances, labels)
    found = confident_learning(labels, top, tops, own, classes)
    np.testing.assert_allclose(found.thresholds, thresholds)
    decided = found.confident != UNDECIDED
    np.testing.assert_array_equal(found.confident[decided], confident[decided])
    whole = confident_learning(labels, *kept(chances, labels, classes), classes)
    np.testing.assert_array_equal(whole.confident, confident)
    np.testing.assert_array_equal(whole.joint, joint)
    if classes <= 12:
        assert decided.all()
        np.testing.assert_array_equal(found.joint, joint)
        suspects = [k for k in range(500) if confident[k] not in (-1, labels[k])]
        assert sorted(found.suspects.tolist()) == suspects
    margin = [chances[k, y] - max(np.delete(chances[k], y)) for k, y in enumerate(labels)]
    np.testing.assert_allclose(whole.margin, margin, atol=1e-12)
    assert (np.diff(found.margin[found.suspects]) >= 0).all()
    noise = whole.noise(labels)
    np.testing.assert_allclose(noise.sum(1), np.bincount(labels, minlength=classes) / 500, atol=1e-12)


def test_what_the_likeliest_classes_cannot_tell_is_left_undecided_not_guessed():
    """A class that is labelled at random has so low a mean that it is often reached beyond the fifth."""
    _, chances, labels = answers(400, 40, sharp=1.5)
    labels[:40] = 39
    _, confident, _ = slow_confident_learning(labels, chances)
    found = confident_learning(labels, *kept(chances, labels), 40)
    decided = found.confident != UNDECIDED
    assert found.undecided > 0
    np.testing.assert_array_equal(found.confident[decided], confident[decided])


# Copies ---------------------------------------------------------------------------------------------------------------


def test_near_pairs_are_those_of_comparing_all():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 6)).astype(np.float32)
    vectors[50:55] = vectors[3]  # more copies than neighbours are looked at
    vectors[70] = np.nan
    found = near_pairs(vectors, near=0.8, k=3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    far = 1 - unit @ unit.T
    np.fill_diagonal(far, np.inf)
    far[70] = far[:, 70] = np.inf
    typical = np.median(far.min(1)[np.arange(80) != 70])
    assert found.typical == pytest.approx(typical, abs=1e-5)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert all(a < b and far[a, b] <= 0.8 * typical + 1e-6 for a, b in pairs)
    nearest = {(min(a, int(b)), max(a, int(b))) for a in range(80) if a != 70 for b in [far[a].argmin()]}
    assert {pair for pair in nearest if far[pair] < 0.8 * typical - 1e-6} <= pairs
    belongs = groups(found.first, found.second, 80)
    assert len({belongs[k] for k in (3, 50, 51, 52, 53, 54)}) == 1
    across = near_pairs(vectors[:20], vectors[40:60], near=0, k=6)
    assert set(zip(across.first.tolist(), across.second.tolist(), strict=True)) == {(3, k) for k in range(10, 15)}


def test_thumbnails_of_one_picture_correlate():
    rng = np.random.default_rng(0)
    one = rng.random((1, 12, 10, 3)).astype(np.float32)
    others = {
        "itself": one,
        "darker": 0.5 * one + 0.1,
        "mirrored": one[:, :, ::-1],
        "shifted": np.roll(one, 1, 1),
    }
    for name, other in others.items():
        alike, mirrored = correlations(one, other)
        assert alike[0] == pytest.approx(1, abs=1e-6), name
        assert mirrored[0] == (name == "mirrored")
    assert correlations(one, rng.random((1, 12, 10, 3)).astype(np.float32))[0][0] < 0.5
    flat = np.full_like(one, 0.3)
    assert correlations(flat, flat)[0][0] == 1
    assert correlations(flat, flat + 0.2)[0][0] == 0
    assert np.isnan(correlations(one, np.full_like(one, np.nan))[0][0])


# Outliers -------------------------------------------------------------------------------------------------------------


def test_the_distance_is_that_of_the_kth_nearest():
    rng = np.random.default_rng(0)
    vectors, others = rng.normal(size=(60, 5)).astype(np.float32), rng.normal(size=(40, 5)).astype(np.float32)
    vectors[7] = vectors[8]
    unit, theirs = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (vectors, others))
    far = 1 - unit @ unit.T
    slow = [np.sort(np.delete(far[k], k))[3] for k in range(60)]
    np.testing.assert_allclose(neighbour_distances(vectors, k=4), slow, atol=1e-6)
    np.testing.assert_allclose(
        neighbour_distances(vectors, others, k=2), np.sort(1 - unit @ theirs.T, 1)[:, 1], atol=1e-6
    )
    vectors[5] = np.nan
    assert np.isnan(neighbour_distances(vectors)).tolist() == [k == 5 for k in range(60)]
    assert np.isnan(neighbour_distances(vectors[:1])).all()


# Slices ---------------------------------------------------------------------------------------------------------------


def region(n=2000, error=0.5, rest=0.08, seed=0):
    """A tenth of the pictures in a region of their own, with an error of its own."""
    rng = np.random.default_rng(seed)
    space = rng.normal(size=(n, 6))
    inside = rng.random(n) < 0.1
    space[inside] += (3, -3, 0, 2, 0, 0)
    return space, inside, rng.random(n) < np.where(inside, error, rest)


def test_a_planted_slice_is_found_with_its_error():
    held = []
    for seed in range(6):
        space, inside, wrong = region(seed=seed)
        first = slices.slices(space, wrong, seed=seed)[0]
        assert inside[first.members].mean() > 0.9
        held.append(first.error_low <= 0.5 <= first.error_high)
        assert first.low > 0
    assert np.mean(held) > 0.6


def test_no_slice_is_found_where_there_is_none():
    """At 5 % for all that are looked at, in seldom more than a few of 24."""
    found = [slices.slices(*(region(800, 0.2, 0.2, seed)[k] for k in (0, 2)), seed=seed) for seed in range(24)]
    assert sum(map(bool, found)) <= 4
    assert slices.slices(np.zeros((10, 2)), np.zeros(10, bool)) == []


def test_what_a_slice_shares_and_which_channels_mark_it():
    rng = np.random.default_rng(0)
    members = np.arange(40)
    light = np.array(["dark"] * 30 + ["day"] * 170, object)
    said = {"light": light, "shelf": rng.choice(["a", "b"], 200).astype(object)}
    shared = slices.shared_by(members, said)
    assert [one.name for one in shared] == ["light=dark"]
    assert (shared[0].share, shared[0].rest) == (0.75, 0)
    best = np.stack([rng.permutation(200)[:10] for _ in range(50)])
    best[17, :8] = members[:8]
    best[30, 2:] = -1
    assert [row[:2] for row in slices.marking(members, best, 200)] == [(17, len(set(best[17]) & set(range(40))))]


# Influence ------------------------------------------------------------------------------------------------------------


def trained(features, labels, penalty, classes, start=None, weight=None):
    """The last layer trained to its end: mean cross entropy and penalty / 2 |w|^2."""
    inputs = np.hstack([features, np.ones((len(features), 1))])
    shape, share = (inputs.shape[1], classes), np.ones(len(labels)) if weight is None else weight

    def loss(flat):
        weights = flat.reshape(shape)
        logs = log_softmax(inputs @ weights, 1)
        errors = np.exp(logs)
        errors[np.arange(len(labels)), labels] -= 1
        errors *= share[:, None]
        value = -(share * logs[np.arange(len(labels)), labels]).mean() + penalty / 2 * (flat**2).sum()
        return value, (inputs.T @ errors / len(labels) + penalty * weights).ravel()

    begin = np.zeros(shape).ravel() if start is None else start.ravel()
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 4000})
    return found.x.reshape(shape)


def test_influence_is_what_leaving_a_picture_out_and_training_again_does():
    rng, classes, penalty = np.random.default_rng(0), 3, 1e-2
    centres = rng.normal(0, 1.2, (classes, 4))
    labels = rng.integers(0, classes, 90)
    features = centres[labels] + rng.normal(size=(90, 4))
    labels[:4] = (labels[:4] + 1) % classes  # wrong ones, which weigh
    own, wanted = centres[0] + 0.5, 0
    weights = trained(features, labels, penalty, classes)

    def chances(given, weights):
        return softmax(np.hstack([given, np.ones((len(given), 1))]) @ weights, 1)

    def loss(weights):
        return -np.log(chances(own[None], weights)[0, wanted])

    actual = np.array(
        [
            loss(trained(np.delete(features, k, 0), np.delete(labels, k), penalty, classes, weights)) - loss(weights)
            for k in range(90)
        ]
    )
    errors = influence.residuals(chances(features, weights), labels)
    own_error = influence.residuals(chances(own[None], weights), np.array([wanted]))[0]
    exact = influence.influence_function(features, chances(features, weights), errors, own, own_error, penalty)
    first_order = influence.tracin(features, errors, own, own_error)
    assert np.corrcoef(exact, actual)[0, 1] > 0.98
    assert np.corrcoef(first_order, actual)[0, 1] > 0.5
    assert (np.sign(first_order) == np.sign(actual)).mean() > 0.7
    # To first order it is exact: with a weight lowered by a thousandth instead of to nothing.
    for k in (0, 2, 40):
        less = np.ones(90)
        less[k] -= 1e-3
        lowered = loss(trained(features, labels, penalty, classes, weights, less)) - loss(weights)
        assert exact[k] == pytest.approx(lowered / 1e-3, rel=0.02)
    with pytest.raises(explain.ExplainError, match="damping"):
        influence.influence_function(features, chances(features, weights), errors, own, own_error, 0.0)


def test_tracin_is_the_product_of_the_gradients_that_torch_finds():
    import torch

    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 4)
    features, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 0, 1])

    def gradient(k):
        loss = torch.nn.functional.cross_entropy(layer(features[k : k + 1]), labels[k : k + 1])
        return torch.cat([one.flatten() for one in torch.autograd.grad(loss, layer.parameters())])

    errors = influence.residuals(layer(features).softmax(1).detach().numpy(), labels.numpy())
    found = influence.tracin(features.numpy(), errors, features[5].numpy().astype(float), errors[5])
    np.testing.assert_allclose(found, [float(gradient(k) @ gradient(5)) for k in range(6)], rtol=1e-4, atol=1e-6)


# Over an index --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clothes(lenet, tmp_path_factory):
    """600 test pictures; 40 of them have a random other label, and 24 a copy among another 24 at the end."""
    images = explain.load_images("fashion-mnist")[:600]
    rng, array, labels = np.random.default_rng(3), images.array.copy(), images.labels.copy()
    flipped = np.sort(rng.permutation(500)[:40])
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, 40)) % 10
    copied = np.sort(rng.permutation(500)[:24])
    for kind, (at, source) in enumerate(zip(range(576, 600), copied, strict=True)):
        array[at] = changed(images.array[source], kind % 4)
        labels[at] = labels[source]
    planted = replace(images, array=array, labels=labels, name="clothes")
    index = explain.build_index(lenet, planted, layers=["conv2"], out=tmp_path_factory.mktemp("clothes") / "index")
    return explain.open_index(index.folder, lenet, planted), flipped, copied


def changed(array, kind):
    """A copy: as it is, darker, compressed, mirrored."""
    if kind == 1:
        return (array * 0.8).astype(np.uint8)
    if kind == 2:
        file = io.BytesIO()
        Image.fromarray(array).save(file, "JPEG", quality=85)
        return np.asarray(Image.open(file))
    return array[:, ::-1] if kind == 3 else array


def test_the_index_knows_all_scores_by_its_features(clothes, lenet):
    index, _, _ = clothes
    known = evidence(index)
    asked = lenet.scores([index.images[k] for k in range(40)]).numpy()
    np.testing.assert_allclose(known.scores[:40], log_softmax(asked, 1), atol=1e-4)
    np.testing.assert_allclose(known.own, softmax(known.scores, 1)[np.arange(600), known.labels], atol=1e-5)
    assert has_seen(index) is False  # it was trained on fashion-mnist-train
    seen = copy.copy(index)
    seen.manifest = replace(index.manifest, data="fashion-mnist-train")
    assert has_seen(seen) is True
    assert "has learned wrong ones too" in explain.label_errors(seen, count=0).sentence()


def test_scores_are_not_made_up_where_the_network_goes_on_after_its_last_layer(tmp_path):
    """Scores that are twice the last layer's answer are not its answer, and what needs them says so."""
    import torch
    from torch import nn

    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 10)

        def forward(self, x):
            return 2 * self.fc(self.conv(x).relu().mean((2, 3)))

    torch.manual_seed(0)
    images = explain.load_images("fashion-mnist")[:40]
    model = explain.wrap(
        Doubled(), classes=list(images.classes), preprocess=explain.load_model("lenet-fashion-mnist").preprocess
    )
    index = explain.build_index(model, images, out=tmp_path / "index")
    assert evidence(index).scores is None
    found = explain.calibration(index)
    assert not found.exact
    assert "share equally" in found.sentence()
    assert has_seen(index) is None
    assert "If it was trained" in explain.label_errors(index).sentence()
    with pytest.raises(explain.ExplainError, match="a layer's answer"):
        explain.influence(index, 3)


def test_planted_labels_are_found(clothes):
    index, flipped, _ = clothes
    found = explain.label_errors(index)
    suspects = found.table["image"]
    assert np.isin(flipped, suspects).mean() > 0.7
    assert found.random == pytest.approx(40 / 600, abs=0.035)
    likeliest = np.array(suspects)[np.argsort(-np.array(found.table["wrong"]))][:30]
    assert np.isin(likeliest, flipped).mean() > 0.6
    known = evidence(index)
    _, confident, joint = slow_confident_learning(known.labels, softmax(known.scores.astype(float), 1))
    names = index.model.classes
    for image, other in zip(suspects, found.table["looks like"], strict=True):
        assert names[confident[image]] == other
    assert len(suspects) == joint.sum() - joint.trace()
    assert "If it was trained" not in found.sentence()  # it was not, which is known


def test_planted_copies_are_found(clothes):
    index, _, copied = clothes
    found = explain.duplicates(index)
    pairs = set(zip(found.table["image"], found.table["other"], strict=True))
    planted = {(int(one), at) for at, one in zip(range(576, 600), copied, strict=True)}
    assert len(planted & pairs) >= 20
    assert len(pairs - planted) <= 6
    mirrored = {pair for pair, turned in zip(pairs, found.table["mirrored"], strict=True) if turned}
    assert "are there more than once" in found.sentence()
    assert mirrored or 3 not in range(4)


def test_leaks_are_found_by_the_pictures_that_two_sets_share(clothes, lenet, tmp_path):
    index, _, copied = clothes
    images = explain.load_images("fashion-mnist")
    shared = int(copied[0])  # and beside it what the first index has not
    train = replace(images[700:760], name="train")
    array, labels = train.array.copy(), train.labels
    array[5] = images.array[shared]
    train = replace(train, array=array, labels=labels)
    built = explain.build_index(lenet, train, layers=["conv2"], out=tmp_path / "index")
    found = explain.duplicates(index, explain.open_index(built.folder, lenet, train), near=2)
    pairs = set(zip(found.table["image"], found.table["other"], strict=True))
    assert (shared, 5) in pairs
    assert len(pairs) <= 4
    other = explain.load_model("edges-fashion-mnist")
    with pytest.raises(explain.ExplainError, match="of one model's"):
        explain.duplicates(index, explain.build_index(other, train, out=tmp_path / "other"))


def test_the_list_ranks_what_was_planted_and_goes_into_a_table(clothes):
    index, flipped, _ = clothes
    found = explain.fixes(index)
    gains = [one.gain for one in found.found]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) > 0
    labels = {image for one in found.found if one.kind == "label" for image in one.images}
    assert np.isin(flipped, list(labels)).mean() > 0.7
    copies = next(one for one in found.found if one.kind == "copy")
    assert np.isin(range(576, 600), copies.images).mean() > 0.8
    text = found.figure().encode("csv").decode()
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert len(rows) == sum(len(one.images) for one in found.found)
    assert {"rank", "kind", "what", "why", "gain", "image", "file", "label"} <= rows[0].keys()


def test_influence_leaves_the_picture_itself_out_and_finds_its_copy(clothes):
    index, _, copied = clothes
    at, source = 576, int(copied[0])
    found = explain.influence(index, at, count=10)
    assert at not in found.images
    assert len(found.images) == 599
    known = evidence(index)
    error = softmax(known.scores[at].astype(float)) - np.eye(10)[known.labels[at]]
    squared = (error**2).sum() * ((index.features[at].astype(float) ** 2).sum() + 1)
    assert found.values[found.images == source][0] == pytest.approx(squared, rel=1e-3)  # as itself, it speaks for it
    sides = found.table["side"]
    assert sides == sorted(sides, reverse=True)
    assert found.facts["target"] == index.label(at)


def test_snapshots_are_summed_over_the_same_pictures(clothes, tmp_path):
    index, _, _ = clothes
    other = explain.load_model("edges-fashion-mnist")
    images = index.images
    second = explain.build_index(other, images, layers=["conv1_1"], out=tmp_path / "index")
    second = explain.open_index(second.folder, other, images)
    alone = [explain.influence(one, 30, "Coat") for one in (index, second)]
    both = explain.influence(index, 30, "Coat", [second])
    np.testing.assert_allclose(both.values, alone[0].values + alone[1].values, rtol=1e-6, atol=1e-9)
    fewer = explain.build_index(other, images[:50], layers=["conv1_1"], out=tmp_path / "fewer")
    for wrong, told in (
        ({"snapshots": [fewer]}, "other pictures"),
        ({"snapshots": [second], "method": "influence_function"}, "tracin"),
    ):
        with pytest.raises(explain.ExplainError, match=told):
            explain.influence(index, 30, **wrong)


def test_a_network_of_labels_each_on_its_own_is_refused(tmp_path):
    from torch import nn

    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    images = explain.load_images("fashion-mnist")[:20]
    preprocess = explain.load_model("lenet-fashion-mnist").preprocess
    model = explain.wrap(net, classes=list(images.classes), preprocess=preprocess, output="sigmoid")
    index = explain.build_index(model, images, out=tmp_path / "index")
    for name in ("calibration", "label_errors", "slices", "fixes"):
        with pytest.raises(explain.ExplainError, match="of which one is right"):
            getattr(explain, name)(index)


def test_pictures_without_labels_have_copies_and_outliers_but_no_mistakes(lenet, tmp_path):
    """A folder of photographs, two of them compressed anew, one mirrored, and one of noise."""
    photos = [skimages.astronaut(), skimages.chelsea(), skimages.coffee(), skimages.rocket(), skimages.camera()]
    tiles = [one[y : y + 96, x : x + 96] for one in photos for y in (40, 150) for x in (40, 150)]
    for k, tile in enumerate(tiles):
        Image.fromarray(tile).save(tmp_path / f"{k:02}.png")
    Image.fromarray(tiles[3]).save(tmp_path / "a.jpg", quality=80)
    Image.fromarray(tiles[9]).resize((64, 64)).save(tmp_path / "b.png")
    Image.fromarray(tiles[13][:, ::-1]).save(tmp_path / "c.png")
    index = explain.build_index(lenet, explain.load_images(tmp_path), layers=["conv2"], out=tmp_path / "index")
    found = explain.duplicates(index, near=3)
    names = {frozenset((one.rsplit("/")[-1], two.rsplit("/")[-1])) for one, two in
             zip(found.table["file"], found.table["other file"], strict=True)}  # fmt: skip
    assert {frozenset(("03.png", "a.jpg")), frozenset(("09.png", "b.png"))} <= names
    assert len(names) <= 4
    assert len(explain.outliers(index, k=3, usual=0.9).table["image"]) == 3
    with pytest.raises(explain.ExplainError, match="needs labels"):
        explain.label_errors(index)


def test_one_score_of_two_classes_has_the_probabilities_of_the_index(lenet, tmp_path):
    """The second class's probability is the sigmoid of the score, not of twice it."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    net[-1].weight.data *= 20
    clothes = explain.load_images("fashion-mnist")[:80]
    two = replace(clothes, labels=(clothes.labels > 4).astype(np.int64), classes=("top", "shoe"), name="two")
    model = explain.wrap(net, classes=["top", "shoe"], preprocess=lenet.preprocess)
    index = explain.build_index(model, two, out=tmp_path / "index")
    index = explain.open_index(index.folder, model, two)
    known = evidence(index)
    chances = model.chances(model.scores([two[k] for k in known.images])).numpy()
    np.testing.assert_allclose(np.exp(known.scores), chances, atol=1e-5)
    np.testing.assert_allclose(known.own, chances[np.arange(80), known.labels], atol=1e-5)
    assert explain.calibration(index).exact
