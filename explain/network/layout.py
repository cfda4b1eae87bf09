"""Where the channels of a layer's output are: before the places, behind them, or on tokens; and outputs as maps.

Everything here reads (N, C, H, W). A layer that gives (N, H, W, C), or tokens (N, L, C) of which each stands for a
place, is turned on its way out and, where it is changed, turned back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["LAYOUTS", "Layout", "layouts_of"]

LAYOUTS = "_explain_layouts"
"""An attribute of a net that holds the layouts of its layer calls that are not (N, C, H, W); copies have it too."""


class Layout(NamedTuple):
    """kind: "last" for (N, H, W, C), "tokens" for (N, before + h w, C). size: (h, w) of the tokens, `before` how many
    come first that stand for no place, such as a class token."""

    kind: str
    size: tuple[int, int] = (0, 0)
    before: int = 0

    def to_maps(self, output: Tensor) -> Tensor:
        """As (N, C, H, W), without a copy where that can be."""
        if self.kind == "last":
            return output.permute(0, 3, 1, 2)
        places: Tensor = output[:, self.before :].mT
        return places.reshape(*places.shape[:2], *self.size)

    def from_maps(self, maps: Tensor, output: Tensor) -> Tensor:
        """Changed maps in the place of those of an output."""
        if self.kind == "last":
            return maps.permute(0, 2, 3, 1)
        tokens = maps.flatten(2).mT
        return torch.cat([output[:, : self.before], tokens], 1) if self.before else tokens


def layouts_of(net: nn.Module) -> Mapping[str, Layout]:
    """By the name of the layer call, also of a net within another."""
    found: dict[str, Layout] = {}
    for prefix, module in net.named_modules():
        for name, layout in vars(module).get(LAYOUTS, {}).items():
            found[f"{prefix}.{name}" if prefix else name] = layout
    return found
