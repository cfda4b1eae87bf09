"""One rule for each operation of torch: what its results see, given what its arguments saw.

    @rule("_softmax", "_log_softmax")
    def _along(call: Call) -> Units:
        return call.input().joined([call.args["dim"]])

The names are those of aten; an in-place form follows the rule of the form without its underscore.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from .units import Units, flags, small, union


@dataclass(frozen=True)
class Call:
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

    def input(self) -> Units:
        units = self.take(next(iter(self.args)))
        if not isinstance(units, Units):
            raise LookupError
        return units

    def numbers(self, name: str, count: int) -> list[int]:
        value = self.args[name]
        value = [value] if isinstance(value, int) else list(value)
        return value * count if len(value) == 1 else value


Rule = Callable[[Call], "Units | list[Units]"]
_RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return register


def apply(call: Call) -> list[Units]:
    """What each output sees, by the operation's rule or else by the rule for the unknown."""
    units = [unit for unit in tree_leaves(call.tracked) if unit]
    known = _RULES.get(call.name) or _RULES.get(call.name.removesuffix("_"))
    if known is None and torch.Tag.pointwise in call.func.tags:
        known = _elementwise
    try:
        found = known(call) if known else []
    except Exception:  # a form of the operation that the rule does not know: too large a box, not a failure
        found = []
    every = found if isinstance(found, list) else [found] * len(call.outs)
    if call.tracked.keys() - call.taken or len(every) != len(call.outs):
        every = []
    unknown = replace(union((), [u.joined(keepdim=False, shape=()) for u in units]), bound=True)
    results = []
    for number, out in enumerate(call.outs):
        fits = bool(every) and _fits(every[number], out.shape)
        results.append(every[number] if fits else union(tuple(out.shape), [unknown]))
    return results


def _fits(units: Units, shape: Sequence[int]) -> bool:
    return units.shape == tuple(shape) and all(
        m.ndim == len(shape) and all(a in (1, b) for a, b in zip(m.shape, shape, strict=True)) for m in units.maps
    )


@rule("clone", "_to_copy", "detach", "alias", "lift_fresh", "where", "native_dropout", "masked_fill", "abs", "rsub")
@rule("hardtanh", "hardsigmoid", "hardswish", "leaky_relu", "_prelu_kernel", "elu", "celu", "gelu", "mish", "threshold")
@rule("rrelu_with_noise", "log_sigmoid_forward", "copysign", "xlogy", "floor_divide")  # not all versions tag them
def _elementwise(call: Call) -> Units:
    return union(call.shape, [u for name in call.tracked for u in tree_leaves(call.take(name)) if u])


@rule("copy_")
def _copy(call: Call) -> Units:
    call.take("self")  # what was there before is gone
    return union(call.shape, [call.take("src")])


@rule("convolution", "mkldnn_convolution")
def _convolution(call: Call) -> Units:
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


@rule(
    "max_pool2d_with_indices", "max_pool3d_with_indices", "mkldnn_max_pool2d", "avg_pool1d", "avg_pool2d", "avg_pool3d"
)
def _pool(call: Call) -> Units:
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


@rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "mkldnn_adaptive_avg_pool2d")
@rule("adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_pool(call: Call) -> Units:
    units = call.input()
    for dim in range(len(call.shape) - len(call.args["output_size"]), len(call.shape)):
        size, bins = units.shape[dim], call.shape[dim]
        position = torch.arange(bins, device="cpu")
        taps, valid = _ranges(position * size // bins, -((position + 1) * -size // bins))
        units = units.windowed(dim, taps, valid, size / bins)
    return units


@rule("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
@rule("replication_pad1d", "replication_pad2d", "replication_pad3d")
def _pad(call: Call) -> Units:
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


@rule("upsample_nearest1d", "upsample_nearest2d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d")
@rule("upsample_linear1d", "upsample_bilinear2d", "_upsample_bilinear2d_aa")
@rule("upsample_bicubic2d", "_upsample_bicubic2d_aa")
def _resize(call: Call) -> Units:
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


@rule("mean", "sum", "amax", "amin", "max", "min", "prod", "var", "std", "var_mean", "std_mean", "logsumexp", "norm")
@rule("linalg_vector_norm", "any", "all", "argmax", "argmin")
def _reduce(call: Call) -> Units:
    units, dim = call.input(), call.args.get("dim")
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    return units.joined(dims, bool(call.args.get("keepdim")), call.shape)


@rule("_softmax", "_log_softmax", "_safe_softmax", "sort")
def _along(call: Call) -> Units:
    return call.input().joined([call.args["dim"]])


@rule("native_layer_norm", "_fused_rms_norm")
def _layer_norm(call: Call) -> Units:
    units = call.input()
    return units.joined(range(len(units.shape) - len(call.args["normalized_shape"]), len(units.shape)))


@rule("native_group_norm")
def _group_norm(call: Call) -> Units:
    units = call.input()
    units = units.grouped(call.args["group"], units.shape[1])
    return units.joined(range(2, len(units.shape))) if len(units.shape) > 2 else units


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
@rule("miopen_batch_norm", "_batch_norm_with_update", "_batch_norm_no_update", "_native_batch_norm_legit_functional")
def _batch_norm(call: Call) -> Units:
    units = call.input()
    training = call.args.get("training", call.args.get("train", call.name == "_batch_norm_with_update"))
    return units.joined([0, *range(2, len(units.shape))]) if training else units


@rule("mm", "bmm", "addmm", "baddbmm", "_addmm_activation")
def _matmul(call: Call) -> Units:
    *bias, left, right = [name for name in call.args if name in ("self", "input", "mat1", "mat2", "batch1", "batch2")]
    rows, columns = call.take(left), call.take(right)
    parts = [rows and rows.joined([-1]), columns and columns.joined([-2]), *(call.take(name) for name in bias)]
    return union(call.shape, [part for part in parts if part])


@rule("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention")
@rule("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention")
@rule("_scaled_dot_product_fused_attention_overrideable", "_native_multi_head_attention")
def _attention(call: Call) -> Units:
    query, key, value = (call.take(name) for name in ("query", "key", "value"))
    parts = [query and query.joined([-1]), key and key.joined([-2, -1]), value and value.joined([-2, -1])]
    return union(call.shape, [part for part in parts if part])


@rule("cat", "stack")
def _concatenate(call: Call) -> Units:
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
        return small(torch.cat([m.expand(s) for m, s in zip(maps, shapes, strict=True)], dim))

    maps = tuple(join(column) for column in zip(*(p.maps for p in parts), strict=True))
    return replace(flags(known, parts), shape=call.shape, maps=maps)


@rule("view", "_unsafe_view", "_reshape_alias", "view_copy", "reshape")
def _reshape(call: Call) -> Units:
    units, old, new = call.input(), list(call.input().shape), list(call.shape)
    if "dtype" in call.args:
        raise LookupError
    most = min(len(old), len(new))
    head = next((d for d in range(most) if old[d] != new[d]), most)
    tail = next((d for d in range(most - head) if old[-1 - d] != new[-1 - d]), most - head)

    def change(m: Tensor) -> Tensor:  # only the dimensions that change are spelt out
        first, last = m.shape[:head], m.shape[m.ndim - tail :]
        wide = m.expand(*first, *old[head : len(old) - tail], *last)
        return small(wide.reshape(*first, *new[head : len(new) - tail], *last))

    return units.each(change, new)


@rule("as_strided")
def _restride(call: Call) -> Units:
    """Global pooling of a channels_last map rewrites the strides of its dimensions of size 1, and no others."""
    units, sizes = call.input(), call.args["size"]
    same = all(a == b for n, a, b in zip(sizes, call.args["stride"], call.strides, strict=True) if n > 1)
    if tuple(sizes) != units.shape or not same or call.args["storage_offset"] is not None:
        raise LookupError
    return units


@rule("permute", "transpose", "t", "squeeze", "unsqueeze", "expand", "select", "slice", "split", "split_with_sizes")
@rule("unbind", "diagonal", "unfold", "flip", "roll", "index_select", "index", "_unsafe_index", "repeat")
@rule("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle")
def _move(call: Call) -> list[Units]:
    """An operation that only moves elements moves the maps in the same way."""
    units = call.input()
    rest = list(call.args)[1:]
    packet = getattr(torch.ops.aten, call.name.removesuffix("_"))  # the form that leaves its argument alone
    fixed = tree_map(lambda value: value.cpu() if isinstance(value, Tensor) else value, {n: call.args[n] for n in rest})
    move = getattr(packet, call.func._overloadname)
    moved = [[small(leaf) for leaf in tree_leaves(move(m.expand(units.shape), **fixed))] for m in units.maps]
    outs = []
    for out, maps in zip(call.outs, zip(*moved, strict=True), strict=True):
        stride = _pitch(maps[4], units.stride[0]), _pitch(maps[6], units.stride[1])
        outs.append(replace(units, shape=tuple(out.shape), maps=maps, stride=stride))
    return outs


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
