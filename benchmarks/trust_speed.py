"""The full trust check of one map of efficientnet-lite0: seconds, with the share that each part takes.

    python benchmarks/trust_speed.py [METHOD ...]

There is no peer that measures the same; the limit is the one that a reader will wait: 60 seconds on two cores. Seconds
of the processor, divided by the threads, say what an idle machine would need.
"""

import sys
import time
from typing import Any

from machine import machine

THREADS, LIMIT = 2, 60


def main(methods: list[str]) -> bool:
    import torch

    import explain

    torch.set_num_threads(THREADS)
    model, picture = explain.load_model("efficientnet-lite0"), explain.open_picture("photos/chelsea.png")
    model.scores(picture)
    print(machine())
    return min(measure(explain.faithfulness, model, picture, method) for method in methods)  # of all of them


def measure(check: Any, model: Any, picture: Any, method: str) -> bool:
    parts: dict[str, float] = {}
    start, busy = time.perf_counter(), time.process_time()
    since, part = start, "start"

    def progress(_done: float, _total: float, message: str = "") -> None:
        nonlocal since, part
        now = time.perf_counter()
        parts[part] = parts.get(part, 0.0) + now - since
        since, part = now, message

    level = check(model, picture, method, progress=progress).verdict.level
    seconds, busy = time.perf_counter() - start, (time.process_time() - busy) / THREADS
    print(f"{method}: {seconds:.1f} s, of the processor {busy:.1f} s each; limit {LIMIT} s; {level}")
    for words, took in sorted(parts.items(), key=lambda item: -item[1])[:6]:
        print(f"    {took:5.1f} s  {words}")
    return min(seconds, busy) < LIMIT


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:] or ["gradient", "grad_cam"]))
