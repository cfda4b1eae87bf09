"""A network out of what people wrap it in: data parallelism, torch.compile, scripts, half precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import NotSupported
from .copying import copied

__all__ = ["check_weights", "opened"]


def opened(net: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The module whose layers can be looked into, and what to say of it."""
    if isinstance(net, nn.parallel.DataParallel | nn.parallel.DistributedDataParallel):
        net = net.module
    net = getattr(net, "_orig_mod", net)  # what torch.compile was given
    if isinstance(net, torch.jit.ScriptModule):
        return _Compiled(net), ("It is compiled: its layers cannot be looked into, only the whole network.",)
    half = {one.dtype for one in net.parameters()} & {torch.float16, torch.bfloat16}
    if half:
        try:
            return copied(net).float(), (f"Its weights are {half.pop()}; it computes in float32 here.",)
        except Exception as error:  # whatever a module's own copying raises
            reason = str(error).strip().partition(chr(10))[0].rstrip(".")
            raise NotSupported(
                f"A network in {half.pop()} is copied to float32, and this one cannot be: {reason}."
            ) from error
    return net, ()


def check_weights(net: nn.Module, name: str) -> None:
    """Raises NotSupported for a network that has no weights yet."""
    for one in net.parameters():
        if isinstance(one, nn.parameter.UninitializedParameter):
            raise NotSupported(f"Model {name!r} is lazy: it has no weights before its first pass; call it once.")
        if one.is_inference():
            raise NotSupported(
                f"The weights of model {name!r} were made within torch.inference_mode(), so no gradient reaches them; "
                "build or load it outside."
            )
        if one.is_meta:
            raise NotSupported(f"Model {name!r} is on the device 'meta', where it has no weights; load them first.")


class _Compiled(nn.Module):
    """A scripted or traced module, whose parts take no hooks, with its weights."""

    def __init__(self, net: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.__dict__["net"] = net
        for key, weight in net.named_parameters():
            self.register_parameter(key.replace(".", "_"), weight)
        for key, value in net.named_buffers():
            self.register_buffer(key.replace(".", "_"), value)

    @property
    def code(self) -> str:
        return str(self.__dict__["net"].code)

    def train(self, mode: bool = True) -> _Compiled:
        self.__dict__["net"].train(mode)
        return super().train(mode)

    def forward(self, batch: torch.Tensor) -> Any:
        return self.__dict__["net"](batch)
