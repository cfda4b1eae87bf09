"""What the filters of a layer look like: the raw weights as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue, NotSupported
from ..figure import Figure, Grid, Panel, Scale
from ..images import contact_sheet, resize, to_bytes
from ..network.model import Layer, Model
from ..network.trace import call_of
from ..options import Choices, Range
from .inputs import LAYER, MODEL
from .inputs import Layer as LayerOf
from .parts.result import Result
from .view import drawn, view

__all__ = [
    "Filters",
    "compute",
    "count_pages",
    "default_layer",
    "layers_with_filters",
    "pick",
    "render",
    "similarity",
]

GAP = 1
MAX_SLICES = 4096
NOTICE = "Weights of deeper layers speak about the maps before them, not about pixels: not as interpretable."


@dataclass(frozen=True, eq=False)
class Filters(Result):
    """`tiles` (K, h, w, 3) where the layer looks at RGB pixels, else (K, C, h, w); the raw weights, float32.

    second: another model's filters to stand beside these.
    """

    tiles: NDArray[np.float32]
    layer: str
    looks_at_pixels: bool
    facts: dict[str, Any]
    second: Filters | None = None

    @property
    def is_colour(self) -> bool:
        return self.looks_at_pixels and self.tiles.shape[-1] == 3 and self.facts["input_channels"] == 3

    @property
    def slices(self) -> int:
        """Tiles that show one filter: one in colour or grey, C where each input map has its own."""
        return 1 if self.is_colour else self.tiles.shape[1]

    @property
    def measures(self) -> dict[str, Any]:
        both = {"shape": self, "second": self.second}
        return {name: list(one.tiles.shape) for name, one in both.items() if one}

    @property
    def summary(self) -> str:
        both = (one for one in (self, self.second) if one)
        return "\n".join(f"{one.facts['model']}, {one.layer}: tiles {one.tiles.shape}" for one in both)


def layers_with_filters(model: Model) -> list[Layer]:
    """Convolutions, and linear layers that look at the pixels themselves."""
    return [layer for layer in model.layers if layer.parameters and _refusal(model, layer) == ""]


def default_layer(model: Model) -> str:
    found = layers_with_filters(model)
    if not found:
        raise NotSupported(f"Model {model.name!r} has no layer whose weights make pictures.")
    return found[0].name


@view
def compute(
    model: Annotated[Model, MODEL],
    layer: Annotated[str | None, LAYER] = None,
    second: Annotated[Model | None, MODEL] = None,
    *,
    second_layer: Annotated[str | None, LayerOf("of the second model", of="second", url="")] = None,
) -> Filters:
    """The filters of a layer, by default the first; beside those of a second model. Raises Unknown, or NotSupported
    with the reason."""
    first = _weights(model, layer)
    chosen = {"layer": first.layer, "input_channels": first.facts["input_channels"]}
    if second is None:
        return replace(first, facts=chosen)
    other = _weights(second, second_layer)
    return replace(first, facts=chosen | {"second_layer": other.layer}, second=other)


def _weights(model: Model, layer: str | None) -> Filters:
    chosen = model.layer(layer or default_layer(model))
    if reason := _refusal(model, chosen):
        raise NotSupported(f"Layer {chosen.name!r} has no filters to show: {reason}.")
    with model.exclusive() as net:
        module: Any = net.get_submodule(call_of(net, chosen.name)[0])
        weight = module.weight.detach().float().cpu().numpy().copy()
    channels = model.preprocess.channels
    if weight.ndim == 2:
        weight = weight.reshape(len(weight), channels, *model.preprocess.size)
    looks = chosen.name == default_layer(model) and weight.shape[1] == channels
    if looks and channels == 3:
        weight = np.ascontiguousarray(weight.transpose(0, 2, 3, 1))
    return Filters(weight, chosen.name, looks, {"model": model.name, "input_channels": channels})


def _refusal(model: Model, layer: Layer) -> str:
    """Why a layer's weights make no pictures; empty when they do."""
    if "Conv" in layer.kind and len(layer.shape) == 3:  # of tiles as well: a filter knows no place
        return ""
    if layer.kind != "Linear":
        return f"it is a {layer.kind}; choose a convolution"
    before = [other for other in model.layers[: model.layers.index(layer)] if other.parameters]
    pixels = model.preprocess.channels * model.preprocess.size[0] * model.preprocess.size[1]
    if before or layer.parameters // layer.shape[-1] not in (pixels, pixels + 1):
        return "this fully connected layer looks at features, not at the pixels"
    return ""


@drawn
def render(
    result: Filters,
    *,
    scale: Annotated[str, Choices("filter", "layer", "range", help="what black and white stand for")] = "filter",
    polarity: Annotated[str, Choices("bright", "dark", help="how a large weight is drawn")] = "bright",
    sort: Annotated[str, Choices("index", "norm", "similarity")] = "index",
    page: Annotated[int, Range(1, 100_000, help="rows of slices come in pages")] = 1,
    factor: Annotated[int, Range(1, 64, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """One tile a filter, or one row of slices a filter; two models side by side, with how alike they are.

    scale: `filter` and `layer` put zero in the middle of the grey range, up to the largest weight of the filter or of
    the layer; `range` is the lectures' 0 to 255 between each filter's least and greatest weight.
    Raises BadValue for a page that is not there; of two models, the one with fewer pages stays at its last.
    """
    if page > (pages := count_pages(result)):
        raise BadValue(f"Page {page} of {result.layer!r} does not exist; it has {pages}.")

    def sheet(one: Filters, title: str = "") -> Panel:
        rows, at = _rows(one), min(page, _pages(one)) - 1
        shown = ordering(one.tiles, sort)[at * rows : (at + 1) * rows]
        return _sheet(one, shown, title, scale=scale, polarity=polarity, factor=factor)

    note = _legend(scale, polarity)
    if result.second is not None:
        return _pair(result, result.second, sheet, note)
    order, panel = ordering(result.tiles, sort), sheet(result)
    title = f"Filters of {result.facts['model']}, {result.layer}"
    flat = result.tiles.reshape(len(result.tiles), -1)
    return Figure(
        title=f"{title} (page {page} of {pages})" if pages > 1 else title,
        panels=(panel,),
        columns=1,
        facts=result.facts,
        note=note if result.looks_at_pixels else f"{note} {NOTICE}",
        arrays={"tiles": result.tiles, "order": order},
        table={
            "filter": order.tolist(),
            "norm": np.linalg.norm(flat, axis=1)[order].tolist(),
            "min": flat.min(1)[order].tolist(),
            "max": flat.max(1)[order].tolist(),
            "mean": flat.mean(1)[order].tolist(),
        },
        alt=f"{len(panel.names) // result.slices} filters of layer {result.layer}",
    )


def _pair(first: Filters, second: Filters, sheet: Callable[[Filters, str], Panel], note: str) -> Figure:
    if first.looks_at_pixels and second.looks_at_pixels:
        alike = similarity(first, second)
        note += f" Mean best correlation of a filter on the left with those on the right: {alike:.2f}."
    return Figure(
        title="Filters side by side",
        panels=tuple(sheet(one, f"{one.facts['model']}, {one.layer}") for one in (first, second)),
        columns=2,
        facts=first.facts,
        note=note,
        arrays={"first": first.tiles, "second": second.tiles},
        alt=f"Filters of {first.facts['model']} and of {second.facts['model']}",
    )


def ordering(tiles: NDArray[np.float32], sort: str) -> NDArray[np.int64]:
    """Filter numbers in the order asked for: by index, by norm (largest first), or each next to its likest."""
    if sort == "index":
        return np.arange(len(tiles))
    flat = tiles.reshape(len(tiles), -1).astype(np.float64)
    norm = np.linalg.norm(flat, axis=1)
    if sort == "norm":
        return np.argsort(-norm, kind="stable")
    unit = flat / np.where(norm > 0, norm, 1)[:, None]
    alike = unit @ unit.T
    chain = [int(norm.argmax())]
    left = np.ones(len(tiles), bool)
    while left.sum() > 1:
        left[chain[-1]] = False
        chain.append(int(np.where(left, alike[chain[-1]], -np.inf).argmax()))
    return np.array(chain)


def similarity(first: Filters, second: Filters) -> float:
    """Mean over the first model's filters of the best normalised cross-correlation (at no shift) with one of the
    second's, resized to the same size, in grey when one of the two is. From -1 to 1."""
    size = first.tiles.shape[1:3] if first.is_colour else first.tiles.shape[2:4]
    grey = not (first.is_colour and second.is_colour)
    left, right = (_normalised(result, (int(size[0]), int(size[1])), grey) for result in (first, second))
    return float((left @ right.T).max(1).mean())


def _normalised(result: Filters, size: tuple[int, int], grey: bool) -> NDArray[np.float64]:
    planes = result.tiles.transpose(0, 3, 1, 2) if result.is_colour else result.tiles
    if grey:
        planes = planes.mean(1, keepdims=True)
    flat = resize(planes, size).astype(np.float64).reshape(len(planes), -1)
    flat -= flat.mean(1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(norm > 0, norm, 1)


def pick(result: Filters, index: int) -> Filters:
    """One filter alone."""
    return replace(result, tiles=result.tiles[index : index + 1], second=None)


def count_pages(result: Filters) -> int:
    """Of two models, of the one that has more."""
    return max(_pages(one) for one in (result, result.second) if one)


def _pages(result: Filters) -> int:
    return -(-len(result.tiles) // _rows(result))


def _rows(result: Filters) -> int:
    return max(MAX_SLICES // result.slices, 1)


def _sheet(result: Filters, shown: NDArray[np.int64], title: str, *, scale: str, polarity: str, factor: int) -> Panel:
    tiles, limit = result.tiles[shown], float(np.abs(result.tiles).max())
    axes = tuple(range(1, tiles.ndim))
    if scale == "range":
        low, high = tiles.min(axes, keepdims=True), tiles.max(axes, keepdims=True)
    else:
        own = scale == "filter"
        high = np.abs(tiles).max(axes, keepdims=True) if own else np.full((1,) * tiles.ndim, limit)
        low = -high
    span = np.where(high > low, high - low, 1)
    grey = np.where(high > low, (tiles - low) / span, 0.5)
    if polarity == "dark":
        grey = 1 - grey
    pixels = to_bytes(grey)
    if not result.is_colour:
        pixels = np.repeat(pixels.reshape(-1, *pixels.shape[2:])[..., None], 3, -1)
    columns = result.slices if result.slices > 1 else _columns(len(pixels))
    height, width = pixels.shape[1] * factor, pixels.shape[2] * factor
    sheet = contact_sheet(pixels, columns, GAP, factor)
    numbers = [str(k) for k in shown]
    names = numbers if result.slices == 1 else [f"{k}:{c}" for k in numbers for c in range(result.slices)]
    bar = None
    if scale == "layer" and limit > 0 and polarity == "bright":
        bar = Scale("grey", -limit, limit, "weight")
    return Panel(sheet, title, scale=bar, names=tuple(names), grid=Grid(columns, height, width, GAP))


def _columns(count: int) -> int:
    return max(1, min(count, round(1.5 * math.sqrt(count))))


def _legend(scale: str, polarity: str) -> str:
    if scale == "range":
        span = "from each filter's least to its greatest weight"
    else:
        whose = "each filter's own" if scale == "filter" else "the layer's"
        span = f"zero is mid-grey, the ends are {whose} largest absolute weight"
    return f"Large weights are {polarity}; {span}."
