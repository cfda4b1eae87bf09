"""The vector before the classifier: what a network has made of a picture when it comes to deciding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import NotSupported
from .trace import calls, hookable

__all__ = ["head", "vector"]


def head(net: nn.Module, batch: Tensor) -> str:
    """The name of the layer that turns features into class scores: the last linear one that gives them, or the last
    convolution with a map a class, or the last of one's own. Raises NotSupported where there is none."""
    kinds = (nn.Linear, nn.Conv2d, nn.LazyLinear)
    outputs: dict[str, Any] = {}

    def on_output(name: str, _call: int, output: Any) -> None:
        outputs.pop(name, None)
        outputs[name] = output

    still = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.Flatten, nn.Dropout, nn.Identity)
    # A layer whose weight is parametrized holds what computes it.
    leaves = {name: one for name, one in hookable(net).items() if name and ".parametrizations" not in name}
    leaves = {name: one for name, one in leaves.items() if isinstance(one, kinds) or next(one.children(), None) is None}
    names = [name for name, one in leaves.items() if not isinstance(one, still)]
    with torch.inference_mode(False), torch.no_grad(), calls(net, names, on_output):
        scores = net(batch)
    count = scores.shape[1]
    counts = [(count,), (1,)] if count == 2 else [(count,)]  # of two classes one may be asked
    found = {name: one for name, one in outputs.items() if isinstance(one, Tensor) and one.shape[1:2] in counts}
    for known, maps in ((kinds, False), (kinds, True), (nn.Module, True)):  # VOLO's tokens have scores of their own
        for name, output in reversed(found.items()):
            if isinstance(net.get_submodule(name), known) and (maps or output[0].numel() == output.shape[1]):
                return name
    raise NotSupported(f"No layer of this network gives its {count} class scores; it has no features to keep.")


def vector(taken: Tensor) -> Tensor:
    """The head's input as vectors (N, D); maps and tokens are averaged."""
    if taken.dim() == 4:
        return taken.float().mean((2, 3))
    return taken.float().mean(1) if taken.dim() == 3 else taken.float().clone()
