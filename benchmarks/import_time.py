"""Claim: `import explain` adds at most 0.15 s to the start of Python, and loads no heavy package.

Fresh processes with and without the import alternate; the figure is the median of the differences of the rounds.
"""

import statistics
import subprocess
import sys
import time

from machine import ROOT, machine

ROUNDS, TARGET = 21, 0.15
HEAVY = ("torch", "streamlit", "numpy", "matplotlib", "PIL")


def main() -> None:
    rounds = [(start("pass"), start("import explain")) for _ in range(ROUNDS + 1)][1:]
    low, median, high = statistics.quantiles([full - bare for bare, full in rounds], n=4)
    bare = statistics.median(bare for bare, _ in rounds)
    check = f"import sys, explain; print(*sorted({set(HEAVY)} & set(sys.modules)))"
    loaded = subprocess.check_output([sys.executable, "-c", check], cwd=ROOT, text=True).split()
    print(
        f"import explain: {median * 1e3:+.1f} ms over a bare start of {bare * 1e3:.0f} ms (quartiles {low * 1e3:+.1f} "
        f"to {high * 1e3:+.1f} ms, {ROUNDS} rounds, target {TARGET * 1e3:.0f} ms); "
        f"of {', '.join(HEAVY)} it loads {', '.join(loaded) or 'none'}; {machine()}"
    )
    if loaded:
        raise SystemExit(f"import explain loads {', '.join(loaded)}")


def start(code: str) -> float:
    """Seconds of a fresh interpreter that runs this."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
