"""search: every answer equals the slow way, all rows in float64, whatever float32 makes of them."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.errors import BadValue, Unknown
from explain.index import search
from explain.index.search import METRICS, nearest, nearest_all, squared_norms

random_state = np.random.default_rng(0)


def slow(vectors, query, k, metric, left_out=None):
    """Each row by itself, sorted by distance and then by id."""
    query, rows = np.asarray(query, np.float64), []
    for number, row in enumerate(np.asarray(vectors, np.float64)):
        if not np.isfinite(row).all():
            distance = np.inf
        elif metric == "euclidean":
            distance = np.sqrt(np.square(row - query).sum())
        elif not row.any() or not query.any():
            distance = 1.0
        else:
            units = (vector / np.sqrt(np.square(vector).sum()) for vector in (row, query))
            distance = np.square(np.subtract(*units)).sum() / 2
        rows += [(distance, number)] * (number != left_out)
    return sorted(rows)[:k]


def same(found, wanted):
    ids, distances = found
    assert ids.dtype == np.int64
    assert distances.dtype == np.float64
    assert ids.tolist() == [number for _, number in wanted]
    assert distances.tolist() == [distance for distance, _ in wanted]


@st.composite
def questions(draw):
    """Vectors of one of many kinds, and a query that is often one of them."""
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, size = draw(st.integers(1, 600)), draw(st.sampled_from([1, 2, 7, 8, 9, 33, 130]))
    vectors = seed.standard_normal((count, size))
    kind = draw(st.sampled_from(["plain", "few values", "offset", "scales", "tiny", "huge", "clustered"]))
    if kind == "few values":
        vectors = np.round(vectors)
    elif kind == "offset":
        vectors = 1e4 + draw(st.sampled_from([1e-3, 1e-2, 1])) * vectors
    elif kind == "scales":
        vectors *= 10.0 ** seed.integers(-12, 12, (count, 1))
    elif kind in ("tiny", "huge"):
        vectors *= {"tiny": 10.0 ** -seed.integers(18, 44), "huge": 1e36}[kind]
    elif kind == "clustered":
        vectors = 5 * vectors[seed.integers(0, min(count, 4), count)] + 1e-4 * vectors
    for value in draw(st.lists(st.sampled_from([0.0, np.nan, np.inf, -np.inf]), max_size=4)):
        place = seed.integers(0, count, max(count // 5, 1))
        vectors[place, slice(None) if value == 0 else 0] = value
    vectors = vectors[seed.integers(0, count, count)].astype(np.float32)  # with duplicates
    finite = np.flatnonzero(np.isfinite(vectors).all(1))
    query = seed.standard_normal(size) * draw(st.sampled_from([0, 1, 1e-30, 1e30]))
    if len(finite) and draw(st.booleans()):
        query = vectors[finite[0]] + draw(st.sampled_from([0, 1e-7])) * seed.standard_normal(size)
    return vectors, query, draw(st.integers(1, 20)), draw(st.sampled_from(list(METRICS)))


@given(questions(), st.lists(st.integers(0, 600), max_size=3))
@settings(deadline=None, max_examples=400)
def test_equals_the_slow_way(question, cuts):
    vectors, query, k, metric = question
    wanted = slow(vectors, query, k, metric)
    same(nearest(vectors, query, k, metric), wanted)
    same(nearest(np.split(vectors, sorted(cuts)), query, k, metric, norms=squared_norms(vectors)), wanted)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("power", [-44, -43, -40, -38, -22, -19, 0, 17, 18, 19, 38])
@pytest.mark.parametrize("query_power", [-44, -38, -19, 0, 19, 20, 37])
def test_numbers_at_the_ends_of_float32(power, query_power, metric):
    """Products vanish, lose digits or overflow, and the answer is none the less the slow way's."""
    vectors = np.clip(random_state.standard_normal((200, 9)) * 10.0**power, -3e38, 3e38).astype(np.float32)
    query = random_state.standard_normal(9) * 10.0**query_power
    same(nearest(vectors, query, 5, metric), slow(vectors, query, 5, metric))


def test_a_product_that_overflows_on_its_way_says_nothing():
    """In one order or another the partial sums are infinite; these rows' products are 0, and the last one's is not."""
    signs = np.repeat(50 * list(permutations([1, 1, -1, -1])), 16, 1)
    vectors = np.concatenate([2e17 * signs, np.full((1, 64), 2e15)]).astype(np.float32)
    query = np.full(64, 5e20)
    same(nearest(vectors, query, 1), slow(vectors, query, 1, "euclidean"))
    assert nearest(vectors, query, 1)[0] == len(signs)


@given(questions())
@settings(deadline=None, max_examples=60)
def test_many_queries_and_left_out_rows(question):
    vectors, _, k, metric = question
    vectors = vectors[np.isfinite(vectors).all(1)]
    ids, distances = nearest_all([vectors[:5], vectors[5:]], vectors, k, metric, exclude_self=True)
    assert ids.shape == distances.shape == (len(vectors), min(k, max(len(vectors) - 1, 0)))
    for number in range(0, len(vectors), 29):
        wanted = slow(vectors, vectors[number], k, metric, left_out=number)
        same((ids[number], distances[number]), wanted)
        same(nearest(vectors, vectors[number], k, metric, exclude=number), wanted)
    ids, distances = nearest_all(vectors, vectors[:3], k, metric)
    for number, query in enumerate(vectors[:3]):
        same((ids[number], distances[number]), slow(vectors, query, k, metric))


@pytest.mark.parametrize("metric", METRICS)
def test_the_bound_holds(metric):
    """The key is within slack of the exact one, and float32's errors are not so small that the slack is idle."""
    vectors = (random_state.random((3000, 700)) + 3).astype(np.float32)
    query = METRICS[metric].prepare(random_state.random((1, 700)) + 3)[0]
    norms = squared_norms(vectors)
    key, slack = METRICS[metric].bounds(vectors @ query.astype(np.float32), norms, query)
    exact = vectors.astype(np.longdouble) @ query.astype(np.longdouble)
    exact = norms - 2 * exact if metric == "euclidean" else -exact / np.sqrt(norms)
    error = np.abs(key - exact)
    assert (error <= slack).all()
    assert error.max() > 1e-3 * np.max(slack)


def test_without_the_bound_it_would_be_wrong(monkeypatch):
    """The cancellation that the bound is for: the test above can fail."""
    vectors = (1e4 + random_state.standard_normal((500, 64))).astype(np.float32)
    wanted = slow(vectors, vectors[0], 5, "euclidean")
    same(nearest(vectors, vectors[0], 5), wanted)
    monkeypatch.setattr(search, "_bound", lambda size: 0.0)
    assert nearest(vectors, vectors[0], 5)[0].tolist() != [number for _, number in wanted]


@pytest.mark.parametrize("metric", METRICS)
def test_few_rows_need_float64(metric, monkeypatch):
    vectors = random_state.standard_normal((20_000, 64), dtype=np.float32)
    if metric == "cosine":
        vectors[1000:5000] = 0  # pictures that leave no feature alive
    counts = []
    distances = search._distances
    spy = lambda blocks, ids, *rest: counts.append(len(ids)) or distances(blocks, ids, *rest)  # noqa: E731
    monkeypatch.setattr(search, "_distances", spy)
    same(nearest(vectors, vectors[7], 10, metric), slow(vectors, vectors[7], 10, metric))
    assert counts[0] <= 12


def test_cosine_is_one_minus_cos():
    vectors = random_state.standard_normal((50, 20), dtype=np.float32)
    query = random_state.standard_normal(20)
    ids, distances = nearest(vectors, query, 50, "cosine")
    exact = vectors.astype(np.float64)
    cosines = exact @ query / np.linalg.norm(exact, axis=1) / np.linalg.norm(query)
    assert np.abs(distances - (1 - cosines[ids])).max() < 1e-14
    ids, distances = nearest(vectors, -1e20 * vectors[3].astype(np.float64), 50, "cosine")
    assert ids[-1] == 3
    assert distances[-1] == pytest.approx(2)
    assert nearest(vectors, vectors[3] * 4, 1, "cosine")[1][0] == 0


def test_zero_vectors_are_at_distance_one():
    vectors = np.float32([[0, 0], [1, 0], [-1, 0], [0, 1]])
    same(nearest(vectors, [2, 0], 4, "cosine"), [(0, 1), (1, 0), (1, 3), (2, 2)])
    same(nearest(vectors, [0, 0], 4, "cosine"), [(1, 0), (1, 1), (1, 2), (1, 3)])


def test_rows_that_are_not_finite_rank_last():
    vectors = np.float32([[np.nan, 0], [3, 0], [np.inf, 0], [1, 0]])
    for metric in METRICS:
        ids, distances = nearest(vectors, [1, 0], 9, metric)
        assert ids[2:].tolist() == [0, 2]
        assert np.isposinf(distances[2:]).all()


def test_a_memory_map_and_no_copy_of_it(tmp_path):
    vectors = random_state.standard_normal((4000, 50), dtype=np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    same(nearest([mapped, mapped], vectors[9], 3), slow(np.concatenate([vectors] * 2), vectors[9], 3, "euclidean"))
    assert mapped.flags.writeable is False


def test_nothing_to_find():
    for vectors in ([], np.zeros((0, 3), np.float32)):
        assert [len(found) for found in nearest(vectors, [1, 2, 3], 4)] == [0, 0]
    assert nearest_all(np.zeros((5, 3), np.float32), np.zeros((0, 3)), 4)[0].shape == (0, 4)
    assert nearest(np.zeros((1, 3), np.float32), [1, 2, 3], 4, exclude=0)[0].shape == (0,)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"k": 0}, "k=0"),
        ({"k": -3}, "k=-3"),
        ({"k": 2.5}, "k=2.5"),
        ({"k": True}, "k=True"),
        ({"k": "many"}, "k='many'"),
        ({"query": [1, 2]}, r"\(2,\).*3 numbers"),
        ({"query": 5}, "3 numbers"),
        ({"query": ["a", "b", "c"]}, "3 numbers"),
        ({"query": [1, np.nan, 2]}, "finite"),
        ({"query": [1, np.inf, 2]}, "finite"),
        ({"query": [1, 1e39, 2]}, "finite"),
        ({"vectors": np.zeros((4, 3))}, "float64"),
        ({"vectors": np.zeros(3, np.float32)}, r"\(3,\)"),
        ({"vectors": [np.zeros((4, 3), np.float32), np.zeros((4, 2), np.float32)]}, "3 and 2"),
        ({"vectors": [[1.0, 2.0, 3.0]]}, "list"),
        ({"norms": np.zeros(3)}, r"\(3,\).*\(4,\)"),
        ({"exclude": 4}, "4"),
        ({"exclude": -1}, "-1"),
    ],
)
def test_what_is_refused(changes, named):
    with pytest.raises(BadValue, match=named):
        nearest(**({"vectors": np.zeros((4, 3), np.float32), "query": [1, 2, 3], "k": 2} | changes))


def test_an_unknown_metric_is_answered_with_the_valid_ones():
    with pytest.raises(Unknown, match=r"'cosin'.*'cosine'"):
        nearest(np.zeros((4, 3), np.float32), [1, 2, 3], 2, "cosin")


def test_themselves_must_be_as_many_as_the_vectors():
    with pytest.raises(BadValue, match="3"):
        nearest_all(np.zeros((4, 3), np.float32), np.zeros((3, 3)), 2, exclude_self=True)
