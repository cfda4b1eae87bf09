"""The edges of one channel: who feeds it or whom it feeds, by weight, by effect and on a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import BadFile, NotSupported
from ..index import Index
from ..network.copying import is_alone
from ..network.graph import INPUT
from ..network.model import Model
from ..network.trace import reached
from ..progress import Progress, part, unheard
from .contributions import Contributions, contributions
from .effects import Effect, effects, foreseen
from .expanded import expanded
from .neighbours import consumers, sources, weighted

__all__ = ["Edge", "Edges", "exciting", "incoming", "named", "outgoing", "surest"]

FOR_MEANS = 32  # pictures spread over the index, where it has no mean of a layer


@dataclass(frozen=True, eq=False)
class Edge:
    """`layer` and `channel` are the other end. `weight` is what the positive or the negative entries of `kernel` (h, w)
    sum up to, whichever is more, and `rank` its place among all by size, from 1; `chosen_by` weight or effect; `effect`
    the change of the fed channel when the one that feeds it is set to its mean, on `pictures` that excite it, and
    `expected` what the weights foresee of that; `part` what the one gives to the other on the picture asked about."""

    layer: str
    channel: int
    weight: float
    rank: int
    kernel: NDArray[np.float32]
    chosen_by: str
    expected: float | None
    effect: Effect | None
    pictures: int
    part: float


@dataclass(frozen=True, eq=False)
class Edges:
    """`edges` as they are drawn: exciting ones, inhibiting ones, then what only its effect chose. `of` all channels
    that were weighed, of these `layers`; `whole` the sum on the picture, for what feeds a channel."""

    edges: tuple[Edge, ...]
    of: int
    layers: tuple[str, ...]
    whole: Contributions | None


def incoming(
    index: Index,
    net: nn.Module,
    layer: str,
    channel: int,
    picture: Tensor,
    *,
    count: int = 4,
    pictures: int = 8,
    seed: int = 0,
    progress: Progress = unheard,
) -> Edges:
    """What feeds a channel: `count` exciting and inhibiting ones by weight, and as many that a first look at their
    effect puts before those. picture (1, C, H, W). Raises NotSupported for a layer that nothing feeds."""
    names = sources(index.model, layer)
    progress(0, 100)
    made = {one.source: one for one in expanded(net, picture, names, layer).kernels(channel)}
    weights = {(name, c): float(one.strength[c]) for name, one in made.items() for c in range(len(one.weight))}
    chosen = dict.fromkeys(_strongest(weights, count), "weight")
    batch, positions = exciting(index, layer, channel, pictures)
    found: dict[tuple[str, int], Effect] = {}
    expected: dict[str, NDArray[np.float64]] = {}
    if len(batch) > 1:
        means = {name: _means(index, net, name) for name in made}
        expected = foreseen(net, batch, layer, channel, positions, means, straight=True)
        first = foreseen(net, batch, layer, channel, positions, means)
        looked = {(name, c): abs(float(first[name][c])) for name, c in weights}
        order = sorted((one for one in looked if looked[one] and one not in chosen), key=lambda one: -looked[one])
        chosen |= dict.fromkeys(order[:count], "effect")
        taken = [(name, c, float(means[name][c])) for name, c in chosen]
        told = part(progress, 0.1, 1.0)
        measured = effects(net, batch, layer, channel, positions, names, taken, seed=seed, progress=told)
        found = dict(zip(chosen, measured, strict=True))
    whole = contributions(net, picture, names, layer, channel)
    rank = _ranks(weights)
    return Edges(
        tuple(
            Edge(
                name,
                c,
                weights[name, c],
                rank[name, c],
                made[name].weight[c],
                why,
                float(expected[name][c]) if expected else None,
                found.get((name, c)),
                len(batch),
                float(whole.parts[name][c]),
            )
            for (name, c), why in chosen.items()
        ),
        len(weights),
        tuple(made),
        whole,
    )


def outgoing(
    index: Index,
    net: nn.Module,
    layer: str,
    channel: int,
    picture: Tensor,
    *,
    count: int = 4,
    pictures: int = 8,
    seed: int = 0,
    progress: Progress = unheard,
) -> Edges:
    """What a channel feeds, up to the classes: `count` that it excites most, and `count` that it inhibits. Raises
    NotSupported for a channel that feeds nothing."""
    model, targets = index.model, consumers(index.model, layer)
    if not targets:
        raise NotSupported(f"{layer!r} feeds no further layer: its values are what the network answers with.")
    own = model.graph.folded_with(layer)[-1]
    weights: dict[tuple[str, int], float] = {}
    kernels: dict[tuple[str, int], NDArray[np.float32]] = {}
    for k, target in enumerate(targets):
        straight = expanded(net, picture, sources(model, target), target)
        for c in range(straight.channels):
            if c % 16 == 0:
                progress(k * straight.channels + c, 2 * len(targets) * straight.channels)
            for one in straight.kernels(c, [own]):
                weights[target, c], kernels[target, c] = float(one.strength[channel]), one.weight[channel]
    chosen = _strongest(weights, count)
    rank = _ranks(weights)
    means = {own: _means(index, net, own)}
    edges = []
    for k, (target, c) in enumerate(chosen):
        names = sources(model, target)
        batch, positions = exciting(index, target, c, pictures)
        told = part(progress, 0.5 + k / len(chosen) / 2, 0.5 + (k + 1) / len(chosen) / 2)
        effect = expected = None
        if len(batch) > 1:
            taken = [(own, channel, float(means[own][channel]))]
            (effect,) = effects(net, batch, target, c, positions, names, taken, seed=seed, progress=told)
            others = {name: np.zeros(model.layer(name).channels) for name in names if name not in (own, INPUT)}
            foretold = foreseen(net, batch, target, c, positions, means | others, straight=True)
            expected = float(foretold[own][channel])
        edges.append(
            Edge(
                target,
                c,
                weights[target, c],
                rank[target, c],
                kernels[target, c],
                "weight",
                expected,
                effect,
                len(batch),
                float(contributions(net, picture, names, target, c).parts[own][channel]),
            )
        )
    return Edges(tuple(edges), len(weights), tuple(targets), None)


def exciting(index: Index, layer: str, channel: int, count: int) -> tuple[Tensor, list[tuple[int, ...]]]:
    """The pictures (N, C, H, W) that excite a channel most, as far as they can be read, and where each does; of an
    answer of the network that the index does not look at, those for which it is the answer, the surest first."""
    model = index.model
    known = weighted(model, layer, index.layers)
    flat = len(model.layer(layer).shape) == 1
    rows: list[tuple[int, tuple[int, ...]]] = []
    if known is not None:
        rows = [(row.image, () if flat else row.position) for row in index.top(known, channel, "best", count)]
    else:
        rows = [(image, ()) for image in surest(index, layer, channel, count)]
    batches, positions = [], []
    for image, position in rows:
        batch = _batch(index, image)
        if batch is not None:
            batches.append(batch)
            positions.append(position)
    return torch.cat(batches) if batches else torch.zeros(0), positions


def surest(index: Index, layer: str, channel: int, count: int) -> list[int]:
    """The pictures for which a class is the answer, the surest first; none for a layer that gives no answers."""
    if not _answers(index.model, layer):
        return []
    mine = np.flatnonzero(index.predictions[:, 0] == channel)
    return [int(image) for image in mine[np.argsort(-index.probabilities[mine, 0], kind="stable")][:count]]


def named(model: Model, layer: str, channel: int) -> str:
    """A class by its name, a colour of the picture by its; another channel by layer and number."""
    if layer == INPUT:
        return ("red", "green", "blue")[channel] if model.preprocess.channels == 3 else f"band {channel}"
    if _answers(model, layer):
        return model.classes[channel]
    return f"{layer} {channel}"


def _answers(model: Model, layer: str) -> bool:
    return model.layers[-1].name == layer and model.layer(layer).shape == (len(model.classes),)


def _batch(index: Index, image: int) -> Tensor | None:
    try:
        found = index.images[image]
    except BadFile:
        return None
    preprocess = index.model.preprocess
    return preprocess.scaled(preprocess.crop(found))[None].to(index.model.device)


def _means(index: Index, net: nn.Module, layer: str) -> NDArray[np.float64]:
    """(C,) over the index's pictures; of the picture itself what stands for its mean."""
    if layer == INPUT:
        return np.zeros(index.model.preprocess.channels)
    if layer in index.layers:
        return np.asarray(index.statistics(layer)["mean"], np.float64)
    numbers = np.unique(np.linspace(0, len(index) - 1, FOR_MEANS).round().astype(int)).tolist()
    batches = [batch for k in numbers if (batch := _batch(index, k)) is not None]
    if not batches:
        raise NotSupported("No picture of this index could be read: there is no mean to put in a channel's place.")
    with torch.inference_mode(False), torch.no_grad():
        outputs = torch.cat(
            [reached(net, some, layer).cpu() for some in torch.split(torch.cat(batches), 1 if is_alone(net) else 8)]
        )
    return np.asarray(outputs.double().mean([0, *range(2, outputs.dim())]))


def _strongest(weights: Mapping[tuple[str, int], float], count: int) -> list[tuple[str, int]]:
    """Those of the most positive weights, then those of the most negative ones."""
    up = sorted((one for one in weights if weights[one] > 0), key=lambda one: -weights[one])
    down = sorted((one for one in weights if weights[one] < 0), key=lambda one: weights[one])
    return [*up[:count], *down[:count]]


def _ranks(weights: Mapping[tuple[str, int], float]) -> dict[tuple[str, int], int]:
    order: Iterable[tuple[str, int]] = sorted(weights, key=lambda one: -abs(weights[one]))
    return {one: k for k, one in enumerate(order, 1)}
