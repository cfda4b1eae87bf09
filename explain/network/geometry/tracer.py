"""Tracer: follows one forward pass and keeps what each tensor sees."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...errors import NotSupported
from .field import Field, field_of
from .rules import Call, apply
from .units import Units, everything


class Tracer(TorchDispatchMode):
    """Follows every operation executed inside `with Tracer(batch) as tracer:` and knows the field of each tensor.

    Fields belong to memory, not to Python objects: a storage, held weakly so that its address cannot come back as
    another's, and within it each view by offset, size and stride. So an in-place operation changes what its other
    views see too. Only what leaves torch unseen, as by `tensor.numpy()`, is lost.
    """

    def __init__(self, batch: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if batch.ndim < 3 or batch.numel() == 0:
            raise NotSupported(f"Receptive fields need images (N, C, H, W), not a shape {tuple(batch.shape)}.")
        height, width = self._extent = (batch.shape[-2], batch.shape[-1])
        ones = [1] * (batch.ndim - 2)
        row = torch.arange(height, dtype=torch.float64, device="cpu").reshape(*ones, height, 1)
        column = torch.arange(width, dtype=torch.float64, device="cpu").reshape(*ones, 1, width)
        edges = (-row, row + 1, -column, column + 1)
        self._memory: dict[int, tuple[Any, dict[Any, Units]]] = {}
        self._escaped = False
        self._store(batch, Units(tuple(batch.shape), edges * 2, (1.0, 1.0)))

    def field(self, tensor: Tensor) -> Field | None:
        """The field of a tensor made inside the block; None when it does not depend on the input."""
        units = self._find(tensor)
        return None if units is None else field_of(units, self._extent)

    def axes(self, tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Along which dimensions of a tensor the rows and the columns of the input run; none where all is mixed."""
        units = self._find(tensor)
        if units is None:
            return (), ()
        ends = units.maps[4:6], units.maps[6:8]
        rows, columns = (
            tuple(d for d in range(len(units.shape)) if any(m.ndim > d and m.shape[d] > 1 for m in pair))
            for pair in ends
        )
        return rows, columns

    def grid(self, tensor: Tensor) -> tuple[int, int] | None:
        """How many rows and columns stand along the second dimension of a tensor (N, L, C), row by row; None where it
        does not run over both."""
        if self.axes(tensor) != ((1,), (1,)):
            return None
        top, left = (self._find(tensor).maps[k].flatten() for k in (4, 6))  # type: ignore[union-attr]
        width = int((top == top[0]).sum())
        if len(top) % width or len(left) != len(top):
            return None
        rows, columns = top.view(-1, width), left.view(-1, width)
        return (len(rows), width) if (rows == rows[:, :1]).all() and (columns == columns[:1]).all() else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _is_composite(func):  # under inference_mode operations arrive whole: take them apart as no_grad does
            with self:
                return func.decompose(*args, **kwargs)
        named = _named(func, args, kwargs)
        tracked = {name: self._find_all(value) for name, value in named.items()}
        tracked = {name: units for name, units in tracked.items() if any(tree_leaves(units))}
        strides = args[0].stride() if tracked and args and isinstance(args[0], Tensor) else ()
        result = func(*args, **kwargs)
        if tracked and not _is_constant(func):
            self._follow(Call(func, named, tracked, tree_leaves(result), strides))
        return result

    def _follow(self, call: Call) -> None:
        if any(isinstance(out, (bool, int, float, complex)) for out in call.outs[:1]):
            self._escaped = True  # a value went to Python, from where it may come back anywhere
        written = [call.args[a.name] for a in call.func._schema.arguments if a.alias_info and a.alias_info.is_write]
        outs = [out for out in call.outs or tree_leaves(written) if isinstance(out, Tensor) and out.numel()]
        call = replace(call, outs=outs)
        parents = [units for units in tree_leaves(call.tracked) if units]
        for out, units in zip(outs, apply(call), strict=True):
            self._store(out, units if any(units is parent for parent in parents) else units.settled(), bool(written))

    def _find_all(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._find_all(item) for item in value]
        return self._find(value) if isinstance(value, Tensor) else None

    def _find(self, tensor: Tensor) -> Units | None:
        entry = self._memory.get(tensor.untyped_storage()._cdata) if tensor.layout is torch.strided else None
        if entry is None and not self._escaped:
            return None
        units = entry[1].get(_view(tensor)) if entry else None
        if units is None or self._escaped:
            return everything(tuple(tensor.shape), self._extent)
        return units

    def _store(self, tensor: Tensor, units: Units, write: bool = False) -> None:
        if tensor.layout is not torch.strided:
            self._escaped = True
            return
        storage = tensor.untyped_storage()
        if storage._cdata not in self._memory:
            self._memory[storage._cdata] = StorageWeakRef(storage), {}  # type: ignore[no-untyped-call]
        views = self._memory[storage._cdata][1]
        key = _view(tensor)
        if write and views.get(key) is not units:
            views.clear()  # the other views of this memory changed with it: an unknown view sees everything
            views[key] = units
        views.setdefault(key, units)


def _view(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def _named(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name, defaults included."""
    declared = func._schema.arguments
    given = {argument.name: value for argument, value in zip(declared, args, strict=False)} | kwargs
    return {a.name: given.get(a.name, a.default_value) for a in declared}


@functools.cache
def _is_composite(func: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"))


@functools.cache
def _is_constant(func: Any) -> bool:
    """Takes only the shape of its argument."""
    name = func.overloadpacket.__name__
    return bool(name.endswith("_like") or name.startswith("new_"))
