"""DeepLIFT: each function of the picture is compared with the same function of a baseline."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import NotSupported
from ..network.trace import asking
from .gradients import BASELINE, baseline_of, to_baseline
from .propagation import Call, Ruled, Rules, multipliers, scaled, shared
from .registry import METHODS, InputRange, complete

__all__ = ["deep_lift"]


@METHODS.register(label="DeepLIFT")
@complete(to_baseline)
def deep_lift(
    net: nn.Module, _layer: str, batch: Tensor, target: Tensor, input_range: InputRange, *, baseline: BASELINE = "black"
) -> Tensor:
    """What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et al. 2017, Rescale rule).

    It adds up to the difference of the two scores. Where effects cancel, single pixels can get more than they are
    worth, and pixels that look like the baseline get nothing.
    """
    start = baseline_of(baseline, batch, input_range)
    noting = _Noting()
    with torch.inference_mode(False), torch.enable_grad(), noting:
        net(asking(start).clone())
    return (multipliers(net, batch, target, _Lifting(noting.held)) * (batch - start)).sum(1)


class _Noting(Rules):
    """Keeps what the functions were given on the way of the baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[str, list[Tensor]]] = []

    def _note(self, name: str, call: Call, *inputs: Tensor) -> Any:
        self.held.append((name, [value.detach().clone() for value in inputs]))  # a later function may overwrite them
        return call(*inputs)

    def elementwise(self, name: str, call: Call, batch: Tensor) -> Any:
        return self._note(name, call, batch)

    def largest(self, name: str, call: Call, batch: Tensor) -> Any:
        return self._note(name, call, batch)

    def product(self, name: str, call: Call, one: Tensor, other: Tensor) -> Any:
        return self._note(name, call, one, other)


class _Lifting(Rules):
    """DeepLIFT: functions of the picture are compared with the same ones of the baseline, met in the same order."""

    method = "DeepLIFT"

    def __init__(self, held: list[tuple[str, list[Tensor]]]) -> None:
        super().__init__()
        self.held = held[::-1]

    def _origin(self, name: str, *inputs: Tensor) -> list[Tensor]:
        noted, origins = self.held.pop() if self.held else ("", [])
        if noted != name or [value.shape for value in inputs] != [value.shape for value in origins]:
            raise NotSupported(
                "DeepLIFT needs a network that goes the same way for each picture, and this one does not."
            )
        return origins

    def elementwise(self, name: str, call: Call, batch: Tensor) -> Any:
        return scaled(name, call, batch, *self._origin(name, batch))

    def largest(self, name: str, call: Call, batch: Tensor) -> Any:
        """What raises the largest value is due to the picture's winner, what lowers it to the baseline's."""
        (origin,) = self._origin(name, batch)
        change = batch.detach() - origin
        ours, theirs = batch.detach().clone().requires_grad_(), origin.requires_grad_()
        value, before = call(ours), call(theirs)
        rise, fall = (value - before).detach().clamp(min=0), (value - before).detach().clamp(max=0)

        def back(signal: Tensor) -> list[Tensor]:
            (raised,) = torch.autograd.grad(value, ours, signal * rise)
            (lowered,) = torch.autograd.grad(before, theirs, signal * fall)
            return [torch.where(change == 0, 0.0, (raised + lowered) / change)]

        return Ruled.apply(name, value.detach().clone, back, False, batch)

    def product(self, name: str, call: Call, one: Tensor, other: Tensor) -> Any:
        """Each factor counts for the mean of the other one: with that, products are complete."""
        before = self._origin(name, one, other)
        means = [(now.detach() + then) / 2 for now, then in zip((one, other), before, strict=True)]
        return shared(name, call, (one, other), means, (1, 1))
