"""Receptive fields: the box of the input that a unit depends on, read off one real forward pass.

    with torch.no_grad(), Tracer(batch) as tracer:
        net(batch)                      # a forward hook may ask tracer.field(output) on the way
    tracer.field(tensor).box(i, j)

Beside every tensor that depends on the input travel eight small maps: how far up, down, left and right each of its
elements sees. A rule for each operation widens them: a convolution takes the union over its taps and drops those in
the padding, a view or permute is applied to the maps themselves, a mean over positions joins all of them. What has no
rule sees everything its arguments saw and is called an upper bound, so a box can be too large but never too small.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from .errors import BadValue, NotSupported

__all__ = ["Axis", "Field", "Status", "Tracer"]

Box = tuple[int, int, int, int]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Status(StrEnum):
    """How far a field can be trusted as a patch."""

    EXACT = "exact"
    WHOLE_INPUT = "whole input"
    UPPER_BOUND = "upper bound"


@dataclass(frozen=True, eq=False)
class Axis:
    """Input interval [low, high) of each row or column, and the textbook numbers, which know no border."""

    low: Ints
    high: Ints
    size: float
    stride: float
    start: float


@dataclass(frozen=True, eq=False)
class Field:
    """What the units of one tensor see. `dims` are its dimensions of rows and columns, None where it has none."""

    rows: Axis
    columns: Axis
    status: Status
    dims: tuple[int, int] | None
    _shape: tuple[int, ...] = field(repr=False)  # channels, rows, columns
    _edges: tuple[Ints, ...] = field(repr=False)  # top, bottom, left, right: of that shape, or 1 where they do not vary

    @property
    def size(self) -> tuple[float, float]:
        return self.rows.size, self.columns.size

    @property
    def stride(self) -> tuple[float, float]:
        return self.rows.stride, self.columns.stride

    def box(self, i: int | None = None, j: int | None = None, channel: int | None = None) -> Box:
        """(y0, x0, y1, x1), half open, in the network's input; all zero for a unit that sees only padding.

        An index left out means the union over it. Where one dimension runs over all positions, j follows from i.
        """
        if self.dims is not None and self.dims[0] == self.dims[1]:
            j = None
        where = (channel, i, j)
        for name, index, size in zip(("Channel", "Row", "Column"), where, self._shape, strict=True):
            if index is not None and not 0 <= index < size:
                raise BadValue(f"{name} {index} is outside 0 to {size - 1}.")

        def cut(edge: Ints) -> Ints:
            spans = (
                slice(None) if k is None or n == 1 else slice(k, k + 1) for k, n in zip(where, edge.shape, strict=True)
            )
            return edge[tuple(spans)]

        top, bottom = np.broadcast_arrays(*map(cut, self._edges[:2]))
        left, right = np.broadcast_arrays(*map(cut, self._edges[2:]))
        down, across = bottom > top, right > left  # a unit that sees only padding has neither
        if not down.any():
            return 0, 0, 0, 0
        return int(top[down].min()), int(left[across].min()), int(bottom[down].max()), int(right[across].max())


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
        self._memory: dict[int, tuple[Any, dict[Any, _Units]]] = {}
        self._escaped = False
        self._store(batch, _Units(tuple(batch.shape), edges * 2, (1.0, 1.0)))

    def field(self, tensor: Tensor) -> Field | None:
        """The field of a tensor made inside the block; None when it does not depend on the input."""
        units = self._find(tensor)
        return None if units is None else _field(units, self._extent)

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
            self._follow(_Call(func, named, tracked, tree_leaves(result), strides))
        return result

    def _follow(self, call: _Call) -> None:
        if any(isinstance(out, (bool, int, float, complex)) for out in call.outs[:1]):
            self._escaped = True  # a value went to Python, from where it may come back anywhere
        written = [call.args[a.name] for a in call.func._schema.arguments if a.alias_info and a.alias_info.is_write]
        outs = [out for out in call.outs or tree_leaves(written) if isinstance(out, Tensor) and out.numel()]
        call = replace(call, outs=outs)
        parents = [units for units in tree_leaves(call.tracked) if units]
        for out, units in zip(outs, _apply(call), strict=True):
            self._store(out, units if any(units is parent for parent in parents) else units.settled(), bool(written))

    def _find_all(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._find_all(item) for item in value]
        return self._find(value) if isinstance(value, Tensor) else None

    def _find(self, tensor: Tensor) -> _Units | None:
        entry = self._memory.get(tensor.untyped_storage()._cdata) if tensor.layout is torch.strided else None
        if entry is None and not self._escaped:
            return None
        units = entry[1].get(_view(tensor)) if entry else None
        if units is None or self._escaped:
            return _everything(tuple(tensor.shape), self._extent)
        return units

    def _store(self, tensor: Tensor, units: _Units, write: bool = False) -> None:
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


@dataclass(frozen=True, eq=False)
class _Units:
    """What every element of one tensor sees. All maps hold distances that only grow: -top, bottom, -left, right.

    A map has the tensor's dimensions, with size 1 along those where it does not vary. The first four end at the input's
    border and are -inf for a unit that sees nothing; the last four run on beyond it.
    """

    shape: tuple[int, ...]
    maps: tuple[Tensor, ...]
    stride: tuple[float, float]
    mixed: bool = False  # some operation joined all positions
    bound: bool = False  # some operation was unknown

    def each(self, change: Callable[[Tensor], Tensor], shape: Sequence[int]) -> _Units:
        return replace(self, shape=tuple(shape), maps=tuple(change(m) for m in self.maps))

    def varies(self) -> bool:
        return any(m.numel() > 1 for m in self.maps[4:])

    def joined(self, dims: Sequence[int] = (), keepdim: bool = True, shape: Sequence[int] | None = None) -> _Units:
        """Union over some dimensions (none: over all)."""
        dims = list(dims) or list(range(len(self.shape)))
        out = self.each(lambda m: m.amax(dims, keepdim), self.shape if shape is None else shape)
        return replace(out, mixed=self.mixed or (self.varies() and not out.varies()))

    def grouped(self, groups: int, channels: int) -> _Units:
        """Union over the channels of each group, given to the channels made from it."""

        def change(m: Tensor) -> Tensor:
            m = m if m.shape[1] == 1 else m.reshape(m.shape[0], groups, -1, *m.shape[2:]).amax(2)
            return m if m.shape[1] == 1 else _small(m.repeat_interleave(channels // groups, 1))

        return self.each(change, (self.shape[0], channels, *self.shape[2:]))

    def windowed(self, dim: int, taps: Tensor, valid: Tensor | None = None, step: float = 1.0) -> _Units:
        """Union over the taps (positions, taps) of each new position along dim; taps outside see nothing."""
        size, axis = self.shape[dim], dim - len(self.shape) + 2  # axis 0: rows, 1: columns, else neither
        nearest = taps.clamp(0, size - 1)
        shape = [1] * len(self.shape)
        shape[dim : dim + 1] = taps.shape
        exists = torch.ones_like(taps, dtype=torch.bool) if valid is None else valid
        inside = (exists & (taps == nearest)).reshape(shape)
        beyond = ((taps - nearest) * (self.stride[axis] if axis in (0, 1) else 0.0)).reshape(shape)

        def change(m: Tensor, number: int) -> Tensor:
            slope = (-1, 1)[number % 2] if number >= 4 and axis == (number - 4) // 2 else 0
            if m.shape[dim] == 1 and not slope and (number >= 4 or bool(inside.any(dim + 1).all())):
                return m
            m = m.expand(*m.shape[:dim], size, *m.shape[dim + 1 :])
            m = m.index_select(dim, nearest.flatten()).reshape(*m.shape[:dim], *taps.shape, *m.shape[dim + 1 :])
            alive = inside if number < 4 else exists.reshape(shape)
            return torch.where(alive, m + slope * beyond, -torch.inf).amax(dim + 1)

        rows, columns = self.stride
        stride = (rows * step if axis == 0 else rows, columns * step if axis == 1 else columns)
        maps = tuple(change(m, number) for number, m in enumerate(self.maps))
        wide = (*self.shape[:dim], taps.shape[0], *self.shape[dim + 1 :])
        collapsed = self.varies() and not any(m.numel() > 1 for m in maps[4:])
        return replace(self, shape=wide, maps=maps, stride=stride, mixed=self.mixed or collapsed)

    def settled(self) -> _Units:
        """A unit that sees no row sees no column either, and the other way round."""
        blind = torch.isneginf(self.maps[0]) | torch.isneginf(self.maps[2])
        if not blind.any():
            return self
        seen = tuple(_small(m.masked_fill(blind, -torch.inf)) for m in self.maps[:4])
        return replace(self, maps=seen + self.maps[4:])


@dataclass(frozen=True)
class _Call:
    """One executed operation: its arguments by name, what the tracked ones see, and the tensors that came out."""

    func: Any
    args: dict[str, Any]
    tracked: dict[str, Any]
    outs: list[Any]
    strides: tuple[int, ...]  # of the first argument, before the operation changed it
    taken: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return str(self.func.overloadpacket.__name__)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.outs[0].shape)

    def take(self, name: str) -> Any:
        """What an argument sees, None when it is a constant. A rule must take all that are tracked."""
        self.taken.add(name)
        return self.tracked.get(name)

    def input(self) -> _Units:
        units = self.take(next(iter(self.args)))
        if not isinstance(units, _Units):
            raise LookupError
        return units

    def numbers(self, name: str, count: int) -> list[int]:
        value = self.args[name]
        value = [value] if isinstance(value, int) else list(value)
        return value * count if len(value) == 1 else value


Rule = Callable[[_Call], "_Units | list[_Units]"]
_RULES: dict[str, Rule] = {}


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def _apply(call: _Call) -> list[_Units]:
    """What each output sees, by the operation's rule or else by the rule for the unknown."""
    units = [unit for unit in tree_leaves(call.tracked) if unit]
    rule = _RULES.get(call.name) or _RULES.get(call.name.removesuffix("_"))
    if rule is None and torch.Tag.pointwise in call.func.tags:
        rule = _elementwise
    try:
        found = rule(call) if rule else []
    except Exception:  # a form of the operation that the rule does not know: too large a box, not a failure
        found = []
    every = found if isinstance(found, list) else [found] * len(call.outs)
    if call.tracked.keys() - call.taken or len(every) != len(call.outs):
        every = []
    unknown = replace(_union((), [u.joined(keepdim=False, shape=()) for u in units]), bound=True)
    results = []
    for number, out in enumerate(call.outs):
        fits = bool(every) and _fits(every[number], out.shape)
        results.append(every[number] if fits else _union(tuple(out.shape), [unknown]))
    return results


def _fits(units: _Units, shape: Sequence[int]) -> bool:
    return units.shape == tuple(shape) and all(
        m.ndim == len(shape) and all(a in (1, b) for a, b in zip(m.shape, shape, strict=True)) for m in units.maps
    )


@_rule("clone", "_to_copy", "detach", "alias", "lift_fresh", "where", "native_dropout", "masked_fill", "abs", "rsub")
@_rule(
    "hardtanh", "hardsigmoid", "hardswish", "leaky_relu", "_prelu_kernel", "elu", "celu", "gelu", "mish", "threshold"
)
@_rule("rrelu_with_noise", "log_sigmoid_forward", "copysign", "xlogy", "floor_divide")  # not all versions tag them
def _elementwise(call: _Call) -> _Units:
    return _union(call.shape, [u for name in call.tracked for u in tree_leaves(call.take(name)) if u])


@_rule("copy_")
def _copy(call: _Call) -> _Units:
    call.take("self")  # what was there before is gone
    return _union(call.shape, [call.take("src")])


@_rule("convolution", "mkldnn_convolution")
def _convolution(call: _Call) -> _Units:
    units, weight = call.input(), call.args["weight"]
    units = units.grouped(call.args["groups"], call.shape[1])
    count = weight.ndim - 2
    padding, step, dilation = (call.numbers(name, count) for name in ("padding", "stride", "dilation"))
    for d in range(count):
        reach = torch.arange(weight.shape[d + 2], device="cpu") * dilation[d] - padding[d]
        position = torch.arange(call.shape[d + 2], device="cpu")[:, None]
        if call.args.get("transposed"):
            taps, rest = (position - reach) // step[d], (position - reach) % step[d]
            units = units.windowed(d + 2, taps, rest == 0, 1 / step[d])
        else:
            units = units.windowed(d + 2, position * step[d] + reach, None, step[d])
    return units


@_rule(
    "max_pool2d_with_indices", "max_pool3d_with_indices", "mkldnn_max_pool2d", "avg_pool1d", "avg_pool2d", "avg_pool3d"
)
def _pool(call: _Call) -> _Units:
    units = call.input()
    count = int(call.name[call.name.index("pool") + 4])
    kernel, padding = call.numbers("kernel_size", count), call.numbers("padding", count)
    step = call.numbers("stride", count) or kernel
    dilation = call.numbers("dilation", count) if "dilation" in call.args else [1] * count
    for d, dim in enumerate(range(len(units.shape) - count, len(units.shape))):
        reach = torch.arange(kernel[d], device="cpu") * dilation[d] - padding[d]
        position = torch.arange(call.shape[dim], device="cpu")[:, None]
        units = units.windowed(dim, position * step[d] + reach, None, step[d])
    return units


@_rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "mkldnn_adaptive_avg_pool2d")
@_rule("adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_pool(call: _Call) -> _Units:
    units = call.input()
    for dim in range(len(call.shape) - len(call.args["output_size"]), len(call.shape)):
        size, bins = units.shape[dim], call.shape[dim]
        position = torch.arange(bins, device="cpu")
        taps, valid = _ranges(position * size // bins, -((position + 1) * -size // bins))
        units = units.windowed(dim, taps, valid, size / bins)
    return units


@_rule("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
@_rule("replication_pad1d", "replication_pad2d", "replication_pad3d")
def _pad(call: _Call) -> _Units:
    units, pads = call.input(), call.args.get("pad") or call.args["padding"]
    for number, before in enumerate(pads[::2]):
        dim = len(units.shape) - 1 - number
        size = units.shape[dim]
        taps = torch.arange(-before, call.shape[dim] - before, device="cpu")
        if call.name.startswith("reflection"):
            taps = size - 1 - (size - 1 - taps.abs()).abs()
        elif call.name.startswith("replication"):
            taps = taps.clamp(0, size - 1)
        units = units.windowed(dim, taps[:, None])
    return units


@_rule("upsample_nearest1d", "upsample_nearest2d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d")
@_rule("upsample_linear1d", "upsample_bilinear2d", "_upsample_bilinear2d_aa")
@_rule("upsample_bicubic2d", "_upsample_bicubic2d_aa")
def _resize(call: _Call) -> _Units:
    """The resize's own answer to one lit row, or column, at a time says which of them each output sees."""
    units = call.input()
    scales = [name for name in call.args if name.startswith("scales")]
    rest = {name: value for name, value in list(call.args.items())[1:] if name not in (*scales, "output_size")}
    for d, dim in enumerate(range(2, len(units.shape))):
        old, new = units.shape[dim], call.shape[dim]
        wide, size = [2] * len(scales), [2] * len(scales)  # the others stay two wide: with one, antialias is wrong
        wide[d], size[d] = old, new
        dtype = torch.promote_types(call.outs[0].dtype, torch.float32)
        lit = torch.eye(old, dtype=dtype, device="cpu")
        lit = lit.reshape(1, old, *(old if k == d else 1 for k in range(len(wide))))
        scale = {name: call.args[name] if k == d else None for k, name in enumerate(scales)}
        answer = call.func(lit.expand(1, old, *wide), output_size=size, **rest, **scale).movedim(dim, 2).flatten(3)
        seen = answer[0].any(2)
        first, last = seen.int().argmax(0), old - seen.flip(0).int().argmax(0)
        units = units.windowed(dim, *_ranges(first, last), old / new)
    return units


@_rule("mean", "sum", "amax", "amin", "max", "min", "prod", "var", "std", "var_mean", "std_mean", "logsumexp", "norm")
@_rule("linalg_vector_norm", "any", "all", "argmax", "argmin")
def _reduce(call: _Call) -> _Units:
    units, dim = call.input(), call.args.get("dim")
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    return units.joined(dims, bool(call.args.get("keepdim")), call.shape)


@_rule("_softmax", "_log_softmax", "_safe_softmax", "sort")
def _along(call: _Call) -> _Units:
    return call.input().joined([call.args["dim"]])


@_rule("native_layer_norm", "_fused_rms_norm")
def _layer_norm(call: _Call) -> _Units:
    units = call.input()
    return units.joined(range(len(units.shape) - len(call.args["normalized_shape"]), len(units.shape)))


@_rule("native_group_norm")
def _group_norm(call: _Call) -> _Units:
    units = call.input()
    units = units.grouped(call.args["group"], units.shape[1])
    return units.joined(range(2, len(units.shape))) if len(units.shape) > 2 else units


@_rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
@_rule("miopen_batch_norm", "_batch_norm_with_update", "_batch_norm_no_update", "_native_batch_norm_legit_functional")
def _batch_norm(call: _Call) -> _Units:
    units = call.input()
    training = call.args.get("training", call.args.get("train", call.name == "_batch_norm_with_update"))
    return units.joined([0, *range(2, len(units.shape))]) if training else units


@_rule("mm", "bmm", "addmm", "baddbmm", "_addmm_activation")
def _matmul(call: _Call) -> _Units:
    *bias, left, right = [name for name in call.args if name in ("self", "input", "mat1", "mat2", "batch1", "batch2")]
    rows, columns = call.take(left), call.take(right)
    parts = [rows and rows.joined([-1]), columns and columns.joined([-2]), *(call.take(name) for name in bias)]
    return _union(call.shape, [part for part in parts if part])


@_rule("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention")
@_rule("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention")
@_rule("_scaled_dot_product_fused_attention_overrideable", "_native_multi_head_attention")
def _attention(call: _Call) -> _Units:
    query, key, value = (call.take(name) for name in ("query", "key", "value"))
    parts = [query and query.joined([-1]), key and key.joined([-2, -1]), value and value.joined([-2, -1])]
    return _union(call.shape, [part for part in parts if part])


@_rule("cat", "stack")
def _concatenate(call: _Call) -> _Units:
    tensors, units, ndim = call.args["tensors"], call.take("tensors"), len(call.shape)
    dim = call.args["dim"] % ndim
    known = next(u for u in units if u)
    nothing = replace(known, maps=tuple(m.new_full((1,) * known.maps[0].ndim, -torch.inf) for m in known.maps))
    parts = [
        replace(u or nothing, shape=tuple(t.shape))
        for t, u in zip(tensors, units, strict=True)
        if t.ndim == tensors[units.index(known)].ndim  # torch lets empty one-dimensional tensors pass
    ]
    if call.name == "stack":
        parts = [p.each(lambda m: m.unsqueeze(dim), (*p.shape[:dim], 1, *p.shape[dim:])) for p in parts]

    def join(maps: tuple[Tensor, ...]) -> Tensor:
        if all(m.shape[dim] == 1 and (m is maps[0] or torch.equal(m, maps[0])) for m in maps):
            return maps[0]
        wide = np.broadcast_shapes(*(m.select(dim, 0).shape for m in maps))
        shapes = [(*wide[:dim], p.shape[dim], *wide[dim:]) for p in parts]
        return _small(torch.cat([m.expand(s) for m, s in zip(maps, shapes, strict=True)], dim))

    maps = tuple(join(column) for column in zip(*(p.maps for p in parts), strict=True))
    return replace(_flags(known, parts), shape=call.shape, maps=maps)


@_rule("view", "_unsafe_view", "_reshape_alias", "view_copy", "reshape")
def _reshape(call: _Call) -> _Units:
    units, old, new = call.input(), list(call.input().shape), list(call.shape)
    if "dtype" in call.args:
        raise LookupError
    most = min(len(old), len(new))
    head = next((d for d in range(most) if old[d] != new[d]), most)
    tail = next((d for d in range(most - head) if old[-1 - d] != new[-1 - d]), most - head)

    def change(m: Tensor) -> Tensor:  # only the dimensions that change are spelt out
        first, last = m.shape[:head], m.shape[m.ndim - tail :]
        wide = m.expand(*first, *old[head : len(old) - tail], *last)
        return _small(wide.reshape(*first, *new[head : len(new) - tail], *last))

    return units.each(change, new)


@_rule("as_strided")
def _restride(call: _Call) -> _Units:
    """Global pooling of a channels_last map rewrites the strides of its dimensions of size 1, and no others."""
    units, sizes = call.input(), call.args["size"]
    same = all(a == b for n, a, b in zip(sizes, call.args["stride"], call.strides, strict=True) if n > 1)
    if tuple(sizes) != units.shape or not same or call.args["storage_offset"] is not None:
        raise LookupError
    return units


@_rule("permute", "transpose", "t", "squeeze", "unsqueeze", "expand", "select", "slice", "split", "split_with_sizes")
@_rule("unbind", "diagonal", "unfold", "flip", "roll", "index_select", "index", "_unsafe_index", "repeat")
@_rule("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle")
def _move(call: _Call) -> list[_Units]:
    """An operation that only moves elements moves the maps in the same way."""
    units = call.input()
    rest = list(call.args)[1:]
    packet = getattr(torch.ops.aten, call.name.removesuffix("_"))  # the form that leaves its argument alone
    fixed = tree_map(lambda value: value.cpu() if isinstance(value, Tensor) else value, {n: call.args[n] for n in rest})
    move = getattr(packet, call.func._overloadname)
    moved = [[_small(leaf) for leaf in tree_leaves(move(m.expand(units.shape), **fixed))] for m in units.maps]
    outs = []
    for out, maps in zip(call.outs, zip(*moved, strict=True), strict=True):
        stride = _pitch(maps[4], units.stride[0]), _pitch(maps[6], units.stride[1])
        outs.append(replace(units, shape=tuple(out.shape), maps=maps, stride=stride))
    return outs


def _union(shape: tuple[int, ...], units: Sequence[_Units]) -> _Units:
    """Union of what broadcast operands see."""
    if all(u is units[0] for u in units) and units[0].shape == shape:
        return units[0]
    maps = [functools.reduce(torch.maximum, column) for column in zip(*(u.maps for u in units), strict=True)]
    maps = [m.reshape((1,) * (len(shape) - m.ndim) + m.shape) for m in maps]
    return replace(_flags(max(units, key=lambda u: math.prod(u.shape)), units), shape=shape, maps=tuple(maps))


def _flags(units: _Units, parents: Sequence[_Units]) -> _Units:
    return replace(units, mixed=any(p.mixed for p in parents), bound=any(p.bound for p in parents))


def _everything(shape: tuple[int, ...], extent: tuple[int, int]) -> _Units:
    ones, (height, width) = (1,) * len(shape), extent
    edges = tuple(torch.full(ones, e, dtype=torch.float64, device="cpu") for e in (0, height, 0, width))
    return _Units(shape, edges * 2, (1.0, 1.0), bound=True)


@functools.lru_cache(64)  # a convolution, its normalisation and its activation share one
def _field(units: _Units, extent: tuple[int, int]) -> Field:
    ndim, dims = len(units.shape), _positions(units)
    flat = dims is not None and dims[0] == dims[1]
    others = [d for d in range(ndim) if d not in (dims or ())]
    kept = [d for d in others if d > 0 or (ndim == 3 and dims and not flat)][-1:]  # the channels
    order = [*kept, *dict.fromkeys(dims or ())]
    shape = [1] * (not kept) + [units.shape[d] for d in order]
    shape += [1] * (3 - len(shape))

    def arranged(map_: Tensor) -> Any:
        """As (channels, rows, columns), or (channels, positions, 1) where one dimension runs over all positions."""
        m = map_.numpy()  # in numpy, so that a hook's question does not go through the tracer
        m = m.max(tuple(d for d in others if d not in kept), keepdims=True) if others != kept else m
        sizes = [1] * (not kept) + [m.shape[d] for d in order]
        return m.transpose(*(d for d in others if d not in kept), *order).reshape(*sizes, *[1] * (3 - len(sizes)))

    maps = [arranged(m) for m in units.maps]
    edges = tuple((np.where(np.isneginf(m), 0, m) * (-1, 1)[n % 2]).astype(np.int64) for n, m in enumerate(maps[:4]))
    axes = []
    for axis, keep in enumerate((1, 1 if flat else 2)):
        first, last, before, after = (
            np.broadcast_to(maps[n + axis * 2].max(tuple({0, 1, 2} - {keep})), shape[keep]) for n in (0, 1, 4, 5)
        )
        low, high = (np.where(np.isneginf(last), 0, edge).astype(np.int64) for edge in (-first, last))
        start = -before[np.isfinite(before)][:1].sum()  # no tap at all, in the gaps of a transposed convolution: 0
        axes.append(Axis(low, high, max(0.0, float((before + after).max())), units.stride[axis], float(start)))
    whole = [float(m.min()) for m in maps[:4]] == [0, extent[0], 0, extent[1]]
    status = Status.WHOLE_INPUT if units.mixed and whole else Status.EXACT
    return Field(axes[0], axes[1], Status.UPPER_BOUND if units.bound else status, dims, tuple(shape), edges)


def _positions(units: _Units) -> tuple[int, int] | None:
    """The dimensions of rows and columns, told by the dimensions along which the reach down and across varies.

    They are the last two of four or more, unless channels come last. Of three or fewer, one may run over all positions.
    """
    ndim = len(units.shape)
    down, across = ([d for d in range(ndim) if m.shape[d] > 1] for m in units.maps[4::2])
    if ndim == 3 and 1 in down and 2 in across and 2 not in down:
        return 1, 2  # one image without its batch
    if ndim < 4:
        return (d := max(down + across, key=lambda d: (down + across).count(d)), d) if down + across else None
    turned = 3 in down and 3 not in across  # height and width have traded places
    thin = units.shape[2] == 1 and 1 in down and 1 not in across and 3 not in across
    wide = 2 in across and 2 not in down and (1 in down or units.shape[1] == 1) and not turned
    channels_last = ndim == 4 and (thin or wide)
    return (1, 2) if channels_last else (ndim - 2, ndim - 1)


def _small(m: Tensor) -> Tensor:
    """The map with size 1 along every dimension where it does not vary."""
    for dim, size in enumerate(m.shape):
        first = m.narrow(dim, 0, 1) if size > 1 else m
        if size > 1 and (m.stride(dim) == 0 or torch.equal(m, first.expand_as(m))):
            m = first
    return m


def _pitch(reach: Tensor, default: float) -> float:
    """The distance between neighbours, where the map varies along one dimension only."""
    if sum(size > 1 for size in reach.shape) != 1:
        return default
    steps = reach[reach.isfinite()].unique().diff()  # type: ignore[no-untyped-call]
    return float(steps.min()) if len(steps) else default


def _ranges(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The taps low to high - 1 of each position, and which of the columns are such taps."""
    taps = low[:, None] + torch.arange(int((high - low).max()), device="cpu")
    return taps, taps < high[:, None]


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
