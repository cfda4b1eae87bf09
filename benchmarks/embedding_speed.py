"""Claim: t-SNE of 10,000 pictures takes at most 1.05 times openTSNE's own time, and is as trustworthy to 0.005; PCA of
them is on the screen's side within a second.

What we do is `explain.embedding` without its measurements: vectors out of the open index, a process of its own, exact
neighbours, openTSNE's descent by its tree. The peer is `openTSNE.TSNE(perplexity=30, n_jobs=cores).fit(vectors)` in
a process of its own that knows nothing of us, as its documentation shows it, which takes its grid by itself; its start
and imports are not counted, ours are. We and the peer alternate. scikit-learn's
TSNE runs once, for its time alone. `--rounds N` and `--no-sklearn` make it shorter.
The two kinds of vectors are LeNet's features (84) and 50 principal components of the pixels.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from machine import machine
from numpy.typing import NDArray
from sklearn.manifold import TSNE as SlowTSNE

import explain
from explain.index import Index
from explain.isolate import isolate
from explain.projections.fidelity import fidelity
from explain.projections.projection import cores
from explain.views import embedding

TARGET, FIRST_ROUNDS = 1.05, 5
ROUNDS = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else 3


def main() -> None:
    model = explain.load_model("lenet-fashion-mnist")
    with tempfile.TemporaryDirectory() as folder:
        index = explain.build_index(model, "fashion-mnist", ["conv1"], out=Path(folder) / "index")
        first_picture(explain.open_index(index.folder, model))
        compare("LeNet's features", np.asarray(index.features))
        pixels = explain.load_images("fashion-mnist").array
        assert pixels is not None
        flat = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
        centred = flat - flat.mean(0)
        values, axes = np.linalg.eigh(centred.T @ centred)
        compare("50 components of the pixels", centred @ axes[:, np.argsort(-values)[:50]])


PEER = """
import sys, time
import numpy as np
from openTSNE import TSNE
vectors = np.load(sys.argv[1])
start = time.perf_counter()
points = np.asarray(TSNE(perplexity=30, n_jobs=int(sys.argv[2]), random_state=0).fit(vectors))
print(time.perf_counter() - start)
np.save(sys.argv[1], points)
"""


def peer(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """openTSNE's points and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        np.save(file, vectors)
        free = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}  # we set it for us
        asked = [sys.executable, "-c", PEER, str(file), str(cores())]
        said = subprocess.run(asked, env=free, capture_output=True, text=True, check=True)
        return np.load(file), float(said.stdout)


def first_picture(index: Index) -> None:
    took = []
    for _ in range(FIRST_ROUNDS):
        start = time.perf_counter()
        embedding.compute(index, "pca", measure=False).figure()
        took.append(time.perf_counter() - start)
    said = f"first {took[0] * 1e3:.0f} ms with what is loaded at first use, then {statistics.median(took) * 1e3:.0f} ms"
    print(f"PCA of {len(index):,} pictures as a figure, from an open index: {said}; {machine()}", flush=True)


def compare(what: str, vectors: NDArray[np.float32]) -> None:
    ways = {
        "explain": lambda: isolate("explain.projections.projection:project", "tsne", vectors, pca_first=False).points,
        "openTSNE": lambda: peer(vectors),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    trust: dict[str, float] = {}
    for number in range(ROUNDS):
        for name in ways if number % 2 else list(ways)[::-1]:
            start = time.perf_counter()
            points = ways[name]()
            took[name].append(points[1] if isinstance(points, tuple) else time.perf_counter() - start)
            points = points[0] if isinstance(points, tuple) else points
            trust[name] = fidelity(vectors, points).trustworthiness
    ratios = [own / peer for own, peer in zip(took["explain"], took["openTSNE"], strict=True)]
    seconds = ", ".join(f"{name} {statistics.median(times):.1f} s" for name, times in took.items())
    known = ", ".join(f"{name} {value:.4f}" for name, value in trust.items())
    print(
        f"t-SNE of {len(vectors):,} x {vectors.shape[1]}, {what}: {statistics.median(ratios):.3f} x openTSNE "
        f"({', '.join(f'{ratio:.2f}' for ratio in ratios)}; target {TARGET}; {seconds}); "
        f"trustworthiness {known}; {machine()}, openTSNE {version('openTSNE')}",
        flush=True,
    )
    if "--no-sklearn" not in sys.argv:
        start = time.perf_counter()
        slow = SlowTSNE(perplexity=30, random_state=0, init="pca", n_jobs=cores()).fit_transform(vectors)
        seconds = f"{time.perf_counter() - start:.1f} s, {fidelity(vectors, slow).trustworthiness:.4f}"
        print(f"  scikit-learn {version('scikit-learn')}: {seconds}", flush=True)


if __name__ == "__main__":
    main()
