"""Maps of feature vectors against exact cases and other libraries; the process of their own against crashes."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from explain.errors import BadValue, ExplainError, Unknown
from explain.isolate import Crashed, isolate
from explain.projections import projection
from explain.projections.fidelity import fidelity
from explain.projections.projection import PROJECTIONS, project

QUICK = {"pca": {}, "tsne": {"iterations": 100}, "umap": {}}
FEW = {"pca": {}, "tsne": {"iterations": 50}, "umap": {}}  # where it only has to end well


def clusters(count=150, size=20, groups=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % groups
    return (rng.normal(size=(groups, size)) * 8)[labels] + rng.normal(size=(count, size)), labels


def test_pca_is_the_centred_svd_with_its_sign_fixed():
    vectors, _ = clusters()
    points, facts, *_ = project("pca", vectors, dimensions=3)
    centred = vectors - vectors.mean(0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :3] * values[:3]
    signs = np.sign([row[np.abs(row).argmax()] for row in right[:3]])
    np.testing.assert_allclose(points, expected * signs, rtol=1e-4, atol=1e-4)
    shares = values**2 / (values**2).sum()
    np.testing.assert_allclose(facts["explained_variance"], shares[:3], rtol=1e-5)
    order = np.random.default_rng(1).permutation(len(vectors))
    np.testing.assert_allclose(project("pca", vectors[order], dimensions=3)[0], points[order], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("rows", "columns"), [(40, 300), (210, 210)])
def test_pca_of_wide_data_is_as_exact(rows, columns, monkeypatch):
    monkeypatch.setattr(projection, "_EXACT", 200)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, columns)) + 1e-3 * rng.normal(size=(rows, columns))
    points, facts, *_ = project("pca", vectors)
    assert sum(facts["explained_variance"]) > 0.999
    centred = vectors - vectors.mean(0)
    np.testing.assert_allclose(
        np.abs(points), np.abs((lambda u, s, _: u[:, :2] * s[:2])(*np.linalg.svd(centred, False))), rtol=1e-3, atol=1e-2
    )


@pytest.mark.parametrize("method", PROJECTIONS)
def test_clusters_stay_apart_and_the_same_seed_gives_the_same_map(method):
    vectors, labels = clusters()
    points = project(method, vectors, **QUICK[method]).points
    assert points.shape == (150, 2)
    assert np.isfinite(points).all()
    # Each point's five nearest on the map, itself left out.
    purity = KNeighborsClassifier(6).fit(points, labels).kneighbors(points, return_distance=False)[:, 1:]
    assert (labels[purity] == labels[:, None]).mean() >= 0.95
    found = fidelity(vectors, points, 5)
    assert found.trustworthiness >= (0.75 if method == "pca" else 0.9)
    np.testing.assert_array_equal(project(method, vectors, **QUICK[method])[0], points)
    if "seed" in PROJECTIONS[method].options:
        assert not np.allclose(project(method, vectors, **QUICK[method], seed=1)[0], points)


@pytest.mark.parametrize("method", PROJECTIONS)
@pytest.mark.parametrize("count", [3, 4, 5, 12])
def test_a_handful_of_pictures(method, count):
    vectors = np.random.default_rng(0).normal(size=(count, 60))
    points, facts, *_ = project(method, vectors, **FEW[method])
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    if method == "tsne":
        assert facts["perplexity_used"] == (count - 1) / 3


@pytest.mark.parametrize("method", PROJECTIONS)
def test_twins_and_features_that_never_vary(method):
    vectors = np.repeat(np.random.default_rng(0).normal(size=(20, 8)), 3, 0)
    vectors[:, 5] = 2
    points = project(method, vectors, **FEW[method]).points
    assert np.isfinite(points).all()


# ------------------------------------------------------------ odd data: a right map or one sentence, for every method

NOISE = 1 + 1e-7 * np.random.default_rng(5).normal(size=(40, 16))  # that of equal pictures in other batches
BASE = np.random.default_rng(4).normal(size=(40, 16)) * 3 + 2
EQUAL = np.arange(40)  # which picture each is equal to
EQUAL[11:16] = 10

ODD = {
    "equal pictures": (BASE[EQUAL], EQUAL),
    "equal but for rounding": (BASE[EQUAL] * NOISE, EQUAL),
    "half of them equal": (BASE[EQUAL := np.where(np.arange(40) % 2, 0, np.arange(40))] * NOISE, EQUAL),
    "one feature": (BASE[:, :1], None),
    "one feature in float16": (BASE[:, :1].astype(np.float16), None),
    "two features": (BASE[:, :2], None),
    "one that varies": (np.where(np.arange(16) == 3, BASE, 1.0), None),
    "float16": (BASE.astype(np.float16), None),
    "integers": (np.rint(10 * BASE).astype(np.int64), None),
    "maps": (BASE.reshape(40, 4, 2, 2), None),
    "large": (BASE * 1e18, None),
    "larger": (BASE * 1e37, None),
    "tiny": (BASE * 1e-30, None),
    "one huge column": (np.where(np.arange(16) == 3, 1e18 * BASE, BASE), None),
    "one huge picture": (np.where(np.arange(40)[:, None] == 3, 1e18, BASE), None),
    "zero pictures": (np.where(np.arange(40)[:, None] < 3, 0.0, BASE), np.where(np.arange(40) < 3, 0, np.arange(40))),
    "only signs": (np.sign(BASE), None),
    "three that differ": (BASE[np.arange(40) % 3], np.arange(40) % 3),
}
NONE = {
    "no picture": (BASE[:0], "at least 3 pictures; there are 0"),
    "one picture": (BASE[:1], "at least 3 pictures; there are 1"),
    "two pictures": (BASE[:2], "at least 3 pictures; there are 2"),
    "all equal": (BASE[[0] * 6], "all equal"),
    "all equal but for rounding": (BASE[[0] * 6] * NOISE[:6], "1 differ.* by more than rounding.* at least 3"),
    "two that differ": (BASE[np.arange(40) % 2] * NOISE, "2 differ"),
    "no feature": (BASE[:, :0], "all equal"),
    "NaN": (np.where(np.arange(40)[:, None] == 3, np.nan, BASE), "1 of 40 pictures are not finite"),
    "infinite": (np.where(np.arange(40)[:, None] < 3, np.inf, BASE), "3 of 40 pictures are not finite"),
    "beyond float32": (BASE * 1e300, "not finite numbers of float32"),
}


def ways(method):
    """Its own default, and all that its options of distance may be."""
    options = PROJECTIONS[method].options
    yield {}
    if "metric" in options:
        yield {"metric": "cosine", "pca_first": False}
        yield {"metric": "cosine", "pca_first": True}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("method", PROJECTIONS)
def test_odd_features_have_a_map_on_which_equal_pictures_share_one_spot(method, case):
    vectors, equal = ODD[case]
    for way in ways(method):
        if "metric" in way and vectors[0].size == 1:
            with pytest.raises(BadValue, match="2 differ in direction"):  # forwards and backwards
                project(method, vectors, **FEW[method], **way)
            continue
        found = project(method, vectors, **FEW[method], **way)
        assert found.points.shape == (40, 2)
        assert np.isfinite(found.points).all()
        assert np.ptp(found.points, 0).max() > 0
        if equal is None:
            continue
        assert found.facts["distinct"] == len(np.unique(equal))
        np.testing.assert_array_equal(found.first, equal)
        np.testing.assert_array_equal(found.points, found.points[equal])
        assert len(np.unique(found.points, axis=0)) == len(np.unique(equal)), "others have places of their own"


@pytest.mark.parametrize("case", NONE)
@pytest.mark.parametrize("method", PROJECTIONS)
def test_what_has_no_map_is_told_in_one_sentence(method, case):
    vectors, words = NONE[case]
    for way in ways(method):
        with pytest.raises(BadValue, match=words) as refused:
            project(method, vectors, **FEW[method], **way)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("method", PROJECTIONS)
def test_the_unit_of_the_features_changes_no_map(method):
    for way in ways(method):
        plain = project(method, BASE, **FEW[method], **way).points
        for power in (-90, 60, 115):
            scaled = project(method, np.ldexp(BASE.astype(np.float32), power), **FEW[method], **way).points
            np.testing.assert_array_equal(np.ldexp(scaled, -power) if method == "pca" else scaled, plain)


@pytest.mark.parametrize("method", [name for name in PROJECTIONS if "metric" in PROJECTIONS[name].options])
@pytest.mark.parametrize("first", [True, False])
def test_a_cosine_is_of_whole_angles_whatever_is_done_first(method, first):
    """Angles do not change with lengths, but with features that are the same for all, and with where zero is."""
    vectors, _ = clusters(size=80)
    options = {**QUICK[method], "metric": "cosine", "pca_first": first}
    points = project(method, vectors + 3, **options).points
    lengths = 2.0 ** np.random.default_rng(0).integers(-8, 8, (150, 1))
    np.testing.assert_array_equal(project(method, (vectors + 3) * lengths, **options).points, points)
    fixed = project(method, np.hstack([vectors + 3, np.full((150, 1), 1000.0)]), **options).points
    assert not np.allclose(fixed, points, atol=0.1)
    kept, otherwise = (fidelity(vectors + 3, one, 5, "cosine").share_kept for one in (points, fixed))
    assert kept > otherwise - (0.05 if method == "umap" else 0)  # a few steps of it: processors differ by a hundredth


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_nearest_by_the_metric_before_and_after_pca_are_the_same(metric, monkeypatch):
    """Where the components keep all variance, the neighbours that a method is given are those of the vectors."""
    heard = []
    real = projection._neighbours
    monkeypatch.setattr(projection, "_neighbours", lambda *given: heard.append(real(*given)) or heard[-1])
    vectors = np.random.default_rng(1).normal(size=(60, 300)) * np.linspace(0, 9, 60)[:, None] + 4
    monkeypatch.setattr(projection, "COMPONENTS", 59)
    for first in (False, True):
        project("tsne", vectors, **FEW["tsne"], metric=metric, pca_first=first)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = 1 - unit @ unit.T if metric == "cosine" else np.linalg.norm(vectors[:, None] - vectors, axis=2)
    wanted = np.sort(wanted, 1)[:, 1:]
    scale = 1 if metric == "cosine" else 2.0 ** np.frexp(np.abs(vectors).max())[1]
    scale = scale if metric == "euclidean" else 4.0 ** np.frexp(np.abs(unit).max())[1]
    for _, distances in heard:
        np.testing.assert_allclose(distances * scale, wanted[:, : distances.shape[1]], rtol=1e-3, atol=1e-5)


def test_trust_is_not_measured_where_it_has_no_meaning():
    vectors, _ = clusters()
    points = project("pca", vectors).points
    for wrong in (np.nan, np.inf):
        broken = points.copy()
        broken[:4] = wrong
        with pytest.raises(BadValue, match="4 points of the map are not finite"):
            fidelity(vectors, broken)
        with pytest.raises(BadValue, match="150 feature vectors are not finite"):
            fidelity(np.full_like(vectors, wrong), points)


def test_equal_pictures_do_not_make_a_map_less_trusted():
    flat = np.random.default_rng(0).normal(size=(50, 2))
    many = flat[np.arange(200) % 50] + 1e6  # where squares have lost the digits that tell equal ones apart
    for metric in ("euclidean", "cosine"):
        map_of = many if metric == "euclidean" else many / np.linalg.norm(many, axis=1, keepdims=True)
        assert fidelity(many, map_of, 2, metric).trustworthiness > 0.9999
    far = np.vstack([flat, [[1e9, 1e9]]])  # one alone does not blur the others
    assert fidelity(far, far, 5).trustworthiness == 1
    assert fidelity(far, np.random.default_rng(1).permutation(far), 5).trustworthiness < 0.7


@pytest.mark.parametrize(
    ("vectors", "options", "words"),
    [
        (np.ones((2, 4)), {}, "at least 3"),
        (np.ones((50, 4)), {}, "all equal"),
        (np.where(np.eye(50), np.nan, 1.0), {}, "50 of 50 pictures are not finite"),
        (clusters()[0], {"perplexity": 1}, "outside 2 to 500"),
        (clusters()[0], {"perplexity": "many"}, "perplexity='many' is not a number"),
        (clusters()[0], {"metric": "taxi"}, "euclidean"),
        (clusters()[0], {"depth": 3}, "depth"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_words(vectors, options, words):
    with pytest.raises(BadValue if "metric" not in options and "depth" not in options else Unknown, match=words):
        project("tsne", vectors, **options)
    with pytest.raises(Unknown, match="pca"):
        project("magic", vectors)


def test_progress_shows_the_map_as_it_settles():
    vectors, _ = clusters()
    seen, parts = [], []
    points = project("tsne", vectors, lambda *heard: seen.append(heard), parts.append, iterations=100).points
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[0][0] == 0
    assert seen[-1] == (350, 350)
    assert len(parts) == len(seen) - 1
    assert all(part.shape == points.shape for part in parts)
    assert any(not np.allclose(part, points, atol=1) for part in parts)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 5, 12])
def test_fidelity_is_trustworthiness_and_the_share_of_neighbours_kept(metric, k):
    vectors, _ = clusters(120)
    points = np.random.default_rng(3).normal(size=(120, 2)) + project("pca", vectors)[0]
    found = fidelity(vectors, points, k, metric)
    assert found.trustworthiness == pytest.approx(trustworthiness(vectors, points, n_neighbors=k, metric=metric))
    scaled = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if metric == "cosine" else vectors
    for row in range(0, 120, 17):
        order = [np.argsort(((each - each[row]) ** 2).sum(1), kind="stable") for each in (scaled, points)]
        true, mapped = (set(one[one != row][:k].tolist()) for one in order)
        assert found.kept[row] == pytest.approx(len(true & mapped) / k)
    some = fidelity(vectors, points, k, metric, rows=np.array([7, 3]))
    np.testing.assert_array_equal(some.trust, found.trust[[7, 3]])


def test_a_perfect_map_is_wholly_trusted_and_a_shuffled_one_is_not():
    flat = np.random.default_rng(0).normal(size=(200, 2))
    assert fidelity(flat, flat).trustworthiness == fidelity(flat, flat).share_kept == 1
    shuffled = fidelity(flat, np.random.default_rng(1).permutation(flat))
    assert shuffled.trustworthiness < 0.6
    assert shuffled.share_kept < 0.1
    with pytest.raises(BadValue, match="less than half of the 200"):
        fidelity(flat, flat, 100)


def test_apart_answers_reports_and_refuses_as_here():
    vectors, _ = clusters()
    seen = []
    points, facts, *_ = isolate(
        "explain.projections.projection:project", "tsne", vectors, progress=lambda *r: seen.append(r[:2]), iterations=50
    )
    here, known, *_ = project("tsne", vectors, iterations=50)
    np.testing.assert_array_equal(points, here)
    assert facts.pop("divergence") == pytest.approx(known.pop("divergence"))
    assert facts == known
    assert seen[-1] == (300, 300)
    with pytest.raises(BadValue, match="all equal"):
        isolate("explain.projections.projection:project", "tsne", np.ones((9, 2)))


def crash(progress):
    os.abort()


def wait(progress):
    progress(1, 2, os.getpid())
    time.sleep(60)


def test_a_crash_apart_is_an_error_here(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    with pytest.raises(Crashed, match="SIGABRT"):
        isolate(f"{__name__.rpartition('.')[2]}:crash")


def test_what_is_cancelled_is_gone_at_once(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    seen = []

    def report(*values):
        seen.append(values)
        if len(seen) > 1:  # the second is a repetition: the work itself says nothing more
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        isolate(f"{__name__.rpartition('.')[2]}:wait", progress=report)
    assert time.monotonic() - start < 120, "and not when it is done"
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0][2], 0)


def test_errors_are_the_users():
    assert issubclass(Crashed, ExplainError)


def test_what_umap_compiles_is_kept_for_other_processes():
    project("umap", clusters(60, 5)[0])
    from umap import layouts

    kept = layouts._nb_optimize_layout_euclidean_single_epoch.stats
    assert kept.cache_path is not None
    assert list(Path(kept.cache_path).glob("*.nbc"))
