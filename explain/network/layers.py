"""What a network is made of: one row per layer call, in execution order, from one pass over an empty picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import field as filled
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..errors import BadValue, NotSupported, shorten
from ..figure import Look, Shown
from .geometry import Field, Tracer
from .layout import Layout
from .products import products
from .trace import address, call_of, calls, hookable

__all__ = ["ITSELF", "Layer", "Layers", "channel_of", "of_picture", "outside", "scan"]

FLOAT_BYTES = 4
ITSELF = "(the network itself)"
MOST_BEFORE = 16  # tokens that stand for no place: of the class, registers
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Layer:
    """One call of one module: shapes without the batch, counts for one picture.

    `parameters` belong to the first call of a module, so that the column adds up to the network's own count.
    `macs` are multiply-accumulates of convolutions, matrix products and attention (biases, norms and activations not
    counted), as the call executes them itself; `outside` has those of no layer.
    `weights` are the values of its own parameters that every call reads, `taken` those of its inputs; what `passes` its
    input on (a dropout in eval mode, a flatten) touches none of them. `layout` is how the net lays out what stands in
    `shape` as (C, H, W), where it does so otherwise; of a net that folds windows or tiles of one picture into the
    batch, `parts` are how many.
    A block contains other layers; its own numbers are those of the layers it holds directly.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    field: Field | None = filled(repr=False)
    block: bool = False
    weights: int = 0
    taken: int = 0
    passes: bool = False
    layout: Layout | None = None
    parts: int = 1

    @property
    def memory(self) -> int:
        """Bytes of the output in float32."""
        return FLOAT_BYTES * self.units

    @property
    def moved(self) -> int:
        """Bytes read and written in float32: weights, inputs and output, each once."""
        return 0 if self.passes else FLOAT_BYTES * (self.weights + self.taken + self.units)

    @property
    def units(self) -> int:
        return int(torch.Size(self.shape).numel())

    @property
    def spatial(self) -> bool:
        """Whether the output is a stack of maps (C, H, W) of a picture."""
        return len(self.shape) == 3 and self.parts == 1

    @property
    def channels(self) -> int:
        return self.shape[0] if self.shape else 1

    @property
    def receptive_field(self) -> tuple[float, float] | None:
        """Height and width in input pixels, unclamped; None where a unit sees everything or nothing."""
        return self.field.size if self.field is not None and self.spatial else None

    @property
    def stride(self) -> tuple[float, float] | None:
        """Input pixels from one unit to the next, down and across."""
        return self.field.stride if self.field is not None and self.spatial else None


class Layers(tuple[Layer, ...], Shown):
    """Layers in a row, which show themselves as a table."""

    @property
    def table(self) -> dict[str, list[Any]]:
        """One row a layer call; counts are for one picture, memory in bytes of float32."""
        return {
            "layer": [layer.name for layer in self],
            "kind": [layer.kind for layer in self],
            "shape": ["×".join(map(str, layer.shape)) for layer in self],
            "units": [layer.units for layer in self],
            "parameters": [layer.parameters for layer in self],
            "macs": [layer.macs for layer in self],
            "memory": [layer.memory for layer in self],
            "bytes_moved": [layer.moved for layer in self],
            "macs_per_byte": [round(layer.macs / layer.moved, 3) if layer.moved else 0.0 for layer in self],
            "receptive_field": [_pair(layer.receptive_field) for layer in self],
            "stride": [_pair(layer.stride) for layer in self],
            "status": [str(layer.field.status) if layer.field else "" for layer in self],
        }

    def _line(self) -> str:
        ends = f", {self[0].name} {self[0].shape} to {self[-1].name} {self[-1].shape}" if self else ""
        return f"Layers: {len(self)}{ends}"

    def _look(self) -> Look:
        return Look(repr(self), table=self.table)


def _pair(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return ""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}×{pair[1]:g}"


@dataclass(frozen=True)
class _Entry:
    """What a call was given: its values, the shape of the first tensor, and where and in which state that lay."""

    units: int
    shape: tuple[int, ...]
    place: tuple[int, int]


def scan(net: nn.Module, batch: Tensor, fields: bool = True) -> tuple[Layer, ...]:
    """All layer calls of a net in eval mode for a batch (1, C, H, W), in the order in which they finish.

    Net and batch may be on the device "meta", where nothing is computed; without `fields`, which take longest, a net of
    any size takes a moment.
    """
    macs = products(net, batch)
    counts = {name: len(calls) for name, calls in macs.items()}
    modules = hookable(net)
    placed = _Places()
    layers: list[Layer] = []
    inputs: dict[str, _Entry] = {}
    handles = [
        module.register_forward_pre_hook(
            lambda _m, args, more, name=name: inputs.__setitem__(name, _entry((args, more))), with_kwargs=True
        )
        for name, module in modules.items()
    ]

    def on_output(name: str, call: int, output: Any) -> None:
        module = modules[name]
        if not name or not isinstance(output, Tensor) or isinstance(module, nn.Identity):
            return
        own = sum(p.numel() for p in module.parameters(recurse=False))
        given = inputs[name]
        layout = placed.layout(module, output, tracer)
        maps = output if layout is None else layout.to_maps(output)  # which the tracer follows
        layers.append(
            Layer(
                name=address(name, call, counts[name]),
                kind=type(module).__name__,
                shape=tuple(maps.shape[1:]),
                parameters=own if call == 0 else 0,
                macs=macs[name][call],
                field=tracer.field(maps) if tracer else None,
                block=own == 0 and next(module.children(), None) is not None,
                weights=own,
                taken=given.units,
                passes=given.place == _place(output),
                layout=layout,
                parts=max(1, len(output) // len(batch)) if output.dim() else 1,
            )
        )

    followed = Tracer(batch) if fields else nullcontext()
    try:
        with torch.inference_mode(False), torch.no_grad(), calls(net, counts, on_output), followed as tracer:
            net(batch)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(layers)


def outside(net: nn.Module, batch: Tensor, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """What these layers of a net do not count, a row a module: products that a block or the net itself computes, and
    parameters of its own, as of positions; and modules that give several tensors, as an LSTM does, or that a pass in
    eval mode does not reach. Rows with neither shape nor field."""
    counted: dict[str, int] = {}
    known: set[int] = set()
    for layer in layers:
        name = call_of(net, layer.name)[0]
        counted[name] = counted.get(name, 0) + layer.macs
        known |= {id(one) for one in net.get_submodule(name).parameters(recurse=False)}
    macs, found = products(net, batch), []
    for name, module in net.named_modules():
        own = [one for one in module.parameters(recurse=False) if id(one) not in known]
        known |= {id(one) for one in own}
        rest = sum(macs.get(name, ())) - counted.get(name, 0)
        if own or rest:
            numbers = sum(one.numel() for one in own), rest
            found.append(Layer(name or ITSELF, type(module).__name__, (), *numbers, None, passes=True))
    return tuple(found)


class _Places:
    """Finds where a layer's channels are. By what its units see, while that differs from place to place; behind
    attention all see everything, and then by the kind of module, and by the shape of what it took or gave before."""

    def __init__(self) -> None:
        self._grid: tuple[int, int] | None = None  # of the maps whose places became tokens
        self._known: dict[tuple[int, ...], Layout | None] = {}

    def layout(self, module: nn.Module, output: Tensor, tracer: Tracer | None) -> Layout | None:
        shape, axes = tuple(output.shape), tracer.axes(output) if tracer else ((), ())
        if isinstance(module, _CONVS):
            if len(shape) == 4:
                self._grid = shape[2], shape[3]
            found = None
        elif axes == ((2,), (3,)) and len(shape) == 4:
            self._grid, found = (shape[2], shape[3]), None
        elif axes == ((1,), (2,)) and len(shape) == 4:
            self._grid, found = (shape[1], shape[2]), Layout("last")
        elif len(shape) == 4 and _is_last(module, shape):
            found = Layout("last")
        elif len(shape) == 3:
            if tracer and self._grid is None:  # pixels became tokens without a convolution
                self._grid = tracer.grid(output)
            found = self._tokens(shape) if not any(axes) or axes == ((1,), (1,)) else None
        else:  # as the last of this shape was laid out, which is what it took or made it of
            return self._known.get(shape)
        self._known[shape] = found
        return found

    def _tokens(self, shape: tuple[int, ...]) -> Layout | None:
        if self._grid is None:
            return None
        places = self._grid[0] * self._grid[1]
        before = shape[1] - places
        return Layout("tokens", self._grid, before) if places > 1 and 0 <= before <= MOST_BEFORE else None


def _is_last(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether what a module gives in that shape has its channels last. Norms may look like it and are not, such as
    timm's LayerNorm2d of (N, C, H, W), a LayerNorm by its class."""
    if isinstance(module, nn.LayerNorm):
        told = shape[1] != shape[3] or type(module) is nn.LayerNorm
        return told and tuple(module.normalized_shape) == shape[3:]
    return isinstance(module, nn.Linear)


def _entry(given: Any) -> _Entry:
    tensors = [value for value in tree_leaves(given) if isinstance(value, Tensor)]
    if not tensors:
        return _Entry(0, (), (0, 0))
    return _Entry(sum(value.numel() for value in tensors), tuple(tensors[0].shape), _place(tensors[0]))


def _place(tensor: Tensor) -> tuple[int, int]:
    """The memory, and how often it has been written: in-place layers leave the first and change the second."""
    return tensor.untyped_storage()._cdata, tensor._version


def of_picture(layer: Layer) -> Layer:
    """The layer, if a row of its output is a picture. Raises NotSupported where the net folds tiles or views of one
    into the batch: their maps have no place on the picture."""
    if layer.parts > 1:
        raise NotSupported(
            f"Layer {layer.name!r} gives {layer.parts} rows for a picture: tiles, windows or views, whose maps are not "
            "the picture's; choose a layer before they are taken, or after they are joined."
        )
    return layer


def channel_of(layer: Layer, channel: Any) -> int:
    """A layer's channel as a number. Raises BadValue."""
    try:
        number = int(channel)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if isinstance(channel, bool) or not 0 <= number < layer.channels:
        valid = f"0 to {layer.channels - 1}"
        raise BadValue(f"Channel {shorten(channel)} of layer {layer.name!r} is not one of {valid}.")
    return number
