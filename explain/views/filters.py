"""What the filters of a layer look like: the raw weights as pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValue, NotSupported
from ..figure import Figure, Grid, Panel, Scale
from ..images import contact_sheet, resize, to_bytes
from ..network.model import Layer, Model
from ..network.trace import split
from ..registry import Choices, Range, options_of
from .parts.result import Result

__all__ = [
    "Filters",
    "compute",
    "count_pages",
    "default_layer",
    "layers_with_filters",
    "pick",
    "render",
    "render_pair",
    "similarity",
]

GAP = 1
MAX_SLICES = 4096
NOTICE = "Weights of deeper layers speak about the maps before them, not about pixels: not as interpretable."


@dataclass(frozen=True, eq=False)
class Filters(Result):
    """`tiles` (K, h, w, 3) where the layer looks at RGB pixels, else (K, C, h, w); the raw weights, float32."""

    tiles: NDArray[np.float32]
    layer: str
    looks_at_pixels: bool
    facts: dict[str, Any]

    @property
    def is_colour(self) -> bool:
        return self.looks_at_pixels and self.tiles.shape[-1] == 3 and self.facts["input_channels"] == 3

    @property
    def slices(self) -> int:
        """Tiles that show one filter: one in colour or grey, C where each input map has its own."""
        return 1 if self.is_colour else self.tiles.shape[1]

    def figure(self, **style: Any) -> Figure:
        return render(self, **style)


def layers_with_filters(model: Model) -> list[Layer]:
    """Convolutions, and linear layers that look at the pixels themselves."""
    return [layer for layer in model.layers if layer.parameters and _refusal(model, layer) == ""]


def default_layer(model: Model) -> str:
    found = layers_with_filters(model)
    if not found:
        raise NotSupported(f"Model {model.name!r} has no layer whose weights make pictures.")
    return found[0].name


def compute(model: Model, layer: str | None = None) -> Filters:
    """The filters of a layer, by default the first. Raises Unknown, or NotSupported with the reason."""
    chosen = model.layer(layer or default_layer(model))
    if reason := _refusal(model, chosen):
        raise NotSupported(f"Layer {chosen.name!r} has no filters to show: {reason}.")
    module = chosen.name if ":" not in chosen.name else split(chosen.name)[0]
    with model.exclusive() as net:
        weight = net.get_submodule(module).get_parameter("weight").detach().float().cpu().numpy().copy()
    channels = model.preprocess.channels
    if weight.ndim == 2:
        weight = weight.reshape(len(weight), channels, *model.preprocess.size)
    looks = chosen.name == default_layer(model) and weight.shape[1] == channels
    if looks and channels == 3:
        weight = np.ascontiguousarray(weight.transpose(0, 2, 3, 1))
    facts = model.facts(view="filters", layer=chosen.name, input_channels=channels)
    return Filters(weight, chosen.name, looks, facts)


def _refusal(model: Model, layer: Layer) -> str:
    """Why a layer's weights make no pictures; empty when they do."""
    if "Conv" in layer.kind and layer.spatial:
        return ""
    if layer.kind != "Linear":
        return f"it is a {layer.kind}; choose a convolution"
    before = [other for other in model.layers[: model.layers.index(layer)] if other.parameters]
    pixels = model.preprocess.channels * model.preprocess.size[0] * model.preprocess.size[1]
    if before or layer.parameters // layer.shape[-1] not in (pixels, pixels + 1):
        return "this fully connected layer looks at features, not at the pixels"
    return ""


def render(
    result: Filters,
    *,
    scale: Annotated[str, Choices("filter", "layer", "range", help="what black and white stand for")] = "filter",
    polarity: Annotated[str, Choices("bright", "dark", help="how a large weight is drawn")] = "bright",
    sort: Annotated[str, Choices("index", "norm", "similarity")] = "index",
    page: Annotated[int, Range(1, 100_000, help="rows of slices come in pages")] = 1,
    factor: Annotated[int, Range(1, 64, help="whole-number enlargement of the pixels")] = 1,
) -> Figure:
    """One tile a filter, or one row of slices a filter.

    scale: `filter` and `layer` put zero in the middle of the grey range, up to the largest weight of the filter or of
    the layer; `range` is the lectures' 0 to 255 between each filter's least and greatest weight.
    """
    style = _checked(scale=scale, polarity=polarity, sort=sort, page=page, factor=factor)
    order = ordering(result.tiles, style["sort"])
    shown, pages = _page(result, order, style["page"])
    panel = _sheet(result, shown, style)
    title = f"Filters of {result.facts['model']}, {result.layer}"
    if pages > 1:
        title += f" (page {style['page']} of {pages})"
    flat = result.tiles.reshape(len(result.tiles), -1)
    return Figure(
        title=title,
        panels=(panel,),
        columns=1,
        facts={**result.facts, "style": style},
        note=_legend(style) + ("" if result.looks_at_pixels else f" {NOTICE}"),
        arrays={"tiles": result.tiles, "order": order},
        table={
            "filter": order.tolist(),
            "norm": np.linalg.norm(flat, axis=1)[order].tolist(),
            "min": flat.min(1)[order].tolist(),
            "max": flat.max(1)[order].tolist(),
            "mean": flat.mean(1)[order].tolist(),
        },
        alt=f"{len(shown)} filters of layer {result.layer}",
    )


def render_pair(first: Filters, second: Filters, **style: Any) -> Figure:
    """The filters of two models side by side, with how alike they are."""
    checked = _checked(**style)
    panels = []
    for result in (first, second):
        shown, _ = _page(result, ordering(result.tiles, checked["sort"]), 1)
        panels.append(_sheet(result, shown, checked, f"{result.facts['model']}, {result.layer}"))
    note = _legend(checked)
    if first.looks_at_pixels and second.looks_at_pixels:
        alike = similarity(first, second)
        note += f" Mean best correlation of a filter on the left with those on the right: {alike:.2f}."
    facts = {**first.facts, "second": {key: second.facts[key] for key in ("model", "model_digest", "layer")}}
    return Figure(
        title="Filters side by side",
        panels=tuple(panels),
        columns=2,
        facts={**facts, "style": checked},
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
    return replace(result, tiles=result.tiles[index : index + 1])


def count_pages(result: Filters) -> int:
    return -(-len(result.tiles) // _rows(result))


def _rows(result: Filters) -> int:
    return max(MAX_SLICES // result.slices, 1)


def _checked(**style: Any) -> dict[str, Any]:
    options = options_of(render)
    return {name: option.check(style.get(name, option.default)) for name, option in options.items()}


def _page(result: Filters, order: NDArray[np.int64], page: int) -> tuple[NDArray[np.int64], int]:
    rows, pages = _rows(result), count_pages(result)
    if page > pages:
        raise BadValue(f"Page {page} of {result.layer!r} does not exist; it has {pages}.")
    return order[(page - 1) * rows : page * rows], pages


def _sheet(result: Filters, shown: Sequence[int] | NDArray[np.int64], style: dict[str, Any], title: str = "") -> Panel:
    tiles, limit = result.tiles[shown], float(np.abs(result.tiles).max())
    axes = tuple(range(1, tiles.ndim))
    if style["scale"] == "range":
        low, high = tiles.min(axes, keepdims=True), tiles.max(axes, keepdims=True)
    else:
        own = style["scale"] == "filter"
        high = np.abs(tiles).max(axes, keepdims=True) if own else np.full((1,) * tiles.ndim, limit)
        low = -high
    span = np.where(high > low, high - low, 1)
    grey = np.where(high > low, (tiles - low) / span, 0.5)
    if style["polarity"] == "dark":
        grey = 1 - grey
    pixels = to_bytes(grey)
    if not result.is_colour:
        pixels = np.repeat(pixels.reshape(-1, *pixels.shape[2:])[..., None], 3, -1)
    columns = result.slices if result.slices > 1 else _columns(len(pixels))
    height, width = pixels.shape[1] * style["factor"], pixels.shape[2] * style["factor"]
    sheet = contact_sheet(pixels, columns, GAP, style["factor"])
    numbers = [str(k) for k in shown]
    names = numbers if result.slices == 1 else [f"{k}:{c}" for k in numbers for c in range(result.slices)]
    bar = None
    if style["scale"] == "layer" and limit > 0 and style["polarity"] == "bright":
        bar = Scale("grey", -limit, limit, "weight")
    return Panel(sheet, title, scale=bar, names=tuple(names), grid=Grid(columns, height, width, GAP))


def _columns(count: int) -> int:
    return max(1, min(count, round(1.5 * math.sqrt(count))))


def _legend(style: dict[str, Any]) -> str:
    large = "bright" if style["polarity"] == "bright" else "dark"
    if style["scale"] == "range":
        span = "from each filter's least to its greatest weight"
    else:
        whose = "each filter's own" if style["scale"] == "filter" else "the layer's"
        span = f"zero is mid-grey, the ends are {whose} largest absolute weight"
    return f"Large weights are {large}; {span}."
