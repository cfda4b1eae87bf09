"""Methods that cover parts of the picture, or maps of a layer, and watch the score."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from ..options import Range
from .cams import POSITIVE, maps_of
from .gradients import BASELINE, SEED, baseline_of
from .passes import MOST, generator, score, scores_of
from .registry import METHODS, InputRange
from .shortcuts import onward, optimised_copy

__all__: list[str] = []


@METHODS.register(slow=True)
def occlusion(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    window: Annotated[int, Range(0, 256, help="side in pixels; 0 is an eighth of the picture's shorter one")] = 0,
    stride: Annotated[int, Range(0, 256, help="from window to window, at most its side; 0 is half of it")] = 0,
    baseline: BASELINE = "mean",
) -> Tensor:
    """How much the score falls when a window around the place is covered (Zeiler and Fergus 2014).

    What is larger than the window, or there twice, is missed; the cover's own edges and colour count as well.
    """
    side = window or max(1, min(batch.shape[-2:]) // 8)
    step = min(stride or max(1, side // 2), side)
    rows, columns = (_windows(length, side, step).to(batch.device) for length in batch.shape[-2:])
    count = len(rows) * len(columns)
    # One more row covers nothing: the score of the picture as it is comes last.
    tops = torch.cat([rows, torch.zeros_like(rows[:1])])
    covers, quick, heat = baseline_of(baseline, batch, input_range), optimised_copy(net, batch[:1]), []
    for k, picture in enumerate(batch):

        def covered(start: int, stop: int, picture: Tensor = picture, cover: Tensor = covers[k]) -> Tensor:
            at = torch.arange(start, stop, device=batch.device)
            row, column = tops[at // len(columns)], columns[at % len(columns)]
            return torch.where((row[:, :, None] & column[:, None])[:, None], cover, picture)

        found = scores_of(quick, count + 1, covered, target[k], k / len(batch), 1 / len(batch))
        falls = found[-1] - found[:-1].view(len(rows), len(columns))
        heat.append(rows.T.to(falls) @ falls @ columns.to(falls))
    return torch.stack(heat) / (rows.sum(0)[:, None] * columns.sum(0))


def _windows(length: int, side: int, step: int) -> Tensor:
    """Which pixels of a row (length,) each window covers; the last may reach over the end."""
    side = min(side, length)
    starts = torch.arange(math.ceil((length - side) / step) + 1)[:, None] * step
    places = torch.arange(length)
    return (places >= starts) & (places < starts + side)


@METHODS.register(label="RISE", slow=True)
def rise(
    net: nn.Module,
    _layer: str,
    batch: Tensor,
    target: Tensor,
    input_range: InputRange,
    *,
    samples: Annotated[int, Range(2, 8000)] = 1000,
    cells: Annotated[int, Range(2, 32, help="of a mask's grid, along each side")] = 7,
    baseline: BASELINE = "mean",
    seed: SEED = 0,
) -> Tensor:
    """The class's mean probability over random covers that leave the place open (Petsiuk et al. 2018).

    Coarse, and grainy with few samples: the paper takes 4,000 to 8,000. It divides by what the masks should leave open,
    here by what they do, so that an even score gives an even map. Where one small part is enough for the class, all
    else looks even.
    """
    covers = baseline_of(baseline, batch, input_range)
    likely, heat = nn.Sequential(optimised_copy(net, batch[:1]), nn.Softmax(1)), []
    for k, picture in enumerate(batch):
        masks = _Grids(samples, cells, picture, seed)

        def shown(start: int, stop: int, picture: Tensor = picture, k: int = k, masks: _Grids = masks) -> Tensor:
            return torch.lerp(covers[k], picture, masks(start, stop)[:, None])

        found = scores_of(likely, samples, shown, target[k], k / len(batch), 1 / len(batch))
        # The paper divides by what the masks are expected to leave open; by what they do, an even score is even.
        total, openness = torch.zeros_like(picture[0]), torch.zeros_like(picture[0])
        for start in range(0, samples, MOST):
            some = masks(start, min(start + MOST, samples))
            total += torch.einsum("n,nhw->hw", found[start : start + MOST].to(some), some)
            openness += some.sum(0)
        heat.append(total / openness.clamp_min(1e-6))
    return torch.stack(heat)


class _Grids:
    """Grids of open and closed cells, enlarged and shifted by chance; only the cells are kept."""

    def __init__(self, count: int, cells: int, picture: Tensor, seed: int) -> None:
        chance, sides = generator(seed), picture.shape[1:]
        steps = [math.ceil(side / cells) for side in sides]
        drawn = [
            (torch.rand(cells, cells, generator=chance) < 0.5, *(torch.randint(n, (), generator=chance) for n in steps))
            for _ in range(count)
        ]
        self.grids = torch.stack([grid for grid, _, _ in drawn]).to(picture)
        # Enlarging is linear and the same along both sides: two small matrices, of which the shift takes a part.
        self.ways = []
        for axis, (side, step) in enumerate(zip(sides, steps, strict=True)):
            large = nn.functional.interpolate(torch.eye(cells)[None], step * (cells + 1), mode="linear")[0].T
            shifts = torch.stack([each[axis + 1] for each in drawn])
            self.ways.append((large.to(picture), shifts[:, None] + torch.arange(side)))

    def __call__(self, start: int, stop: int) -> Tensor:
        """Masks (n, H, W) from 0, covered, to 1."""
        rows, columns = (large[places[start:stop].to(large.device)] for large, places in self.ways)
        return rows @ self.grids[start:stop] @ columns.mT


@METHODS.register(label="Score-CAM", slow=True)
def score_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Maps weighted by the score of the picture where only what they mark is left (Wang et al. 2020).

    Weights are a softmax over the channels: with scores far apart one channel is the whole map, and none speaks against
    the class. One pass for each channel.
    """
    heat, size = [], (batch.shape[2], batch.shape[3])
    held, quick = maps_of(net, layer, batch), optimised_copy(net, batch[:1])
    for k, maps in enumerate(held):
        flat = maps.amax((1, 2)) == maps.amin((1, 2))
        # A map that is the same everywhere marks nothing: all such maps leave the same, so one pass is enough for them.
        asked = torch.cat([(~flat).nonzero()[:, 0], flat.nonzero()[:1, 0]])

        def marked(start: int, stop: int, k: int = k, maps: Tensor = maps[asked]) -> Tensor:
            masks = nn.functional.interpolate(maps[start:stop, None], size, mode="bilinear")
            low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
            return batch[k] * torch.where(high > low, (masks - low) / (high - low), 0.0)

        scores = maps.new_empty(len(maps))
        found = scores_of(quick, len(asked), marked, target[k], k / len(batch), 1 / len(batch))
        scores[flat] = found[-1].to(scores)
        scores[asked] = found.to(scores)
        heat.append(torch.einsum("c,chw->hw", scores.softmax(0), maps))
    return torch.stack(heat).relu() if positive else torch.stack(heat)


@METHODS.register(label="Ablation-CAM", slow=True)
def ablation_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).

    Channels that stand in for each other all get little. No gradient is asked, so a saturated score does no harm.
    """
    heat = []
    for k, maps in enumerate(maps_of(net, layer, batch)):
        rest = onward(net, layer, batch[k : k + 1])
        alive = maps.flatten(1).any(1).nonzero()[:, 0]

        def without(start: int, stop: int, maps: Tensor = maps, alive: Tensor = alive) -> Tensor:
            left = maps.repeat(stop - start, 1, 1, 1)
            left[torch.arange(stop - start), alive[start:stop]] = 0
            return left

        falls = maps.new_zeros(len(maps))
        if len(alive):
            found = scores_of(rest, len(alive), without, target[k], k / len(batch), 1 / len(batch))
            falls[alive] = (_score(rest, maps, target[k]) - found).to(falls)
        heat.append(torch.einsum("c,chw->hw", falls, maps))
    return torch.stack(heat).relu() if positive else torch.stack(heat)


def _score(net: nn.Module, given: Tensor, target: Tensor) -> Tensor:
    """The score of one input (C, H, W)."""
    with torch.inference_mode(False), torch.no_grad():
        return score(net(given[None].clone()), target[None])
