"""What a network makes of other values in the place of a layer's output: its rest, run alone where that can be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..network.copying import is_alone
from ..network.trace import call_of, calls

__all__ = ["Rest"]

MOST, BYTES = 256, 32 << 20  # outputs at a time, and what they may take; layers to come may take several times that
CLOSE = 1e-4


class Rest:
    """A net from a layer on.

    One picture goes in, and at the layer many outputs go on in its place: what comes before is computed once for all of
    them. A net in which that fails, as one that joins the layer's output with what is before it, or that gives other
    scores than a whole pass by more than rounding, gets the picture as often as there are outputs.
    """

    def __init__(self, net: nn.Module, layer: str) -> None:
        self.net, self.layer = net, layer
        self.once: bool | None = None  # until it has been tried

    def scores(self, picture: Tensor, outputs: Tensor) -> Tensor:
        """Scores (N, K) of a picture (1, C, H, W) with each of these outputs (N, channels, h, w) of the layer, which
        are the net's to overwrite."""
        if is_alone(self.net):
            return torch.cat([self._pass(picture, one) for one in torch.split(outputs, 1)])
        if self.once is None and len(outputs) > 1:
            self.once = self._can_be_once(picture, outputs[:: len(outputs) - 1])
        most = max(1, min(MOST, BYTES // max(1, outputs[0].nbytes)))
        return torch.cat([self._some(picture, some) for some in torch.split(outputs, most)])

    def _some(self, picture: Tensor, outputs: Tensor) -> Tensor:
        return self._pass(picture if self.once else picture.repeat(len(outputs), 1, 1, 1), outputs)

    def _pass(self, batch: Tensor, outputs: Tensor) -> Tensor:
        module, wanted = call_of(self.net, self.layer)

        def on_output(_module: str, call: int, output: Any) -> Tensor | None:
            return outputs.to(output.dtype) if wanted in (None, call) else None

        with torch.inference_mode(False), torch.no_grad(), calls(self.net, [module], on_output):
            found: Tensor = self.net(batch)
        return found.float()

    def _can_be_once(self, picture: Tensor, outputs: Tensor) -> bool:
        whole = self._pass(picture.repeat(len(outputs), 1, 1, 1), outputs.clone())
        try:
            quick = self._pass(picture, outputs.clone())
        except Exception:  # whatever a stranger's code raises on a batch that grows on the way
            return False
        return quick.shape == whole.shape and bool((quick - whole).abs().max() <= CLOSE * whole.abs().max())
