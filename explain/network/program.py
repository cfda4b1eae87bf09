"""What a network computes, as a text: two nets with the same weights and another `forward` are two networks."""

from __future__ import annotations

import hashlib
import numbers
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

__all__ = ["identity", "program"]

DIGITS = 2  # of answers, which differ from processor to processor behind that


_ADDRESS = re.compile(r"0x[0-9a-f]+")


def identity(net: nn.Module, batch: Tensor) -> Iterator[bytes]:
    """What tells a network from others: what it computes with a batch, its layers with their settings, its weights."""
    for line in program(net, batch):
        yield line.encode()
    for name, module in net.named_modules():  # two nets with other activations may share all weights
        settings = _ADDRESS.sub("", module.extra_repr())
        yield f"{name} {type(module).__qualname__}({settings})".encode()
    for name, tensor in net.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.is_quantized:
            yield f"{name} {_ADDRESS.sub('', str(tensor))}".encode()
            continue
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode()
        yield tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def program(net: nn.Module, batch: Tensor) -> Iterator[str]:
    """Each function that a pass over a batch calls, with where its arguments come from; of what is compiled, its code;
    and of what cannot be followed at all, its answers, rounded."""
    compiled = (net, *net.modules())
    scripted = [one for one in compiled if isinstance(one, torch.jit.ScriptModule) or hasattr(one, "code")]
    yield from (str(module.code) for module in scripted)
    followed = _Followed(net)
    with torch.inference_mode(False), torch.no_grad():
        with followed:
            output = net(batch.clone())
        yield from followed.lines
        if not followed.lines and not scripted:
            for value in tree_leaves(output):
                if isinstance(value, Tensor) and value.is_floating_point():
                    scale = float(value.abs().max()) or 1.0
                    yield str((value / scale).flatten().cpu().double().numpy().round(DIGITS).tolist())


class _Followed(TorchFunctionMode):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._names = {id(tensor): name for name, tensor in net.state_dict(keep_vars=True).items()}
        self._kept: list[Tensor] = []  # so that no other gets the identity of one that is gone

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [self._described(value) for value in tree_leaves((args, kwargs or {}))]
        output = func(*args, **(kwargs or {}))
        made = [value for value in tree_leaves(output) if isinstance(value, Tensor)]
        if made:  # a question such as a size computes nothing
            name = resolve_name(func) or getattr(func, "__name__", type(func).__name__)
            self.lines.append(f"{name} {' '.join(given)} -> {' '.join(map(self._named, made))}")
        return output

    def _described(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return self._names.get(id(value)) or self._named(value, _content(value))
        if value is None or isinstance(value, (str, bool, numbers.Number)):
            return repr(value)
        if isinstance(value, (torch.dtype, torch.Size)):
            return str(value)
        return type(value).__name__

    def _named(self, value: Tensor, content: str = "") -> str:
        if id(value) not in self._names:
            self._names[id(value)] = f"{len(self._kept)}{tuple(value.shape)}{content}"
            self._kept.append(value)
        return self._names[id(value)]


def _content(value: Tensor) -> str:
    """Of a tensor that no function made and no state dict has, as those of layers in a plain list."""
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        return ""
    with torch._C.DisableTorchFunction():
        plain = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(plain.tobytes()).hexdigest()[:16]
