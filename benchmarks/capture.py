"""Claim: capturing the outputs of all convolutions costs at most 10 % more than the bare forward pass.

A is `net(batch)` under no_grad, B is `trace.record` on the same net and batch. The two alternate, and which comes first
alternates too, so that a neighbour's load falls on both; the figure is the median of the ratios B / A of the rounds.
"""

import statistics
import time
from collections.abc import Callable

from machine import machine
from torch import Tensor, nn, no_grad, rand

from explain import load_model
from explain.network.trace import record

MODELS = ("torchvision:resnet18?weights=random", "efficientnet-lite0")
BATCH, WARM_UP, ROUNDS, TARGET = 16, 3, 21, 1.10


def main() -> None:
    for name in MODELS:
        model = load_model(name)
        with model.exclusive() as net:
            layers = [key for key, module in net.named_modules() if isinstance(module, nn.Conv2d)]
            batch = rand(BATCH, model.preprocess.channels, *model.preprocess.size)
            pairs = [pair(net, batch, layers, bare_first=k % 2 == 0) for k in range(-WARM_UP, ROUNDS)][WARM_UP:]
        ratios = [captured / bare for bare, captured in pairs]
        low, median, high = statistics.quantiles(ratios, n=4)
        bare = statistics.median(bare for bare, _ in pairs)
        print(
            f"capture {name}, {len(layers)} convolutions, batch {BATCH}: {median:.3f} x the bare forward pass "
            f"(quartiles {low:.3f} to {high:.3f}, {ROUNDS} rounds, target {TARGET:.2f}; bare {bare * 1e3:.0f} ms); "
            f"{machine()}",
            flush=True,
        )


def pair(net: nn.Module, batch: Tensor, layers: list[str], bare_first: bool) -> tuple[float, float]:
    """Seconds of one bare and one captured pass."""

    def bare() -> None:
        with no_grad():
            net(batch)

    def captured() -> None:
        record(net, batch, layers)

    if bare_first:
        return seconds(bare), seconds(captured)
    return (seconds(captured), seconds(bare))[::-1]


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
