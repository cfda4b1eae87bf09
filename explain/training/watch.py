"""What one sees of a network while it learns: gradients, weights and their steps layer by layer, and dead units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..network.trace import address, call_counts, calls

__all__ = ["Watcher", "dead_units", "gradient_norm"]


class Watcher:
    """Looks at single steps: `before` the optimiser's step, which notes the weights, and `after` it.

    within: the net's own name, where it is a part of another.
    """

    def __init__(self, net: nn.Module, within: str = "") -> None:
        self.layers = {
            ".".join(filter(None, (within, name))): module.weight
            for name, module in net.named_modules()
            if isinstance(getattr(module, "weight", None), nn.Parameter) and module.weight.dim() > 1
        }

    def before(self) -> None:
        self._held = {name: weight.detach().clone() for name, weight in self.layers.items()}

    def after(self) -> dict[str, dict[str, float]]:
        """By layer: the norm of the gradient, that of the weights, and the step's as a share of the weights'."""
        found = {}
        for name, weight in self.layers.items():
            size = weight.detach().norm()
            step = (weight.detach() - self._held[name]).norm() / size.clamp_min(1e-12)
            slope = torch.zeros(()) if weight.grad is None else weight.grad.norm()
            found[name] = {"gradient": float(slope), "weight": float(size), "update": float(step)}
        return found


def gradient_norm(net: nn.Module) -> Tensor:
    """The 2-norm of the gradient of all parameters together."""
    slopes = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    return torch.nn.utils.get_total_norm(slopes)


def dead_units(net: nn.Module, probe: Tensor) -> dict[str, float]:
    """For each rectifier the share of its channels, or units, that no picture of the probe (N, C, H, W) makes positive.

    The net is in eval mode.
    """
    kinds = (nn.ReLU, nn.ReLU6, nn.LeakyReLU)
    names = [name for name, module in net.named_modules() if isinstance(module, kinds)]
    if not names:
        return {}
    counts, found = call_counts(net, probe[:1]), dict[str, float]()

    def on_output(name: str, call: int, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() in (2, 4):
            alive = (output > 0).transpose(0, 1).flatten(1).any(1)
            found[address(name, call, counts[name])] = float((~alive).float().mean())

    with torch.no_grad(), calls(net, names, on_output):
        net(probe)
    return found
