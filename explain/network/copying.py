"""Private copies of a network, which know what their original knows."""

from __future__ import annotations

import copy
from types import FunctionType
from typing import Any

from torch import nn

from ..errors import NotSupported
from .layout import LAYOUTS

__all__ = ["ALONE", "REGION", "copied", "is_alone"]

ALONE = "_explain_alone"
"""An attribute of a net that is asked about one picture at a time; copies of it have it too."""
REGION = "_explain_region"
"""An attribute of a net that is asked: the part of the picture that it is asked about; copies of it have it too."""


def copied(net: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A copy; graphs of torch.fx forget attributes when they are copied.

    Raises NotSupported for a net that would share its original's weights, and what a module's own copying raises.
    """
    for name, module in net.named_modules():
        forward = vars(module).get("forward")
        if isinstance(forward, FunctionType):
            raise NotSupported(
                f"the forward of {name or 'the network'!r} was replaced by a function, which a copy would share with "
                "it; put it into a torch.nn.Module of its own"
            )
    twin = copy.deepcopy(net, memo)
    vars(twin).update({name: vars(net)[name] for name in (ALONE, REGION, LAYOUTS) if name in vars(net)})
    return twin


def is_alone(net: nn.Module) -> bool:
    """Whether a net has to be asked about one picture at a time; also where it stands within another."""
    return any(ALONE in vars(module) and vars(module)[ALONE] for module in net.modules())
