"""Claim: the nearest neighbours of one picture among 200,000 take at most 1.1 times as long as by the best peer.

The peers are faiss's IndexFlatL2 and scikit-learn's NearestNeighbors(algorithm="brute"). What each does once, adding
vectors, fitting, squared norms, is done before; all use as many threads. One query a call; we and the peers alternate,
and so does who comes first. The figure is the median of the rounds' ratios to the peer that is faster in the median.
Features lie in clusters, and are not below zero; plain is normally distributed.
"""

import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import faiss
import numpy as np
from machine import machine
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from explain.index.search import nearest, squared_norms

COUNT, SIZE, K, WARM_UP, ROUNDS, SLOW_ROUNDS, TARGET = 200_000, 512, 10, 2, 15, 3, 1.10
Ask = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def main() -> None:
    for kind in ("clustered", "plain"):
        vectors, queries = data(kind)
        for threads in sorted({1, len(os.sched_getaffinity(0))}):
            faiss.omp_set_num_threads(threads)
            with threadpool_limits(threads):
                compare(f"{kind}, {threads} threads", vectors, queries)


def compare(what: str, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> None:
    norms, flat = squared_norms(vectors), faiss.IndexFlatL2(SIZE)
    flat.add(vectors)
    brute = NearestNeighbors(algorithm="brute").fit(vectors)
    ways: dict[str, Ask] = {
        "explain": lambda query: nearest(vectors, query, K, norms=norms)[0],
        "faiss": lambda query: flat.search(query[None], K)[1][0],
        "sklearn": lambda query: brute.kneighbors(query[None], K, return_distance=False)[0],
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number, query in enumerate(queries):
        # scikit-learn is so much slower that a few rounds tell
        names = [name for name in ways if name != "sklearn" or number < WARM_UP + SLOW_ROUNDS]
        answers = {}
        for name in names if number % 2 else names[::-1]:
            start = time.perf_counter()
            answers[name] = ways[name](query)
            took[name].append(time.perf_counter() - start)
        for name, answer in answers.items():
            assert answer.tolist() == answers["explain"].tolist(), f"{name} answers otherwise"
    took = {name: seconds[WARM_UP:] for name, seconds in took.items()}
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    best = min(("faiss", "sklearn"), key=lambda name: medians[name])
    low, median, high = statistics.quantiles(
        [own / peer for own, peer in zip(took["explain"], took[best], strict=False)], n=4
    )
    milliseconds = ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in medians.items())
    print(
        f"neighbours of one among {COUNT:,} x {SIZE}, {what}: {median:.3f} x {best} "
        f"(quartiles {low:.3f} to {high:.3f}, {ROUNDS} rounds, target {TARGET:.2f}; {milliseconds}); "
        f"{machine()}, faiss {version('faiss-cpu')}, scikit-learn {version('scikit-learn')}",
        flush=True,
    )


def data(kind: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors, and a query for each round."""
    random = np.random.default_rng(0)
    points = random.standard_normal((COUNT + WARM_UP + ROUNDS, SIZE), dtype=np.float32)
    if kind == "clustered":
        points *= 0.5
        points += random.standard_normal((100, SIZE), dtype=np.float32)[random.integers(0, 100, len(points))]
        np.maximum(points, 0, out=points)
    return points[:COUNT], points[COUNT:]


if __name__ == "__main__":
    main()
