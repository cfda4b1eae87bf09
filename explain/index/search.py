"""Exact nearest neighbours: float32 products of the whole index rule nearly all rows out, float64 decides the rest.

Vectors are one float32 array (N, D), which may be a memory map, or a sequence of such blocks, numbered through. Answers
are those of comparing every row in float64, ties by the smaller id. Rows with NaN or infinite values rank last, at
distance inf. The cosine distance is 1 - cos, and 1 where either vector is zero.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadValue, Unknown, shorten

__all__ = ["METRICS", "MetricName", "directions", "nearest", "nearest_all", "squared_norms"]

MetricName = Literal["euclidean", "cosine"]
"""Of METRICS."""

Vectors = NDArray[np.float32] | Sequence[NDArray[np.float32]]
Doubles = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Found = tuple[NDArray[np.int64], Doubles]

_BYTES = 64 << 20
_BYTES_A_PAIR = 64  # of a query and a vector: its float32 product, and float64 intermediates of ruling out
_GROUP = 64
_ROWS = 1 << 18  # numbers converted to float64 at a time, so that they stay in the cache


def squared_norms(vectors: Vectors) -> Doubles:
    """The squared lengths (N,) of all rows, which `nearest` takes so that it need not compute them for each query."""
    chunks = (chunk.astype(np.float64) for block in _blocks(vectors) for chunk in _chunks(block))
    with np.errstate(all="ignore"):
        return np.concatenate([np.zeros(0), *(np.square(chunk).sum(1) for chunk in chunks)])


def nearest(
    vectors: Vectors,
    query: ArrayLike,
    k: int,
    metric: str = "euclidean",
    *,
    norms: Doubles | None = None,
    exclude: int | None = None,
) -> Found:
    """Ids and distances (k,) of the rows nearest to a query (D,), nearest first; fewer when there are fewer rows.

    `exclude` is the id of a row to leave out, which is how a row asks for its own neighbours. Raises BadValue, Unknown.
    """
    (found,) = _search(vectors, np.asarray(query)[None], k, metric, norms, [exclude])
    return found


def nearest_all(
    vectors: Vectors,
    queries: ArrayLike,
    k: int,
    metric: str = "euclidean",
    *,
    norms: Doubles | None = None,
    exclude_self: bool = False,
) -> Found:
    """The same of many queries (Q, D), ids and distances (Q, k), in memory that does not grow with Q but for these.

    With `exclude_self` the queries are the vectors themselves, and each leaves out the row of its own number.
    """
    queries, count = np.atleast_1d(np.asarray(queries)), sum(map(len, _blocks(vectors)))
    if exclude_self and len(queries) != count:
        raise BadValue(f"{len(queries)} queries cannot leave themselves out of {count} vectors; give all of them.")
    own = range(count) if exclude_self else [None] * len(queries)
    shape = len(queries), min(_whole(k), max(count - exclude_self, 0))
    ids, distances = np.zeros(shape, np.int64), np.zeros(shape)
    for number, found in enumerate(_search(vectors, queries, k, metric, norms, own)):
        ids[number], distances[number] = found
    return ids, distances


def directions(vectors: NDArray[np.floating[Any]]) -> Doubles:
    """Unit vectors (N, D), or (N, D + 1), whose squared distances are twice the cosine distances of the vectors (N, D).

    Those of length zero have a dimension of their own: they are as far from all others as a right angle, and not from
    each other.
    """
    exact = vectors.astype(np.float64)
    empty: NDArray[np.bool_] = ~np.any(exact, 1)
    exact /= np.abs(exact).max(1, keepdims=True, initial=1e-300)  # so that no square overflows or vanishes
    return np.hstack([_unit(exact), empty[:, None].astype(np.float64)]) if empty.any() else _unit(exact)


def _search(
    vectors: Vectors, queries: Any, k: Any, metric: str, norms: Doubles | None, own: Sequence[int | None]
) -> Iterator[Found]:
    if metric not in METRICS:
        raise Unknown("metric", metric, METRICS)
    ways, blocks, k = METRICS[metric], _blocks(vectors), _whole(k)
    count = sum(map(len, blocks))
    norms = squared_norms(blocks) if norms is None else np.asarray(norms, np.float64)
    if norms.shape != (count,):
        raise BadValue(f"The norms have shape {norms.shape}; {count} vectors need ({count},).")
    for number in own:
        if number is not None and not 0 <= number < count:
            raise BadValue(f"Row {number} cannot be left out of {count} vectors; they are numbered from 0.")
    at_once = max(_BYTES // (_BYTES_A_PAIR * max(count, 1)), 1)
    for start in range(0, len(queries), at_once):
        some = ways.prepare(_checked(queries[start : start + at_once], blocks))
        products = _products(blocks, some.astype(np.float32))
        for query, row, left_out in zip(some, products, own[start : start + at_once], strict=True):
            with np.errstate(all="ignore"):
                ids = _candidates(*ways.bounds(row, norms, query), k, left_out)
            distances = _distances(blocks, ids, query, ways)
            order = np.argsort(distances, kind="stable")[:k]  # ids ascend, so ties stay in their order
            yield ids[order], distances[order]


def _candidates(key: Floats, slack: Floats, k: int, left_out: int | None) -> NDArray[np.int64]:
    """All rows that may be among the k nearest, given a key that is within slack of one that sorts them rightly.

    The key is overwritten. One that is NaN or infinite says nothing of its row, which stays a candidate.
    """
    if not np.isfinite(key.sum()):  # cheaper than asking each
        key = np.where(np.isfinite(key), key, np.nan)
    most, least = key + slack, np.subtract(key, slack, out=key)
    if left_out is not None:
        most[left_out] = np.inf
    # At least k rows come no later than the k-th smallest of the groups' minima, and these are found soon.
    groups = len(most) // _GROUP
    few = np.fmin.reduce(most[: groups * _GROUP].reshape(_GROUP, groups))
    ids: NDArray[np.int64] = np.flatnonzero(~(least > _smallest(few, k)))
    ids = ids[~(least[ids] > _smallest(most[ids], k))]
    return ids if left_out is None else ids[ids != left_out]


def _smallest(values: Floats, k: int) -> Any:
    return np.partition(values, k - 1)[k - 1] if k <= len(values) else np.inf


def _products(blocks: list[NDArray[np.float32]], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        parts = [queries @ block.T for block in blocks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros((len(queries), 0), np.float32), *parts], 1)


def _distances(blocks: list[NDArray[np.float32]], ids: NDArray[np.int64], query: Doubles, ways: _Metric) -> Doubles:
    """The exact distances of these rows, whose ids ascend."""
    found, start = [np.zeros(0)], 0
    for block in blocks:
        rows = ids[slice(*np.searchsorted(ids, (start, start + len(block))))] - start
        for chunk in _chunks(rows, block.shape[1]):
            values = block[chunk].astype(np.float64)
            with np.errstate(all="ignore"):
                found.append(np.where(np.isfinite(values).all(1), ways.distances(values, query), np.inf))
        start += len(block)
    return np.concatenate(found)


# ------------------------------------------------------------ metrics

# A product x.q of D numbers, summed in float32 in whatever order, with or without fused multiply-add, is within
# g |x||q| of the exact one, where g = m u / (1 - m u), u = 2**-24 and m = D (Higham, Accuracy and Stability, 3.1, and
# Cauchy-Schwarz). m = D + 16 also holds what else is rounded, each time by u at most: q, the norms, the key, adding and
# subtracting the slack; and float64's own errors in the distances, 2**-29 as large. Numbers too small for float32 may
# vanish, at most 2**-126 each or, of q, |x| 2**-126: _VANISHED covers them many times over.
_VANISHED = 2.0**-120


def _bound(size: int) -> float:
    rounding = (size + 16) * 2.0**-24
    return rounding / (1 - rounding) if rounding < 1 else np.inf


def _euclidean_bounds(products: NDArray[np.float32], norms: Doubles, query: Doubles) -> tuple[Floats, Floats]:
    """The squared distance less |q|^2, |x|^2 - 2 x.q, in place of the products; and its error.

    2 |x||q| is at most |x|^2 + |q|^2.
    """
    bound, squares = _bound(len(query)), norms.astype(np.float32)
    products *= -2  # in place, as the memory for more arrays costs more than the arithmetic
    products += squares
    squares *= bound
    squares += bound * float(query @ query) + len(query) * _VANISHED
    return products, squares


def _euclidean(rows: Doubles, query: Doubles) -> Doubles:
    distances: Doubles = np.sqrt(np.square(rows - query).sum(1))
    return distances


def _cosine_bounds(products: NDArray[np.float32], norms: Doubles, query: Doubles) -> tuple[Floats, Floats]:
    """-x.q / |x|, where q is a unit vector, and its error."""
    lengths = np.sqrt(norms)
    lengths[norms == 0] = 1  # the product is 0, which is right: the distance is 1
    return products / -lengths, _bound(len(query)) + len(query) * _VANISHED / lengths


def _cosine(rows: Doubles, query: Doubles) -> Doubles:
    """1 - cos as half the squared distance of unit vectors, which is 0 for equal ones and never below."""
    halves: Doubles = np.square(_unit(rows) - query).sum(1) / 2
    return np.where(rows.any(1) & query.any(), halves, 1.0)


def _unit(rows: Doubles) -> Doubles:
    lengths = np.sqrt(np.square(rows).sum(1, keepdims=True))
    return rows / np.where(lengths == 0, 1, lengths)


class _Metric(NamedTuple):
    prepare: Callable[[Doubles], Doubles]
    bounds: Callable[[NDArray[np.float32], Doubles, Doubles], tuple[Floats, Floats]]
    distances: Callable[[Doubles, Doubles], Doubles]


METRICS: dict[str, _Metric] = {
    "euclidean": _Metric(lambda queries: queries, _euclidean_bounds, _euclidean),
    "cosine": _Metric(_unit, _cosine_bounds, _cosine),
}


# ------------------------------------------------------------ what is asked


def _blocks(vectors: Vectors) -> list[NDArray[np.float32]]:
    blocks = [vectors] if isinstance(vectors, np.ndarray) else list(vectors)
    for block in blocks:
        if not isinstance(block, np.ndarray) or block.ndim != 2 or block.dtype != np.float32:
            kind = f"{block.dtype} {block.shape}" if isinstance(block, np.ndarray) else type(block).__name__
            raise BadValue(f"Vectors cannot be {kind}; they are float32 arrays (N, D).")
        if block.shape[1] != blocks[0].shape[1]:
            raise BadValue(f"Blocks of vectors differ in length: {blocks[0].shape[1]} and {block.shape[1]} numbers.")
    return blocks


def _checked(queries: Any, blocks: list[NDArray[np.float32]]) -> Doubles:
    size = blocks[0].shape[1] if blocks else queries.shape[-1]
    if queries.ndim != 2 or queries.shape[1] != size or queries.dtype.kind not in "fiu":
        raise BadValue(f"A query cannot be {queries.dtype} {queries.shape[1:]}; the vectors have {size} numbers each.")
    exact: Doubles = queries.astype(np.float64)
    if not (np.abs(exact) <= np.finfo(np.float32).max).all():
        raise BadValue("The query holds NaN, infinity or a number beyond float32; it must be finite.")
    return exact


def _whole(k: Any) -> int:
    try:
        if isinstance(k, bool) or operator.index(k) < 1:
            raise TypeError
    except TypeError:
        raise BadValue(f"k={shorten(k)} is not a whole number of at least 1.") from None
    return operator.index(k)


def _chunks(rows: NDArray[Any], size: int | None = None) -> Iterator[NDArray[Any]]:
    """An array's rows some at a time; `size` is the length of the vectors that they stand for."""
    step = max(_ROWS // max(rows.shape[1] if size is None else size, 1), 1)
    return (rows[start : start + step] for start in range(0, len(rows), step))
